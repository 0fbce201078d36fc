"""Planned, acknowledged, stored: whether every Observation of a play is at the service, counted by Datastream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from lakou.simulator.director import Director, instant
from lakou.simulator.feeds import Feed
from lakou.simulator.gateway import Gateway

AT_ONCE = 8


@dataclass(slots=True)
class Report:
    """Sums over all Datastreams from `start` to `end`; `kept` waits to be sent; `wrong` lists those that differ."""

    start: str
    end: str
    planned: int = 0
    acknowledged: int = 0
    stored: int = 0
    kept: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether all that was planned is acknowledged and stored, or still kept: nothing lost, nothing too much."""
        return not (self.refused or self.wrong)


async def make_report(director: Director) -> Report:
    """Count what this play planned, what was acknowledged, and, by `$count`, what the service has.

    Call it when the play has ended or is paused: while it runs, what is under way is counted as kept.
    """
    # Nothing moves while it is counted, and no change of the clock comes between.
    async with director.still():
        start_s, end_s = director.counted_from_s, min(director.clock.now_s, director.counted_until_s)
        report = Report(instant(start_s), instant(int(end_s)))
        gate = asyncio.Semaphore(AT_ONCE)

        async def count(gateway: Gateway, feed: Feed) -> None:
            due = len(feed.planned(director.timeline, start_s, end_s))
            sent = len(feed.planned(director.timeline, start_s, min(feed.sent_until_s, end_s)))
            async with gate:
                stored = await gateway.client.count(feed.datastream_id, report.start, report.end)
            report.planned += due
            report.acknowledged += feed.acknowledged
            report.stored += stored
            report.kept += due - sent
            if not sent == feed.acknowledged == stored:
                name = f"{feed.device.key}/{feed.flow.key}"
                report.wrong.append(
                    f"{name}: {sent} planned until now, {feed.acknowledged} acknowledged, {stored} stored"
                )

        counting = (count(gateway, feed) for gateway in director.gateways for feed in gateway.feeds)
        await asyncio.gather(*counting)
        report.refused = sum(gateway.tally.refused for gateway in director.gateways)
    return report
