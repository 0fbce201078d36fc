"""What the event stream reads from the store: details of Datastreams and places, and commits of a while ago.

Short statements on the readers, never on the loop. How far back: as many Observations as asked, and 15 minutes.
"""

from __future__ import annotations

from lakou.kernel import time
from lakou.sensorthings.store import changes, details, events
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import Database, Lookup, Rows
from lakou.sensorthings.store.details import Detail, Place
from lakou.sensorthings.store.position import Position
from lakou.sensorthings.store.readers import Readers
from lakou.sensorthings.store.session import Commit

TIMEOUT_S = 5.0
OLDEST_S = 15 * 60
PAGE = 1_000


class StoredPast:
    """See `recent.Past`."""

    def __init__(self, database: Database, readers: Readers) -> None:
        self._rows = Lookup(database, TIMEOUT_S)
        self._readers = readers

    async def details(self, streams: list[int]) -> dict[int, Detail]:
        return await self._readers.run(details.streams_of, self._rows, streams) if streams else {}

    async def places(self, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[Place, ...]]:
        return await self._readers.run(details.places_of, self._rows, pairs) if pairs else {}

    async def commits(self, start: Position, to: Position, limit: int) -> list[Commit] | None:
        return await self._readers.run(commits_between, self._rows, start, to, limit)


def commits_between(rows: Rows, start: Position, to: Position, limit: int) -> list[Commit] | None:
    """The commits after a place up to another; None for too many, for too old ones, or when not known any more."""
    # The entry of the place itself is read again: some of its Observations may come after the place.
    cursor = Cursor(start.cursor.transaction, start.cursor.seq - 1)
    first = changes.start(rows)
    if first.seq > 1 and first > start.cursor and (first.transaction or first.seq > start.cursor.seq + 1):
        return None
    if changes.behind(rows, cursor, limit) > limit + 2 * events.SLICE:
        return None
    found: list[Commit] = []
    streams = events.Streams()
    while True:
        entries = changes.read(rows, cursor, PAGE)
        wanted = [entry for entry in entries if entry.cursor <= to.cursor]
        if not found and wanted and _is_old(wanted, start):
            return None
        for group in events.slices(wanted):
            found += events.commits(rows, group, streams)
        if len(entries) < PAGE or len(wanted) < len(entries):
            break
        cursor = entries[-1].cursor
    held = sum(len(commit.observed) for commit in found)
    return None if held > limit else found


def _is_old(entries: list[Entry], start: Position) -> bool:
    oldest = next((entry for entry in entries if entry.cursor > start.cursor), None)
    return oldest is not None and oldest.at < time.now() - OLDEST_S * time.SECOND
