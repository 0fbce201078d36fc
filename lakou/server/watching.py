"""Around every request: its name, its count, its duration, and its line in the log when that is wanted or due.

All of it is on the way of each Observation and costs less than 3 µs (tests/server/test_watching.py measures it).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from time import perf_counter
from typing import Any
from urllib.parse import unquote

import structlog

from lakou.kernel import jsontext
from lakou.server import lifetime, requestid
from lakou.server.metrics import Requests
from lakou.server.types import Application, Message, Receive, Scope, Send

SLOW_S = 1.0
_NEVER_SLOW = "live"
MAX_PATH = 500

log = structlog.get_logger("lakou.access")


class Watch:
    """Runs applications and notes how it went. `access_log` writes a line for every request."""

    def __init__(self, requests: Requests, *, access_log: bool = False) -> None:
        self._requests = requests
        self._due_s = 0.0 if access_log else SLOW_S

    async def run(self, part: str, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with `application`; the answer carries X-Request-ID."""
        started = perf_counter()
        mark = (requestid.HEADER, requestid.take(scope["headers"]))
        status = 0
        headers: Iterable[tuple[bytes, bytes]] = ()

        def marked(message: Message) -> Awaitable[None]:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                # Never in place: an application may send the same list again and again.
                headers = message["headers"] = [*message["headers"], mark]
            return send(message)

        try:
            await application(scope, receive, marked)
        except asyncio.CancelledError:
            if status or not lifetime.is_stopping():
                raise
            await _end(marked)
        finally:
            seconds = perf_counter() - started
            self._requests.count(part, scope["method"], status, seconds)
            if seconds >= self._due_s and (part != _NEVER_SLOW or self._due_s == 0):
                _tell(part, scope, status, seconds, headers)


async def _end(send: Send) -> None:
    """The answer to a request for which there is no time left before the end of the process."""
    body = jsontext.encode({"code": "stopping", "status": 503, "message": "The service stops; try again shortly"})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"5"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _tell(part: str, scope: Scope, status: int, seconds: float, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """One line: never the values of the query or the body, which may be about a person or hold a token."""
    path = scope["path"][:MAX_PATH]
    said: dict[str, Any] = {
        "method": scope["method"][:20],
        "path": path,
        "options": _option_names(scope["query_string"]),
        "status": status or "cut",
        "duration_ms": round(seconds * 1000, 1),
        "part": part,
    }
    stages = next((value.decode("latin-1") for name, value in headers if name == b"server-timing"), None)
    if stages:
        said["stages"] = stages
    if seconds >= SLOW_S and part != _NEVER_SLOW:
        log.warning("slow request", **said)
    else:
        log.info("request", **said)


def _option_names(query: bytes) -> list[str]:
    """The names of the query's options, in order."""
    names = (part.partition("=")[0] for part in query.decode("latin-1").split("&")[:20])
    return [unquote(name)[:40] for name in names if name]
