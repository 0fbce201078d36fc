"""One's own account: what I am here, where I am logged in, my sheet of break-glass codes."""

from __future__ import annotations

from dataclasses import replace

from allauth.account.internal.flows.logout import logout
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from lakou.identity import policy, queries, second_factor
from lakou.identity.actions import break_glass, people
from lakou.identity.policy import Action, Actor, Kind, Object
from lakou.identity.views.doors import actor, asked_again, for_people, me


@for_people
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """`/compte/`: everything about the account on one page."""
    person = me(request)
    context = {
        "person": person,
        "grants": queries.active_grants(person),
        "has_second_factor": second_factor.has_one(person),
        "needs_second_factor": second_factor.is_needed(person),
        "is_break_glass": second_factor.is_break_glass(request, person),
        "sessions": UserSession.objects.filter(user=person).count(),
        "may_print": _may_print(replace(actor(request), mfa=True)),
        "codes_left": queries.codes_left(person).count(),
    }
    return render(request, "identity/overview.html", context)


@for_people
@require_http_methods(["GET", "HEAD", "POST"])
def sessions(request: HttpRequest) -> HttpResponse:
    """`/compte/sessions/`: where I am logged in; each can be ended, or all others at once."""
    person = me(request)
    if request.method == "POST":
        own = UserSession.objects.filter(user=person)
        if request.POST.get("which") == "others":
            ending = [session for session in own if not session.is_current()]
        else:
            which = request.POST.get("which", "")
            ending = [get_object_or_404(own, pk=int(which) if which.isascii() and which.isdigit() else 0)]
        leaving = any(session.is_current() for session in ending)
        people.end_sessions(person=person, sessions=ending, by=person)
        if leaving:
            logout(request)
            return redirect("account_login")
        messages.success(request, "C’est fait : ces sessions sont terminées.")
        return redirect("usersessions_list")
    found = sorted(UserSession.objects.purge_and_list(person), key=lambda session: session.created_at, reverse=True)
    return render(request, "identity/sessions.html", {"sessions": found})


@for_people
@require_http_methods(["GET", "HEAD", "POST"])
def break_glass_sheet(request: HttpRequest) -> HttpResponse:
    """`/compte/secours/`: what the codes are for; after a POST, new ones, shown this once to be printed."""
    person = me(request)
    if not _may_print(actor(request)):
        if not _may_print(replace(actor(request), mfa=True)):
            raise PermissionDenied
        return redirect(second_factor.where_to_give(person, request.path))
    if request.method == "POST":
        return _printed(request)
    left = queries.codes_left(person)
    newest = left.first()
    context = {"left": left.count(), "printed": newest.printed if newest else None}
    return render(request, "identity/sheet_intro.html", context)


def _may_print(who: Actor) -> bool:
    return policy.may(who, Action.CREATE, Object(Kind.BREAK_GLASS, person=who.id))


@asked_again
def _printed(request: HttpRequest) -> HttpResponse:
    person = me(request)
    codes = break_glass.print_sheet(person=person, by=person)
    first = queries.codes_left(person).first()
    context = {
        "codes": list(enumerate(codes, start=1)),
        "person": person,
        "printed": first.printed if first else None,
        "address": request.build_absolute_uri("/secours/"),
    }
    return render(request, "identity/sheet.html", context)
