"""`/live`: new Observations as server-sent events, in ticks of 100 ms, resumed by Last-Event-ID.

The edge of one client: who it is, what it selects, and its task, which sends what the broadcast offers. Events are
`observation` with JSON data, `resync` when some were missed (load the page again); comments are a sign of life.
Source: WHATWG HTML §9.2; docs/reference/live.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from lakou.kernel.errors import BadRequest, LakouError
from lakou.sensorthings.access import Authority
from lakou.sensorthings.broadcast import Broadcast
from lakou.sensorthings.listener import Listener
from lakou.sensorthings.rates import network
from lakou.sensorthings.selection import selected
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.position import Position, position

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

ABORT = "lakou.abort"
"""The ASGI extension by which the server lets an application cut a client that does not read."""
NOWHERE = Position(Cursor(2**63 - 1, 0), 0)
"""For an id that names no place: nobody knows what was missed."""
HEADERS = [
    (b"content-type", b"text/event-stream;charset=UTF-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
]


def listener(scope: MutableMapping[str, Any], headers: dict[bytes, bytes], authority: Authority) -> Listener:
    """The client that a request describes. Raises Unauthorized, BadRequest."""
    sent = headers.get(b"authorization")
    authorization = None if sent is None else sent.decode("latin-1")
    principal = authority.principal(authorization)
    selection, after = selected(scope["query_string"].decode("latin-1"))
    if after is not None and position(after) is None:
        raise BadRequest("This is not the id of an event", place="after", hint="Give the last id of the stream.")
    last = headers.get(b"last-event-id", b"").decode("latin-1") or after
    client = scope.get("client")
    return Listener(
        selection,
        principal,
        authorization=authorization,
        address=network(client[0]) if client else None,
        after=None if not last else position(last) or NOWHERE,
        abort=(scope.get("extensions") or {}).get(ABORT, {}).get("call", lambda: None),
    )


def renewed(one: Listener, authority: Authority) -> bool:
    """Ask again who a client is; False when its token is not known any more."""
    try:
        one.principal = authority.principal(one.authorization)
    except LakouError:
        return False
    return True


async def serve(broadcast: Broadcast, one: Listener, receive: Receive, send: Send) -> None:
    """Send events until the client or the service goes away. The client must have been added."""
    gone = asyncio.ensure_future(_gone(receive, one))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b"retry: 2000\n\n", "more_body": True})
        await broadcast.join(one)
        loop = asyncio.get_running_loop()
        while not one.ended:
            text = one.take()
            if text:
                one.sending_since = loop.time()
                await send({"type": "http.response.body", "body": text, "more_body": True})
                one.sending_since = 0.0
            else:
                await one.wait()
        if not gone.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        broadcast.remove(one)
        gone.cancel()


async def _gone(receive: Receive, one: Listener) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    one.end()
