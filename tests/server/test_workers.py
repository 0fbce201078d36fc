"""`lakou serve --workers 2` on PostgreSQL: either process takes Observations, and tells of those of both."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness import make
from tests.harness.client import Api
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, fresh_database

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(POSTGRES_URL is None, reason="PostgreSQL is not tested: set LAKOU_TEST_POSTGRES"),
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of two processes."""
    assert POSTGRES_URL is not None
    with fresh_database(POSTGRES_URL) as url:
        server = Server("postgres", tmp_path_factory.mktemp("pair") / "data", url)
        server.data.mkdir()
        server.options = ("--workers", "2")
        server.start()
        yield server
        server.stop()


class Stream(threading.Thread):
    """A client of the event stream over a socket; `pid` is the process that answers it."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.ids: list[int] = []
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self._socket.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        self._text = b""
        while b"\nid: " not in self._text:
            self._text += self._socket.recv(65_536)
        self.pid = process_of(self._socket.getsockname()[1], server.pid)
        self.start()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self) -> None:
        text = b""
        while piece := self._socket.recv(65_536):
            text += piece
            *events, text = text.split(b"\n\n")
            for event in events:
                if found := re.search(rb"data: (\{.*\})", event):
                    self.ids.append(json.loads(found.group(1))["id"])

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._socket.close()


def process_of(client_port: int, parent: int) -> int:
    """The child of `parent` that holds the other end of a loopback connection, as the kernel tells it."""
    remote = f"{client_port:04X}"
    inodes = {
        fields[9]
        for fields in (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
        if fields[2].endswith(":" + remote)
    }
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for pid in children:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except FileNotFoundError:
                continue
            if target.startswith("socket:[") and target[8:-1] in inodes:
                return int(pid)
    raise AssertionError("no child holds this connection")


def writer_of(pair: Server) -> tuple[httpx.Client, int]:
    """A client with one connection, and the process that holds its other end."""
    client = httpx.Client(
        base_url=pair.base, headers={"authorization": f"Bearer {pair.token}"}, limits=httpx.Limits(max_connections=1)
    )
    stream = client.get("/Things?$top=0").extensions["network_stream"]
    return client, process_of(stream.get_extra_info("client_addr")[1], pair.pid)


def test_clients_of_both_processes_get_every_event_exactly_once(pair: Server) -> None:
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(contextlib.closing(Api(pair.base, pair.token)))
        made = api.create("Things", make.station(Datastreams=[make.datastream()]))
        datastream = api.value(f"Things({made['@iot.id']})/Datastreams")[0]["@iot.id"]
        streams: list[Stream] = []
        while len({stream.pid for stream in streams}) < 2:
            assert len(streams) < 40, "the second process answers nobody"
            streams.append(stack.enter_context(Stream(pair)))
        writers: list[tuple[httpx.Client, int]] = []
        while len(writers) < 4 or len({pid for _, pid in writers}) < 2:
            assert len(writers) < 40, "the second process answers nobody"
            writers.append(writer_of(pair))
            stack.callback(writers[-1][0].close)
        ids: list[int] = []

        def write(client: httpx.Client, number: int) -> None:
            for n in range(100 // len(writers)):
                answer = client.post(f"/Datastreams({datastream})/Observations", json={"result": number + n})
                assert answer.status_code == 201
                ids.append(int(answer.headers["location"].rpartition("(")[2].rstrip(")")))

        threads = [threading.Thread(target=write, args=(client, 100 * n)) for n, (client, _) in enumerate(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(ids) == 100 // len(writers) * len(writers)
        assert len({id_ // 1000 for id_ in ids}) >= 2, "one process took everything"
        end = time.monotonic() + 20
        while any(len(stream.ids) < len(ids) for stream in streams) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)
        for client in streams:
            assert sorted(client.ids) == sorted(ids)
        assert len({tuple(client.ids) for client in streams}) == 1, "the order differs"


def test_a_token_is_known_in_both_processes(pair: Server) -> None:
    token = pair.make_token("late", "agent")
    time.sleep(0.6)
    for _ in range(12):  # a new connection each, so that both are asked
        answer = httpx.get(f"{pair.base}/Things", headers={"authorization": f"Bearer {token}"}, trust_env=False)
        assert answer.status_code == 200


def test_wrong_passwords_are_counted_by_both_processes_together(pair: Server) -> None:
    email, password = "anne@example.org", "trois mornes et une riviere"
    done = subprocess.run(
        pair._command("user", "create", email, "--role", "observer", "--organisation", "CTM"),
        input=password + "\n",
        capture_output=True,
        text=True,
        env=pair._environment(),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def log_in(given: str) -> httpx.Response:
        # Each attempt on a connection of its own, which either process may take.
        with httpx.Client(base_url=pair.origin) as browser:
            token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', browser.get("/compte/connexion/").text)
            assert token
            form = {"login": email, "password": given, "csrfmiddlewaretoken": token[1]}
            return browser.post("/compte/connexion/", data=form)

    assert log_in(password).status_code == 302
    for _ in range(5):
        assert log_in("wrong").status_code == 200
    for _ in range(4):
        assert "Trop de tentatives" in log_in(password).text
