"""What subscribers are told of a commit, on both databases: as a GET would show it, and only what they may see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakou.kernel.errors import LakouError
from tests.harness.mqtt import Wire
from tests.sensorthings import bodies
from tests.sensorthings.caller import DEVICE
from tests.sensorthings.mqtt.broker import Broker

BASE = "http://test/sta/v1.1"


def _stream(broker: Broker, **more: Any) -> int:
    thing = broker.make("Things", bodies.station(**more))
    return int(broker.read(f"Things({thing})/Datastreams")["value"][0]["@iot.id"])


def _told(wire: Wire, number: int = 1) -> list[tuple[str, Any]]:
    return [(m.topic.removeprefix("v1.1/"), json.loads(m.payload)) for m in wire.messages(number)]


def _observe(broker: Broker, stream: int, result: Any, hour: int = 0, **more: Any) -> int:
    time = f"2024-01-01T{hour:02}:00:00Z"
    return broker.make(f"Datastreams({stream})/Observations", {"result": result, "phenomenonTime": time, **more})


def test_a_new_observation_is_told_as_a_get_shows_it(broker: Broker) -> None:
    stream = _stream(broker)
    rich = {
        "parameters": {"depth": 3},
        "resultQuality": "good",
        "validTime": "2024-01-01T00:00:00Z/2024-01-02T00:00:00Z",
    }
    with broker.wire() as wire:
        topics = ("Observations", f"Datastreams({stream})/Observations")
        wire.subscribe(*(f"v1.1/{topic}" for topic in topics))
        for number, result in enumerate((1, 2.5, "high", True, None, {"a": [1]})):
            made = _observe(broker, stream, result, number, **rich)
            told = dict(_told(wire, 2))
            assert told.keys() == set(topics)
            for body in told.values():
                assert body == broker.read(f"Observations({made})")


def test_an_observation_of_a_multi_datastream_is_told_under_its_own_name(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station(MultiDatastreams=[bodies.multi_datastream()]))
    multi = broker.read(f"Things({thing})/MultiDatastreams")["value"][0]["@iot.id"]
    with broker.wire() as wire:
        wire.subscribe(
            f"v1.1/MultiDatastreams({multi})/Observations",
            "v1.1/Observations",
            f"v1.1/Datastreams({multi})/Observations",
        )
        made = broker.make(f"MultiDatastreams({multi})/Observations", {"result": [1, 2]})
        assert [body for _, body in _told(wire, 2)] == [broker.read(f"Observations({made})")] * 2
        assert wire.silent()


def test_select_filter_and_expand_shape_what_is_told(broker: Broker) -> None:
    stream = _stream(broker)
    topics = (
        f"v1.1/Datastreams({stream})/Observations?$select=result,phenomenonTime",
        "v1.1/Observations?$filter=result gt 3&$select=result",
        "v1.1/Observations?$expand=Datastream($select=name)&$select=result&$filter=Datastream/Thing/name eq 'station'",
    )
    with broker.wire() as wire:
        wire.subscribe(*topics)
        _observe(broker, stream, 1)
        assert sorted(_told(wire, 2)) == [
            (
                f"Datastreams({stream})/Observations?$select=result,phenomenonTime",
                {"phenomenonTime": "2024-01-01T00:00:00Z", "result": 1},
            ),
            (topics[2].removeprefix("v1.1/"), {"result": 1, "Datastream": {"name": "stream"}}),
        ]
        _observe(broker, stream, 4, 1)
        assert {topic for topic, _ in _told(wire, 3)} == {topic.removeprefix("v1.1/") for topic in topics}
        assert wire.silent()


def test_a_set_hears_of_creations_and_updates_of_its_members_only(broker: Broker) -> None:
    one, other = (broker.make("Things", bodies.station(name)) for name in ("one", "other"))
    with broker.wire() as wire:
        wire.subscribe("v1.1/Things", f"v1.1/Things({one})/Datastreams", f"v1.1/Things({one})/Locations")
        stream = broker.make("Datastreams", bodies.datastream("new", Thing=bodies.ref(one)))
        assert _told(wire) == [(f"Things({one})/Datastreams", broker.read(f"Datastreams({stream})"))]
        broker.make("Datastreams", bodies.datastream("of the other", Thing=bodies.ref(other)))
        broker.change(f"Datastreams({stream})", {"name": "renamed"})
        assert _told(wire) == [(f"Things({one})/Datastreams", broker.read(f"Datastreams({stream})"))]
        place = broker.read(f"Things({one})/Locations")["value"][0]["@iot.id"]
        broker.change(f"Locations({place})", {"name": "moved"})
        assert _told(wire) == [(f"Things({one})/Locations", broker.read(f"Locations({place})"))]
        made = broker.make("Things", bodies.thing("third"))
        assert _told(wire) == [("Things", broker.read(f"Things({made})"))]
        assert wire.silent()


def test_an_entity_hears_of_its_updates_and_not_of_its_end(broker: Broker) -> None:
    one, other = (broker.make("Things", bodies.station(name)) for name in ("one", "other"))
    with broker.wire() as wire:
        wire.subscribe(f"v1.1/Things({one})", f"v1.1/Things({one})?$select=name")
        broker.change(f"Things({other})", {"name": "not asked for"})
        broker.change(f"Things({one})", {"description": "new"})
        assert sorted(_told(wire, 2)) == [
            (f"Things({one})", broker.read(f"Things({one})")),
            (f"Things({one})?$select=name", {"name": "one"}),
        ]
        assert broker.call("DELETE", f"Things({one})").status == 200
        assert wire.silent()


def test_a_property_is_told_only_when_its_value_is_another(broker: Broker) -> None:
    thing = broker.make("Things", bodies.station(properties={"owner": "a", "level": 1}))
    with broker.wire() as wire:
        wire.subscribe(f"v1.1/Things({thing})/name", f"v1.1/Things({thing})/properties/owner")
        broker.change(f"Things({thing})", {"description": "another"})
        broker.change(f"Things({thing})", {"name": "station"})
        broker.change(f"Things({thing})", {"name": "renamed"})
        assert _told(wire) == [(f"Things({thing})/name", {"name": "renamed"})]
        broker.change(f"Things({thing})", {"properties": {"owner": "a", "level": 2}})
        broker.change(f"Things({thing})", {"properties": {"owner": "b", "level": 2}})
        assert _told(wire) == [(f"Things({thing})/properties/owner", {"owner": "b"})]
        broker.change(f"Things({thing})", {"properties": {}})
        assert _told(wire) == [(f"Things({thing})/properties/owner", {"owner": None})]
        assert wire.silent()


def test_an_observation_that_widens_a_datastream_is_an_update_of_it(broker: Broker) -> None:
    stream = _stream(broker)
    _observe(broker, stream, 1, 5)
    with broker.wire() as wire:
        wire.subscribe(
            f"v1.1/Datastreams({stream})",
            f"v1.1/Datastreams({stream})/phenomenonTime",
            f"v1.1/Datastreams({stream})/name",
        )
        _observe(broker, stream, 2, 7)
        told = dict(_told(wire, 2))
        assert told[f"Datastreams({stream})/phenomenonTime"] == {
            "phenomenonTime": "2024-01-01T05:00:00Z/2024-01-01T07:00:00Z"
        }
        assert told[f"Datastreams({stream})"] == broker.read(f"Datastreams({stream})")
        _observe(broker, stream, 3, 6)
        assert wire.silent()


def test_a_corrected_observation_is_told_to_its_sets(broker: Broker) -> None:
    stream = _stream(broker)
    made = _observe(broker, stream, 1)
    with broker.wire() as wire:
        topics = (
            "Observations",
            f"Datastreams({stream})/Observations",
            f"Observations({made})",
            f"Observations({made})/result",
        )
        wire.subscribe(*(f"v1.1/{topic}" for topic in topics))
        broker.change(f"Observations({made})", {"result": 2})
        told = dict(_told(wire, 4))
        assert told.pop(f"Observations({made})/result") == {"result": 2}
        assert told == dict.fromkeys(topics[:3], broker.read(f"Observations({made})"))


def test_a_replayed_observation_is_not_told_again(broker: Broker) -> None:
    stream = _stream(broker)
    with broker.wire() as wire:
        wire.subscribe("v1.1/Observations")
        for _ in range(3):
            _observe(broker, stream, 1)
        assert len(wire.messages(1)) == 1
        assert wire.silent()


@pytest.mark.parametrize("who", [None, "other"])
def test_restricted_things_are_invisible_in_every_form_of_topic(broker: Broker, who: str | None) -> None:
    hidden = broker.make("Things", bodies.station("hidden", **{"@lakou.visibility": "restricted"}), who=DEVICE)
    stream = broker.read(f"Things({hidden})/Datastreams")["value"][0]["@iot.id"]
    first = broker.make(f"Datastreams({stream})/Observations", {"result": 1}, who=DEVICE)
    feature = broker.read(f"Observations({first})/FeatureOfInterest")["@iot.id"]
    place = broker.read(f"Things({hidden})/Locations")["value"][0]["@iot.id"]
    topics = (
        "Things", f"Things({hidden})", f"Things({hidden})/name", f"Things({hidden})/Datastreams",
        f"Things({hidden})/Datastreams({stream})", f"Datastreams({stream})", f"Datastreams({stream})/phenomenonTime",
        f"Datastreams({stream})/Thing", f"Datastreams({stream})/Thing/name", "Datastreams",
        "Observations", f"Datastreams({stream})/Observations", f"Observations({first})",
        f"Observations({first})/result",
        f"Things({hidden})/Datastreams({stream})/Observations", f"FeaturesOfInterest({feature})/Observations",
        "Observations?$select=result", "Observations?$filter=result gt 0", "Observations?$expand=Datastream",
        f"FeaturesOfInterest({feature})", "Locations", f"Locations({place})", f"Locations({place})/Things",
        "Things?$expand=Datastreams/Observations",
    )  # fmt: skip
    with broker.wire(who) as stranger, broker.wire(DEVICE.name) as owner:
        assert max(stranger.subscribe(*(f"v1.1/{topic}" for topic in topics)).reasons) <= 1
        owner.subscribe("v1.1/Observations", f"v1.1/Things({hidden})/name")
        broker.make(f"Datastreams({stream})/Observations", {"result": 2}, who=DEVICE)
        broker.change(f"Observations({first})", {"result": 3})
        broker.change(f"Things({hidden})", {"name": "still hidden"})
        broker.change(f"Datastreams({stream})", {"name": "still hidden"})
        broker.change(f"Locations({place})", {"name": "still hidden"})
        assert len(owner.messages(3)) == 3
        assert stranger.silent()


def test_an_expand_shows_only_what_the_subscriber_may_see(broker: Broker) -> None:
    thing = broker.make("Things", bodies.thing("open"), who=DEVICE)
    hidden = bodies.datastream("hidden", Thing=bodies.ref(thing), **{"@lakou.visibility": "restricted"})
    broker.make("Datastreams", hidden, who=DEVICE)
    with broker.wire(None) as stranger, broker.wire(DEVICE.name) as owner:
        for wire in (stranger, owner):
            wire.subscribe(f"v1.1/Things({thing})?$expand=Datastreams($select=name)&$select=name")
        broker.change(f"Things({thing})", {"name": "renamed"})
        assert _told(stranger)[0][1] == {"name": "renamed", "Datastreams": []}
        assert _told(owner)[0][1] == {"name": "renamed", "Datastreams": [{"name": "hidden"}]}


def test_links_lead_to_the_address_that_is_configured(broker: Broker) -> None:
    stream = _stream(broker)
    with broker.wire() as wire:
        wire.subscribe("v1.1/Observations")
        made = _observe(broker, stream, 1)
        assert _told(wire)[0][1]["@iot.selfLink"] == f"{BASE}/Observations({made})"


def test_many_at_once_are_all_told_in_their_order(broker: Broker) -> None:
    stream = _stream(broker)
    rows = [[f"2024-01-01T00:{n // 60:02}:{n % 60:02}Z", n] for n in range(1_200)]
    array = [{"Datastream": bodies.ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}]
    with broker.wire() as wire:
        wire.subscribe(f"v1.1/Datastreams({stream})/Observations?$select=result")
        wire.subscribe("v1.1/Observations?$filter=result ge 600&$select=result")
        try:
            assert broker.call("POST", "CreateObservations", array).status == 201
        except LakouError as error:
            pytest.fail(error.message)
        told = wire.messages(1_800)
        for topic, expected in ((False, range(1_200)), (True, range(600, 1_200))):
            assert [json.loads(m.payload)["result"] for m in told if ("filter" in m.topic) is topic] == list(expected)
