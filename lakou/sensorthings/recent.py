"""The events of late, for clients of the event stream that come back; what is older is read from the change log.

What one client has made us read is kept for the next: after a restart a thousand of them ask for the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from lakou.sensorthings.frames import Event
from lakou.sensorthings.store.details import Detail, Place
from lakou.sensorthings.store.events import is_created
from lakou.sensorthings.store.position import Position
from lakou.sensorthings.store.session import ID, Commit

KEPT = 20_000


class Past(Protocol):
    """What the event stream reads from the store, off the loop."""

    async def details(self, streams: list[int]) -> dict[int, Detail]: ...

    async def places(self, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[Place, ...]]: ...

    async def commits(self, start: Position, to: Position, limit: int) -> list[Commit] | None:
        """The commits after a place up to another; None for more Observations than `limit`, or when not known."""
        ...


class Recent:
    """Events in order, complete since `since` (None: nothing is known yet)."""

    def __init__(self, past: Past, kept: int = KEPT) -> None:
        self._past = past
        self._kept = kept
        self._events: deque[Event] = deque()
        self._reaching = asyncio.Lock()
        self.since: Position | None = None

    def clear(self, since: Position | None) -> None:
        """Begin again at a place."""
        self._events.clear()
        self.since = since

    def add(self, events: list[Event]) -> None:
        self._events.extend(events)
        while len(self._events) > self._kept:
            self.since = self._events.popleft().place

    def after(self, place: Position) -> list[Event] | None:
        """The events after a place; None when they are not known."""
        if self.since is None or place < self.since:
            return None
        return [event for event in self._events if event.place > place]

    async def reach(self, place: Position) -> None:
        """Read back to a place, when that is not too far. Raises LakouError."""
        async with self._reaching:
            since = self.since
            if since is None or place >= since:
                return
            commits = await self._past.commits(place, since, self._kept - len(self._events))
            if commits is None or self.since != since:
                return
            found = [e for commit in commits for e in events_of(commit) if place < e.place <= since]
            self._events.extendleft(reversed(found))
            self.since = place


def events_of(commit: Commit) -> Iterator[Event]:
    """The Observations of a commit, each with its place: they stand in the order of its entries."""
    entries = iter([entry for entry in commit.entries if is_created(entry)])
    entry = next(entries, None)
    for stream, row in commit.observed:
        while entry is not None and not entry.first_id <= row[ID] <= entry.last_id:
            entry = next(entries, None)
        if entry is None:
            return
        yield Event(Position(entry.cursor, row[ID]), stream, row)
