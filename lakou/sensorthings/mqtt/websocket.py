"""MQTT over WebSocket (MQTT 5 §6): an ASGI websocket that feeds the same `Client` as a TCP connection.

Binary messages may split or join packets; a text message, or a client that does not offer the subprotocol `mqtt`, is
refused. Size of frames, pings and the handshake are uvicorn's; `server/guard.py` lets only `/mqtt` upgrade.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from lakou.sensorthings.mqtt.client import HIGH_WATER, Client

if TYPE_CHECKING:
    from lakou.sensorthings.mqtt.endpoint import Endpoint

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SUBPROTOCOL = "mqtt"
NORMAL, NOT_BINARY = 1000, 1003
CUT_S = 5.0
"""What still waits to be written gets so long when the connection is closed."""


async def serve(endpoint: Endpoint, scope: Message, receive: Receive, send: Send, base: str) -> None:
    """Serve one websocket until either side closes it. `base` is the service root as this client sees it."""
    if (await receive())["type"] != "websocket.connect":
        return
    if endpoint.port is None or SUBPROTOCOL not in scope.get("subprotocols", ()):
        await send({"type": "websocket.close", "code": NORMAL})  # before it is accepted this is 403
        return
    await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
    client = Client(endpoint, base)
    link = Link(client, scope.get("client"))
    client.connection_made(link)
    writing = asyncio.create_task(link.write_out(send), name="lakou-mqtt-websocket")
    try:
        await _read(link, client, receive, writing)
    finally:
        link.close()
        await asyncio.wait([writing], timeout=CUT_S)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        client.connection_lost(None)


async def _read(link: Link, client: Client, receive: Receive, writing: asyncio.Task[None]) -> None:
    """Feed the client until the websocket or the client ends."""
    reading: asyncio.Future[Message] | None = None
    try:
        while not writing.done():
            if link.is_held:
                allowed = asyncio.ensure_future(link.may_read.wait())
                either: set[asyncio.Future[Any]] = {writing, allowed}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                allowed.cancel()
                continue
            reading = reading or asyncio.ensure_future(receive())
            first: set[asyncio.Future[Any]] = {reading, writing}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return
            message, reading = reading.result(), None
            if message["type"] != "websocket.receive":
                return
            data = message.get("bytes")
            if data is None:
                link.code = NOT_BINARY
                return
            client.data_received(data)
    finally:
        if reading is not None:
            reading.cancel()


class Link(asyncio.Transport):
    """The transport of a `Client` over a websocket: what it writes waits here until the websocket takes it."""

    def __init__(self, client: Client, peer: Any) -> None:
        super().__init__({"peername": tuple(peer) if peer else None})
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.code = NORMAL
        self._client = client
        self._pieces: list[bytes] = []
        self._size = 0
        self._slow = False
        self._more = asyncio.Event()
        self._closing = False
        self._aborted = False

    @property
    def is_held(self) -> bool:
        return not self.may_read.is_set()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._pieces.append(bytes(data))
        self._size += len(data)
        self._more.set()
        if self._size > HIGH_WATER and not self._slow:
            self._slow = True
            self._client.pause_writing()

    def pause_reading(self) -> None:
        self.may_read.clear()

    def resume_reading(self) -> None:
        self.may_read.set()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limit is HIGH_WATER."""

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self._more.set()

    def abort(self) -> None:
        self._aborted = True
        self.close()

    async def write_out(self, send: Send) -> None:
        """Hand over what is written, as the websocket takes it; ends with the connection."""
        with contextlib.suppress(OSError):  # the other side is gone
            while not self._aborted:
                await self._more.wait()
                self._more.clear()
                data = b"".join(self._pieces)
                self._pieces.clear()
                if data and not self._aborted:
                    await send({"type": "websocket.send", "bytes": data})
                self._size -= len(data)
                if self._slow and self._size <= HIGH_WATER // 2:
                    self._slow = False
                    self._client.resume_writing()
                if self._closing and not self._pieces:
                    break
            await send({"type": "websocket.close", "code": self.code})
