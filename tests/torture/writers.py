"""Devices that send as fast as they are answered: single Observations, data arrays, and MQTT with QoS 1.

Written on bare sockets, so that two cores carry the service and its loader. Each writer keeps a `Ledger`; a
writer ends when its connection does, or when it is told to stop and everything it sent has its answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.harness.server import Server
from tests.torture.ledgers import Group, Ledger, instant

ARRAY_ROWS = 100
WINDOW = 50
BUSY_WAIT_S = 0.05
ANSWER_S = 30.0
LOST = (OSError, asyncio.IncompleteReadError, TimeoutError)


@dataclass
class Pace:
    """Bounds the rows a second of all writers that share it; 0 is no bound."""

    rows_per_s: float = 0.0
    due: float = 0.0

    async def wait(self, rows: int) -> None:
        if self.rows_per_s:
            now = time.monotonic()
            self.due = max(now, self.due) + rows / self.rows_per_s
            if self.due - now > 0.01:
                await asyncio.sleep(self.due - now)


@dataclass
class Orders:
    """What all writers of a round share."""

    server: Server
    pace: Pace
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    unavailable: int = 0
    without_retry_after: int = 0

    def wanted(self, ledger: Ledger) -> bool:
        return not self.stop.is_set() or bool(ledger.again)


Writer = Callable[[Orders, Ledger], Coroutine[Any, Any, None]]


async def single(orders: Orders, ledger: Ledger) -> None:
    """POST one Observation after the other on one connection."""
    await _http(orders, ledger, 1, lambda group: (_path(ledger), _observation(group[0])))


async def array(orders: Orders, ledger: Ledger) -> None:
    """POST data arrays to CreateObservations on one connection."""
    await _http(orders, ledger, ARRAY_ROWS, lambda group: ("CreateObservations", _array(ledger.stream, group)))


def _path(ledger: Ledger) -> str:
    return f"Datastreams({ledger.stream})/Observations"


def _observation(number: int) -> bytes:
    return b'{"phenomenonTime":"%s","result":%d}' % (instant(number).encode(), number)


def _array(stream: int, group: Group) -> bytes:
    rows = [[instant(number), number] for number in group]
    part = {"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}
    return json.dumps([part]).encode()


async def _http(orders: Orders, ledger: Ledger, size: int, form: Callable[[Group], tuple[str, bytes]]) -> None:
    server, pipe = orders.server, None
    try:
        reader, pipe = await asyncio.open_connection("127.0.0.1", server.port)
        while orders.wanted(ledger):
            await orders.pace.wait(size)
            group = ledger.take(size)
            path, body = form(group)
            pipe.write(
                b"POST /sta/v1.1/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nPrefer: return=minimal\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % (path.encode(), server.token.encode(), len(body))
                + body
            )
            async with asyncio.timeout(ANSWER_S):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
                said = await reader.readexactly(length)
            await _note(orders, ledger, group, head, said)
    except LOST:
        pass
    finally:
        ledger.cut()
        if pipe is not None:
            pipe.close()


async def _note(orders: Orders, ledger: Ledger, group: Group, head: bytes, said: bytes) -> None:
    if head.startswith(b"http/1.1 201") and b'"error"' not in said[:200]:
        ledger.acknowledge(group)
    elif head.startswith(b"http/1.1 503"):
        orders.unavailable += 1
        orders.without_retry_after += b"\r\nretry-after: " not in head
        ledger.come_back(group)
        await asyncio.sleep(BUSY_WAIT_S)
    else:
        ledger.refuse(group, f"{head[:40]!r} {said[:200]!r}")


async def mqtt(orders: Orders, ledger: Ledger) -> None:
    """Publish with QoS 1 (MQTT 3.1.1), up to WINDOW messages without their PUBACK."""
    pipe = None
    try:
        reader, pipe = await asyncio.open_connection("127.0.0.1", orders.server.mqtt_port)
        await _connect(reader, pipe, orders.server, ledger)
        room, waiting = asyncio.Semaphore(WINDOW), dict[int, Group]()
        acknowledging = asyncio.create_task(_acknowledge(reader, ledger, room, waiting))
        try:
            await _publish(pipe, orders, ledger, room, waiting, acknowledging)
        finally:
            acknowledging.cancel()
    except LOST:
        pass
    finally:
        ledger.cut()
        if pipe is not None:
            pipe.close()


async def _connect(reader: asyncio.StreamReader, pipe: asyncio.StreamWriter, server: Server, ledger: Ledger) -> None:
    """CONNECT with user and password, clean session (MQTT 3.1.1 §3.1)."""
    name = server.token_name
    fields = (f"{name}-{ledger.stream}", name, server.token)
    pipe.write(_packet(0x10, _text("MQTT") + b"\x04\xc2\x00\x3c" + b"".join(map(_text, fields))))
    async with asyncio.timeout(ANSWER_S):
        answer = await reader.readexactly(4)
    if answer[3] != 0:
        ledger.refused.append(f"CONNACK {answer.hex()}")
        raise ConnectionError


async def _publish(
    pipe: asyncio.StreamWriter,
    orders: Orders,
    ledger: Ledger,
    room: asyncio.Semaphore,
    waiting: dict[int, Group],
    acknowledging: asyncio.Task[None],
) -> None:
    topic, number = _text(f"v1.1/Datastreams({ledger.stream})/Observations"), 0
    while orders.wanted(ledger) and not acknowledging.done():
        await orders.pace.wait(1)
        async with asyncio.timeout(ANSWER_S):
            await room.acquire()
        number = number % 65_535 + 1
        waiting[number] = group = ledger.take(1)
        pipe.write(_packet(0x32, topic + number.to_bytes(2, "big") + _observation(group[0])))
    async with asyncio.timeout(ANSWER_S):
        for _ in range(WINDOW):
            await room.acquire()


async def _acknowledge(
    reader: asyncio.StreamReader, ledger: Ledger, room: asyncio.Semaphore, waiting: dict[int, Group]
) -> None:
    """Takes PUBACKs; ends with the connection."""
    try:
        while True:
            packet = await reader.readexactly(4)
            if packet[:2] != b"\x40\x02":
                ledger.refused.append(f"not a PUBACK: {packet.hex()}")
                return
            ledger.acknowledge(waiting.pop(int.from_bytes(packet[2:], "big")))
            room.release()
    except LOST:
        return
    finally:  # nobody may wait for room any more
        for _ in range(WINDOW + 1):
            room.release()


def _text(text: str) -> bytes:
    return len(text.encode()).to_bytes(2, "big") + text.encode()


def _packet(first: int, rest: bytes) -> bytes:
    length, size = bytearray(), len(rest)
    while True:
        size, digit = size >> 7, size & 0x7F
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes((first, *length)) + rest


WRITERS: dict[str, Writer] = {"single": single, "array": array, "mqtt": mqtt}
CONNECTIONS = {"single": 32, "array": 4, "mqtt": 4}
# Without a bound, arrays would fill the store with millions of rows that the judge then has to read.
ROWS_PER_S = {"single": 0.0, "array": 10_000.0, "mqtt": 0.0}
