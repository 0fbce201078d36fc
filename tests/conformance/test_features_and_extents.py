"""FeaturesOfInterest made by the service, and the extents of Datastreams (18-088 §8.2.4, §8.2.8, §10.2.1)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from shapely.geometry import shape

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, describe, key, ref, refused


def _stream(api: Api, **thing: object) -> tuple[Entity, str]:
    """A Thing with one Datastream, and the path of the Datastream."""
    made = api.create("Things", make.station(**thing))
    return made, f"Datastreams({key(api.value(f'Things({key(made)})/Datastreams')[0])})"


def _feature(api: Api, observation: Entity) -> Entity:
    found: Entity = api.read(f"Observations({key(observation)})/FeatureOfInterest")
    return found


def _extent(api: Api, stream: str, name: str = "phenomenonTime") -> str | None:
    found = api.read(stream).get(name)
    return None if found is None else str(found).replace(".000Z", "Z").replace(".000000Z", "Z")


@requirement("create-update-delete/create-entity", "datamodel/feature-of-interest/relations")
def test_feature_is_made_from_the_location_of_the_thing(api: Api) -> None:
    _, stream = _stream(api, Locations=[make.location(location=make.point(3, 4))])
    made = api.create(f"{stream}/Observations", make.observation())
    feature = _feature(api, made)
    assert feature["feature"] == make.point(3, 4)
    assert feature["encodingType"] in ("application/geo+json", "application/vnd.geo+json")


@requirement("create-update-delete/create-entity")
def test_the_made_feature_is_used_again_while_the_location_is_the_same(api: Api) -> None:
    _, stream = _stream(api)
    features = {_feature(api, api.create(f"{stream}/Observations", make.observation(n)))[ID] for n in range(3)}
    assert len(features) == 1


@requirement("create-update-delete/create-entity")
def test_two_datastreams_of_one_thing_share_the_made_feature(api: Api) -> None:
    thing, stream = _stream(api)
    other = api.create(f"Things({key(thing)})/Datastreams", make.datastream())
    first = _feature(api, api.create(f"{stream}/Observations", make.observation()))
    second = _feature(api, api.create(f"Datastreams({key(other)})/Observations", make.observation()))
    assert first[ID] == second[ID]


@requirement("create-update-delete/create-entity")
def test_a_moved_thing_has_another_made_feature(api: Api) -> None:
    thing, stream = _stream(api, Locations=[make.location(location=make.point(1, 1))])
    first = _feature(api, api.create(f"{stream}/Observations", make.observation(1)))
    api.create(f"Things({key(thing)})/Locations", make.location(location=make.point(2, 2)))
    second = _feature(api, api.create(f"{stream}/Observations", make.observation(2)))
    assert (first["feature"], second["feature"]) == (make.point(1, 1), make.point(2, 2))


@requirement("create-update-delete/create-entity")
def test_a_location_whose_geometry_changed_has_another_made_feature(api: Api) -> None:
    """What was seen at the old place must not move to the new one."""
    thing, stream = _stream(api, Locations=[make.location(location=make.point(1, 1))])
    place = api.value(f"Things({key(thing)})/Locations")[0]
    old = api.create(f"{stream}/Observations", make.observation(1))
    api.change(f"Locations({key(place)})", {"location": make.point(5, 5)})
    new = api.create(f"{stream}/Observations", make.observation(2))
    assert _feature(api, old)["feature"] == make.point(1, 1)
    assert _feature(api, new)["feature"] == make.point(5, 5)


@requirement("create-update-delete/create-entity")
def test_a_deleted_made_feature_is_made_again(api: Api) -> None:
    _, stream = _stream(api)
    first = _feature(api, api.create(f"{stream}/Observations", make.observation(1)))
    api.remove(f"FeaturesOfInterest({key(first)})")
    second = _feature(api, api.create(f"{stream}/Observations", make.observation(2)))
    assert second[ID] != first[ID]
    assert api.results(f"{stream}/Observations") == [2]


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_the_geographic_one_of_several_locations_is_taken(api: Api, order: list[int]) -> None:
    places = [
        make.location(encodingType="text/plain", location="12 rue Schœlcher"),
        make.location(location=make.point(8, 51)),
        make.location(encodingType="text/plain", location="Turn left at the bridge"),
    ]
    _, stream = _stream(api, Locations=[places[index] for index in order])
    feature = _feature(api, api.create(f"{stream}/Observations", make.observation()))
    assert feature["feature"] == make.point(8, 51)


@requirement("create-update-delete/create-entity")
def test_an_observation_without_feature_and_location_is_refused(api: Api) -> None:
    _, stream = _stream(api, Locations=[])
    refused(api.post(f"{stream}/Observations", make.observation()), 400)
    assert api.value(f"{stream}/Observations") == []


@requirement("create-update-delete/link-to-existing-entities")
def test_a_feature_that_is_given_wins(api: Api) -> None:
    _, stream = _stream(api)
    feature = api.create("FeaturesOfInterest", make.feature(feature=make.point(9, 9)))
    linked = api.create(f"{stream}/Observations", make.observation(1, FeatureOfInterest=ref(feature)))
    inline = api.create(
        f"{stream}/Observations", make.observation(2, FeatureOfInterest=make.feature(feature=make.point(7, 7)))
    )
    assert _feature(api, linked)[ID] == feature[ID]
    assert _feature(api, inline)["feature"] == make.point(7, 7)


@requirement("create-update-delete/link-to-existing-entities")
def test_a_feature_that_does_not_exist_is_refused(api: Api) -> None:
    _, stream = _stream(api)
    refused(api.post(f"{stream}/Observations", make.observation(FeatureOfInterest={ID: 987654321987})), 400, 404, 409)


@requirement("create-update-delete/create-entity")
def test_concurrent_first_observations_share_one_feature(api: Api) -> None:
    _, stream = _stream(api)

    def send(number: int) -> str:
        response = api.post(
            f"{stream}/Observations", make.observation(number, phenomenonTime=f"2024-01-01T00:00:{number:02}Z")
        )
        assert response.status_code == 201, describe(response)
        return response.headers["Location"]

    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(send, range(16)))
    features = {api.read(f"{place}/FeatureOfInterest")[ID] for place in places}
    assert len(features) == 1
    assert len(set(places)) == 16


HOURS = "2024-01-01T{:02}:00:00Z"


@requirement("datamodel/datastream/properties")
@pytest.mark.parametrize("hours", [[3], [1, 2, 3], [3, 2, 1], [2, 1, 3], [5, 1, 3]])
@pytest.mark.parametrize("name", ["phenomenonTime", "resultTime"])
def test_extent_spans_the_observations_in_any_order(api: Api, name: str, hours: list[int]) -> None:
    _, stream = _stream(api)
    for hour in hours:
        api.create(
            f"{stream}/Observations",
            make.observation(hour, phenomenonTime=HOURS.format(hour), resultTime=HOURS.format(hour)),
        )
    assert _extent(api, stream, name) == f"{HOURS.format(min(hours))}/{HOURS.format(max(hours))}"


@requirement("datamodel/datastream/properties")
def test_ends_of_intervals_count(api: Api) -> None:
    _, stream = _stream(api)
    api.create(f"{stream}/Observations", make.observation(phenomenonTime=f"{HOURS.format(1)}/{HOURS.format(9)}"))
    api.create(f"{stream}/Observations", make.observation(phenomenonTime=HOURS.format(5)))
    assert _extent(api, stream) == f"{HOURS.format(1)}/{HOURS.format(9)}"


@requirement("datamodel/datastream/properties")
def test_result_times_that_are_null_do_not_count(api: Api) -> None:
    _, stream = _stream(api)
    api.create(f"{stream}/Observations", make.observation(1, phenomenonTime=HOURS.format(1)))
    assert _extent(api, stream, "resultTime") is None
    api.create(f"{stream}/Observations", make.observation(2, resultTime=HOURS.format(4)))
    assert _extent(api, stream, "resultTime") == f"{HOURS.format(4)}/{HOURS.format(4)}"


@requirement("datamodel/datastream/properties")
@pytest.mark.parametrize(("gone", "left"), [(1, "02/03"), (3, "01/02"), (2, "01/03")])
def test_extent_shrinks_after_a_deletion(api: Api, gone: int, left: str) -> None:
    _, stream = _stream(api)
    made = {
        hour: api.create(
            f"{stream}/Observations",
            make.observation(hour, phenomenonTime=HOURS.format(hour), resultTime=HOURS.format(hour)),
        )
        for hour in (1, 2, 3)
    }
    api.remove(f"Observations({key(made[gone])})")
    start, end = left.split("/")
    for name in ("phenomenonTime", "resultTime"):
        assert _extent(api, stream, name) == f"{HOURS.format(int(start))}/{HOURS.format(int(end))}"


@requirement("datamodel/datastream/properties")
def test_extent_vanishes_with_the_last_observation(api: Api) -> None:
    _, stream = _stream(api)
    made = api.create(
        f"{stream}/Observations", make.observation(phenomenonTime=HOURS.format(1), resultTime=HOURS.format(1))
    )
    api.remove(f"Observations({key(made)})")
    assert [_extent(api, stream, name) for name in ("phenomenonTime", "resultTime")] == [None, None]
    assert api.read(stream).get("observedArea") is None


@requirement("datamodel/datastream/properties")
@pytest.mark.parametrize(
    ("moved", "to", "extent"), [(1, 0, "00/03"), (3, 9, "01/09"), (1, 2, "02/03"), (3, 2, "01/02")]
)
def test_extent_follows_a_correction(api: Api, moved: int, to: int, extent: str) -> None:
    _, stream = _stream(api)
    made = {
        hour: api.create(
            f"{stream}/Observations",
            make.observation(hour, phenomenonTime=HOURS.format(hour), resultTime=HOURS.format(hour)),
        )
        for hour in (1, 2, 3)
    }
    api.change(
        f"Observations({key(made[moved])})", {"phenomenonTime": HOURS.format(to), "resultTime": HOURS.format(to)}
    )
    start, end = extent.split("/")
    for name in ("phenomenonTime", "resultTime"):
        assert _extent(api, stream, name) == f"{HOURS.format(int(start))}/{HOURS.format(int(end))}"


@requirement("datamodel/datastream/properties")
def test_an_observation_moved_to_another_datastream_takes_its_time_along(api: Api) -> None:
    thing, stream = _stream(api)
    other = api.create(f"Things({key(thing)})/Datastreams", make.datastream())
    made = api.create(f"{stream}/Observations", make.observation(phenomenonTime=HOURS.format(1)))
    api.change(f"Observations({key(made)})", {"Datastream": ref(other)})
    assert _extent(api, stream) is None
    assert _extent(api, f"Datastreams({key(other)})") == f"{HOURS.format(1)}/{HOURS.format(1)}"


@requirement("datamodel/datastream/properties")
def test_extent_is_kept_by_bulk_and_deep_insert(api: Api) -> None:
    thing = api.create(
        "Things",
        make.station(
            Datastreams=[
                make.datastream(Observations=[make.observation(phenomenonTime=HOURS.format(hour)) for hour in (4, 2)])
            ]
        ),
    )
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})"
    assert _extent(api, path) == f"{HOURS.format(2)}/{HOURS.format(4)}"
    api.post(
        "CreateObservations",
        [
            {
                "Datastream": ref(stream),
                "components": ["phenomenonTime", "result"],
                "dataArray": [[HOURS.format(1), 1], [HOURS.format(7), 2]],
            }
        ],
    )
    assert _extent(api, path) == f"{HOURS.format(1)}/{HOURS.format(7)}"


@requirement("datamodel/datastream/properties")
def test_extent_sent_by_a_client_does_not_stand_against_the_observations(api: Api) -> None:
    """The service derives it; a client's value is ignored or refused."""
    response = api.post(
        "Datastreams",
        make.datastream(
            Thing=make.thing(Locations=[make.location()]), phenomenonTime="1999-01-01T00:00:00Z/1999-01-02T00:00:00Z"
        ),
    )
    if response.status_code == 400:
        return
    path = response.headers["Location"]
    api.create(f"{path}/Observations", make.observation(phenomenonTime=HOURS.format(1)))
    assert HOURS.format(1) in str(_extent(api, path))


