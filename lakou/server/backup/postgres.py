"""Both schemas of a PostgreSQL database in one snapshot, by PostgreSQL's own `pg_dump` and `pg_restore`.

The snapshot is exported by a transaction of ours, which also counts the rows: the manifest and the dump see the same.
The programs get the password through their environment, never through their arguments, which every user can read.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lakou.kernel.errors import Conflict, LakouError, NotFound, Unavailable
from lakou.sensorthings.store import inventory, transplant
from lakou.sensorthings.store.inventory import Inventory
from lakou.server import databases
from lakou.server.backup.files import Told, sync

DUMP = "lakou.dump"
SCHEMAS = ("observations", "civic")
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")


def dump(url: str, draft: Path, told: Told) -> dict[str, Inventory]:
    """Dump both schemas into `draft` and count them in the same snapshot.

    Raises NotFound when there is nothing of Lakou's, Unavailable when the program is missing, too old or fails.
    """
    with databases.connect(url) as connection:
        program = program_for("pg_dump", connection.info.server_version // 10_000)
        connection.execute("begin isolation level repeatable read read only")
        snapshot = (connection.execute("select pg_export_snapshot()").fetchone() or ("",))[0]
        found = {schema: inventory.of_postgres(connection, schema) for schema in SCHEMAS}
        if not all(held.rows for held in found.values()):
            raise NotFound("This database holds nothing of Lakou's", place="LAKOU_DATABASE_URL", hint="lakou migrate")
        told(f"Dumping with {program.name}", 0, 0)
        wanted = [word for schema in SCHEMAS for word in ("--schema", schema)]
        target = draft / DUMP
        target.touch(mode=0o640)
        _run(url, [str(program), "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", *wanted,
                   f"--file={target}"])  # fmt: skip
        connection.execute("rollback")
    sync(target)
    return found


def restore(url: str, file: Path, told: Told) -> dict[str, Inventory]:
    """Restore a dump into an empty database, whole or not at all; the inventories of what is there then.

    Raises Conflict when the database holds anything of Lakou's, Unavailable when the program is missing or fails.
    """
    with databases.connect(url) as connection:
        program = program_for("pg_restore", connection.info.server_version // 10_000)
        _must_be_empty(connection)
        _make_postgis(connection)
    told(f"Restoring with {program.name}", 0, 0)
    _run(url, [str(program), "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(file)],
         into=True)  # fmt: skip
    with databases.connect(url) as connection:
        found = {schema: inventory.of_postgres(connection, schema) for schema in SCHEMAS}
        transplant.renumber_changes(connection)
        connection.execute("analyze")
    return found


def read_list(file: Path) -> int:
    """The entries of a dump's table of contents: all that can be verified without a server. Raises Unavailable."""
    program = program_for("pg_restore", 0)
    listed = _run(None, [str(program), "--list", str(file)])
    return sum(1 for line in listed.splitlines() if line and not line.startswith(";"))


@contextlib.contextmanager
def passing_database(url: str) -> Iterator[str]:
    """A new empty database on the same server, dropped at the end: a place to try a restore. Raises Unavailable."""
    name = f"lakou_verify_{uuid.uuid4().hex[:12]}"
    with databases.connect(url) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege:
            raise Unavailable(
                "This user may not create the database in which the archive is tried",
                place="LAKOU_DATABASE_URL",
                hint="alter role NAME createdb, or give --database-url of a server where it may",
            ) from None
    try:
        yield make_conninfo_url(url, name)
    finally:
        with databases.connect(url) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def make_conninfo_url(url: str, database: str) -> str:
    """The same server, user and options with another database."""
    head, mark, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/{database}{mark}{query}"


def program_for(name: str, major: int) -> Path:
    """The PostgreSQL program of the server's major version, else of the next one above. Raises Unavailable."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += [found for place in _PLACES for found in Path("/").glob(place.lstrip("/"))]
    seen: dict[int, Path] = {}
    for folder in folders:
        program = folder / name
        if os.access(program, os.X_OK) and not _is_wrapper(program):
            seen.setdefault(_major(program), program)
    fitting = sorted(version for version in seen if version >= major)
    if fitting:
        return seen[fitting[0]]
    if seen:
        text = f"{name} {max(seen)} is too old for this server, which is PostgreSQL {major}"
    else:
        text = f"{name} is not installed here"
    wanted = major or "NN"
    raise Unavailable(text, place=name, hint=f"Debian: apt-get install postgresql-client-{wanted}", code="no_program")


def _is_wrapper(program: Path) -> bool:
    """Debian's /usr/bin programs choose a version by a cluster's name, which is not what is wanted here."""
    return "postgresql-common" in str(program.resolve())


def _major(program: Path) -> int:
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=10, check=False).stdout  # noqa: S603
    found = re.search(r"\s(\d+)", said)
    return int(found[1]) if found else -1


def _run(url: str | None, command: list[str], *, into: bool = False) -> str:
    """Run a program of PostgreSQL to its end. Raises Unavailable with its own first words, never with the password."""
    command, environment = command_for(url, command)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode != 0:
        raise _failed(Path(command[0]).name, done.stderr, into=into)
    return done.stdout


def command_for(url: str | None, command: list[str]) -> tuple[list[str], dict[str, str]]:
    """The command with the database as its option, and the environment that holds the password."""
    environment = {**os.environ, "PGCONNECT_TIMEOUT": str(databases.CONNECT_TIMEOUT_S), "LC_ALL": "C"}
    if url is not None:
        parts: dict[str, Any] = conninfo_to_dict(url)
        password = parts.pop("password", None)
        if password is not None:
            environment["PGPASSWORD"] = str(password)
        command = [command[0], f"--dbname={make_conninfo('', **parts)}", *command[1:]]
    return command, environment


def _failed(program: str, said: str, *, into: bool) -> LakouError:
    lines = [line for line in said.strip().splitlines() if "error" in line.lower()] or said.strip().splitlines()
    text = (lines or ["no reason given"])[0].removeprefix(f"{program}: error: ")[:300]
    if "No space left" in said:
        return Unavailable(
            "The disk is full; nothing was left behind", place=program, hint="free some room, or another disk"
        )
    left = "; nothing was left behind" if not into else "; the database is as empty as before"
    return Unavailable(f"{program} failed: {text}{left}", place=program, hint="the server's log may say more")


def _must_be_empty(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "select nspname from pg_namespace where nspname = any(%s) order by nspname", (list(SCHEMAS),)
    ).fetchone()
    if row is not None:
        raise Conflict(
            f"The database is not empty: it has the schema {row[0]}",
            place="LAKOU_DATABASE_URL",
            hint="create an empty one: createdb NAME; a running site is never overwritten",
        )


def _make_postgis(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.execute("create extension if not exists postgis schema public")
    except psycopg.Error as error:
        raise Unavailable(
            "PostGIS cannot be enabled in this database",
            place="LAKOU_DATABASE_URL",
            hint="install the server's PostGIS package; as superuser: create extension postgis (to try: in template1)",
            code="postgis",
        ) from error
