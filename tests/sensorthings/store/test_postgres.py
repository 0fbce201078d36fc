"""PostgreSQL under strain: connections that end, locks that are held, several processes that migrate at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store.postgres import PostgresDatabase
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import free_port, fresh_database
from tests.sensorthings import bodies
from tests.sensorthings.caller import Store, made
from tests.sensorthings.conftest import emptied

ONE = Statement("select 1", {})
MIGRATE = "import sys; from lakou.sensorthings.store.postgres import PostgresDatabase as D; D(sys.argv[1]).migrate()"

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres_urls: Callable[[int], str]) -> str:
    return postgres_urls(0)


@pytest.fixture
def database(url: str) -> Iterator[PostgresDatabase]:
    found = PostgresDatabase(url)
    yield found
    found.close()


@pytest.fixture
def admin(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


END = "select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = current_database() and "


def end_others(admin: psycopg.Connection[tuple[object, ...]]) -> None:
    """What a restart of the server does to connections."""
    admin.execute(END + "pid <> pg_backend_pid()")


def end_writers(url: str) -> None:
    """End whatever waits for a lock."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(END + "wait_event_type = 'Lock'")


def setting(database: PostgresDatabase, name: str) -> str:
    tx = database.begin(exclusive=False)
    ((found,),) = tx.rows(f"select current_setting('{name}')")
    database.rollback()
    return str(found)


def test_four_processes_migrate_an_empty_database_at_once(postgres_urls: Callable[[int], str]) -> None:
    assert POSTGRES_URL is not None
    with fresh_database(POSTGRES_URL) as url:
        running = [
            subprocess.Popen([sys.executable, "-c", MIGRATE, url], stderr=subprocess.PIPE, text=True) for _ in range(4)
        ]
        assert [process.communicate(timeout=60)[1] for process in running] == [""] * 4
        with psycopg.connect(url) as connection:
            names = connection.execute("select name from observations.migration").fetchall()
        assert len(names) == len(set(names)) >= 1


def test_a_read_after_the_server_was_restarted_is_answered(
    database: PostgresDatabase, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    assert database.read(ONE, 5.0) == [(1,)]
    end_others(admin)
    assert database.read(ONE, 5.0) == [(1,)]


def test_a_read_that_is_cut_off_is_refused_and_the_next_works(
    database: PostgresDatabase, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    timer = threading.Timer(1.3, end_others, (admin,))
    timer.start()
    with pytest.raises(Unavailable) as caught:
        database.read(Statement("select pg_sleep(20)", {}), 25.0)
    timer.join()
    assert caught.value.retry_after_s >= 1
    assert database.read(ONE, 5.0) == [(1,)]


def test_a_writer_that_was_cut_off_while_idle_goes_on(
    database: PostgresDatabase, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    database.begin(exclusive=False)
    database.commit()
    end_others(admin)
    tx = database.begin(exclusive=False)
    assert tx.rows("select 1") == [(1,)]
    database.commit()


def test_a_transaction_in_which_something_failed_is_never_called_committed(database: PostgresDatabase) -> None:
    tx = database.begin(exclusive=False)
    with pytest.raises(psycopg.errors.DivisionByZero):
        tx.rows("select 1 / 0")
    with pytest.raises(psycopg.OperationalError, match="rolled back"):
        database.commit()
    database.rollback()


def test_the_writer_has_time_outs(database: PostgresDatabase) -> None:
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        assert setting(database, name).endswith("s"), name
    assert setting(database, "synchronous_commit") == "on"


def test_upkeep_gives_way_to_who_holds_the_table(
    database: PostgresDatabase, admin: psycopg.Connection[tuple[object, ...]]
) -> None:
    admin.execute("set search_path = observations, public")
    # The latest month is out of sight, so that upkeep has something to make.
    name = admin.execute(
        "select max(c.relname) from pg_inherits i join pg_class c on c.oid = i.inhrelid"
        " where i.inhparent = 'observation'::regclass and c.relname like 'observation_y%'"
    ).fetchone()
    assert name is not None
    admin.execute(f"alter table {name[0]} rename to kept_aside")
    try:
        admin.execute("begin")
        admin.execute("lock table observation in access share mode")
        started = time.monotonic()
        with pytest.raises(Unavailable):
            database.maintain()
        assert time.monotonic() - started < 5.0
    finally:
        admin.execute("rollback")
        admin.execute(f"alter table kept_aside rename to {name[0]}")


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    database = PostgresDatabase(f"postgresql://lakou@127.0.0.1:{free_port()}/nothing")
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            database.read(ONE, 5.0)
        assert time.monotonic() - started < 2.0
    with pytest.raises(Unavailable, match="cannot be reached"):
        PostgresDatabase(f"postgresql://lakou@127.0.0.1:{free_port()}/nothing").migrate()


def test_what_cannot_be_committed_is_503_and_the_writer_goes_on(url: str) -> None:
    caller = emptied(url).caller()
    try:
        caller.make("/Things", bodies.station())
        body = {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1}
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("begin")
            other.execute("lock table observations.change in access exclusive mode")
            ended = threading.Timer(0.5, end_writers, (url,))
            ended.start()
            answer = caller.call("POST", "/Datastreams(1)/Observations", body)
            ended.join()
        assert (answer.status, answer.header(b"retry-after")) == (503, "1")
        assert caller.ids("/Observations") == []
        assert caller.call("POST", "/Datastreams(1)/Observations", body).status == 201
        assert len(caller.ids("/Observations")) == 1
    finally:
        caller.close()


def test_two_processes_that_get_the_same_message_answer_with_one_id(url: str) -> None:
    one, other = emptied(url).caller(), Store("postgres", url=url).caller()
    try:
        one.make("/Things", bodies.station())
        target = "/Datastreams(1)/Observations"

        def body(hour: int) -> dict[str, object]:
            return {"phenomenonTime": f"2026-01-01T{hour:02}:00:00Z", "result": hour}

        other.make(target, body(1))  # from here on it believes that nothing is later
        id_ = one.make(target, body(2))
        answer = other.call("POST", target, body(2))
        assert (answer.status, made(answer)) == (201, id_)
        rows = [[f"2026-01-01T{hour:02}:00:00Z", hour] for hour in (3, 4, 5)]
        array = [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": rows}]
        ids = [one.make(target, body(hour)) for hour in (3, 4)]
        links = other.call("POST", "/CreateObservations", array).body.decode()
        assert all(f"Observations({id_})" in links for id_ in ids)
        assert len(one.ids("/Observations")) == 5
    finally:
        one.close()
        other.close()
