"""One name for each request: taken from `X-Request-ID` where it is sane, else made; on every log line of the request.

A context variable carries it: each request is a task of its own, and `asyncio.to_thread` and the readers take it along.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable
from contextvars import ContextVar

HEADER = b"x-request-id"
MAX_LENGTH = 64
_ALLOWED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

current: ContextVar[bytes | None] = ContextVar("lakou_request_id", default=None)

# A counter below a random beginning: unique over restarts and processes, for less than a random number each time.
_beginning = secrets.token_hex(6).encode()
_number = itertools.count(1)


def take(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The name of a request, also made the current one."""
    for name, value in headers:
        if name == HEADER:
            if 0 < len(value) <= MAX_LENGTH and not value.translate(None, _ALLOWED):
                current.set(value)
                return value
            break
    made = b"%b-%x" % (_beginning, next(_number))
    current.set(made)
    return made
