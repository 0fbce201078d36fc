"""What is held about a person: handed over as a file, and erased; by themselves, or by an administrator for them."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from lakou.identity import policy
from lakou.identity.actions import personal_data as actions
from lakou.identity.forms import EraseForm
from lakou.identity.models import Person
from lakou.identity.personal_data import as_json
from lakou.identity.policy import Action, Kind, Object
from lakou.identity.policy.people import may_open_account
from lakou.identity.views.doors import actor, asked_again, for_people, for_those_who, listed_person, me, say
from lakou.kernel.errors import LakouError


@for_people
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def own_data(request: HttpRequest) -> HttpResponse:
    """`/compte/donnees/`: what is held about me; after a POST, as a file."""
    person = _myself(request, Action.EXPORT)
    return _file(request, person) if request.method == "POST" else render(request, "identity/own_data.html")


@for_people
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def erase_own(request: HttpRequest) -> HttpResponse:
    """`/compte/effacer/`: what goes and what stays; after a POST with my address, the account is gone."""
    person = _myself(request, Action.DELETE)
    form = EraseForm(_given(request), expected=person.email)
    if request.method == "POST" and _was_erased(request, person, form):
        request.session.flush()
        request.user = AnonymousUser()
        return render(request, "identity/erased.html", {"has_session": False})
    return render(request, "identity/erase_own.html", {"form": form}, status=400 if form.errors else 200)


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_POST
def data_of(request: HttpRequest, number: int) -> HttpResponse:
    """What is held about a person, as a file for them."""
    return _file(request, _another(request, number, Action.EXPORT))


@for_those_who(Action.READ, Kind.PERSON)
@asked_again
@require_http_methods(["GET", "HEAD", "POST"])
def erase(request: HttpRequest, number: int) -> HttpResponse:
    """`/administration/personnes/<n>/effacer/`: erase a person who asked for it, or whose account is over."""
    person = _another(request, number, Action.DELETE)
    form = EraseForm(_given(request), expected=person.email)
    if request.method == "POST" and _was_erased(request, person, form):
        messages.success(request, f"Le compte est effacé. Le journal garde « personne {number} ».")
        return redirect("identity:people")
    context = {"form": form, "person": person}
    return render(request, "identity/erase.html", context, status=400 if form.errors else 200)


def _was_erased(request: HttpRequest, person: Person, form: EraseForm) -> bool:
    """Whether it was done; what was refused stands on the form."""
    if not form.is_valid():
        return False
    try:
        actions.erase_person(person=person, by=me(request))
    except LakouError as error:
        say(form, error)
        return False
    return True


def _given(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _file(request: HttpRequest, person: Person) -> HttpResponse:
    document = actions.export_person(person=person, by=me(request))
    name = f"lakou-personne-{person.pk}.json"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(as_json(document), content_type="application/json", headers=disposition)


def _myself(request: HttpRequest, action: Action) -> Person:
    person = me(request)
    if not policy.may(actor(request), action, Object(Kind.PERSON, person=person.pk)):
        raise PermissionDenied
    return person


def _another(request: HttpRequest, number: int, action: Action) -> Person:
    person = listed_person(request, number)
    if not may_open_account(actor(request), person, action):
        raise PermissionDenied
    return person
