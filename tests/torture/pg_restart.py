"""PostgreSQL restarts, crashes and cuts connections under load: what was acknowledged is there exactly once.

Writers send single Observations and data arrays through HTTP, without a rest. Meanwhile the database is stopped in
every way it can stop; clients may see 503 with Retry-After and nothing else. What was refused is sent again, as it
was. Run by hand (needs the programs of a PostgreSQL server with PostGIS):

    python -m tests.torture.pg_restart --rounds 5 --workers 2
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.cluster import Cluster, cluster
from tests.harness.server import Server

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
WRITERS = 4
ARRAY_ROWS = 50
RECOVERY_S = 10.0
FAULTS = ("crash", "kill backends", "terminate", "restart")


@dataclass
class Ledger:
    """What one writer sent: number → acknowledged id. `odd` holds answers that no client should see."""

    stream: int
    acknowledged: dict[int, int] = field(default_factory=dict)
    refused: int = 0
    odd: list[str] = field(default_factory=list)
    last: float = 0.0


@dataclass
class Report:
    """Sums over all writers; `recovery_s` is the longest wait from a database that is back to an answer."""

    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    recovery_s: float = 0.0
    odd: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.acknowledged > 0 and self.recovery_s <= RECOVERY_S and not (self.lost or self.doubled or self.odd)


def _time(number: int) -> str:
    return (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _send(client: httpx.Client, base: str, stream: int, numbers: list[int]) -> httpx.Response:
    if len(numbers) == 1:
        body: Any = {"phenomenonTime": _time(numbers[0]), "result": numbers[0]}
        return client.post(f"{base}/Datastreams({stream})/Observations", json=body)
    rows = [[_time(number), number] for number in numbers]
    named = {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}
    return client.post(f"{base}/CreateObservations", json=[named])


def _ids(response: httpx.Response, count: int) -> list[int]:
    links = response.json() if count > 1 else [response.headers["Location"]]
    return [int(link.rpartition("(")[2].rstrip(")")) for link in links]


def _write(server: Server, ledger: Ledger, stop: threading.Event) -> None:
    """One at a time and in order; what is refused is sent again until it is taken."""
    number = 0
    with httpx.Client(headers={"Authorization": f"Bearer {server.token}"}, timeout=30.0) as client:
        while not stop.is_set():
            size = ARRAY_ROWS if number % 7 == 3 else 1
            numbers = list(range(number, number + size))
            number += size
            while True:
                try:
                    response = _send(client, server.base, ledger.stream, numbers)
                except httpx.TransportError as error:
                    ledger.odd.append(f"no answer: {error!r}")
                    return
                if response.status_code == 201 and "error" not in response.text:
                    ledger.acknowledged.update(zip(numbers, _ids(response, size), strict=True))
                    ledger.last = time.monotonic()
                    break
                if response.status_code != 503 or "retry-after" not in response.headers:
                    ledger.odd.append(f"{response.status_code} {response.text[:200]}")
                    return
                ledger.refused += 1
                time.sleep(0.05)


def _disturb(postgres: Cluster, fault: str, down_s: float) -> None:
    """Do one harm to the database, and wait until it is back."""
    match fault:
        case "crash" | "restart":
            postgres.stop("immediate" if fault == "crash" else "fast")
            time.sleep(down_s)
            postgres.start()
        case "kill backends":
            # The postmaster takes the death of one for a crash of all, and recovers from its log.
            with psycopg.connect(postgres.url, autocommit=True) as admin:
                row = (
                    admin.execute(
                        "select pid from pg_stat_activity where datname <> 'postgres' and state <> 'idle' limit 1"
                    ).fetchone()
                    or admin.execute("select pid from pg_stat_activity where datname <> 'postgres'").fetchone()
                )
            assert row is not None
            os.kill(row[0], signal.SIGKILL)
            _until_it_answers(postgres)
        case "terminate":
            with psycopg.connect(postgres.url, autocommit=True) as admin:
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname <> 'postgres'")


def _until_it_answers(postgres: Cluster) -> None:
    time.sleep(0.2)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            psycopg.connect(postgres.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return


def _recovered(ledgers: list[Ledger], since: float) -> float:
    """Seconds until every writer has been acknowledged again."""
    while time.monotonic() - since < 2 * RECOVERY_S and not any(ledger.odd for ledger in ledgers):
        if all(ledger.last > since for ledger in ledgers):
            break
        time.sleep(0.01)
    return time.monotonic() - since


def run(postgres: Cluster, rounds: int, *, workers: int = 1, load_s: float = 1.0, down_s: float = 0.5) -> Report:
    """Load a server on this cluster, harm the database `rounds` times, then count."""
    report = Report()
    folder = Path(tempfile.mkdtemp(prefix="lakou-pg-restart-"))
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute("create database lakou_restart")
    url = postgres.url.rpartition("/")[0] + "/lakou_restart"
    server = Server("postgres", folder / "data", url)
    server.data.mkdir()
    server.options = ("--workers", str(workers))
    try:
        server.start()
        api = Api(server.base, server.token)
        thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(WRITERS)]))
        ledgers = [Ledger(stream["@iot.id"]) for stream in api.value(f"Things({key(thing)})/Datastreams")]
        stop = threading.Event()
        threads = [threading.Thread(target=_write, args=(server, ledger, stop)) for ledger in ledgers]
        for thread in threads:
            thread.start()
        for number in range(rounds):
            time.sleep(load_s)
            _disturb(postgres, FAULTS[number % len(FAULTS)], down_s)
            report.recovery_s = max(report.recovery_s, _recovered(ledgers, time.monotonic()))
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        api.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    _count(url, ledgers, report)
    return report


def _count(url: str, ledgers: list[Ledger], report: Report) -> None:
    with psycopg.connect(url) as connection:
        for ledger in ledgers:
            rows = connection.execute(
                "select id, result_number::bigint from observations.observation where datastream_id = %s",
                (ledger.stream,),
            ).fetchall()
            stored = Counter(number for _, number in rows)
            by_id = dict(rows)
            report.acknowledged += len(ledger.acknowledged)
            report.refused += ledger.refused
            report.odd += ledger.odd
            report.lost += sum(by_id.get(id_) != number for number, id_ in ledger.acknowledged.items())
            report.doubled += sum(count - 1 for count in stored.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with cluster() as postgres:
        report = run(postgres, options.rounds, workers=options.workers, load_s=2.0, down_s=1.0)
    print(
        f"{report.acknowledged} acknowledged, {report.lost} lost, {report.doubled} doubled, {report.refused} refused"
        f" for a while, back within {report.recovery_s:.1f} s, {len(report.odd)} odd answers"
    )
    for line in report.odd[:10]:
        print(line)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
