"""A bare MQTT client over a socket, for tests that look at packets and for load: what libraries hide is seen here.

`Wire` speaks one connection, blocking. `flood` publishes QoS 1 over several connections with a window each and counts
what was acknowledged: `python -m tests.harness.mqtt --port 1883 --token-name NAME --token lk_… --streams 1,2`.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import V5, Ack, Connack, Connect, Packet, Publish, Suback, Subscribe, Wish

TIMEOUT_S = 10.0


class Wire:
    """One connection. `send` and `read` are packets; `connect` and `subscribe` wait for their answer."""

    def __init__(self, port: int, version: int = V5, host: str = "127.0.0.1") -> None:
        self.version = version
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        self._buffer = b""
        self.last_id = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, packet: Packet) -> None:
        self.socket.sendall(packets.encode(packet, self.version))

    def read(self, timeout_s: float = TIMEOUT_S) -> Packet:
        """The next packet; raises EOFError at the end of the connection, TimeoutError when nothing comes."""
        self.socket.settimeout(timeout_s)
        while True:
            found, _ = packets.frames(self._buffer, 2**28)
            if found:
                packet = packets.decode(self._buffer, found[0], self.version)
                self._buffer = self._buffer[found[0][2] :]
                return packet
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            self._buffer += data

    def ended(self, timeout_s: float = TIMEOUT_S) -> Packet | None:
        """Wait for the end of the connection; the last packet before it."""
        last = None
        try:
            while True:
                last = self.read(timeout_s)
        except (EOFError, ConnectionError):
            return last

    def connect(
        self, name: str | None, token: str | None, client_id: str = "", *, clean: bool = True, **more: Any
    ) -> Connack:
        password = None if token is None else token.encode()
        self.send(Connect(self.version, client_id, clean, user=name, password=password, **more))
        answer = self.read()
        assert isinstance(answer, Connack), answer
        return answer

    def subscribe(self, *topics: str, qos: int = 1) -> Suback:
        self.send(Subscribe(self.next_id(), tuple(Wish(topic, qos) for topic in topics)))
        while not isinstance(answer := self.read(), Suback):
            pass
        return answer

    def publish(self, topic: str, payload: bytes, qos: int = 1, **more: Any) -> Packet:
        """Publish and give the first answer."""
        self.send(Publish(topic, payload, qos, self.next_id(), **more))
        return self.read()

    def messages(self, number: int, timeout_s: float = TIMEOUT_S) -> list[Publish]:
        """The next messages, acknowledged; other packets are passed over."""
        found: list[Publish] = []
        while len(found) < number:
            packet = self.read(timeout_s)
            if isinstance(packet, Publish):
                found.append(packet)
                if packet.qos:
                    self.send(Ack(packets.PUBACK, packet.packet_id))
        return found

    def silent(self, wait_s: float = 0.2) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.read(wait_s)
        except TimeoutError:
            return True
        return False

    def next_id(self) -> int:
        self.last_id = self.last_id % 0xFFFF + 1
        return self.last_id


class WebSocketWire(Wire):
    """The same over a WebSocket at `/mqtt` of the HTTP port; `headers` go with its handshake."""

    def __init__(self, port: int, version: int = V5, headers: Mapping[str, str] | None = None) -> None:
        self.version = version
        self._buffer = b""
        self.last_id = 0
        self.socket = cast(socket.socket, _OverWebSocket(port, headers or {}))


class _OverWebSocket:
    """What `Wire` needs of a socket."""

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._timeout_s = TIMEOUT_S
        self._opening = connect(
            f"ws://127.0.0.1:{port}/mqtt", subprotocols=[Subprotocol("mqtt")], additional_headers=headers,
            compression=None, open_timeout=TIMEOUT_S, close_timeout=1,
        )  # fmt: skip
        self._websocket = self._opening.__enter__()

    def sendall(self, data: bytes) -> None:
        with _ended():
            self._websocket.send(data)

    def recv(self, size: int) -> bytes:
        try:
            found = self._websocket.recv(self._timeout_s)
        except ConnectionClosed:
            return b""
        return found if isinstance(found, bytes) else b""

    def settimeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def close(self) -> None:
        self._opening.__exit__(None, None, None)


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    """A closed WebSocket is a closed connection."""
    try:
        yield
    except ConnectionClosed as error:
        raise ConnectionError from error


def publisher(
    port: int, name: str, token: str, messages: Iterator[tuple[str, bytes]], acknowledged: Callable[[int], object],
    *, window: int = 20, until: Callable[[], bool] = lambda: False,
) -> None:  # fmt: skip
    """Publish QoS 1 with a window; `acknowledged` gets the number of each message as its PUBACK comes, in order.

    Ends when the messages or the connection end, or `until` says so and everything is acknowledged.
    """
    with Wire(port, packets.V311) as wire:
        wire.connect(name, token)
        sent = done = 0
        over = False
        rest = b""
        while True:
            out = []
            while not over and sent - done < window:
                message = None if until() else next(messages, None)
                if message is None:
                    over = True
                    break
                out.append(packets.encode(Publish(*message, 1, sent % 0xFFFF + 1), packets.V311))
                sent += 1
            if over and done == sent:
                return
            try:
                if out:
                    wire.socket.sendall(b"".join(out))
                data = wire.socket.recv(65_536)
            except OSError:
                return
            if not data:
                return
            rest += data
            whole = len(rest) // 4
            for _ in range(whole):
                acknowledged(done)
                done += 1
            rest = rest[whole * 4 :]


def flood(
    port: int, name: str, token: str, streams: list[int], seconds: float, *, connections: int = 8, window: int = 50
) -> float:
    """Acknowledged QoS 1 Observations a second over several connections of this process."""
    end = time.monotonic() + seconds
    start = random.randrange(10**12)  # times of a flood of its own: none is a replay of another's
    counts = [0] * connections

    def run(number: int) -> None:
        def count(_: int) -> None:
            counts[number] += 1

        def messages() -> Iterator[tuple[str, bytes]]:
            at = start + number * 10**9
            while True:
                for stream in streams:
                    at += 1
                    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at / 1000)) + f".{at % 1000:03}Z"
                    yield (
                        f"v1.1/Datastreams({stream})/Observations",
                        b'{"phenomenonTime":"%s","result":%.2f}' % (when.encode(), at % 1000 / 10),
                    )

        publisher(port, name, token, messages(), count, window=window, until=lambda: time.monotonic() > end)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(connections)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--token-name", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--streams", default="1")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--window", type=int, default=50)
    given = parser.parse_args()
    streams = [int(part) for part in given.streams.split(",")]
    rate = flood(
        given.port, given.token_name, given.token, streams, given.seconds,
        connections=given.connections, window=given.window,
    )  # fmt: skip
    print(f"{rate:.0f} Observations/s acknowledged")


if __name__ == "__main__":
    main()
