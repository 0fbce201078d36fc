"""Random and spoilt packets over real connections: no fault, nothing left behind, and the service goes on."""

from __future__ import annotations

import contextlib
import logging
import random
import socket
import time

import pytest

from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import (
    PUBACK,
    PUBREL,
    V5,
    V311,
    Ack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsubscribe,
    Will,
    Wish,
)
from tests.sensorthings import bodies
from tests.sensorthings.mqtt.broker import Broker

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
TOPIC = "v1.1/Datastreams(1)/Observations"
CONNECTIONS = 250


def _any(choice: random.Random, version: int) -> bytes:
    qos = choice.randrange(3)
    kept = {"session_expiry": 2} if version == V5 else {}
    will = Will(TOPIC, b"{}", 1) if choice.random() < 0.5 else None
    wishes = (Wish(TOPIC, 1), Wish("v1.1/Things(1)/name", 2), Wish("v1.1/Observations?$filter=result gt 1", 0))
    pool: list[Packet] = [
        Publish(TOPIC, b'{"result":1}', qos, choice.randrange(1, 50) if qos else 0),
        Subscribe(3, wishes),
        Unsubscribe(4, (TOPIC,)),
        Ack(PUBACK, choice.randrange(1, 9)),
        Ack(PUBREL, 3),
        Ping(),
        Disconnect(),
        Connect(version, "a", choice.random() < 0.5, 5, "system", b"system", will, kept),
    ]
    raw = bytearray(packets.encode(choice.choice(pool), version))
    if choice.random() < 0.3:
        for _ in range(choice.randrange(1, 4)):
            raw[choice.randrange(len(raw))] = choice.randrange(256)
    return bytes(raw)


def test_hostile_connections_leave_nothing_behind(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    choice = random.Random(11)
    broker.make("Things", bodies.station())
    caplog.set_level(logging.WARNING)
    for _ in range(CONNECTIONS):
        version = choice.choice((V311, V5))
        data = b""
        if choice.random() < 0.9:
            kept = {"session_expiry": 2} if version == V5 else {}
            sign = Connect(version, choice.choice("abc"), True, 0, "system", b"system", properties=kept)
            data = packets.encode(sign, version)
        data += b"".join(_any(choice, version) for _ in range(choice.randrange(12)))
        with socket.create_connection(("127.0.0.1", broker.port)) as raw, contextlib.suppress(OSError):
            raw.settimeout(0.02)
            while data:
                size = choice.randrange(1, 200)
                raw.sendall(data[:size])
                data = data[size:]
            raw.recv(10_000)
    endpoint = broker.service.mqtt
    deadline = time.monotonic() + 10
    while (endpoint.counts.connections or endpoint.sessions) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (endpoint.counts.connections, len(endpoint.notifier.index)) == (0, 0)
    assert [record.getMessage() for record in caplog.records] == []
    with broker.wire() as wire:
        assert wire.publish(TOPIC, b'{"result":1}') == Ack(PUBACK, 1)
