"""A commit under way: gathered rows, savepoints, the change log of ranges; and what the registry remembers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakou.sensorthings import payload
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.model import THING
from lakou.sensorthings.store import entities
from lakou.sensorthings.store.database import Database
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.registry import NEVER, Registry
from lakou.sensorthings.store.session import ID, NeedsExclusive, Session
from tests.sensorthings import bodies
from tests.sensorthings.caller import Store

TIME = "2026-01-01T00:00:00Z"


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    found = store.open()
    found.migrate()
    yield found
    found.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A session over one station (Thing 1, Datastream 1) that is rolled back."""
    session = Session(database.begin(exclusive=True), Registry(), exclusive=True)
    entities.create(session, ADMIN, payload.tree(THING, bodies.station()))
    session.changed.clear()
    session.log.clear()
    yield session
    database.rollback()


def send(session: Session, result: object, time: str = TIME) -> int:
    return observe(session, ADMIN, Observation(1, False, payload.reading({"result": result, "phenomenonTime": time})))


def count(session: Session) -> int:
    return int(session.bare.rows("select count(*) from observation")[0][0])


def test_observations_are_gathered_and_put_in_before_they_are_asked_for(session: Session) -> None:
    send(session, 1)
    send(session, 2)
    assert count(session) == 0
    assert session.tx.rows("select count(*) from observation") == [(2,)]
    assert [row[ID] for _, row in session.observed] == [1, 2]


def test_runs_of_ids_are_one_entry_of_the_log(session: Session) -> None:
    ids = [send(session, n) for n in range(5)]
    session.flush()
    session.record("delete", "Observation", ids[0])
    found = [entry for entry in session.log if entry[1] == "Observation"]
    assert found == [("create", "Observation", ids[0], ids[-1]), ("delete", "Observation", ids[0], ids[0])]


def test_undo_forgets_what_came_after_the_mark(session: Session) -> None:
    kept = send(session, 1)
    mark = session.mark()
    send(session, 2)
    session.record("update", "Thing", 1)
    session.undo(mark)
    assert [row[ID] for _, row in session.observed] == [kept]
    assert session.changed == [] or all(c.type == "FeatureOfInterest" for c in session.changed)
    assert session.tx.rows("select count(*) from observation") == [(1,)]
    assert session.stored_id(send(session, 2)) != kept
    assert session.stored_id(send(session, 1)) == kept


def test_a_replay_in_the_same_commit_is_known_before_it_is_stored(session: Session) -> None:
    first = send(session, 1)
    assert send(session, 1.0) == first
    session.flush()
    assert send(session, 1) == first
    assert count(session) == 1


def test_entities_cannot_change_without_the_lock(database: Database) -> None:
    session = Session(database.begin(exclusive=False), Registry(), exclusive=False)
    with pytest.raises(NeedsExclusive):
        entities.create(session, ADMIN, payload.tree(THING, bodies.thing()))
    database.rollback()


def test_the_registry_knows_a_datastream_until_it_is_told_to_forget(session: Session) -> None:
    stream = session.stream(1)
    assert stream is not None
    assert (stream.members, stream.scope_id, stream.latest, stream.on_different) == (0, 0, NEVER, "keep-all")
    send(session, 1)
    assert session.stream(1) is stream
    assert stream.latest > NEVER
    assert session.stream(99) is None
    session.flush()
    session.registry.forget()
    again = session.stream(1)
    assert again is not None
    assert again is not stream
    assert again.latest == stream.latest
