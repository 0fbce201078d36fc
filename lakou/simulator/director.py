"""The director of a run: which scenario plays, from when, at which speed; the marks of what was played.

Two promises hold whatever is asked (decision 8): no instant lies ahead of the present, and no instant gets two values.
A play that begins before what was already written needs `rewrite`: the simulated Datastreams are removed and made anew
first, through the public API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from lakou.kernel.errors import BadRequest, Conflict
from lakou.kernel.time import SECOND, format_instant, parse_instant
from lakou.simulator import scenario as scenarios
from lakou.simulator.building import Stage, renew_datastream
from lakou.simulator.client import Client, Json
from lakou.simulator.clock import Clock, checked_speed
from lakou.simulator.feeds import Feed
from lakou.simulator.gateway import Gateway
from lakou.simulator.places import PLACES
from lakou.simulator.scenario import Inject, Scenario
from lakou.simulator.world import Segment, Timeline

log = logging.getLogger(__name__)

USUAL = "ordinaire"
INJECTS_S = 1.0
FAST_INJECTS_S = 0.1
KEPT_SEGMENTS = 20
AT_ONCE = 8
# So much of the present is live from the first start on; a longer period does not exist.
LIVE_S = 1800


def instant(time_s: float) -> str:
    """A Unix instant as text, to the second."""
    return format_instant(round(time_s) * SECOND)


@dataclass(frozen=True, slots=True)
class Told:
    """An inject and its instant (Unix s)."""

    inject: Inject
    at_s: float


class Director:
    """Holds clock, timeline and scenario; `gateways` are set once the network stands."""

    def __init__(self, client: Client, stage: Stage, *, seed: int, wall: Callable[[], float]) -> None:
        self.seed = seed
        self.clock = Clock(wall)
        self.gateways: list[Gateway] = []
        self.messages_sent = 0
        self._wall = wall
        self._is_endless = True
        self._client = client
        self._stage = stage
        self._changing = asyncio.Lock()
        self.live_from_s = float(stage.properties.get("vivant_depuis_s") or 0.0)
        self.scenario = scenarios.load(USUAL)
        self.timeline = Timeline(self._segments(stage.properties.get("seances") or []))
        self.counted_from_s = self.clock.now_s
        self.told_until_s = self.clock.now_s
        """Up to where the injects are told."""

    def _segments(self, stored: list[Json]) -> list[Segment]:
        """The worlds that earlier runs played, from the stage's properties."""
        segments = []
        for entry in stored:
            try:
                found = scenarios.load(entry["scenario"])
            except BadRequest:
                log.warning("the scenario %s of an earlier run is not here any more", entry["scenario"])
                found = scenarios.load(USUAL)
            zero_s = float(entry["zero_s"])
            world = scenarios.make_world(found, seed=self.seed, zero_s=zero_s)
            segments.append(Segment(float(entry["depuis_s"]), found.name, zero_s, world))
        return segments

    @property
    def zero_s(self) -> float:
        """The scenario's zero (Unix s)."""
        return self.timeline.current.zero_s

    @property
    def end_s(self) -> float:
        """When the scenario has ended (Unix s)."""
        return self.zero_s + self.scenario.duration_s

    @property
    def has_ended(self) -> bool:
        return self.clock.now_s >= self.end_s

    @property
    def counted_until_s(self) -> float:
        """Up to where a play is counted: its end; live ordinary days have none."""
        return 1e12 if self._is_endless else self.end_s

    def feeds(self) -> list[Feed]:
        """Every feed of every gateway."""
        return [feed for gateway in self.gateways for feed in gateway.feeds]

    def injects(self) -> list[Told]:
        """The scenario's injects with their instants."""
        return [Told(inject, self.zero_s + inject.at_min * 60.0) for inject in self.scenario.injects]

    # ── what may be asked ──

    async def open(self, source: str, speed: float, *, rewrite: bool, latest_s: float) -> None:
        """The first play of a run: goes on with an unfinished one of the same name, or begins anew.

        `latest_s` is the last instant that the network has at the service (0: nothing).
        """
        wanted = scenarios.load(source)
        last = self.timeline.segments[-1] if self.timeline.segments else None
        ends_s = last.zero_s + wanted.duration_s if last else 0.0
        if last and last.name == wanted.name and not rewrite and (latest_s < ends_s or wanted.name == USUAL):
            self.scenario = wanted
            # By the file that is given now: a stored name only leads to the product's own scenarios.
            world = scenarios.make_world(wanted, seed=self.seed, zero_s=last.zero_s)
            self.timeline.add(last._replace(world=world))
            self.clock.set(latest_s if speed > 1.0 and latest_s < ends_s else self._wall())
            self.clock.speed = checked_speed(speed)
            self._is_endless = wanted.name == USUAL and speed == 1.0
            self.counted_from_s = max(latest_s, last.from_s)
            self.told_until_s = last.zero_s - 86_400.0
            return
        await self.play(wanted, speed, rewrite=rewrite, latest_s=latest_s)

    async def play(self, wanted: Scenario, speed: float, *, rewrite: bool, latest_s: float | None = None) -> None:
        """Begin a scenario so that it ends no later than it would at ×1 from now. Raises Conflict without `rewrite`
        when that is before what was written.
        """
        checked_speed(speed)
        async with self.still():
            begin_s = self._wall() - wanted.duration_s * (1.0 - 1.0 / speed)
            # A play that begins in the past begins a little earlier, or it would reach the present before its end.
            begin_s = float(math.floor(begin_s)) if speed > 1.0 else await self._whole_second(begin_s)
            if latest_s is None:
                latest_s = max((feed.sent_until_s for feed in self.feeds()), default=0.0)
            # At ×1 it begins with the present, where all but the very last is written.
            if speed > 1.0 and latest_s > begin_s:
                if not rewrite:
                    raise Conflict(
                        f"{wanted.name} at ×{speed:g} begins at {instant(begin_s)}, and the simulated sensors have "
                        f"written up to {instant(latest_s)}",
                        place="rewrite",
                        hint="add --rewrite (what they wrote is removed first), or play it at ×1",
                    )
                await self._rewind(begin_s)
            self._is_endless = wanted.name == USUAL and speed == 1.0
            self._begin(wanted, begin_s, begin_s)
            self.clock.resume()
            self.clock.set(begin_s)
            self.clock.speed = speed
            await self._remember()

    async def jump(self, at_s: float) -> None:
        """Go to an instant of the scenario. Back: the same values are sent again. Ahead of the present: the scenario
        is moved so that the present is that instant, and a new segment begins.
        """
        async with self.still():
            segment = self.timeline.current
            if at_s < segment.from_s:
                raise Conflict(
                    "Before this instant another scenario, or another part of it, was played",
                    place="at",
                    hint=f"the earliest is {instant(segment.from_s)}",
                )
            if at_s <= self._wall():
                for feed in self.feeds():
                    feed.sent_until_s = min(feed.sent_until_s, at_s)
                    feed.acknowledged = 0
                self.counted_from_s = at_s
                self.told_until_s = min(self.told_until_s, at_s)
                self.clock.set(at_s)
                return
            begin_s = await self._whole_second(self._wall())
            self._begin(self.scenario, begin_s, segment.zero_s - (round(at_s) - begin_s))
            self.told_until_s = begin_s
            self.clock.set(begin_s)
            await self._remember()

    async def _whole_second(self, time_s: float) -> float:
        """The next whole second, waited for when it is still to come: what was sent before it stays before it."""
        begin_s = float(math.ceil(time_s))
        while begin_s > self._wall():
            await self._client.pause(begin_s - self._wall())
        return begin_s

    def _begin(self, wanted: Scenario, from_s: float, zero_s: float) -> None:
        self.scenario = wanted
        world = scenarios.make_world(wanted, seed=self.seed, zero_s=zero_s)
        self.timeline.add(Segment(from_s, wanted.name, zero_s, world))
        self.counted_from_s = from_s
        self.told_until_s = zero_s - 86_400.0
        if not self.live_from_s:
            self.live_from_s = from_s - (LIVE_S if wanted.name == USUAL else 0)
        for feed in self.feeds():
            feed.acknowledged = 0

    async def _rewind(self, to_s: float) -> None:
        """Remove what the simulated sensors wrote, and make their Datastreams anew: the past is filled again behind."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def renew(client: Client, feed: Feed) -> None:
            async with gate:
                feed.datastream_id = await renew_datastream(client, feed)
            feed.sent_until_s = feed.live_from_s = to_s
            feed.filled_from_s = to_s + 0.5

        await asyncio.gather(*(renew(gateway.client, feed) for gateway in self.gateways for feed in gateway.feeds))
        await self._client.remove_after(self._stage.datastream_id, instant(to_s))
        self.live_from_s = to_s

    async def _remember(self) -> None:
        """Keep the timeline at the service, in the stage's properties, for the next run."""
        properties = {
            **self._stage.properties,
            "vivant_depuis_s": self.live_from_s,
            "graine": self.seed,
            "seances": [
                {"depuis_s": segment.from_s, "scenario": segment.name, "zero_s": segment.zero_s}
                for segment in self.timeline.segments[-KEPT_SEGMENTS:]
            ],
        }
        await self._client.change(f"/Things({self._stage.thing_id})", {"properties": properties})

    @contextlib.asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """One change at a time, and none while a gateway has a batch under way."""
        async with self._changing, contextlib.AsyncExitStack() as stack:
            for gateway in self.gateways:
                await stack.enter_async_context(gateway.busy)
            yield

    # ── what is told ──

    async def tell(self) -> None:
        """Send the injects as Observations, each at its instant, until Stopped."""
        while True:
            async with self._changing:
                now_s = self.clock.now_s
                for told in [told for told in self.injects() if self.told_until_s < told.at_s <= now_s]:
                    await self._client.send_one(self._stage.datastream_id, inject_body(told))
                    self.messages_sent += 1
                self.told_until_s = max(self.told_until_s, now_s)
            await self._client.pause(FAST_INJECTS_S if self.clock.speed > 1.0 else INJECTS_S)

    def state(self) -> dict[str, Any]:
        """How it stands, for people and programs."""
        now_s = self.clock.now_s
        return {
            "exercise": True,
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "zero": instant(self.zero_s),
            "end": instant(self.end_s),
            "now": instant(now_s),
            "at_min": round((now_s - self.zero_s) / 60.0, 2),
            "speed": self.clock.speed,
            "paused": self.clock.is_paused,
            "behind_s": round(self.clock.behind_s, 1),
            "ended": self.has_ended,
            "sensors": len({feed.device.key for feed in self.feeds()}),
            "datastreams": len(self.feeds()),
        }

    def instant_of(self, text: str) -> float:
        """`+70` or `-10.5` (minutes after the scenario's zero) or an ISO instant, as Unix seconds."""
        if text[:1] in "+-":
            try:
                return self.zero_s + float(text) * 60.0
            except ValueError as error:
                raise BadRequest(f"Not a number of minutes: {text}", place="at", hint="for example: +47") from error
        return parse_instant(text) / SECOND


def inject_body(told: Told) -> Json:
    """The Observation of an inject: its text; who says it, its kind and its place as parameters."""
    inject = told.inject
    parameters: Json = {"genre": inject.kind, "de": inject.sender, "exercise": True}
    if inject.place:
        name, longitude, latitude = PLACES[inject.place]
        parameters |= {"lieu": name, "position": {"type": "Point", "coordinates": [longitude, latitude]}}
    return {"phenomenonTime": instant(told.at_s), "result": inject.text, "parameters": parameters}