def _box(geometry: Entity) -> Any:
    """West, south, east, north, for comparing to a tenth of a metre: an envelope of one point may be given a size."""

    def walk(part: object) -> list[tuple[float, float]]:
        if isinstance(part, list) and part and isinstance(part[0], int | float):
            return [(float(part[0]), float(part[1]))]
        return [pair for each in part for pair in walk(each)] if isinstance(part, list) else []

    pairs = walk(geometry["coordinates"])
    west, south = min(x for x, _ in pairs), min(y for _, y in pairs)
    return pytest.approx((west, south, max(x for x, _ in pairs), max(y for _, y in pairs)), abs=1e-6)


@requirement("datamodel/datastream/properties")
def test_observed_area_grows_and_shrinks(api: Api) -> None:
    _, stream = _stream(api)
    made = [
        api.create(
            f"{stream}/Observations",
            make.observation(
                n, phenomenonTime=HOURS.format(n), FeatureOfInterest=make.feature(feature=make.point(n, n * 2))
            ),
        )
        for n in (1, 2, 3)
    ]
    assert _box(api.read(stream)["observedArea"]) == (1, 2, 3, 6)
    api.remove(f"Observations({key(made[2])})")
    assert _box(api.read(stream)["observedArea"]) == (1, 2, 2, 4)


