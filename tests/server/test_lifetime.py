"""The end of a process: what was acknowledged is stored, the rest got an error or a closed connection, within 10 s."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import DATABASES
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running
from tests.torture.backup import _array

pytestmark = pytest.mark.slow

CLIENTS = 64
LIMIT_S = 10.0
# Long enough to be under way when the signal comes, short enough to end within the time that requests are given.
TERMS = {"sqlite": 150, "postgres": 40}
"""Of a filter that takes a second or more; an operation costs more on PostgreSQL."""


@pytest.fixture(params=DATABASES)
def own(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this test's own, for it is stopped."""
    with running(request.param, POSTGRES_URL) as server:
        yield server


def streams(server: Server, count: int = 1) -> list[int]:
    api = Api(server.base, server.token)
    thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(count)]))
    found = [stream["@iot.id"] for stream in api.value(f"Things({key(thing)})/Datastreams")]
    api.close()
    return found


def finish(server: Server, began: float) -> tuple[int, float]:
    """The exit code, and how long it took since the signal."""
    assert server.process is not None
    code = server.process.wait(30)
    server.process = None
    return code, time.monotonic() - began


class Poster:
    """Posts single Observations over one connection until an error or the end of the connection."""

    def __init__(self, server: Server, stream: int, number: int) -> None:
        self.server, self.stream, self.number = server, stream, number
        self.acknowledged: list[int] = []
        self.end = ""

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        value = self.number * 1_000_000
        try:
            while True:
                body = json.dumps({"result": value}).encode()
                writer.write(
                    f"POST /sta/v1.1/Datastreams({self.stream})/Observations HTTP/1.1\r\nHost: x\r\n"
                    f"Authorization: Bearer {self.server.token}\r\nPrefer: return=minimal\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                status = int(head.split()[1])
                length = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                await reader.readexactly(length)
                if status != 201:
                    self.end = str(status)
                    return
                self.acknowledged.append(value)
                value += 1
                if "connection: close" in head.lower():
                    self.end = "closed"
                    return
        except (OSError, asyncio.IncompleteReadError) as error:
            self.end = type(error).__name__
        finally:
            writer.close()


@contextmanager
def connected(server: Server, content: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(content)
        yield client


def read_all(client: socket.socket) -> bytes:
    """Everything until the end of the connection."""
    found = b""
    try:
        while piece := client.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def test_a_stop_under_load_keeps_what_was_acknowledged_and_finishes_what_runs(own: Server) -> None:
    """64 posting connections, an event stream, a long read and a slow body that ends in time."""
    stream, many = streams(own, 2)
    with httpx.Client(headers={"authorization": f"Bearer {own.token}"}, timeout=60, trust_env=False) as client:
        for first in range(0, 40_000, 10_000):
            assert client.post(f"{own.base}/CreateObservations", json=_array(many, first, first + 10_000)).is_success

    async def scene() -> tuple[list[Poster], httpx.Response, float]:
        posters = [Poster(own, stream, number) for number in range(CLIENTS)]
        posting = [asyncio.create_task(poster.run()) for poster in posters]
        await asyncio.sleep(0.7)
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            url = f"{own.base}/Datastreams({many})/Observations"
            headers = {"authorization": f"Bearer {own.token}"}
            condition = " or ".join(f"round((result add {n}) mul 1.5) eq -{n + 1}" for n in range(TERMS[own.database]))
            read = asyncio.create_task(client.get(url, params={"$filter": condition, "$top": "1"}, headers=headers))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            assert not read.done()
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)
            sender.sendall(body[10:])
            answer = await read
        await asyncio.gather(*posting)
        return posters, answer, began

    live_request = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    body = b'{"name":"slow","description":"sent in two halves"}'
    slow = (
        f"POST /sta/v1.1/Things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {own.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body[:10]
    with connected(own, live_request) as live, connected(own, slow) as sender:
        posters, answer, began = asyncio.run(scene())
        assert b" 201 " in read_all(sender).partition(b"\r\n")[0], (time.monotonic() - began, own.tail())
        assert b"text/event-stream" in read_all(live)
    code, took = finish(own, began)
    assert (code, took < LIMIT_S) == (0, True), own.tail()
    assert answer.status_code == 200
    assert sum(len(poster.acknowledged) for poster in posters) > CLIENTS
    assert {poster.end for poster in posters} <= {
        "closed", "503", "IncompleteReadError", "ConnectionResetError", "ConnectionRefusedError",
    }  # fmt: skip
    if own.database == "sqlite":
        left = own.data / "observations.db-wal"
        assert not left.exists() or left.stat().st_size == 0
    own.start()
    api = Api(own.base, own.token)
    stored = {item["result"] for item in api.items(f"Datastreams({stream})/Observations", select="result", top=5000)}
    assert {value for poster in posters for value in poster.acknowledged} <= stored
    assert api.value("Things", filter="name eq 'slow'")
    api.close()


def test_readiness_ends_at_the_signal_and_a_stuck_client_cannot_prolong_the_end() -> None:
    with running("sqlite") as own:
        request = f"POST /sta/v1.1/Things HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {own.token}\r\n"
        half = (request + "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{").encode()
        with connected(own, half) as stuck, connected(own, half):
            assert httpx.get(f"{own.origin}/readyz", trust_env=False).status_code == 200
            began = time.monotonic()
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            time.sleep(0.01)
            seen: list[Any] = []
            while not seen or seen[-1] != "refused":
                try:
                    answer = httpx.get(f"{own.origin}/readyz", trust_env=False)
                except httpx.TransportError as error:
                    seen.append("refused" if isinstance(error, httpx.ConnectError) else "cut")
                else:
                    seen.append((answer.status_code, answer.json()["reasons"][0]["key"]))
            assert set(seen) <= {(503, "stopping"), "cut", "refused"}
            # It is told that it may try again, and not that it met a fault.
            assert read_all(stuck).startswith(b"HTTP/1.1 503 ")
            code, took = finish(own, began)
        assert (code, took < LIMIT_S) == (0, True), own.tail()


def test_the_second_signal_ends_at_once() -> None:
    with running("sqlite") as own:
        half = b"POST /sta/v1.1/Things HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        with connected(own, half):
            time.sleep(0.1)
            began = time.monotonic()
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            own.process.send_signal(signal.SIGTERM)
            code, took = finish(own, began)
        assert code == 128 + signal.SIGTERM
        assert took < 2


@pytest.mark.skipif(POSTGRES_URL is None, reason="several processes need LAKOU_TEST_POSTGRES")
def test_several_processes_end_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Politely; and with a stuck client in each at once after a second signal."""
    quiet: Any = Server._environment
    monkeypatch.setattr(Server, "_environment", lambda self: quiet(self) | {"LAKOU_WORKERS": "2"})
    with running("postgres", POSTGRES_URL) as own:
        [stream] = streams(own)

        async def scene() -> tuple[list[Poster], float]:
            posters = [Poster(own, stream, number) for number in range(16)]
            posting = [asyncio.create_task(poster.run()) for poster in posters]
            await asyncio.sleep(1.0)
            began = time.monotonic()
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*posting)
            return posters, began

        posters, began = asyncio.run(scene())
        code, took = finish(own, began)
        assert (code, took < LIMIT_S) == (0, True), (code, took)
        own.start()
        api = Api(own.base, own.token)
        items = api.items(f"Datastreams({stream})/Observations", select="result", top=5000)
        stored = {item["result"] for item in items}
        acknowledged = {value for poster in posters for value in poster.acknowledged}
        assert acknowledged
        assert acknowledged <= stored
        api.close()
        half = b"POST /sta/v1.1/Things HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        with ExitStack() as stuck:
            for _ in range(6):
                stuck.enter_context(connected(own, half))
            began = time.monotonic()
            assert own.process is not None
            own.process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            own.process.send_signal(signal.SIGTERM)
            code, took = finish(own, began)
        assert (code, took < 4) == (0, True), (code, took)


def test_systemd_hears_of_the_start_and_of_a_working_writer(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(20)
        port = socket.socket()
        port.bind(("127.0.0.1", 0))
        number = port.getsockname()[1]
        port.close()
        process = subprocess.Popen(
            [sys.executable, "-m", "lakou", "serve", "--port", str(number), "--data", str(tmp_path / "data")],
            env={"PATH": "/bin", "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000", "LAKOU_MQTT_PORT": "0"},
            stdout=subprocess.DEVNULL,
        )
        try:
            heard = [systemd.recv(100).decode() for _ in range(3)]
            assert sorted(set(heard)) == ["READY=1", "WATCHDOG=1"]
            process.send_signal(signal.SIGTERM)
            while (line := systemd.recv(100).decode()) != "STOPPING=1":
                assert line == "WATCHDOG=1"
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait()
