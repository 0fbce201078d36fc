"""Sessions, people and messages for pages, at no cost for who is not logged in; and the second factor before all else.

Django's own three do no work before a view asks, yet each costs two changes of thread on the way of every page. Here
they are put on the request at once, and only a session that was used is looked at again on the way back. Refusals are
noted for the journal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import sync_and_async_middleware

from lakou.identity import second_factor
from lakou.identity.journal import witness
from lakou.identity.models import Person
from lakou.identity.policy.requests import actor_of_request
from lakou.kernel.errors import Forbidden, LakouError, Unauthorized

Answer = HttpResponseBase | Awaitable[HttpResponseBase]
Handler = Callable[[HttpRequest], Answer]

REFUSED = (Unauthorized.status, Forbidden.status)
# Where somebody without their second factor may still go: to give one, to set one up, or away.
OPEN = (
    "mfa_index",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "account_reauthenticate",
    "account_logout",
    "identity:break_glass",
)


@sync_and_async_middleware
def Visitors(get_response: Handler) -> Handler:  # noqa: N802  named like the classes it stands for
    """`request.session`, `request.user` and messages, as Django's three middlewares give them."""
    sessions = SessionMiddleware(cast(Any, get_response))
    people = AuthenticationMiddleware(cast(Any, get_response))
    messages = MessageMiddleware(cast(Any, get_response))

    def arrive(request: HttpRequest) -> None:
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if key and not (key.isascii() and key.isalnum()):  # never ours, and PostgreSQL takes no NUL in a text
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        for middleware in (sessions, people, messages):
            middleware.process_request(request)

    def leave(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        messages.process_response(request, cast(Any, response))
        return sessions.process_response(request, cast(Any, response))

    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            arrive(request)
            response = await cast(Awaitable[HttpResponseBase], get_response(request))
            if _was_used(request):
                return await sync_to_async(leave, thread_sensitive=True)(request, response)
            return response

        return later

    def now(request: HttpRequest) -> Answer:
        arrive(request)
        return leave(request, cast(HttpResponseBase, get_response(request)))

    return now


def _was_used(request: HttpRequest) -> bool:
    stored = cast(Any, request)._messages
    return bool(request.session.accessed or request.session.modified or stored.used or stored.added_new)


@sync_and_async_middleware
def second_factor_first(get_response: Handler) -> Handler:
    """Send who approves or administers, and has shown no second factor, to do so before anything else."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            if settings.SESSION_COOKIE_NAME in request.COOKIES:
                target = await sync_to_async(_detour, thread_sensitive=True)(request)
                if target is not None:
                    return HttpResponseRedirect(target)
            return await cast(Awaitable[HttpResponseBase], get_response(request))

        return later

    def now(request: HttpRequest) -> Answer:
        target = _detour(request) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        return get_response(request) if target is None else HttpResponseRedirect(target)

    return now


@sync_and_async_middleware
def refusals_are_noted(get_response: Handler) -> Handler:
    """Whoever showed who they are, or a token that is none, and was refused: that goes into the journal, gathered."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            response = await cast(Awaitable[HttpResponseBase], get_response(request))
            if response.status_code in REFUSED:
                await sync_to_async(_note_refusal, thread_sensitive=True)(request, response.status_code)
            return response

        return later

    def now(request: HttpRequest) -> Answer:
        response = cast(HttpResponseBase, get_response(request))
        if response.status_code in REFUSED:
            _note_refusal(request, response.status_code)
        return response

    return now


def _note_refusal(request: HttpRequest, status: int) -> None:
    address = request.META.get("REMOTE_ADDR")
    part = "webhook" if request.path.startswith("/api/connectors/") else "pages"
    try:
        actor = actor_of_request(request)
    except Unauthorized as error:
        witness.note_refusal(None, error, address, part)
        return
    except LakouError:
        return
    if status == Forbidden.status:
        witness.note_refusal(actor, Forbidden("This was refused"), address, part)


def _detour(request: HttpRequest) -> str | None:
    """The address to go to first, or None when nothing is missing."""
    person = request.user
    if (
        not isinstance(person, Person)
        or second_factor.is_strong(request, person)
        or not second_factor.is_needed(person)
    ):
        return None
    if request.path in {reverse(name) for name in OPEN}:
        return None
    back = request.get_full_path() if request.method in ("GET", "HEAD") else reverse(settings.LOGIN_REDIRECT_URL)
    return second_factor.where_to_give(person, back)
