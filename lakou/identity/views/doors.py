"""What stands before every page of identity: who is asking, may they, and what an error says in French."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from allauth.account.decorators import reauthentication_required
from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache

from lakou.identity import policy, queries
from lakou.identity.models import Person
from lakou.identity.policy import Action, Actor, Kind
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel.errors import LakouError

View = Callable[..., HttpResponse]

# (status, place) → what a page says, and at which field of the form.
SAID: dict[tuple[int, str], tuple[str, str]] = {
    (400, "email"): ("email", "Ce n’est pas une adresse e-mail."),
    (409, "address"): ("address", "C’est déjà l’adresse de votre compte."),
    (409, "email"): ("email", "Cette adresse a déjà un compte."),
    (400, "role"): ("role", "Ce rôle n’existe pas."),
    (409, "role"): (
        "",
        "C’est le dernier administrateur de l’organisation qui tient ce site. Nommez-en d’abord un autre.",
    ),
    (400, "name"): ("name", "Le nom a de 1 à 120 caractères."),
    (409, "name"): ("name", "Une organisation porte déjà ce nom."),
    (400, "siret"): ("siret_text", "Ce n’est pas un SIRET : 14 chiffres, dont le dernier est une clé de contrôle."),
    (409, "host"): (
        "",
        "Cette organisation n’a pas d’administrateur de tout son territoire qui ait un second facteur.",
    ),
    (409, "siret"): ("siret_text", "Une organisation porte déjà ce SIRET."),
    (400, "kind"): ("kind", "Cette sorte d’organisation n’existe pas."),
    (400, "territory"): ("territory", "La clé d’un territoire a au plus 60 caractères."),
    (404, "invitation"): ("", "Ce lien ne fonctionne pas, ou plus. Demandez-en un autre à votre administrateur."),
    (401, "code"): (
        "",
        "Adresse, mot de passe et code ne vont pas ensemble, ou le code a déjà servi : prenez-en un autre.",
    ),
}


def me(request: HttpRequest) -> Person:
    """The person who asks; only behind `for_people` or `for_those_who`."""
    assert isinstance(request.user, Person)  # noqa: S101
    return request.user


def actor(request: HttpRequest) -> Actor:
    """The same as the policy knows them."""
    return actor_of_request(request)


def listed_person(request: HttpRequest, number: int) -> Person:
    """A person of my organisations; anybody else does not exist for me (trust R8)."""
    return get_object_or_404(queries.people_listed(me(request), ""), pk=number)


def for_people(view: View) -> View:
    """A page of one's own: for who is logged in, never kept by a cache."""
    return never_cache(login_required(view))


def for_those_who(action: Action, kind: Kind) -> Callable[[View], View]:
    """A page for who may do this in some organisation at least; which ones, the view asks."""

    def guarded(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if not policy.may_somewhere(actor(request), action, kind):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return for_people(asked)

    return guarded


def asked_again(view: View) -> View:
    """For a sensitive act: who has not shown lately that it is still them is asked again, then it goes on."""
    guarded: View = reauthentication_required(view)
    return guarded


def say(form: forms.Form, error: LakouError) -> None:
    """Put what an action refused onto the form, at the field that it is about."""
    field, text = said(error)
    if error.place == "password":
        field, text = "password1", error.message  # Django's rules say it in the page's language
    form.add_error(field if field in form.fields else None, text)


def said(error: LakouError) -> tuple[str, str]:
    """The field and the French words for a refusal."""
    return SAID.get((error.status, error.place or ""), ("", "Cela n’a pas pu être fait."))
