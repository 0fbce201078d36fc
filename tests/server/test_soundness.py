"""`lakou check` beside the running product: a list that is sound, damaged or unknown, also as JSON."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from lakou.server import soundness
from lakou.server.config import Config
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, fresh_database
from tests.server.test_cli import lakou


def place(server: Server) -> list[str]:
    url = ["--database-url", server.database_url] if server.database_url else []
    return ["--data", str(server.data), *url]


def test_a_working_store_is_sound_while_the_server_runs(server: Server, api: Api) -> None:
    thing = api.create("Things", make.station(Datastreams=[make.datastream()]))
    [stream] = api.value(f"Things({key(thing)})/Datastreams")
    assert api.post(f"Datastreams({key(stream)})/Observations", {"result": 1}).status_code == 201
    done = lakou("check", "--json", *place(server))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["sound"] is True
    assert found["counts"]["Observations"] >= 1
    states = {check["name"]: check["state"] for check in found["checks"]}
    unsure = {name for name, state in states.items() if state != "sound"}
    assert unsure <= {"Pages of the tables (pg_amcheck)"}
    assert len(states) > 8
    config = Config(data_dir=server.data, database_url=server.database_url)
    in_full = {finding.name: finding.state for finding in soundness.examine(config, full=True, told=str)}
    assert in_full == states


def test_a_damaged_page_makes_the_exit_code_1_and_is_named(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path)]
    assert lakou("migrate", *data).returncode == 0
    for log in tmp_path.glob("*-wal"):
        log.unlink()
    path = tmp_path / "observations.db"
    content = bytearray(path.read_bytes())
    content[4096 * 4 : 4096 * 5] = b"\xff" * 4096
    path.write_bytes(content)
    done = lakou("check", "--json", *data)
    assert done.returncode == 1, done.stdout
    found = json.loads(done.stdout)
    assert (found["sound"], found["counts"]) == (False, {})
    assert {check["name"]: check["state"] for check in found["checks"]}["observations.db"] == "damaged"


def test_what_cannot_be_looked_at_is_unknown_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "civic.db").write_bytes(b"")
    found = list(soundness.examine(Config(data_dir=tmp_path), full=False, told=print))
    states = {finding.name: finding.state for finding in found}
    assert states == {
        "observations.db": "damaged",
        "civic.db": "sound",
        "Comparing what is stored": "unknown",
        "Following the journal": "unknown",
    }


def test_a_row_of_the_journal_that_was_changed_is_found(server: Server) -> None:
    config = Config(data_dir=server.data, database_url=server.database_url)
    assert [one.state for one in soundness.journal(config, False)] == ["sound"]
    change = "update {}identity_journalrow set subject = {} where seq = 1"
    with without_guards(server) as run:
        (before,) = run("select subject from {}identity_journalrow where seq = 1")[0]
        run(change.format("{}", "'another'"))
        assert [(one.state, one.details) for one in soundness.journal(config, False)] == [
            ("damaged", ("row 1 was changed, or a row before it was put elsewhere",))
        ]
        run(change.format("{}", f"'{before}'"))
    assert [one.state for one in soundness.journal(config, False)] == ["sound"]


@contextlib.contextmanager
def without_guards(server: Server) -> Iterator[Callable[[str], list[tuple[str, ...]]]]:
    """As somebody who owns the database and goes round the triggers."""
    if server.database_url is None:
        with contextlib.closing(sqlite3.connect(server.data / "civic.db", isolation_level=None)) as file:
            query = "select name, sql from sqlite_master where type = 'trigger' and tbl_name like '%journal%'"
            triggers = list(file.execute(query))
            for name, _ in triggers:
                file.execute(f"drop trigger {name}")
            yield lambda text: list(file.execute(text.format("")))
            for _, text in triggers:
                file.execute(text)
    else:
        with psycopg.connect(server.database_url, autocommit=True) as connection:
            connection.execute("alter table civic.identity_journalrow disable trigger all")

            def run(text: str) -> list[tuple[str, ...]]:
                done = connection.execute(text.format("civic."))
                return done.fetchall() if done.description else []

            yield run
            connection.execute("alter table civic.identity_journalrow enable trigger all")


@pytest.mark.skipif(POSTGRES_URL is None, reason="this needs LAKOU_TEST_POSTGRES")
def test_pages_of_postgresql_are_looked_at_where_its_extension_is() -> None:
    assert POSTGRES_URL is not None
    with fresh_database(POSTGRES_URL) as url:
        config = Config(data_dir=Path("/nonexistent"), database_url=url)
        [unsure] = soundness.pages(config, False)
        assert (unsure.state, unsure.details) == ("unknown", ("as superuser: create extension amcheck",))
        with psycopg.connect(url, autocommit=True) as connection:
            if not connection.execute("select 1 from pg_available_extensions where name = 'amcheck'").fetchone():
                pytest.skip("amcheck is not installed here")
            connection.execute("create extension amcheck; create schema observations; create schema civic")
            connection.execute(
                "create table observations.t (id integer primary key); create table civic.t (id integer)"
            )
        [found] = soundness.pages(config, True)
        assert found.state == "sound", found
