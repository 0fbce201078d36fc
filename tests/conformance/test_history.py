"""HistoricalLocations, made by the service and by hand (18-088 §10.2.4, §8.2.2 and §8.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, key, ref, refused


def _history(api: Api, thing: Entity) -> list[list[object]]:
    """The Locations of each HistoricalLocation of a Thing, oldest first."""
    items = api.value(f"Things({key(thing)})/HistoricalLocations", orderby="time,id", expand="Locations($select=id)")
    return [[place[ID] for place in item["Locations"]] for item in items]


def _places(api: Api, thing: Entity) -> list[object]:
    return sorted(api.ids(f"Things({key(thing)})/Locations"))


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_thing_created_with_a_location_has_a_history(api: Api) -> None:
    place = api.create("Locations", make.location())
    thing = api.create("Things", make.thing(Locations=[ref(place)]))
    assert _history(api, thing) == [[place[ID]]]
    item = api.value(f"Things({key(thing)})/HistoricalLocations")[0]
    when = datetime.fromisoformat(item["time"])
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_thing_without_a_location_has_no_history(api: Api) -> None:
    assert _history(api, api.create("Things", make.thing())) == []


@requirement("create-update-delete/historical-location-auto-creation")
def test_patching_the_locations_of_a_thing_replaces_them_and_adds_history(api: Api) -> None:
    first, second = (api.create("Locations", make.location()) for _ in range(2))
    thing = api.create("Things", make.thing(Locations=[ref(first)]))
    api.change(f"Things({key(thing)})", {"Locations": [ref(second)]})
    assert _places(api, thing) == [second[ID]]
    assert _history(api, thing) == [[first[ID]], [second[ID]]]


@requirement("create-update-delete/historical-location-auto-creation")
def test_posting_a_location_to_a_thing_replaces_it_and_adds_history(api: Api) -> None:
    thing = api.create("Things", make.thing(Locations=[make.location()]))
    first = api.ids(f"Things({key(thing)})/Locations")
    second = api.create(f"Things({key(thing)})/Locations", make.location())
    assert _places(api, thing) == [second[ID]]
    assert _history(api, thing) == [first, [second[ID]]]


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_location_created_with_things_moves_them(api: Api) -> None:
    thing = api.create("Things", make.thing(Locations=[make.location()]))
    place = api.create("Locations", make.location(Things=[ref(thing)]))
    assert place[ID] in _places(api, thing)
    assert len(_history(api, thing)) == 2


@requirement("create-update-delete/historical-location-auto-creation")
def test_patching_the_things_of_a_location_moves_them(api: Api) -> None:
    thing = api.create("Things", make.thing(Locations=[make.location()]))
    place = api.create("Locations", make.location())
    api.change(f"Locations({key(place)})", {"Things": [ref(thing)]})
    assert place[ID] in _places(api, thing)
    assert len(_history(api, thing)) == 2


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_thing_posted_to_a_location_has_history(api: Api) -> None:
    place = api.create("Locations", make.location())
    thing = api.create(f"Locations({key(place)})/Things", make.thing())
    assert _history(api, thing) == [[place[ID]]]


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_thing_inserted_deep_has_history(api: Api) -> None:
    stream = api.create("Datastreams", make.datastream(Thing=make.thing(Locations=[make.location()])))
    assert len(_history(api, api.read(f"Datastreams({key(stream)})/Thing"))) == 1


@requirement("create-update-delete/historical-location-auto-creation")
def test_several_locations_at_once_are_one_moment_of_history(api: Api) -> None:
    thing = api.create(
        "Things",
        make.thing(Locations=[make.location(), make.location(encodingType="text/plain", location="At the bridge")]),
    )
    assert len(_places(api, thing)) == 2
    history = _history(api, thing)
    assert len(history) == 1
    assert sorted(map(str, history[0])) == sorted(map(str, _places(api, thing)))


@requirement("create-update-delete/historical-location-auto-creation")
def test_patching_something_else_adds_no_history(api: Api) -> None:
    thing = api.create("Things", make.station())
    api.change(f"Things({key(thing)})", {"description": "painted"})
    place = api.value(f"Things({key(thing)})/Locations")[0]
    api.change(f"Locations({key(place)})", {"name": "renamed"})
    assert len(_history(api, thing)) == 1


@pytest.fixture
def traveller(api: Api) -> tuple[Entity, list[Entity]]:
    """A Thing at the first of four Locations, whose only moment of history is 2016-01-01 06:00; and the Locations."""
    places = [api.create("Locations", make.location(location=make.point(0, number))) for number in range(4)]
    thing = api.create("Things", make.thing(Locations=[ref(places[0])]))
    first = api.value(f"Things({key(thing)})/HistoricalLocations")[0]
    api.change(f"HistoricalLocations({key(first)})", {"time": "2016-01-01T06:00:00Z"})
    return thing, places


@requirement("create-update-delete/historical-location-manual-creation")
@pytest.mark.parametrize(("clock", "moves"), [("07", True), ("05", False)])
def test_a_moment_made_by_hand_moves_the_thing_only_when_it_is_the_newest(
    api: Api, traveller: tuple[Entity, list[Entity]], clock: str, moves: bool
) -> None:
    thing, places = traveller
    api.create(
        "HistoricalLocations",
        {"time": f"2016-01-01T{clock}:00:00Z", "Thing": ref(thing), "Locations": [ref(places[1])]},
    )
    assert _places(api, thing) == [places[1 if moves else 0][ID]]
    assert len(_history(api, thing)) == 2, "a moment made by hand makes no second one"


@requirement("create-update-delete/historical-location-manual-creation")
def test_a_newer_then_an_older_moment(api: Api, traveller: tuple[Entity, list[Entity]]) -> None:
    thing, places = traveller
    for clock, place in (("08", places[1]), ("07", places[2])):
        api.create(
            "HistoricalLocations",
            {"time": f"2016-01-01T{clock}:00:00Z", "Thing": ref(thing), "Locations": [ref(place)]},
        )
    assert _places(api, thing) == [places[1][ID]]
    assert _history(api, thing) == [[places[0][ID]], [places[2][ID]], [places[1][ID]]]


@requirement("create-update-delete/historical-location-manual-creation")
def test_a_moment_posted_under_the_thing(api: Api, traveller: tuple[Entity, list[Entity]]) -> None:
    thing, places = traveller
    api.create(
        f"Things({key(thing)})/HistoricalLocations", {"time": "2016-01-01T09:00:00Z", "Locations": [ref(places[3])]}
    )
    assert _places(api, thing) == [places[3][ID]]


@requirement("create-update-delete/historical-location-manual-creation")
def test_a_moment_of_several_locations(api: Api, traveller: tuple[Entity, list[Entity]]) -> None:
    thing, places = traveller
    api.create(
        "HistoricalLocations",
        {"time": "2016-01-01T09:00:00Z", "Thing": ref(thing), "Locations": [ref(places[2]), ref(places[3])]},
    )
    assert _places(api, thing) == sorted([places[2][ID], places[3][ID]])


@requirement("create-update-delete/historical-location-manual-creation")
@pytest.mark.parametrize("missing", ["Thing", "Locations", "time"])
def test_an_incomplete_moment_is_refused(api: Api, traveller: tuple[Entity, list[Entity]], missing: str) -> None:
    thing, places = traveller
    body = {"time": "2016-01-01T09:00:00Z", "Thing": ref(thing), "Locations": [ref(places[1])]}
    del body[missing]
    refused(api.post("HistoricalLocations", body), 400)
    assert _places(api, thing) == [places[0][ID]]


@requirement("create-update-delete/historical-location-auto-creation")
def test_a_batch_of_moves_in_quick_succession_keeps_all(api: Api) -> None:
    thing = api.create("Things", make.thing())
    places = [api.create("Locations", make.location()) for _ in range(5)]
    for place in places:
        api.change(f"Things({key(thing)})", {"Locations": [ref(place)]})
    assert _places(api, thing) == [places[-1][ID]]
    assert _history(api, thing) == [[place[ID]] for place in places]
