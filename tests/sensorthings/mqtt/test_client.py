"""One connection: the order of packets, time limits, and what ends it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest

from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt import client, packets
from lakou.sensorthings.mqtt.packets import (
    V5,
    V311,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Wish,
)
from lakou.sensorthings.mqtt.reasons import Reason
from tests.harness.mqtt import Wire
from tests.sensorthings import bodies
from tests.sensorthings.caller import DEVICE
from tests.sensorthings.mqtt.broker import Broker

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
"""What is tested here does not depend on the database."""

OBSERVATIONS = "v1.1/Observations"


def _reason(last: Packet | None) -> int:
    assert isinstance(last, Disconnect), last
    return last.reason


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (Publish(OBSERVATIONS, b"{}", 1, 1, retain=True), Reason.RETAIN_UNSUPPORTED),
        (Publish("", b"{}", 1, 1, properties={"topic_alias": 1}), Reason.TOPIC_ALIAS_INVALID),
        (Publish(OBSERVATIONS, b"{}", 1, 1, properties={"subscription_identifier": [1]}), Reason.PROTOCOL_ERROR),
        (Publish("v1.1/#", b"{}", 1, 1), Reason.TOPIC_NAME_INVALID),
        (Publish("", b"{}", 1, 1), Reason.TOPIC_NAME_INVALID),
        (Connect(V5, "again"), Reason.PROTOCOL_ERROR),
        (Connack(False, 0), Reason.PROTOCOL_ERROR),
        (Ack(packets.PUBREC, 1), Reason.PROTOCOL_ERROR),
        (packets.Auth(0x18), Reason.PROTOCOL_ERROR),
        (Ping(response=True), Reason.PROTOCOL_ERROR),
        (Subscribe(1, (Wish(OBSERVATIONS),), {"subscription_identifier": [1]}), Reason.IDENTIFIERS_UNSUPPORTED),
        (Disconnect(0, {"session_expiry": 60}), Reason.PROTOCOL_ERROR),
    ],
)
def test_what_a_client_may_not_send_ends_the_connection(broker: Broker, packet: Packet, reason: Reason) -> None:
    with broker.wire() as wire:
        wire.send(packet)
        assert _reason(wire.ended()) == reason


def test_what_is_no_mqtt_ends_the_connection_at_once(broker: Broker) -> None:
    for raw in (b"\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x30\xff\xff\xff\xff", b"\x16\x03\x01", b"\x10\xff\xff\x7f"):
        with Wire(broker.port) as wire:
            wire.socket.sendall(raw)
            assert wire.ended(2) is None
    for raw in (b"\x00\x00", b"\x30\xff\xff\xff\xff", b"\x82\x02\x00\x01", bytes(1000)):
        with broker.wire() as wire:
            wire.socket.sendall(raw)
            assert _reason(wire.ended(2)) in (Reason.MALFORMED, Reason.PROTOCOL_ERROR, Reason.TOO_LARGE)


def test_the_retain_flag_of_3_1_1_is_passed_over(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station())
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    topic = f"v1.1/Datastreams({stream})/Observations"
    with broker.wire(version=V311) as wire:
        assert wire.publish(topic, b'{"result":1}', retain=True) == Ack(packets.PUBACK, 1)
        wire.subscribe(topic)
        assert wire.silent()


def test_a_packet_above_the_limit_ends_the_connection(limited: Callable[[Limits], Broker]) -> None:
    broker = limited(Limits(mqtt_packet_bytes=1000))
    with broker.wire() as wire:
        wire.send(Publish(OBSERVATIONS, bytes(2000), 1, 1))
        assert _reason(wire.ended()) == Reason.TOO_LARGE


def test_more_than_the_receive_maximum_ends_the_connection(broker: Broker) -> None:
    with broker.wire() as wire:
        message = [Publish(OBSERVATIONS, b'{"result":1,"Datastream":{"@iot.id":1}}', 1, n) for n in range(1, 400)]
        wire.socket.sendall(b"".join(packets.encode(m, V5) for m in message))
        assert _reason(wire.ended()) == Reason.RECEIVE_MAXIMUM


def test_qos_0_does_not_count_towards_the_receive_maximum(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station())
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    topic = f"v1.1/Datastreams({stream})/Observations"
    number = 3 * client.MOST_DUE
    with broker.wire() as wire:
        out = (packets.encode(Publish(topic, b'{"result":%d}' % n), V5) for n in range(number))
        wire.socket.sendall(b"".join(out))
        assert wire.publish(topic, b'{"result":-1}') == Ack(packets.PUBACK, 1)
    assert sorted(broker.results(stream)) == list(range(-1, number))


def test_qos_2_counts_until_it_is_released(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station())
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    with broker.wire() as wire:
        for number in range(1, client.RECEIVE_MAXIMUM + 1):
            assert wire.publish(f"v1.1/Datastreams({stream})/Observations", b'{"result":1}', 2) == Ack(
                packets.PUBREC, number
            )
        wire.send(Publish(f"v1.1/Datastreams({stream})/Observations", b'{"result":1}', 2, 1_000))
        assert _reason(wire.ended()) == Reason.RECEIVE_MAXIMUM


def test_3_1_1_may_send_as_fast_as_it_can(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station())
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    number = 3 * client.MOST_DUE
    out = b"".join(
        packets.encode(Publish(f"v1.1/Datastreams({stream})/Observations", b'{"result":%d}' % n, 1, n), V311)
        for n in range(1, number + 1)
    )
    with broker.wire(version=V311) as wire:
        wire.socket.sendall(out)
        assert [wire.read().packet_id for _ in range(number)] == list(range(1, number + 1))  # type: ignore[union-attr]
    assert sorted(broker.results(stream)) == list(range(1, number + 1))


def test_packets_may_come_byte_by_byte_and_before_the_answer_to_connect(broker: Broker) -> None:
    with Wire(broker.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parts = [
            packets.encode(Connect(V5, "", user="system", password=b"system"), V5),
            packets.encode(Subscribe(1, (Wish(OBSERVATIONS, 1),)), V5),
            packets.encode(Ping(), V5),
        ]
        for byte in b"".join(parts):
            wire.socket.send(bytes((byte,)))
        found = [wire.read() for _ in range(3)]
    assert [type(packet).__name__ for packet in found][:1] == ["Connack"]
    assert {type(packet).__name__ for packet in found} == {"Connack", "Suback", "Ping"}


def test_a_subscription_ends_when_it_is_ended(broker: Broker) -> None:
    with broker.wire() as wire:
        assert wire.subscribe("v1.1/Things", "v1.1/#", qos=2).reasons == (1, Reason.WILDCARDS_UNSUPPORTED)
        broker.make("Things", bodies.thing())
        assert len(wire.messages(1)) == 1
        wire.send(Unsubscribe(5, ("v1.1/Things", "v1.1/Sensors")))
        assert wire.read() == Unsuback(5, (Reason.SUCCESS, Reason.NO_SUBSCRIPTION))
        broker.make("Things", bodies.thing())
        assert wire.silent()


def test_3_1_1_is_told_of_a_refused_topic_by_0x80(broker: Broker) -> None:
    with broker.wire(version=V311) as wire:
        assert wire.subscribe("v1.1/Things", "v1.1/#", "v1.1/Nothings").reasons == (1, 0x80, 0x80)


def test_a_topic_subscribed_again_is_told_once(broker: Broker) -> None:
    with broker.wire() as wire:
        for qos in (0, 1, 0):
            assert wire.subscribe("v1.1/Things", qos=qos).reasons == (qos,)
        broker.make("Things", bodies.thing())
        assert [m.qos for m in wire.messages(1)] == [0]
        assert wire.silent()


def test_a_silent_client_is_cut_after_one_and_a_half_keep_alives(broker: Broker) -> None:
    with broker.wire(keep_alive=1) as wire, broker.wire(keep_alive=1) as alive:
        started = time.monotonic()
        while time.monotonic() - started < 2.2:
            alive.send(Ping())
            assert alive.read() == Ping(response=True)
            time.sleep(0.3)
        assert _reason(wire.ended(1)) == Reason.KEEP_ALIVE


def test_who_says_nothing_or_half_a_packet_is_cut(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_S", 0.3)
    monkeypatch.setattr(client, "PACKET_S", 0.3)
    with Wire(broker.port) as silent, Wire(broker.port) as half, broker.wire() as later:
        half.socket.sendall(b"\x10\x20\x00\x04MQTT")
        later.socket.sendall(b"\x30\x20\x00\x04v1.1")
        assert silent.ended(3) is None
        assert half.ended(3) is None
        assert _reason(later.ended(3)) == Reason.KEEP_ALIVE


def test_who_does_not_read_is_cut_and_holds_up_nobody(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PACKET_S", 0.5)
    thing = broker.make("Things", bodies.station())
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    note = "x" * 100_000
    slow = Wire(broker.port)
    slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect("system", "system")
    with slow, broker.wire() as other:
        for wire in (slow, other):
            wire.subscribe("v1.1/Observations", qos=0)
        for number in range(80):
            started = time.monotonic()
            broker.make(f"Datastreams({stream})/Observations", {"result": note, "resultQuality": number})
            other.messages(1)
            assert time.monotonic() - started < 1
        deadline = time.monotonic() + 5
        while broker.service.mqtt.counts.connections > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert broker.service.mqtt.counts.connections == 1
        assert broker.service.mqtt.counts.dropped > 0


def test_a_flood_above_the_rate_is_read_more_slowly_and_loses_nothing(
    limited: Callable[[Limits], Broker], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates do not count on loopback, so this client is said to come from elsewhere."""
    broker = limited(Limits(rate_device=20.0))
    thing = broker.make("Things", bodies.station(), who=DEVICE)
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    monkeypatch.setattr("lakou.sensorthings.mqtt.endpoint.network", lambda address: "203.0.113.7")
    monkeypatch.setattr("lakou.sensorthings.rates.network", lambda address: "203.0.113.7")
    with broker.wire(DEVICE.name) as wire:
        started = time.monotonic()
        out = b"".join(
            packets.encode(Publish(f"v1.1/Datastreams({stream})/Observations", b'{"result":%d}' % n, 1, n), V5)
            for n in range(1, 61)
        )
        wire.socket.sendall(out)
        assert [a.reason for a in (wire.read() for _ in range(60)) if isinstance(a, Ack)] == [0] * 60
        assert time.monotonic() - started > 0.9
    assert sorted(broker.results(stream)) == list(range(1, 61))
