"""Where the civic data lies, and who may work on a folder."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from lakou.kernel.errors import BadRequest, Conflict, Unavailable
from lakou.server.config import Config
from lakou.server.databases import civic_database, connect, migration_lock, only_server, running_server
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server


def test_sqlite_has_a_file_of_its_own_and_begins_immediately(tmp_path: Path) -> None:
    found = civic_database(Config(data_dir=tmp_path))
    assert found["NAME"] == str(tmp_path / "civic.db")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_postgres_uses_the_schema_civic_and_keeps_other_parameters(tmp_path: Path) -> None:
    url = "postgresql://me:s%40cret@db.example.org:5433/town?sslmode=require&options=-c%20statement_timeout%3D5s"
    found = civic_database(Config(data_dir=tmp_path, database_url=url))
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "me",
        "s@cret",
        "db.example.org",
        "5433",
        "town",
    )
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["options"] == "-c statement_timeout=5s -c search_path=civic,public"


def test_a_url_that_cannot_be_read_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        civic_database(Config(data_dir=tmp_path, database_url="postgresql://me:s3cret@db:port/x?nonsense=1"))
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_database_that_is_not_there_is_said_without_the_password() -> None:
    with pytest.raises(Unavailable) as caught:
        connect("postgresql://me:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_folder_has_one_server_which_others_can_find(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    with only_server(config, "http://127.0.0.1:8123"):
        assert running_server(config) == "http://127.0.0.1:8123"
        with pytest.raises(Conflict), only_server(config, ""):
            pass
        assert running_server(config) == "http://127.0.0.1:8123"
    with only_server(config, ""), pytest.raises(Unavailable):
        running_server(config)


def test_the_migration_lock_is_given_back(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)
    for _ in range(2):
        with migration_lock(config):
            pass


@pytest.mark.skipif(POSTGRES_URL is None, reason="this needs LAKOU_TEST_POSTGRES")
def test_pages_share_connections_and_go_on_when_these_were_cut(servers: Callable[[str], Server]) -> None:
    server = servers("postgres")
    assert server.database_url is not None
    # A session that is looked for and not there: each page asks the database.
    with httpx.Client(base_url=server.origin, cookies={"sessionid": "n" * 32}) as browser:

        def page(_: int) -> int:
            return browser.get("/").status_code

        with ThreadPoolExecutor(20) as many, psycopg.connect(server.database_url, autocommit=True) as admin:
            assert set(many.map(page, range(60))) == {200}
            kept = "datname = current_database() and query ilike '%django_session%' and pid <> pg_backend_pid()"
            count = admin.execute(f"select count(pg_terminate_backend(pid, 2000)) from pg_stat_activity where {kept}")  # noqa: S608
            assert (count.fetchone() or (0,))[0] >= 1
            assert set(many.map(page, range(20))) == {200}
