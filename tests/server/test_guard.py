"""What the HTTP protocol refuses by itself, on a real socket."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn

from lakou.server import crowd, guard
from lakou.server.crowd import Caps
from lakou.server.types import Receive, Scope, Send

LARGE = 64 * 1024 * 1024


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/refuse":
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % LARGE)]})
        await send({"type": "http.response.body", "body": bytes(LARGE)})
        return
    if scope["path"] == "/header":
        found = dict(scope["headers"]).get(b"x-name", b"none")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(found))]})
        await send({"type": "http.response.body", "body": found})
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
    def __init__(self, caps: Caps = Caps()) -> None:  # noqa: B008  frozen
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        protocol: Any = partial(guard.GuardedProtocol, caps=caps)
        config = uvicorn.Config(
            echo, http=protocol, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=5
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


GET, POST, END = b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\n", b"\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
# Each has the start of a second request where a lenient reader would see one.
NEXT = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
DOUBTFUL = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: y\r\n\r\n",
    "Host with a space": b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
    "Host with a path": b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.10": b"GET / HTTP/1.10\r\nHost: x\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "absolute form of another host": b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "absolute form with a user": b"GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "asterisk": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "no slash": b"GET x HTTP/1.1\r\nHost: x\r\n\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab in the request line": b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare LF in the header": b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
    "bare LF at its end": GET + b"\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
    "folded line": GET + b"A: b\r\n c\r\n\r\n",
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "no colon": GET + b"foo\r\n\r\n",
    "no name": GET + b": foo\r\n\r\n",
    "NUL in a value": GET + b"A: a\0b\r\n\r\n",
    "NUL in a name": GET + b"A\0: ab\r\n\r\n",
    "non-ASCII name": GET + b"\xe9: a\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "length with comma": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "length with sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "length with underscore": POST + b"Content-Length: 0_3\r\n\r\nabc",
    "length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "empty length": POST + b"Content-Length:\r\n\r\nabc",
    "length above 2^64": POST + b"Content-Length: 18446744073709551619\r\n\r\nabc",
    "coding in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding with comma": POST + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "coding with vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "quoted coding": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunk size 0x3": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size -1": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk size with space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "chunk size above 2^64": CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk ended by LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "chunk data ended by LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "chunk data too long": CHUNKED + b"3\r\nabcXX0\r\n\r\n",
    "LF in a chunk extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "chunk extension of 1 MB": CHUNKED + b"3;" + b"a" * 1_000_000 + b"\r\nabc\r\n0\r\n\r\n",
    "100,000 chunks of one byte": CHUNKED + b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n",
    "length in the trailer": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    "trailer of 1 MB": CHUNKED + b"0\r\nA: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "10,000 trailers": CHUNKED + b"0\r\n" + b"A: a\r\n" * 20_000 + b"\r\n",
    "lower-case method": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_two_readers_may_read_in_two_ways_is_refused_and_nothing_after_it_is_read(
    server: Running, name: str
) -> None:
    answer = server.ask(DOUBTFUL[name] + NEXT)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 ", b"HTTP/1.1 505 ")), answer[:200]
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1 + answer.count(b"Only HTTP/1.1 ")


ACCEPTED = {
    "HTTP/1.0 without Host": (b"GET / HTTP/1.0\r\n\r\n", b"0"),
    "absolute form of this host": (b"GET http://x:80/a?b HTTP/1.1\r\nHost: X:80\r\nConnection: close\r\n\r\n", b"0"),
    "OPTIONS of all": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"0"),
    "a blank line before": (b"\r\n" + GET + b"Connection: close\r\n\r\n", b"0"),
    "IPv6 as Host": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", b"0"),
    "non-ASCII value": (HEAD + b"A: \xe9\r\nContent-Length: 2\r\n\r\nab", b"2"),
    "chunk extension": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", b"3"),
    "chunks of 20 bytes": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"14\r\n" + b"a" * 20 + b"\r\n") * 9000 + b"0\r\n\r\n",
        b"180000",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_odd_and_clear_is_answered(server: Running, name: str) -> None:
    request, body = ACCEPTED[name]
    answer = server.ask(request)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert answer.endswith(b"\r\n\r\n" + body)


def test_an_upgrade_is_ignored_and_the_body_read(server: Running) -> None:
    """Java's HTTP client asks for h2c with every first request, those with a body too (RFC 9110 §7.8)."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    last = HEAD + b"Content-Length: 1\r\n\r\na"
    for framed in (b"Content-Length: 5\r\n\r\nabcde", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"):
        answer = server.ask(POST + upgrade + framed + last)
        assert [part[-1:] for part in answer.split(b"HTTP/1.1 200")[1:]] == [b"5", b"1"]
    with server.connect() as connection:
        connection.sendall(POST + upgrade + b"Content-Length: 5\r\n\r\nab")
        time.sleep(0.05)
        connection.sendall(b"cde" + last)
        assert read_all(connection).count(b"HTTP/1.1 200") == 2


def test_a_trailer_does_not_become_a_header(server: Running) -> None:
    head = b"POST /header HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert server.ask(head + b"0\r\nX-Name: smuggled\r\n\r\n").endswith(b"\r\n\r\nnone")


def test_ten_thousand_requests_at_once_are_all_answered_and_few_wait(server: Running) -> None:
    with server.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=((GET + END) * 9_999 + HEAD + END,))
        sender.start()
        waiting, answers = 0, b""
        while piece := connection.recv(65536):
            answers += piece
            waiting = max([waiting, *(len(c.pipeline) for c in list(server.server.server_state.connections))])
        sender.join()
    assert answers.count(b"HTTP/1.1 200") == 10_000
    assert waiting < guard.MAX_PIPELINED + guard.SLICE // len(GET + END) + 2


