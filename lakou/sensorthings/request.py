"""A request and its answer as plain values, the same from HTTP, from $batch and from inside the process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError, MethodNotAllowed, TooManyRequests, Unauthorized, Unavailable
from lakou.sensorthings.access import Principal

Header = tuple[bytes, bytes]
JSON = b"application/json;charset=UTF-8"


@lru_cache(maxsize=256)
def _media_type(header: bytes) -> str:
    return header.decode("latin-1").partition(";")[0].strip().lower()


class Request(msgspec.Struct):
    """`path` and `query` are raw (percent-encoded), the path below the service root; header names lower-case.

    `stream` gives the body in pieces when it is not read yet (bulk ingest); else `body` is whole. `client` is the
    address of the sender, None for what is asked inside the process.
    """

    method: str
    path: str
    query: str
    headers: dict[bytes, bytes]
    body: bytes
    principal: Principal
    base: str
    stream: AsyncIterator[bytes] | None = None
    client: str | None = None

    def header(self, name: bytes) -> str | None:
        """A header as text, None when absent."""
        found = self.headers.get(name)
        return None if found is None else found.decode("latin-1")

    @property
    def media_type(self) -> str:
        """The type of the body without parameters, lower-case; empty when not said."""
        return _media_type(self.headers.get(b"content-type", b""))


class Answer(msgspec.Struct):
    """Status, headers (without Content-Length) and whole body."""

    status: int
    headers: list[Header]
    body: bytes

    def header(self, name: bytes) -> str | None:
        """The first header of that lower-case name."""
        return next((v.decode("latin-1") for n, v in self.headers if n == name), None)


def json_answer(status: int, value: object, headers: Sequence[Header] = ()) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, [(b"content-type", JSON), *headers], jsontext.encode(value))


def empty(status: int, headers: Sequence[Header] = ()) -> Answer:
    """An answer without a body."""
    return Answer(status, list(headers), b"")


def timing(stages: Mapping[str, float]) -> Header:
    """The Server-Timing header of stages that took so many seconds."""
    return b"server-timing", ", ".join(f"{name};dur={took * 1000:.2f}" for name, took in stages.items()).encode()


def not_allowed(message: str, allow: str, hint: str | None = None) -> MethodNotAllowed:
    """The error for a method that a resource does not have; `allow` as in the header of that name."""
    error = MethodNotAllowed(message, hint=hint)
    error.allow = allow
    return error


def error_answer(error: LakouError) -> Answer:
    """The answer of an error: code, message, place and hint; never more."""
    headers: list[Header] = []
    if isinstance(error, Unavailable | TooManyRequests):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    if isinstance(error, Unauthorized):
        headers.append((b"www-authenticate", b'Bearer realm="lakou", Basic realm="lakou", charset="UTF-8"'))
    return json_answer(error.status, error.body(), headers)
