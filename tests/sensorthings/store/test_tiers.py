"""The tiers of SQLite: whatever is sealed when, the same rows are read, and rollups are those of the sealed rows."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakou.sensorthings.payload import bits
from lakou.sensorthings.sql import rollups
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store import tiers
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from lakou.sensorthings.store.tiers import Tiers

HOUR, DAY = rollups.HOUR.micros, rollups.DAY.micros
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)


def row(id_: int, stream: int = 1, start: int = 0, number: float | None = 1.0, **more: Any) -> list[Any]:
    """A row of an Observation; a number alone has itself as its digest, as the payload makes it."""
    values = dict.fromkeys(OBSERVATION_COLUMNS) | {
        "datastream_id": stream, "time_start": start, "id": id_, "result_number": number, "feature_id": 1,
        "result_type": 3 if number is None else 2, "result_text": "open" if number is None else None,
        "digest": 1_000_000 + id_ if number is None else bits(number),
    } | more  # fmt: skip
    return [values[c] for c in OBSERVATION_COLUMNS]


class Bench:
    """A store's file with its tiers, used as the writer uses them."""

    def __init__(self, folder: Path, hot_rows: int = 6) -> None:
        self.database = SQLiteDatabase(folder / "observations.db", hot_rows=hot_rows)
        self.database.migrate()
        self.tiers = self._open()

    def _open(self) -> Tiers:
        self.connection, found = self.database._open_writer()
        found._slice = 3
        return found

    def restart(self) -> None:
        self.database.close()
        self.tiers = self._open()

    def add(self, *rows: list[Any]) -> None:
        self.connection.execute("begin immediate")
        self.tiers.add([list(r) for r in rows])
        self.connection.execute("commit")

    def slice(self, *, all_: bool = False) -> bool:
        self.tiers._slice = 3
        return self.tiers.slice(all_=all_)

    def rows(self) -> list[tuple[Any, ...]]:
        """What readers see, by id, with whole digests."""
        found = self.connection.execute(f"select {_COLUMNS} from observation").fetchall()  # noqa: S608
        return sorted((tiers.whole(r) for r in found), key=lambda r: int(r[2]))

    def count(self, table: str) -> int:
        return int(self.connection.execute(f"select count(*) from {table}").get)  # noqa: S608

    def check(self) -> None:
        """Rollups are what the sealed rows come to; each sealed row has its key."""
        for width, bucket in zip(rollups.WIDTHS, (HOUR, DAY), strict=True):
            stored = self._partials(f"select {rollups.COLUMNS} from {width.table}")  # noqa: S608
            again = self._partials(rollups.aggregate("sealed", SQLite().bucket("time_start", str(bucket))))
            assert stored.keys() == again.keys()
            for key, values in again.items():
                assert stored[key] == pytest.approx(values, rel=1e-12, abs=1e-12), (width.table, key)
        lost = "select count(*) from sealed s where not exists (select 1 from sealed_key k where k.id = s.id)"
        assert self.connection.execute(lost).get == 0

    def _partials(self, query: str) -> dict[Any, tuple[float, ...]]:
        found = self.connection.execute(query).fetchall()
        return {r[:3]: tuple(math.inf if v is None else float(v) for v in r[3:]) for r in found}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_new_rows_are_hot_and_read_as_they_were_written(bench: Bench) -> None:
    bench.add(row(1), row(2, start=5, number=None))
    assert bench.rows() == [tuple(row(1)), tuple(row(2, start=5, number=None))]
    assert (bench.count("hot_a"), bench.count("sealed")) == (2, 0)


