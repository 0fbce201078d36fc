"""One client of the event stream: what waits for it, bounded, and when it is too slow to be kept.

What does not fit is dropped and one `resync` is owed instead; a client that takes nothing while a mebibyte goes by,
or that blocks one write for too long, is cut (trust R6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lakou.sensorthings.access import Principal
from lakou.sensorthings.selection import Selection
from lakou.sensorthings.store.position import Position

QUEUE_EVENTS = 2_000
QUEUE_BYTES = 512 * 1024
UNSENT_BYTES = 1024 * 1024
BLOCKED_S = 20.0
SLICE_BYTES = 64 * 1024


class Listener:
    """Lives on the loop. The broadcast offers, the client's own task takes and sends."""

    __slots__ = (
        "_events", "_queue", "_size", "_unsent", "_waiter", "abort", "address", "after", "authorization", "backlog",
        "ended", "is_quiet", "lost_at", "principal", "selection", "sending_since",
    )  # fmt: skip

    def __init__(
        self,
        selection: Selection,
        principal: Principal,
        *,
        authorization: str | None = None,
        address: str | None = None,
        after: Position | None = None,
        abort: Callable[[], object] = lambda: None,
    ) -> None:
        self.selection = selection
        self.principal = principal
        self.authorization = authorization
        self.address = address
        self.after = after
        self.abort = abort
        self.backlog: list[bytes] = []
        """What a client that came back has missed, the last first; it is not bounded by the queue."""
        self.ended = False
        self.is_quiet = True
        self.sending_since = 0.0
        self.lost_at: Position | None = None
        self._queue: list[bytes] = []
        self._size = 0
        self._events = 0
        self._unsent = 0
        self._waiter: asyncio.Future[None] | None = None

    # ── the broadcast ──

    def offer(self, text: bytes, events: int, at: Position) -> None:
        """Queue bytes that all clients of a kind share; `at` is the place they reach."""
        self._unsent += len(text)
        if self._events + events > QUEUE_EVENTS or (self._queue and self._size + len(text) > QUEUE_BYTES):
            self.lose(at)
        else:
            self._queue.append(text)
            self._size += len(text)
            self._events += events
            self.is_quiet = False
        if self._unsent > UNSENT_BYTES and self.sending_since:
            self.cut()
        self._wake()

    def lose(self, at: Position) -> None:
        """Events up to this place are dropped: the client is told to look again."""
        self._queue.clear()
        self.backlog.clear()
        self._size = self._events = 0
        self.lost_at = at
        self.is_quiet = False
        self._wake()

    def check(self, now: float) -> None:
        """Cut a client whose last write has been blocked for too long."""
        if self.sending_since and now - self.sending_since > BLOCKED_S:
            self.cut()

    def cut(self) -> None:
        """End a client that does not read: what was written is not waited for."""
        self.end()
        self.abort()

    def end(self) -> None:
        """End the stream after what is queued."""
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ── the client's task ──

    def take(self) -> bytes:
        """What is to be sent now; empty when there is nothing."""
        parts: list[bytes] = []
        if self.lost_at is not None:
            parts.append(resync(self.lost_at))
            self.lost_at = None
        size = 0
        while self.backlog and size < SLICE_BYTES:
            parts.append(self.backlog.pop())
            size += len(parts[-1])
        if not self.backlog:
            parts += self._queue
            self._queue = []
            self._size = self._events = self._unsent = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def wait(self) -> None:
        """Return when something was offered, or the stream ends."""
        if not (self.ended or self._queue or self.backlog or self.lost_at is not None):
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None


def resync(at: Position | None) -> bytes:
    """The event that says: some were missed, look again. `at` is the place from which the stream goes on."""
    id_ = b"" if at is None else b"id: %s\n" % at.text().encode()
    return id_ + b"event: resync\ndata: {}\n\n"
