"""The administration of organisations. Only the host's administrators make new ones."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from lakou.identity import policy, queries, second_factor
from lakou.identity.actions import organisations
from lakou.identity.forms import HandOnForm, OrganisationForm
from lakou.identity.models import Organisation
from lakou.identity.policy import Action, Kind, Object
from lakou.identity.views.doors import actor, asked_again, for_those_who, me, say
from lakou.kernel.errors import LakouError


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@require_safe
def organisation_list(request: HttpRequest) -> HttpResponse:
    """`/administration/organisations/`: those that I administer."""
    context = {
        "organisations": queries.organisations_of_administrator(me(request)),
        "may_hand_on": policy.may(actor(request), Action.GRANT, Object(Kind.ORGANISATION)),
        "may_add": policy.may(actor(request), Action.CREATE, Object(Kind.ORGANISATION)),
    }
    return render(request, "identity/organisations.html", context)


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """`/administration/organisations/ajouter/`."""
    if not policy.may(actor(request), Action.CREATE, Object(Kind.ORGANISATION)):
        raise PermissionDenied
    return _form_page(request, None)


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, number: int) -> HttpResponse:
    """`/administration/organisations/<n>/`."""
    found = _found(request, number, Action.CHANGE)
    return _form_page(request, found)


@for_those_who(Action.CHANGE, Kind.ORGANISATION)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def hand_on(request: HttpRequest, number: int) -> HttpResponse:
    """`/administration/organisations/<n>/hote/`: hand on to this organisation what makes the host."""
    found = _found(request, number, Action.GRANT)
    form = HandOnForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            organisations.hand_on_host(organisation=found, by=me(request))
        except LakouError as error:
            say(form, error)
        else:
            messages.success(request, f"{found} tient maintenant ce site.")
            return redirect("account_overview")
    able = [person for person in queries.administrators_of_whole(found) if second_factor.has_one(person)]
    context = {"form": form, "organisation": found, "host": queries.host(), "able": able}
    return render(request, "identity/hand_on.html", context, status=400 if form.errors else 200)


def _found(request: HttpRequest, number: int, action: Action) -> Organisation:
    """The organisation of this number, when this person may do that with it; else 404 or 403."""
    found = get_object_or_404(queries.organisations_of_administrator(me(request)), pk=number)
    if not policy.may(actor(request), action, Object(Kind.ORGANISATION, found.pk)):
        raise PermissionDenied
    return found


def _form_page(request: HttpRequest, found: Organisation | None) -> HttpResponse:
    initial = {}
    if found is not None:
        initial = {"name": found.name, "kind": found.kind, "siret_text": found.siret, "territory": found.territory}
    form = OrganisationForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            if found is None:
                organisations.create_organisation(**form.cleaned_data, by=me(request))
            else:
                organisations.change_organisation(organisation=found, **form.cleaned_data, by=me(request))
        except LakouError as error:
            say(form, error)
        else:
            messages.success(request, "C’est enregistré.")
            return redirect("identity:organisations")
    status = 400 if form.errors else 200
    return render(request, "identity/organisation.html", {"form": form, "organisation": found}, status=status)
