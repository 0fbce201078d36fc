"""The MQTT load client: PUBLISH with QoS 1 over raw sockets, a bounded window in flight on each connection.

`python -m bench.mqtt_loader` reads a `Job` from its input as JSON and writes an `Outcome`, in which a PUBACK counts
as status 200. It speaks as much of MQTT 3.1.1 as that takes: CONNECT §3.1, PUBLISH §3.3, PUBACK §3.4, DISCONNECT
§3.14. Latencies are from the write of a PUBLISH to its PUBACK. User is the token's name, the token the password.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from typing import cast

import msgspec
import uvloop

from bench.loading import GRACE_S, LoadError, Meter, Outcome
from bench.traffic import Id, in_path, second

CONNACK, PUBACK = 2, 4
DISCONNECT = b"\xe0\x00"
KEEP_ALIVE_S = 60
DRAIN_S = 10.0


class Job(msgspec.Struct, frozen=True):
    """`connections` publishers, each with at most `window` unacknowledged, over all `streams` in turn.

    `start` is the first phenomenonTime in seconds from 1970; it goes up by one each turn.
    """

    port: int
    user: str
    password: str
    streams: list[Id]
    start: int
    connections: int
    window: int
    seconds: float
    warm_s: float


def connect(client: str, user: str, password: str) -> bytes:
    """A CONNECT with a clean session. §3.1"""
    flags = 0x02 | (0xC0 if user else 0)
    body = _text(b"MQTT") + bytes((4, flags)) + KEEP_ALIVE_S.to_bytes(2, "big") + _text(client.encode())
    if user:
        body += _text(user.encode()) + _text(password.encode())
    return b"\x10" + remaining(len(body)) + body


def publish(topic: bytes, packet: int, payload: bytes) -> bytes:
    """A PUBLISH with QoS 1. §3.3"""
    body = len(topic) + 4 + len(payload)
    return b"".join(
        (b"\x32", remaining(body), len(topic).to_bytes(2, "big"), topic, packet.to_bytes(2, "big"), payload)
    )


def remaining(length: int) -> bytes:
    """The remaining length of a packet. §2.2.3"""
    found = bytearray()
    while True:
        length, low = divmod(length, 128)
        found.append(low | (0x80 if length else 0))
        if not length:
            return bytes(found)


def packets(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole packets at the start of what came, as (type, body), and the rest."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while True:
        length, digit, position = 0, 0, at + 1
        while position < len(data) and data[position] & 0x80 and digit < 3:
            length |= (data[position] & 0x7F) << (7 * digit)
            digit += 1
            position += 1
        if position >= len(data):
            return found, data[at:]
        length |= (data[position] & 0x7F) << (7 * digit)
        end = position + 1 + length
        if end > len(data):
            return found, data[at:]
        found.append((data[at] >> 4, data[position + 1 : end]))
        at = end


def messages(streams: list[Id], start: int) -> Iterator[tuple[bytes, bytes]]:
    """Topics and payloads without end. 18-088 §14.1"""
    topics = [f"v1.1/Datastreams({in_path(id_)})/Observations".encode() for id_ in streams]
    for turn in itertools.count():
        opening = f'{{"phenomenonTime":"{second(start + turn)}Z","result":'
        for n, topic in enumerate(topics):
            yield topic, f"{opening}{(n * 7 + turn) % 1000 / 10}}}".encode()


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


class _Publisher(asyncio.Protocol):
    """One connection that keeps its window full."""

    def __init__(self, job: Job, number: int, source: Iterator[tuple[bytes, bytes]], meter: Meter) -> None:
        self._job = job
        self._number = number
        self._source = source
        self._meter = meter
        self._rest = b""
        self._packet = 0
        self._sent_at: dict[int, float] = {}
        self._ending = False
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write(connect(f"{self._job.user or 'bench'}-{self._number}", self._job.user, self._job.password))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and data:
            self._transport.write(data)

    def _next(self) -> bytes:
        # Packet identifiers are not zero, and free again once acknowledged; §2.3.1
        self._packet = self._packet % 65_535 + 1
        topic, payload = next(self._source)
        self._meter.sent += 1
        self._sent_at[self._packet] = time.perf_counter()
        return publish(topic, self._packet, payload)

    def data_received(self, data: bytes) -> None:
        found, self._rest = packets(self._rest + data)
        answer: list[bytes] = []
        for kind, body in found:
            if kind == PUBACK:
                sent_at = self._sent_at.pop(int.from_bytes(body[:2], "big"))
                if self._meter.answered(200, sent_at):
                    answer.append(self._next())
                else:
                    self._ending = True
            elif kind == CONNACK:
                if body[1]:
                    self._meter.first_refusal = f"CONNACK with return code {body[1]}"
                    self._meter.statuses[0] += 1
                    self._close()
                    return
                answer += [self._next() for _ in range(self._job.window)]
        self._write(b"".join(answer))
        if self._ending and not self._sent_at:
            self._close()

    def _close(self) -> None:
        self._ending = True
        self._write(DISCONNECT)
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ending or self._sent_at:
            self._meter.statuses[0] += 1
            self._meter.first_refusal = self._meter.first_refusal or "The connection was closed"
        if not self.ended.done():
            self.ended.set_result(None)


async def _run(job: Job) -> Outcome:
    loop = asyncio.get_running_loop()
    source = messages(job.streams, job.start)
    begin = time.perf_counter() + job.warm_s
    meter = Meter(begin, begin + job.seconds)
    publishers = []
    for number in range(job.connections):
        made = await loop.create_connection(lambda n=number: _Publisher(job, n, source, meter), "127.0.0.1", job.port)  # type: ignore[misc]
        publishers.append(made[1])
    await asyncio.wait([one.ended for one in publishers], timeout=job.warm_s + job.seconds + min(DRAIN_S, GRACE_S / 2))
    if not all(one.ended.done() for one in publishers):
        raise LoadError("Some of what was published was never acknowledged")
    return meter.outcome()


def main() -> None:
    """Run the job on standard input; its outcome goes to standard output."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(job))))


if __name__ == "__main__":
    main()
