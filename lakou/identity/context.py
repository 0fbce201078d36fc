"""What every template may ask about the visitor, without a look at the database."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http import HttpRequest

from lakou.identity import second_factor
from lakou.identity.models import Person
from lakou.identity.policy import Action, Kind, Object, may, may_somewhere
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel.errors import LakouError


def visitor(request: HttpRequest) -> dict[str, object]:
    """`has_session`: the browser sent a session's cookie; whether that session still lives is found out at the door.

    The functions ask the database, and only where a template asks them.
    """
    return {
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES,
        "has_mail": settings.LAKOU_HAS_MAIL,
        "signup_open": settings.ACCOUNT_SIGNUP_ENABLED,
        "administers": partial(_administers, request),
        "second_factor_missing": partial(_misses_second_factor, request),
    }


def _misses_second_factor(request: HttpRequest) -> bool:
    person = request.user
    return isinstance(person, Person) and second_factor.is_needed(person) and not second_factor.has_one(person)


def _administers(request: HttpRequest) -> dict[str, bool]:
    """Which pages of the administration this visitor may open."""
    try:
        actor = actor_of_request(request)
    except LakouError:
        return {}
    return {
        "people": may_somewhere(actor, Action.READ, Kind.PERSON),
        "organisations": may_somewhere(actor, Action.CHANGE, Kind.ORGANISATION),
        "tokens": may_somewhere(actor, Action.CREATE, Kind.TOKEN),
        # There is one journal, that of the site.
        "journal": may(actor, Action.READ, Object(Kind.JOURNAL)),
    }
