"""Where the civic data lies, and the locks that keep two processes from doing one thing at a time.

SQLite: `civic.db` in the data folder. PostgreSQL: schema `civic`, found through the search path.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from lakou.kernel.errors import BadRequest, Conflict, Unavailable
from lakou.server.config import Config

CIVIC_SCHEMA = "civic"
# One number for the site's migrations, taken from the letters of "lakou".
MIGRATION_LOCK = 0x6C616B6F75
CONNECT_TIMEOUT_S = 5
SERVER_LOCK = "server.lock"
CIVIC_POOL = {"min_size": 0, "max_size": 16, "timeout": 3.0, "reconnect_timeout": 1.0, "max_idle": 300.0}
"""Of a server: each request of a page runs on a thread of its own, and to connect takes longer than to answer.

None is kept while nobody asks. While PostgreSQL is away a page waits for `timeout`, then it is refused.
"""


def civic_database(config: Config) -> dict[str, Any]:
    """Django's description of the civic database. Raises BadRequest when the database URL cannot be read."""
    if config.database_url is None:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(config.data_dir / "civic.db"),
            "OPTIONS": {
                # Without IMMEDIATE a read that turns into a write fails at once under load (measured: 222 of 300).
                "transaction_mode": "IMMEDIATE",
                "timeout": 10,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            },
        }
    try:
        parts = conninfo_to_dict(config.database_url)
    except psycopg.Error as error:
        raise BadRequest(
            "The database URL cannot be read",
            place="LAKOU_DATABASE_URL",
            hint="postgresql://user:password@host:5432/name",
            code="configuration",
        ) from error
    parts.setdefault("connect_timeout", CONNECT_TIMEOUT_S)
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    settings = {django: str(parts.pop(name)) for name, django in named.items() if name in parts}
    options = str(parts.pop("options", "") or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        **settings,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**parts, "options": f"{options} -c search_path={CIVIC_SCHEMA},public".strip()},
    }


def share_connections() -> None:
    """The threads of this process share connections to the civic schema of PostgreSQL from now on. Needs Django."""
    from django.db import connections

    connections.settings["default"]["OPTIONS"]["pool"] = CIVIC_POOL


def close_shared() -> None:
    """Close the connections that are shared, if any: nobody asks any more."""
    from django.db import connection

    if (close := getattr(connection, "close_pool", None)) is not None:
        close()


def make_civic_schema(database_url: str) -> None:
    """Create the schema of the civic tables where it is missing."""
    with connect(database_url) as connection:
        connection.execute(f"create schema if not exists {CIVIC_SCHEMA}")


def connect(database_url: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection of its own in autocommit. Raises Unavailable, without the URL (it holds a password)."""
    try:
        return psycopg.connect(database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.Error as error:
        raise Unavailable(
            "PostgreSQL cannot be reached: " + _first_line(error),
            place="LAKOU_DATABASE_URL",
            hint="is it running, does the database exist, are user and password right? lakou doctor tells more",
        ) from error


@contextlib.contextmanager
def migration_lock(config: Config) -> Iterator[None]:
    """Only one process of a site migrates; the others wait for it."""
    if config.database_url is not None:
        with connect(config.database_url) as connection:
            connection.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
            yield  # closing the connection gives the lock back
    else:
        with _lock_file(config, "migrate.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def only_server(config: Config, address: str) -> Iterator[None]:
    """Refuse a second server on the same SQLite folder: its observations have exactly one writer.

    `address` is left in the lock for commands that want to ask this server. Raises Conflict naming the
    process that holds it. On PostgreSQL many servers are welcome.
    """
    if config.database_url is not None:
        yield
        return
    with _lock_file(config, SERVER_LOCK) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another lakou works on this data folder (process {(file.read().split() or ['unknown'])[0]})",
                place="LAKOU_DATA",
                hint="stop it first, or give another folder: --data DIR",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()} {address}")
        file.flush()
        yield


def running_server(config: Config) -> str:
    """The address of the server that holds this data folder. Raises Unavailable when it has left none."""
    words = (config.data_dir / SERVER_LOCK).read_text(encoding="ascii").split()
    if len(words) != 2:
        raise Unavailable("Another command works on this data folder", place="LAKOU_DATA", hint="try again in a moment")
    return words[1]


def _lock_file(config: Config, name: str) -> IO[str]:
    """The lock file, open for reading and writing at its beginning, its content kept."""
    try:
        return os.fdopen(os.open(config.data_dir / name, os.O_RDWR | os.O_CREAT, 0o640), "r+", encoding="ascii")
    except OSError as error:
        raise Unavailable(
            f"The data folder cannot be used: {error.strerror}",
            place="LAKOU_DATA",
            hint="give a folder that this user may write: --data DIR",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0][:200]
