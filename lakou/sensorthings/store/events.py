"""Entries of the change log as the commits they stand for: the Observations are read again by their ids.

For those who were not there when it happened: the other workers on PostgreSQL, and clients of the event stream that
come back. What was deleted since is left out; what was corrected since is told as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from lakou.sensorthings.store.changes import Entry
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Row, Rows
from lakou.sensorthings.store.registry import Stream, known_streams
from lakou.sensorthings.store.session import ID, Changed, Commit

SLICE = 2_000
"""Observations read at a time."""
_NEAR = 64
"""Ranges this near to one another are read as one."""
_STREAM = OBSERVATION_COLUMNS.index("datastream_id")
_BETWEEN = f"select {', '.join(OBSERVATION_COLUMNS)} from observation where id between ? and ?"  # noqa: S608


class Streams:
    """Datastreams by id, for a reader of the log; it forgets them when an entity changes."""

    def __init__(self) -> None:
        self._known: dict[int, Stream] = {}

    def learn(self, rows: Rows, ids: Iterable[int]) -> None:
        """Read the ones that are not known yet, in one statement."""
        missing = sorted(set(ids) - self._known.keys())
        for n in range(0, len(missing), SLICE):
            self._known.update(known_streams(rows, missing[n : n + SLICE]))

    def get(self, id_: int) -> Stream | None:
        return self._known.get(id_)

    def note(self, entry: Entry) -> None:
        """Forget everything when an entry may have changed it."""
        if entry.type != "Observation" and (entry.verb, entry.type) != ("create", "FeatureOfInterest"):
            self._known.clear()


def is_created(entry: Entry) -> bool:
    """Whether an entry tells of new Observations."""
    return entry.type == "Observation" and entry.verb == "create"


def slices(entries: list[Entry]) -> Iterator[list[Entry]]:
    """The entries in groups of whole transactions that hold about SLICE Observations."""
    group: list[Entry] = []
    held = 0
    for _, found in groupby(entries, key=lambda e: (e.cursor.transaction, e.cursor.transaction or e.cursor.seq)):
        commit = list(found)
        size = sum(e.last_id - e.first_id + 1 for e in commit if is_created(e))
        if group and held + size > SLICE:
            yield group
            group, held = [], 0
        group += commit
        held += size
    if group:
        yield group


def commits(rows: Rows, entries: list[Entry], streams: Streams) -> list[Commit]:
    """The commits that the entries stand for, in their order; each transaction of PostgreSQL is one."""
    found: dict[int, Row] = {}
    for first, last in _spans(entries):
        for start in range(first, last + 1, SLICE):
            for row in rows.rows(_BETWEEN, (start, min(start + SLICE - 1, last))):
                found[row[ID]] = row
    told = []
    for _, group in groupby(entries, key=lambda e: (e.cursor.transaction, e.cursor.transaction or e.cursor.seq)):
        told.append(_commit(rows, list(group), found, streams))
    return told


def _commit(rows: Rows, entries: list[Entry], found: dict[int, Row], streams: Streams) -> Commit:
    observed, changed = [], []
    for entry in entries:
        streams.note(entry)
        if not is_created(entry):
            changed.append(Changed(entry.verb, entry.type, entry.first_id))
            continue
        made = [found[id_] for id_ in range(entry.first_id, entry.last_id + 1) if id_ in found]
        streams.learn(rows, (row[_STREAM] for row in made))
        for row in made:
            stream = streams.get(row[_STREAM])
            if stream is not None:
                observed.append((stream, list(row)))
    return Commit(observed, changed, entries, entries[-1].cursor)


def _spans(entries: list[Entry]) -> list[tuple[int, int]]:
    """The ranges of ids to read: those of one worker follow one another, those of several lie in blocks."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted((e.first_id, e.last_id) for e in entries if is_created(e)):
        if spans and first - spans[-1][1] <= _NEAR:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return spans
