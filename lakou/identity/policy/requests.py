"""The actor of a request of Django: the person of its session, else the token of its header, else nobody.

A session wins: what a browser sends is protected by the CSRF token, and a header beside it is not even read. Programs
send a header and no cookie. Addresses that take no CSRF token (webhooks, the data plane) ask for the header alone.
"""

from __future__ import annotations

from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest

from lakou.identity import authority
from lakou.identity.policy.actor import ANONYMOUS, Actor

FindPerson = Callable[[HttpRequest], Actor | None]


def _nobody(request: HttpRequest) -> Actor | None:
    return None


_find_person: FindPerson = _nobody


def find_people_with(find: FindPerson) -> None:
    """From now on ask this for the person of a request; it gives None where none is signed in (`sessions.py`)."""
    global _find_person
    _find_person = find


def actor_of_request(request: HttpRequest) -> Actor:
    """Who sends this request. Raises Unauthorized for a token that is unknown, expired or revoked.

    May look into the database: an async view asks `actor_of_visit`.
    """
    person = _find_person(request)
    if person is not None:
        return person
    header = request.headers.get("Authorization")
    return ANONYMOUS if header is None else authority.current().actor(header)


async def actor_of_visit(request: HttpRequest) -> Actor:
    """The same for async views; who sends neither a session nor a token costs no change of thread."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES and "Authorization" not in request.headers:
        return ANONYMOUS
    return await sync_to_async(actor_of_request)(request)
