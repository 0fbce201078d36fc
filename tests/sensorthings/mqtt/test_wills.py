"""Wills: published when a connection breaks, and not when its client is back."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lakou.sensorthings.mqtt.packets import V5, V311, Disconnect, Will
from lakou.sensorthings.mqtt.reasons import Reason
from tests.sensorthings import bodies
from tests.sensorthings.caller import DEVICE
from tests.sensorthings.mqtt.broker import Broker

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
"""What is tested here does not depend on the database."""


def _stream(broker: Broker, **more: Any) -> int:
    thing = broker.make("Things", bodies.station(**more), who=DEVICE)
    return int(broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"])


def _topic(stream: int) -> str:
    return f"v1.1/Datastreams({stream})/Observations"


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
