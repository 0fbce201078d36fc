"""The stores that are measured: 1,000 Things with five Datastreams each, empty or with N Observations.

The entities are made through the service. The Observations are made by the database itself, one Datastream after
the other, one a minute up to a common end: one *dense* Datastream has a year of them (or half of N), the others
share the rest. Ids go up with time, as they would have come in.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import msgspec
import psycopg

from bench.loader import LoadError
from bench.places import Home, Place
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.model import ResultType
from lakou.sensorthings.service import Service, ServiceConfig
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS

MINUTE_US = 60_000_000
YEAR_ROWS = 365 * 24 * 60
# 2026-01-01T00:00:00Z: live Observations come after it.
END_US = 1_767_225_600_000_000
_STEP = 100
_AT_ONCE = 50
_COLUMNS = ", ".join(OBSERVATION_COLUMNS)


class Dataset(msgspec.Struct, frozen=True):
    """What a store holds. `dense` has `dense_rows` Observations, the other `streams` - 1 have `rows_each`."""

    things: int
    streams: int
    first: int
    rows: int
    dense: int
    dense_rows: int
    rows_each: int
    loaded_bytes: int = 0

    @property
    def windows(self) -> list[int]:
        """Datastreams that hold a whole day of minutes."""
        if self.rows_each >= 1440:
            return list(range(self.first, self.first + self.streams))
        return [self.dense] if self.dense_rows >= 1440 else []

    def rows_of(self, stream: int) -> int:
        return self.dense_rows if stream == self.dense else self.rows_each


def key(things: int, each: int, rows: int) -> str:
    """Names a template; it changes with the schema of the store and with this file."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    folder = resources.files("lakou.sensorthings.store") / "schema"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            digest.update(file.read_bytes())
    return f"{things}x{each}_{rows}_{digest.hexdigest()[:8]}"


def prepare(home: Home, things: int, each: int, rows: int, say: Callable[[str], None]) -> tuple[str, Dataset]:
    """Make the template with that many Observations unless it is there; its key and content."""
    name = key(things, each, rows)
    place, done = home.template(name)
    note = place.data_dir / "dataset.json"
    if done and note.exists():
        return name, msgspec.json.decode(note.read_bytes(), type=Dataset)
    say(f"{home.name}: making {things} Things with {each} Datastreams each")
    place.data_dir.mkdir(parents=True, exist_ok=True)
    first = asyncio.run(_make_entities(place, things, each))
    dataset = _shares(things, things * each, first, rows)
    if rows:
        say(f"{home.name}: loading {rows:,} Observations")
        grown = _load_sqlite(place, dataset) if place.database_url is None else _load_postgres(place, dataset)
        dataset = msgspec.structs.replace(dataset, loaded_bytes=grown)
    note.write_bytes(msgspec.json.encode(dataset))
    home.complete(name)
    return name, dataset


def _shares(things: int, streams: int, first: int, rows: int) -> Dataset:
    dense = min(YEAR_ROWS, rows // 2)
    each = (rows - dense) // max(1, streams - 1)
    return Dataset(things, streams, first, dense + each * (streams - 1), first, dense, each)


# ── entities ──


class _Everybody:
    """An Authority for a service that nobody outside can reach."""

    def principal(self, authorization: str | None) -> Principal:
        return ANONYMOUS


async def _make_entities(place: Place, things: int, each: int) -> int:
    """Things with Location, Datastreams and one Observation each; the lowest id of a Datastream."""
    service = Service(ServiceConfig(data_dir=place.data_dir, database_url=place.database_url), _Everybody())
    await asyncio.to_thread(service.migrate)
    await service.start()
    try:
        for n in range(0, things, _AT_ONCE):
            bodies = [_thing(t, each) for t in range(n, min(things, n + _AT_ONCE))]
            answers = await asyncio.gather(*(service.call(ADMIN, "POST", "/Things", body) for body in bodies))
            for answer in answers:
                if answer.status != 201:
                    raise LoadError(f"A Thing was refused: {answer.body[:500].decode(errors='replace')}")
        listed = await service.call(ADMIN, "GET", "/Datastreams?$select=id&$orderby=id&$top=1&$count=true")
        page = json.loads(listed.body)
        if page["@iot.count"] != things * each:
            raise LoadError(f"{page['@iot.count']} Datastreams instead of {things * each}")
        return int(page["value"][0]["@iot.id"])
    finally:
        await service.stop()


def _thing(number: int, each: int) -> bytes:
    east, north = -61.2 + number % 40 * 0.01, 14.4 + number // 40 * 0.01
    return json.dumps(
        {
            "name": f"Station {number}",
            "description": "A station of the measurement",
            "properties": {"number": number},
            "Locations": [
                {
                    "name": f"Place {number}",
                    "description": "Where the station stands",
                    "encodingType": "application/geo+json",
                    "location": {"type": "Point", "coordinates": [round(east, 2), round(north, 2)]},
                }
            ],
            "Datastreams": [_datastream(number, n) for n in range(each)],
        }
    ).encode()


def _datastream(thing: int, number: int) -> dict[str, Any]:
    return {
        "name": f"Level {thing}.{number}",
        "description": "Water level",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "metre", "symbol": "m", "definition": "http://qudt.org/vocab/unit/M"},
        "Sensor": {
            "name": f"Gauge {thing}.{number}",
            "description": "Radar gauge",
            "encodingType": "text/html",
            "metadata": "none",
        },
        "ObservedProperty": {
            "name": "Water level",
            "definition": "http://www.example.org/water-level",
            "description": "Height of the surface",
        },
        "Observations": [{"phenomenonTime": "2024-01-01T00:00:00Z", "result": 0}],
    }


