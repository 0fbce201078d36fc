"""kill -9 under load: every acknowledged Observation is there exactly once after the restart.

Writers send single Observations and data arrays; what got no answer is sent again after the restart, as a real
device does. Run by hand:

    python -m tests.torture.kill9 --rounds 30
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import Server, running

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
WRITERS = 4
ARRAY_ROWS = 50


@dataclass
class Ledger:
    """What one writer has sent and what was acknowledged, by number; a number gives time and result."""

    stream: int
    sent: int = 0
    open: list[list[int]] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass
class Report:
    """Counts over all writers."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    strangers: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.acknowledged > 0 and not (self.lost or self.doubled or self.strangers or self.refused)


def _time(number: int) -> str:
    return (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _send(client: httpx.Client, server: Server, stream: int, numbers: list[int]) -> httpx.Response:
    if len(numbers) == 1:
        body: Any = {"phenomenonTime": _time(numbers[0]), "result": numbers[0]}
        return client.post(f"{server.base}/Datastreams({stream})/Observations", json=body)
    body = [
        {
            "Datastream": {"@iot.id": stream},
            "components": ["phenomenonTime", "result"],
            "dataArray": [[_time(number), number] for number in numbers],
        }
    ]
    return client.post(f"{server.base}/CreateObservations", json=body)


def _write(server: Server, ledger: Ledger, stop: threading.Event, seed: int) -> None:
    """Sends until told to stop or cut off. What was open is sent first, as it was."""
    choice = random.Random(seed)
    with httpx.Client(headers={"Authorization": f"Bearer {server.token}"}, timeout=10.0) as client:
        while not stop.is_set() or ledger.open:
            if not ledger.open:
                size = 1 if choice.random() < 0.7 else ARRAY_ROWS
                ledger.open.append(list(range(ledger.sent, ledger.sent + size)))
                ledger.sent += size
            numbers = ledger.open[0]
            try:
                response = _send(client, server, ledger.stream, numbers)
            except httpx.TransportError:
                return
            if response.status_code == 503:
                time.sleep(0.05)
                continue
            if response.status_code != 201 or "error" in response.text.lower()[:200]:
                ledger.refused.append(f"{response.status_code} {response.text[:200]}")
            else:
                ledger.acknowledged.extend(numbers)
            ledger.open.pop(0)


def _round(server: Server, ledgers: list[Ledger], seed: int, load_s: float, *, kill: bool) -> None:
    stop = threading.Event()
    threads = [
        threading.Thread(target=_write, args=(server, ledger, stop, seed + number))
        for number, ledger in enumerate(ledgers)
    ]
    for thread in threads:
        thread.start()
    time.sleep(load_s)
    if kill:
        server.kill()
    stop.set()
    for thread in threads:
        thread.join()


def run(server: Server, rounds: int, seed: int = 1, *, quiet: bool = True) -> Report:
    """Kills and restarts a started server `rounds` times, then counts what is stored against what was acknowledged."""
    choice = random.Random(seed)
    api = Api(server.base, server.token)
    thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(WRITERS)]))
    ledgers = [Ledger(stream["@iot.id"]) for stream in api.value(f"Things({key(thing)})/Datastreams")]
    api.close()
    for number in range(rounds):
        _round(server, ledgers, seed * 1000 + number, choice.uniform(0.2, 1.2), kill=True)
        server.start()
        if not quiet:
            print(f"round {number + 1}: {sum(len(ledger.acknowledged) for ledger in ledgers)} acknowledged", flush=True)
    _round(server, ledgers, seed, 0.1, kill=False)
    api = Api(server.base, server.token)
    try:
        return _count(api, ledgers)
    finally:
        api.close()


def _count(api: Api, ledgers: list[Ledger]) -> Report:
    report = Report()
    for ledger in ledgers:
        items = api.items(f"Datastreams({ledger.stream})/Observations", select="result,phenomenonTime", top=5000)
        stored = Counter((item["phenomenonTime"].replace(".000Z", "Z"), item["result"]) for item in items)
        expected = {(_time(number), number) for number in ledger.acknowledged}
        report.acknowledged += len(expected)
        report.lost += sum(1 for row in expected if row not in stored)
        report.doubled += sum(count - 1 for count in stored.values())
        report.strangers += sum(1 for row in stored if row not in expected)
        report.refused += ledger.refused
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with running(options.database, os.environ.get("LAKOU_TEST_POSTGRES")) as server:
        report = run(server, options.rounds, options.seed, quiet=False)
    print(
        f"{report.acknowledged} acknowledged, {report.lost} lost, {report.doubled} doubled, "
        f"{report.strangers} unknown, {len(report.refused)} refused"
    )
    for line in report.refused[:10]:
        print(line)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
