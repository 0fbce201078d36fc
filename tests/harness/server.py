"""Starts the real product as a child process on a free loopback port, and stops it by its process id.

A `Server` owns its data folder and, on PostgreSQL, a fresh database that is dropped at the end.
Used by the fixtures in `tests/conftest.py` and by the commands in `tests/torture`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
HOT_ROWS = 5
"""So few that what tests write lies in both tiers of SQLite."""


class ServerFailed(RuntimeError):
    """The product did not start, or died. The message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port that is free on loopback now. Another process may take it before it is used: callers retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One running `lakou serve`. `database` is "sqlite" or "postgres"; `database_url` is None on SQLite."""

    def __init__(self, database: str, data: Path, database_url: str | None = None) -> None:
        self.database = database
        self.data = data
        self.database_url = database_url
        self.log = data.parent / f"{data.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.mqtt_port = 0
        self.token = ""
        self.token_name = "conformance"
        self.config: Path | None = None
        self.program: tuple[str, ...] = (sys.executable, "-m", "lakou")
        self.options: tuple[str, ...] = ()
        """More words for `lakou serve`."""
        self.settings = ""
        """More lines for its settings file, before the first table."""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        """The service root of SensorThings 1.1, without a trailing slash."""
        return f"{self.origin}/sta/v1.1"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ServerFailed("the server is not running")
        return self.process.pid

    def start(self) -> None:
        """Makes an administrator's token on first use, starts the product and waits until it answers."""
        if not self.token:
            self.token = self.make_token(self.token_name, "admin")
        for attempt in range(3):
            self.port, self.mqtt_port = free_port(), free_port()
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    self._command("serve", "--host", "127.0.0.1", "--port", str(self.port), *self.options),
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    cwd=ROOT,
                )
            try:
                self._wait_until_it_answers()
            except ServerFailed:
                self.kill()
                if attempt == 2:
                    raise
            else:
                return

    def stop(self) -> None:
        """Asks politely (SIGTERM), then insists after STOP_TIMEOUT_S."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def kill(self) -> None:
        """`kill -9`: nothing is flushed, no handler runs."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def make_token(self, name: str, role: str) -> str:
        """A new token of this role, through the public command line."""
        done = subprocess.run(
            self._command("token", "create", name, "--role", role),
            capture_output=True,
            env=self._environment(),
            cwd=ROOT,
            timeout=START_TIMEOUT_S,
            check=False,
        )
        lines = done.stdout.decode().split()
        if done.returncode != 0 or not lines:
            raise ServerFailed(f"lakou token create failed: {done.stderr.decode()[-2000:]}")
        return lines[-1]

    def tail(self, size: int = 3000) -> str:
        """The last characters of the product's log, for messages."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""

    def _command(self, *words: str) -> list[str]:
        command = [*self.program, *words, "--data", str(self.data)]
        if self.database_url is not None:
            command += ["--database-url", self.database_url]
        return command

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAKOU_")}
        if self.config is None:
            self.config = self.data.parent / f"{self.data.name}.toml"
            self.config.write_text(f"{self.settings}[limits]\nhot_rows = {HOT_ROWS}\n", encoding="utf-8")
        return kept | {
            "LAKOU_CONFIG": str(self.config),
            "LAKOU_MQTT_PORT": str(self.mqtt_port or free_port()),
            "PYTHONUNBUFFERED": "1",
        }

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise ServerFailed(f"the server ended with {self.process.returncode}\n{self.tail()}")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.base}/", timeout=2.0).status_code == 200:
                    return
            time.sleep(0.05)
        raise ServerFailed(f"the server did not answer within {START_TIMEOUT_S} s\n{self.tail()}")


@contextlib.contextmanager
def fresh_database(superuser_url: str, template: str = "template1") -> Iterator[str]:
    """The URL of a new PostgreSQL database, empty or like a template, dropped at the end."""
    name = f"lakou_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        statement = sql.SQL("create database {} template {}")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield (
            psycopg.conninfo.make_conninfo(superuser_url, dbname=name)
            if "://" not in superuser_url
            else (_with_database(superuser_url, name))
        )
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as admin:
            admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    authority = rest.partition("/")[0]
    return f"{scheme}://{authority}/{name}" + (f"?{query}" if query else "")


class _Template(NamedTuple):
    """A site as it is after its first start: its databases, and the token that was made in them."""

    folder: Path
    database: str
    token: str


@functools.cache
def _template(database: str, superuser_url: str | None) -> _Template:
    """Made once a process, for a first start takes three times as long as another one."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lakou-test-template-")))
    url = None
    if database == "postgres":
        if superuser_url is None:
            raise ServerFailed("postgres needs the URL of a superuser's database")
        url = stack.enter_context(fresh_database(superuser_url))
    server = Server(database, folder / "data", url)
    server.data.mkdir()
    server.start()
    server.stop()
    name = "" if url is None else str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    return _Template(server.data, name, server.token)


@contextlib.contextmanager
def running(database: str, superuser_url: str | None = None, settings: str = "") -> Iterator[Server]:
    """A started server on "sqlite" or "postgres" with its own data and settings; everything is removed at the end.

    Its databases are copies of those of a site that has started once. First starts are tested with `Server` itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="lakou-test-"))
    template = _template(database, superuser_url)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = None
        if database == "postgres":
            url = stack.enter_context(fresh_database(str(superuser_url), template.database))
        server = Server(database, folder / "data", url)
        server.data.mkdir()
        if database == "sqlite":
            for file in template.folder.glob("*.db*"):
                shutil.copy(file, server.data)
        server.token, server.settings = template.token, settings
        stack.callback(server.stop)
        server.start()
        yield server
