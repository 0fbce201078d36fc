"""The event-stream load client: many listeners of `/live` in one process, and POSTs at a steady pace.

`python -m bench.stream_loader` reads a `Job` from its input as JSON and writes a `Heard`. Every listener counts the
events that reach it; a few of them also read which Observation it was, so that a latency is from the write of its
POST to the arrival of its event. The processor time of the server is read from /proc at the ends of the same window.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
import time
from typing import cast

import msgspec
import uvloop

from bench.linux import cpu_s
from bench.loader import length_of
from bench.loading import LoadError, percentile
from bench.traffic import Wire, second

# Descriptors for what else the process opens.
SPARE = 64
OPENING_AT_ONCE = 100
GREET_S = 0.1
LATE_S = 5.0
# A slow answer must not slow the pace.
POSTERS = 8
_EVENT = b"event: observation\n"
# The results of measured Observations are counted from here, so that an event tells which kind it is of.
FIRST = 1_000_000
_MEASURED = b'"result":1'
_RESULT = re.compile(rb'"result":(1\d{6})\b')


class Job(msgspec.Struct, frozen=True):
    """`clients` listeners, of which `readers` note latencies; `pace` POSTs a second for `seconds` to one Datastream.

    `pids` are the processes of the server. `start` is the first phenomenonTime in seconds from 1970.
    """

    port: int
    wire: Wire
    pids: list[int]
    stream: int
    start: int
    clients: int
    readers: int
    pace: float
    seconds: float


class Heard(msgspec.Struct, frozen=True):
    """`clients` may be fewer than wanted where descriptors are scarce; `posted` a second may fall behind the pace.

    `greeted` Observations were posted before.
    """

    clients: int
    greeted: int
    posted: int
    seconds: float
    delivered: int
    p50_ms: float
    p99_ms: float
    server_share: float
    loader_share: float


class _Listener(asyncio.Protocol):
    """One event stream. Counts by a mark that each measured event has once, also when it is cut between two packets.

    `is_met` says that any event has come: the stream is open from end to end.
    """

    def __init__(self, request: bytes, ready: asyncio.Semaphore) -> None:
        self._request = request
        self._tail = b""
        self._ready = ready
        self.opened = False
        self.is_met = False
        self.count = 0
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        text = self._tail + data
        if not self.opened:
            if b"\r\n\r\n" not in text:
                self._tail = text
                return
            self.opened = text[9:12] == b"200"
            self.lost = not self.opened
            self._ready.release()
        self.is_met = self.is_met or _EVENT in text
        self.count += text.count(_MEASURED)
        # Shorter than the mark, so that nothing counts twice. Before the first event a tail as long as one is kept.
        self._tail = text[1 - len(_MEASURED if self.is_met else _EVENT) :]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.opened:
            self._ready.release()


class _Reader(_Listener):
    """A listener that notes which Observations came, and when."""

    def __init__(self, request: bytes, ready: asyncio.Semaphore) -> None:
        super().__init__(request, ready)
        self._line = b""
        self.arrived: dict[int, float] = {}

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        now = time.perf_counter()
        whole, mark, rest = (self._line + data).rpartition(b"\n\n")
        self._line = rest if mark else whole + rest
        for found in _RESULT.finditer(whole):
            self.arrived.setdefault(int(found[1]) - FIRST, now)


class _Poster(asyncio.Protocol):
    """POSTs one Observation at a time on one connection."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[bytes] | None = None
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    async def post(self, request: bytes) -> None:
        assert self._transport is not None  # noqa: S101
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await asyncio.wait_for(self._answer, 10)
        if answer[9:12] != b"201":
            raise LoadError(f"A POST was answered with {answer[:300].decode(errors='replace')}")

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if end and len(body) >= (length_of(head) or 0) and self._answer is not None and not self._answer.done():
            self._answer.set_result(self._data)
            self._data = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LoadError("The server closed the connection of the poster"))


