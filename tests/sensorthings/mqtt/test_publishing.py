"""Publishing on both databases: acknowledged after the commit, refused with a reason, never twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from lakou.kernel.errors import Unavailable
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt import packets
from lakou.sensorthings.mqtt.packets import PUBACK, PUBCOMP, PUBREC, PUBREL, V5, V311, Ack, Disconnect, Publish
from lakou.sensorthings.mqtt.publishing import reason_of
from lakou.sensorthings.mqtt.reasons import Reason
from tests.sensorthings import bodies
from tests.sensorthings.caller import DEVICE, OTHER, READER
from tests.sensorthings.mqtt.broker import Broker

TIMED = b'{"phenomenonTime":"2024-01-01T00:00:00Z","result":1}'


@pytest.fixture
def stream(broker: Broker) -> int:
    """A Datastream of DEVICE."""
    return _stream(broker)


def _stream(broker: Broker) -> int:
    thing = broker.make("Things", bodies.station(), who=DEVICE)
    return int(broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"])


def _topic(stream: int) -> str:
    return f"v1.1/Datastreams({stream})/Observations"


@pytest.mark.parametrize("version", [V311, V5])
def test_a_message_is_stored_when_it_is_acknowledged(broker: Broker, stream: int, version: int) -> None:
    with broker.wire(DEVICE.name, version) as wire:
        assert wire.publish(_topic(stream), TIMED) == Ack(PUBACK, 1)
        assert broker.results(stream) == [1]
        wire.send(Publish(_topic(stream), b'{"phenomenonTime":"2024-01-02T00:00:00Z","result":2}', 0))
        assert wire.publish(_topic(stream), b'{"phenomenonTime":"2024-01-03T00:00:00Z","result":3}') == Ack(PUBACK, 2)
        assert broker.results(stream) == [1, 2, 3]
    assert broker.service.mqtt.counts.published == 3


def test_all_four_forms_of_topics_create_observations(broker: Broker, stream: int) -> None:
    thing = broker.make("Things", bodies.station(MultiDatastreams=[bodies.multi_datastream()]))
    multi = broker.read(f"Things({thing})/MultiDatastreams")["value"][0]["@iot.id"]
    feature = broker.make("FeaturesOfInterest", bodies.feature())
    where = {"Datastream": bodies.ref(stream)}
    with broker.wire() as wire:
        for topic, body in (
            ("Observations", {"result": 1, **where}),
            (f"Datastreams({stream})/Observations", {"result": 2, "FeatureOfInterest": bodies.feature("inline")}),
            (f"MultiDatastreams({multi})/Observations", {"result": [3, 4]}),
            (f"FeaturesOfInterest({feature})/Observations", {"result": 5, **where}),
        ):
            answer = wire.publish(f"v1.1/{topic}", json.dumps(body).encode())
            assert isinstance(answer, Ack)
            assert answer.reason == 0, answer
    assert broker.results(stream) == [1, 2, 5]
    assert broker.read(f"FeaturesOfInterest({feature})/Observations?$select=result")["value"] == [{"result": 5}]
    assert broker.read(f"MultiDatastreams({multi})/Observations?$select=result")["value"] == [{"result": [3, 4]}]


def test_acknowledgements_come_in_the_order_of_the_messages(broker: Broker, stream: int) -> None:
    with broker.wire(DEVICE.name) as wire:
        out = b""
        for number in range(1, 91):
            body = b"no JSON" if number % 10 == 0 else b'{"result":%d}' % number
            if number % 7 == 0:
                body = json.dumps({"result": number, "FeatureOfInterest": bodies.feature()}).encode()
            out += packets.encode(Publish(_topic(stream), body, 1, number), V5)
        wire.socket.sendall(out)
        answers = [wire.read() for _ in range(90)]
    assert [answer.packet_id for answer in answers if isinstance(answer, Ack)] == list(range(1, 91))
    refused = [n for n in range(1, 91) if n % 10 == 0 and n % 7]
    assert [a.packet_id for a in answers if isinstance(a, Ack) and a.reason] == refused
    assert len(broker.results(stream)) == 90 - len(refused)


REFUSED: tuple[tuple[str | None, str | None, bytes, Reason], ...] = (
    (DEVICE.name, "v1.1/Datastreams(9999)/Observations", TIMED, Reason.TOPIC_NAME_INVALID),
    (DEVICE.name, "v1.1/Things", b'{"name":"x"}', Reason.TOPIC_NAME_INVALID),
    (DEVICE.name, "nothing", TIMED, Reason.TOPIC_NAME_INVALID),
    (DEVICE.name, None, b"", Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b"21.5", Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b'{"result":1e999}', Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b'{"result":1,"phenomenonTime":"yesterday"}', Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b'{"result":1,"unknown":2}', Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b'{"phenomenonTime":"2024-01-01T00:00:00Z"}', Reason.PAYLOAD_INVALID),
    (DEVICE.name, None, b"\xff\xfe", Reason.PAYLOAD_INVALID),
    (OTHER.name, None, TIMED, Reason.NOT_AUTHORISED),
    (READER.name, None, TIMED, Reason.NOT_AUTHORISED),
    (None, None, TIMED, Reason.NOT_AUTHORISED),
)


def test_a_refusal_has_its_reason(broker: Broker, stream: int) -> None:
    for who, topic, payload, reason in REFUSED:
        with broker.wire(who) as wire:
            for qos, kind in ((1, PUBACK), (2, PUBREC)):
                answer = wire.publish(topic or _topic(stream), payload, qos)
                assert isinstance(answer, Ack)
                assert (answer.kind, answer.reason) == (kind, reason), payload
                assert answer.properties["reason_string"]
    assert broker.results(stream) == []


def test_another_devices_restricted_datastream_is_not_there(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station(**{"@lakou.visibility": "restricted"}), who=DEVICE)
    stream = broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"]
    with broker.wire(OTHER.name) as wire:
        hidden, absent = wire.publish(_topic(stream), TIMED), wire.publish(_topic(9999), TIMED)
        assert isinstance(hidden, Ack)
        assert isinstance(absent, Ack)
        assert (hidden.reason, absent.reason) == (Reason.TOPIC_NAME_INVALID, Reason.TOPIC_NAME_INVALID)
    assert broker.results(stream) == []


def test_a_client_that_wants_no_words_gets_the_reason_alone(broker: Broker, stream: int) -> None:
    with broker.wire(DEVICE.name, properties={"request_problem": 0}) as wire:
        assert wire.publish(_topic(stream), b"{}") == Ack(PUBACK, 1, Reason.PAYLOAD_INVALID)


def test_3_1_1_acknowledges_what_can_never_be_stored(broker: Broker, stream: int) -> None:
    """It knows no refusal: without this a client would send a bad message for ever."""
    with broker.wire(DEVICE.name, V311) as wire:
        assert wire.publish(_topic(stream), b"{}") == Ack(PUBACK, 1)
        assert wire.publish(_topic(stream), TIMED) == Ack(PUBACK, 2)
    assert (broker.results(stream), broker.service.mqtt.counts.refused) == ([1], 1)


def test_a_bad_message_among_good_ones_is_refused_alone(broker: Broker, stream: int) -> None:
    broker.change(f"Datastreams({stream})", {"@lakou.onDifferent": "reject"})
    with broker.wire(DEVICE.name) as wire:
        out = b""
        for number, (hour, result) in enumerate(((1, 1), (1, 2), (2, 3)), 1):
            body = b'{"phenomenonTime":"2024-01-01T%02d:00:00Z","result":%d}' % (hour, result)
            out += packets.encode(Publish(_topic(stream), body, 1, number), V5)
        wire.socket.sendall(out)
        answers = [wire.read() for _ in range(3)]
    assert [a.reason for a in answers if isinstance(a, Ack)] == [0, Reason.PAYLOAD_INVALID, 0]
    assert broker.results(stream) == [1, 3]


@pytest.mark.parametrize("version", [V311, V5])
def test_qos_2_stores_a_message_once_until_it_is_released(broker: Broker, stream: int, version: int) -> None:
    message = Publish(_topic(stream), b'{"result":1}', 2, 7)
    again = Publish(_topic(stream), b'{"result":1}', 2, 7, dup=True)
    more = {"properties": {"session_expiry": 60}} if version == V5 else {}
    with broker.wire(DEVICE.name, version, "one", clean=False, **more) as wire:
        wire.send(message)
        assert wire.read() == Ack(PUBREC, 7)
        wire.send(again)
        assert wire.read() == Ack(PUBREC, 7)
    with broker.wire(DEVICE.name, version, "one", clean=False, **more) as wire:
        wire.send(again)
        assert wire.read() == Ack(PUBREC, 7)
        wire.send(Ack(PUBREL, 7))
        assert wire.read() == Ack(PUBCOMP, 7)
        assert broker.results(stream) == [1]
        wire.send(message)
        assert wire.read() == Ack(PUBREC, 7)
    assert broker.results(stream) == [1, 1]


def test_releasing_what_is_not_held_is_said(broker: Broker) -> None:
    with broker.wire() as wire:
        wire.send(Ack(PUBREL, 9))
        assert wire.read() == Ack(PUBCOMP, 9, Reason.PACKET_ID_UNKNOWN)


def test_a_key_makes_a_message_without_time_safe_to_repeat(broker: Broker, stream: int) -> None:
    def keyed(key: str) -> dict[str, object]:
        return {"properties": {"user_property": [("Idempotency-Key", key)]}}

    with broker.wire(DEVICE.name) as wire:
        for _ in range(3):
            assert wire.publish(_topic(stream), b'{"result":1}', **keyed("a")) == Ack(PUBACK, wire.last_id)
        assert wire.publish(_topic(stream), b'{"result":1}', **keyed("b")) == Ack(PUBACK, wire.last_id)
        answer = wire.publish(_topic(stream), b'{"result":2}', **keyed("a"))
        assert isinstance(answer, Ack)
        assert answer.reason == Reason.PAYLOAD_INVALID
    assert broker.results(stream) == [1, 1]


def test_the_same_observation_again_is_the_stored_one(broker: Broker, stream: int) -> None:
    with broker.wire(DEVICE.name) as wire:
        for _ in range(3):
            wire.publish(_topic(stream), TIMED)
    assert broker.results(stream) == [1]


def test_a_full_queue_is_told_to_mqtt_5_and_waited_for_in_3_1_1(
    limited: Callable[[Limits], Broker],
) -> None:
    broker = limited(Limits(queue_rows=3))
    stream = _stream(broker)
    for version in (V5, V311):
        with broker.wire(DEVICE.name, version) as wire:
            parts = [packets.encode(Publish(_topic(stream), b'{"result":%d}' % n, 1, n), version) for n in range(1, 61)]
            for part in parts:  # one read each, so that each is a job of its own
                wire.socket.sendall(part)
            answers = [wire.read() for _ in parts]
        reasons = [answer.reason for answer in answers if isinstance(answer, Ack)]
        assert set(reasons) <= ({0, Reason.QUOTA} if version == V5 else {0})
    assert len(broker.results(stream)) == broker.service.mqtt.counts.published


@pytest.mark.parametrize("version", [V311, V5])
def test_a_store_that_does_not_answer_ends_the_connection_unacknowledged(
    broker: Broker, stream: int, version: int
) -> None:
    with broker.wire(DEVICE.name, version) as wire:
        assert broker.service._writer is not None
        broker.service._writer.stop()
        wire.send(Publish(_topic(stream), TIMED, 1, 1))
        last = wire.ended()
        assert isinstance(last, Disconnect) if version == V5 else last is None
        if isinstance(last, Disconnect):
            assert last.reason == Reason.SERVER_UNAVAILABLE


def test_what_is_under_way_is_acknowledged_before_the_end(broker: Broker, stream: int) -> None:
    with broker.wire(DEVICE.name) as wire:
        out = [packets.encode(Publish(_topic(stream), b'{"result":%d}' % n, 1, n), V5) for n in range(1, 51)]
        wire.socket.sendall(b"".join(out))
        time.sleep(0.05)
        broker.restart()
        answers = []
        while not isinstance(answer := wire.read(), Disconnect):
            answers.append(answer)
    assert answer.reason == Reason.SHUTTING_DOWN
    assert len(broker.results(stream)) == len(answers)


def test_each_error_of_the_service_has_a_reason() -> None:
    assert reason_of(Unavailable("full", code="queue_full")) is Reason.QUOTA
    assert reason_of(Unavailable("gone")) is Reason.UNSPECIFIED
