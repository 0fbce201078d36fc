"""Entries of the change log as commits: slices, ranges of ids, and what has changed since."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakou.sensorthings import payload
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.model import THING
from lakou.sensorthings.store import changes, entities, events
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Database, Lookup
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.past import commits_between
from lakou.sensorthings.store.position import Position, after
from lakou.sensorthings.store.registry import Registry
from lakou.sensorthings.store.session import ID, Changed, Commit, Session
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller, Store


def created(seq: int, first: int, last: int, transaction: int = 0) -> Entry:
    return Entry(Cursor(transaction, seq), 0, "create", "Observation", first, last)


def test_a_transaction_is_never_divided() -> None:
    entries = [created(n, n * 1_000, n * 1_000 + 999, transaction=1 + n // 3) for n in range(9)]
    groups = list(events.slices(entries))
    assert [e for group in groups for e in group] == entries
    assert [len(group) for group in groups] == [3, 3, 3]


def test_near_ranges_are_read_as_one() -> None:
    entries = [created(1, 10, 12), created(2, 5000, 5001), created(3, 14, 20), created(4, 5010, 5010)]
    assert events._spans(entries) == [(10, 20), (5000, 5010)]


@pytest.fixture
def rows(caller: Caller) -> Lookup:
    caller.make("/Things", bodies.station())
    for n in range(6):
        caller.make("/Datastreams(1)/Observations", {"result": n})
    return Lookup(caller.service._database, 5.0)


def settled(rows: Lookup, count: int) -> list[Entry]:
    """The log once it holds so many Observations: on PostgreSQL an older transaction of the server may hold it up."""
    found: list[Entry] = []
    for _ in range(2_000):
        found = changes.read(rows, Cursor())
        if sum(e.last_id - e.first_id + 1 for e in found if events.is_created(e)) >= count:
            break
        time.sleep(0.01)
    return found


def test_commits_are_made_again_from_the_log(caller: Caller, rows: Lookup) -> None:
    entries = settled(rows, 6)
    assert caller.call("DELETE", "/Observations(2)").status == 200
    assert caller.call("PATCH", "/Observations(3)", {"result": 33}).status == 200
    made = events.commits(rows, entries, events.Streams())
    observed = [(stream.id, stream.thing_id, row[ID], row[8]) for commit in made for stream, row in commit.observed]
    assert observed == [(1, 1, id_, 33 if id_ == 3 else id_ - 1) for id_ in (1, 3, 4, 5, 6)]
    assert Changed("create", "Thing", 1) in [change for commit in made for change in commit.changed]
    assert [commit.cursor for commit in made] == sorted(commit.cursor for commit in made if commit.cursor)


def test_what_is_between_two_places(rows: Lookup) -> None:
    entries = [entry for entry in settled(rows, 6) if events.is_created(entry)]
    start, end = Position(entries[1].cursor, entries[1].first_id), after(entries[4].cursor)
    found = commits_between(rows, start, end, limit=100)
    assert found is not None
    ids = [row[ID] for commit in found for _, row in commit.observed]
    assert ids[-3:] == [3, 4, 5]  # the entry of the place itself comes along, to be cut by its id
    assert commits_between(rows, start, end, limit=2) is None


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    found = store.open()
    found.migrate()
    yield found
    found.close()


def _read(session: Session, entries: list[Entry], only: set[int] | None = None) -> list[Commit]:
    return events.commits(session.tx, entries, events.Streams(), only)


def test_what_a_commit_made_is_read_back_as_the_feed_told_it(database: Database) -> None:
    session = Session(database.begin(exclusive=True), Registry(), exclusive=True)
    tree = payload.tree(THING, bodies.station(MultiDatastreams=[bodies.multi_datastream()]))
    entities.create(session, ADMIN, tree)
    for number in range(5):
        reading = payload.reading({"result": number, "phenomenonTime": f"2024-01-01T00:00:0{number}Z"})
        observe(session, ADMIN, Observation(1, False, reading))
    observe(session, ADMIN, Observation(2, True, payload.reading({"result": [1, 2]})))
    session.finish()
    entries = changes.read(session.tx, Cursor(0, 0), limit=1_000) if session.dialect.name == "sqlite" else [
        Entry(Cursor(0, n), 0, *found) for n, found in enumerate(session.log)
    ]  # fmt: skip
    commits = _read(session, entries)
    assert len(commits) == len(entries)
    observed = [event for commit in commits for event in commit.observed]
    assert [(s.id, s.members, s.scope_id, s.thing_id) for s, _ in observed] == [(1, 0, 0, 1)] * 5 + [(2, 2, 0, 1)]
    assert [row for _, row in observed] == [[*row] for _, row in session.observed]
    assert [c for commit in commits for c in commit.changed] == [c for c in session.changed if c.type != "Observation"]
    for only, streams in (({2}, [2]), ({1, 2}, [1] * 5 + [2]), (set[int](), [])):
        told = [event for commit in _read(session, entries, only) for event in commit.observed]
        assert [stream.id for stream, _ in told] == streams
    database.rollback()


def test_observations_that_are_not_there_any_more_are_left_out(database: Database) -> None:
    session = Session(database.begin(exclusive=True), Registry(), exclusive=True)
    entities.create(session, ADMIN, payload.tree(THING, bodies.station()))
    ids = [observe(session, ADMIN, Observation(1, False, payload.reading({"result": n}))) for n in range(3)]
    entries = [
        Entry(Cursor(0, 1), 0, "create", "Observation", ids[0], ids[2] + 5),
        Entry(Cursor(0, 2), 0, "delete", "Thing", 4, 5),
    ]
    made, deleted = _read(session, entries)
    assert [row[ID] for _, row in made.observed] == ids
    assert deleted.changed == [Changed("delete", "Thing", 4), Changed("delete", "Thing", 5)]
    database.rollback()


def test_a_slot_with_many_sealed_rows_is_read_once_and_not_for_each_of_them(tmp_path: Path) -> None:
    database = SQLiteDatabase(tmp_path / "observations.db", hot_rows=1_000)
    database.migrate()
    session = Session(database.begin(exclusive=True), Registry(), exclusive=True)
    entities.create(session, ADMIN, payload.tree(THING, bodies.station()))
    for number in range(3_000):
        reading = payload.reading({"result": number, "phenomenonTime": f"2024-01-01T00:00:00.{number:06}Z"})
        observe(session, ADMIN, Observation(1, False, reading))
    session.finish()
    database.commit()
    while database.settle():
        pass
    tx = database.begin(exclusive=False)
    ((sealed,),) = tx.rows("select count(*) from sealed")
    assert sealed > 1_000
    hundreds = 0

    def count() -> bool:
        nonlocal hundreds
        hundreds += 1
        return False

    assert database._writer is not None
    database._writer.set_progress_handler(count, 100)
    wanted = events.between(tx, 1, 3_000)
    assert sorted(row[ID] for row in wanted) == list(range(1, 3_001))
    assert {len(row) for row in wanted} == {len(OBSERVATION_COLUMNS)}
    # Each row once takes about 60 steps of the engine; the slot once for each of its rows would be 100,000.
    assert hundreds * 100 < 200 * 3_000
    database.rollback()
    database.close()
