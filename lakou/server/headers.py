"""The browser rule that Django does not send by itself (trust R14)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

PERMISSIONS = "camera=(), microphone=(), payment=(), usb=(), geolocation=(self)"

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


@sync_and_async_middleware
def permissions_policy(get_response: Callable[[HttpRequest], Answer]) -> Callable[[HttpRequest], Answer]:
    """Pages may ask for the place of the reader (reports from the field), and for no other device."""
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            response: HttpResponseBase = await get_response(request)
            response.setdefault("Permissions-Policy", PERMISSIONS)
            return response

        return later

    def now(request: HttpRequest) -> Answer:
        response = get_response(request)
        assert isinstance(response, HttpResponseBase)  # noqa: S101
        response.setdefault("Permissions-Policy", PERMISSIONS)
        return response

    return now