def _request(job: Job, later_s: int, result: int) -> bytes:
    body = f'{{"phenomenonTime":"{second(job.start + later_s)}Z","result":{result}}}'
    return (
        f"POST {job.wire.root}/Datastreams({job.stream})/Observations HTTP/1.1\r\n{job.wire.head()}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


def room(clients: int) -> int:
    """How many clients the file descriptors allow, after the limit was raised as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + SPARE
    limit = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(0, min(clients, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE))


async def _run(job: Job) -> Heard:
    loop = asyncio.get_running_loop()
    clients = room(job.clients)
    hello = f"GET /live HTTP/1.1\r\n{job.wire.head()}accept: text/event-stream\r\n\r\n".encode()
    ready = asyncio.Semaphore(0)
    listeners: list[_Listener] = []
    for n in range(clients):
        kind = _Reader if n < job.readers else _Listener
        made = await loop.create_connection(lambda kind=kind: kind(hello, ready), "127.0.0.1", job.port)  # type: ignore[misc]
        listeners.append(made[1])
        if n >= OPENING_AT_ONCE:
            await asyncio.wait_for(ready.acquire(), 30)
    for _ in range(min(clients, OPENING_AT_ONCE)):
        await asyncio.wait_for(ready.acquire(), 30)
    if any(one.lost for one in listeners):
        raise LoadError(f"{sum(one.lost for one in listeners)} of {clients} event streams were refused")
    posters = [(await loop.create_connection(_Poster, "127.0.0.1", job.port))[1] for _ in range(POSTERS)]
    return await _measure(job, listeners, posters, await _greet(job, listeners, posters[0]))


async def _greet(job: Job, listeners: list[_Listener], poster: _Poster) -> int:
    """Post until everybody has heard something: a stream whose headers came is not yet one that events reach."""
    end = time.perf_counter() + LATE_S
    number = 0
    while not all(one.is_met for one in listeners):
        if time.perf_counter() > end:
            raise LoadError(
                f"{sum(not one.is_met for one in listeners)} of {len(listeners)} event streams hear nothing"
            )
        await poster.post(_request(job, number, 0))
        number += 1
        await asyncio.sleep(GREET_S)
    return number


async def _measure(job: Job, listeners: list[_Listener], posters: list[_Poster], greeted: int) -> Heard:
    server, own, begin = cpu_s(job.pids), time.process_time(), time.perf_counter()
    sent_at: dict[int, float] = {}
    free: asyncio.Queue[_Poster] = asyncio.Queue()
    for poster in posters:
        free.put_nowait(poster)

    async def post(poster: _Poster, number: int) -> None:
        sent_at[number] = time.perf_counter()
        await poster.post(_request(job, greeted + number, FIRST + number))
        free.put_nowait(poster)

    posts: list[asyncio.Task[None]] = []
    while (now := time.perf_counter()) < begin + job.seconds:
        number = len(posts) + 1
        due = begin + number / job.pace
        if now < due:
            await asyncio.sleep(due - now)
        posts.append(asyncio.create_task(post(await asyncio.wait_for(free.get(), 10), number)))
    await asyncio.gather(*posts)
    seconds = time.perf_counter() - begin
    server_share = (cpu_s(job.pids) - server) / seconds
    loader_share = (time.process_time() - own) / seconds
    wanted = len(sent_at) * len(listeners)
    end = time.perf_counter() + LATE_S
    # An event for each arrival would cost the loader more than asking now and then.
    while sum(one.count for one in listeners) < wanted and time.perf_counter() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    if any(one.lost for one in listeners):
        raise LoadError(f"{sum(one.lost for one in listeners)} of {len(listeners)} event streams were closed")
    found = sorted(
        at - sent_at[number]
        for one in listeners
        if isinstance(one, _Reader)
        for number, at in one.arrived.items()
        if number in sent_at
    )
    return Heard(
        clients=len(listeners),
        greeted=greeted,
        posted=len(sent_at),
        seconds=seconds,
        delivered=sum(one.count for one in listeners),
        p50_ms=percentile(found or [0.0], 0.5),
        p99_ms=percentile(found or [0.0], 0.99),
        server_share=server_share,
        loader_share=loader_share,
    )


def main() -> None:
    """Run the job on standard input; what was heard goes to standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(job))))


if __name__ == "__main__":
    main()
