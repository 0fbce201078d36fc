"""Observations: their feature of interest, the members of tuples, and the extents that follow them."""

from __future__ import annotations

import pytest

from tests.sensorthings import bodies
from tests.sensorthings.bodies import ref
from tests.sensorthings.caller import Caller, body_of

PATH = "Datastreams(1)/Observations"


def feature_of(caller: Caller, id_: int) -> int:
    return int(caller.read(f"Observations({id_})/FeatureOfInterest")["@iot.id"])


@pytest.fixture
def station(caller: Caller) -> Caller:
    caller.make("Things", bodies.station())
    return caller


def test_the_feature_is_made_once_for_a_place_and_again_after_a_move(station: Caller) -> None:
    first, second = (feature_of(station, station.make(PATH, {"result": n})) for n in range(2))
    assert first == second
    station.make("Things(1)/Locations", bodies.location("there", 5, 6))
    third = feature_of(station, station.make(PATH, {"result": 3}))
    assert third != first
    assert station.read(f"FeaturesOfInterest({third})")["feature"] == bodies.point(5, 6)
    station.call("PATCH", "Things(1)", {"Locations": [ref(1)]})
    assert feature_of(station, station.make(PATH, {"result": 4})) == first


def test_a_corrected_location_gives_a_new_feature(station: Caller) -> None:
    first = feature_of(station, station.make(PATH, {"result": 1}))
    station.call("PATCH", "Locations(1)", {"location": bodies.point(7, 8)})
    second = feature_of(station, station.make(PATH, {"result": 2}))
    assert second != first
    assert station.read(f"FeaturesOfInterest({first})")["feature"] == bodies.point()


def test_a_deleted_feature_is_made_again(station: Caller) -> None:
    first = feature_of(station, station.make(PATH, {"result": 1}))
    assert station.call("DELETE", f"FeaturesOfInterest({first})").status == 200
    assert station.ids("Observations") == []
    second = feature_of(station, station.make(PATH, {"result": 2}))
    assert station.ids("FeaturesOfInterest") == [second]


def test_an_own_feature_goes_before_the_made_one(station: Caller) -> None:
    made = station.make("FeaturesOfInterest", bodies.feature("own"))
    assert feature_of(station, station.make(PATH, {"result": 1, "FeatureOfInterest": ref(made)})) == made
    inline = station.make(PATH, {"result": 2, "FeatureOfInterest": bodies.feature("inline")})
    assert station.read(f"Observations({inline})/FeatureOfInterest")["name"] == "inline"
    assert station.call("POST", PATH, {"result": 3, "FeatureOfInterest": ref(99)}).status == 404


def test_without_a_place_there_is_no_feature(caller: Caller) -> None:
    caller.make("Things", bodies.thing(Datastreams=[bodies.datastream()]))
    answer = caller.call("POST", PATH, {"result": 1})
    assert (answer.status, body_of(answer)["code"]) == (400, "feature_of_interest")


@pytest.mark.parametrize("result", [1, [1], [1, 2, 3], None, "x", {"a": 1}])
def test_a_tuple_has_one_value_for_each_property(station: Caller, result: object) -> None:
    station.make("Things(1)/MultiDatastreams", bodies.multi_datastream(2))
    answer = station.call("POST", "MultiDatastreams(2)/Observations", {"result": result})
    assert (answer.status, body_of(answer)["code"]) == (400, "multi_datastream")
    assert station.call("POST", "MultiDatastreams(2)/Observations", {"result": [1, None]}).status == 201
    assert station.call("POST", "MultiDatastreams(1)/Observations", {"result": [1, 2]}).status == 404
    assert station.call("PATCH", "Observations(1)", {"result": result}).status == 400


def extent(caller: Caller) -> tuple[object, object]:
    found = caller.read("Datastreams(1)")
    return found.get("phenomenonTime"), found.get("resultTime")


def test_extents_follow_every_change(station: Caller) -> None:
    assert extent(station) == (None, None)
    day = "2026-01-0{}T00:00:00Z".format
    late = station.make(PATH, {"result": 1, "phenomenonTime": day(5), "resultTime": day(6)})
    early = station.make(PATH, {"result": 1, "phenomenonTime": day(2)})
    assert extent(station) == (f"{day(2)}/{day(5)}", f"{day(6)}/{day(6)}")
    long = station.make(PATH, {"result": 1, "phenomenonTime": f"{day(3)}/{day(9)}"})
    assert extent(station)[0] == f"{day(2)}/{day(9)}"
    station.call("PATCH", f"Observations({early})", {"phenomenonTime": day(1)})
    assert extent(station)[0] == f"{day(1)}/{day(9)}"
    station.call("DELETE", f"Observations({long})")
    assert extent(station)[0] == f"{day(1)}/{day(5)}"
    station.call("DELETE", f"Observations({late})")
    assert extent(station) == (f"{day(1)}/{day(1)}", None)


def test_the_area_follows_the_features(station: Caller) -> None:
    far = station.make("FeaturesOfInterest", bodies.feature("far", 10, 20))
    near = station.make(PATH, {"result": 1})
    other = station.make(PATH, {"result": 2, "FeatureOfInterest": ref(far)})
    ring = station.read("Datastreams(1)")["observedArea"]["coordinates"][0]
    assert [min(x for x, _ in ring), max(x for x, _ in ring)] == [-61, 10]
    station.call("DELETE", f"Observations({near})")
    assert "-61" not in str(station.read("Datastreams(1)")["observedArea"])
    station.call("DELETE", f"Observations({other})")
    assert "observedArea" not in station.read("Datastreams(1)")


def test_a_correction_may_move_an_observation_to_another_datastream(station: Caller) -> None:
    station.make("Things(1)/Datastreams", bodies.datastream("second"))
    id_ = station.make(PATH, {"result": 1})
    assert station.call("PATCH", f"Observations({id_})", {"Datastream": ref(2)}).status == 200
    assert station.ids("Datastreams(2)/Observations") == [id_]
    assert station.ids(PATH) == []
    assert "observedArea" not in station.read("Datastreams(1)")
    assert station.call("PATCH", f"Observations({id_})", {"Datastream": ref(9)}).status == 404
