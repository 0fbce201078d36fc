"""MQTT over WebSocket on the running product: packets split and joined as one likes, and only at /mqtt."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import PUBACK, V5, Ack, Connack, Connect, Disconnect, Packet, Ping, Publish
from lakou.sensorthings.mqtt.reasons import Reason
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.server import Server

MQTT = [Subprotocol("mqtt")]


@pytest.fixture
def websocket(server: Server) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{server.port}/mqtt", subprotocols=MQTT) as made:
        yield made


def _connect(server: Server) -> bytes:
    return packets.encode(Connect(V5, "", user="conformance", password=server.token.encode()), V5)


def _read(websocket: ClientConnection, number: int) -> list[Packet]:
    data, found = b"", []
    while len(found) < number:
        piece = websocket.recv(10)
        assert isinstance(piece, bytes)
        data += piece
        frames, end = packets.frames(data, 2**28)
        found += [packets.decode(data, frame, V5) for frame in frames]
        data = data[end:]
    return found


def test_packets_may_be_split_and_joined_over_messages(server: Server, api: Api, websocket: ClientConnection) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    topic = f"v1.1/Datastreams({key(stream)})/Observations"
    assert websocket.subprotocol == "mqtt"
    for byte in _connect(server):
        websocket.send(bytes((byte,)))
    assert isinstance(_read(websocket, 1)[0], Connack)
    messages = [packets.encode(Publish(topic, b'{"result":%d}' % n, 1, n), V5) for n in range(1, 31)]
    websocket.send([b"".join(messages[:15]), messages[15], b"".join(messages[16:])])  # one message in three frames
    assert _read(websocket, 30) == [Ack(PUBACK, n) for n in range(1, 31)]
    assert sorted(api.results(f"Datastreams({key(stream)})/Observations")) == list(range(1, 31))


def test_a_text_message_ends_the_connection(server: Server, websocket: ClientConnection) -> None:
    websocket.send(_connect(server))
    _read(websocket, 1)
    websocket.send("text")
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1003


def test_what_is_no_mqtt_ends_the_connection(server: Server, websocket: ClientConnection) -> None:
    websocket.send(_connect(server))
    _read(websocket, 1)
    websocket.send(packets.encode(Publish("v1.1/Observations", b"{}", 1, 1, retain=True), V5))
    assert _read(websocket, 1)[0].reason == Reason.RETAIN_UNSUPPORTED  # type: ignore[union-attr]
    with pytest.raises(ConnectionClosed):
        websocket.recv(10)


def test_a_message_above_the_limit_ends_the_connection(server: Server, websocket: ClientConnection) -> None:
    websocket.send(_connect(server))
    _read(websocket, 1)
    websocket.send(bytes(1024 * 1024))
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_a_disconnect_closes_the_websocket(server: Server, websocket: ClientConnection) -> None:
    websocket.send(_connect(server) + packets.encode(Ping(), V5) + packets.encode(Disconnect(), V5))
    assert isinstance(_read(websocket, 2)[1], Ping)
    with pytest.raises(ConnectionClosed) as caught:
        websocket.recv(10)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1000


@pytest.mark.parametrize("path", ["/mqtt", "/mqtt?x=1"])
def test_a_client_without_the_subprotocol_is_refused(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://127.0.0.1:{server.port}{path}"):
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/sta/v1.1/Things?$top=0", "/mqtt/", "/poste", "/lieux/", "/healthz"])
def test_nothing_else_upgrades(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(f"ws://127.0.0.1:{server.port}{path}", subprotocols=MQTT):
        pass
    assert caught.value.response.status_code != 101


def test_an_upgrade_has_the_guards_of_any_request(server: Server) -> None:
    head = (
        b"GET /mqtt HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(head + b"".join(b"x-%d: y\r\n" % n for n in range(200)) + b"\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 431")
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(head + b"sec-websocket-key: no key\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{server.origin}/healthz", trust_env=False).status_code == 200


def test_a_client_that_does_not_read_holds_up_nobody(server: Server, api: Api) -> None:
    thing = api.create("Things", make.station())
    path = f"Datastreams({key(api.value(f'Things({key(thing)})/Datastreams')[0])})/Observations"
    with connect(f"ws://127.0.0.1:{server.port}/mqtt", subprotocols=MQTT, max_queue=1, close_timeout=0.1) as slow:
        slow.send(_connect(server))
        _read(slow, 1)
        slow.send(packets.encode(packets.Subscribe(1, (packets.Wish(f"v1.1/{path}", 0),)), V5))
        _read(slow, 1)
        for number in range(30):
            started = time.monotonic()
            api.create(path, make.observation("x" * 200_000, parameters={"number": number}))
            assert time.monotonic() - started < 1
