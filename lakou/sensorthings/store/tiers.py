"""The tiers of the observation store on SQLite: new rows are hot, then sealed (DESIGN §4 rule 2, decision 3).

Two hot tables take turns. While one fills in the order of ids, the other one is drained in slices: first its ids go
to `sealed_key`, then its rows, in the order of Datastream and time, to `sealed` and with them their rollups, each
slice in a transaction that ends with how far it came (`tier`). At the end the drained table is emptied whole, which
costs nothing beside deleting its rows one by one. Only the writer's thread comes here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, islice
from typing import Any

import apsw
import msgspec

from lakou.sensorthings.payload import bits
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql import rollups, slot
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store import partials
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Place

HOT = ("a", "b")
SERIES_TOGETHER = 100
"""Rows of a series inserted by one statement."""
TOGETHER = 40
"""Rows inserted by one statement, where there are so many: each step of one gives the interpreter's lock away."""
SLICE_S = 0.007
"""What a slice should take before its commit: DESIGN asks for at most 20 ms of the writer, and a sync takes some."""
ROWS_A_STREAM = 40
"""A hot table holds so many rows of a Datastream before it is drained: fewer would tear the clustered pages apart."""
MOST_HOT = 5
"""A hot table holds at most so many times its usual number of rows, however many Datastreams there are."""
KEY_WORK = 0.25
"""What giving one row its place in `sealed_key` costs beside sealing it."""
AHEAD = 1.25 * (1 + KEY_WORK)
"""Draining does so much work for each new row: it is done when the other table is full at four fifths."""
_FEWEST, _MOST = 50, 4_000
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)
_DIGEST, _NUMBER = OBSERVATION_COLUMNS.index("digest"), OBSERVATION_COLUMNS.index("result_number")
_PLACES = ", ".join("?" * len(OBSERVATION_COLUMNS))
_BUCKETS = (
    SQLite().bucket("time_start", str(rollups.HOUR.micros)),
    SQLite().bucket("start", str(rollups.DAY.micros)),
)
"""The start of the hour of a row, and of the day of an hour."""
_COUNTED = "datastream_id, time_start, id, result_number, result_quality is null, time_end, result_time"
PARTIALS_TOGETHER = 50
_LAST = (2**62, 0, 0)
_NONE = (0, 0, 0)
OWN = 1
"""Stored in place of a digest that is the number of the row itself (`payload.digest_of`): no bytes instead of eight.

1 is the digest of 5e-324, the least of all numbers, and of no other: only an Observation of that, once corrected, would
not be recognised when it is sent again.
"""


@lru_cache(maxsize=128)
def _added(table: str, count: int) -> str:
    """The statement that adds so many partials."""
    places = f"({', '.join('?' * len(rollups.COLUMNS.split(',')))})"
    return rollups.add(table, "values " + ", ".join([places] * count))


@lru_cache(maxsize=256)
def _of_series(name: str, size: int) -> str:
    """The statement that inserts so many rows of a series with ids that follow one another."""
    rows = ", ".join(f"(?1, ?{4 + 3 * n}, ?3 + {n}, ?{5 + 3 * n}, ?{6 + 3 * n}, ?2, {OWN})" for n in range(size))
    columns = "datastream_id, time_start, id, result_type, result_number, feature_id, digest"
    return f"insert into hot_{name} ({columns}) values {rows}"


def compact(row: list[Any]) -> list[Any]:
    """The row, made what is stored; `whole` is the way back."""
    digest, number = row[_DIGEST], row[_NUMBER]
    if digest is not None and number is not None and digest == bits(number):
        row[_DIGEST] = OWN
    return row


def whole(row: Sequence[Any]) -> tuple[Any, ...]:
    """A stored row with its digest."""
    if row[_DIGEST] == OWN and row[_NUMBER] is not None:
        return (*row[:_DIGEST], bits(row[_NUMBER]))
    return tuple(row)


