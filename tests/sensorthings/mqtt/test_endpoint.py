"""Whose session it is, what CONNACK says, and what ends with a credential."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt.packets import Disconnect
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


def test_connack_says_what_is_not_there(broker: Broker) -> None:
    with Wire(broker.port) as wire:
        told = wire.connect(DEVICE.name, DEVICE.name).properties
    assert told["assigned_client_id"].startswith("lakou-")
    flags = ("retain_available", "wildcard_available", "identifiers_available", "shared_available")
    assert {told[name] for name in flags} == {0}
    assert "topic_alias_maximum" not in told
    assert (told["receive_maximum"], told["server_keep_alive"]) == (100, 3_600)


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


def test_topics_of_a_session_are_bounded(limited: Callable[[Limits], Broker]) -> None:
    broker = limited(Limits(mqtt_topics=2, mqtt_queries=1))
    with broker.wire() as wire:
        asking = [f"v1.1/Observations?$filter=result gt {n}" for n in range(2)]
        assert wire.subscribe(*asking).reasons == (1, Reason.QUOTA)
    with broker.wire() as wire:
        answer = wire.subscribe("v1.1/Things", "v1.1/Sensors", "v1.1/Locations", "v1.1/Things")
        assert answer.reasons == (1, 1, Reason.QUOTA, 1)
