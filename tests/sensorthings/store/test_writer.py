"""The one writer: acknowledged after commit, each job alone in its errors, a bounded queue, no answer left out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakou.kernel.errors import BadRequest, Fault, Unavailable
from lakou.sensorthings.store.database import Database
from lakou.sensorthings.store.session import Changed, Commit, Session
from lakou.sensorthings.store.sqlite import SQLiteDatabase
from lakou.sensorthings.store.writer import Writer
from tests.sensorthings.caller import Store
from tests.torture.disks import laid_under


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    found = store.open()
    found.migrate()
    yield found
    found.close()


class Told:
    """What the writer published, in order."""

    def __init__(self) -> None:
        self.changes: list[list[Changed]] = []

    def __call__(self, commit: Commit) -> None:
        self.changes.append(commit.changed)


def add_thing(name: str) -> Any:
    def run(session: Session) -> int:
        session.entities_change()
        values = {"scope_id": 0, "owner_id": 0, "name": name, "description": ""}
        id_ = session.tx.insert("thing", values)
        session.record("create", "Thing", id_)
        return 10_000 + id_

    return run


def names(database: Database) -> list[str]:
    tx = database.begin(exclusive=True)
    try:
        return [row[0] for row in tx.rows("select name from thing order by id")]
    finally:
        database.rollback()


def run(database: Database, scenario: Any, *, queue_rows: int = 100, told: Told | None = None) -> Any:
    async def whole() -> Any:
        writer = Writer(database, told or Told(), commit_rows=50, queue_rows=queue_rows)
        writer.start()
        try:
            return await scenario(writer)
        finally:
            await asyncio.to_thread(writer.stop)

    return asyncio.run(whole())


def test_results_come_after_the_commit_and_are_published_in_order(database: Database) -> None:
    told = Told()

    async def scenario(writer: Writer) -> list[Any]:
        return await asyncio.gather(*(writer.submit(add_thing(f"t{n}")) for n in range(20)))

    found = run(database, scenario, told=told)
    assert names(database) == [f"t{n}" for n in range(20)]
    assert [c.id for batch in told.changes for c in batch] == [f - 10_000 for f in found]
    assert len(told.changes) < 20  # what waited was committed together


def test_a_failed_job_leaves_no_trace_and_harms_no_other(database: Database) -> None:
    def fails(session: Session) -> None:
        add_thing("half done")(session)
        raise BadRequest("no", code="own")

    def clashes(session: Session) -> None:
        add_thing("half done too")(session)
        session.tx.rows("insert into purge (kind, id) values ('x', 1), ('x', 1)")

    async def scenario(writer: Writer) -> list[Any]:
        work = [add_thing("a"), fails, add_thing("b"), clashes, add_thing("c")]
        return await asyncio.gather(*(writer.submit(w) for w in work), return_exceptions=True)

    found = run(database, scenario)
    assert [type(f).__name__ for f in found] == ["int", "BadRequest", "int", "BadRequest", "int"]
    assert found[1].error_code == "own"
    assert names(database) == ["a", "b", "c"]


def test_a_fault_fails_its_job_only(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(session: Session) -> None:
        add_thing("never")(session)
        raise ZeroDivisionError

    async def scenario(writer: Writer) -> Any:
        jobs = (writer.submit(add_thing("before")), writer.submit(breaks), writer.submit(add_thing("after")))
        return await asyncio.gather(*jobs, return_exceptions=True)

    outcomes = run(database, scenario)
    assert isinstance(outcomes[1], Fault)
    assert names(database) == ["before", "after"]
    assert "ZeroDivisionError" in caplog.text


def test_a_full_queue_refuses_and_recovers(database: Database) -> None:
    gate, begun = threading.Event(), threading.Event()

    def waits(session: Session) -> None:
        begun.set()
        gate.wait(5)

    async def scenario(writer: Writer) -> Any:
        first = writer.submit(waits, rows=1)
        await asyncio.to_thread(begun.wait, 5)
        queued = [writer.submit(add_thing(f"t{n}"), rows=40) for n in range(2)]
        with pytest.raises(Unavailable) as caught:
            writer.submit(add_thing("too much"), rows=40)
        assert caught.value.error_code == "queue_full"
        assert writer.queued == 80
        gate.set()
        await asyncio.gather(first, *queued)
        return await writer.submit(add_thing("later"))

    run(database, scenario)
    assert names(database) == ["t0", "t1", "later"]


def test_one_job_may_be_larger_than_the_queue(database: Database) -> None:
    async def scenario(writer: Writer) -> Any:
        return await writer.submit(add_thing("large"), rows=1000)

    assert run(database, scenario)


def test_stopping_commits_what_is_queued_and_refuses_the_rest(database: Database) -> None:
    async def scenario(writer: Writer) -> list[Any]:
        futures = [writer.submit(add_thing(f"t{n}")) for n in range(10)]
        await asyncio.to_thread(writer.stop)
        with pytest.raises(Unavailable):
            writer.submit(add_thing("late"))
        return await asyncio.gather(*futures)

    assert len(run(database, scenario)) == 10
    assert len(names(database)) == 10


def test_a_client_that_gave_up_does_not_matter(database: Database) -> None:
    async def scenario(writer: Writer) -> Any:
        left = writer.submit(add_thing("left alone"))
        left.cancel()
        return await writer.submit(add_thing("other"))

    run(database, scenario)
    assert names(database) == ["left alone", "other"]


def test_a_batch_that_turns_out_to_change_entities_is_done_again(database: Database) -> None:
    async def scenario(writer: Writer) -> list[Any]:
        return await asyncio.gather(*(writer.submit(add_thing(f"t{n}"), entities=False, whole=False) for n in range(3)))

    assert len(run(database, scenario)) == 3
    assert names(database) == ["t0", "t1", "t2"]


def test_a_failing_disk_refuses_is_told_once_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fault = [""]
    with laid_under(tmp_path, lambda _: None, lambda: fault[0]):
        database = SQLiteDatabase(tmp_path / "observations.db")
        database.migrate()

        async def scenario(writer: Writer) -> None:
            await writer.submit(add_thing("before"))
            for fault[0] in ("sync", "write", "full"):
                for _ in range(2):
                    with pytest.raises(Unavailable):
                        await writer.submit(add_thing(f"never: {fault[0]}"))
            fault[0] = ""
            await writer.submit(add_thing("after"))

        try:
            run(database, scenario)
            assert names(database) == ["before", "after"]
        finally:
            database.close()
    assert caplog.text.count("The store cannot write") == 1
    assert "writes again, after 6 failures" in caplog.text


def test_upkeep_that_fails_is_not_tried_without_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The first thing that a writer does is to purge what was left; on a full disk it waits before it tries again."""
    tries = [0]

    def fault() -> str:
        tries[0] += bool(threading.current_thread().name == "lakou-writer")
        return "full" if threading.current_thread().name == "lakou-writer" else ""

    with laid_under(tmp_path, lambda _: None, fault):
        database = SQLiteDatabase(tmp_path / "observations.db")
        database.migrate()
        tx = database.begin(exclusive=True)
        tx.rows("insert into purge (kind, id) values ('Thing', 1)")
        database.commit()

        async def scenario(writer: Writer) -> None:
            await asyncio.sleep(0.3)

        try:
            run(database, scenario)
        finally:
            database.close()
    assert 0 < tries[0] < 10
