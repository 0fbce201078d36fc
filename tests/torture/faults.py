"""A disk that is full or fails under load: no false 2xx, 503 with Retry-After meanwhile, reads go on, and writing
is back within 10 s of the fault's end, without a restart. (SQLite.)

Each round loads the service in every way, lets the disk fail for a while, and lets it be sound again; in half of
the rounds the service is killed (-9) while the disk fails. Everything acknowledged is then looked up. Run by hand:

    python -m tests.torture.faults --rounds 8 --by single,array,mqtt
    python -m tests.torture.faults --tmpfs     (as root: a file system that is really full)
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvloop

from tests.harness.server import Server
from tests.torture import kill9, odd_disk
from tests.torture.disks import FAULTS
from tests.torture.ledgers import Ledger, Report, judge, open_ledgers
from tests.torture.writers import WRITERS, Orders, Pace

CONNECTIONS = {"single": 8, "array": 2, "mqtt": 2}
ROWS_PER_S = 3000.0
BACK_WITHIN_S = 10.0
READ_WITHIN_S = 2.0
# Of a full disk that only cannot grow, the log's old pages may still be written for a while.
MAY_NOT_BITE = ("growth",)
TMPFS_MIB = 32


@dataclass
class Round:
    """What one fault did."""

    fault: str
    killed: bool
    acknowledged_before: int = 0
    acknowledged_meanwhile: int = 0
    unavailable: int = 0
    without_retry_after: int = 0
    reads: int = 0
    failed_reads: list[str] = field(default_factory=list)
    back_after_s: float | None = None

    def complaints(self) -> list[str]:
        found = list(self.failed_reads)
        if not self.acknowledged_before:
            found.append("nothing was acknowledged before the fault")
        if not self.unavailable and self.fault not in MAY_NOT_BITE:
            found.append("no 503 meanwhile: the fault did not bite")
        if self.without_retry_after:
            found.append(f"{self.without_retry_after} times 503 without Retry-After")
        if not self.reads:
            found.append("nothing was read meanwhile")
        if not self.killed and (self.back_after_s is None or self.back_after_s > BACK_WITHIN_S):
            found.append("writing did not come back in time")
        return [f"{self.fault}: {each}" for each in found]

    def __str__(self) -> str:
        back = "killed" if self.killed else f"back after {self.back_after_s and round(self.back_after_s, 2)} s"
        return (
            f"{self.fault}: {self.acknowledged_before} acknowledged before, {self.acknowledged_meanwhile} meanwhile, "
            f"{self.unavailable} times 503, {self.reads} reads, {back}"
        )


@dataclass
class Outcome:
    """All rounds, and the judge's report at the end."""

    rounds: list[Round] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    skipped: list[str] = field(default_factory=list)

    def complaints(self) -> list[str]:
        found = [each for one in self.rounds for each in one.complaints()]
        return found if self.report.passed else [*found, str(self.report), *self.report.refused[:5]]


Faulty = Callable[[str], None]
"""Makes the disk fail in this way; "" makes it sound again."""


async def _one(server: Server, ways: dict[str, list[Ledger]], turn: Round, faulty: Faulty, span_s: float) -> None:
    orders = [(way, Orders(server, Pace(ROWS_PER_S))) for way in ways]
    # A writer whose connection was closed connects again, as a device does.
    writers = [asyncio.create_task(_persistent(way, order, ledger)) for way, order in orders for ledger in ways[way]]
    before = _acknowledged(ways)
    await asyncio.sleep(span_s / 2)
    turn.acknowledged_before = _acknowledged(ways) - before
    faulty(turn.fault)
    before = _acknowledged(ways)
    await _read_for(server, turn, span_s)
    if turn.killed:
        await asyncio.to_thread(server.kill)
    turn.acknowledged_meanwhile = _acknowledged(ways) - before
    faulty("")
    if not turn.killed:
        await _wait_until_back(ways, turn)
    for _, order in orders:
        order.stop.set()
    await asyncio.gather(*writers)
    turn.unavailable = sum(order.unavailable for _, order in orders)
    turn.without_retry_after = sum(order.without_retry_after for _, order in orders)


async def _persistent(way: str, orders: Orders, ledger: Ledger) -> None:
    while True:
        await WRITERS[way](orders, ledger)
        if orders.stop.is_set():
            return
        await asyncio.sleep(0.1)


def _acknowledged(ways: dict[str, list[Ledger]]) -> int:
    return sum(len(ledger.acknowledged) for ledgers in ways.values() for ledger in ledgers)


