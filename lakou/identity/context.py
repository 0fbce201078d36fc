"""What every template may ask about the visitor, without a look at the database."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http import HttpRequest

from lakou.identity import access, second_factor
from lakou.identity.models import Person


def visitor(request: HttpRequest) -> dict[str, object]:
    """`has_session`: the browser sent a session's cookie; whether that session still lives is found out at the door.

    The functions ask the database, and only where a template asks them.
    """
    return {
        "has_session": settings.SESSION_COOKIE_NAME in request.COOKIES,
        "has_mail": settings.LAKOU_HAS_MAIL,
        "signup_open": settings.ACCOUNT_SIGNUP_ENABLED,
        "may_see_people": partial(_may_see_people, request),
        "second_factor_missing": partial(_misses_second_factor, request),
    }


def _misses_second_factor(request: HttpRequest) -> bool:
    person = request.user
    return isinstance(person, Person) and second_factor.is_needed(person) and not second_factor.has_one(person)


def _may_see_people(request: HttpRequest) -> bool:
    return isinstance(request.user, Person) and access.may(request.user, "people.see")
