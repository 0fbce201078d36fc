"""A small data plane for the pages' tests: Things in memory, answered in SensorThings' own form."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lakou.kernel.time import SECOND, format_instant
from lakou.sensorthings.access import Principal
from lakou.simulator import network
from lakou.simulator.bodies import EXERCISE_NOTE
from lakou.simulator.world import Spell, World


def iso(time_s: float) -> str:
    """Unix seconds as SensorThings writes them."""
    return format_instant(int(time_s * SECOND))


@dataclass
class Stream:
    """A Datastream with its observations, (Unix seconds, result), ascending."""

    id: int
    name: str
    symbol: str | None
    rows: list[tuple[float, Any]]
    properties: dict[str, Any] = field(default_factory=dict)

    def entity(self, latest: int) -> dict[str, Any]:
        newest = sorted(self.rows, key=lambda row: row[0], reverse=True)[:latest]
        return {
            "@iot.id": self.id,
            "name": self.name,
            "unitOfMeasurement": {"name": None, "symbol": self.symbol, "definition": None},
            "properties": self.properties,
            "ObservedProperty": {"@iot.id": self.id, "name": self.name},
            "Observations": [{"phenomenonTime": iso(moment), "result": result} for moment, result in newest],
        }


@dataclass
class Thing:
    """A Thing with its Datastreams and the GeoJSON of its Location."""

    id: int
    name: str
    streams: list[Stream]
    location: Any = None
    properties: dict[str, Any] = field(default_factory=dict)

    def entity(self) -> dict[str, Any]:
        places = [{"@iot.id": self.id, "name": f"Lieu de {self.name}", "location": self.location}]
        return {
            "@iot.id": self.id,
            "name": self.name,
            "properties": self.properties,
            "Locations": places if self.location is not None else [],
            "Datastreams": [stream.entity(6) for stream in self.streams],
        }


@dataclass
class Answer:
    """Status, headers and body, as the service gives them."""

    status: int
    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


class Double:
    """Answers the requests that the pages make; everything else is a 404. Keeps what was asked."""

    def __init__(self, things: list[Thing]) -> None:
        self.things = things
        self.asked: list[tuple[Principal, str]] = []
        self.status = 200

    async def call(self, principal: Principal, method: str, target: str, /) -> Answer:
        assert method == "GET"
        self.asked.append((principal, target))
        if self.status != 200:
            return Answer(self.status, b"{}")
        path, _, query = target.partition("?")
        options = unquote(query)
        if path == "/Things":
            if "distinct:properties/famille" in options:
                families = {thing.properties.get("famille") for thing in self.things}
                return _json({"value": [{"properties": {"famille": name}} if name else {} for name in families]})
            only = re.search(r"properties/famille eq '([^']*)'", options)
            things = [thing for thing in self.things if not only or thing.properties.get("famille") == only[1]]
            skip, top = _number(options, "skip", 0), _number(options, "top", 100)
            page = things[skip : skip + top]
            return _json({"@iot.count": len(things), "value": [thing.entity() for thing in page]})
        found = re.fullmatch(r"/Datastreams\((\d+)\)(/Observations)?", path)
        for thing in self.things:
            for stream in thing.streams:
                if found and stream.id == int(found[1]):
                    return _json(self._rows(stream, options) if found[2] else self._head(thing, stream))
        return Answer(404, b"{}")

    def _head(self, thing: Thing, stream: Stream) -> dict[str, Any]:
        return {
            **stream.entity(0),
            "Thing": {"@iot.id": thing.id, "name": thing.name, "properties": thing.properties},
        }

    def _rows(self, stream: Stream, options: str) -> dict[str, Any]:
        found = re.search(r"ge (\S+) and phenomenonTime le ([^&]+)", options)
        assert found
        rows = [(iso(moment), result) for moment, result in reversed(stream.rows)]
        kept = [(moment, result) for moment, result in rows if found[1] <= moment <= found[2]]
        return {"value": [{"phenomenonTime": moment, "result": result} for moment, result in kept]}


def _number(options: str, name: str, default: int) -> int:
    # The first of its name is the outermost, for nested options stand after it in parentheses.
    found = re.search(rf"\${name}=(\d+)", options)
    return int(found[1]) if found else default


def _json(body: object) -> Answer:
    return Answer(200, json.dumps(body).encode())


SILENT = frozenset({"lezarde-aval", "air-centre"})


def lamentin(now_s: float | None = None) -> list[Thing]:
    """The smallest network with its last 24 hours, at a coarse step; two Things fell silent half an hour ago."""
    now_s = time.time() if now_s is None else now_s
    world = World(network.SEED, silences=(Spell("silence", now_s - 1800.0, now_s + 86_400.0, things=SILENT),))
    things = []
    for number, device in enumerate(network.build(network.SEED, network.LEAST), start=1):
        spans = world.spans("silence", device.site)
        until_s = spans[0][0] if spans else now_s
        streams = []
        for index, flow in enumerate(device.flows):
            step = max(flow.period_s, 300)
            moments = [until_s - 2 - step * back for back in range(288)][::-1]
            rows = [(moment, flow.model(world, moment)) for moment in moments]
            properties = {"period_s": flow.period_s, "exercise": True}
            streams.append(Stream(number * 10 + index, flow.observed.name, flow.observed.unit_symbol, rows, properties))
        point = {"type": "Point", "coordinates": list(device.point)}
        properties = {"exercise": True, "note": EXERCISE_NOTE, "famille": device.family}
        things.append(Thing(number, device.name, streams, point, properties))
    return things
