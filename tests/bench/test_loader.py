"""The load client counts whole answers, and refuses what was no success."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from bench.loader import Job
from bench.loading import LoadError, Outcome, run_loader, succeeded
from bench.traffic import Arrays, Posts, Traffic, Wire


@contextlib.contextmanager
def answering(*pieces: bytes) -> Iterator[int]:
    """A service on a port of its own that answers every request with these pieces, one after the other."""
    started: list[int] = []
    ready = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)

    async def serve() -> None:
        end = asyncio.Event()
        loops.append((asyncio.get_running_loop(), end))
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            started.append(server.sockets[0].getsockname()[1])
            ready.set()
            await end.wait()
        # The connections close in the next turn of the loop.
        await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield started[0]
    finally:
        loop, end = loops[0]
        loop.call_soon_threadsafe(end.set)
        thread.join(10)


def _load(port: int, traffic: Traffic) -> Outcome:
    job = Job("127.0.0.1", port, Wire(f"127.0.0.1:{port}"), traffic, 2, 0.2, 0.05)
    return succeeded(run_loader("bench.loader", job, Outcome, 1))


def test_an_answer_in_chunks_ends_with_its_last_chunk() -> None:
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    with answering(head, b"5\r\nhello\r\n0\r", b"\n\r\n") as port:
        outcome = _load(port, Posts([1], 0))

    assert set(outcome.statuses) == {201}
    assert outcome.sent == outcome.statuses[201]


def test_an_answer_without_a_body_is_whole_with_its_head() -> None:
    with answering(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n") as port:
        assert set(_load(port, Posts([1], 0)).statuses) == {201}


def test_a_refused_row_of_a_data_array_ends_the_measurement() -> None:
    with (
        answering(b'HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n["error"]') as port,
        pytest.raises(LoadError, match="error"),
    ):
        _load(port, Arrays([1], 0, 1))


def test_an_error_ends_the_measurement() -> None:
    with (
        answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy") as port,
        pytest.raises(LoadError, match=r"503.*busy"),
    ):
        _load(port, Posts([1], 0))
