"""What was sent, what was acknowledged, and the judge who compares that with what the service then shows.

A number gives an Observation's time and result, so that sending it again is the same Observation. The judge reads
through the public API only: how the store lays its rows out is none of its business.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.harness import make
from tests.harness.client import NEXT, Api, key
from tests.harness.server import Server

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
PAGE = 10_000

Group = tuple[int, ...]
"""Numbers that travel together and are acknowledged together."""


@dataclass
class Ledger:
    """One writer's book about its own Datastream."""

    stream: int
    fresh: int = 0
    on_the_way: dict[Group, None] = field(default_factory=dict)
    again: deque[Group] = field(default_factory=deque)
    acknowledged: list[int] = field(default_factory=list)
    acknowledged_at: list[tuple[float, Group]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def take(self, size: int) -> Group:
        """What to send next: first what got no answer before the last cut, as it was."""
        if self.again:
            group = self.again.popleft()
        else:
            group = tuple(range(self.fresh, self.fresh + size))
            self.fresh += size
        self.on_the_way[group] = None
        return group

    def acknowledge(self, group: Group) -> None:
        del self.on_the_way[group]
        self.acknowledged.extend(group)
        self.acknowledged_at.append((time.monotonic(), group))

    def refuse(self, group: Group, said: str) -> None:
        del self.on_the_way[group]
        self.refused.append(said)

    def come_back(self, group: Group) -> None:
        """To be sent again: the service said not now."""
        del self.on_the_way[group]
        self.again.append(group)

    def cut(self) -> None:
        """The connection is gone, and nobody knows what became of what was on the way."""
        self.again.extend(self.on_the_way)
        self.on_the_way.clear()


@dataclass
class Report:
    """Counts over all ledgers."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    strangers: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.acknowledged > 0 and not (self.lost or self.doubled or self.strangers or self.refused)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.lost} lost, {self.doubled} doubled, "
            f"{self.strangers} unknown, {len(self.refused)} refused"
        )


def open_ledgers(server: Server, count: int) -> list[Ledger]:
    """Ledgers for `count` new Datastreams."""
    api = Api(server.base, server.token)
    try:
        thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(count)]))
        return [Ledger(stream["@iot.id"]) for stream in api.items(f"Things({key(thing)})/Datastreams", select="id")]
    finally:
        api.close()


def instant(number: int) -> str:
    return (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def judge(server: Server, ledgers: list[Ledger], *, also_sent: bool = False) -> Report:
    """Compares what is stored with the ledgers. `also_sent`: what got no answer may be there, once."""
    report = Report()
    api = Api(server.base, server.token)
    try:
        for ledger in ledgers:
            stored = _stored(api, ledger.stream)
            expected = {(instant(number), number) for number in ledger.acknowledged}
            open_ = {(instant(number), number) for group in (*ledger.again, *ledger.on_the_way) for number in group}
            allowed = expected | open_ if also_sent else expected
            report.acknowledged += len(expected)
            report.lost += sum(1 for row in expected if row not in stored)
            report.doubled += sum(count - 1 for count in stored.values())
            report.strangers += sum(1 for row in stored if row not in allowed)
            report.refused += ledger.refused
    finally:
        api.close()
    return report


def _stored(api: Api, stream: int) -> Counter[tuple[str, int]]:
    """(phenomenonTime, result) of all Observations of a Datastream."""
    found: Counter[tuple[str, int]] = Counter()
    page = api.read(
        f"Datastreams({stream})/Observations", select="phenomenonTime,result", top=PAGE, resultFormat="dataArray"
    )
    while True:
        for part in page["value"]:
            when, what = part["components"].index("phenomenonTime"), part["components"].index("result")
            found.update((row[when].replace(".000Z", "Z"), row[what]) for row in part["dataArray"])
        if NEXT not in page:
            return found
        page = api.read(page[NEXT])
