"""A backup under load: what was acknowledged before it began is in it, once, and nothing is half.

Writers send data arrays at a steady rate and one more sends single Observations: before the backup, during it and
after it. What is asked of the writers during the backup is a share of what they had beside it in the same run, so that
a slow machine asks less of itself. Run by hand:

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
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, fresh_database, running

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
WRITERS = 4
ARRAY_ROWS = 100
RATE_KEPT = 0.5
"""Rows a second during the backup, at least this share of the lower of before and after."""
P99_TIMES = 20.0
"""The p99 of the answers during the backup, at most so many times the higher of before and after."""
WAIT_SHARE = 0.5
"""No answer takes this share of the backup: who waits for all of a copy is held up by it, however fast the copy."""


@dataclass
class Ledger:
    """What one writer of one Datastream got acknowledged: (monotonic instants of request and answer, numbers)."""

    stream: int
    answers: list[tuple[float, float, int, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def acknowledged_before(self, instant: float) -> set[int]:
        return {n for _, at, first, last in self.answers if at < instant for n in range(first, last)}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the run: its length in seconds, rows a second, and how long answers took, in milliseconds."""

    length_s: float = 0.0
    rate: float = 0.0
    answers: int = 0
    p99_ms: float = 0.0
    slowest_ms: float = 0.0

    def __str__(self) -> str:
        return f"{self.rate:.0f} obs/s, p99 {self.p99_ms:.1f} ms, slowest {self.slowest_ms:.1f} ms"


def stretch(ledgers: Iterable[Ledger], began: float, ended: float, *, touching: bool = False) -> Stretch:
    """What the writers saw between two instants: how long requests took that began and ended there, or, `touching`, all
    for which somebody waited then.
    """
    answers = [answer for ledger in ledgers for answer in ledger.answers]
    rows = sum(last - first for _, done, first, last in answers if began <= done < ended)
    took = sorted(
        (done - sent) * 1000
        for sent, done, _, _ in answers
        if (sent < ended and done >= began if touching else began <= sent and done < ended)
    )
    if not took:
        return Stretch(ended - began)
    return Stretch(ended - began, rows / (ended - began), len(took), took[int(len(took) * 0.99)], took[-1])


@dataclass
class Report:
    """What was found. Sizes in bytes."""

    before: Stretch = Stretch()
    during: Stretch = Stretch()
    after: Stretch = Stretch()
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    strangers: int = 0
    half: int = 0
    refused: list[str] = field(default_factory=list)
    archive_bytes: int = 0
    log_bytes_before: int = 0
    log_bytes_most: int = 0

    def held_up(self) -> list[str]:
        """How the backup held the writers up, in words; empty when it did not."""
        found = []
        beside_rate = min(self.before.rate, self.after.rate)
        beside_ms = max(self.before.p99_ms, self.after.p99_ms)
        if not self.before.answers or not self.after.answers:
            found.append("nothing was acknowledged beside the backup: there is nothing to compare with")
        if self.during.rate < RATE_KEPT * beside_rate or not self.during.answers:
            found.append(f"{self.during.rate:.0f} rows a second during the backup, {beside_rate:.0f} beside it")
        if self.during.p99_ms > P99_TIMES * beside_ms:
            found.append(f"p99 {self.during.p99_ms:.1f} ms during the backup, {beside_ms:.1f} ms beside it")
        if self.during.slowest_ms > WAIT_SHARE * self.during.length_s * 1000:
            found.append(f"an answer took {self.during.slowest_ms:.0f} ms of {self.during.length_s * 1000:.0f}")
        return found

    @property
    def whole(self) -> bool:
        """Whether the restored copy holds all of what it must, once, and nothing half."""
        return self.acknowledged > 0 and not (self.lost or self.doubled or self.strangers or self.half or self.refused)

    @property
    def passed(self) -> bool:
        return self.whole and not self.held_up()


def compare(report: Report, ledgers: Iterable[Ledger], instants: tuple[float, float, float, float]) -> None:
    """Fill in what the writers saw before, during and after a backup: `instants` begin and end the three."""
    one, two, three, four = instants
    report.before = stretch(ledgers, one, two)
    report.during = stretch(ledgers, two, three, touching=True)
    report.after = stretch(ledgers, three, four)


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
            ledger.answers.append((sent, done, number, number + rows))
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


def run(server: Server, rate: float, seconds: float, *, prefill: int = 0, superuser_url: str | None = None) -> Report:
    """Load a started server for `seconds` before a backup, during it and `seconds` after it; restore it, count."""
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
        time.sleep(seconds)
        stopped = time.monotonic()
    finally:
        stop.set()
        watching.set()
        for thread in (*threads, watcher):
            thread.join()
    if made.returncode != 0:
        report.refused.append(made.stderr[-500:])
        return report
    archive = Path(made.stdout.strip().splitlines()[-1])
    report.archive_bytes = sum(path.stat().st_size for path in archive.iterdir())
    # The first requests open connections.
    compare(report, ledgers, (began + min(0.5, seconds / 3), backup_began, backup_ended, stopped))
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
            ever = {n for _, _, first, last in ledger.answers for n in range(first, last)}
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
        f"before {report.before}; during {report.during}; after {report.after}; backup of "
        f"{report.archive_bytes / 2**20:.1f} MiB in {report.during.length_s:.2f} s; "
        f"log {report.log_bytes_before / 2**20:.1f} MiB before, at most {report.log_bytes_most / 2**20:.1f} during; "
        f"{report.acknowledged} acknowledged before it, {report.lost} lost, {report.doubled} doubled, "
        f"{report.strangers} unknown, {report.half} half, {len(report.refused)} refused"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=10, help="of load before the backup and after it")
    parser.add_argument("--rows", type=int, default=0, help="Observations stored before the load")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with running(options.database, POSTGRES_URL) as server:
        report = run(server, options.rate, options.seconds, prefill=options.rows, superuser_url=POSTGRES_URL)
    print(told(report))
    for line in (*report.held_up(), *report.refused[:10]):
        print(line)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
