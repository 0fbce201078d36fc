"""What a store takes on disk and what it wrote there, asked of its database beside the running server.

SQLite: used pages, and pages by table through the virtual table `dbstat`. PostgreSQL: sizes of relations, and the
position in the write-ahead log. The number of commits comes from the change log: one entry a commit of Observations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apsw
import psycopg

from bench.loading import LoadError
from bench.places import Place

_POSTGRES = "-c search_path=observations,public"
_POSTGRES_SIZE = (
    "select coalesce(sum(pg_total_relation_size(c.oid)), 0) from pg_class c"
    " join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'observations' and c.relkind = 'r'"
)
# A partition stands under its parent's name.
_POSTGRES_PARTS = (
    "select coalesce(nullif(regexp_replace(coalesce(p.relname, c.relname), '_idx.*', ''), ''), c.relname),"
    " sum(pg_relation_size(c.oid)) from pg_class c left join pg_inherits i on i.inhrelid = c.oid"
    " left join pg_class p on p.oid = i.inhparent join pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname = 'observations' and c.relkind in ('r', 'i') group by 1"
)


def used_bytes(place: Place) -> int:
    """SQLite: the file without its free pages. PostgreSQL: all tables of the schema, indexes included."""
    if place.database_url is None:
        with _sqlite(place) as connection:
            pages = _number(connection, "pragma page_count") - _number(connection, "pragma freelist_count")
            return pages * _number(connection, "pragma page_size")
    return _ask(place.database_url, _POSTGRES_SIZE)


def parts(place: Place) -> dict[str, int]:
    """Bytes by table and index, the largest first. SQLite reads the whole file for it."""
    if place.database_url is None:
        with _sqlite(place) as connection:
            rows = list[Any](connection.execute("select name, sum(pgsize) from dbstat group by name"))
    else:
        with psycopg.connect(place.database_url, autocommit=True) as server:
            rows = list[Any](server.execute(_POSTGRES_PARTS))
    found: dict[str, int] = {name: int(size) for name, size in rows}
    return dict(sorted(found.items(), key=lambda part: -part[1]))


def logged_commits(place: Place) -> int:
    """Entries that the change log has ever had; of Observations, each is the range of one commit."""
    statement = "select coalesce(max(seq), 0) from change"
    if place.database_url is None:
        with _sqlite(place) as connection:
            return _number(connection, statement)
    return _ask(place.database_url, statement)


def wal_position(url: str) -> int:
    """Bytes that PostgreSQL has ever put into its write-ahead log, all databases together."""
    return _ask(url, "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")


@contextmanager
def _sqlite(place: Place) -> Iterator[apsw.Connection]:
    try:
        connection = apsw.Connection(str(place.data_dir / "observations.db"))
    except apsw.Error as error:
        raise LoadError(f"The store cannot be read: {error}") from error
    try:
        connection.set_busy_timeout(5_000)
        connection.execute("pragma query_only = on")
        yield connection
    except apsw.Error as error:
        raise LoadError(f"The store cannot be asked: {error}") from error
    finally:
        connection.close()


def _number(connection: apsw.Connection, statement: str) -> int:
    (value,) = connection.execute(statement).fetchone() or (0,)
    return int(str(value))


def _ask(url: str, statement: str) -> int:
    try:
        with psycopg.connect(url, autocommit=True, options=_POSTGRES) as connection:
            row: Any = connection.execute(statement.encode()).fetchone()
    except psycopg.Error as error:
        raise LoadError(f"PostgreSQL cannot be asked: {error}") from error
    return int(row[0])
