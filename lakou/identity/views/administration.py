"""The administration of people: list, invite, grant and end roles, help who has lost password or second factor."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lakou.identity import mail, policy, queries, second_factor
from lakou.identity.actions import invitations, people
from lakou.identity.forms import GrantForm, InviteForm
from lakou.identity.models import Invitation, Person, RoleGrant
from lakou.identity.policy import Action, Kind
from lakou.identity.policy.people import may_open_account, role_in
from lakou.identity.site import absolute
from lakou.identity.views.doors import actor, asked_again, for_those_who, listed_person, me, said, say
from lakou.kernel.errors import LakouError

ON_A_PAGE = 50


@for_those_who(Action.READ, Kind.PERSON)
@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    """`/administration/personnes/`: the people of the organisations that I administer, and open invitations."""
    mine = queries.organisations_of_administrator(me(request))
    sought = "".join(filter(str.isprintable, request.GET.get("q", "")))[:100].strip()
    found = queries.people_listed(me(request), sought)
    page = Paginator(found, ON_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [(person, queries.roles_within(person, mine)) for person in page.object_list],
        "sought": sought,
        "invitations": queries.open_invitations(mine, datetime.now(UTC)),
    }
    return render(request, "identity/people.html", context)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    """`/administration/personnes/inviter/`: make an invitation; its link is shown once, and sent by mail."""
    mine = queries.organisations_of_administrator(me(request))
    form = InviteForm(request.POST or None, organisations=mine)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if not policy.may(actor(request), Action.GRANT, role_in(given["organisation"], given["territory"])):
            raise PermissionDenied
        try:
            made = invitations.invite(**given, by=me(request))
        except LakouError as error:
            say(form, error)
        else:
            return _show_link(request, made)
    return render(request, "identity/invite.html", {"form": form}, status=400 if form.errors else 200)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def withdraw(request: HttpRequest, number: int) -> HttpResponse:
    """Make an open invitation useless."""
    found = get_object_or_404(Invitation.objects.select_related("organisation"), pk=number, organisation__isnull=False)
    if not policy.may(actor(request), Action.WITHDRAW, role_in(found.organisation, found.territory)):
        raise Http404
    invitations.withdraw(invitation=found, by=me(request))
    messages.success(request, "L’invitation ne fonctionne plus.")
    return redirect("identity:people")


@for_those_who(Action.READ, Kind.PERSON)
@require_safe
def person_page(request: HttpRequest, number: int) -> HttpResponse:
    """`/administration/personnes/<n>/`: the roles of a person in my organisations, and what I may do for them."""
    person = listed_person(request, number)
    return _person_page(request, person, GrantForm(organisations=queries.organisations_of_administrator(me(request))))


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def grant(request: HttpRequest, number: int) -> HttpResponse:
    """Give a role."""
    person = listed_person(request, number)
    form = GrantForm(request.POST, organisations=queries.organisations_of_administrator(me(request)))
    if not form.is_valid():
        return _person_page(request, person, form, status=400)
    given = form.cleaned_data
    if not policy.may(actor(request), Action.GRANT, role_in(given["organisation"], given["territory"])):
        raise PermissionDenied
    people.grant_role(person=person, **given, by=me(request))
    messages.success(request, "Le rôle est donné.")
    return redirect("identity:person", number=person.pk)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def end_role(request: HttpRequest, number: int, role_number: int) -> HttpResponse:
    """End a role; it stays on the page as a past one."""
    person = listed_person(request, number)
    found = get_object_or_404(RoleGrant.objects.select_related("organisation"), pk=role_number, person=person)
    if not policy.may(actor(request), Action.WITHDRAW, role_in(found.organisation, found.territory)):
        raise Http404
    try:
        people.end_role(grant=found, by=me(request))
    except LakouError as error:
        messages.error(request, said(error)[1])
    else:
        messages.success(request, "Le rôle est terminé.")
    return redirect("identity:person", number=person.pk)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def reset(request: HttpRequest, number: int) -> HttpResponse:
    """Take away the second factors of who has lost them; they set up new ones at their next log-in."""
    person = _helped(request, number)
    removed = people.reset_second_factor(person=person, by=me(request))
    messages.success(request, "Le second facteur est retiré." if removed else "Il n’y avait pas de second facteur.")
    return redirect("identity:person", number=person.pk)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def close(request: HttpRequest, number: int) -> HttpResponse:
    """Close an account, or open a closed one again."""
    person = _helped(request, number)
    try:
        if person.is_active:
            people.close_account(person=person, by=me(request))
        else:
            people.reopen_account(person=person, by=me(request))
    except LakouError as error:
        messages.error(request, said(error)[1])
    else:
        messages.success(request, "Le compte est ouvert." if person.is_active else "Le compte est fermé.")
    return redirect("identity:person", number=person.pk)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def password_link(request: HttpRequest, number: int) -> HttpResponse:
    """A link for a new password, shown once; the second factor stays."""
    person = _helped(request, number)
    return _show_link(request, invitations.make_password_link(person=person, by=me(request)))


def _show_link(request: HttpRequest, made: invitations.NewInvitation) -> HttpResponse:
    path = reverse("identity:invitation_link", args=[made.secret])
    was_sent = mail.send_invitation(made)
    context = {
        "invitation": made.invitation,
        # On screen the address may begin as the administrator's own does; in mail it never does.
        "link": absolute(path) if absolute(path) != path else request.build_absolute_uri(path),
        "was_sent": was_sent,
    }
    return render(request, "identity/link.html", context)


def _person_page(request: HttpRequest, person: Person, form: GrantForm, status: int = 200) -> HttpResponse:
    mine = queries.organisations_of_administrator(me(request))
    context = {
        "person": person,
        "grants": queries.roles_within(person, mine),
        "past": queries.past_roles_within(person, mine),
        "form": form,
        "has_second_factor": second_factor.has_one(person),
        "may_reset": may_open_account(actor(request), person),
        "may_export": may_open_account(actor(request), person, Action.EXPORT),
        "may_erase": may_open_account(actor(request), person, Action.DELETE),
    }
    return render(request, "identity/person.html", context, status=status)


def _helped(request: HttpRequest, number: int) -> Person:
    person = listed_person(request, number)
    if not may_open_account(actor(request), person):
        raise PermissionDenied
    return person
