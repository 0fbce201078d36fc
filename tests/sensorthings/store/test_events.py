"""Entries of the change log as commits: slices, ranges of ids, and what has changed since."""

from __future__ import annotations

import pytest

from lakou.sensorthings.store import changes, events
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import Lookup
from lakou.sensorthings.store.past import commits_between
from lakou.sensorthings.store.position import Position, after
from lakou.sensorthings.store.session import ID, Changed
from tests.sensorthings import bodies
from tests.sensorthings.caller import Caller


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
    for _ in range(500):
        found = changes.read(rows, Cursor())
        if sum(e.last_id - e.first_id + 1 for e in found if events.is_created(e)) >= count:
            break
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
