"""The load client: closed loops over keep-alive connections, raw HTTP/1.1 on asyncio, in a process of its own.

`python -m bench.loader` reads a `Job` from its input as JSON and writes an `Outcome`. A connection sends its next
request when the answer to the last one is complete; latencies are from the write to the last byte of the answer.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.traffic import Traffic, requests

GRACE_S = 60.0
_CHECKOUT = Path(__file__).parent.parent


class LoadError(Exception):
    """The load could not be made, or was answered with errors: such a run measures nothing."""


class Job(msgspec.Struct, frozen=True):
    """`connections` closed loops against a server on loopback; what the first `warm_s` seconds give is not counted."""

    port: int
    traffic: Traffic
    connections: int
    seconds: float
    warm_s: float
    token: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What was answered in `seconds` after the warm-up, the last answers included. Latencies in milliseconds.

    `statuses` counts by HTTP status. `sent` counts the warm-up too; `cpu_s` is what the loader itself used.
    """

    requests: int
    sent: int
    seconds: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    worst_ms: float
    body_bytes: int
    statuses: dict[int, int]
    first_refusal: str
    cpu_s: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def load(job: Job) -> Outcome:
    """Run a job in a process of its own. Raises LoadError when anything but success was answered."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.loader"],
        input=msgspec.json.encode(job),
        capture_output=True,
        timeout=job.seconds + job.warm_s + GRACE_S,
        check=False,
        cwd=_CHECKOUT,
    )
    if done.returncode != 0:
        raise LoadError(done.stderr.decode(errors="replace")[-2_000:])
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    if not outcome.requests or any(not 200 <= status < 300 for status in outcome.statuses):
        raise LoadError(f"The server answered {outcome.statuses}: {outcome.first_refusal}")
    return outcome


class _Meter:
    """Counts answers, from all connections."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.last = begin
        self.latencies: list[float] = []
        self.sent = 0
        self.body_bytes = 0
        self.statuses: Counter[int] = Counter()
        self.first_refusal = ""

    def answered(self, status: int, sent_at: float, size: int) -> bool:
        """Count an answer; whether to go on."""
        now = time.perf_counter()
        self.statuses[status] += 1
        if now >= self.begin:
            self.last = now
            self.latencies.append(now - sent_at)
            self.body_bytes += size
        return now < self.end


class _Loop(asyncio.Protocol):
    """One connection: request, answer, request, …"""

    def __init__(self, source: Iterator[bytes], meter: _Meter) -> None:
        self._source = source
        self._meter = meter
        self._head = b""
        self._missing = 0
        self._size = 0
        self._status = 0
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class, not a subclass
        self._send()

    def _send(self) -> None:
        assert self._transport is not None  # noqa: S101
        self._meter.sent += 1
        request = next(self._source)
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._status = int(self._head[9:12])
            self._size = _length(self._head[:end])
            self._missing = self._size - (len(self._head) - end - 4)
            if self._status >= 300 and not self._meter.first_refusal:
                self._meter.first_refusal = self._head[end + 4 :][:500].decode(errors="replace")
            self._head = b""
        if self._missing > 0:
            return
        if self._meter.answered(self._status, self._sent_at, self._size):
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._missing or self._head:
            self._meter.statuses[0] += 1
        if not self.ended.done():
            self.ended.set_result(None)


def _length(head: bytes) -> int:
    """The Content-Length of an answer; the loader understands no other framing."""
    for line in head.split(b"\r\n")[1:]:
        if len(line) > 15 and line[14:15] == b":" and line[:14].lower() == b"content-length":
            return int(line[15:])
    return 0


async def _run(job: Job) -> Outcome:
    loop = asyncio.get_running_loop()
    source = requests(job.traffic, host=f"127.0.0.1:{job.port}", token=job.token)
    next(source)  # a first template may take a while to make
    begin = time.perf_counter() + job.warm_s
    meter = _Meter(begin, begin + job.seconds)
    loops = [
        (await loop.create_connection(lambda: _Loop(source, meter), "127.0.0.1", job.port))[1]
        for _ in range(job.connections)
    ]
    await asyncio.wait([one.ended for one in loops], timeout=job.warm_s + job.seconds + GRACE_S / 2)
    found = sorted(meter.latencies) or [0.0]

    def part(share: float) -> float:
        return round(found[min(len(found) - 1, int(len(found) * share))] * 1_000, 3)

    return Outcome(
        requests=len(meter.latencies),
        sent=meter.sent,
        seconds=max(meter.last - begin, 1e-6),
        p50_ms=part(0.5),
        p90_ms=part(0.9),
        p99_ms=part(0.99),
        worst_ms=part(1.0),
        body_bytes=meter.body_bytes,
        statuses=dict(meter.statuses),
        first_refusal=meter.first_refusal,
        cpu_s=time.process_time(),
    )


def main() -> None:
    """Run the job on standard input; its outcome goes to standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(job))))


if __name__ == "__main__":
    main()
