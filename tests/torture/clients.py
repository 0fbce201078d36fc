"""A thousand slow and broken clients of fifteen kinds, while one honest client reads and writes.

Passes when each answer to the honest client (a GET and a POST every 100 ms) takes less than 500 ms, each hostile
client is cut within 30 s, and no request that one of them smuggles is acted on. Run by hand:

    python -m tests.torture.clients --connections 1000
    python -m tests.torture.clients --mqtt
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import httpx
import msgspec
import psutil
import uvloop

from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.torture.hostile import ALLOWED_TO_STAY, KINDS, MARKER, MQTT_KINDS, Kind, Line, Scene
from tests.torture.kill9 import mqtt_answers

DISK_EVERY_S = 0.05
PROBE_EVERY_S = 0.1
PROBE_WITHIN_S = 0.5
CUT_WITHIN_S = 30.0
PAGE = 10_000
MiB = 1024 * 1024


@dataclass
class Report:
    """What became of the clients, and what the honest one saw."""

    clients: Counter[str] = field(default_factory=Counter)
    slowest_cut_s: dict[str, float] = field(default_factory=dict)
    not_cut: Counter[str] = field(default_factory=Counter)
    probes: Probes = field(default_factory=lambda: Probes())
    smuggled: int = 0
    memory_bytes: int = 0

    def complaints(self) -> list[str]:
        found = [f"{count} {kind} were not cut within {CUT_WITHIN_S:.0f} s" for kind, count in self.not_cut.items()]
        if self.probes.late:
            found.append(f"{self.probes.late} of {self.probes.asked} probes took over {PROBE_WITHIN_S} s")
        if self.smuggled:
            found.append(f"{self.smuggled} smuggled requests were acted on")
        if not self.probes.asked:
            found.append("nothing was probed")
        return found + self.probes.failed[:10]


async def _client(scene: Scene, name: str, kind: Kind, port: int, report: Report, delay_s: float) -> None:
    await asyncio.sleep(delay_s)
    report.clients[name] += 1
    begun, writer = time.monotonic(), None
    try:
        async with asyncio.timeout(scene.patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(OSError, RuntimeError):  # cut: uvloop says it in either way
                await kind(scene, Line(reader, writer))
    except TimeoutError:
        if name not in ALLOWED_TO_STAY:
            report.not_cut[name] += 1
    except OSError:  # refused at the door
        pass
    finally:
        if writer is not None:
            writer.transport.abort()
    if name not in ALLOWED_TO_STAY:
        report.slowest_cut_s[name] = max(report.slowest_cut_s.get(name, 0.0), time.monotonic() - begun)


class Probes(msgspec.Struct):
    """What the honest client saw."""

    asked: int = 0
    late: int = 0
    late_at: list[tuple[float, str, float]] = []
    slowest_s: dict[str, float] = {}
    disk_s: float = 0.0
    """The longest that a write of the probing process itself waited for the disk."""
    failed: list[str] = []


async def _probe(base: str, token: str, stream: int, seen: Probes) -> None:
    """The honest client asks until it is told to stop, each time without waiting for the answer before."""
    number, stop, started = 0, asyncio.Event(), time.monotonic()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def ask(client: httpx.AsyncClient, method: str, path: str, wanted: int, body: object = None) -> None:
        begun = time.monotonic()
        try:
            answer = await client.request(method, f"{base}/{path}", json=body)
            if answer.status_code != wanted:
                seen.failed.append(f"{method} gave {answer.status_code} {answer.text[:100]}")
        except httpx.HTTPError as error:
            seen.failed.append(f"{method} failed: {error!r}")
        took = time.monotonic() - begun
        seen.asked += 1
        if took > PROBE_WITHIN_S:
            seen.late += 1
            seen.late_at.append((begun - started, method, took))
        seen.slowest_s[method] = max(seen.slowest_s.get(method, 0.0), took)

    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=10.0) as client, asyncio.TaskGroup() as group:
        while not stop.is_set():
            number += 1
            group.create_task(ask(client, "GET", f"Datastreams({stream})?$expand=Thing", 200))
            group.create_task(ask(client, "POST", f"Datastreams({stream})/Observations", 201, {"result": number}))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PROBE_EVERY_S)


def _try_the_disk(folder: str, seen: Probes, stop: threading.Event) -> None:
    """A POST waits for the disk: what the disk does by itself stands beside it."""
    with tempfile.TemporaryFile(dir=folder) as file:
        while not stop.wait(DISK_EVERY_S):
            begun = time.monotonic()
            os.pwrite(file.fileno(), os.urandom(4096), 0)
            os.fdatasync(file.fileno())
            seen.disk_s = max(seen.disk_s, time.monotonic() - begun)


def _probe_alone(base: str, token: str, stream: int, folder: str, results: Connection) -> None:
    """In a process of its own, so that what is measured is the service and not the crowd beside it."""
    seen, stop = Probes(), threading.Event()
    disk = threading.Thread(target=_try_the_disk, args=(folder, seen, stop))
    disk.start()
    asyncio.run(_probe(base, token, stream, seen))
    stop.set()
    disk.join()
    results.send(msgspec.to_builtins(seen))


@contextlib.contextmanager
def _probing(server: Server, stream: int, report: Report) -> Iterator[None]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_probe_alone, args=(server.base, server.token, stream, str(server.data), there))
    process.start()
    try:
        time.sleep(1.0)
        yield
    finally:
        process.terminate()
        if here.poll(20):
            report.probes = msgspec.convert(here.recv(), Probes)
        process.join(5)


async def _attack(server: Server, scene: Scene, kinds: dict[str, Kind], connections: int, report: Report) -> None:
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    names = [name for _, name in zip(range(connections), _round_robin(kinds), strict=False)]
    scene.ends_at = time.monotonic() + scene.patience_s
    # The clients come within two seconds.
    clients = [
        asyncio.create_task(_client(scene, name, kinds[name], _port(scene, name), report, scene.random.uniform(0, 2)))
        for name in names
    ]
    ended = asyncio.gather(*clients)
    while not ended.done():
        report.memory_bytes = max(report.memory_bytes, process.memory_info().rss - before)
        await asyncio.wait([ended], timeout=0.25)
    await asyncio.sleep(0.5)


def _round_robin(kinds: dict[str, Kind]) -> list[str]:
    return list(kinds) * 10_000


def _port(scene: Scene, name: str) -> int:
    return scene.mqtt_port if name in MQTT_KINDS else scene.port


def run(
    server: Server, connections: int, kinds: dict[str, Kind], *, patience_s: float = CUT_WITHIN_S, rows: int = PAGE
) -> Report:
    """Lets `connections` hostile clients loose on a started server."""
    report = Report()
    api = Api(server.base, server.token)
    try:
        thing = api.create("Things", make.station(Datastreams=[make.datastream(), make.datastream()]))
        stream, full = api.ids(f"Things({key(thing)})/Datastreams")
        table = [[f"2024-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z", n] for n in range(rows)]
        part = {"Datastream": {"@iot.id": full}, "components": ["phenomenonTime", "result"], "dataArray": table}
        assert api.post("CreateObservations", [part]).status_code == 201
        scene = Scene(server.port, server.mqtt_port, server.token, stream, patience_s, random.Random(1))
        with _probing(server, stream, report), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_attack(server, scene, kinds, connections, report))
        report.smuggled = api.read("Observations", filter=f"result eq {MARKER}", count="true", top=0)["@iot.count"]
    finally:
        api.close()
    return report


def raise_open_files(wanted: int) -> None:
    """Lets this process open a file for each client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--kinds", default="", help="only these, by comma: " + ", ".join((*KINDS, *MQTT_KINDS)))
    parser.add_argument("--mqtt", action="store_true", help="the kinds on the MQTT port too")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    raise_open_files(options.connections + 500)
    kinds = KINDS | (MQTT_KINDS if options.mqtt else {})
    if options.kinds:
        kinds = {name: (KINDS | MQTT_KINDS)[name] for name in options.kinds.split(",")}
    with running(options.database, POSTGRES_URL) as server:
        if kinds.keys() & MQTT_KINDS.keys() and not mqtt_answers(server):
            print("!!!! MQTT kinds SKIPPED: nothing listens on the MQTT port of this server !!!!")
            kinds = {name: kind for name, kind in kinds.items() if name not in MQTT_KINDS}
        report = run(server, options.connections, kinds)
    for name, count in report.clients.items():
        cut = report.slowest_cut_s.get(name)
        print(f"{count:5} {name:24} {'stay' if cut is None else f'cut or answered within {cut:.1f} s'}")
    slowest = ", ".join(f"{method} {took * 1000:.0f} ms" for method, took in report.probes.slowest_s.items())
    grown = f"+{report.memory_bytes / MiB:.0f} MiB"
    print(f"{report.probes.asked} probes, slowest {slowest}; {report.smuggled} smuggled; {grown}")
    print(f"the disk itself took up to {report.probes.disk_s * 1000:.0f} ms")
    for at, method, took in report.probes.late_at:
        print(f"    {method} {at:.1f} s after the first: {took * 1000:.0f} ms")
    for line in report.complaints():
        print(line)
    return 1 if report.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
