"""$select, deep select and distinct select (18-088 §9.3.2.2; DeepSelect and SelectDistinct extensions)."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, SELF, Api, Entity, key, refused

PROPERTIES = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.properties]
RELATIONS = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.relations]


@requirement("request-data/select")
@pytest.mark.parametrize(("set_name", "name"), PROPERTIES)
def test_selecting_a_property_gives_only_it(anon: Api, world: World, set_name: str, name: str) -> None:
    assert anon.read(world.path(set_name), select=name) == {name: world[set_name][name]}


@requirement("request-data/select")
@pytest.mark.parametrize(("set_name", "name"), RELATIONS)
def test_selecting_a_relation_gives_only_its_link(anon: Api, world: World, set_name: str, name: str) -> None:
    answer = anon.read(world.path(set_name), select=name)
    assert answer == {f"{name}@iot.navigationLink": world[set_name][f"{name}@iot.navigationLink"]}


@requirement("request-data/select")
@pytest.mark.parametrize("name", ["id", "@iot.id"])
def test_both_names_of_the_key_can_be_selected(anon: Api, world: World, name: str) -> None:
    assert anon.read(world.path("Things"), select=name) == {ID: world["Things"][ID]}


@requirement("request-data/select")
def test_several_names(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), select="name, description,@iot.id,Datastreams")
    assert set(answer) == {"name", "description", ID, "Datastreams@iot.navigationLink"}


@requirement("request-data/select")
def test_self_link_can_be_selected(anon: Api, world: World) -> None:
    assert anon.read(world.path("Things"), select="@iot.selfLink") == {SELF: world["Things"][SELF]}


@requirement("request-data/select")
def test_select_applies_to_each_entity_of_a_list(anon: Api, world: World) -> None:
    items = anon.value(f"{world.path('Datastreams')}/Observations", select="result")
    assert items == [{"result": 0.5}, {"result": 1.5}, {"result": 2.5}]


@requirement("request-data/select")
@pytest.mark.parametrize("names", ["colour", "name,colour", ",", "name,", "name name", "*", "Datastreams/colour"])
def test_unknown_or_malformed_select_is_refused(anon: Api, world: World, names: str) -> None:
    """FROST knows no star."""
    response = anon.get(world.path("Things"), select=names)
    if names == "*" and response.status_code == 200:
        return
    refused(response, 400, 501)


@requirement("extension/deep-select")
@pytest.mark.parametrize(
    ("set_name", "select", "expected"),
    [
        ("Things", "properties/owner", {"properties": {"owner": "Lézarde"}}),
        ("Things", "properties/owner,properties/level", {"properties": {"owner": "Lézarde", "level": 3}}),
        ("Datastreams", "unitOfMeasurement/symbol", {"unitOfMeasurement": {"symbol": "°C"}}),
        (
            "Datastreams",
            "properties/level,unitOfMeasurement/name",
            {"properties": {"level": 3}, "unitOfMeasurement": {"name": "degree Celsius"}},
        ),
        ("Observations", "parameters/depth,result", {"parameters": {"depth": 0}, "result": 0.5}),
        ("Locations", "location/type", {"location": {"type": "Point"}}),
        ("FeaturesOfInterest", "feature/coordinates", {"feature": {"coordinates": [-61.0, 14.6]}}),
    ],
)
def test_select_of_a_part_keeps_the_nesting(
    anon: Api, world: World, set_name: str, select: str, expected: Entity
) -> None:
    assert anon.read(world.path(set_name), select=select) == expected


@requirement("extension/deep-select")
def test_select_of_an_absent_part_leaves_it_out(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), select="name,properties/absent")
    assert answer["name"] == world["Things"]["name"]
    assert not answer.get("properties")


@pytest.fixture(scope="module")
def kinds(api: Api) -> str:
    """The path of the Things of one Location, whose free properties repeat."""
    place = api.create("Locations", make.location())
    for kind, sub in [("gauge", "river"), ("gauge", "river"), ("gauge", "rain"), ("bus", None), (None, None)]:
        properties = {name: value for name, value in (("type", kind), ("sub", sub)) if value}
        api.create("Things", make.thing(description="same", properties=properties, Locations=[{ID: place[ID]}]))
    return f"Locations({key(place)})/Things"


@requirement("extension/select-distinct")
def test_distinct_values_of_a_property(anon: Api, kinds: str) -> None:
    assert anon.value(kinds, select="distinct:description") == [{"description": "same"}]


@requirement("extension/select-distinct")
def test_distinct_values_of_a_free_property(anon: Api, kinds: str) -> None:
    found = anon.value(kinds, select="distinct:properties/type", filter="properties/type ne null")
    assert sorted(item["properties"]["type"] for item in found) == ["bus", "gauge"]


@requirement("extension/select-distinct")
def test_distinct_combinations(anon: Api, kinds: str) -> None:
    found = anon.value(kinds, select="distinct:properties/type,properties/sub", filter="properties/type ne null")
    pairs = {(item["properties"].get("type"), item["properties"].get("sub")) for item in found}
    assert pairs == {("gauge", "river"), ("gauge", "rain"), ("bus", None)}
    assert len(found) == 3


@requirement("extension/select-distinct")
@pytest.mark.parametrize(("direction", "expected"), [("asc", ["bus", "gauge"]), ("desc", ["gauge", "bus"])])
def test_distinct_values_in_order(anon: Api, kinds: str, direction: str, expected: list[str]) -> None:
    found = anon.value(
        kinds,
        select="distinct:properties/type",
        filter="properties/type ne null",
        orderby=f"properties/type {direction}",
    )
    assert [item["properties"]["type"] for item in found] == expected


@requirement("extension/select-distinct")
def test_distinct_values_are_counted_after_folding(anon: Api, kinds: str) -> None:
    page = anon.read(kinds, select="distinct:description", count=True)
    assert page["@iot.count"] == 1


@requirement("extension/select-distinct")
def test_distinct_in_an_expand(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), expand="Datastreams($select=distinct:observationType)", select="name")
    assert answer["Datastreams"] == [{"observationType": make.MEASUREMENT}]


@requirement("extension/select-distinct")
def test_distinct_pages_do_not_repeat(anon: Api, kinds: str) -> None:
    found = anon.items(
        kinds,
        select="distinct:properties/type,properties/sub",
        orderby="properties/type",
        top=1,
        filter="properties/type ne null and properties/sub ne null",
    )
    assert len(found) == 2
