"""Where stores lie while they are measured: folders for SQLite, databases for PostgreSQL.

A *template* is a filled store that is never served: each measurement works on a copy of it, and a template can be
kept for the next run (BENCH_CACHE).
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

MARK = "complete"
MOST_READ = 2 * 1024**3


class Place(NamedTuple):
    """The data folder of a server, and its PostgreSQL database if it has one."""

    data_dir: Path
    database_url: str | None = None


class Home(Protocol):
    """All places of one kind of database."""

    name: str

    def template(self, key: str) -> tuple[Place, bool]:
        """The template of that key, and whether it is complete; an incomplete one is empty."""
        ...

    def complete(self, key: str) -> None:
        """Mark a template as complete."""
        ...

    def copy(self, key: str, name: str) -> Place:
        """A copy of a complete template, to be served; `name` is free to choose."""
        ...

    def drop(self, place: Place) -> None:
        """Remove a copy."""
        ...

    def close(self) -> None:
        """Remove what is not kept."""
        ...


class Folders:
    """SQLite: a folder holds a store."""

    name = "SQLite"

    def __init__(self, work: Path, cache: Path | None) -> None:
        self._work = work
        self._templates = cache or work

    def _folder(self, key: str) -> Path:
        return self._templates / f"sqlite-{key}"

    def template(self, key: str) -> tuple[Place, bool]:
        folder = self._folder(key)
        done = (folder / MARK).exists()
        if not done:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return Place(folder), done

    def complete(self, key: str) -> None:
        (self._folder(key) / MARK).touch()

    def copy(self, key: str, name: str) -> Place:
        place = Place(self._work / name)
        place.data_dir.mkdir(parents=True)
        for file in self._folder(key).glob("observations.db*"):
            # cp shares blocks where the file system can, which a copy by hand does not.
            subprocess.run(["cp", "--reflink=auto", str(file), str(place.data_dir)], check=True)
        for file in place.data_dir.iterdir():
            _read_page_by_page(file)
        return place

    def empty(self, name: str) -> Place:
        """A place for a server to make its own store in."""
        place = Place(self._work / name)
        place.data_dir.mkdir(parents=True)
        return place

    def drop(self, place: Place) -> None:
        shutil.rmtree(place.data_dir, ignore_errors=True)

    def close(self) -> None: ...


def _read_page_by_page(file: Path) -> None:
    """Bring a file to the disk and into memory in single pages, up to `MOST_READ` bytes of it.

    A copy leaves its pages there in large folios, of which the kernel counts all as written when one is (measured: ten
    times too much). Then reads are not measured against a cold disk either.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        for at in range(0, min(os.fstat(descriptor).st_size, MOST_READ), mmap.PAGESIZE):
            os.pread(descriptor, mmap.PAGESIZE, at)
    finally:
        os.close(descriptor)


class Schemas:
    """PostgreSQL: a database of the server holds a store; the account must be allowed to create databases."""

    name = "PostgreSQL"

    def __init__(self, url: str, work: Path, cache: Path | None) -> None:
        self._url = url
        self._work = work
        self._cache = cache
        self._made: list[str] = []

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(n) for n in names)))

    def _place(self, name: str, folder: Path | None = None) -> Place:
        return Place((folder or self._work) / name, url_of(self._url, name))

    def _template(self, key: str) -> str:
        # Two runs at once share only what is kept.
        return f"lakou_bench_{key}" if self._cache is not None else f"lakou_bench_{key}_{os.getpid()}"

    def template(self, key: str) -> tuple[Place, bool]:
        name = self._template(key)
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(
                "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (name,)
            ).fetchone()
        if row is not None and row[0] == MARK:
            return self._place(name, self._cache), True
        self._run("drop database if exists {} with (force)", name)
        self._run("create database {}", name)
        if self._cache is None:
            self._made.append(name)
        return self._place(name, self._cache), False

    def complete(self, key: str) -> None:
        self._run(f"comment on database {{}} is '{MARK}'", self._template(key))

    def copy(self, key: str, name: str) -> Place:
        database = f"lakou_bench_{name}_{os.getpid()}".replace("-", "_")
        self._run("drop database if exists {} with (force)", database)
        # Not through the log, which is slow and would be written while something is measured.
        self._run("create database {} template {} strategy file_copy", database, self._template(key))
        self._made.append(database)
        place = self._place(database)
        place.data_dir.mkdir(parents=True, exist_ok=True)
        return place

    def drop(self, place: Place) -> None:
        name = str(conninfo_to_dict(place.database_url or "")["dbname"])
        self._run("drop database if exists {} with (force)", name)
        shutil.rmtree(place.data_dir, ignore_errors=True)

    def close(self) -> None:
        for name in self._made:
            self._run("drop database if exists {} with (force)", name)


def url_of(url: str, database: str) -> str:
    """The same server's URL for another database."""
    parts = conninfo_to_dict(url)
    who = f"{parts.get('user', '')}:{parts.get('password', '')}@" if parts.get("user") else ""
    return f"postgresql://{who}{parts.get('host', '127.0.0.1')}:{parts.get('port', 5432)}/{database}"
