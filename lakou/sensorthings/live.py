"""`/live`: new Observations as server-sent events, in ticks of 100 ms, resumed by Last-Event-ID.

`?datastream=1,2` and `?thing=3` narrow it. Events: `observation` with JSON data, `resync` when some were missed
(load the page again), comments as a sign of life. Source: WHATWG HTML §9.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest
from lakou.kernel.time import format_instant, format_interval
from lakou.sensorthings.access import Principal
from lakou.sensorthings.feed import Feed, Subscriber, sees
from lakou.sensorthings.render.entities import result
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.session import ID, Observed

_START, _END, _RESULT_TIME, _RESULT = map(
    OBSERVATION_COLUMNS.index, ("time_start", "time_end", "result_time", "result_type")
)
TICK_S = 0.1
ALIVE_S = 15.0
MAX_LISTENERS = 5_000
_HEADERS = [
    (b"content-type", b"text/event-stream;charset=UTF-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Wanted(msgspec.Struct, frozen=True):
    """What a client listens to; None for everything it may see."""

    datastreams: frozenset[int] | None
    things: frozenset[int] | None

    def takes(self, event: Observed) -> bool:
        stream = event[0]
        if self.datastreams is not None and stream.id not in self.datastreams:
            return False
        return self.things is None or stream.thing_id in self.things


def wanted(query: str) -> Wanted:
    """The selection of a query string; raises BadRequest."""
    found: dict[str, frozenset[int]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=20):
        if name not in ("datastream", "thing"):
            raise BadRequest(f"'{name[:40]}' is not known here", place="query", hint="datastream=1,2 or thing=3")
        ids = value.split(",")
        if len(ids) > 1_000 or not all(i.isascii() and i.isdigit() and len(i) < 19 for i in ids):
            raise BadRequest("Ids are integers", place=name, hint=f"{name}=1,2")
        found[name] = frozenset(int(i) for i in ids)
    return Wanted(found.get("datastream"), found.get("thing"))


async def serve(
    feed: Feed,
    principal: Principal,
    wants: Wanted,
    last: bytes | None,
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Send events until the client or the service goes away."""
    full = feed.listeners >= MAX_LISTENERS
    await send({"type": "http.response.start", "status": 503 if full else 200, "headers": _HEADERS})
    if full:
        await send({"type": "http.response.body", "body": b"event: busy\ndata: {}\n\n"})
        return
    after = int(last) if last is not None and last.isdigit() and len(last) < 19 else None
    subscriber = Subscriber(lambda event: wants.takes(event) and sees(principal, event))
    complete = feed.subscribe(subscriber, after)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        start = b"retry: 2000\n\n" if complete else b"retry: 2000\nevent: resync\ndata: {}\n\n"
        await send({"type": "http.response.body", "body": start, "more_body": True})
        await _run(feed, subscriber, gone, send)
    finally:
        feed.unsubscribe(subscriber)
        gone.cancel()


async def _gone(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _run(
    feed: Feed,
    subscriber: Subscriber,
    gone: asyncio.Future[None],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    silent = 0.0
    while not gone.done():
        if feed.closing.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        text = _frames(subscriber)
        if not text and silent >= ALIVE_S:
            text = b": alive\n\n"
        if text:
            silent = 0.0
            await send({"type": "http.response.body", "body": text, "more_body": True})
        silent += TICK_S
        await asyncio.wait([gone], timeout=TICK_S)


def _frames(subscriber: Subscriber) -> bytes:
    frames = []
    if subscriber.missed:
        subscriber.missed = False
        frames.append(b"event: resync\ndata: {}\n\n")
    while subscriber.queue:
        event = subscriber.queue.popleft()
        id_ = event[1][ID]
        frames.append(b"id: %d\nevent: observation\ndata: %s\n\n" % (id_, jsontext.encode(_data(event))))
    return b"".join(frames)


def _data(event: Observed) -> dict[str, Any]:
    stream, row = event
    start, end, result_time = row[_START], row[_END], row[_RESULT_TIME]
    return {
        "multiDatastream" if stream.members else "datastream": stream.id,
        "thing": stream.thing_id,
        "id": row[ID],
        "phenomenonTime": format_instant(start) if end is None else format_interval(start, end),
        "resultTime": None if result_time is None else format_instant(result_time),
        "result": result(*row[_RESULT : _RESULT + 5]),
    }
