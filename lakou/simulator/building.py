"""Finds or makes the network at the service: what an earlier run made is found by its key and kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from lakou.kernel.time import SECOND, parse_time_value
from lakou.simulator import bodies
from lakou.simulator.catalogue import PROPERTIES
from lakou.simulator.client import Client, Json
from lakou.simulator.feeds import HISTORY_S, Feed, offset_of
from lakou.simulator.models.bus import LINES
from lakou.simulator.network import Device

log = logging.getLogger(__name__)

STAGE_GROUP = "exercice"
WAYPOINT_GROUP = "mobilite"
_STREAMS = "$select=id,properties&$expand=Datastreams($select=id,properties,phenomenonTime)"


@dataclass(frozen=True, slots=True)
class Stage:
    """The Thing through which the exercise speaks: its id, its Datastream of messages and its properties."""

    thing_id: object
    datastream_id: object
    properties: Json


@dataclass(frozen=True, slots=True)
class Found:
    """A Datastream at the service and the extent of what it holds (Unix s, None: nothing)."""

    datastream_id: object
    earliest_s: float | None
    latest_s: float | None


class Builder:
    """Makes what is missing, each device with its group's client."""

    def __init__(self, clients: Mapping[str, Client]) -> None:
        self._clients = clients

    async def stage(self) -> Stage:
        """The stage, with the ObservedProperties made before it."""
        client = self._clients[STAGE_GROUP]
        self._property_ids = await self._properties(client)
        key = bodies.KEY_PREFIX + bodies.STAGE_KEY
        found = await client.listed("Things", key, _STREAMS)
        if not found:
            await client.create("/Things", bodies.stage_body(self._property_ids["message-exercice"]))
            found = await client.listed("Things", key, _STREAMS)
        return Stage(found[0]["@iot.id"], found[0]["Datastreams"][0]["@iot.id"], found[0]["properties"])

    async def _properties(self, client: Client) -> dict[str, object]:
        prefix = bodies.KEY_PREFIX + "propriete/"
        found = await client.listed("ObservedProperties", prefix, "$select=id,properties")
        ids = {entity["properties"]["key"].removeprefix(prefix): entity["@iot.id"] for entity in found}
        for observed in PROPERTIES.values():
            if observed.key not in ids:
                ids[observed.key] = await client.create("/ObservedProperties", bodies.property_body(observed))
        return ids

    async def feeds(
        self, devices: tuple[Device, ...], seed: int, *, live_from_s: float, now_s: float
    ) -> dict[str, list[Feed]]:
        """One Feed a Datastream, by group. A new one has sent nothing and begins at `live_from_s`;
        of what was not sent before `now_s`, a day is.
        """
        known = await self._known()
        by_group: dict[str, list[Device]] = {}
        for device in devices:
            by_group.setdefault(device.group, []).append(device)
        missing = {
            group: [device for device in of_group if bodies.KEY_PREFIX + device.key not in known[0]]
            for group, of_group in by_group.items()
        }
        if any(missing.values()):
            await asyncio.gather(*(self._make(group, wanted) for group, wanted in missing.items()))
            known = await self._known()
        await self._mend(devices, known)
        waypoints = await self._waypoints() if WAYPOINT_GROUP in by_group else {}
        streams = known[1]
        return {
            group: [
                _feed(device, number, streams, waypoints, seed, live_from_s, now_s - HISTORY_S)
                for device in of_group
                for number in range(len(device.flows))
            ]
            for group, of_group in by_group.items()
        }

    async def _known(self) -> tuple[dict[str, object], dict[str, Found]]:
        """Ids of the Things, and Datastreams, by their key."""
        things: dict[str, object] = {}
        streams: dict[str, Found] = {}
        for thing in await self._clients[STAGE_GROUP].listed("Things", bodies.KEY_PREFIX, _STREAMS):
            things[thing["properties"]["key"]] = thing["@iot.id"]
            for stream in thing["Datastreams"]:
                extent = stream.get("phenomenonTime")
                start, end = parse_time_value(extent) if extent else (None, None)
                streams[stream["properties"]["key"]] = Found(
                    stream["@iot.id"],
                    None if start is None else start / SECOND,
                    None if start is None else (start if end is None else end) / SECOND,
                )
        return things, streams

    async def _make(self, group: str, devices: list[Device]) -> None:
        client = self._clients[group]
        for device in devices:
            await client.create("/Things", bodies.thing_body(device, self._property_ids))

    async def _mend(self, devices: tuple[Device, ...], known: tuple[dict[str, object], dict[str, Found]]) -> None:
        """Make Datastreams that are missing: a renewal may have been cut between removing and making."""
        for device in devices:
            for flow in device.flows:
                key = f"{bodies.KEY_PREFIX}{device.key}/{flow.key}"
                if key not in known[1]:
                    client = self._clients[device.group]
                    body = bodies.datastream_body(device, flow, self._property_ids[flow.observed.key])
                    thing_id = known[0][bodies.KEY_PREFIX + device.key]
                    made = await client.create(f"/Things({thing_id})/Datastreams", body)
                    known[1][key] = Found(made, None, None)

    async def _waypoints(self) -> dict[str, tuple[object, ...]]:
        client = self._clients[WAYPOINT_GROUP]
        prefix = bodies.KEY_PREFIX + "ligne-"
        found = await client.listed("FeaturesOfInterest", prefix, "$select=id,properties")
        ids = {entity["properties"]["key"]: entity["@iot.id"] for entity in found}
        lines: dict[str, tuple[object, ...]] = {}
        for line in LINES:
            points: list[object] = []
            for number, point in enumerate(line.waypoints()):
                body = bodies.waypoint_body(line, number, point)
                key = f"{prefix}{line.key}/point/{number}"
                points.append(ids.get(key) or await client.create("/FeaturesOfInterest", body))
            lines[line.key] = tuple(points)
        return lines


def _feed(
    device: Device,
    number: int,
    streams: Mapping[str, Found],
    waypoints: Mapping[str, tuple[object, ...]],
    seed: int,
    live_from_s: float,
    since_s: float,
) -> Feed:
    flow = device.flows[number]
    found = streams[f"{bodies.KEY_PREFIX}{device.key}/{flow.key}"]
    latest_s, earliest_s = found.latest_s, found.earliest_s
    return Feed(
        device,
        flow,
        found.datastream_id,
        offset_of(seed, device, flow),
        max(latest_s or 0.0, live_from_s, since_s),
        live_from_s,
        live_from_s + 0.5 if earliest_s is None else min(earliest_s, live_from_s + 0.5),
        waypoints[flow.moving[0].key] if flow.moving else (),
    )


async def renew_datastream(client: Client, feed: Feed) -> object:
    """Remove a Datastream with its Observations, and make it anew with the same Sensor; gives its new id."""
    links = "Thing($select=id),Sensor($select=id),ObservedProperty($select=id)"
    old = await client.read(f"/Datastreams({feed.datastream_id})?$select=id&$expand={links}")
    body = bodies.datastream_body(feed.device, feed.flow, old["ObservedProperty"]["@iot.id"])
    await client.remove(f"/Datastreams({feed.datastream_id})")
    body["Sensor"] = {"@iot.id": old["Sensor"]["@iot.id"]}
    return await client.create(f"/Things({old['Thing']['@iot.id']})/Datastreams", body)