class Tiers:
    """What the writer knows of the tiers; read from the database at first and after a rollback."""

    def __init__(self, connection: apsw.Connection, hot_rows: int) -> None:
        self._connection = connection
        self._hot_rows = hot_rows
        self._slice = 1_000
        self._cap = hot_rows
        self._insert = self._insert_together = ""
        self.filled = 0
        """Rows of the table that fills."""
        self._left = 0
        """Rows of the other one that are not sealed yet."""
        self._work = 0.0
        """What has been done of draining, counted in rows."""
        self._filling = ""
        self._draining = ""

    def load(self) -> None:
        """Read the state; inside a transaction of the writer."""
        run = self._connection.execute
        self._filling = run("select name from tier where is_filling").get
        self._draining = "b" if self._filling == "a" else "a"
        self._insert = f"insert into hot_{self._filling} ({_COLUMNS}) values ({_PLACES})"
        self._insert_together = self._insert + f", ({_PLACES})" * (TOGETHER - 1)
        self.filled = run(f"select count(*) from hot_{self._filling}").get
        place, _ = self._progress()
        query = f"select count(*) from hot_{self._draining} where (datastream_id, time_start, id) > (?, ?, ?)"
        self._left = run(query, place).get
        self._work = 0.0
        streams = run("select count(*) from datastream where scope_id >= 0").get
        self._cap = min(max(self._hot_rows, ROWS_A_STREAM * streams), MOST_HOT * self._hot_rows)

    def forget(self) -> None:
        """What is known may be wrong: a transaction was undone."""
        self._filling = ""

    def add(self, rows: list[list[Any]]) -> None:
        """Insert new rows."""
        if not self._filling:
            self.load()
        for row in rows:
            compact(row)
        whole_groups = len(rows) - len(rows) % TOGETHER
        for n in range(0, whole_groups, TOGETHER):
            self._connection.execute(self._insert_together, tuple(chain.from_iterable(rows[n : n + TOGETHER])))
        self._connection.executemany(self._insert, rows[whole_groups:])
        self.filled += len(rows)

    def add_series(self, feature_id: int, ids: range, series: Series) -> None:
        """Insert a series: what its rows have in common is bound once for many of them."""
        if not self._filling:
            self.load()
        columns = zip(series.times, series.types, series.numbers, strict=True)
        for at in range(0, len(ids), SERIES_TOGETHER):
            size = min(SERIES_TOGETHER, len(ids) - at)
            common = (series.stream_id, feature_id, ids[at])
            values = chain(common, chain.from_iterable(islice(columns, size)))
            self._connection.execute(_of_series(self._filling, size), tuple(values))
        self.filled += len(ids)

    # ── sealing ──

    def is_due(self, *, idle: bool) -> bool:
        """Whether a slice should be sealed now: draining keeps ahead of filling, and goes on when nobody waits."""
        if not self._filling:
            return True
        if self._left:
            return idle or self._work < AHEAD * self.filled
        return self.filled >= self._cap

    def slice(self, *, all_: bool = False) -> bool:
        """Seal one slice in a transaction of its own; whether there was one. `all_` drains what is not full."""
        run = self._connection.execute
        begun = time.monotonic()
        # As durable as any commit, though nothing acknowledged hangs on it: when a later sync fails, the system may
        # drop frames of the log that were not synced, and with them all that comes after.
        run("begin immediate")
        try:
            if not self._filling:
                self.load()
            if not self._left:
                if self.filled < (1 if all_ else self._cap):
                    run("commit")
                    return False
                self._swap()
            self._step()
            took = time.monotonic() - begun
            run("commit")
        except BaseException:
            self.forget()
            if self._connection.in_transaction:
                run("rollback")
            raise
        self._slice = int(min(max(self._slice * min(SLICE_S / max(took, 1e-4), 1.5), _FEWEST), _MOST))
        return True

    def _swap(self) -> None:
        """What filled is drained from now on; the other table is empty."""
        run = self._connection.execute
        run(f"delete from hot_{self._draining}")
        run("update tier set is_filling = 1 - is_filling, keyed = 0, datastream_id = 0, time_start = 0, id = 0")
        self.load()

    def _progress(self) -> tuple[Place, int]:
        query = "select datastream_id, time_start, id, keyed from tier where name = ?"
        rows: list[Any] = self._connection.execute(query, (self._draining,)).fetchall()
        stream, start, id_, keyed = rows[0]
        return (stream, start, id_), keyed

    def _step(self) -> None:
        place, keyed = self._progress()
        if self._key(keyed):
            return
        self._seal(place)

    def _key(self, keyed: int) -> bool:
        """Give a slice of ids their places in `sealed_key`; False when all have one."""
        run = self._connection.execute
        table = f"hot_{self._draining}"
        last = run(
            f"select max(id) from (select id from {table} where id > ? order by id limit ?)",
            (keyed, 4 * self._slice),
        ).get
        if last is None:
            return False
        run(
            "insert into sealed_key (id, datastream_id, slot)"
            f" select id, datastream_id, {slot.of('time_start')} from {table} where id > ? and id <= ? order by id",
            (keyed, last),
        )
        self._work += KEY_WORK * self._connection.changes()
        run("update tier set keyed = ? where name = ?", (last, self._draining))
        return True

    def _seal(self, place: Place) -> None:
        """Move a slice of rows to `sealed`, and add what they come to to the rollups."""
        run = self._connection.execute
        table = f"hot_{self._draining}"
        until = run(
            "select datastream_id, time_start, id from"
            f" (select datastream_id, time_start, id from {table} where (datastream_id, time_start, id) > (?, ?, ?)"
            " order by datastream_id, time_start, id limit 1 offset ?)",
            (*place, self._slice - 1),
        ).fetchone()
        upto: Place = _LAST if until is None else (until[0], until[1], until[2])
        where = "(datastream_id, time_start, id) > (?1, ?2, ?3) and (datastream_id, time_start, id) <= (?4, ?5, ?6)"
        bounds = (*place, *upto)
        # One step gives all rows as one text: each step of a statement gives the interpreter's lock away, and beside a
        # busy loop it takes up to half a millisecond to have it back (measured: 50 µs a row instead of 7).
        counted = f"select json_group_array(json_array({_COUNTED})) from {table} where {where}"
        rows = sorted(msgspec.json.decode(str(run(counted, bounds).get)))
        order = f"from {table} where {where} order by datastream_id, time_start, id"
        run(f"insert into sealed ({_COLUMNS}) select {_COLUMNS} {order}", bounds)
        hours = partials.by_hour(rows)
        self._add("rollup_hour", [(*key, *part) for key, part in hours.items()])
        self._add("rollup_day", [(*key, *part) for key, part in partials.by_day(hours).items()])
        moved = len(rows)
        if until is None:
            run(f"delete from {table}")
            run(
                "update tier set keyed = 0, datastream_id = 0, time_start = 0, id = 0 where name = ?", (self._draining,)
            )
            self._left = 0
        else:
            run("update tier set datastream_id = ?, time_start = ?, id = ? where name = ?", (*upto, self._draining))
            self._left -= moved
            self._work += moved

    def _add(self, table: str, found: list[tuple[Any, ...]]) -> None:
        """Add partials to rollups, many in a statement."""
        for n in range(0, len(found), PARTIALS_TOGETHER):
            some = found[n : n + PARTIALS_TOGETHER]
            self._connection.execute(_added(table, len(some)), tuple(chain.from_iterable(some)))

    # ── rows ──

    def at(self, stream_id: int, start: int) -> list[tuple[Any, ...]]:
        """The rows of a Datastream at one time, by id."""
        query = f"select {_COLUMNS} from observation where datastream_id = ? and time_start = ?"
        return sorted((whole(r) for r in self._connection.execute(query, (stream_id, start))), key=_by_id)

    def latest(self, stream_id: int) -> int | None:
        """The highest time of a Datastream's rows, None without rows."""
        queries = " union all ".join(
            f"select max(time_start) as t from {table} where datastream_id = ?1"
            for table in ("sealed", "hot_a", "hot_b")
        )
        found: int | None = self._connection.execute(f"select max(t) from ({queries})", (stream_id,)).get
        return found

    def find(self, id_: int) -> tuple[Any, ...] | None:
        """The row of an Observation, None when there is none."""
        query = f"select {_COLUMNS} from observation_by_id where id = ?"
        row = self._connection.execute(query, (id_,)).fetchone()
        return None if row is None else whole(row)

    def change(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Give a stored row other values. A row that moves becomes hot again, with its id."""
        place = (before["datastream_id"], before["time_start"], before["id"])
        if place != (after["datastream_id"], after["time_start"], after["id"]):
            self.remove([place])
            self.add([[after[c] for c in OBSERVATION_COLUMNS]])
            return
        row = compact([after[c] for c in OBSERVATION_COLUMNS])
        sets = ", ".join(f"{c} = ?" for c in OBSERVATION_COLUMNS[3:])
        for name in HOT:
            self._connection.execute(f"update hot_{name} set {sets} where id = ?", (*row[3:], place[2]))
        self._connection.execute(
            f"update sealed set {sets} where datastream_id = ? and time_start = ? and id = ?",
            (*row[3:], *place),
        )
        if self._connection.changes():
            self.recompute({place[:2]})

    def remove(self, places: Sequence[Place]) -> None:
        """Delete rows, wherever they are, and take them out of the rollups."""
        touched: set[tuple[int, int]] = set()
        run = self._connection.execute
        for place in places:
            for name in HOT:
                run(f"delete from hot_{name} where id = ?", (place[2],))
            run("delete from sealed_key where id = ?", (place[2],))
            run("delete from sealed where datastream_id = ? and time_start = ? and id = ?", place)
            if self._connection.changes():
                touched.add(place[:2])
        self.recompute(touched)

    def expire(self, stream_id: int, start: int, end: int, limit: int) -> int:
        """Delete the oldest sealed rows of a Datastream within a time; what they came to goes to the history."""
        run = self._connection.execute
        where = "datastream_id = ?1 and time_start >= ?2 and time_start < ?3"
        source = f"(select * from sealed where {where} order by datastream_id, time_start, id limit ?4)"
        bounds = (stream_id, start, end, limit)
        gone: list[Any] = run(f"select time_start, id from {source}", bounds).fetchall()
        _roll_up(self._connection, source, bounds, "history")
        for time_start, id_ in gone:
            run(
                "delete from sealed where datastream_id = ? and time_start = ? and id = ?", (stream_id, time_start, id_)
            )
            run("delete from sealed_key where id = ?", (id_,))
        self.recompute({(stream_id, time_start) for time_start, _ in gone})
        return len(gone)

    def recompute(self, touched: set[tuple[int, int]]) -> None:
        """Make the rollups of the buckets of these (Datastream, time) again from the sealed rows."""
        run = self._connection.execute
        within = "where datastream_id = ?1 and {0} >= ?2 and {0} < ?2 + {1}"
        for stream, start in {(s, t - t % rollups.HOUR.micros) for s, t in touched}:
            run("delete from rollup_hour where datastream_id = ? and start = ?", (stream, start))
            source = f"(select * from sealed {within.format('time_start', rollups.HOUR.micros)})"
            run(rollups.add("rollup_hour", rollups.aggregate(source, _BUCKETS[0])), (stream, start))
        for stream, start in {(s, t - t % rollups.DAY.micros) for s, t in touched}:
            run("delete from rollup_day where datastream_id = ? and start = ?", (stream, start))
            source = f"(select * from rollup_hour {within.format('start', rollups.DAY.micros)})"
            run(rollups.add("rollup_day", rollups.fold(source, _BUCKETS[1])), (stream, start))


def _roll_up(connection: apsw.Connection, source: str, bounds: tuple[Any, ...] = (), kind: str = "rollup") -> None:
    """Add what the rows of `source` come to to the tables of a kind, rollup or history."""
    hours = rollups.aggregate(source, _BUCKETS[0])
    connection.execute(rollups.add(f"{kind}_hour", hours), bounds)
    connection.execute(rollups.add(f"{kind}_day", rollups.fold(f"({hours})", _BUCKETS[1])), bounds)


def rebuild(connection: apsw.Connection) -> None:
    """Make all rollups again from the sealed rows."""
    for width in rollups.WIDTHS:
        connection.execute(f"delete from {width.table}")
    connection.execute(rollups.add("rollup_hour", rollups.aggregate("sealed", _BUCKETS[0])))
    connection.execute(rollups.add("rollup_day", rollups.fold("rollup_hour", _BUCKETS[1])))


def _by_id(row: tuple[Any, ...]) -> int:
    return int(row[2])
