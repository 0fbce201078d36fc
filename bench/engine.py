"""The raw engine: the same rows in the same order, as durable, and nothing of the product around it.

What it inserts into is a plain table with the columns of an Observation that can answer by Datastream and time and by
id: on SQLite clustered by (datastream_id, time_start, id) with a unique index on id, on PostgreSQL with these two as
primary key and index. Beside it, to tell only: a table found by nothing but its row number. SQLite: apsw's
executemany in transactions of a request's size, with the pragmas of the store. PostgreSQL: binary COPY. Rows are ready
before the clock starts; it runs for statements and commits only.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import apsw
import psycopg

from bench.dataset import Dataset
from bench.places import Place
from lakou.sensorthings.model import ResultType
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

Table = Literal["indexed", "appended"]
TRANSACTION_ROWS = 1_000
_FIRST_ID = 1_000_000_000
_SQLITE_TYPES = (
    "integer not null", "integer not null", "integer not null", "integer", "integer", "integer", "integer",
    "integer not null", "real", "integer", "text", "text", "text", "text", "integer not null", "integer",
)  # fmt: skip
_POSTGRES_TYPES = (
    "int8", "timestamptz", "int8", "timestamptz", "timestamptz", "timestamptz", "timestamptz", "int2", "float8",
    "bool", "text", "text", "text", "text", "int8", "int8",
)  # fmt: skip
_KEY = "primary key (datastream_id, time_start, id)"
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _columns(types: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {type_}" for name, type_ in zip(OBSERVATION_COLUMNS, types, strict=True))


class SQLiteEngine:
    """A file of its own beside the stores; `rate` may be asked again and goes on with new rows."""

    def __init__(self, place: Place, dataset: Dataset, start_s: int, table: Table, together: int) -> None:
        self._batches = _batches(dataset, start_s, together)
        self._connection = apsw.Connection(str(place.data_dir / f"raw-{table}-{together}.db"))
        self._connection.execute("pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -65536")
        self._connection.execute("pragma wal_autocheckpoint = 4000")
        plain = _columns(_SQLITE_TYPES)
        if table == "indexed":
            self._connection.execute(f"create table raw ({plain}, {_KEY}) without rowid")
            self._connection.execute("create unique index raw_id on raw (id)")
        else:
            self._connection.execute(f"create table raw ({plain})")
        places = ", ".join("?" * len(OBSERVATION_COLUMNS))
        self._insert = f"insert into raw ({_COLUMNS}) values ({places})"  # noqa: S608  fixed names

    def rate(self, seconds: float) -> float:
        """Observations a second over so many seconds of inserting."""
        spent, rows = 0.0, 0
        while spent < seconds:
            batch = next(self._batches)
            begun = time.perf_counter()
            self._connection.execute("begin immediate")
            self._connection.executemany(self._insert, batch)
            self._connection.execute("commit")
            spent += time.perf_counter() - begun
            rows += len(batch)
        return rows / spent

    def close(self) -> None:
        """Leave the file, so that it can be removed."""
        self._connection.close()


class PostgresEngine:
    """A table of its own in the database of a store; `rate` may be asked again and goes on with new rows."""

    def __init__(self, url: str, dataset: Dataset, start_s: int, table: Table, together: int) -> None:
        self._batches = _batches(dataset, start_s, together)
        options = "-c search_path=public -c timezone=UTC -c synchronous_commit=on"
        self._connection: psycopg.Connection[Any] = psycopg.connect(url, autocommit=True, options=options)
        key = f", {_KEY}" if table == "indexed" else ""
        name = f"raw_{table}_{together}"
        self._connection.execute(f"create table {name} ({_columns(_POSTGRES_TYPES)}{key})".encode())
        if table == "indexed":
            self._connection.execute(f"create unique index on {name} (id)".encode())
        self._copy = f"copy {name} ({_COLUMNS}) from stdin (format binary)".encode()

    def rate(self, seconds: float) -> float:
        """Observations a second over so many seconds of inserting."""
        spent, rows = 0.0, 0
        with self._connection.cursor() as cursor:
            while spent < seconds:
                batch = next(self._batches)
                for row in batch:
                    row[1] = _EPOCH + timedelta(microseconds=row[1])
                begun = time.perf_counter()
                with cursor.copy(self._copy) as copy:
                    copy.set_types(_POSTGRES_TYPES)
                    for row in batch:
                        copy.write_row(row)
                spent += time.perf_counter() - begun
                rows += len(batch)
        return rows / spent

    def close(self) -> None:
        """Leave the database, so that it can be dropped."""
        self._connection.close()


Engine = SQLiteEngine | PostgresEngine


def engine(place: Place, dataset: Dataset, start_s: int, table: Table, together: int = 1) -> Engine:
    """The engine of the database of a place; each transaction has rows of so many Datastreams `together`."""
    if place.database_url is None:
        return SQLiteEngine(place, dataset, start_s, table, together)
    return PostgresEngine(place.database_url, dataset, start_s, table, together)


def _batches(dataset: Dataset, start_s: int, together: int) -> Iterator[list[list[Any]]]:
    """Rows as `traffic.Arrays` sends them: a request is a transaction, its rows lie within a second."""
    ids = itertools.count(_FIRST_ID)
    number = random.Random(1)
    streams = itertools.cycle(dataset.streams)
    each = TRANSACTION_ROWS // together
    step_us = 1_000_000 // each
    for second in itertools.count(start_s):
        yield [
            [
                stream, second * 1_000_000 + n * step_us, next(ids), None, None, None, None,
                int(ResultType.FLOAT), n * 7 % 1000 / 10, None, None, None, None, None, 1, number.getrandbits(63),
            ]
            for stream in itertools.islice(streams, together)
            for n in range(each)
        ]  # fmt: skip