def test_what_comes_before_a_refused_request_is_answered_before_it(server: Running) -> None:
    answer = server.ask((GET + END) * 40 + b"GET / HTTP/1.1\r\n\r\n" + NEXT)
    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200"] * 40 + [b"400"]
    answer = server.ask(GET + END + CHUNKED + b"nonsense\r\n" + NEXT)
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]


def test_a_client_that_has_closed_its_side_gets_its_answer(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 3\r\n\r\nabc")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).endswith(b"\r\n\r\n3")
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 3\r\n\r\na")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


def test_blank_lines_come_to_an_end(server: Running) -> None:
    assert server.ask(b"\r\n" * 5000).startswith(b"HTTP/1.1 400")


def test_nothing_follows_an_early_answer_to_expect(server: Running) -> None:
    head = b"POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    answer = server.ask(head + NEXT)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1


def test_a_client_that_does_not_read_is_cut_and_a_slow_one_is_not(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "UNREAD_S", 0.3)
    monkeypatch.setattr(guard, "UNREAD_BYTES", 10 * LARGE)
    monkeypatch.setattr(guard, "CHECK_EVERY_S", 0.1)
    for close in (b"", b"Connection: close\r\n"):
        with server.connect() as deaf, server.connect() as slow:
            for connection in (deaf, slow):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n")
            size = 0
            for _ in range(15):
                size += len(slow.recv(1_000_000))
                time.sleep(0.05)
            assert crowd.HERE.unread_bytes > 0
            assert len(read_all(deaf)) < LARGE
            while size < LARGE and (piece := slow.recv(1_000_000)):
                size += len(piece)
            assert size >= LARGE
    deadline = time.monotonic() + 2
    while crowd.HERE.unread_bytes and time.monotonic() < deadline:
        time.sleep(0.05)
    assert crowd.HERE.unread_bytes == 0


def test_an_early_answer_does_not_let_the_body_go_on_for_ever(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "DISCARD_S", 0.2)
    monkeypatch.setattr(guard, "CHECK_EVERY_S", 0.1)
    with server.connect() as connection:
        connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\na")
        begun = time.monotonic()
        assert read_all(connection).startswith(b"HTTP/1.1 413")
        assert time.monotonic() - begun < 2


def test_a_full_server_closes_the_longest_idle_and_answers_the_new() -> None:
    running = Running(Caps(connections=5))
    try:
        first = running.connect()
        time.sleep(0.05)
        others = [running.connect() for _ in range(10)]
        assert read_all(first) == b""
        assert running.ask(HEAD + END).endswith(b"\r\n\r\n0")
        for each in (first, *others):
            each.close()
    finally:
        running.stop()


def test_a_server_full_of_busy_clients_refuses_the_new() -> None:
    running = Running(Caps(connections=3))
    try:
        busy = [running.connect() for _ in range(3)]
        for each in busy:
            each.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            assert each.recv(1000)
        answer = running.ask(HEAD + END)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in answer
        for each in busy:
            each.close()
    finally:
        running.stop()


def test_one_address_has_its_share_of_connections() -> None:
    running = Running(Caps(on_loopback=4))
    try:
        kept = [running.connect() for _ in range(4)]
        time.sleep(0.05)
        assert running.ask(HEAD + END).startswith(b"HTTP/1.1 503")
        kept.pop().close()
        time.sleep(0.05)
        assert running.ask(HEAD + END).startswith(b"HTTP/1.1 200")
        for each in kept:
            each.close()
    finally:
        running.stop()


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
