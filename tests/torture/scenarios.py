"""Whole scenarios at ×600 (or another speed) through HTTP and MQTT: each ends within its time, nothing is lost.

The product is a process of its own; each group of devices has its own device token. What was planned, acknowledged and
stored is counted by Datastream. Run by hand:

    python -m tests.torture.scenarios --sensors 300 --speed 600
    python -m tests.torture.scenarios --sensors 5000 --speed 1 --only ordinaire --seconds 120
    python -m tests.torture.scenarios --only crue-lezarde --kills 3
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import sys
import time
from dataclasses import dataclass

from lakou.simulator import network, scenario
from lakou.simulator.client import Stopped
from lakou.simulator.credentials import Credentials, Token
from lakou.simulator.director import Director
from lakou.simulator.report import Report, make_report
from lakou.simulator.run import direct, opened
from lakou.simulator.settings import Settings
from tests.harness import server as harness
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running

DRAIN_S = 120.0
CAUGHT_UP_S = 3.0
DRAIN_LOOK_S = 0.05


@dataclass
class Play:
    """What one play came to. `late_s`: how long after its end the last Observation was acknowledged.

    `worst_lag_s` counts from when it had first caught up with what was due (`caught_up_s` after the start).
    """

    name: str
    report: Report
    allowed_s: float
    took_s: float
    late_s: float
    worst_lag_s: float
    caught_up_s: float
    simulator_cpu_s: float
    server_cpu_s: float

    @property
    def is_whole(self) -> bool:
        """Nothing lost, nothing refused, nothing left to send."""
        return self.report.is_whole and self.report.planned == self.report.acknowledged == self.report.stored

    @property
    def line(self) -> str:
        """One row of the table."""
        verdict = "whole" if self.is_whole else "NOT WHOLE"
        return (
            f"{self.name:15} {self.allowed_s:7.1f} s allowed {self.took_s:7.1f} s taken  {self.late_s:5.1f} s late  "
            f"planned {self.report.planned:8,}  acknowledged {self.report.acknowledged:8,}  "
            f"stored {self.report.stored:8,}  worst lag {self.worst_lag_s:5.1f} s  "
            f"caught up after {self.caught_up_s:.0f} s  "
            f"cpu {self.simulator_cpu_s:.0f}+{self.server_cpu_s:.0f} s  {verdict}"
        )


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123  a file of the kernel
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _lag_s(director: Director) -> float:
    """How far the slowest feed is behind what it should have sent, in seconds of ours; links that are lost left out."""
    now_s = min(director.clock.now_s, director.end_s)
    world = director.timeline.world_at(now_s)
    behind = [
        now_s - feed.next_s()
        for feed in director.feeds()
        if feed.next_s() < now_s and not world.fails("link", feed.device.site, now_s)
    ]
    return max(behind, default=0.0) / director.clock.speed


def _is_drained(director: Director, end_s: float) -> bool:
    return not any(feed.planned(director.timeline, feed.sent_until_s, end_s) for feed in director.feeds())


async def play(server: Server, settings: Settings, seconds: float | None, kills: int) -> Play:
    """One play to its end, or for some seconds of it."""
    stop = asyncio.Event()
    async with opened(settings, stop) as director:
        began, cpu, server_cpu = time.monotonic(), _own_cpu_s(), _cpu_s(server.pid)
        working = asyncio.create_task(direct(director, settings, stop))
        allowed_s = seconds or director.scenario.duration_s / settings.speed
        kill_at = [began + allowed_s * (number + 1) / (kills + 1) for number in range(kills)]
        worst, caught_up_s = 0.0, float("inf")
        while time.monotonic() < began + allowed_s:
            if working.done():
                working.result()
            lag_s = _lag_s(director)
            if lag_s < CAUGHT_UP_S:
                caught_up_s = min(caught_up_s, time.monotonic() - began)
            else:
                worst = max(worst, lag_s) if caught_up_s < float("inf") else worst
            if kill_at and time.monotonic() > kill_at[0]:
                kill_at.pop(0)
                await asyncio.to_thread(_kill, server)
                server_cpu = 0.0
            await asyncio.sleep(0.1)
        end_s = min(director.clock.now_s, director.end_s) if seconds else director.end_s
        ended = time.monotonic()
        for _ in range(int(DRAIN_S / DRAIN_LOOK_S)):
            if _is_drained(director, end_s):
                break
            await asyncio.sleep(DRAIN_LOOK_S)
        took = time.monotonic()
        if seconds:
            director.clock.pause()
            await asyncio.sleep(2.0)
        found = Play(
            director.scenario.name,
            await make_report(director),
            allowed_s,
            took - began,
            took - ended,
            worst,
            caught_up_s,
            _own_cpu_s() - cpu,
            _cpu_s(server.pid) - server_cpu,
        )
        stop.set()
        with contextlib.suppress(Stopped):
            await working
    return found


def _kill(server: Server) -> None:
    """Signal 9, and the same ports again, as a service that restarts."""
    ports = iter((server.port, server.mqtt_port))
    usual = harness.free_port
    server.kill()
    time.sleep(0.5)
    harness.free_port = lambda: next(ports)
    try:
        server.start()
    finally:
        harness.free_port = usual


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sensors", type=int, default=network.USUAL)
    parser.add_argument("--speed", type=float, default=600.0)
    parser.add_argument("--only", nargs="*", default=scenario.names())
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=None, help="play only so long")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 of the service during each play")
    parser.add_argument("--history", type=float, default=0.0, help="hours to fill behind meanwhile")
    given = parser.parse_args()
    harness.HOT_ROWS = 100_000
    is_whole = True
    for name in given.only:
        with running(given.database, POSTGRES_URL) as server:
            tokens = {group: Token(group, server.make_token(group, "device")) for group in network.GROUPS}
            settings = Settings(
                server.origin,
                Credentials(tokens),
                mqtt=("127.0.0.1", server.mqtt_port),
                scenario=name,
                speed=given.speed,
                sensors=given.sensors,
                history_s=given.history * 3600.0,
            )
            found = asyncio.run(play(server, settings, given.seconds, given.kills))
        print(found.line, flush=True)
        for line in found.report.wrong[:5]:
            print("   ", line)
        is_whole &= found.is_whole
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
