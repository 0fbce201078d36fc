"""Slow and broken clients, one function a kind. Each returns when the service has cut it, or answered and closed.

A kind opens one connection (a few reopen it, for a while) and does what no honest client does. Requests that the
service must never act on carry the marker that `Scene.smuggled` gives: an Observation whose result is MARKER.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

MARKER = 987_654_321
GIB = 1 << 30
PIECE = bytes(64 * 1024)


@dataclass
class Scene:
    """The service under attack, and how long each client is ready to go on."""

    port: int
    mqtt_port: int
    token: str
    stream: int
    patience_s: float
    random: random.Random = field(default_factory=lambda: random.Random(1))
    ends_at: float = 0.0

    def head(self, method: bytes = b"POST", path: bytes = b"/sta/v1.1/Observations") -> bytes:
        return b"%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n" % (
            method,
            path,
            self.token.encode(),
        )

    def smuggled(self) -> bytes:
        """A whole request that stores the marker, if anybody reads it as one."""
        body = b'{"result":%d,"Datastream":{"@iot.id":%d}}' % (MARKER, self.stream)
        return self.head() + b"Content-Length: %d\r\n\r\n" % len(body) + body


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.seen = b""

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def listen(self) -> None:
        """Reads to the end, whatever kind of end it is."""
        with contextlib.suppress(OSError):
            while piece := await self.reader.read(65536):
                self.seen = (self.seen + piece)[:100_000]

    async def drip(self, pieces: Callable[[], bytes], every_s: float) -> None:
        """Sends piece after piece until cut."""
        ended = asyncio.create_task(self.listen())
        while not ended.done():
            await self.say(pieces())
            await asyncio.wait([ended], timeout=every_s)


Kind = Callable[[Scene, Line], Awaitable[None]]


async def idle(scene: Scene, line: Line) -> None:
    """Says nothing."""
    await line.listen()


async def slow_header(scene: Scene, line: Line) -> None:
    """One header line a second, for ever (slowloris)."""
    await line.say(b"GET / HTTP/1.1\r\nHost: x\r\n")
    await line.drip(lambda: b"X-a: b\r\n", 1.0)


async def slow_body(scene: Scene, line: Line) -> None:
    """A body of one byte a second."""
    await line.say(scene.head() + b"Content-Length: 100000\r\n\r\n")
    await line.drip(lambda: b" ", 1.0)


async def huge_length(scene: Scene, line: Line) -> None:
    """Announces 10 GiB, and goes on sending after the refusal."""
    kind = scene.random.choice((b"", b"Expect: 100-continue\r\n"))
    await line.say(scene.head() + kind + b"Content-Length: %d\r\n\r\n" % (10 * GIB))
    await line.drip(lambda: PIECE, 0.2)


async def many_headers(scene: Scene, line: Line) -> None:
    """10,000 header fields."""
    await line.say(b"GET /sta/v1.1 HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)))
    await line.say(b"\r\n")
    await line.listen()


async def long_header(scene: Scene, line: Line) -> None:
    """A header line of 1 MiB."""
    await line.say(b"GET /sta/v1.1 HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (1 << 20) + b"\r\n\r\n")
    await line.listen()


async def length_and_coding(scene: Scene, line: Line) -> None:
    """Content-Length beside Transfer-Encoding, with a second request for who believes the other one."""
    smuggled = scene.smuggled()
    both = (b"Content-Length: %d\r\n" % (5 + len(smuggled)), b"Transfer-Encoding: chunked\r\n")
    head = scene.head() + b"".join(both if scene.random.random() < 0.5 else reversed(both))
    await line.say(head + b"\r\n0\r\n\r\n" + smuggled)
    await line.listen()


async def odd_coding(scene: Scene, line: Line) -> None:
    """A transfer coding that some readers take for chunked, and some do not."""
    forms = (
        b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: 'chunked'", b"X: y\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked, identity", b"Content-Length: 0, 0", b"Content-Length: +5", b"Content-Length: 5_0",
        b"Content-Length: 5\r\nContent-Length: 0", b"Content-Length: 0x5",
    )  # fmt: skip
    await line.say(scene.head() + scene.random.choice(forms) + b"\r\n\r\n0\r\n\r\n" + scene.smuggled())
    await line.listen()


async def bad_chunks(scene: Scene, line: Line) -> None:
    """Chunks whose size is nonsense, or whose extension or number has no end."""
    bodies = (
        b"0x5\r\nabcde\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"5 \r\nabcde\r\n", b"5\nabcde\r\n",
        b"3\r\nabcXX\r\n", b"5;" + b"a" * 1_000_000, b"1\r\na\r\n" * 200_000, b"zz\r\n", b"\r\n\r\n",
    )  # fmt: skip
    body = scene.random.choice(bodies)
    await line.say(scene.head() + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n" + scene.smuggled())
    await line.listen()


async def endless_chunks(scene: Scene, line: Line) -> None:
    """A chunked body of 1 GiB."""
    await line.say(scene.head() + b"Transfer-Encoding: chunked\r\n\r\n")
    ended, sent = asyncio.create_task(line.listen()), 0
    while not ended.done() and sent < GIB:
        await line.say(b"10000\r\n" + PIECE + b"\r\n")
        sent += len(PIECE)
        await asyncio.wait([ended], timeout=0.02)
    await ended


async def deaf_reader(scene: Scene, line: Line) -> None:
    """Asks for large pages and reads none of them."""
    line.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    path = b"/sta/v1.1/Observations?$top=10000&$count=true"
    await line.say((scene.head(b"GET", path) + b"\r\n") * 4)
    line.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await cut_seen_by_the_system(line)


async def reset_storm(scene: Scene, line: Line) -> None:
    """Connects and resets, over and over."""
    line.writer.close()
    while time.monotonic() < scene.ends_at:
        found = socket.socket()
        found.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(found, ("127.0.0.1", scene.port))
            if scene.random.random() < 0.5:
                await asyncio.get_running_loop().sock_sendall(found, b"GET /sta/v1.1/Things HTTP/1.1\r\nHo")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        finally:
            found.close()
        await asyncio.sleep(0.2)


async def pipeliner(scene: Scene, line: Line) -> None:
    """Up to 10,000 requests at once, then silence in the middle of one."""
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    ended = asyncio.create_task(line.listen())
    await line.say(request * scene.random.choice((10_000, 300, 300, 300, 300, 300)) + b"GET / HTTP/1.1\r\n")
    await ended


async def half_closed(scene: Scene, line: Line) -> None:
    """Closes its own side in the middle of a request."""
    await line.say(scene.head() + b"Content-Length: 1000\r\n\r\n" + scene.smuggled()[:100])
    line.writer.write_eof()
    await line.listen()


async def noise(scene: Scene, line: Line) -> None:
    """Random bytes, the hello of TLS, the preface of HTTP/2, an MQTT CONNECT."""
    starts = (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + scene.random.randbytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test",
        scene.random.randbytes(2000), bytes(2000), b"\r\n" * 2000 + bytes(1),
    )  # fmt: skip
    await line.say(scene.random.choice(starts) + b"\r\n\r\n" + scene.smuggled())
    await line.listen()


async def cut_seen_by_the_system(line: Line) -> None:
    """Waits for the cut of a connection that nobody reads: the system tells (TCP_INFO, state) without reading."""
    connection = line.writer.get_extra_info("socket")
    while True:
        state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != 1:  # no longer ESTABLISHED
            return
        await asyncio.sleep(0.2)


# ── MQTT ──


async def mqtt_idle(scene: Scene, line: Line) -> None:
    """Connects and says nothing."""
    await line.listen()


async def mqtt_half_connect(scene: Scene, line: Line) -> None:
    """Half a CONNECT, then a byte a second."""
    await line.say(b"\x10\xff\x01\x00\x04MQTT\x04\xc2\x00\x3c")
    await line.drip(lambda: b"\x00", 1.0)


async def mqtt_length_bomb(scene: Scene, line: Line) -> None:
    """A CONNECT of 256 MiB."""
    await line.say(b"\x10\xff\xff\xff\x7f\x00\x04MQTT\x04\xc2\x00\x3c")
    await line.drip(lambda: PIECE, 0.05)


async def mqtt_subscribe_flood(scene: Scene, line: Line) -> None:
    """Subscribes to ten thousand topics, again and again, and does not read."""
    await line.say(_mqtt_connect(scene, "flood"))
    for number in range(10_000):
        topic = f"v1.1/Things({number})/Datastreams".encode()
        rest = (number % 65_535 + 1).to_bytes(2, "big") + len(topic).to_bytes(2, "big") + topic + b"\x01"
        await line.say(b"\x82" + bytes([len(rest)]) + rest)
    await line.listen()


async def mqtt_never_acknowledges(scene: Scene, line: Line) -> None:
    """Subscribes with QoS 1, reads, and never sends a PUBACK; pings, to stay alive."""
    await line.say(_mqtt_connect(scene, "mute"))
    topic = f"v1.1/Datastreams({scene.stream})/Observations".encode()
    await line.say(b"\x82" + bytes([len(topic) + 5]) + b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x01")
    ended = asyncio.create_task(line.listen())
    while time.monotonic() < scene.ends_at and not ended.done():
        await line.say(b"\xc0\x00")
        await asyncio.wait([ended], timeout=5.0)
    ended.cancel()


def _mqtt_connect(scene: Scene, who: str) -> bytes:
    name = f"conformance-{who}-{scene.random.randrange(10**9)}"
    fields = b"".join(len(text).to_bytes(2, "big") + text.encode() for text in (name, "conformance", scene.token))
    rest = b"\x00\x04MQTT\x04\xc2\x00\x3c" + fields
    return b"\x10" + bytes([len(rest) & 0x7F | 0x80, len(rest) >> 7] if len(rest) > 127 else [len(rest)]) + rest


KINDS: dict[str, Kind] = {
    each.__name__: each
    for each in (
        idle, slow_header, slow_body, huge_length, many_headers, long_header, length_and_coding, odd_coding,
        bad_chunks, endless_chunks, deaf_reader, reset_storm, pipeliner, half_closed, noise,
    )
}  # fmt: skip
MQTT_KINDS: dict[str, Kind] = {
    each.__name__: each
    for each in (mqtt_idle, mqtt_half_connect, mqtt_length_bomb, mqtt_subscribe_flood, mqtt_never_acknowledges)
}
# These stay as long as they like: nothing that they do is wrong, it is only much.
ALLOWED_TO_STAY = frozenset({"reset_storm", "mqtt_never_acknowledges", "mqtt_subscribe_flood"})
