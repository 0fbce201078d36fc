"""What `lakou check` looks at: a table of checks, each with a name and a function that gives its findings.

A check that cannot be made is *unknown*, never sound. All of it reads only and may run beside a working server.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, cast

import apsw
import psycopg

from lakou.identity.journal import chain
from lakou.kernel.errors import LakouError
from lakou.sensorthings.store import soundness as store
from lakou.server import databases
from lakou.server.backup import postgres, sqlite
from lakou.server.config import Config

State = Literal["sound", "damaged", "unknown"]
SHOWN_PROBLEMS = 10


class Finding(NamedTuple):
    """One result: what was looked at, how it is, and what is wrong with it or why it is unknown."""

    name: str
    state: State
    details: tuple[str, ...] = ()


class Examination(NamedTuple):
    """One line of the table: which databases it is for, what is told while it runs, and the function."""

    database: Literal["sqlite", "postgres", "both"]
    title: str
    run: Callable[[Config, bool], Iterator[Finding]]


def files(config: Config, full: bool) -> Iterator[Finding]:
    """Every page of both files, their indexes and references."""
    for name in sqlite.FILES.values():
        problems = _file_problems(config, name)
        yield Finding(name, "damaged" if problems else "sound", tuple(problems[:SHOWN_PROBLEMS]))


def _file_problems(config: Config, name: str) -> list[str]:
    path = config.data_dir / name
    if not path.exists():
        return ["the file is missing"]
    try:
        with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(5000)
            found = [str(row[0]) for row in connection.execute("pragma integrity_check")]
            found += [f"broken reference in {row[0]}" for row in connection.execute("pragma foreign_key_check")]
    except apsw.Error as error:
        return [f"cannot be read ({type(error).__name__})"]
    return [line for line in found if line != "ok"]


def pages(config: Config, full: bool) -> Iterator[Finding]:
    """PostgreSQL's own check of its tables and indexes, where its program and extension are."""
    subject = "Pages of the tables (pg_amcheck)"
    assert config.database_url is not None  # noqa: S101
    with databases.connect(config.database_url) as connection:
        major = connection.info.server_version // 10_000
        there = connection.execute("select 1 from pg_extension where extname = 'amcheck'").fetchone()
    if there is None:
        yield Finding(subject, "unknown", ("as superuser: create extension amcheck",))
        return
    program = postgres.program_for("pg_amcheck", major)
    schemas = [word for schema in postgres.SCHEMAS for word in ("--schema", schema)]
    depth = ["--heapallindexed"] if full else []
    command, environment = postgres.command_for(config.database_url, [str(program), *schemas, *depth])
    # This program alone takes the database as an argument.
    command[1] = command[1].removeprefix("--dbname=")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode == 0:
        yield Finding(subject, "sound")
    elif done.returncode == 2:
        lines = done.stdout.strip().splitlines()
        yield Finding(subject, "damaged", tuple(lines[:SHOWN_PROBLEMS]))
    else:
        yield Finding(subject, "unknown", tuple(done.stderr.strip().splitlines()[:1]))


def contents(config: Config, full: bool) -> Iterator[Finding]:
    """The questions of the store's own table."""
    with _asking(config) as (dialect, ask):
        for check in store.CHECKS:
            if check.only in (None, dialect):
                yield _content(ask, check, full)


JOURNAL_ROWS = (
    "select seq, at_us, act, outcome, actor_kind, actor_id, actor_name, organisation, subject, address, detail, hash "
    "from identity_journalrow order by seq"
)


def journal(config: Config, full: bool) -> Iterator[Finding]:
    """The chain of the journal, row by row; others may append meanwhile."""
    with _asking_civic(config) as ask:
        ((highest,),) = ask("select coalesce(max(seq), 0) from identity_journalrow")
        ((count, digest),) = ask("select count, hash from identity_journalhead")
        rows = itertools.takewhile(lambda row: row[0] <= count, ask(JOURNAL_ROWS))
        flaw = chain.first_flaw(rows, chain.Head(count, digest))
    if flaw is None and highest > count:
        flaw = chain.Flaw(count + 1, "stands beyond the head")
    yield Finding("Journal", "damaged", (f"row {flaw.seq} {flaw.what}",)) if flaw else Finding("Journal", "sound")


@contextlib.contextmanager
def _asking_civic(config: Config) -> Iterator[Callable[[str], Iterable[Any]]]:
    if config.database_url is not None:
        with databases.connect(config.database_url) as connection:
            connection.execute("set search_path = civic")
            yield cast(Any, connection).execute
        return
    path = config.data_dir / sqlite.CIVIC
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.set_busy_timeout(5000)
        yield connection.execute


def _content(ask: store.Ask, check: store.Check, full: bool) -> Finding:
    try:
        count = store.count_wrong(ask, check, full=full)
    except (apsw.CorruptError, apsw.NotADBError, psycopg.errors.DataCorrupted) as error:
        return Finding(check.name, "damaged", (f"cannot be read ({type(error).__name__})",))
    except (apsw.Error, psycopg.Error) as error:
        return Finding(check.name, "unknown", (type(error).__name__,))
    return Finding(check.name, "damaged", (f"{count} {check.wrong}",)) if count else Finding(check.name, "sound")


@contextlib.contextmanager
def _asking(config: Config) -> Iterator[tuple[str, store.Ask]]:
    if config.database_url is not None:
        with databases.connect(config.database_url) as connection:
            yield "postgres", store.ask_postgres(connection)
        return
    path = config.data_dir / sqlite.OBSERVATIONS
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        connection.set_busy_timeout(5000)
        yield "sqlite", store.ask_sqlite(connection)


EXAMINATIONS: tuple[Examination, ...] = (
    Examination("sqlite", "Verifying the files", files),
    Examination("postgres", "Verifying the tables", pages),
    Examination("both", "Comparing what is stored", contents),
    Examination("both", "Following the journal", journal),
)


def examine(config: Config, *, full: bool, told: Callable[[str], Any]) -> Iterator[Finding]:
    """Run every examination of this configuration's database; one that fails is a finding too."""
    kind = "postgres" if config.is_postgres else "sqlite"
    for examination in EXAMINATIONS:
        if examination.database not in ("both", kind):
            continue
        told(examination.title)
        try:
            yield from examination.run(config, full)
        except LakouError as error:
            yield Finding(examination.title, "unknown", (error.message, *((error.hint,) if error.hint else ())))
        except (apsw.Error, psycopg.Error, OSError) as error:
            yield Finding(examination.title, "unknown", (f"could not be looked at ({type(error).__name__})",))