# ── observations ──


def _slices(dataset: Dataset, first_id: int) -> list[tuple[int, int, int, int, int]]:
    """(first stream, last stream, rows of each, first id, ids between one row of a stream and the next)."""
    last = dataset.first + dataset.streams - 1
    dense = (dataset.dense, dataset.dense, dataset.dense_rows, first_id + dataset.rows_each * dataset.streams, 1)
    others = [
        (low, min(last, low + _STEP - 1), dataset.rows_each, first_id, dataset.streams)
        for low in range(dataset.first + 1, last + 1, _STEP)
    ]
    return [s for s in (dense, *others) if s[2]]


def _load_sqlite(place: Place, dataset: Dataset) -> int:
    """Bytes by which the file has grown. Indexes are made at the end: SQLite sorts faster than it inserts."""
    file = place.data_dir / "observations.db"
    connection = apsw.Connection(str(file))
    connection.execute("pragma wal_checkpoint(truncate); pragma cache_size = -262144; pragma synchronous = off")
    before = file.stat().st_size
    indexes = connection.execute(
        "select name, sql from sqlite_master where type = 'index' and tbl_name = 'observation' and sql is not null"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}")
    first_id = 1 + int(connection.execute("select max(id) from observation").get)
    for low, high, rows, first, gap in _slices(dataset, first_id):
        connection.execute(
            f"insert into observation ({_COLUMNS})"  # noqa: S608  fixed names
            " with recursive minute(n) as (select 0 union all select n + 1 from minute where n + 1 < :rows)"
            " select p.datastream_id, :end - (:rows - n) * :minute, :first + n * :gap + p.datastream_id - :low,"
            " null, null, null, null, :float, (abs(random()) % 10000) / 100.0 + 0.001, null, null, null, null, null,"
            " p.feature_id, random()"
            " from feature_datastream p, minute where p.datastream_id between :low2 and :high"
            " order by p.datastream_id, n",
            {
                "rows": rows, "end": END_US, "minute": MINUTE_US, "first": first, "gap": gap, "low": dataset.first,
                "float": ResultType.FLOAT, "low2": low, "high": high,
            },
        )  # fmt: skip
    for _, text in indexes:
        connection.execute(str(text))
    connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    return file.stat().st_size - before


def _load_postgres(place: Place, dataset: Dataset) -> int:
    """Bytes by which the table and its indexes have grown."""
    size = "select sum(pg_total_relation_size(relid)) from pg_partition_tree('observation')"
    options = "-c search_path=observations,public -c timezone=UTC -c synchronous_commit=off"
    with psycopg.connect(place.database_url or "", autocommit=True, options=options) as connection:
        before = _number(connection, size)
        first_id = 1 + _number(connection, "select max(id) from observation")
        for low, high, rows, first, gap in _slices(dataset, first_id):
            connection.execute(
                f"insert into observation ({_COLUMNS})"  # noqa: S608  fixed names
                " select p.datastream_id, to_timestamp(%(end)s::float8) - (%(rows)s - n) * interval '1 minute',"
                " %(first)s + n * %(gap)s + p.datastream_id - %(low)s, null, null, null, null, %(float)s,"
                " round((random() * 100)::numeric, 2)::float8 + 0.001, null, null, null, null, null, p.feature_id,"
                " (random() * 9e18)::bigint"
                " from feature_datastream p, generate_series(0, %(rows)s - 1) as n"
                " where p.datastream_id between %(low2)s and %(high)s order by p.datastream_id, n",
                {
                    "rows": rows, "end": END_US // 1_000_000, "first": first, "gap": gap, "low": dataset.first,
                    "float": ResultType.FLOAT, "low2": low, "high": high,
                },
            )  # fmt: skip
        highest = _number(connection, "select max(id) from observation")
        # The store takes ids in blocks of the sequence; past the last loaded one they are free.
        connection.execute("select setval('observation_id_seq', %s)", (highest // 1_000 + 2,))
        connection.execute("vacuum analyze")
        return _number(connection, size) - before


def _number(connection: psycopg.Connection[Any], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0
