"""One commit under way: a transaction, the rows gathered for it, and what must be told when it has happened.

Observations are gathered and inserted together; any other statement first puts in what was gathered, so that
jobs see the effect of those before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import msgspec

from lakou.kernel import time
from lakou.sensorthings.access import Principal
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql.dialect import Dialect
from lakou.sensorthings.store import changes, outbox
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Row, Transaction
from lakou.sensorthings.store.registry import Registry, Stream
from lakou.sensorthings.witness import Act, act_of

Observed = tuple[Stream, list[Any]]
"""An Observation that was created: its Datastream, and the row in the order of OBSERVATION_COLUMNS."""


ID = OBSERVATION_COLUMNS.index("id")
_PAIRS = 100
"""Pairs of feature and Datastream inserted at once."""


class Placed(NamedTuple):
    """A series that was stored, with the ids of its Observations and their FeatureOfInterest."""

    stream: Stream
    feature_id: int
    ids: range
    series: Series

    def rows(self) -> Iterator[Observed]:
        """Its Observations as they would stand each for itself."""
        for id_, reading in zip(self.ids, self.series.readings(), strict=True):
            row = [
                self.stream.id, reading.time_start, id_, None, None, None, None, reading.result_type,
                reading.result_number, None, None, None, None, None, self.feature_id, reading.digest,
            ]  # fmt: skip
            yield self.stream, row


class Written(Sequence[Observed]):
    """The Observations of a commit in the order of their ids. Those of series are made when somebody looks at them."""

    def __init__(self, parts: list[Observed | Placed]) -> None:
        self._parts = parts
        self._rows: list[Observed] | None = None

    def __len__(self) -> int:
        return sum(len(part.ids) if isinstance(part, Placed) else 1 for part in self._parts)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[Observed]:
        return iter(self._all())

    @overload
    def __getitem__(self, at: int) -> Observed: ...
    @overload
    def __getitem__(self, at: slice) -> list[Observed]: ...
    def __getitem__(self, at: int | slice) -> Observed | list[Observed]:
        return self._all()[at]

    def _all(self) -> list[Observed]:
        if self._rows is None:
            found: list[Observed] = []
            for part in self._parts:
                if isinstance(part, Placed):
                    found.extend(part.rows())
                else:
                    found.append(part)
            self._rows = found
        return self._rows


class Changed(msgspec.Struct, frozen=True):
    """An entity that was created, updated or deleted: verb, type name, id."""

    verb: str
    type: str
    id: int


class Commit(msgspec.Struct, frozen=True):
    """The event of a commit: what it made and changed. Published on the kernel's bus, in the order of commits.

    `entries` are its entries of the change log; `cursor` is the place in the log up to which everything was told.
    With `gap` there was too much to tell: what came before the cursor has to be looked up.
    """

    observed: Sequence[Observed]
    changed: list[Changed]
    entries: list[Entry] = []
    cursor: Cursor | None = None
    gap: bool = False


class Mark(msgspec.Struct, frozen=True):
    """Where a session stood at a savepoint."""

    written: int
    changed: int
    log: int
    acts: int
    touched: bool


class NeedsExclusive(Exception):
    """A batch of Observations turned out to change entities, or to repeat what another process stored meanwhile.

    It is run again with the exclusive lock.
    """


class Session:
    """A batch of jobs in one transaction."""

    def __init__(self, tx: Transaction, registry: Registry, *, exclusive: bool) -> None:
        self._tx = tx
        self.registry = registry
        self.exclusive = exclusive
        self.written: list[Observed | Placed] = []
        """What was created, in the order of the ids; flushing adds to it."""
        self.changed: list[Changed] = []
        self.log: list[tuple[str, str, int, int]] = []
        self.entries: list[Entry] = []
        self.acts: list[Act] = []
        """What the journal has to be told of this commit."""
        self.address = ""
        """Where the request comes from that is at work now; empty where it is none."""
        self.touched = False
        self._gathered: list[Observed] = []
        self._has_series = False
        self._pairs: list[tuple[int, int]] = []
        self.known: dict[tuple[int, int, int], int] = {}
        self.replayed: dict[int, int] = {}
        self.repeats = 0
        """Observations recognised before they were gathered; those found by the insert are in `replayed`."""

    @property
    def tx(self) -> Transaction:
        """The transaction, with every gathered Observation inserted."""
        if self._gathered or self._has_series:
            self.flush()
        return self._tx

    @property
    def dialect(self) -> Dialect:
        """The dialect of the database, for planned statements."""
        return self._tx.dialect

    @property
    def observed(self) -> Written:
        """The Observations that were created."""
        return Written(self.written)

    def stored_id(self, id_: int) -> int:
        """The id of an Observation just gathered, or that of the stored one when it was there already."""
        self.flush()
        return self.replayed.get(id_, id_)

    @property
    def bare(self) -> Transaction:
        """The transaction as it is, for look-ups that gathered Observations cannot change."""
        return self._tx

    def gather(self, stream: Stream, row: list[Any]) -> None:
        """Add a checked Observation; `row` is in the order of OBSERVATION_COLUMNS."""
        self._gathered.append((stream, row))

    def insert_series(self, stream: Stream, feature_id: int, series: Series) -> range | None:
        """Insert a series, or gather it; its ids. None where its rows have to go one by one."""
        if self._gathered:
            if self._tx.finds_repeats:
                return None  # each insert is a round trip
            self.flush()
        ids = self._tx.add_series(feature_id, series)
        if ids is not None:
            self._has_series = True
            self.written.append(Placed(stream, feature_id, ids, series))
            self.log.append(("create", "Observation", ids[0], ids[-1]))
        return ids

    def pair(self, feature_id: int, datastream_id: int) -> None:
        """Remember that a feature has Observations of a Datastream."""
        key = (feature_id, datastream_id)
        if key not in self.registry.pairs:
            self.registry.pairs.add(key)
            self._pairs.append(key)

    def flush(self) -> None:
        """Insert what was gathered."""
        gathered, self._gathered = self._gathered, []
        pairs = sorted(self._pairs)
        for n in range(0, len(pairs), _PAIRS):
            some = pairs[n : n + _PAIRS]
            self._tx.rows(
                f"insert into feature_datastream (feature_id, datastream_id) values {', '.join(['(?, ?)'] * len(some))}"  # noqa: S608
                " on conflict do nothing",
                [id_ for pair in some for id_ in pair],
            )
        self._pairs.clear()
        there = {}
        if gathered or self._has_series:
            there = dict(self._tx.add_observations([row for _, row in gathered]))
            self._has_series = False
        self.replayed.update(there)
        new = gathered
        if there:
            new = [o for o in gathered if o[1][ID] not in there]
            for stream, row in gathered:
                stream.is_resent = stream.is_resent or row[ID] in there
        self.written.extend(new)
        self.log.extend(("create", "Observation", first, last) for first, last in _ranges([row[ID] for _, row in new]))

    def record(self, verb: str, type_: str, id_: int) -> None:
        """Note a change of an entity for the change log and the subscribers."""
        self.changed.append(Changed(verb, type_, id_))
        self.log.append((verb, type_, id_, id_))
        if verb != "create":
            self.known.clear()  # what was just gathered may be what was just changed
        if type_ != "Observation":
            self.touched = True
            if (verb, type_) != ("create", "FeatureOfInterest"):
                self.registry.streams.clear()

    def note(
        self,
        act: str,
        principal: Principal,
        subject: str = "",
        *,
        detail: dict[str, str] | None = None,
        counts: dict[str, int] | None = None,
    ) -> None:
        """Tell the journal of an act of `witness.py`, in this commit; `subject` as in "Things(7)"."""
        self.acts.append(
            act_of(
                act,
                principal,
                at=time.now(),
                subject=subject,
                detail=detail,
                counts=counts,
                address=self.address,
            )
        )

    def entities_change(self) -> None:
        """Call before changing entities: on PostgreSQL this needs the exclusive lock."""
        if not self.exclusive:
            raise NeedsExclusive
        self.touched = True

    def finish(self) -> None:
        """Write what is left and the change log, before the commit."""
        if self._gathered or self._pairs or self._has_series:
            self.flush()
        if self.log:
            self.log = _joined(self.log)
            self._tx.log(self.log)
            self.entries = changes.logged(self._tx, self.log)
        if self.acts:
            outbox.add(self._tx, self.acts)
        if self.touched:
            self.registry.epoch = self._tx.bump_epoch()

    def told(self) -> Commit:
        """The event of this commit, once it has happened."""
        cursor = self.entries[-1].cursor if self.entries else None
        return Commit(Written(self.written), self.changed, self.entries, cursor)

    def mark(self) -> Mark:
        """A savepoint of the transaction and of what is gathered."""
        self.flush()
        self._tx.savepoint()
        return Mark(len(self.written), len(self.changed), len(self.log), len(self.acts), self.touched)

    def undo(self, mark: Mark) -> None:
        """Back to the mark; what was remembered since is forgotten."""
        self._gathered, self._pairs, self._has_series = [], [], False
        del self.written[mark.written :], self.changed[mark.changed :], self.log[mark.log :], self.acts[mark.acts :]
        self.touched = mark.touched
        self.known.clear()
        self.registry.forget()
        self._tx.undo()
        self._tx.release()

    def release(self) -> None:
        """Keep what was done since the mark."""
        self.flush()
        self._tx.release()

    def one(self, sql: str, parameters: tuple[Any, ...] = ()) -> Row | None:
        rows = self.tx.rows(sql, parameters)
        return rows[0] if rows else None

    def stream(self, id_: int) -> Stream | None:
        return self.registry.stream(self._tx, id_)


def _ranges(ids: list[int]) -> list[tuple[int, int]]:
    """Runs of consecutive ids, ascending as they were taken."""
    found: list[tuple[int, int]] = []
    for id_ in ids:
        if found and found[-1][1] + 1 == id_:
            found[-1] = (found[-1][0], id_)
        else:
            found.append((id_, id_))
    return found


def _joined(log: list[tuple[str, str, int, int]]) -> list[tuple[str, str, int, int]]:
    """The same with one entry for new Observations that follow one another."""
    found: list[tuple[str, str, int, int]] = []
    for verb, type_, first, last in log:
        if found and (verb, type_) == ("create", "Observation") == found[-1][:2] and found[-1][3] + 1 == first:
            found[-1] = (verb, type_, found[-1][2], last)
        else:
            found.append((verb, type_, first, last))
    return found
