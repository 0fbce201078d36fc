"""What stands around every request: its name, its count, its line."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from lakou.server import requestid
from lakou.server.metrics import Metrics, Requests
from lakou.server.types import Message, Receive, Scope, Send
from lakou.server.watching import Watch

SHARED = [(b"content-type", b"text/plain")]


def scope(**changes: Any) -> Scope:
    headers = [(b"host", b"x"), (b"authorization", b"Bearer lk_1_secret"), (b"accept", b"*/*")]
    return {"method": "POST", "path": "/sta/v1.1/Things", "query_string": b"", "headers": headers, **changes}


async def receive() -> Message:
    return {"type": "http.disconnect"}


async def created(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 201, "headers": SHARED})
    await send({"type": "http.response.body", "body": b""})


def answered(watch: Watch, asked: Scope, application: Any = created, part: str = "sensorthings") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(watch.run(part, application, asked, receive, send))
    return sent


def request_id(sent: list[Message]) -> bytes:
    return dict(sent[0]["headers"])[b"x-request-id"]


def test_each_answer_carries_a_name_of_its_own_and_the_application_s_headers_stay_as_they_are() -> None:
    watch = Watch(Requests())
    names = {request_id(answered(watch, scope())) for _ in range(100)}
    assert len(names) == 100
    assert SHARED == [(b"content-type", b"text/plain")]


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (b"0af7651916cd43dd-8448.eb_1", True),
        (b"a" * 64, True),
        (b"a" * 65, False),
        (b"", False),
        (b"a b", False),
        (b"a\tforged", False),
        ("é".encode("latin-1"), False),
        (b"<script>", False),
    ],
)
def test_a_sane_name_of_the_client_s_is_kept_and_any_other_replaced(sent: bytes, taken: bool) -> None:
    answer = answered(Watch(Requests()), scope(headers=[(b"x-request-id", sent)]))
    assert (request_id(answer) == sent) is taken


def test_the_name_is_known_within_the_request_and_in_threads_of_it() -> None:
    seen: list[bytes | None] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(requestid.current.get())
        seen.append(await asyncio.to_thread(requestid.current.get))
        await created(scope, receive, send)

    name = request_id(answered(Watch(Requests()), scope(), application))
    assert seen == [name, name]


def test_a_slow_request_is_told_with_its_stages_and_without_values() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(1.01)
        headers = [(b"server-timing", b"plan;dur=1, sql;dur=1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    asked = scope(method="GET", query_string=b"$filter=name%20eq%20'Mme%20Durand'&%24top=5&token=lk_1_x")
    with structlog.testing.capture_logs() as lines:
        answered(Watch(Requests()), asked, slow)
        answered(Watch(Requests()), scope())
        answered(Watch(Requests()), asked, slow, part="live")
    [line] = lines
    assert (line["event"], line["log_level"], line["status"]) == ("slow request", "warning", 200)
    assert line["options"] == ["$filter", "$top", "token"]
    assert line["stages"] == "plan;dur=1, sql;dur=1000"
    assert line["duration_ms"] >= 1000
    assert "Durand" not in str(line)


def test_the_access_log_has_a_line_for_every_request() -> None:
    with structlog.testing.capture_logs() as lines:
        answered(Watch(Requests(), access_log=True), scope())
    assert [(line["event"], line["method"], line["status"]) for line in lines] == [("request", "POST", 201)]


def test_requests_are_counted_by_part_method_and_class_and_strange_methods_together() -> None:
    metrics = Metrics()
    watch = Watch(metrics.requests)
    answered(watch, scope())
    answered(watch, scope(method="BREW-1"))
    answered(watch, scope(method="BREW-2"))

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        answered(watch, scope(), cut, part="live")
    families = {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}
    counted = {tuple(s.labels.values()): s.value for s in families["lakou_requests"].samples}
    assert counted == {
        ("POST", "sensorthings", "2xx"): 1,
        ("other", "sensorthings", "2xx"): 2,
        ("POST", "live", "cut"): 1,
    }
    durations = [s for s in families["lakou_request_duration_seconds"].samples if s.name.endswith("_count")]
    assert [(s.labels["part"], s.value) for s in durations] == [("sensorthings", 3)]
