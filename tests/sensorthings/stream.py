"""A client of the event stream without HTTP: what it is sent, read as a browser reads it (WHATWG HTML §9.2.6)."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import msgspec

from lakou.sensorthings.access import ANONYMOUS, Principal
from tests.sensorthings.caller import Caller


class Event(msgspec.Struct, frozen=True):
    """A dispatched event: its type, its data, and the last event id at that moment."""

    type: str
    data: Any
    id: str


class Reader:
    """Reads bytes as they come."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.comments = 0
        self.last_id = ""
        self.retry: int | None = None
        self._rest = ""

    def feed(self, text: str) -> None:
        *blocks, self._rest = (self._rest + text).split("\n\n")
        for block in blocks:
            self._block(block)

    def _block(self, block: str) -> None:
        type_, data = "message", ""
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            match name:
                case "id":
                    self.last_id = value
                case "event":
                    type_ = value
                case "data":
                    data += value
                case "retry":
                    self.retry = int(value)
                case _ if line.startswith(":"):
                    self.comments += 1
        if data:
            self.events.append(Event(type_, msgspec.json.decode(data), self.last_id))


class Client:
    """One client; it runs whenever the caller's loop runs. `stuck` makes it take nothing more."""

    def __init__(
        self,
        caller: Caller,
        query: str = "",
        *,
        who: Principal = ANONYMOUS,
        last: str | None = None,
        address: str = "127.0.0.1",
        method: str = "GET",
    ) -> None:
        self._caller = caller
        self.reader = Reader()
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_over = False
        self.aborted = False
        self.stuck = False
        self._go_on = asyncio.Event()
        self._left = asyncio.Event()
        headers = [] if who is ANONYMOUS else [(b"authorization", f"Bearer {who.name}".encode())]
        headers += [] if last is None else [(b"last-event-id", last.encode())]
        self._scope = {
            "type": "http", "method": method, "path": "/live", "query_string": query.encode(), "headers": headers,
            "client": (address, 1), "extensions": {"lakou.abort": {"call": self._abort}},
        }  # fmt: skip
        self._task: asyncio.Task[None] | None = None
        caller.run(self._start())

    # ── the test ──

    @property
    def events(self) -> list[Event]:
        return self.reader.events

    @property
    def results(self) -> list[Any]:
        return [event.data["result"] for event in self.events if event.type == "observation"]

    def until(self, count: int, within_s: float = 5.0) -> list[Event]:
        """The events once there are so many; fails when they do not come."""
        self._caller.run(self._wait(lambda: len(self.events) >= count, within_s))
        assert len(self.events) >= count, (self.status, self.body, self.events)
        return self.events

    def quiet(self, seconds: float = 0.3) -> list[Event]:
        """The events after a while."""
        self._caller.run(asyncio.sleep(seconds))
        return self.events

    def over(self, within_s: float = 5.0) -> bool:
        """Whether the stream ends within a time."""
        self._caller.run(self._wait(lambda: self.is_over, within_s))
        return self.is_over

    def free(self) -> None:
        """Take again what it is sent."""
        self.stuck = False
        self._go_on.set()

    def leave(self) -> None:
        """Close the connection."""

        async def run() -> None:
            self._left.set()
            self._go_on.set()
            if self._task is not None:
                await asyncio.wait([self._task], timeout=5)

        self._caller.run(run())

    # ── ASGI ──

    async def _start(self) -> None:
        self._task = asyncio.create_task(self._serve())
        await self._wait(lambda: bool(self.reader.last_id or self.events or self.is_over), 5.0)

    async def _serve(self) -> None:
        await self._caller.service.live(self._scope, self._receive, self._send)
        self.is_over = True

    async def _receive(self) -> MutableMapping[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if self.stuck:
            await self._go_on.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            self.body += message.get("body", b"")
            if self.status == 200 and not self._left.is_set():
                self.reader.feed(message.get("body", b"").decode())

    def _abort(self) -> None:
        self.aborted = True
        self._left.set()
        self._go_on.set()

    async def _wait(self, claim: Any, within_s: float) -> None:
        end = asyncio.get_running_loop().time() + within_s
        while not claim() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110  no event tells of a claim
            await asyncio.sleep(0.01)
