"""A backup under load: what was acknowledged before it began is in it, once, and nothing is half.

Writers send data arrays at a steady rate and one more sends single Observations, whose latencies are told apart for
before and during the backup. Run by hand:

    python -m tests.torture.backup --rate 5000 --rows 5000000
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import Server, fresh_database, running

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
WRITERS = 4
ARRAY_ROWS = 100


@dataclass
class Ledger:
    """What one writer of one Datastream got acknowledged: (monotonic instant of the answer, numbers)."""

    stream: int
    answers: list[tuple[float, int, int]] = field(default_factory=list)
    latencies: list[tuple[float, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def acknowledged_before(self, instant: float) -> set[int]:
        return {n for at, first, last in self.answers if at < instant for n in range(first, last)}


@dataclass
class Report:
    """What was found. Latencies in milliseconds, sizes in bytes."""

    rate: float = 0.0
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    strangers: int = 0
    half: int = 0
    refused: list[str] = field(default_factory=list)
    backup_s: float = 0.0
    archive_bytes: int = 0
    log_bytes_before: int = 0
    log_bytes_most: int = 0
    p99_before_ms: float = 0.0
    p99_during_ms: float = 0.0
    during: int = 0

    @property
    def passed(self) -> bool:
        return self.acknowledged > 0 and not (self.lost or self.doubled or self.strangers or self.half or self.refused)


def _time(number: int) -> str:
    return (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _array(stream: int, first: int, last: int) -> list[dict[str, Any]]:
    rows = [[_time(number), number] for number in range(first, last)]
    return [
        {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows},
    ]


def _write(server: Server, ledger: Ledger, stop: threading.Event, rate: float, rows: int) -> None:
    """Send `rows` a request at `rate` rows a second until told to stop."""
    number, began = 0, time.monotonic()
    with httpx.Client(headers={"Authorization": f"Bearer {server.token}"}, timeout=30.0, trust_env=False) as client:
        while not stop.is_set():
            due = began + number / rate
            if due > (now := time.monotonic()):
                time.sleep(min(due - now, 0.5))
            sent = time.monotonic()
            if rows == 1:
                body: Any = {"phenomenonTime": _time(number), "result": number}
                answer = client.post(f"{server.base}/Datastreams({ledger.stream})/Observations", json=body)
            else:
                body = _array(ledger.stream, number, number + rows)
                answer = client.post(f"{server.base}/CreateObservations", json=body)
            done = time.monotonic()
            if answer.status_code != 201 or "error" in answer.text[:200].lower():
                ledger.refused.append(f"{answer.status_code} {answer.text[:200]}")
                continue
            ledger.answers.append((done, number, number + rows))
            ledger.latencies.append((sent, (done - sent) * 1000))
            number += rows


def command(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `lakou` beside the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKOU_")}
    return subprocess.run(
        [sys.executable, "-m", "lakou", *words],
        capture_output=True,
        text=True,
        env={**kept, "COLUMNS": "200"},
        check=False,
    )


def place(server: Server) -> list[str]:
    """The options that name the server's databases."""
    return ["--data", str(server.data), *(["--database-url", server.database_url] if server.database_url else [])]


def _log_size(server: Server) -> int:
    path = server.data / "observations.db-wal"
    return path.stat().st_size if path.exists() else 0


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0


