"""What messages of outside brokers mean, and which settings are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lakou.connectors.mqtt_bridge import Direct, bridges, matches, meaning, read
from lakou.connectors.reading import Reading
from lakou.kernel.errors import BadRequest
from lakou.kernel.time import parse_instant

VALUES = [
    {"pointer": "/pm25", "name": "PM2.5", "unit": "µg/m³", "unit_name": "microgram per cubic metre"},
    {"pointer": "/battery/volts", "name": "Battery", "unit": "V"},
    {"pointer": "/door", "name": "Door"},
]
AIR = {"filter": "sensors/+/air", "format": "json", "device": 1, "thing": "Air {device}", "values": VALUES}
STA = {"filter": "town/v1.1/+/Observations", "format": "sensorthings"}
UPLINK = {"filter": "application/#", "format": "lorawan"}
TOWN = {"host": "broker.example.org", "topics": [AIR, STA, UPLINK]}


def understood(topic: str, payload: Any, **changes: Any) -> Reading | Direct:
    (bridge,) = bridges({"town": {**TOWN, **changes}})
    return meaning(bridge, topic, payload if isinstance(payload, bytes) else json.dumps(payload).encode(), 5_000_000)


def test_the_sample_gives_a_thing_with_a_datastream_for_each_value(shipped: Callable[[str], bytes]) -> None:
    reading = read(shipped("mqtt_air.json"), "mqtt_air.json", {"town": TOWN})
    (thing,) = reading.things
    assert (thing.key, thing.name) == ("mqtt:town:station-12", "Air station-12")
    found = [(s.name, s.unit.symbol, s.observation_type.rpartition("/")[2]) for s in thing.datastreams]
    assert found == [
        ("PM2.5", "µg/m³", "OM_Measurement"),
        ("Battery", "V", "OM_Measurement"),
        ("Door", None, "OM_TruthObservation"),
    ]
    assert [o.result for o in reading.observations] == [12.4, 3.61, False]
    assert {o.phenomenon_time for o in reading.observations} == {parse_instant("2026-11-20T10:15:00Z")}


def test_a_value_that_is_not_sent_is_left_out() -> None:
    found = understood("sensors/a/air", {"time": "2026-11-20T10:15:00Z", "pm25": 1})
    assert isinstance(found, Reading)
    assert [s.name for s in found.things[0].datastreams] == ["PM2.5"]


@pytest.mark.parametrize(
    ("rule", "time", "micros"),
    [
        ({"time": "/t"}, 1_700_000_000, 1_700_000_000_000_000),
        ({"time": "/t"}, 1_700_000_000.5, 1_700_000_000_500_000),
        ({"time": "/t", "time_unit": "ms"}, 1_700_000_000_123, 1_700_000_000_123_000),
        ({"time": "/t"}, "2023-11-14T22:13:20Z", 1_700_000_000_000_000),
        ({"time": "arrival"}, None, 5_000_000),
    ],
)
def test_forms_of_time(rule: dict[str, Any], time: Any, micros: int) -> None:
    found = understood("sensors/a/air", {"t": time, "pm25": 1}, topics=[AIR | rule])
    assert isinstance(found, Reading)
    assert found.observations[0].phenomenon_time == micros


def test_an_observation_goes_to_its_datastream_as_it_is() -> None:
    body = b'{"phenomenonTime":"2026-11-20T10:15:00Z","result":1}'
    assert understood("town/v1.1/Datastreams(7)/Observations", body) == Direct("/Datastreams(7)/Observations", body)
    renamed = [STA | {"datastreams": {"7": 12}}]
    found = understood("town/v1.1/Datastreams(7)/Observations", body, topics=renamed)
    assert found == Direct("/Datastreams(12)/Observations", body)
    with pytest.raises(BadRequest):
        understood("town/v1.1/Datastreams(8)/Observations", body, topics=renamed)


def test_an_uplink_is_read_by_the_connector_of_lorawan(shipped: Callable[[str], bytes]) -> None:
    found = understood("application/1/device/0004a30b001c0530/event/up", shipped("chirpstack_up.json"))
    assert isinstance(found, Reading)
    assert found.observations


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("sensors/a/air", b"not json"),
        ("sensors/a/air", []),
        ("sensors/a/air", {"time": "2026-11-20T10:15:00Z"}),
        ("sensors/a/air", {"pm25": 1}),
        ("sensors/a/air", {"time": "yesterday", "pm25": 1}),
        ("sensors/a/air", {"time": 1e30, "pm25": 1}),
        ("sensors/a/air", {"time": "2026-11-20T10:15:00Z", "pm25": {"a": 1}}),
        ("sensors//air", {"time": "2026-11-20T10:15:00Z", "pm25": 1}),
        ("town/v1.1/Datastreams(7)/Observations", {"result": 1}),
        ("town/v1.1/Things(7)/Observations", {"phenomenonTime": "2026-11-20T10:15:00Z", "result": 1}),
        ("application/1", {"a": 1}),
        ("elsewhere", {}),
    ],
)
def test_what_cannot_be_read_is_refused(topic: str, payload: Any) -> None:
    with pytest.raises(BadRequest):
        understood(topic, payload)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/c/d", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("#", "$SYS/broker", False),
        ("+/b", "$SYS/b", False),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize(
    "table",
    [
        {"host": "x"},
        {"host": "x", "topics": []},
        {"host": "x", "topics": [AIR], "password": "plain"},
        {"host": "x", "topics": [AIR], "in_flight": 0},
        {"host": "x", "topics": [AIR], "unknown": 1},
        {"host": "x", "topics": [AIR | {"filter": "a/#/b"}]},
        {"host": "x", "topics": [AIR | {"filter": "a/b+"}]},
        {"host": "x", "topics": [AIR | {"filter": ""}]},
        {"host": "x", "topics": [AIR | {"values": []}]},
        {"host": "x", "topics": [AIR | {"time": "time"}]},
        {"host": "x", "topics": [AIR | {"values": [{"pointer": "pm25", "name": "x"}]}]},
        {"host": "x", "topics": [{"filter": "a", "format": "xml"}]},
        5,
    ],
)
def test_a_wrong_setting_is_refused_with_its_place(table: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        bridges({"town": table})
    assert (refused.value.place or "").startswith("connectors.mqtt_bridge.town")
    assert "plain" not in str(refused.value)
