"""The load client: closed loops over keep-alive connections, raw HTTP/1.1 on asyncio, in a process of its own.

`python -m bench.loader` reads a `Job` from its input as JSON and writes an `Outcome`. A connection sends its next
request when the answer to the last one is complete; latencies are from the write to the last byte of the answer.
An answer ends by Content-Length, or by the last chunk (RFC 9112 §7.1).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import cast

import msgspec
import uvloop

from bench.loading import GRACE_S, Meter, Outcome
from bench.traffic import Arrays, Traffic, Wire, requests

_LAST_CHUNK = b"\r\n0\r\n\r\n"
# A data array is answered with 201 even when some of its Observations were refused (18-088 §12.2).
_REFUSED_ROW = b'"error'


class Job(msgspec.Struct, frozen=True):
    """`connections` closed loops against a server; what the first `warm_s` seconds give is not counted."""

    address: str
    port: int
    wire: Wire
    traffic: Traffic
    connections: int
    seconds: float
    warm_s: float


class _Loop(asyncio.Protocol):
    """One connection: request, answer, request, …"""

    def __init__(self, source: Iterator[bytes], meter: Meter, refused: bytes | None) -> None:
        self._source = source
        self._meter = meter
        self._refused = refused
        self._head = b""
        self._missing = 0
        self._tail: bytes | None = None
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
        if self._tail is not None:
            self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        elif self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            self._begin(self._head[:end], data := self._head[end + 4 :])
            self._head = b""
        if self._refused is not None and self._refused in data:
            self._status = 0
            self._meter.first_refusal = self._meter.first_refusal or data[:500].decode(errors="replace")
        if self._missing > 0 or (self._tail is not None and self._tail != _LAST_CHUNK):
            return
        self._tail = None
        if self._meter.answered(self._status, self._sent_at):
            self._send()
        elif self._transport is not None:
            self._transport.close()

    def _begin(self, head: bytes, body: bytes) -> None:
        self._status = int(head[9:12])
        if self._status >= 300 and not self._meter.first_refusal:
            self._meter.first_refusal = body[:500].decode(errors="replace")
        length = length_of(head)
        if length is None:
            self._tail = (b"\r\n" + body)[-len(_LAST_CHUNK) :]
        else:
            self._missing = length - len(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._missing or self._head or self._tail is not None:
            self._meter.statuses[0] += 1
        if not self.ended.done():
            self.ended.set_result(None)


def length_of(head: bytes) -> int | None:
    """The length of an answer's body; None when it comes in chunks."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding" and b"chunked" in value.lower():
            return None
    return 0


async def _run(job: Job) -> Outcome:
    loop = asyncio.get_running_loop()
    source = requests(job.traffic, job.wire)
    next(source)  # a first template may take a while to make
    refused = _REFUSED_ROW if isinstance(job.traffic, Arrays) else None
    begin = time.perf_counter() + job.warm_s
    meter = Meter(begin, begin + job.seconds)
    loops = [
        (await loop.create_connection(lambda: _Loop(source, meter, refused), job.address, job.port))[1]
        for _ in range(job.connections)
    ]
    await asyncio.wait([one.ended for one in loops], timeout=job.warm_s + job.seconds + GRACE_S / 2)
    return meter.outcome()


def main() -> None:
    """Run the job on standard input; its outcome goes to standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(job))))


if __name__ == "__main__":
    main()
