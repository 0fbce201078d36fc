"""The ASGI edge: caps before any work, bodies in pieces, headers, the address seen from outside, the event stream."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakou.sensorthings.limits import Limits
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store

Message = MutableMapping[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The edge knows nothing of the database: one is enough."""
    return Store("sqlite", folder=tmp_path)


def scope(method: str, target: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(n.lower().encode(), v.encode()) for n, v in (headers or {}).items()],
        "scheme": "http",
        "server": ("10.0.0.1", 8000),
        "client": ("127.0.0.1", 5),
    }


class Exchange:
    """One request through the ASGI application; `pieces` is its body, None at the end that the client left."""

    def __init__(self, caller: Caller, asked: dict[str, Any], pieces: list[bytes | None] | None = None) -> None:
        self.messages: list[Message] = []
        incoming: list[Message] = []
        found = [b""] if pieces is None else pieces
        for n, piece in enumerate(found):
            more = n + 1 < len(found)
            message = {"type": "http.request", "body": piece, "more_body": more}
            incoming.append({"type": "http.disconnect"} if piece is None else message)

        async def receive() -> Message:
            return incoming.pop(0) if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.messages.append(message)

        caller.run(caller.service(asked, receive, send))

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(m["body"] for m in self.messages[1:])

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


ADMIN = {"authorization": "Bearer system", "content-type": "application/json"}


def test_a_request_and_its_headers(caller: Caller) -> None:
    body = msgspec.json.encode(bodies.thing())
    made = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN), [body[:5], body[5:], b""])
    assert made.status == 201
    assert made.headers[b"location"] == b"http://test/sta/v1.1/Things(1)"
    assert b"Location" in made.headers[b"access-control-expose-headers"]
    read = Exchange(caller, scope("GET", "/sta/v1.1/Things(1)"))
    assert read.headers[b"content-length"] == str(len(read.body)).encode()
    assert read.headers[b"x-content-type-options"] == b"nosniff"
    assert b"plan;dur=" in read.headers[b"server-timing"]


def test_head_has_the_length_and_no_body(caller: Caller) -> None:
    get = Exchange(caller, scope("GET", "/sta/v1.1/Things"))
    head = Exchange(caller, scope("HEAD", "/sta/v1.1/Things"))
    assert head.body == b""
    assert head.headers[b"content-length"] == get.headers[b"content-length"]


def test_preflight_needs_no_token(caller: Caller) -> None:
    found = Exchange(caller, scope("OPTIONS", "/sta/v1.1/Things", {"origin": "http://x"}))
    assert found.status == 204
    assert b"PATCH" in found.headers[b"access-control-allow-methods"]


@pytest.mark.parametrize("authorization", ["Bearer nobody", "Basic x", "system"])
def test_an_unknown_token_is_refused_even_for_reading(caller: Caller, authorization: str) -> None:
    found = Exchange(caller, scope("GET", "/sta/v1.1/Things", {"authorization": authorization}))
    assert (found.status, found.json["code"]) == (401, "unauthorized")
    assert b"Bearer" in found.headers[b"www-authenticate"]


def test_caps_on_url_and_body(store: Store) -> None:
    caller = store.caller(Limits(url_bytes=200, body_bytes=100))
    try:
        long = Exchange(caller, scope("GET", "/sta/v1.1/Things?$filter=" + "a" * 300))
        assert (long.status, long.json["code"]) == (400, "too_long")
        said = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN | {"content-length": "101"}), [b"x"])
        assert said.status == 413
        for length in ("-1", "1e3", "9" * 30):
            odd = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN | {"content-length": length}), [b"x"])
            assert odd.status == 413, length
        whole = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN), [b"x" * 101])
        pieces = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN), [b"x" * 60, b"x" * 60])
        assert (whole.status, pieces.status) == (413, 413)
    finally:
        caller.close()


def test_a_client_that_leaves_gets_no_answer_and_stores_nothing(caller: Caller) -> None:
    body = msgspec.json.encode(bodies.thing())
    left = Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN), [body[:9], None])
    assert left.messages == []
    assert caller.ids("Things") == []


@pytest.mark.parametrize("path", [b"/sta/v1.1/Things\xff", b"/sta/v1.1/\xc3("])
def test_a_path_that_is_no_utf8_is_refused(caller: Caller, path: bytes) -> None:
    asked = scope("GET", "/sta/v1.1/x") | {"raw_path": path}
    found = Exchange(caller, asked)
    assert (found.status, found.json["place"]) == (400, "path")


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("sta.example.org", "http://sta.example.org"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("a b", "http://10.0.0.1:8000"),
        ("x/y", "http://10.0.0.1:8000"),
        ("", "http://10.0.0.1:8000"),
    ],
)
def test_links_follow_the_host_when_no_address_is_set(caller: Caller, host: str, base: str) -> None:
    caller.service.config = msgspec.structs.replace(caller.service.config, base_url=None)
    found = Exchange(caller, scope("GET", "/sta/v1.1/", {"host": host} if host else {}))
    assert found.json["value"][0]["url"] == f"{base}/sta/v1.1/Things"


def test_lines_are_streamed_past_the_cap_of_bodies(store: Store) -> None:
    caller = store.caller(Limits(body_bytes=100))
    try:
        caller.service.config = msgspec.structs.replace(caller.service.config, base_url="http://test")
        thing = msgspec.json.encode(bodies.thing("t"))
        assert Exchange(caller, scope("POST", "/sta/v1.1/Things", ADMIN), [thing]).status == 201
        caller.make("Things", bodies.station())
        headers = ADMIN | {"content-type": "application/x-ndjson"}
        lines = [b'{"result":%d}\n' % n for n in range(30)]
        found = Exchange(caller, scope("POST", "/sta/v1.1/Datastreams(1)/Observations", headers), list(lines))
        assert (found.status, found.json["stored"]) == (201, 30)
    finally:
        caller.close()
