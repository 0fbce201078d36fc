"""A series is stored, told and answered as its rows would be one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakou.kernel import jsontext
from lakou.kernel.time import SECOND, format_instant, now
from lakou.sensorthings import bulk, data_array, payload
from lakou.sensorthings import series as series_module
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.model import THING, ResultType
from lakou.sensorthings.series import series
from lakou.sensorthings.store import entities
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Database
from lakou.sensorthings.store.postgres import PostgresDatabase
from lakou.sensorthings.store.registry import Registry
from lakou.sensorthings.store.session import ID, NeedsExclusive, Session
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from tests.sensorthings import bodies
from tests.sensorthings.conftest import emptied

START = 1_704_067_200 * SECOND


def _row(second: int, value: Any) -> list[Any]:
    return [format_instant(START + second * SECOND), value]


def test_rows_of_ascending_times_and_numbers_are_a_series() -> None:
    found = series(7, [_row(0, 1.5), _row(1, 2), _row(5, -0.0), _row(6, 2**53)], 2, 0, 1)
    assert found is not None
    assert (found.stream_id, len(found)) == (7, 4)
    assert found.types == [ResultType.FLOAT, ResultType.INTEGER, ResultType.FLOAT, ResultType.INTEGER]
    one_by_one = [
        payload.simple_reading(format_instant(t), v, None)
        for t, v in zip(found.times, (1.5, 2, -0.0, 2**53), strict=True)
    ]
    assert list(found.readings()) == one_by_one


@pytest.mark.parametrize(
    "odd",
    [
        _row(3, 1.0),
        _row(2, 1.0),
        _row(9, None),
        _row(9, True),
        _row(9, "high"),
        _row(9, [1]),
        _row(9, 2**53 + 1),
        [*_row(9, 1.0), 1],
        [_row(9, 1)[0]],
        [9, 1.0],
        ["2024-01-01T00:00:08Z/2024-01-01T00:00:09Z", 1.0],
        ["soon", 1.0],
        {"result": 1},
    ],
)
def test_rows_among_which_one_is_anything_else_are_none(odd: Any) -> None:
    assert series(7, [_row(0, 1.5), _row(1, 2), _row(3, 3), odd], 2, 0, 1) is None


def test_few_rows_are_none() -> None:
    assert series(7, [_row(0, 1.5)], 2, 0, 1) is None


class Bench:
    """A store that data arrays are written to, and what came of it."""

    def __init__(self, place: Path | str, *, is_second: bool = False) -> None:
        self.database: Database
        if isinstance(place, Path):
            place.mkdir(parents=True, exist_ok=True)
            self.database = SQLiteDatabase(place / "observations.db", hot_rows=30)
        else:
            self.database = PostgresDatabase(place)
        self.database.migrate()
        self.registry = Registry()
        if is_second:
            return
        session = Session(self.database.begin(exclusive=True), self.registry, exclusive=True)
        tree = payload.tree(THING, bodies.station(Datastreams=[bodies.datastream(), bodies.datastream()]))
        entities.create(session, ADMIN, tree)
        session.finish()
        self.database.commit()

    def write(self, together: list[list[dict[str, Any]]]) -> tuple[Any, ...]:
        """The outcomes, events and log of requests that share a commit."""
        try:
            session, outcomes = self._attempt(together, exclusive=False)
        except NeedsExclusive:
            self.database.rollback()
            self.registry.forget()
            session, outcomes = self._attempt(together, exclusive=True)
        outcomes = [[session.replayed.get(o, o) for o in some] for some in outcomes]
        while self.database.settle():
            pass
        said = [[o if isinstance(o, int) else (o.message, o.place) for o in some] for some in outcomes]
        told = session.told()
        log = [e[1:] for e in session.log if e[1] == "Observation"]
        # The digest, the last of them, is told by nobody.
        return said, [(s.id, row[:-1]) for s, row in told.observed], log, len(told.observed)

    def _attempt(self, together: list[list[dict[str, Any]]], *, exclusive: bool) -> tuple[Session, list[Any]]:
        session = Session(self.database.begin(exclusive=exclusive), self.registry, exclusive=exclusive)
        outcomes: list[Any] = [
            bulk.slice_of(data_array.items(parts), ADMIN)(session)
            for groups in together
            for parts in data_array.commits(data_array.groups(jsontext.encode(groups)), 2_000)
        ]
        session.finish()
        self.database.commit()
        return session, outcomes

    def rows(self) -> list[Any]:
        tx = self.database.begin(exclusive=False)
        found = tx.rows(f"select {', '.join(OBSERVATION_COLUMNS)} from observation order by id")  # noqa: S608
        self.database.rollback()
        return found


_rows = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([1.5, 2, 2.0, 7, -0.0, None, "x", 2**60])), min_size=1, max_size=12
)
_ascending = st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True).map(
    lambda times: [(t, t / 2) for t in sorted(times)]
)
_groups = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.one_of(_ascending, _ascending, _rows)), min_size=1, max_size=3
)


_commits = st.lists(st.lists(_groups, min_size=1, max_size=3), min_size=1, max_size=4)


def _requests(commits: list[Any]) -> Iterator[list[list[dict[str, Any]]]]:
    """The requests of each commit. Commits overlap: much is a replay, much is new."""
    for n, commit in enumerate(commits, 1):
        yield [
            [
                {
                    "Datastream": {"@iot.id": stream},
                    "components": ["phenomenonTime", "result"],
                    "dataArray": [_row(20 * n + second, value) for second, value in rows],
                }
                for stream, rows in groups
            ]
            for groups in commit
        ]


def _row_by_row(bench: Bench, together: list[list[dict[str, Any]]]) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_module, "FEWEST", 10**9)
        return bench.write(together)


@given(commits=_commits)
@settings(max_examples=60, deadline=None)
def test_arrays_are_stored_told_and_answered_as_row_by_row(
    commits: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("series")
    quick, slow = Bench(folder / "quick"), Bench(folder / "slow")
    for together in _requests(commits):
        assert quick.write(together) == _row_by_row(slow, together)
    assert quick.rows() == slow.rows()
    quick.database.close()
    slow.database.close()


@pytest.mark.postgres
@given(commits=_commits)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_so_they_are_where_another_process_may_write(commits: list[Any], postgres_urls: Callable[[int], str]) -> None:
    benches = []
    for number in (0, 1):
        emptied(postgres_urls(number))
        benches.append(Bench(postgres_urls(number)))
    quick, slow = benches
    try:
        for together in _requests(commits):
            found = [(quick, quick.write(together)), (slow, _row_by_row(slow, together))]
            ends = []
            for bench, (said, told, _, count) in found:
                # Ids have gaps: what counts is which row they name.
                order = {row[ID]: n for n, row in enumerate(bench.rows())}
                rows = [(stream, [*row[:ID], order[row[ID]], *row[ID + 1 :]]) for stream, row in told]
                ends.append(([[order.get(o, o) if isinstance(o, int) else o for o in s] for s in said], rows, count))
            assert ends[0] == ends[1]
        kept = [[row[:ID] + row[ID + 1 :] for row in bench.rows()] for bench in benches]
        assert kept[0] == kept[1]
    finally:
        quick.database.close()
        slow.database.close()


def test_a_series_that_is_sent_again_is_the_stored_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    when = now() // SECOND - START // SECOND
    groups = [
        {
            "Datastream": {"@iot.id": 1},
            "components": ["result", "phenomenonTime"],
            "dataArray": [[n, _row(when + n, 0)[0]] for n in range(500)],
        }
    ]
    (first,), told, log, count = bench.write([groups])
    assert first == list(range(1, 501))
    assert (log, count) == ([("Observation", 1, 500)], 500)
    assert [row[ID] for _, row in told] == first
    again, told, log, count = bench.write([groups, groups])
    assert (again, told, log, count) == ([first, first], [], [], 0)
    assert len(bench.rows()) == 500
    bench.database.close()


@pytest.mark.postgres
def test_a_series_that_another_process_stored_is_the_stored_one(postgres_urls: Callable[[int], str]) -> None:
    url = postgres_urls(0)
    emptied(url)
    benches = [Bench(url), Bench(url, is_second=True)]

    def arrays(*seconds: int) -> list[list[dict[str, Any]]]:
        rows = [_row(second, second) for second in seconds]
        return [[{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": rows}]]

    try:
        # Both know the Datastream, and each what it has written itself.
        ((first,), *_), ((second,), *_) = (bench.write(arrays(*range(n, n + 5))) for n, bench in enumerate(benches, 1))
        assert second[:4] == first[1:]
        ((third,), *_) = benches[0].write(arrays(*range(4, 12)))
        assert (third[0], third[1], third[2]) == (first[3], first[4], second[4])
        assert sorted(row[1] for row in benches[0].rows()) == [START + n * SECOND for n in range(1, 12)]
        assert benches[1].registry.streams[1].is_resent
    finally:
        for bench in benches:
            bench.database.close()