def test_a_full_table_is_drained_while_the_other_one_fills(bench: Bench) -> None:
    rows = [row(n, stream=n % 3 + 1, start=n * HOUR // 4) for n in range(1, 9)]
    bench.add(*rows)
    steps = 0
    while bench.slice():
        steps += 1
        extra = row(100 + steps, stream=2, start=steps)
        rows.append(extra)
        bench.add(extra)
        assert bench.rows() == [tuple(r) for r in sorted(rows, key=lambda r: int(r[2]))]
        bench.check()
    assert steps > 3
    assert bench.count("hot_a") == 0 or bench.count("hot_b") == 0
    assert bench.count("sealed") >= 8


def test_what_is_not_full_is_left_hot_unless_all_is_asked_for(bench: Bench) -> None:
    bench.add(row(1))
    assert bench.slice() is False
    bench.database.seal_all()
    assert (bench.count("sealed"), bench.count("hot_a"), bench.count("hot_b")) == (1, 0, 0)
    assert bench.rows() == [tuple(row(1))]


def test_draining_goes_on_where_a_stopped_process_left_it(bench: Bench) -> None:
    rows = [row(n, stream=n % 2 + 1, start=n) for n in range(1, 11)]
    bench.add(*rows)
    for _ in range(30):
        bench.restart()
        bench.slice()
        assert bench.rows() == [tuple(r) for r in rows]
    assert bench.count("sealed") == 10
    bench.check()


def test_a_transaction_that_is_undone_leaves_the_tiers_true(bench: Bench) -> None:
    bench.add(row(1))
    bench.connection.execute("begin immediate")
    bench.tiers.add([row(2)])
    bench.database.rollback()
    bench.add(row(3, start=9))
    assert [r[2] for r in bench.rows()] == [1, 3]


def test_a_number_alone_needs_no_digest_and_others_keep_theirs(bench: Bench) -> None:
    bench.add(row(1, number=-0.0), row(2, number=4.5), row(3, number=4.5, digest=77), row(4, number=4.5, digest=None))
    bench.database.seal_all()
    stored = bench.connection.execute("select digest from sealed order by id").fetchall()
    assert [d for (d,) in stored] == [tiers.OWN, tiers.OWN, 77, None]
    assert [r[-1] for r in bench.rows()] == [bits(0.0), struct.unpack("<q", struct.pack("<d", 4.5))[0], 77, None]


def test_zero_that_is_corrected_keeps_its_identity(bench: Bench) -> None:
    bench.add(row(1, number=0.0))
    before = dict(zip(OBSERVATION_COLUMNS, row(1, number=0.0), strict=True))
    bench.connection.execute("begin immediate")
    bench.tiers.change(before, before | {"result_number": 1.0})
    bench.connection.execute("commit")
    assert bench.rows() == [tuple(row(1, number=1.0, digest=bits(0.0)))]


@pytest.mark.parametrize("sealed", [False, True])
def test_a_row_is_found_changed_moved_and_removed_in_either_tier(bench: Bench, sealed: bool) -> None:
    bench.add(row(1), row(2, stream=2, start=-5))
    if sealed:
        bench.database.seal_all()
    bench.connection.execute("begin immediate")
    found = bench.tiers.find(2)
    assert found == tuple(row(2, stream=2, start=-5))
    before = dict(zip(OBSERVATION_COLUMNS, found, strict=True))
    bench.tiers.change(before, before | {"result_number": 8.0})
    changed = bench.tiers.find(2)
    assert changed == tuple(row(2, stream=2, start=-5, number=8.0, digest=bits(1.0)))
    before = dict(zip(OBSERVATION_COLUMNS, changed, strict=True))
    bench.tiers.change(before, before | {"time_start": 3 * DAY})
    assert bench.tiers.find(2) == tuple(row(2, stream=2, start=3 * DAY, number=8.0, digest=bits(1.0)))
    assert bench.tiers.latest(2) == 3 * DAY
    bench.tiers.remove([(1, 0, 1)])
    assert bench.tiers.find(1) is None
    bench.connection.execute("commit")
    assert [r[2] for r in bench.rows()] == [2]
    bench.check()
    bench.database.seal_all()
    assert [r[2] for r in bench.rows()] == [2]
    bench.check()


def test_pace_draining_is_due_as_the_other_table_fills_and_always_when_idle(bench: Bench) -> None:
    bench.add(*(row(n, start=n) for n in range(1, 30)))
    assert bench.tiers.is_due(idle=False)
    bench.slice()
    assert bench.tiers.is_due(idle=True)
    assert not bench.tiers.is_due(idle=False)
    bench.add(*(row(n, start=n) for n in range(31, 60)))
    assert bench.tiers.is_due(idle=False)


def test_rows_of_the_first_schema_are_sealed_by_the_migration(tmp_path: Path) -> None:
    database = SQLiteDatabase(tmp_path / "observations.db")
    old = apsw.Connection(str(tmp_path / "observations.db"))
    old.execute("create table migration (name text primary key, applied_at integer)")
    from lakou.sensorthings.store import migrations

    old.execute(dict(migrations.of("sqlite"))["sqlite_0001_sensing"])
    old.execute("insert into migration values ('sqlite_0001_sensing', 0)")
    places = ", ".join("?" * len(OBSERVATION_COLUMNS))
    old.executemany(
        f"insert into observation ({_COLUMNS}) values ({places})",  # noqa: S608
        [row(n, stream=n % 2 + 1, start=n * HOUR) for n in range(1, 6)],
    )
    old.close()
    database.migrate()
    database.close()
    after = Bench(tmp_path)
    assert after.count("sealed") == 5
    assert [r[2] for r in after.rows()] == [1, 2, 3, 4, 5]
    after.check()


_NUMBERS = st.one_of(st.none(), st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(-5, 5).map(float))
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"),
            st.integers(1, 3),
            st.integers(-2 * DAY, 2 * DAY),
            _NUMBERS,
            st.sampled_from([None, '"good"']),
        ),
        st.tuples(st.just("add"), st.integers(1, 3), st.sampled_from([0, 1, HOUR, DAY - 1]), _NUMBERS, st.none()),
        st.tuples(st.just("slice"), st.booleans()),
        st.tuples(st.just("remove"), st.integers(0, 10**6)),
        st.tuples(st.just("change"), st.integers(0, 10**6), _NUMBERS),
        st.tuples(st.just("move"), st.integers(0, 10**6), st.integers(1, 3), st.integers(-DAY, DAY)),
        st.tuples(st.just("restart")),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_any_sequence_of_writes_and_slices_keeps_rows_and_rollups(steps: list[tuple[Any, ...]], tmp_path: Path) -> None:
    for name in tmp_path.iterdir():
        name.unlink()
    bench = Bench(tmp_path)
    model: dict[int, dict[str, Any]] = {}
    next_id = 1
    for verb, *args in steps:
        if verb == "slice":
            bench.slice(all_=args[0])
        elif verb == "restart":
            bench.restart()
        elif verb == "add":
            stream, start, number, quality = args
            new = row(next_id, stream, start, number, result_quality=quality)
            model[next_id] = dict(zip(OBSERVATION_COLUMNS, new, strict=True))
            next_id += 1
            bench.add(new)
        elif model:
            id_ = sorted(model)[args[0] % len(model)]
            before = model[id_]
            bench.connection.execute("begin immediate")
            if verb == "remove":
                bench.tiers.remove([(before["datastream_id"], before["time_start"], id_)])
                del model[id_]
            else:
                more = (
                    {"result_number": args[1]}
                    if verb == "change"
                    else dict(zip(("datastream_id", "time_start"), args[1:], strict=True))
                )
                bench.tiers.change(before, before | more)
                model[id_] = before | more
            bench.connection.execute("commit")
        assert [r[2] for r in bench.rows()] == sorted(model)
    assert bench.rows() == [tuple(model[id_][c] for c in OBSERVATION_COLUMNS) for id_ in sorted(model)]
    bench.check()
    for id_ in model:
        assert bench.tiers.find(id_) == tuple(model[id_][c] for c in OBSERVATION_COLUMNS)
    bench.database.close()
