"""The actor of a request of Django: the person of its session, else the token of its header, else nobody.

`find_person` is what sign-on replaces when it is there; until then no request comes from a person.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from lakou.identity import authority
from lakou.identity.policy.actor import ANONYMOUS, Actor

FindPerson = Callable[[HttpRequest], Actor | None]


def _nobody(request: HttpRequest) -> Actor | None:
    return None


_find_person: FindPerson = _nobody


def find_people_with(find: FindPerson) -> None:
    """From now on ask this for the person of a request; it gives None where none is signed in."""
    global _find_person
    _find_person = find


def actor_of_request(request: HttpRequest) -> Actor:
    """Who sends this request. Raises Unauthorized for a token that is unknown, expired or revoked.

    May look into the database: an async view calls it in a thread.
    """
    person = _find_person(request)
    if person is not None:
        return person
    header = request.headers.get("Authorization")
    return ANONYMOUS if header is None else authority.current().actor(header)