async def _read_for(server: Server, turn: Round, seconds: float) -> None:
    """A reader asks ten times a second."""
    ends = time.monotonic() + seconds
    async with httpx.AsyncClient(timeout=READ_WITHIN_S) as client:
        while time.monotonic() < ends:
            turn.reads += 1
            try:
                answer = await client.get(f"{server.base}/Observations?$top=50&$expand=Datastream")
                if answer.status_code != 200:
                    turn.failed_reads.append(f"a read gave {answer.status_code} {answer.text[:100]}")
            except httpx.HTTPError as error:
                turn.failed_reads.append(f"a read failed: {error!r}")
            await asyncio.sleep(0.1)


async def _wait_until_back(ways: dict[str, list[Ledger]], turn: Round) -> None:
    """Until every way has been acknowledged again."""
    began = time.monotonic()
    behind = {way: sum(len(ledger.acknowledged) for ledger in ledgers) for way, ledgers in ways.items()}
    while time.monotonic() - began < 2 * BACK_WITHIN_S:
        if all(sum(len(ledger.acknowledged) for ledger in ways[way]) > count for way, count in behind.items()):
            turn.back_after_s = time.monotonic() - began
            return
        await asyncio.sleep(0.01)


def run(
    server: Server, faulty: Faulty, faults: Sequence[tuple[str, bool]], by: Sequence[str], span_s: float, *, quiet: bool
) -> Outcome:
    """One round for each (fault, killed?); at the end kill -9, start, and the judge."""
    names, skipped = kill9.playable(server, by)
    outcome = Outcome(skipped=skipped)
    ways = {way: open_ledgers(server, CONNECTIONS[way]) for way in names}
    for fault, killed in faults:
        turn = Round(fault, killed)
        outcome.rounds.append(turn)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_one(server, ways, turn, faulty, span_s))
        if killed:
            server.start()
            if "mqtt" in ways:
                kill9.mqtt_answers(server)
        if not quiet:
            print(turn, flush=True)
    server.kill()
    server.start()
    outcome.report = judge(server, [ledger for ledgers in ways.values() for ledger in ledgers], also_sent=True)
    return outcome


def rounds_of(count: int) -> list[tuple[str, bool]]:
    """Every fault in turn; with a kill each second time."""
    return [(FAULTS[number % len(FAULTS)], number // len(FAULTS) % 2 == 1) for number in range(count)]


def run_on_odd_disk(
    faults: Sequence[tuple[str, bool]], by: Sequence[str], span_s: float, *, quiet: bool = True
) -> Outcome:
    """A server of its own whose disk fails on command."""
    with tempfile.TemporaryDirectory(prefix="lakou-faults-") as name:
        folder = Path(name)
        control = folder / odd_disk.FAULT

        def faulty(fault: str) -> None:
            if fault:
                (folder / "next").write_text(fault)
                (folder / "next").rename(control)
            else:
                control.rename(folder / "last")

        with odd_disk.server_on_odd_disk(folder, record=False) as server:
            return run(server, faulty, faults, by, span_s, quiet=quiet)


@contextmanager
def _tmpfs(folder: Path) -> Iterator[None]:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MIB}m", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def run_on_tmpfs(rounds: int, by: Sequence[str], span_s: float) -> Outcome:
    """A server whose file system really is full: another file takes all that is left of it for a while."""
    with tempfile.TemporaryDirectory(prefix="lakou-faults-") as name:
        data = Path(name) / "data"
        data.mkdir()
        ballast = data / "ballast"

        def faulty(fault: str) -> None:
            if not fault:
                ballast.unlink()
                return
            with ballast.open("wb", buffering=0) as file:
                block = bytes(4096)
                try:
                    while True:
                        file.write(block)
                except OSError:
                    return

        with _tmpfs(data):
            server = Server("sqlite", data)
            try:
                server.start()
                turns = [("growth", number % 2 == 1) for number in range(rounds)]
                return run(server, faulty, turns, by, span_s, quiet=False)
            finally:
                server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--by", default="single,array,mqtt")
    parser.add_argument("--seconds", type=float, default=4.0, help="that each fault lasts")
    parser.add_argument("--tmpfs", action="store_true", help="a small file system that is filled (needs root)")
    options = parser.parse_args()
    by = options.by.split(",")
    if options.tmpfs:
        outcome = run_on_tmpfs(options.rounds, by, options.seconds)
    else:
        outcome = run_on_odd_disk(rounds_of(options.rounds), by, options.seconds, quiet=False)
    print(outcome.report)
    for line in outcome.complaints():
        print(line)
    for way in outcome.skipped:
        print(f"{way} SKIPPED")
    return 0 if not outcome.complaints() and not outcome.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
