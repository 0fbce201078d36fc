"""The stores that are measured: 1,000 Things with five Datastreams each, empty or with N Observations.

The entities are made through the service; `filling.py` makes the Observations. They are one a minute up to a common
end: one *dense* Datastream has a year of them and what cannot be shared evenly (or half of N), the others share the
rest. Ids go up with time, as they would have come in.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import msgspec

from bench import disk, entities, filling
from bench.filling import END_US, MINUTE_US, Shape
from bench.loading import LoadError
from bench.places import Home, Place
from lakou.sensorthings.access import ADMIN, ANONYMOUS, Principal
from lakou.sensorthings.service import Service, ServiceConfig
from lakou.sensorthings.sql import rollups
from lakou.sensorthings.store import rolling, tiers

__all__ = ["END_US", "MINUTE_US", "Dataset", "key", "prepare"]

YEAR_ROWS = 365 * 24 * 60
DAY_ROWS = 24 * 60
_AT_ONCE = 50


class Dataset(msgspec.Struct, frozen=True):
    """What a store holds beside one Observation a Datastream from its making.

    `empty_bytes` is what its file or table took before the Observations, `loaded_bytes` what they added.
    """

    things: int
    shape: Shape
    empty_bytes: int = 0
    loaded_bytes: int = 0

    @property
    def first(self) -> int:
        """The lowest id of a Datastream; the others follow without gap."""
        return self.shape.first

    @property
    def streams(self) -> list[int]:
        """The ids of all Datastreams."""
        return list(range(self.shape.first, self.shape.first + self.shape.streams))

    @property
    def rows(self) -> int:
        """All Observations that were filled in."""
        return self.shape.rows

    @property
    def windows(self) -> list[int]:
        """Datastreams that hold a whole day of minutes."""
        if self.shape.rows_each >= DAY_ROWS:
            return self.streams
        return [self.shape.dense] if self.shape.dense_rows >= DAY_ROWS else []


def key(things: int, each: int, rows: int) -> str:
    """Names a template; it changes with the schema of the store and with the code that fills it and sums it up."""
    digest = hashlib.sha256()
    for module in (__file__, filling.__file__, entities.__file__, tiers.__file__, rolling.__file__, rollups.__file__):
        digest.update(Path(module).read_bytes())
    folder = resources.files("lakou.sensorthings.store") / "schema"
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".sql"):
            digest.update(file.name.encode() + file.read_bytes())
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
    dataset = Dataset(things, _shares(things * each, first, rows), disk.used_bytes(place))
    if rows:
        say(f"{home.name}: loading {rows:,} Observations")
        filling.fill(place, dataset.shape)
        dataset = msgspec.structs.replace(dataset, loaded_bytes=disk.used_bytes(place) - dataset.empty_bytes)
    note.write_bytes(msgspec.json.encode(dataset))
    home.complete(name)
    return name, dataset


def _shares(streams: int, first: int, rows: int) -> Shape:
    """Exactly so many rows: what cannot be shared evenly goes to the dense one."""
    each = (rows - min(YEAR_ROWS, rows // 2)) // max(1, streams - 1)
    return Shape(streams, first, first, rows - each * (streams - 1), each)


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
            bodies = [entities.thing(t, each) for t in range(n, min(things, n + _AT_ONCE))]
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
