"""Who may connect, whose session it is, what a will does, and what ends with a credential."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt.packets import V5, V311, Connack, Disconnect, Will
from lakou.sensorthings.mqtt.reasons import Reason
from tests.harness.mqtt import Wire
from tests.sensorthings import bodies
from tests.sensorthings.caller import ADMIN, DEVICE, OTHER, READER
from tests.sensorthings.mqtt.broker import Broker

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
"""What is tested here does not depend on the database."""


def _stream(broker: Broker, **more: Any) -> int:
    thing = broker.make("Things", bodies.station(**more), who=DEVICE)
    return int(broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"])


def _topic(stream: int) -> str:
    return f"v1.1/Datastreams({stream})/Observations"


def _refused(broker: Broker, version: int, *given: Any, **more: Any) -> Connack:
    with Wire(broker.port, version) as wire:
        answer = wire.connect(*given, **more)
        assert wire.ended() is None
    return answer


@pytest.mark.parametrize(
    ("name", "token"),
    [("nobody", "nobody"), (DEVICE.name, "nobody"), (OTHER.name, DEVICE.name), (DEVICE.name, None), (DEVICE.name, "é")],
)
def test_a_wrong_credential_is_refused(broker: Broker, name: str, token: str | None) -> None:
    assert _refused(broker, V5, name, token).reason == Reason.BAD_CREDENTIALS
    assert _refused(broker, V311, name, token).reason == 4


def test_a_token_without_its_name_is_refused(broker: Broker) -> None:
    assert _refused(broker, V5, None, DEVICE.name).reason == Reason.BAD_CREDENTIALS


def test_connack_says_what_is_not_there(broker: Broker) -> None:
    with Wire(broker.port) as wire:
        told = wire.connect(DEVICE.name, DEVICE.name).properties
    assert told["assigned_client_id"].startswith("lakou-")
    flags = ("retain_available", "wildcard_available", "identifiers_available", "shared_available")
    assert {told[name] for name in flags} == {0}
    assert "topic_alias_maximum" not in told
    assert (told["receive_maximum"], told["server_keep_alive"]) == (100, 3_600)


def test_an_empty_client_id_needs_a_clean_session_in_3_1_1(broker: Broker) -> None:
    assert _refused(broker, V311, DEVICE.name, DEVICE.name, "", clean=False).reason == 2
    assert _refused(broker, V5, DEVICE.name, DEVICE.name, "x" * 1000).reason == Reason.CLIENT_ID_INVALID


def test_other_versions_and_methods_are_refused(broker: Broker) -> None:
    more = {"properties": {"authentication_method": "SCRAM-SHA-1"}}
    assert _refused(broker, V5, DEVICE.name, DEVICE.name, **more).reason == Reason.BAD_METHOD
    with Wire(broker.port, V311) as wire:
        wire.socket.sendall(bytes.fromhex("10 0c 00 04 4d 51 54 54 03 02 00 00 00 00"))
        assert wire.read() == Connack(False, 1)


def test_the_same_client_again_ends_the_older_connection(broker: Broker) -> None:
    with broker.wire(DEVICE.name, client_id="one") as older, broker.wire(DEVICE.name, client_id="one") as newer:
        last = older.ended()
        assert isinstance(last, Disconnect)
        assert last.reason == Reason.TAKEN_OVER
        newer.subscribe("v1.1/Things")
        broker.make("Things", bodies.thing())
        assert len(newer.messages(1)) == 1


@pytest.mark.parametrize("thief", [OTHER.name, ADMIN.name, None])
def test_nobody_takes_over_the_session_of_another_credential(broker: Broker, thief: str | None) -> None:
    kept = {"properties": {"session_expiry": 600}, "clean": False}
    stream = _stream(broker, **{"@lakou.visibility": "restricted"})
    with broker.wire(DEVICE.name, client_id="one", **kept) as owner:
        owner.subscribe(_topic(stream))
        with Wire(broker.port) as stolen:
            answer = stolen.connect(thief, thief, "one", **kept)
            assert (answer.reason, answer.session_present) == (0, False)
            broker.make(f"Datastreams({stream})/Observations", {"result": 1})
            assert len(owner.messages(1)) == 1
            assert stolen.silent()


def test_an_anonymous_client_reads_what_is_public(broker: Broker) -> None:
    stream = _stream(broker)
    with broker.wire(None, client_id="same") as one, broker.wire(None, client_id="same") as two:
        for wire in (one, two):
            wire.subscribe(_topic(stream))
        broker.make(f"Datastreams({stream})/Observations", {"result": 1})
        assert len(one.messages(1)) == len(two.messages(1)) == 1


def test_a_revoked_token_ends_its_connections_within_a_second(broker: Broker) -> None:
    with broker.wire(DEVICE.name) as wire, broker.wire(OTHER.name) as other:
        broker.tokens.revoked.add(DEVICE.name)
        started = time.monotonic()
        last = wire.ended(3)
        assert isinstance(last, Disconnect)
        assert last.reason == Reason.NOT_AUTHORISED
        assert time.monotonic() - started < 1.2
        assert other.silent()


def test_changed_rights_count_for_subscriptions_that_are_there(broker: Broker) -> None:
    stream = _stream(broker, **{"@lakou.visibility": "restricted"})
    with broker.wire(READER.name) as wire:
        wire.subscribe(_topic(stream))
        broker.make(f"Datastreams({stream})/Observations", {"result": 1})
        assert wire.silent()
        broker.tokens.changed[READER.name] = msgspec.structs.replace(READER, reads=frozenset({0, 101}))
        time.sleep(0.7)
        broker.make(f"Datastreams({stream})/Observations", {"result": 2})
        assert json.loads(wire.messages(1)[0].payload)["result"] == 2
        broker.tokens.changed[READER.name] = READER
        time.sleep(0.7)
        broker.make(f"Datastreams({stream})/Observations", {"result": 3})
        assert wire.silent()


def test_connections_are_counted_in_all_and_by_token(limited: Callable[[Limits], Broker]) -> None:
    broker = limited(Limits(mqtt_connections=4, mqtt_connections_token=2))
    with broker.wire(DEVICE.name), broker.wire(DEVICE.name):
        assert _refused(broker, V5, DEVICE.name, DEVICE.name).reason == Reason.QUOTA
        assert _refused(broker, V311, DEVICE.name, DEVICE.name).reason == 3
        with broker.wire(OTHER.name), broker.wire(OTHER.name), Wire(broker.port) as fifth:
            assert fifth.ended() is None
    deadline = time.monotonic() + 2
    while broker.service.mqtt.counts.connections and time.monotonic() < deadline:
        time.sleep(0.02)
    with broker.wire(DEVICE.name):
        assert broker.service.mqtt.counts.connections == 1


def test_topics_of_a_session_are_bounded(limited: Callable[[Limits], Broker]) -> None:
    broker = limited(Limits(mqtt_topics=2))
    with broker.wire() as wire:
        answer = wire.subscribe("v1.1/Things", "v1.1/Sensors", "v1.1/Locations", "v1.1/Things")
        assert answer.reasons == (1, 1, Reason.QUOTA, 1)


# ── wills ──


def _settled(broker: Broker, stream: int, expected: list[Any], wait_s: float = 2.0) -> None:
    deadline = time.monotonic() + wait_s
    while broker.results(stream) != expected and time.monotonic() < deadline:
        time.sleep(0.03)
    assert broker.results(stream) == expected


def test_a_will_is_published_when_the_connection_breaks_and_not_after_disconnect(broker: Broker) -> None:
    stream = _stream(broker)
    for version in (V311, V5):
        with broker.wire(DEVICE.name, version, will=Will(_topic(stream), b'{"result":"polite"}')) as wire:
            wire.send(Disconnect())
            wire.ended()
    with broker.wire(DEVICE.name, will=Will(_topic(stream), b'{"result":"gone"}')):
        pass
    _settled(broker, stream, ["gone"])
    with broker.wire(DEVICE.name, will=Will(_topic(stream), b'{"result":"asked"}')) as wire:
        wire.send(Disconnect(Reason.DISCONNECT_WITH_WILL))
        wire.ended()
    _settled(broker, stream, ["gone", "asked"])


def test_a_delayed_will_is_not_published_when_the_client_is_back(broker: Broker) -> None:
    stream = _stream(broker)
    will = Will(_topic(stream), b'{"result":"gone"}', properties={"will_delay": 1})
    kept = {"properties": {"session_expiry": 60}, "clean": False}
    with broker.wire(DEVICE.name, client_id="one", will=will, **kept):
        pass
    with broker.wire(DEVICE.name, client_id="one", **kept) as wire:
        time.sleep(1.2)
        wire.send(Disconnect())
    assert broker.results(stream) == []


@pytest.mark.parametrize(
    ("who", "will", "reason"),
    [
        (DEVICE.name, Will("v1.1/Things", b"{}"), Reason.TOPIC_NAME_INVALID),
        (DEVICE.name, Will("v1.1/Observations", b"{}", retain=True), Reason.RETAIN_UNSUPPORTED),
        (None, Will("v1.1/Observations", b"{}"), Reason.NOT_AUTHORISED),
    ],
)
def test_a_will_that_could_never_be_published_is_refused(
    broker: Broker, who: str | None, will: Will, reason: Reason
) -> None:
    assert _refused(broker, V5, who, who, will=will).reason == reason
