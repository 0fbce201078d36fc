"""Power cuts on SQLite: what was written and not yet synced is lost, in part and in any order.

The real service runs in this process on a file layer that records each write, sync, truncation and deletion,
and each acknowledgement between them. A cut at any point of the record then gives a disk: all that was synced,
and of the rest a random part, whole or torn at a sector. The store is opened on that disk with the ordinary file
layer: it must be sound and have every Observation acknowledged before the cut, once. Run by hand:

    python -m tests.torture.powercut --cuts 200
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from lakou.sensorthings.access import ADMIN, Principal
from lakou.sensorthings.service import Service, ServiceConfig
from tests.harness import make

SECTOR = 512
BASE_VFS = "unix"


@dataclass(frozen=True)
class Event:
    """One step of the record: what happened to which file, or `ack` with the number of an Observation."""

    kind: str
    path: str = ""
    offset: int = 0
    data: bytes = b""


class Recorder(apsw.VFS):
    """A file layer over the system's own that records what reaches it. The default one while it is in use."""

    def __init__(self, folder: Path) -> None:
        super().__init__("lakou-powercut", BASE_VFS, makedefault=True)
        self.folder = str(folder)
        self.events: list[Event] = []

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  the name is SQLite's
        return RecordedFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.add(Event("delete", filename))
        super().xDelete(filename, syncdir)

    def add(self, event: Event) -> None:
        """Appends to the record if the file is one that must survive: not the shared memory, not a temporary one."""
        if event.kind == "ack" or (event.path.startswith(self.folder) and not event.path.endswith("-shm")):
            self.events.append(event)


class RecordedFile(apsw.VFSFile):
    """One open file of a `Recorder`."""

    def __init__(self, recorder: Recorder, name: Any, flags: list[int]) -> None:
        super().__init__(BASE_VFS, name, flags)
        self.recorder = recorder
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else str(name or "")

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.recorder.add(Event("write", self.path, offset, bytes(data)))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self.recorder.add(Event("sync", self.path))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self.recorder.add(Event("truncate", self.path, newsize))
        super().xTruncate(newsize)


class Everyone:
    """An authority that lets everyone do everything: rights are not the subject here."""

    def principal(self, authorization: str | None) -> Principal:
        return ADMIN


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """A recorder as the default file layer, for what is opened inside."""
    recorder = Recorder(folder)
    try:
        yield recorder
    finally:
        recorder.unregister()


