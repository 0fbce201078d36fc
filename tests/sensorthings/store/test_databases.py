"""What both databases promise the store: time-outs, read-only readers, ids, savepoints, the change log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakou.kernel.errors import BadRequest, Unavailable
from lakou.sensorthings.sql.dialect import Micros, Statement
from lakou.sensorthings.store import changes, databases
from lakou.sensorthings.store.changes import Cursor, Entry
from lakou.sensorthings.store.database import Database, Transaction
from tests.sensorthings.caller import Store

ENDLESS = {
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
    "postgres": "select pg_sleep(30)",
}


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    found = store.open()
    found.migrate()
    yield found
    found.close()


@pytest.fixture
def tx(database: Database) -> Iterator[Transaction]:
    """A transaction that is rolled back."""
    yield database.begin(exclusive=True)
    database.rollback()


def thing(name: str = "x") -> dict[str, object]:
    return {"scope_id": 0, "owner_id": 0, "name": name, "description": ""}


def test_a_long_read_is_stopped_and_the_reader_goes_on(database: Database) -> None:
    with pytest.raises(BadRequest) as caught:
        database.read(Statement(ENDLESS[database.dialect.name], {}), 0.2)
    assert caught.value.error_code == "query_timeout"
    assert database.read(Statement("select 1", {}), 5.0) == [(1,)]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read.?only|readonly|cannot be evaluated|does not answer"):
        database.read(Statement("delete from thing", {}), 5.0)
    assert database.read(Statement("select count(*) from thing", {}), 5.0) == [(0,)]


def test_readers_do_not_see_what_is_not_committed(database: Database) -> None:
    tx = database.begin(exclusive=True)
    tx.insert("thing", thing())
    count = Statement("select count(*) from thing", {})
    assert database.read(count, 5.0) == [(0,)]
    assert tx.read(count) == [(1,)]
    database.commit()
    assert database.read(count, 5.0) == [(1,)]


def test_every_thread_has_its_own_connection(database: Database) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(database.read(Statement("select 1", {}), 5.0))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[(1,)]] * 4


def test_a_savepoint_takes_back_what_came_after_it(tx: Transaction) -> None:
    tx.insert("thing", thing("kept"))
    tx.savepoint()
    tx.insert("thing", thing("gone"))
    tx.undo()
    tx.release()
    assert tx.rows("select name from thing") == [("kept",)]


def test_ids_of_entities_are_not_used_again(tx: Transaction) -> None:
    first = tx.insert("thing", thing())
    tx.rows("delete from thing where id = ?", (first,))
    assert tx.insert("thing", thing()) == first + 1


def test_ids_of_observations_ascend_across_transactions(database: Database) -> None:
    taken: list[int] = []
    for keep in (True, False, True):
        tx = database.begin(exclusive=False)
        taken += [tx.take_id() for _ in range(3)]
        database.commit() if keep else database.rollback()
    assert len(set(taken[:3] + taken[6:])) == 6 or database.dialect.name == "sqlite"
    assert taken[:3] == sorted(taken[:3])


def test_times_travel_as_micros_both_ways(tx: Transaction) -> None:
    for value in (-62_135_596_800_000_000, -1, 0, 1_767_225_600_123_456, 253_402_300_799_999_999):
        tx.rows(
            "insert into observation_history (observation_id, replaced_at, body) values (1, ?, '')", (Micros(value),)
        )
    assert [row[0] for row in tx.rows("select replaced_at from observation_history order by replaced_at")] == [
        -62_135_596_800_000_000, -1, 0, 1_767_225_600_123_456, 253_402_300_799_999_999,
    ]  # fmt: skip


def test_a_percent_sign_is_text(tx: Transaction) -> None:
    tx.insert("thing", thing("50 %s ? é"))
    assert tx.rows("select name from thing where name like '%\\%s%' escape '\\' or name = ?", ("x",)) == [
        ("50 %s ? é",)
    ]


def test_a_data_error_is_told_from_a_broken_database(database: Database) -> None:
    tx = database.begin(exclusive=True)
    with pytest.raises(Exception, match=r"(?i)unique|constraint") as caught:
        tx.rows("insert into purge (kind, id) values ('a', 1), ('a', 1)")
    assert database.is_data_error(caught.value)
    assert not database.is_data_error(ZeroDivisionError())
    database.rollback()


def settled(tx: Transaction, after: Cursor, count: int) -> list[Entry]:
    """The entries after a cursor: on PostgreSQL only once no older transaction of the whole server is under way."""
    for _ in range(500):
        if len(found := changes.read(tx, after)) >= count:
            break
        time.sleep(0.01)
    return found


def test_the_change_log_is_read_behind_cursors(database: Database) -> None:
    tx = database.begin(exclusive=True)
    assert changes.read(tx, Cursor()) == []
    before = changes.cursor_of(tx, "alerting")
    tx.log([("create", "Observation", 1, 50), ("delete", "Thing", 7, 7)])
    database.commit()
    tx = database.begin(exclusive=True)
    found = settled(tx, before, 2)
    assert [(e.verb, e.type, e.first_id, e.last_id) for e in found] == [
        ("create", "Observation", 1, 50),
        ("delete", "Thing", 7, 7),
    ]
    assert [e.cursor for e in found] == sorted(e.cursor for e in found)
    assert changes.read(tx, found[0].cursor) == found[1:]
    assert changes.read(tx, before, limit=1) == found[:1]
    changes.advance(tx, "alerting", found[0].cursor)
    assert changes.cursor_of(tx, "alerting") == found[0].cursor
    database.commit()


def test_pruning_waits_for_the_slowest_reader(database: Database) -> None:
    tx = database.begin(exclusive=True)
    changes.advance(tx, "slow", Cursor())
    tx.log([("create", "Thing", n, n) for n in range(10)])
    database.commit()
    tx = database.begin(exclusive=True)
    changes.prune(tx, keep=2)
    assert len(settled(tx, Cursor(), 10)) == 10
    changes.forget(tx, "slow")
    changes.forget(tx, "rollups")
    changes.prune(tx, keep=2)
    assert [e.first_id for e in changes.read(tx, Cursor())] == [8, 9]
    database.rollback()


def test_a_store_needs_a_place() -> None:
    with pytest.raises(BadRequest):
        databases.open_database(None, None)


def test_a_database_that_cannot_be_reached_is_said_so() -> None:
    unreachable = databases.open_database(None, "postgresql://nobody:x@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Unavailable) as caught:
        unreachable.migrate()
    assert "x@" not in str(caught.value.body())


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "observations.db").write_bytes(b"not a database at all" * 100)
    database = databases.open_database(tmp_path, None)
    with pytest.raises(Unavailable):
        database.read(Statement("select 1 from thing", {}), 1.0)
    database.close()
