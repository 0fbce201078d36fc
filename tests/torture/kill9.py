"""kill -9 under load: every acknowledged Observation is there exactly once after the restart.

Each round loads the service in one way (single Observations, data arrays, or MQTT with QoS 1), kills it at a random
moment and starts it again; what got no answer is sent again, as a real device does. Run by hand:

    python -m tests.torture.kill9 --rounds 100 --by single,array,mqtt
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.torture.ledgers import Ledger, Report, judge, open_ledgers
from tests.torture.writers import CONNECTIONS, ROWS_PER_S, WRITERS, Orders, Pace

LEAST_PER_S = 2000
PORT_WAIT_S = 1.0


@dataclass
class Load:
    """What one way of sending did over all rounds."""

    ledgers: list[Ledger]
    loaded_s: float = 0.0
    acknowledged: int = 0
    rounds: int = 0

    @property
    def per_s(self) -> float:
        return self.acknowledged / self.loaded_s if self.loaded_s else 0.0


@dataclass
class Outcome:
    """The judge's report, and how hard the service was loaded."""

    report: Report = field(default_factory=Report)
    loads: dict[str, Load] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.report.passed and bool(self.loads)


def mqtt_answers(server: Server) -> bool:
    """Whether something listens on the server's MQTT port."""
    deadline = time.monotonic() + PORT_WAIT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.mqtt_port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
    return False


def playable(server: Server, by: Sequence[str]) -> tuple[list[str], list[str]]:
    """(ways that this server takes, ways that are skipped), said loudly."""
    skipped = [way for way in by if way == "mqtt" and not mqtt_answers(server)]
    for way in skipped:
        print(f"!!!! {way} SKIPPED: nothing listens on the MQTT port of this server !!!!", flush=True)
    return [way for way in by if way not in skipped], skipped


async def _send(server: Server, way: str, load: Load, seconds: float, *, kill: bool) -> None:
    orders = Orders(server, Pace(ROWS_PER_S[way]))
    before = sum(len(ledger.acknowledged) for ledger in load.ledgers)
    started = time.monotonic()
    writers = [asyncio.create_task(WRITERS[way](orders, ledger)) for ledger in load.ledgers]
    await asyncio.sleep(seconds)
    loaded_s = time.monotonic() - started
    load.loaded_s += loaded_s
    if kill:
        # From a thread: the writers go on until the very end of their connections.
        await asyncio.to_thread(server.kill)
        load.rounds += 1
    orders.stop.set()
    await asyncio.gather(*writers)
    load.acknowledged += sum(len(ledger.acknowledged) for ledger in load.ledgers) - before


def send(server: Server, way: str, load: Load, seconds: float, *, kill: bool) -> None:
    """One round of load; with `kill` the server dies at its end, else everything sent gets its answer."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_send(server, way, load, seconds, kill=kill))


def run(
    server: Server, rounds: int, seed: int = 1, by: Sequence[str] = ("single", "array", "mqtt"), *, quiet: bool = True
) -> Outcome:
    """Kills and restarts a started server, then counts what is stored against what was acknowledged.

    `rounds` 0 is one kill for each way of sending.
    """
    choice = random.Random(seed)
    ways, skipped = playable(server, by)
    outcome = Outcome(skipped=skipped)
    if not ways:
        return outcome
    ledgers = open_ledgers(server, sum(CONNECTIONS[way] for way in ways))
    for way in ways:
        outcome.loads[way] = Load([ledgers.pop() for _ in range(CONNECTIONS[way])])
    for number in range(rounds or len(ways)):
        way = ways[number % len(ways)]
        send(server, way, outcome.loads[way], choice.uniform(0.3, 1.2), kill=True)
        server.start()
        if "mqtt" in ways:
            mqtt_answers(server)
        if not quiet:
            load = outcome.loads[way]
            print(f"round {number + 1}, {way}: {load.acknowledged} acknowledged, {load.per_s:.0f}/s", flush=True)
    for way, load in outcome.loads.items():
        rest = Load(load.ledgers)
        send(server, way, rest, 0.1, kill=False)
    outcome.report = judge(server, [ledger for load in outcome.loads.values() for ledger in load.ledgers])
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--by", default="single,array,mqtt", help="ways of sending, one a round in turn")
    parser.add_argument("--at-least", type=float, default=LEAST_PER_S, help="acknowledged a second, each way")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with running(options.database, POSTGRES_URL) as server:
        outcome = run(server, options.rounds, options.seed, options.by.split(","), quiet=False)
    print(outcome.report)
    for line in outcome.report.refused[:10]:
        print(line)
    slow = [way for way, load in outcome.loads.items() if load.per_s < options.at_least]
    for way, load in outcome.loads.items():
        print(f"{way}: {load.rounds} kills at {load.per_s:.0f} acknowledged a second")
    for way in slow:
        print(f"{way} did not reach {options.at_least:.0f} a second: this run proves less than it should")
    for way in outcome.skipped:
        print(f"{way} SKIPPED")
    return 0 if outcome.passed and not slow and not outcome.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
