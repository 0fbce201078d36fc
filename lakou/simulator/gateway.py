"""A gateway sends what the devices of one group measure: what is due first, and what lies behind when it is idle.

Only an answer of the service moves a mark: what was cut before it is sent again, as it was, with its own
phenomenonTime. How it sends is the group's way: one POST an Observation, data arrays, or MQTT with QoS 1.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Protocol

import msgspec

from lakou.kernel.time import SECOND, format_instant
from lakou.simulator import feeds as feeds_module
from lakou.simulator.client import Client, Json
from lakou.simulator.clock import Clock
from lakou.simulator.feeds import Feed, Piece
from lakou.simulator.mqtt import Publisher
from lakou.simulator.network import Way
from lakou.simulator.world import Timeline

log = logging.getLogger(__name__)

ROWS_A_REQUEST = 1000
# Single requests of one gateway that are under way at once; a Datastream's own stay in their order.
AT_ONCE = 4
TICK_S = 1.0
FAST_TICK_S = 0.2


class Stage(Protocol):
    """What a gateway asks of the run: the clock, the worlds, and from when on instants are counted."""

    clock: Clock
    timeline: Timeline
    counted_from_s: float
    live_from_s: float

    @property
    def counted_until_s(self) -> float: ...


@dataclass(slots=True)
class Tally:
    """What a gateway did: Observations answered, and those refused for good."""

    answered: int = 0
    refused: int = 0


class Gateway:
    """One group's gateway. `publisher` is None for the ways over HTTP."""

    def __init__(
        self, group: str, way: Way, feeds: list[Feed], client: Client, publisher: Publisher | None, stage: Stage
    ) -> None:
        self.group = group
        self.way: Way = way if publisher is not None or way != "mqtt" else "array"
        self.feeds = feeds
        self.client = client
        self.tally = Tally()
        self._publisher = publisher
        self._stage = stage
        # Held while a batch is under way: who changes marks waits for it.
        self.busy = asyncio.Lock()

    async def run(self, history_s: float) -> None:
        """Send until Stopped; `history_s` of what lies before the live part is filled behind."""
        while True:
            async with self.busy:
                sent = await self.send_due()
                if not sent:
                    sent = await self.send_behind(self._stage.live_from_s - history_s)
            # Waiting and idle gateways sleep; a busy one only lets the others take their turn.
            fast = self._stage.clock.speed > 1.0
            await self.client.pause(0.0 if sent and fast else FAST_TICK_S if fast or sent else TICK_S)

    async def send_due(self) -> int:
        """Send what is due now; gives how many Observations."""
        sent = 0
        timeline, now_s = self._stage.timeline, self._stage.clock.now_s
        for batch in feeds_module.due(self.feeds, timeline, now_s, ROWS_A_REQUEST):
            sent += await self._deliver(batch, self.way)
            for piece in batch:
                piece.feed.sent_until_s = max(piece.feed.sent_until_s, piece.reached_s)
                first, last = self._stage.counted_from_s, self._stage.counted_until_s
                piece.feed.acknowledged += sum(first < moment <= last for moment in piece.moments)
        return sent

    async def send_behind(self, history_from_s: float) -> int:
        """Send one batch of what lies before the live part."""
        batch = feeds_module.behind(self.feeds, self._stage.timeline, history_from_s, ROWS_A_REQUEST)
        if not batch:
            return 0
        # The past of a gateway that sends one by one goes in arrays: it has been kept, not measured now.
        sent = await self._deliver(batch, "array" if self.way == "single" else self.way)
        for piece in batch:
            piece.feed.filled_from_s = piece.reached_s
        return sent

    async def _deliver(self, batch: list[Piece], way: Way) -> int:
        rows = sum(len(piece.moments) for piece in batch)
        if way == "mqtt" and self._publisher is not None:
            messages = [
                (f"v1.1/Datastreams({piece.feed.datastream_id})/Observations", msgspec.json.encode(body))
                for piece in batch
                for body in self._bodies(piece)
            ]
            refused = len(await self._publisher.publish(messages))
        elif way == "single":
            refused = await self._one_by_one(batch)
        else:
            refused = await self.client.send_array([self._array(piece) for piece in batch])
        self.tally.answered += rows - refused
        self.tally.refused += refused
        return rows

    async def _one_by_one(self, batch: list[Piece]) -> int:
        gate = asyncio.Semaphore(AT_ONCE)

        async def send(piece: Piece) -> int:
            async with gate:
                return sum([not await self.client.send_one(piece.feed.datastream_id, b) for b in self._bodies(piece)])

        return sum(await asyncio.gather(*(send(piece) for piece in batch)))

    def _bodies(self, piece: Piece) -> list[Json]:
        feed, timeline = piece.feed, self._stage.timeline
        bodies: list[Json] = []
        for moment in piece.moments:
            body: Json = {
                "phenomenonTime": format_instant(moment * SECOND),
                "result": feed.value(timeline, moment),
            }
            if feed.flow.moving:
                body["FeatureOfInterest"] = {"@iot.id": feed.waypoint_id(moment)}
            bodies.append(body)
        return bodies

    def _array(self, piece: Piece) -> Json:
        feed, timeline = piece.feed, self._stage.timeline
        components = ["phenomenonTime", "result"]
        lines: list[list[object]] = [
            [format_instant(moment * SECOND), feed.value(timeline, moment)] for moment in piece.moments
        ]
        if feed.flow.moving:
            components.append("FeatureOfInterest/id")
            for line, moment in zip(lines, piece.moments, strict=True):
                line.append(feed.waypoint_id(moment))
        return {
            "Datastream": {"@iot.id": feed.datastream_id},
            "components": components,
            "dataArray@iot.count": len(lines),
            "dataArray": lines,
        }
