"""Power cuts on SQLite: what was written and not yet synced is lost, in part and in any order.

A real service runs on a file layer that records each write, sync, truncation and deletion, and each acknowledgement
that its clients got. A cut at any point of the record then gives a disk: all that was synced, and of the rest a
random part, whole or torn at a sector. The store is opened on that disk with the ordinary file layer: it must be
sound and have every Observation acknowledged before the cut, once. By hand, over HTTP and MQTT at full load, and
with syncs that fail now and then:

    python -m tests.torture.powercut --cuts 25 --by single,array,mqtt
    python -m tests.torture.powercut --cuts 200 --by inside --failing-syncs
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any

import apsw

from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.service import Service, ServiceConfig
from tests.harness import make
from tests.torture import kill9, odd_disk
from tests.torture.disks import Event, Platter, laid_under
from tests.torture.ledgers import instant, open_ledgers
from tests.torture.writers import CONNECTIONS

WRITERS = 8
HOT_ROWS = 40
"""So few that power goes while rows are on their way from one tier to the other."""
FAIL_EVERY_S, FAIL_FOR_S = 0.1, 0.03


class Everyone:
    """An authority that lets everyone do everything: rights are not the subject here."""

    def principal(self, authorization: str | None) -> Principal:
        return ADMIN


@dataclass
class Report:
    """Sums over all cuts."""

    cuts: int = 0
    acknowledged: int = 0
    failed_syncs: int = 0
    per_s: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.cuts > 0 and self.acknowledged > 0 and not self.faults


# ── a load inside this process ──


def failing_now_and_then() -> str:
    """The disk's syncs fail for a moment, ten times a second."""
    return "sync" if time.monotonic() % FAIL_EVERY_S < FAIL_FOR_S else ""


