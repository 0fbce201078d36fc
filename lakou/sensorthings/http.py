"""The ASGI edge: bytes and headers in, an `Answer` out. Caps on body and URL; no logic of the service.

A body is read whole up to the limit, or handed on as a stream for bulk ingest.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from lakou.kernel.errors import BadRequest, LakouError, TooLarge, Unauthorized
from lakou.sensorthings import live
from lakou.sensorthings.access import Principal
from lakou.sensorthings.request import Answer, Header, Request, error_answer, json_answer, not_allowed

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = b"/sta/v1.1"
STREAMED = ("application/x-ndjson", "application/ndjson")
_COMMON: list[Header] = [(b"x-content-type-options", b"nosniff"), (b"access-control-allow-origin", b"*")]
_EXPOSING = (b"access-control-expose-headers", b"Location, ETag, Server-Timing, Retry-After")


class Disconnected(Exception):
    """The client left before its request was complete."""


async def respond(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request on the data plane."""
    headers = dict(scope["headers"])
    method: str = scope["method"]
    try:
        answer = await _answer(service, scope, method, headers, receive)
    except Disconnected:
        return
    except LakouError as error:
        service.note_refusal(error)
        if isinstance(error, Unauthorized):
            service.note_stranger(error, address_of(scope), "sensorthings")
        answer = error_answer(error)
    except Exception:  # the edge: a fault is logged whole and told without detail
        log.exception("A request failed")
        answer = json_answer(500, {"code": "internal", "status": 500, "message": "The service met an error"})
    await _send(send, method, answer)


async def _answer(service: Service, scope: Scope, method: str, headers: dict[bytes, bytes], receive: Receive) -> Answer:
    if method == "OPTIONS":
        return _preflight()
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    limits = service.limits
    if len(raw) + len(query) > limits.url_bytes:
        raise BadRequest(f"The URL is longer than {limits.url_bytes} bytes", code="too_long", hint="POST it to $batch.")
    principal = principal_of(service, headers)
    address = address_of(scope)
    service.rates.check(principal, address, monotonic())
    request = Request(
        method,
        _text(raw[len(PREFIX) :], "path"),
        _text(query, "query"),
        headers,
        b"",
        principal,
        base_url(service, scope, headers),
        client=address,
    )
    if method not in ("GET", "HEAD"):
        if request.media_type in STREAMED:
            _check_length(headers, limits.bulk_body_bytes)
            request.stream = _stream(receive, limits.bulk_body_bytes)
        else:
            request.body = await _body(receive, headers, limits.body_bytes)
    return await service.handle(request)


def address_of(scope: Scope) -> str | None:
    """The address of the sender."""
    client = scope.get("client")
    return str(client[0]) if client else None


def principal_of(service: Service, headers: dict[bytes, bytes]) -> Principal:
    """The principal of the Authorization header; raises Unauthorized."""
    sent = headers.get(b"authorization")
    return service.authority.principal(None if sent is None else sent.decode("latin-1"))


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest(f"The {what} is not UTF-8", place=what, code="encoding") from None


def base_url(service: Service, scope: Scope, headers: dict[bytes, bytes]) -> str:
    """The service root as the client sees it, without a final slash."""
    if service.config.base_url is not None:
        return service.config.base_url.rstrip("/") + PREFIX.decode()
    host = headers.get(b"host", b"").decode("latin-1")
    if not host or len(host) > 255 or not _HOST_CHARACTERS.issuperset(host):
        server = scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
    return f"{scope.get('scheme', 'http')}://{host}{PREFIX.decode()}"


_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_")


async def _body(receive: Receive, headers: dict[bytes, bytes], limit: int) -> bytes:
    _check_length(headers, limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if message["type"] == "http.disconnect":
            raise Disconnected
        return _checked(body, limit)
    pieces = [body]
    size = len(body)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise TooLarge(f"The body is above {limit} bytes", hint="Send NDJSON, or several requests.")
    return b"".join(pieces)


def _check_length(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuse a body that announces itself as too large, before any of it is read."""
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or len(length) > 15 or int(length) > limit):
        raise TooLarge(f"The body is above {limit} bytes", hint="Send NDJSON, or several requests.")


def _checked(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise TooLarge(f"The body is above {limit} bytes", hint="Send NDJSON, or several requests.")
    return body


async def _stream(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(piece)
        if size > limit:
            raise TooLarge(f"The body is above {limit} bytes")
        if piece:
            yield piece


async def _send(send: Send, method: str, answer: Answer) -> None:
    headers = [*answer.headers, *_COMMON, (b"content-length", b"%d" % len(answer.body))]
    for name, _ in answer.headers:
        if name == b"location" or name == b"etag":
            headers.append(_EXPOSING)
            break
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


_METHODS = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS"
_ALLOWED = "Authorization, Content-Type, If-Match, If-None-Match, Prefer"


def _preflight(methods: str = _METHODS, allowed: str = _ALLOWED) -> Answer:
    return Answer(
        204,
        [
            (b"allow", methods.encode()),
            (b"access-control-allow-methods", methods.encode()),
            (b"access-control-allow-headers", allowed.encode()),
            (b"access-control-max-age", b"3600"),
        ],
        b"",
    )


async def stream(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one client of the event stream."""
    method: str = scope["method"]
    try:
        if method not in ("GET", "HEAD", "OPTIONS"):
            raise not_allowed("The event stream is read with GET", "GET, HEAD, OPTIONS")
        if method == "OPTIONS":
            await _send(send, method, _preflight("GET, HEAD, OPTIONS", "Authorization, Last-Event-ID"))
            return
        if len(scope["query_string"]) > service.limits.url_bytes:
            raise BadRequest(f"The URL is longer than {service.limits.url_bytes} bytes", code="too_long")
        one = live.listener(scope, dict(scope["headers"]), service.authority)
        if method == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": live.HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        broadcast = service.broadcast
        broadcast.add(one)
    except LakouError as error:
        if isinstance(error, Unauthorized):
            service.note_stranger(error, address_of(scope), "live")
        await _send(send, method, error_answer(error))
        return
    await live.serve(broadcast, one, receive, send)
