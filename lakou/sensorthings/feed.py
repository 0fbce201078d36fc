"""What commits made, for those who listen: a committed change → subscribers of the process, in commit order.

Called by the writer after each commit; hands the events to the loop, where subscribers filter by what they may
see. Nothing is rendered while nobody listens. What must not be missed is read from the change log instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from lakou.sensorthings.access import Principal
from lakou.sensorthings.store.session import ID, Commit, Observed

KEPT = 5_000
"""Events kept for clients that come back with Last-Event-ID."""


class Subscriber:
    """One listener with a bounded queue; `missed` says that it was too slow and has to start again."""

    def __init__(self, wants: Callable[[Observed], bool], limit: int = 2_000) -> None:
        self._wants = wants
        self._limit = limit
        self.queue: deque[Observed] = deque()
        self.missed = False

    def offer(self, events: list[Observed]) -> None:
        """Take what is wanted; drop everything when the queue is full."""
        for event in events:
            if self._wants(event):
                if len(self.queue) >= self._limit:
                    self.queue.clear()
                    self.missed = True
                    return
                self.queue.append(event)


class Feed:
    """The subscribers of one process."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscribers: set[Subscriber] = set()
        self._followers: tuple[Callable[[Commit], object], ...] = ()
        self._recent: deque[Observed] = deque(maxlen=KEPT)
        self.closing = asyncio.Event()

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver on this loop from now on."""
        self._loop = loop
        self.closing.clear()

    async def close(self) -> None:
        """Tell every client that the stream ends."""
        self.closing.set()
        await asyncio.sleep(0)

    def committed(self, commit: Commit) -> None:
        """Called by the writer's thread after a commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, commit)

    def _deliver(self, commit: Commit) -> None:
        for follower in self._followers:
            follower(commit)
        if commit.observed:
            self._recent.extend(commit.observed)
            for subscriber in self._subscribers:
                subscriber.offer(commit.observed)

    def follow(self, follower: Callable[[Commit], object]) -> Callable[[], None]:
        """Call `follower` on the loop for every commit, in order; returns what ends it. It must return at once."""
        self._followers = (*self._followers, follower)

        def end() -> None:
            self._followers = tuple(f for f in self._followers if f is not follower)

        return end

    def subscribe(self, subscriber: Subscriber, after: int | None = None) -> bool:
        """Start listening; with `after`, first what came since that Observation. False when that is not kept."""
        complete = True
        if after is not None:
            complete = bool(self._recent) and self._recent[0][1][ID] <= after + 1
            if complete:
                subscriber.offer([e for e in self._recent if e[1][ID] > after])
        self._subscribers.add(subscriber)
        return complete

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    @property
    def listeners(self) -> int:
        return len(self._subscribers)


def sees(principal: Principal, event: Observed) -> bool:
    """Whether a principal may know of an event."""
    scope_id = event[0].scope_id
    return scope_id >= 0 and (principal.reads is None or scope_id in principal.reads)
