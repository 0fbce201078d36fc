"""Writing entities: what moves, what is linked, what must hold afterwards (18-088 §10)."""

from __future__ import annotations

import pytest

from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import Caller, body_of

OLD, NEW = "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"


def places(caller: Caller) -> list[str]:
    return [loc["name"] for loc in caller.read("Things(1)/Locations?$orderby=id")["value"]]


def test_a_move_replaces_the_locations_and_is_remembered(caller: Caller) -> None:
    caller.make("Things", bodies.thing(Locations=[bodies.location("a"), bodies.location("b")]))
    caller.make("Things(1)/Locations", bodies.location("c"))
    assert places(caller) == ["c"]
    caller.call("PATCH", "Things(1)", {"Locations": [ref(1)]})
    assert places(caller) == ["a"]
    caller.call("PATCH", "Locations(2)", {"Things": [ref(1)]})
    assert places(caller) == ["b"]
    history = caller.read("HistoricalLocations?$orderby=id&$expand=Locations($select=name)")["value"]
    assert [[loc["name"] for loc in h["Locations"]] for h in history] == [["a", "b"], ["c"], ["a"], ["b"]]


@pytest.mark.parametrize(("when", "expected"), [(OLD, ["a"]), (NEW, ["b"])])
def test_history_by_hand_moves_the_thing_only_when_newest(caller: Caller, when: str, expected: list[str]) -> None:
    caller.make("Things", bodies.thing(Locations=[bodies.location("a")]))
    caller.make("Locations", bodies.location("b"))
    caller.make("HistoricalLocations", {"time": when, "Thing": ref(1), "Locations": [ref(2)]})
    assert places(caller) == expected


def test_a_tree_is_stored_whole_or_not_at_all(caller: Caller) -> None:
    body = bodies.station(Datastreams=[bodies.datastream(), bodies.datastream(Sensor=ref(99))])
    assert caller.call("POST", "Things", body).status == 404
    for plural in ("Things", "Locations", "Datastreams", "Sensors", "HistoricalLocations"):
        assert caller.ids(plural) == [], plural


def test_the_parent_in_the_path_is_linked(caller: Caller) -> None:
    caller.make("Things", bodies.station())
    caller.make("Sensors(1)/Datastreams", {**bodies.datastream("by sensor", Thing=ref(1)), "Sensor": ref(1)})
    assert caller.ids("Sensors(1)/Datastreams") == [1, 2]
    assert caller.call("POST", "Things(9)/Datastreams", bodies.datastream()).status == 404
    assert caller.call("POST", "Datastreams(1)/Observations(5)/FeatureOfInterest", bodies.feature()).status == 405


def test_patch_merges_replaces_and_adds(caller: Caller) -> None:
    caller.make("Things", bodies.station(properties={"a": 1}))
    caller.make("Sensors", bodies.sensor("other"))
    assert caller.call("PATCH", "Things(1)", {"properties": {"b": 2}}).status == 200
    assert caller.read("Things(1)")["properties"] == {"b": 2}
    caller.call("PATCH", "Datastreams(1)", {"Sensor": ref(2), "@iot.id": 77, "phenomenonTime": "x"})
    assert caller.read("Datastreams(1)/Sensor")["name"] == "other"
    caller.make("Things", bodies.thing("second"))
    caller.call("PATCH", "Things(2)", {"Datastreams": [ref(1)]})
    assert caller.ids("Things(2)/Datastreams") == [1]


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("Things(1)", {"name": None}, 400),
        ("Things(1)", {"nme": "x"}, 400),
        ("Things(1)", {"Locations": [bodies.location()]}, 400),
        ("Things(1)", {"Locations": [ref(99)]}, 404),
        ("Datastreams(1)", {"Sensor": ref(99)}, 404),
        ("Datastreams(1)", {"Sensor": None}, 400),
        ("Things(99)", {"name": "x"}, 404),
        ("Things(1)", [], 400),
        ("Things(1)", b"{", 400),
        ("Things(1)", b"", 400),
    ],
)
def test_a_refused_patch_changes_nothing(caller: Caller, target: str, body: object, status: int) -> None:
    caller.make("Things", bodies.station())
    before = caller.read("Things?$expand=Datastreams,Locations")
    assert caller.call("PATCH", target, body).status == status
    assert caller.read("Things?$expand=Datastreams,Locations") == before


def test_properties_of_a_multi_datastream_are_counted_at_creation(caller: Caller) -> None:
    caller.make("Things", bodies.thing(Locations=[bodies.location()]))
    body = bodies.multi_datastream(3) | {"ObservedProperties": [bodies.observed_property()]}
    assert body_of(caller.call("POST", "Things(1)/MultiDatastreams", body))["code"] == "multi_datastream"
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    change = caller.call("PATCH", "MultiDatastreams(1)", {"unitOfMeasurements": []})
    assert (change.status, body_of(change)["code"]) == (400, "multi_datastream")


def test_a_multi_datastream_keeps_one_property_for_each_member(caller: Caller) -> None:
    caller.make("Things", bodies.thing(Locations=[bodies.location()]))
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    caller.call("POST", "MultiDatastreams(1)/ObservedProperties", bodies.observed_property("third"))
    assert len(caller.ids("MultiDatastreams(1)/ObservedProperties")) == 2
    caller.make("MultiDatastreams(1)/Observations", {"result": [1, 2]})


def test_a_change_of_a_multi_datastreams_properties_is_done_or_refused(caller: Caller) -> None:
    caller.make("Things", bodies.thing(Locations=[bodies.location()]))
    caller.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    answer = caller.call("PATCH", "MultiDatastreams(1)", {"ObservedProperties": [ref(2), ref(1)]})
    assert answer.status >= 400 or caller.ids("MultiDatastreams(1)/ObservedProperties") == [2, 1]