def run(server: Server, rate: float, seconds: float, *, prefill: int = 0, superuser_url: str | None = None) -> Report:
    """Load a started server for `seconds` before a backup and during it, restore it, count."""
    api = Api(server.base, server.token)
    thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(WRITERS + 2)]))
    streams = [stream["@iot.id"] for stream in api.value(f"Things({key(thing)})/Datastreams")]
    ledgers = [Ledger(stream) for stream in streams[:-1]]
    for first in range(0, prefill, 10_000):
        api.post("CreateObservations", _array(streams[-1], first, first + 10_000))
    api.close()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_write, args=(server, ledger, stop, rate / WRITERS, ARRAY_ROWS))
        for ledger in ledgers[:-1]
    ]
    threads.append(threading.Thread(target=_write, args=(server, ledgers[-1], stop, 100.0, 1)))
    began = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    report = Report(log_bytes_before=_log_size(server))
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.02):
            report.log_bytes_most = max(report.log_bytes_most, _log_size(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    backup_began = time.monotonic()
    parent = server.data.parent / "backups"
    try:
        made = command(server, "backup", str(parent), *place(server))
        backup_ended = time.monotonic()
    finally:
        stop.set()
        watching.set()
        for thread in (*threads, watcher):
            thread.join()
    stopped = time.monotonic()
    if made.returncode != 0:
        report.refused.append(made.stderr[-500:])
        return report
    archive = Path(made.stdout.strip().splitlines()[-1])
    report.backup_s = backup_ended - backup_began
    report.archive_bytes = sum(path.stat().st_size for path in archive.iterdir())
    report.rate = sum(last - first for ledger in ledgers for _, first, last in ledger.answers) / (stopped - began)
    singles = ledgers[-1].latencies
    report.p99_before_ms = _p99([took for at, took in singles if began + 0.5 < at < backup_began])
    during = [took for at, took in singles if backup_began <= at < backup_ended]
    report.p99_during_ms, report.during = _p99(during), len(during)
    for ledger in ledgers:
        report.refused += ledger.refused
    _restore_and_count(server, archive, ledgers, backup_began, report, superuser_url)
    shutil.rmtree(parent)
    return report


def _restore_and_count(
    server: Server, archive: Path, ledgers: list[Ledger], began: float, report: Report, superuser_url: str | None
) -> None:
    folder = server.data.parent / "restored"
    if server.database == "sqlite":
        _count(Server("sqlite", folder), archive, server.token, ledgers, began, report)
        return
    assert superuser_url is not None
    with fresh_database(superuser_url) as url:
        _count(Server("postgres", folder, url), archive, server.token, ledgers, began, report)


def _count(restored: Server, archive: Path, token: str, ledgers: list[Ledger], began: float, report: Report) -> None:
    done = command(restored, "restore", str(archive), "--verify", *place(restored))
    if done.returncode != 0:
        report.refused.append(done.stderr[-500:])
        return
    restored.token = token  # its hash is in the civic data of the archive
    restored.start()
    api = Api(restored.base, token)
    try:
        for ledger in ledgers:
            items = api.items(f"Datastreams({ledger.stream})/Observations", select="result,phenomenonTime", top=5000)
            stored = Counter((item["phenomenonTime"].replace(".000Z", "Z"), item["result"]) for item in items)
            before = ledger.acknowledged_before(began)
            ever = {n for _, first, last in ledger.answers for n in range(first, last)}
            report.acknowledged += len(before)
            report.lost += sum(1 for number in before if (_time(number), number) not in stored)
            report.doubled += sum(count - 1 for count in stored.values())
            report.strangers += sum(1 for at, number in stored if number not in ever or at != _time(number))
            if ledger is not ledgers[-1] and len(stored) % ARRAY_ROWS:
                report.half += 1
    finally:
        api.close()
        restored.stop()
        shutil.rmtree(restored.data, ignore_errors=True)


def told(report: Report) -> str:
    """One line of figures."""
    return (
        f"{report.rate:.0f} obs/s; backup of {report.archive_bytes / 2**20:.1f} MiB in {report.backup_s:.2f} s; "
        f"single POST p99 {report.p99_before_ms:.1f} ms before, {report.p99_during_ms:.1f} ms during "
        f"({report.during} requests); log {report.log_bytes_before / 2**20:.1f} MiB before, at most "
        f"{report.log_bytes_most / 2**20:.1f} during; {report.acknowledged} acknowledged before, {report.lost} lost, "
        f"{report.doubled} doubled, {report.strangers} unknown, {report.half} half, {len(report.refused)} refused"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=10, help="of load before the backup begins")
    parser.add_argument("--rows", type=int, default=0, help="Observations stored before the load")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    superuser = os.environ.get("LAKOU_TEST_POSTGRES")
    with running(options.database, superuser) as server:
        report = run(server, options.rate, options.seconds, prefill=options.rows, superuser_url=superuser)
    print(told(report))
    for line in report.refused[:10]:
        print(line)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
