"""The demonstration's run: make the network once, write back the last 24 hours, then feed it live.

The models are the outbox: a value is a function of seed and instant, so what could not be sent is computed and
sent later, unchanged and with its own phenomenonTime. Each Datastream keeps only the last instant acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lakou.kernel.time import SECOND, format_instant, parse_instant
from lakou.simulator import bus
from lakou.simulator.client import Client, Json, Stopped
from lakou.simulator.network import (
    DEVICES,
    KEY_PREFIX,
    PROPERTIES,
    Device,
    Flow,
    datastream_body,
    property_body,
    thing_body,
    waypoint_body,
)
from lakou.simulator.scenario import World, build_world

log = logging.getLogger(__name__)

SEED = 97213
HISTORY_S = 24 * 3600
ROWS_A_REQUEST = 1000
TICK_S = 2.0
# Model time is counted from here when it runs faster than the clock.
MODEL_EPOCH_S = 1_767_225_600


@dataclass(slots=True)
class Feed:
    """A Datastream on the service: its id, its waypoints' ids, and the instant of its last acknowledged value."""

    device: Device
    flow: Flow
    datastream_id: object
    offset_s: int
    sent_until_s: int
    waypoint_ids: tuple[object, ...] = ()

    def due(self, start_s: float, end_s: float) -> range:
        """The instants (Unix seconds) of this Datastream's grid in (start, end]."""
        period = self.flow.period_s
        first = (int(start_s) - self.offset_s) // period + 1
        last = (int(end_s) - self.offset_s) // period
        return range(first * period + self.offset_s, last * period + self.offset_s + 1, period)


async def run(
    base_url: str,
    token: str,
    *,
    scenario: str = "ordinaire",
    speed: float = 1.0,
    stop: asyncio.Event,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run until `stop` is set. Restarting goes on where the last run ended: nothing is written twice.

    `speed` makes the simulated territory live faster (a day in an hour at 24): phenomenonTime always stays the
    clock's, only the models' time runs ahead. Raises BadRequest on an unknown scenario, Unauthorized or
    Forbidden when the token may not write; waits and tries again while the service cannot be reached.
    """

    def model_time(time_s: float) -> float:
        return time_s if speed == 1.0 else MODEL_EPOCH_S + (time_s - MODEL_EPOCH_S) * speed

    world = build_world(scenario, seed=SEED, start_s=model_time(clock()))
    client = Client(base_url, token, stop)
    try:
        feeds = await build_network(client, int(clock()) - HISTORY_S)
        log.info("the network stands: %d Things, %d Datastreams", len(DEVICES), len(feeds))
        while not stop.is_set():
            await send_due(client, feeds, world, model_time, clock())
            await client.pause(TICK_S)
    except Stopped:
        log.info("the demonstration stops")
    finally:
        await client.close()


async def build_network(client: Client, since_s: int) -> list[Feed]:
    """Find or make every entity of the table; gives one Feed a Datastream, none sent before `since_s`."""
    property_ids: dict[str, object] = {}
    for observed in PROPERTIES:
        found = await client.find("ObservedProperties", f"{KEY_PREFIX}propriete/{observed.key}", "$select=id")
        created = found["@iot.id"] if found else await client.create("/ObservedProperties", property_body(observed))
        property_ids[observed.key] = created
    feeds = []
    for device in DEVICES:
        feeds += await _device_feeds(client, device, property_ids, since_s)
    # Spread over the tick, so that the network does not speak all at once.
    for number, feed in enumerate(feeds):
        feed.offset_s = number * 7 % feed.flow.period_s
    return feeds


async def _device_feeds(client: Client, device: Device, property_ids: dict[str, object], since_s: int) -> list[Feed]:
    key = KEY_PREFIX + device.key
    latest = "Observations($select=phenomenonTime;$orderby=phenomenonTime%20desc;$top=1)"
    options = f"$expand=Datastreams($expand={latest})"
    thing = await client.find("Things", key, options)
    if thing is None:
        await client.create("/Things", thing_body(device, property_ids))
        thing = await client.find("Things", key, options) or {}
    known = {stream.get("properties", {}).get("key"): stream for stream in thing.get("Datastreams", [])}
    feeds = []
    for flow in device.flows:
        stream = known.get(f"{key}/{flow.key}")
        if stream is None:
            body = datastream_body(device, flow, property_ids[flow.observed.key])
            identifier = await client.create(f"/Things({thing['@iot.id']})/Datastreams", body)
            stream = {"@iot.id": identifier}
        ids = await _waypoints(client, device) if flow.moving else ()
        feeds.append(Feed(device, flow, stream["@iot.id"], 0, max(since_s, _last_time_s(stream)), ids))
    return feeds


def _last_time_s(stream: Json) -> int:
    observations = stream.get("Observations") or []
    return parse_instant(observations[0]["phenomenonTime"]) // SECOND if observations else 0


async def _waypoints(client: Client, device: Device) -> tuple[object, ...]:
    ids = []
    for number, point in enumerate(bus.waypoints()):
        found = await client.find("FeaturesOfInterest", f"{KEY_PREFIX}{device.key}/point/{number}", "$select=id")
        created = (
            found["@iot.id"]
            if found
            else await client.create("/FeaturesOfInterest", waypoint_body(device, number, point))
        )
        ids.append(created)
    return tuple(ids)


async def send_due(
    client: Client, feeds: list[Feed], world: World, model_time: Callable[[float], float], now_s: float
) -> int:
    """Send every value due since the last acknowledged one, at most 24 h back; gives how many were sent."""
    sent = 0
    for groups, reached, rows in _requests(feeds, world, model_time, now_s):
        await client.send_observations(groups)
        # Only an answer moves the mark: a run cut before it sends these rows again.
        for feed, time_s in reached:
            feed.sent_until_s = time_s
        sent += rows
    return sent


Request = tuple[list[Json], list[tuple[Feed, int]], int]


def _requests(feeds: list[Feed], world: World, model_time: Callable[[float], float], now_s: float) -> Iterator[Request]:
    groups: list[Json] = []
    reached: list[tuple[Feed, int]] = []
    rows = 0
    for feed in feeds:
        due = feed.due(max(feed.sent_until_s, now_s - HISTORY_S), now_s)
        times = [moment for moment in due if not _is_silent(feed, world, model_time(moment))]
        while times:
            taken, times = times[: ROWS_A_REQUEST - rows], times[ROWS_A_REQUEST - rows :]
            groups.append(data_array(feed, world, model_time, taken))
            reached.append((feed, taken[-1]))
            rows += len(taken)
            if rows == ROWS_A_REQUEST:
                yield groups, reached, rows
                groups, reached, rows = [], [], 0
    if rows:
        yield groups, reached, rows


def _is_silent(feed: Feed, world: World, model_s: float) -> bool:
    return feed.device.key in world.silent and model_s >= world.silent_from_s


def data_array(feed: Feed, world: World, model_time: Callable[[float], float], times: list[int]) -> Json:
    """The group of one Datastream for CreateObservations: its values at `times` (Unix seconds)."""
    components = ["phenomenonTime", "result"]
    lines: list[list[object]] = [
        [format_instant(moment * SECOND), feed.flow.model(world, model_time(moment))] for moment in times
    ]
    if feed.flow.moving:
        components.append("FeatureOfInterest/id")
        for line, moment in zip(lines, times, strict=True):
            line.append(feed.waypoint_ids[bus.state_at(model_time(moment)).waypoint])
    return {
        "Datastream": {"@iot.id": feed.datastream_id},
        "components": components,
        "dataArray@iot.count": len(lines),
        "dataArray": lines,
    }
