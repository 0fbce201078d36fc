"""Hostile input from a seed: addresses and bodies near the valid ones, and far from them.

Passes when no answer is a 5xx other than 501 and 503, none takes over 2 s, none leaks a path, SQL or a stack
trace, and the server's memory grows by less than 100 MB. Run by hand:

    python -m tests.torture.fuzz_http --count 20000 --seed 1
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field

import httpx
import psutil

from tests.conformance.model import ALL_TYPES
from tests.harness import make
from tests.harness.client import LEAKS
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.torture.generator import Generator

SLOW_S = 2.0
GROWTH_BYTES = 100 * 1024 * 1024
ALLOWED_5XX = (501, 503)


@dataclass
class Report:
    """What went wrong, and how the answers spread."""

    statuses: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    growth_bytes: int = 0

    @property
    def passed(self) -> bool:
        return not self.faults and self.growth_bytes < GROWTH_BYTES


def _seeded(client: httpx.Client, base: str) -> dict[str, list[int]]:
    """Some entities to find; their keys by set."""
    for number in range(5):
        client.post(
            f"{base}/Things",
            json=make.station(
                properties={"a": [1, {"b": "x"}], "n": number},
                Datastreams=[
                    make.datastream(
                        Observations=[make.observation(n, phenomenonTime=f"2024-01-0{n}T00:00:00Z") for n in (1, 2, 3)]
                    )
                ],
                MultiDatastreams=[make.multi_datastream()],
            ),
        )
    return {
        kind.set_name: [item["@iot.id"] for item in client.get(f"{base}/{kind.set_name}?$top=5").json()["value"]] or [1]
        for kind in ALL_TYPES
    }


def run(server: Server, count: int, seed: int, *, quiet: bool = True) -> Report:
    """Sends `count` requests to a started server and judges each answer."""
    report = Report()
    process = psutil.Process(server.pid)
    warm_at, base_rss = min(count // 4, 2000), 0
    with httpx.Client(headers={"Authorization": f"Bearer {server.token}"}, timeout=30.0) as client:
        generator = Generator(seed, _seeded(client, server.base))
        for number in range(count):
            if number == warm_at:
                base_rss = process.memory_info().rss
            method, target, media, body = generator.request()
            headers = {"Content-Type": media} if media else {}
            raw = f"/sta/v1.1/{target}".encode("ascii", "replace")
            started = time.perf_counter()
            try:
                response = client.request(
                    method, server.base, content=body, headers=headers, extensions={"target": raw}
                )
            except httpx.TransportError as error:
                report.faults.append(f"{method} {target[:300]}: {error!r}")
                if not psutil.pid_exists(server.pid):
                    break
                continue
            elapsed = time.perf_counter() - started
            _judge(report, response, elapsed, f"{method} {target[:500]} body={body[:300] if body else b''!r}")
            if not quiet and number % 1000 == 999:
                print(f"{number + 1} sent, {len(report.faults)} faults, slowest {report.slowest_s:.2f} s", flush=True)
    report.growth_bytes = process.memory_info().rss - base_rss
    return report


def _judge(report: Report, response: httpx.Response, elapsed_s: float, asked: str) -> None:
    status = response.status_code
    report.statuses[status] = report.statuses.get(status, 0) + 1
    report.slowest_s = max(report.slowest_s, elapsed_s)
    if status >= 500 and status not in ALLOWED_5XX:
        report.faults.append(f"{status}: {asked}")
    if elapsed_s > SLOW_S:
        report.faults.append(f"{elapsed_s:.1f} s: {asked}")
    if status >= 400 and (leak := LEAKS.search(response.text)):
        report.faults.append(f"leaks {leak.group(0)[:80]!r}: {asked}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with running(options.database, POSTGRES_URL) as server:
        report = run(server, options.count, options.seed, quiet=False)
    for fault in report.faults[:50]:
        print(fault)
    print(
        f"statuses {dict(sorted(report.statuses.items()))}; {len(report.faults)} faults; "
        f"slowest {report.slowest_s:.2f} s; memory +{report.growth_bytes / 1024 / 1024:.1f} MB"
    )
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
