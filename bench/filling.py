"""Fills a store with N Observations, as fast as its database can, into the state that live ingest would have left.

The one module of the bench that writes into the tables of the store, so that a change of the schema is met here:
one function for each database. Values come from the database itself: two decimals between 0 and 100.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
import psycopg

from bench.places import Place
from lakou.sensorthings.model import ResultType
from lakou.sensorthings.store import rolling, tiers
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

MINUTE_US = 60_000_000
# 2026-01-01T00:00:00Z: live Observations come after it.
END_US = 1_767_225_600_000_000
_STEP = 100
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)


class Shape(msgspec.Struct, frozen=True):
    """`dense` has `dense_rows` Observations, the other `streams` - 1 have `rows_each`, all up to one end."""

    streams: int
    first: int
    dense: int
    dense_rows: int
    rows_each: int

    @property
    def rows(self) -> int:
        """All Observations."""
        return self.dense_rows + self.rows_each * (self.streams - 1)

    def rows_of(self, stream: int) -> int:
        """The Observations of one Datastream."""
        return self.dense_rows if stream == self.dense else self.rows_each


def fill(place: Place, shape: Shape) -> None:
    """Add the Observations of a shape to a store that no server uses."""
    if place.database_url is None:
        fill_sqlite(place, shape)
    else:
        fill_postgres(place.database_url, shape)


def fill_sqlite(place: Place, shape: Shape) -> None:
    """Sealed rows in the order of their key, then their ids in order, then what they come to."""
    connection = apsw.Connection(str(place.data_dir / "observations.db"))
    connection.execute("pragma wal_checkpoint(truncate); pragma cache_size = -262144; pragma synchronous = off")
    first_id = 1 + int(connection.execute("select max(id) from observation").get)
    for low, high, rows, first, gap in _slices(shape, first_id):
        connection.execute(
            f"insert into sealed ({_COLUMNS})"  # noqa: S608  fixed names
            " with recursive minute(n) as (select 0 union all select n + 1 from minute where n + 1 < :rows)"
            " select p.datastream_id, :end - (:rows - n) * :minute, :first + n * :gap + p.datastream_id - :low,"
            " null, null, null, null, :float, (abs(random()) % 10000) / 100.0 + 0.001, null, null, null, null, null,"
            " p.feature_id, :own"
            " from feature_datastream p, minute where p.datastream_id between :low2 and :high"
            " order by p.datastream_id, n",
            {
                "rows": rows, "end": END_US, "minute": MINUTE_US, "first": first, "gap": gap, "low": shape.first,
                "float": ResultType.FLOAT, "low2": low, "high": high, "own": tiers.OWN,
            },
        )  # fmt: skip
    connection.execute(
        "insert into sealed_key (id, datastream_id, slot)"
        " select id, datastream_id, time_start >> 26 from sealed where id >= ? order by id",
        (first_id,),
    )
    tiers.rebuild(connection)
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def fill_postgres(url: str, shape: Shape) -> None:
    """One insert for a hundred Datastreams, then what the database would have done in the meantime: vacuum, analyze."""
    options = "-c search_path=observations,public -c timezone=UTC -c synchronous_commit=off"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        first_id = 1 + _number(connection, "select max(id) from observation")
        for low, high, rows, first, gap in _slices(shape, first_id):
            connection.execute(
                f"insert into observation ({_COLUMNS})"  # noqa: S608  fixed names
                " select p.datastream_id, to_timestamp(%(end)s::float8) - (%(rows)s - n) * interval '1 minute',"
                " %(first)s + n * %(gap)s + p.datastream_id - %(low)s, null, null, null, null, %(float)s,"
                " round((random() * 100)::numeric, 2)::float8 + 0.001, null, null, null, null, null, p.feature_id,"
                " (random() * 9e18)::bigint"
                " from feature_datastream p, generate_series(0, %(rows)s - 1) as n"
                " where p.datastream_id between %(low2)s and %(high)s order by p.datastream_id, n",
                {
                    "rows": rows, "end": END_US // 1_000_000, "first": first, "gap": gap, "low": shape.first,
                    "float": ResultType.FLOAT, "low2": low, "high": high,
                },
            )  # fmt: skip
        highest = _number(connection, "select max(id) from observation")
        # The store takes ids in blocks of the sequence; past the last loaded one they are free.
        connection.execute("select setval('observation_id_seq', %s)", (highest // 1_000 + 2,))
        with connection.transaction():
            rolling.rebuild(connection)
        connection.execute("vacuum analyze")


def _slices(shape: Shape, first_id: int) -> list[tuple[int, int, int, int, int]]:
    """(first stream, last stream, rows of each, first id, ids between one row of a stream and the next)."""
    last = shape.first + shape.streams - 1
    dense = (shape.dense, shape.dense, shape.dense_rows, first_id + shape.rows_each * shape.streams, 1)
    others = [
        (low, min(last, low + _STEP - 1), shape.rows_each, first_id, shape.streams)
        for low in range(shape.first + 1, last + 1, _STEP)
    ]
    return [s for s in (dense, *others) if s[2]]


def _number(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
