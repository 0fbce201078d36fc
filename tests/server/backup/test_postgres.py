"""PostgreSQL's own programs: found, fitting, never told the password; restores go into empty databases only."""

from pathlib import Path

import psycopg
import pytest

from lakou.kernel.errors import Conflict, Unavailable
from lakou.server.backup import postgres
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, fresh_database
from tests.server.test_cli import lakou

pytestmark = pytest.mark.slow

needs_postgres = pytest.mark.skipif(POSTGRES_URL is None, reason="this needs LAKOU_TEST_POSTGRES")


def told(what: str, done: int, total: int) -> None:
    """Nobody looks at the progress here."""


def program(folder: Path, version: str) -> Path:
    """A program that only tells its version."""
    folder.mkdir()
    path = folder / "pg_dump"
    path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version} (Debian {version}-1)'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def only_these(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(postgres, "_PLACES", ())
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}:{tmp_path / 'c'}:/bin")
    return tmp_path


def test_the_program_of_the_servers_version_is_taken_else_the_next_above(only_these: Path) -> None:
    program(only_these / "a", "17.2")
    fitting = program(only_these / "b", "15.9")
    program(only_these / "c", "14.1")
    assert postgres.program_for("pg_dump", 15) == fitting
    assert postgres.program_for("pg_dump", 16) == only_these / "a" / "pg_dump"


def test_a_program_that_is_too_old_or_missing_is_told_with_its_package(only_these: Path) -> None:
    with pytest.raises(Unavailable, match="not installed") as missing:
        postgres.program_for("pg_dump", 15)
    assert missing.value.hint == "Debian: apt-get install postgresql-client-15"
    program(only_these / "a", "14.1")
    with pytest.raises(Unavailable, match="pg_dump 14 is too old"):
        postgres.program_for("pg_dump", 15)


def test_a_failing_program_is_told_without_the_password() -> None:
    with pytest.raises(Unavailable) as caught:
        postgres._run("postgresql://me:s3cret@127.0.0.1:1/x", ["pg_dump"])
    assert "failed" in caught.value.message
    assert "s3cret" not in str(caught.value.body())


def test_the_password_is_not_among_the_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "pg_dump"
    script.write_text('#!/bin/sh\necho "$@" PGPASSWORD=$PGPASSWORD\n')
    script.chmod(0o755)
    said = postgres._run("postgresql://me:s3cret@127.0.0.1:1/x", [str(script)])
    arguments, _, environment = said.partition(" PGPASSWORD=")
    assert "s3cret" not in arguments
    assert "port=1" in arguments
    assert environment.strip() == "s3cret"


@needs_postgres
def test_an_archive_is_tried_in_a_database_that_is_dropped_again(server: Server, tmp_path: Path) -> None:
    if server.database_url is None:
        pytest.skip("this is about PostgreSQL")
    place = ["--data", str(server.data), "--database-url", server.database_url]
    made = lakou("backup", str(tmp_path), *place, "--with-secrets")
    assert made.returncode == 0, made.stderr
    folder = made.stdout.splitlines()[-1]
    tried = lakou("restore", folder, "--verify", "--database-url", server.database_url)
    assert (tried.returncode, "can be served" in tried.stderr) == (0, True), tried.stderr
    unsure = lakou("restore", folder, "--verify")
    assert (unsure.returncode, "was not tried" in unsure.stderr) == (0, True), unsure.stderr
    over = lakou("restore", folder, "--data", str(tmp_path / "new"), "--database-url", server.database_url)
    assert (over.returncode, "not empty" in over.stderr) == (3, True), over.stderr
    assert not (tmp_path / "new" / "secrets.json").exists()
    assert POSTGRES_URL is not None
    with fresh_database(POSTGRES_URL) as url:
        there = ["--data", str(tmp_path / "other"), "--database-url", url]
        done = lakou("restore", folder, *there)
        assert done.returncode == 0, done.stderr
        assert "backup.restored" in lakou("audit", "list", "--last", "1", *there).stdout
        assert lakou("audit", "verify", *there).returncode == 0
    with psycopg.connect(server.database_url) as connection:
        left = connection.execute("select count(*) from pg_database where datname like 'lakou_verify%'").fetchone()
    assert left == (0,)


@needs_postgres
def test_a_database_without_our_tables_is_not_backed_up() -> None:
    assert POSTGRES_URL is not None
    with fresh_database(POSTGRES_URL) as url:
        done = lakou("backup", "--database-url", url, "--data", "/nonexistent/lakou")
    assert done.returncode in (3, 4), done.stderr
    assert "Traceback" not in done.stderr


@needs_postgres
def test_a_dump_that_is_none_leaves_the_database_empty(tmp_path: Path) -> None:
    assert POSTGRES_URL is not None
    (tmp_path / "lakou.dump").write_bytes(b"no dump")
    with fresh_database(POSTGRES_URL) as url:
        with pytest.raises(Unavailable, match="as empty as before"):
            postgres.restore(url, tmp_path / "lakou.dump", told)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create schema civic")
        with pytest.raises(Conflict, match="schema civic"):
            postgres.restore(url, tmp_path / "lakou.dump", told)


def test_the_url_of_another_database_keeps_user_and_options() -> None:
    url = "postgresql://me:s3cret@db:5432/lakou?sslmode=require"
    assert postgres.make_conninfo_url(url, "other") == "postgresql://me:s3cret@db:5432/other?sslmode=require"