def run(cuts: int, requests: int, seed: int = 1, *, fault: Callable[[], str] = str) -> Report:
    """One recorded load of `requests` requests, then `cuts` cuts at random points of its record."""
    with tempfile.TemporaryDirectory(prefix="lakou-powercut-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        events: list[Event] = []
        quiet = [True]
        with laid_under(folder, events.append, lambda: "" if quiet[0] else fault()):
            asyncio.run(_load(events, folder, requests, seed, quiet))
        return _cut(events, folder, cuts, seed)


async def _load(events: list[Event], folder: Path, requests: int, seed: int, quiet: list[bool]) -> None:
    """Runs the service and writes. The disk is sound until the Datastream is made, and when the service stops."""
    service = Service(ServiceConfig(data_dir=folder, limits=Limits(hot_rows=HOT_ROWS)), Everyone())
    service.migrate()
    await service.start()
    try:
        made = json.loads((await _post(service, "Things", make.station())).body)["@iot.id"]
        inside = await service.call(ADMIN, "GET", f"Things({made})/Datastreams?$select=id")
        stream = int(json.loads(inside.body)["value"][0]["@iot.id"])
        quiet[0] = False
        numbers, choice = iter(range(10**9)), random.Random(seed)
        share = requests // WRITERS
        await asyncio.gather(*(_writer(service, events, stream, numbers, share, choice) for _ in range(WRITERS)))
    finally:
        quiet[0] = True
        await service.stop()


async def _post(service: Service, path: str, body: Any) -> Any:
    """The answer 201, however often it takes."""
    sent = json.dumps(body).encode()
    while True:
        answer = await service.call(ADMIN, "POST", path, sent, ((b"content-type", b"application/json"),))
        if answer.status == 201 and b'"error"' not in answer.body[:200]:
            return answer
        if answer.status != 503:
            raise RuntimeError(f"{answer.status} {answer.body[:300]!r}")
        await asyncio.sleep(0.02)


async def _writer(
    service: Service,
    events: list[Event],
    stream: int,
    numbers: Iterator[int],
    requests: int,
    choice: random.Random,
) -> None:
    folder = service.config.data_dir or Path()
    for _ in range(requests):
        rows = [next(numbers) for _ in range(1 if choice.random() < 0.8 else 40)]
        if len(rows) == 1:
            body: Any = {"phenomenonTime": instant(rows[0]), "result": rows[0]}
            await _post(service, f"Datastreams({stream})/Observations", body)
        else:
            array = [[instant(row), row] for row in rows]
            components = ["phenomenonTime", "result"]
            body = [{"Datastream": {"@iot.id": stream}, "components": components, "dataArray": array}]
            await _post(service, "CreateObservations", body)
        events.extend(Event("ack", str(stream), row) for row in rows)
        if choice.random() < 0.02:
            await asyncio.to_thread(_checkpoint, folder)


def _checkpoint(folder: Path) -> None:
    """What the product does beside its commits, done here more often so that cuts fall into it."""
    connection = apsw.Connection(str(folder / "observations.db"))
    connection.set_busy_timeout(2000)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.IOError:
        pass  # its sync may be one that fails
    finally:
        connection.close()


# ── a load from outside, on a server of its own ──


def run_outside(cuts: int, seconds: float, by: Sequence[str], seed: int = 1, *, quiet: bool = True) -> Report:
    """A recorded load over HTTP and MQTT, `seconds` for each way, then `cuts` cuts in each way's part."""
    with tempfile.TemporaryDirectory(prefix="lakou-powercut-") as name:
        folder = Path(name)
        acks: list[Event] = []
        parts: dict[str, tuple[float, float]] = {}
        total = Report()
        with odd_disk.server_on_odd_disk(folder, record=True) as server:
            ways, total.skipped = kill9.playable(server, by)
            for way in ways:
                load = kill9.Load(open_ledgers(server, CONNECTIONS[way]))
                began = time.monotonic()
                kill9.send(server, way, load, seconds, kill=False)
                parts[way] = (began, time.monotonic())
                total.per_s[way] = load.acknowledged / (parts[way][1] - began)
                acks += [
                    Event("ack", str(ledger.stream), number, at=at)
                    for ledger in load.ledgers
                    for at, group in ledger.acknowledged_at
                    for number in group
                ]
                total.faults += [f"{way}: {said}" for ledger in load.ledgers for said in ledger.refused]
        acks.sort(key=lambda event: event.at)
        record = sorted(odd_disk.recorded(folder / odd_disk.RECORD), key=lambda event: event.at)
        for number, (way, span) in enumerate(parts.items()):
            if not quiet:
                print(f"{way}: {total.per_s[way]:.0f} acknowledged a second; cutting", flush=True)
            within = [event.at for event in record if span[0] <= event.at <= span[1]]
            # A client hears of a commit after it: whatever it has heard by the time of an event was durable before.
            events = merge(record, acks, key=lambda event: event.at)
            found = _cut(events, folder / "data", cuts, seed + number, within)
            total.cuts += found.cuts
            total.acknowledged += found.acknowledged
            total.faults += [f"{way}: {fault}" for fault in found.faults]
        return total


# ── the cuts ──


def _cut(events: Iterable[Event], folder: Path, cuts: int, seed: int, moments: Sequence[float] | None = None) -> Report:
    """Cuts at random events, or at random `moments`; each disk is given back to the product and looked at."""
    choice = random.Random(seed)
    listed = list(events)
    if moments is None:
        first = next(index for index, event in enumerate(listed) if event.kind == "ack")
        moments = [event.at for event in listed[first:]]
    failed = sum(event.kind == "failed sync" for event in listed)
    points = sorted(choice.choice(moments) for _ in range(cuts))
    platter, done, report = Platter(choice), 0, Report(failed_syncs=failed)
    with tempfile.TemporaryDirectory(prefix="lakou-cuts-") as name:
        for number, point in enumerate(points):
            while done < len(listed) and listed[done].at < point:
                platter.step(listed[done])
                done += 1
            _check(platter, Path(name) / str(number), folder, report, f"cut {number} at event {done}")
    return report


def _check(platter: Platter, found: Path, folder: Path, report: Report, label: str) -> None:
    found.mkdir()
    for path, content in platter.after_a_cut().items():
        (found / Path(path).relative_to(folder)).write_bytes(content)
    report.cuts += 1
    report.acknowledged += len(platter.acknowledged)
    try:
        stored = asyncio.run(_read(found, {stream for stream, _ in platter.acknowledged}))
    except (apsw.Error, RuntimeError) as error:
        report.faults.append(f"{label}: {error!r}")
        return
    lost = platter.acknowledged - stored.keys()
    doubled = [row for row, count in stored.items() if count > 1]
    if lost or doubled:
        report.faults.append(f"{label}: {len(lost)} lost of {len(platter.acknowledged)}, {len(doubled)} doubled")


async def _read(folder: Path, streams: set[str]) -> Counter[tuple[str, int]]:
    """(Datastream, result) of what the product itself reads from this disk, after a check of the file."""
    service = Service(ServiceConfig(data_dir=folder, limits=Limits(hot_rows=HOT_ROWS)), Everyone())
    service.migrate()
    await service.start()
    try:
        stored: Counter[tuple[str, int]] = Counter()
        for stream in streams:
            target = f"Datastreams({stream})/Observations?$select=result&$top=10000&$resultFormat=dataArray"
            while target:
                answer = await service.call(ADMIN, "GET", target)
                if answer.status == 404:  # the Datastream is lost, and all of its Observations
                    break
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status} {answer.body[:200]!r}")
                page = json.loads(answer.body)
                stored.update((stream, row[-1]) for part in page["value"] for row in part["dataArray"])
                target = page.get("@iot.nextLink", "").partition("/sta/v1.1/")[2]
    finally:
        await service.stop()
    connection = apsw.Connection(str(folder / "observations.db"))
    sound = connection.execute("pragma integrity_check").get
    connection.close()
    if sound != "ok":
        raise RuntimeError(f"integrity_check: {sound}")
    return stored


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=25, help="for each way of sending")
    parser.add_argument("--by", default="single,array,mqtt", help="ways of sending, or: inside")
    parser.add_argument("--seconds", type=float, default=8.0, help="of load, each way")
    parser.add_argument("--requests", type=int, default=3000, help="of the load inside")
    parser.add_argument("--failing-syncs", action="store_true", help="inside: syncs fail now and then")
    parser.add_argument("--at-least", type=float, default=kill9.LEAST_PER_S, help="acknowledged a second, each way")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.by == "inside":
        fault = failing_now_and_then if options.failing_syncs else str
        report = run(options.cuts, options.requests, options.seed, fault=fault)
    else:
        report = run_outside(options.cuts, options.seconds, options.by.split(","), options.seed, quiet=False)
    print(
        f"{report.cuts} cuts, {report.acknowledged} acknowledgements looked up, {report.failed_syncs} failed syncs, "
        f"{len(report.faults)} faults"
    )
    for fault_line in report.faults[:20]:
        print(fault_line)
    slow = [way for way, rate in report.per_s.items() if rate < options.at_least]
    for way in slow:
        print(f"{way} did not reach {options.at_least:.0f} a second: this run proves less than it should")
    for way in report.skipped:
        print(f"{way} SKIPPED")
    return 0 if report.passed and not slow and not report.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
