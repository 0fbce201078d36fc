"""Servers to measure, as processes of their own on free ports, and what the kernel says about them."""

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

from bench.loader import LoadError
from bench.places import Place
from bench.traffic import ROOT

CHECKOUT = Path(__file__).parent.parent
START_S = 60.0
STOP_S = 20.0


class Server(NamedTuple):
    """A running server; `pid` is the process that answers."""

    pid: int
    port: int
    token: str | None

    def resident_bytes(self) -> int:
        """Resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise LoadError("The kernel does not tell the memory of the server")

    def written_bytes(self) -> int:
        """Bytes that the process has caused to be sent to the disk; 0 where the file system does not count them."""
        for line in Path(f"/proc/{self.pid}/io").read_text(encoding="ascii").splitlines():
            if line.startswith("write_bytes:"):
                return int(line.split()[1])
        raise LoadError("The kernel does not tell what the server wrote")

    def cpu_s(self) -> float:
        """Seconds of processor time used so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def get(self, target: str) -> Any:
        """The JSON answer to one GET below the service root. Raises LoadError for any status but 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request("GET", f"{ROOT}/{target}", headers=headers)
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            raise LoadError(f"GET {target}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise LoadError(f"GET {target}: {response.status} {body[:300].decode(errors='replace')}")
        return json.loads(body)


@contextlib.contextmanager
def product(place: Place) -> Iterator[Server]:
    """`lakou serve` on the databases of a place."""
    arguments = ["--data", str(place.data_dir)]
    if place.database_url is not None:
        arguments += ["--database-url", place.database_url]
    token = _token(place, arguments)
    port = _free_port()
    with _running(["-m", "lakou", "serve", "--port", str(port), *arguments], place.data_dir, port) as pid:
        yield Server(pid, port, token)


@contextlib.contextmanager
def without_database(place: Place) -> Iterator[Server]:
    """The same server on the null database, which looks Datastreams up in the SQLite store of a place."""
    arguments = ["--data", str(place.data_dir)]
    token = _token(place, arguments)
    port = _free_port()
    with _running(["-m", "bench.null_server", "--port", str(port), *arguments], place.data_dir, port) as pid:
        yield Server(pid, port, token)


def _environment() -> dict[str, str]:
    """The environment without the site's own settings of Lakou."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKOU_")}
    return kept | {"PYTHONPATH": str(CHECKOUT)}


def _token(place: Place, arguments: list[str]) -> str:
    place.data_dir.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [sys.executable, "-m", "lakou", "token", "create", f"bench-{time.time_ns()}", "--role", "admin", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
        cwd=place.data_dir,
        timeout=START_S,
    )
    if made.returncode != 0:
        raise LoadError(f"No token could be made: {made.stderr[-2_000:]}")
    return made.stdout.split()[-1]


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
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
            connection.close()
            if status == 200:
                return
        time.sleep(0.05)
    raise LoadError(f"The server did not start: {log.read_text(errors='replace')[-2_000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