@requirement("datamodel/datastream/properties")
def test_observed_area_of_one_point_is_that_point(api: Api) -> None:
    _, stream = _stream(api, Locations=[make.location(location=make.point(3, 4))])
    api.create(f"{stream}/Observations", make.observation())
    area = api.read(stream)["observedArea"]
    assert _box(area) == (3, 4, 3, 4)
    assert shape(area).is_valid, area


@requirement("datamodel/datastream/properties")
@pytest.mark.parametrize(
    "points", [[(0, 0), (1, 0)], [(0, 0), (0, 5), (0, 9)], [(0, 0), (2, 2), (4, 4)], [(0, 0), (1, 0), (0, 1)]]
)
def test_observed_area_is_a_valid_geometry(api: Api, points: list[tuple[int, int]]) -> None:
    """Points on one line have no area; the standard's GM_Envelope must still be a polygon that maps can draw."""
    _, stream = _stream(api)
    for number, (x, y) in enumerate(points):
        api.create(
            f"{stream}/Observations",
            make.observation(
                number, phenomenonTime=HOURS.format(number), FeatureOfInterest=make.feature(feature=make.point(x, y))
            ),
        )
    area = api.read(stream)["observedArea"]
    assert shape(area).is_valid, area
    assert _box(area) == (0, 0, max(x for x, _ in points), max(y for _, y in points))


@requirement("datamodel/datastream/properties")
def test_observed_area_follows_a_corrected_feature(api: Api) -> None:
    _, stream = _stream(api)
    feature = api.create("FeaturesOfInterest", make.feature(feature=make.point(1, 1)))
    api.create(f"{stream}/Observations", make.observation(FeatureOfInterest=ref(feature)))
    api.change(f"FeaturesOfInterest({key(feature)})", {"feature": make.point(5, 6)})
    assert _box(api.read(stream)["observedArea"]) == (5, 6, 5, 6)
