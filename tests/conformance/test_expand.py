"""$expand, nested at any depth with its own options (18-088 §9.3.2.1)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES, TARGET
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import COUNT, ID, NEXT, SELF, Api, Entity, key, ref, refused

ONE_STEP = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.relations]
TWO_STEPS = [
    (kind.set_name, name, further)
    for kind in ALL_TYPES
    for name in kind.relations
    for further in TARGET[name].relations
    if "Multi" not in f"{kind.name}{name}{further}"
]


def _first(expanded: Any) -> Entity:
    found: Entity = expanded[0] if isinstance(expanded, list) else expanded
    return found


@requirement("request-data/expand")
@pytest.mark.parametrize(("set_name", "name"), ONE_STEP)
def test_expanding_a_relation_gives_what_its_link_gives(anon: Api, world: World, set_name: str, name: str) -> None:
    expanded = anon.read(world.path(set_name), expand=name)[name]
    linked = anon.read(f"{world.path(set_name)}/{name}")
    assert expanded == (linked["value"] if isinstance(expanded, list) else linked)


@requirement("request-data/expand")
@pytest.mark.parametrize(("set_name", "name", "further"), TWO_STEPS)
def test_expanding_two_steps_by_a_path(anon: Api, world: World, set_name: str, name: str, further: str) -> None:
    expanded = anon.read(world.path(set_name), expand=f"{name}/{further}")[name]
    step = _first(expanded)
    assert further in step, step
    assert SELF in step
    linked = anon.read(f"{TARGET[name].set_name}({key(step)})/{further}")
    assert step[further] == (linked["value"] if "value" in linked and SELF not in linked else linked)


@requirement("request-data/expand")
@pytest.mark.parametrize(("set_name", "name", "further"), TWO_STEPS[::3])
def test_nested_expand_is_the_same_as_a_path(anon: Api, world: World, set_name: str, name: str, further: str) -> None:
    by_path = anon.read(world.path(set_name), expand=f"{name}/{further}")
    nested = anon.read(world.path(set_name), expand=f"{name}($expand={further})")
    assert by_path == nested


@requirement("request-data/expand")
def test_several_expands_at_once(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Datastreams"), expand="Thing,Sensor,ObservedProperty,Observations($top=1)")
    assert answer["Thing"][ID] == world["Things"][ID]
    assert answer["Sensor"][ID] == world["Sensors"][ID]
    assert answer["ObservedProperty"][ID] == world["ObservedProperties"][ID]
    assert len(answer["Observations"]) == 1


@requirement("request-data/expand")
def test_two_paths_that_share_a_step_are_merged(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), expand="Datastreams/Sensor,Datastreams/ObservedProperty")
    assert {"Sensor", "ObservedProperty"} <= set(answer["Datastreams"][0])


@requirement("request-data/expand")
def test_expand_in_a_list_belongs_to_each_entity(anon: Api, world: World) -> None:
    for stream in anon.value(f"{world.path('Things')}/Datastreams", expand="Observations($select=result)"):
        assert stream["Observations"] == [{"result": 0.5}, {"result": 1.5}, {"result": 2.5}]


@pytest.fixture(scope="module")
def families(api: Api) -> str:
    """The path of three Things, with 0, 2 and 7 Datastreams of 0 to 6 Observations each."""
    place = api.create("Locations", make.location())
    sensor, what = api.create("Sensors", make.sensor()), api.create("ObservedProperties", make.observed_property())
    for number, size in enumerate((0, 2, 7)):
        thing = api.create("Things", make.thing(description=f"family {number}", Locations=[ref(place)]))
        for index in range(size):
            stream = api.create(
                f"Things({key(thing)})/Datastreams",
                make.datastream(
                    description=f"d{index}", Sensor=ref(sensor), ObservedProperty=ref(what), properties={"index": index}
                ),
            )
            for value in range(index):
                api.create(
                    f"Datastreams({key(stream)})/Observations",
                    make.observation(value, phenomenonTime=f"2024-01-01T0{value}:00:00Z"),
                )
    return f"Locations({key(place)})/Things"


@requirement("request-data/expand", "request-data/top", "request-data/pagination")
def test_top_in_expand_holds_for_each_parent(anon: Api, families: str) -> None:
    things = anon.value(families, expand="Datastreams($top=2;$select=description)", orderby="description")
    assert [len(thing["Datastreams"]) for thing in things] == [0, 2, 2]


@requirement("request-data/expand", "request-data/pagination")
def test_a_cut_expand_has_a_next_link_and_a_whole_one_has_none(anon: Api, families: str) -> None:
    things = anon.value(families, expand="Datastreams($top=2)", orderby="description")
    assert ["Datastreams@iot.nextLink" in thing for thing in things] == [False, False, True]


@requirement("request-data/expand", "request-data/pagination")
@pytest.mark.parametrize("top", [1, 2, 3, 6])
def test_following_the_next_link_of_an_expand_gives_the_rest_of_that_parent(anon: Api, families: str, top: int) -> None:
    things = anon.value(
        families,
        expand=f"Datastreams($top={top};$orderby=description desc;$select=description,id)",
        orderby="description",
    )
    last = things[-1]
    found = last["Datastreams"] + anon.items(last["Datastreams@iot.nextLink"])
    assert [stream["description"] for stream in found] == [f"d{index}" for index in (6, 5, 4, 3, 2, 1, 0)]
    assert all(set(stream) == {"description", ID} for stream in found)


@requirement("request-data/expand", "request-data/count")
@pytest.mark.parametrize("options", ["$count=true", "$count=true;$top=1", "$top=0;$count=true", "$skip=5;$count=true"])
def test_count_in_expand_holds_for_each_parent_and_ignores_paging(anon: Api, families: str, options: str) -> None:
    things = anon.value(families, expand=f"Datastreams({options})", orderby="description")
    assert [thing["Datastreams@iot.count"] for thing in things] == [0, 2, 7]


@requirement("request-data/expand", "request-data/count")
def test_count_in_expand_follows_the_filter(anon: Api, families: str) -> None:
    things = anon.value(
        families, expand="Datastreams($filter=properties/index ge 1;$count=true;$top=1)", orderby="description"
    )
    assert [thing["Datastreams@iot.count"] for thing in things] == [0, 1, 6]


@requirement("request-data/expand", "request-data/count")
def test_count_false_in_expand_gives_no_count(anon: Api, families: str) -> None:
    assert all(
        "Datastreams@iot.count" not in thing for thing in anon.value(families, expand="Datastreams($count=false)")
    )


@requirement("request-data/expand", "request-data/skip")
def test_skip_in_expand_holds_for_each_parent(anon: Api, families: str) -> None:
    things = anon.value(
        families, expand="Datastreams($skip=1;$orderby=description;$select=description)", orderby="description"
    )
    assert [[stream["description"] for stream in thing["Datastreams"]] for thing in things] == [
        [],
        ["d1"],
        ["d1", "d2", "d3", "d4", "d5", "d6"],
    ]


@requirement("request-data/expand", "request-data/orderby")
def test_latest_observation_of_each_datastream(anon: Api, families: str) -> None:
    """The most used request of all: one call for the last value of everything."""
    things = anon.value(
        families,
        orderby="description",
        expand="Datastreams($orderby=description;$expand=Observations($orderby=phenomenonTime desc;$top=1))",
    )
    latest = [[item["result"] for item in stream["Observations"]] for stream in things[-1]["Datastreams"]]
    assert latest == [[], [0], [1], [2], [3], [4], [5]]


@requirement("request-data/expand", "request-data/filter")
def test_filter_in_expand_leaves_parents_in_place(anon: Api, families: str) -> None:
    things = anon.value(families, expand="Datastreams($filter=description eq 'd3')", orderby="description")
    assert [len(thing["Datastreams"]) for thing in things] == [0, 0, 1]


@requirement("request-data/expand", "request-data/filter")
def test_filter_in_expand_may_go_through_links(anon: Api, families: str) -> None:
    things = anon.value(families, expand="Datastreams($filter=Observations/result eq 5)", orderby="description")
    assert [len(thing["Datastreams"]) for thing in things] == [0, 0, 1]


@requirement("request-data/expand")
def test_four_levels_with_options_at_each(anon: Api, families: str) -> None:
    things = anon.value(
        families,
        filter="description eq 'family 2'",
        select="description",
        expand="Datastreams($filter=properties/index gt 4;$orderby=description;$select=description;"
        "$expand=Observations($top=1;$orderby=result desc;$select=result;"
        "$expand=Datastream($select=name;$expand=Sensor($select=encodingType)),FeatureOfInterest($select=name)))",
    )
    assert [stream["description"] for stream in things[0]["Datastreams"]] == ["d5", "d6"]
    deepest = things[0]["Datastreams"][1]["Observations"][0]
    assert deepest["result"] == 5
    assert deepest["Datastream"]["Sensor"] == {"encodingType": "application/pdf"}
    assert "name" in deepest["FeatureOfInterest"]


@requirement("request-data/expand")
@pytest.mark.parametrize(
    "text", ["a;b", "a)b", "a(b", "it''s", "a,b", "a=b", "a&b", "a$top=1", "a/b", "é 空", "a+b", "100%", "#x"]
)
def test_marks_inside_a_quoted_text_of_an_expand_are_only_text(api: Api, text: str) -> None:
    thing = api.create("Things", make.station())
    path = f"Things({key(thing)})"
    stream = api.value(f"{path}/Datastreams")[0]
    plain = text.replace("''", "'")
    api.change(f"Datastreams({key(stream)})", {"description": plain})
    answer = api.read(path, expand=f"Datastreams($filter=description eq '{text}';$select=description),Locations")
    assert answer["Datastreams"] == [{"description": plain}]
    assert len(answer["Locations"]) == 1


@requirement("request-data/expand", "request-data/select")
def test_select_without_the_relation_keeps_the_expanded_entities(anon: Api, world: World) -> None:
    answer = anon.read(world.path("Things"), select="name", expand="Datastreams($select=name)")
    assert set(answer) - {"Datastreams@iot.navigationLink"} == {"name", "Datastreams"}


@requirement("request-data/expand")
@pytest.mark.parametrize(
    "expand",
    [
        "Nothing",
        "Datastreams/Nothing",
        "name",
        "Datastreams(",
        "Datastreams($top=1",
        "Datastreams($top=1))",
        "Datastreams($top=x)",
        "Datastreams($nothing=1)",
        "Datastreams,",
        ",Datastreams",
        "",
        "Datastreams($filter=)",
        "Datastreams($filter=nothing eq 1)",
        "Datastreams($orderby=nothing)",
        "Datastreams($count=maybe)",
        "Datastreams($skip=-1)",
        "Datastreams($top=-1)",
        "Datastreams Locations",
        "Datastreams($select=nothing)",
        "Datastreams//Observations",
        "/Datastreams",
        "Datastreams/",
    ],
)
def test_malformed_expand_is_refused(anon: Api, world: World, expand: str) -> None:
    refused(anon.get(world.path("Things"), expand=expand), 400, 501)


@requirement("request-data/expand")
def test_expand_of_a_link_that_is_empty(api: Api) -> None:
    thing = api.create("Things", make.thing())
    answer = api.read(f"Things({key(thing)})", expand="Datastreams,Locations,HistoricalLocations")
    assert (answer["Datastreams"], answer["Locations"], answer["HistoricalLocations"]) == ([], [], [])


@requirement("request-data/expand", "request-data/order")
def test_expand_comes_after_paging(anon: Api, families: str) -> None:
    page = anon.read(families, expand="Datastreams($count=true)", orderby="description desc", top=1, skip=1, count=True)
    assert page[COUNT] == 3
    assert [thing["description"] for thing in page["value"]] == ["family 1"]
    assert page["value"][0]["Datastreams@iot.count"] == 2
    assert "Datastreams" in page[NEXT]
