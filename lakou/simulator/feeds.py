"""Which values are due: the grid of instants of each Datastream, what is silent, kept back or filled behind.

The models are the outbox: a value is a function of seed and instant, so what could not be sent is computed and sent
later, unchanged and with its own phenomenonTime. A feed keeps only marks. Its recent instants are all sent; before
`live_from_s`, at most one in five minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lakou.simulator.models.noise import uniform
from lakou.simulator.network import Device, Flow
from lakou.simulator.readings import Value
from lakou.simulator.world import Timeline

HISTORY_S = 24 * 3600
HISTORY_STEP_S = 300


@dataclass(slots=True)
class Feed:
    """A Datastream at the service. Marks are Unix seconds: all up to `sent_until_s` is acknowledged, and all from
    `filled_from_s` on of what lies before the live part.
    """

    device: Device
    flow: Flow
    datastream_id: object
    offset_s: int
    sent_until_s: float
    live_from_s: float
    filled_from_s: float
    waypoint_ids: tuple[object, ...] = ()
    acknowledged: int = 0

    def instants(self, start_s: float, end_s: float) -> list[int]:
        """The grid's instants in (start, end], ascending: each one in the live part, coarser before it."""
        found: list[int] = []
        if start_s < self.live_from_s:
            found += self._grid(start_s, min(end_s, self.live_from_s), max(1, HISTORY_STEP_S // self.flow.period_s))
        if end_s > self.live_from_s:
            found += self._grid(max(start_s, self.live_from_s), end_s, 1)
        return found

    def _grid(self, start_s: float, end_s: float, every: int) -> range:
        step = self.flow.period_s * every
        first = int((start_s - self.offset_s) // step) + 1
        last = int((end_s - self.offset_s) // step)
        return range(first * step + self.offset_s, last * step + self.offset_s + 1, step)

    def next_s(self) -> float:
        """The first instant of the live grid after the mark."""
        period = self.flow.period_s
        return ((self.sent_until_s - self.offset_s) // period + 1) * period + self.offset_s

    def planned(self, timeline: Timeline, start_s: float, end_s: float) -> list[int]:
        """The instants in (start, end] for which the device measures."""
        site = self.device.site
        moments = self.instants(start_s, end_s)
        if not any(segment.world.spans("silence", site) for segment in timeline.segments):
            return moments
        return [moment for moment in moments if not timeline.world_at(moment).fails("silence", site, moment)]

    def value(self, timeline: Timeline, moment: int) -> Value:
        """The result at an instant."""
        return self.flow.model(timeline.world_at(moment), float(moment))

    def waypoint_id(self, moment: int) -> object:
        """The feature of interest of a moving Thing at an instant."""
        assert self.flow.moving is not None  # noqa: S101  asked of moving flows only
        line, offset_s = self.flow.moving
        return self.waypoint_ids[line.state_at(float(moment), offset_s).waypoint]


def offset_of(seed: int, device: Device, flow: Flow) -> int:
    """Where in its period a Datastream measures: spread, so that the network does not speak all at once."""
    return int(uniform(seed, f"offset/{device.key}/{flow.key}", 0) * flow.period_s)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some instants of one feed, in the order in which they are sent; `reached_s` is the feed's mark after them."""

    feed: Feed
    moments: list[int]
    reached_s: float


def due(feeds: list[Feed], timeline: Timeline, now_s: float, most: int) -> Iterator[list[Piece]]:
    """Batches of at most `most` instants that are due at `now_s`; devices whose link is down now keep theirs."""
    batch: list[Piece] = []
    rows = 0
    world = timeline.world_at(now_s)
    for feed in feeds:
        if feed.next_s() > now_s or world.fails("link", feed.device.site, now_s):
            continue
        moments = feed.planned(timeline, feed.sent_until_s, now_s)
        if not moments:
            feed.sent_until_s = now_s
        while moments:
            taken, moments = moments[: most - rows], moments[most - rows :]
            batch.append(Piece(feed, taken, now_s if not moments else taken[-1]))
            rows += len(taken)
            if rows == most:
                yield batch
                batch, rows = [], 0
    if batch:
        yield batch


def behind(feeds: list[Feed], timeline: Timeline, since_s: float, most: int) -> list[Piece]:
    """The next batch of what lies before the live part, newest first; empty when it is filled down to `since_s`."""
    batch: list[Piece] = []
    rows = 0
    top = max((feed.filled_from_s for feed in feeds), default=since_s)
    while top > since_s and rows == 0:
        bottom = max(top - 2 * 3600.0, since_s)
        for feed in feeds:
            # Instants are whole seconds: steps of [bottom, mark) follow one another without gap or overlap.
            moments = feed.planned(timeline, bottom - 0.5, feed.filled_from_s - 0.5)[::-1]
            if moments and rows < most:
                taken = moments[: most - rows]
                batch.append(Piece(feed, taken, bottom if len(taken) == len(moments) else taken[-1]))
                rows += len(taken)
            elif not moments and feed.filled_from_s > bottom:
                feed.filled_from_s = bottom
        top = bottom
    return batch
