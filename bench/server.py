"""Servers to measure, as processes of their own on free ports."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import linux
from bench.loading import LoadError
from bench.places import Place
from bench.traffic import Wire

CHECKOUT = Path(__file__).parent.parent
START_S = 60.0
STOP_S = 20.0


class Server(NamedTuple):
    """A running server; `pid` is the process that was started, which may have children."""

    pid: int
    port: int
    token: str
    token_name: str
    mqtt_port: int = 0

    @property
    def wire(self) -> Wire:
        """How to ask it."""
        return Wire(f"127.0.0.1:{self.port}", authorization=f"Bearer {self.token}")

    @property
    def pids(self) -> list[int]:
        """All its processes."""
        return linux.family(self.pid)

    def speaks_mqtt(self) -> bool:
        """Whether something listens on the MQTT port."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.mqtt_port), timeout=2):
            return True
        return False

    def get(self, target: str) -> Any:
        """The JSON answer to one GET below the service root. Raises LoadError for any status but 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            return get(connection, self.wire, target)
        finally:
            connection.close()


def get(connection: http.client.HTTPConnection, wire: Wire, target: str) -> Any:
    """The JSON answer to one GET below a service root; keeps the connection. Raises LoadError but for 200."""
    try:
        headers = {} if wire.authorization is None else {"authorization": wire.authorization}
        connection.request("GET", f"{wire.root}/{target}", headers=headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"GET {target}: {error}") from error
    if response.status != 200:
        raise LoadError(f"GET {target}: {response.status} {body[:300].decode(errors='replace')}")
    return json.loads(body)


def send(port: int, request: bytes) -> None:
    """One ready request on a connection of its own. Raises LoadError for any status but 2xx."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            connection.sendall(request)
            with contextlib.closing(http.client.HTTPResponse(connection)) as answer:
                answer.begin()
                body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise LoadError(f"The server did not answer: {error}") from error
    if not 200 <= answer.status < 300:
        raise LoadError(f"The server answered {answer.status}: {body[:300].decode(errors='replace')}")


@contextlib.contextmanager
def product(place: Place, workers: int = 1) -> Iterator[Server]:
    """`lakou serve` on the databases of a place."""
    arguments = ["--data", str(place.data_dir)]
    if place.database_url is not None:
        arguments += ["--database-url", place.database_url]
    with _served(["-m", "lakou", "serve", *arguments, "--workers", str(workers)], place, arguments) as server:
        yield server


@contextlib.contextmanager
def without_database(place: Place) -> Iterator[Server]:
    """The same server on the null database, which looks Datastreams up in the SQLite store of a place."""
    arguments = ["--data", str(place.data_dir)]
    with _served(["-m", "bench.null_server", *arguments], place, arguments) as server:
        yield server


@contextlib.contextmanager
def _served(command: list[str], place: Place, arguments: list[str]) -> Iterator[Server]:
    name, token = _token(place, arguments)
    port, mqtt_port = _free_port(), _free_port()
    command = [*command, "--port", str(port), "--mqtt-port", str(mqtt_port)]
    with _running(command, place.data_dir, port) as pid:
        yield Server(pid, port, token, name, mqtt_port)


def _environment() -> dict[str, str]:
    """The environment without the site's own settings of Lakou."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKOU_")}
    return kept | {"PYTHONPATH": str(CHECKOUT)}


def _token(place: Place, arguments: list[str]) -> tuple[str, str]:
    """Name and token of an administrator."""
    place.data_dir.mkdir(parents=True, exist_ok=True)
    name = f"bench-{time.time_ns()}"
    made = subprocess.run(
        [sys.executable, "-m", "lakou", "token", "create", name, "--role", "admin", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
        cwd=place.data_dir,
        timeout=START_S,
    )
    if made.returncode != 0:
        raise LoadError(f"No token could be made: {made.stderr[-2_000:]}")
    return name, made.stdout.split()[-1]


@contextlib.contextmanager
def _running(arguments: list[str], folder: Path, port: int) -> Iterator[int]:
    log = folder / f"server-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=out, stderr=subprocess.STDOUT, cwd=folder, env=_environment()
        )
        try:
            _wait(process, port, log)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise LoadError(f"The server did not start: {log.read_text(errors='replace')[-2_000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
