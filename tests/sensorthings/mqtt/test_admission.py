"""Who may connect: credentials, client ids, wills, and the number of connections."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from lakou.sensorthings.limits import Limits
from lakou.sensorthings.mqtt.packets import V5, V311, Connack, Will
from lakou.sensorthings.mqtt.reasons import Reason
from tests.harness.mqtt import Wire
from tests.sensorthings.caller import DEVICE, OTHER
from tests.sensorthings.mqtt.broker import Broker

pytestmark = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
"""What is tested here does not depend on the database."""


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


def test_an_empty_client_id_needs_a_clean_session_in_3_1_1(broker: Broker) -> None:
    assert _refused(broker, V311, DEVICE.name, DEVICE.name, "", clean=False).reason == 2
    assert _refused(broker, V5, DEVICE.name, DEVICE.name, "x" * 1000).reason == Reason.CLIENT_ID_INVALID


def test_other_versions_and_methods_are_refused(broker: Broker) -> None:
    more = {"properties": {"authentication_method": "SCRAM-SHA-1"}}
    assert _refused(broker, V5, DEVICE.name, DEVICE.name, **more).reason == Reason.BAD_METHOD
    with Wire(broker.port, V311) as wire:
        wire.socket.sendall(bytes.fromhex("10 0c 00 04 4d 51 54 54 03 02 00 00 00 00"))
        assert wire.read() == Connack(False, 1)


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
