"""Commits read back from the change log are those that the feed told, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakou.sensorthings import payload
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.model import THING
from lakou.sensorthings.store import changes, entities, logged
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import Database
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.registry import Registry
from lakou.sensorthings.store.session import ID, Changed, Commit, Session
from tests.sensorthings import bodies
from tests.sensorthings.caller import Store


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    found = store.open()
    found.migrate()
    yield found
    found.close()


def _read(session: Session, entries: list[Entry], streams: set[int] | None = None) -> list[Commit]:
    statement = logged.observations(session.dialect, entries, streams)
    rows = [] if statement is None else session.tx.read(statement)
    known = session.tx.read(logged.streams(session.dialect, rows)) if rows else []
    return logged.commits(entries, rows, known)


def test_what_a_commit_made_is_read_back(database: Database) -> None:
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
    only = [event for commit in _read(session, entries, {2}) for event in commit.observed]
    assert [stream.id for stream, _ in only] == [2]
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


def _made(number: int, first: int, last: int) -> Entry:
    return Entry(Cursor(0, number), 0, "create", "Observation", first, last)


def test_a_piece_of_the_log_is_bounded_in_rows_and_ranges() -> None:
    near = [_made(n, 10 * n, 10 * n + 9) for n in range(100)]
    assert len(logged.piece(near, 55)) == 5
    assert len(logged.piece(near, 10_000)) == 100
    assert len(logged.piece(near[:1], 1)) == 1
    apart = [_made(n, 10 * n, 10 * n) for n in range(1_000)]
    assert len(logged.piece(apart, 10_000)) == logged.RANGES