async def _load(recorder: Recorder, folder: Path, requests: int, seed: int) -> int:
    """Runs the service and writes; returns the key of the Datastream."""
    service = Service(ServiceConfig(data_dir=folder), Everyone())
    service.migrate()
    await service.start()
    try:
        made = await _post(service, "Things", make.station())
        inside = await service.call(ADMIN, "GET", f"Things({made})/Datastreams?$select=id")
        stream = int(json.loads(inside.body)["value"][0]["@iot.id"])
        numbers = iter(range(10**9))
        choice = random.Random(seed)
        await asyncio.gather(*(_writer(service, recorder, stream, numbers, requests // 8, choice) for _ in range(8)))
    finally:
        await service.stop()
    return stream


async def _post(service: Service, path: str, body: Any) -> int:
    answer = await service.call(
        ADMIN, "POST", path, json.dumps(body).encode(), ((b"content-type", b"application/json"),)
    )
    if answer.status != 201:
        raise RuntimeError(f"{answer.status} {answer.body[:300]!r}")
    return int(json.loads(answer.body)["@iot.id"]) if path != "CreateObservations" else 0


async def _writer(
    service: Service, recorder: Recorder, stream: int, numbers: Iterator[int], requests: int, choice: random.Random
) -> None:
    for _ in range(requests):
        rows = [next(numbers) for _ in range(1 if choice.random() < 0.8 else 40)]
        if len(rows) == 1:
            await _post(
                service, f"Datastreams({stream})/Observations", {"phenomenonTime": _time(rows[0]), "result": rows[0]}
            )
        else:
            await _post(
                service,
                "CreateObservations",
                [
                    {
                        "Datastream": {"@iot.id": stream},
                        "components": ["phenomenonTime", "result"],
                        "dataArray": [[_time(row), row] for row in rows],
                    }
                ],
            )
        for row in rows:
            recorder.add(Event("ack", offset=row))
        if choice.random() < 0.02:
            await asyncio.to_thread(_checkpoint, recorder.folder)


def _checkpoint(folder: str) -> None:
    """What the product does beside its commits, done here more often so that cuts fall into it."""
    connection = apsw.Connection(f"{folder}/observations.db")
    connection.set_busy_timeout(2000)
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    connection.close()


def _time(number: int) -> str:
    return f"2024-01-{1 + number // 86400:02}T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"


@dataclass
class Disk:
    """The disk at a point of the record: what is durable of each file, and what is written above it since."""

    durable: dict[str, bytearray] = field(default_factory=dict)
    pending: dict[str, list[Event]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)

    def step(self, event: Event) -> None:
        match event.kind:
            case "ack":
                self.acknowledged.add(event.offset)
            case "sync":
                content = self.durable.setdefault(event.path, bytearray())
                for each in self.pending.pop(event.path, []):
                    _apply(content, each)
            case "delete":
                self.durable.pop(event.path, None)
                self.pending.pop(event.path, None)
            case _:
                self.pending.setdefault(event.path, []).append(event)

    def after_a_cut(self, choice: random.Random) -> dict[str, bytes]:
        """Files as they may be found: each write since the last sync whole, torn, or lost, whatever its order."""
        files = {path: bytearray(content) for path, content in self.durable.items()}
        for path, events in self.pending.items():
            content = files.setdefault(path, bytearray())
            kept = choice.choice((0.0, 0.2, 0.5, 0.8, 1.0))
            for event in events:
                if choice.random() < kept:
                    _apply(content, event, choice)
        return {path: bytes(content) for path, content in files.items()}


def _apply(content: bytearray, event: Event, torn: random.Random | None = None) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        return
    data = event.data
    if torn is not None and len(data) > SECTOR and torn.random() < 0.3:
        data = data[: torn.randrange(len(data) // SECTOR) * SECTOR]
    if len(content) < event.offset:
        content.extend(bytes(event.offset - len(content)))
    content[event.offset : event.offset + len(data)] = data


@dataclass
class Report:
    """Sums over all cuts."""

    cuts: int = 0
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.cuts > 0 and self.acknowledged > 0 and not self.faults


def run(cuts: int, requests: int, seed: int = 1) -> Report:
    """One recorded load of `requests` requests, then `cuts` cuts at random points of its record."""
    choice = random.Random(seed)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="lakou-powercut-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        with recording(folder) as recorder:
            asyncio.run(_load(recorder, folder, requests, seed))
        events = recorder.events
        first = next(index for index, event in enumerate(events) if event.kind == "ack")
        points = sorted(choice.randrange(first, len(events)) for _ in range(cuts))
        disk, done = Disk(), 0
        for number, point in enumerate(points):
            for event in events[done:point]:
                disk.step(event)
            done = point
            found = Path(name) / f"cut{number}"
            _check(disk, found, folder, choice, report, f"cut {number} at event {point}")
    return report


def _check(disk: Disk, found: Path, folder: Path, choice: random.Random, report: Report, label: str) -> None:
    found.mkdir()
    for path, content in disk.after_a_cut(choice).items():
        (found / Path(path).relative_to(folder)).write_bytes(content)
    report.cuts += 1
    report.acknowledged += len(disk.acknowledged)
    try:
        stored = asyncio.run(_read(found))
    except (apsw.Error, RuntimeError) as error:
        report.faults.append(f"{label}: {error!r}")
        return
    lost = disk.acknowledged - set(stored)
    doubled = [number for number, count in stored.items() if count > 1]
    if lost or doubled:
        report.faults.append(f"{label}: {len(lost)} lost of {len(disk.acknowledged)}, {len(doubled)} doubled")


async def _read(folder: Path) -> Counter[int]:
    """The results that the product itself reads from this disk, after a check of the file."""
    service = Service(ServiceConfig(data_dir=folder), Everyone())
    service.migrate()
    await service.start()
    try:
        stored: Counter[int] = Counter()
        target = "Observations?$select=result&$top=10000&$orderby=id"
        while target:
            answer = await service.call(ADMIN, "GET", target)
            if answer.status != 200:
                raise RuntimeError(f"{answer.status} {answer.body[:200]!r}")
            page = json.loads(answer.body)
            stored.update(item["result"] for item in page["value"])
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
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = run(options.cuts, options.requests, options.seed)
    print(f"{report.cuts} cuts, {report.acknowledged} acknowledgements looked up, {len(report.faults)} faults")
    for fault in report.faults[:20]:
        print(fault)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
