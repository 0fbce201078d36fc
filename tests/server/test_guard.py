"""What the HTTP protocol refuses by itself, on a real socket."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from lakou.server import guard
from lakou.server.types import Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/refuse":
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    if scope["query_string"] == b"flood":
        await flood(scope, send)
        return
    if scope["path"] == "/live":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def flood(scope: Scope, send: Send) -> None:
    """Send until the client takes no more, then cut it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            async with asyncio.timeout(0.3):
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
    except TimeoutError:
        scope["extensions"]["lakou.abort"]["call"]()


class Running:
    def __init__(self) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        config = uvicorn.Config(
            echo, http=guard.GuardedProtocol, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=5
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]}, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()


def read_all(connection: socket.socket) -> bytes:
    out = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return out
        out += chunk
        if not chunk:
            return out


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_a_plain_request_is_answered(server: Running) -> None:
    assert server.ask(HEAD + b"Content-Length: 3\r\n\r\nabc").endswith(b"\r\n\r\n3")


def test_a_chunked_body_is_read(server: Running) -> None:
    assert server.ask(HEAD + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").endswith(b"\r\n\r\n3")


def test_header_and_body_in_separate_large_pieces_are_accepted(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD[:20])
        time.sleep(0.05)
        connection.sendall(HEAD[20:] + b"Content-Length: 400000\r\n\r\n" + b"a" * 400_000)
        assert read_all(connection).endswith(b"\r\n\r\n400000")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"X-%d: y\r\n" % number for number in range(150)), 431),
        (b"X-Long: " + b"a" * 100_000 + b"\r\n", 431),
        (b"X-Long: " + b"a" * 1_000_000 + b"\r\n", 431),
        (b"Transfer-Encoding: xchunked\r\n", 400),
        (b"Transfer-Encoding: identity, chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"X y: z\r\n", 400),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else str(value),
)
def test_doubtful_headers_are_refused_and_the_connection_closed(server: Running, head: bytes, status: int) -> None:
    answer = server.ask(HEAD.replace(b"Connection: close\r\n", b"") + head + b"\r\n3\r\nabc\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


def test_a_long_address_is_refused(server: Running) -> None:
    assert server.ask(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 431")


def test_garbage_is_answered_with_400(server: Running) -> None:
    assert server.ask(b"\x16\x03\x01\x02\x00 not http\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_an_early_refusal_reaches_a_client_that_still_sends(server: Running) -> None:
    body = b"a" * 9_000_000
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server.connect() as connection:
        connection.sendall(head)
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")


def test_silent_and_slow_clients_are_cut_and_quick_ones_stay(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "HEAD_S", 0.3)
    monkeypatch.setattr(guard, "BODY_GRACE_S", 0.3)
    monkeypatch.setattr(guard, "CHECK_EVERY_S", 0.1)
    with server.connect() as silent, server.connect() as slow_head, server.connect() as slow_body:
        slow_head.sendall(b"GET / HTTP/1.1\r\nHos")
        slow_body.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
        with server.connect() as kept:
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(1000).endswith(b"\r\n\r\n0")
            for cut in (silent, slow_head, slow_body):
                assert read_all(cut) == b""
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert kept.recv(1000).endswith(b"\r\n\r\n0")


def test_an_open_event_stream_does_not_hold_up_the_end() -> None:
    running = Running()
    try:
        with running.connect() as connection:
            connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            seen = b""
            while b"begun" not in seen:
                seen += connection.recv(1000)
            begun = time.monotonic()
            running.stop()
            assert time.monotonic() - begun < 3
    finally:
        running.stop()


def test_a_client_of_the_event_stream_that_takes_nothing_is_cut(server: Running) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(10)
        client.connect(("127.0.0.1", server.port))
        client.sendall(b"GET /live?flood HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.0)  # the server has given up meanwhile: what comes now is what the kernel held
        taken = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65_536):
                taken += len(piece)
        assert taken < 1024 * 1024
