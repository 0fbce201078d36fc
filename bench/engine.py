"""The raw engine: the same rows, the same table, the same durability, nothing of the product around it.

SQLite: apsw's executemany in transactions of a request's size, with the pragmas of the store. PostgreSQL: binary
COPY straight into the table. Rows are ready before the clock starts; it runs for statements and commits only.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import apsw
import psycopg

from bench.dataset import Dataset
from bench.places import Place
from lakou.sensorthings.model import ResultType
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

TRANSACTION_ROWS = 1_000
_FIRST_ID = 1_000_000_000
_TYPES = (
    "int8", "timestamptz", "int8", "timestamptz", "timestamptz", "timestamptz", "timestamptz", "int2", "float8",
    "bool", "text", "text", "text", "text", "int8", "int8",
)  # fmt: skip
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)
_INSERT = f"insert into observation ({_COLUMNS}) values ({', '.join('?' * len(OBSERVATION_COLUMNS))})"  # noqa: S608
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RawEngine:
    """One connection to a store that no server uses; `rate` may be asked again and goes on with new rows."""

    def __init__(self, place: Place, dataset: Dataset, start_s: int) -> None:
        self._batches = _batches(dataset, start_s)
        self._postgres: psycopg.Connection[Any] | None = None
        self._sqlite: apsw.Connection | None = None
        if place.database_url is not None:
            options = "-c search_path=observations,public -c timezone=UTC -c synchronous_commit=on"
            self._postgres = psycopg.connect(place.database_url, autocommit=True, options=options)
        else:
            self._sqlite = apsw.Connection(str(place.data_dir / "observations.db"))
            self._sqlite.execute("pragma synchronous = full; pragma cache_size = -65536; pragma foreign_keys = on")
            self._sqlite.execute("pragma wal_autocheckpoint = 4000")

    def rate(self, seconds: float) -> float:
        """Observations a second over so many seconds of inserting."""
        insert: Callable[[list[list[Any]]], None] = self._copy if self._postgres is not None else self._executemany
        spent, rows = 0.0, 0
        while spent < seconds:
            batch = next(self._batches)
            if self._postgres is not None:
                for row in batch:
                    row[1] = _moment(row[1])
            begun = time.perf_counter()
            insert(batch)
            spent += time.perf_counter() - begun
            rows += len(batch)
        return rows / spent

    def close(self) -> None:
        """Leave the store, so that it can be removed."""
        if self._postgres is not None:
            self._postgres.close()
        if self._sqlite is not None:
            self._sqlite.close()

    def _executemany(self, rows: list[list[Any]]) -> None:
        assert self._sqlite is not None  # noqa: S101
        self._sqlite.execute("begin immediate")
        self._sqlite.executemany(_INSERT, rows)
        self._sqlite.execute("commit")

    def _copy(self, rows: list[list[Any]]) -> None:
        assert self._postgres is not None  # noqa: S101
        with (
            self._postgres.cursor() as cursor,
            cursor.copy(f"copy observation ({_COLUMNS}) from stdin (format binary)".encode()) as copy,
        ):
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _batches(dataset: Dataset, start_s: int) -> Iterator[list[list[Any]]]:
    """Rows as a data array of the loader gives them: one Datastream a transaction, a millisecond apart."""
    ids = itertools.count(_FIRST_ID)
    number = random.Random(1)
    for turn in itertools.count():
        for place in range(dataset.streams):
            start = (start_s + turn * dataset.streams + place) * 1_000_000
            yield [
                [
                    dataset.first + place, start + n * 1_000, next(ids), None, None, None, None, int(ResultType.FLOAT),
                    n * 7 % 1000 / 10, None, None, None, None, None, 1, number.getrandbits(63),
                ]
                for n in range(TRANSACTION_ROWS)
            ]  # fmt: skip
