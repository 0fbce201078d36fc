"""Entries of the change log as the commits they stand for: the Observations are read again by their ids.

For those who were not there when it happened: the other workers on PostgreSQL, clients of the event stream that come
back, and durable MQTT sessions. What was deleted since is left out; what was corrected since is told as it is now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

from lakou.sensorthings.sql import slot
from lakou.sensorthings.sql.observations import unsealed
from lakou.sensorthings.store.changes import Entry
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Row, Rows
from lakou.sensorthings.store.registry import Stream, known_streams
from lakou.sensorthings.store.session import ID, Changed, Commit

SLICE = 2_000
"""Observations read at a time."""
_NEAR = 64
"""Ranges this near to one another are read as one."""
_STREAM = OBSERVATION_COLUMNS.index("datastream_id")


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
            self.forget()

    def forget(self) -> None:
        self._known.clear()


def is_created(entry: Entry) -> bool:
    """Whether an entry tells of new Observations."""
    return entry.type == "Observation" and entry.verb == "create"


def slices(entries: list[Entry], rows: int = SLICE) -> Iterator[list[Entry]]:
    """The entries in groups of whole transactions that hold about so many Observations."""
    group: list[Entry] = []
    held = 0
    for _, found in groupby(entries, key=_transaction):
        commit = list(found)
        size = sum(e.last_id - e.first_id + 1 for e in commit if is_created(e))
        if group and held + size > rows:
            yield group
            group, held = [], 0
        group += commit
        held += size
    if group:
        yield group


def commits(rows: Rows, entries: list[Entry], streams: Streams, only: Collection[int] | None = None) -> list[Commit]:
    """The commits that the entries stand for, in their order; each transaction of PostgreSQL is one.

    `only` names the Datastreams whose Observations are wanted, None for all of them.
    """
    found: dict[int, Row] = {}
    for first, last in _spans(entries) if only is None or only else ():
        for start in range(first, last + 1, SLICE):
            for row in between(rows, start, min(start + SLICE - 1, last), only):
                found[row[ID]] = row
    return [_commit(rows, list(group), found, streams) for _, group in groupby(entries, key=_transaction)]


def _transaction(entry: Entry) -> tuple[int, int]:
    return entry.cursor.transaction, entry.cursor.transaction or entry.cursor.seq


def _commit(rows: Rows, entries: list[Entry], found: dict[int, Row], streams: Streams) -> Commit:
    observed, changed = [], []
    for entry in entries:
        streams.note(entry)
        ids = range(entry.first_id, entry.last_id + 1)
        if not is_created(entry):
            changed += [Changed(entry.verb, entry.type, id_) for id_ in ids]
            continue
        made = [found[id_] for id_ in ids if id_ in found]
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


def between(rows: Rows, first: int, last: int, only: Collection[int] | None = None) -> list[Row]:
    """The rows of OBSERVATION_COLUMNS with ids from `first` to `last`, of some Datastreams or of all."""
    values: list[Any] = [first, last]
    wanted = "id between ? and ?"
    if only is not None:
        # The plus keeps this from being the way in: the range of ids is the small one.
        wanted += " and " + rows.dialect.sets("+datastream_id", "?")
        values.append(rows.dialect.encode_set(sorted(only)))
    columns = ", ".join(OBSERVATION_COLUMNS)
    if rows.dialect.name != "sqlite":
        return rows.rows(f"select {columns} from observation where {wanted}", values)  # noqa: S608  fixed names
    # Each slot of sealed rows is read once: asked id by id, a stream with many rows in a slot would take as many reads
    # of it as it has rows.
    sealed = ", ".join(f"s.{column}" for column in OBSERVATION_COLUMNS)
    return rows.rows(
        f"select {sealed} from (select distinct datastream_id, slot from sealed_key where {wanted}) k"  # noqa: S608
        f" cross join sealed s on s.datastream_id = k.datastream_id and {slot.holds('k.slot', 's.time_start')}"
        " where s.id between ? and ?"
        f" union all select {columns} from hot_a where {unsealed('hot_a', 'a')} and {wanted}"
        f" union all select {columns} from hot_b where {unsealed('hot_b', 'b')} and {wanted}",
        [*values, first, last, *values, *values],
    )
