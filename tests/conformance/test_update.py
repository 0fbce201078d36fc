"""PATCH, PUT and JSON Patch (18-088 §10.3; RFC 6902)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.model import ALL_TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, SELF, Api, Entity, describe, key, ref, refused, without

OTHER: dict[str, Any] = {"time": "2021-06-01T00:00:00Z"}
EDITABLE = [
    (kind, name)
    for kind in ALL_TYPES
    for name in kind.properties
    if name not in ("observedArea", "multiObservationDataTypes", "unitOfMeasurements", "observationType")
    and not (name in ("phenomenonTime", "resultTime") and "Datastream" in kind.name)
]
NEW_VALUES: dict[str, Any] = {
    "name": "patched",
    "description": "patched",
    "properties": {"new": [1, {"a": None}]},
    "encodingType": "application/vnd.geo+json",
    "location": {"type": "Point", "coordinates": [1, 2]},
    "feature": {"type": "Point", "coordinates": [3, 4]},
    "time": "2021-06-01T00:00:00Z",
    "metadata": "patched",
    "definition": "http://example.org/patched",
    "unitOfMeasurement": {"name": "n", "symbol": "s", "definition": "d"},
    "phenomenonTime": "2021-06-01T00:00:00Z",
    "result": "patched",
    "resultTime": "2021-06-01T00:00:00Z",
    "resultQuality": {"q": 1},
    "validTime": "2021-06-01T00:00:00Z/2021-06-02T00:00:00Z",
    "parameters": {"p": 1},
}
VOLATILE = {"@iot.etag"}


def _instant(value: Any) -> Any:
    return value.replace(".000Z", "Z").replace(".000000Z", "Z") if isinstance(value, str) else value


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize(("kind", "name"), EDITABLE, ids=[f"{kind.name}-{name}" for kind, name in EDITABLE])
def test_patch_changes_one_property_and_nothing_else(api: Api, kind: EntityType, name: str) -> None:
    before = api.create(kind.set_name, kind.body())
    after = api.change(f"{kind.set_name}({key(before)})", {name: NEW_VALUES[name]})
    assert _instant(after[name]) == NEW_VALUES[name]
    assert without(after, [name, *VOLATILE]) == without(before, [name, *VOLATILE])


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_patch_of_a_missing_entity_is_404(api: Api, kind: EntityType) -> None:
    refused(api.patch(f"{kind.set_name}(9007199254740000)", {kind.editable: NEW_VALUES[kind.editable]}), 404)


@requirement("create-update-delete/update-entity")
def test_patch_replaces_free_properties_whole(api: Api) -> None:
    """PATCH merges at the top level only."""
    thing = api.create("Things", make.thing(properties={"a": 1, "b": {"c": 2}}))
    assert api.change(f"Things({key(thing)})", {"properties": {"b": {"d": 3}}})["properties"] == {"b": {"d": 3}}


@requirement("create-update-delete/update-entity")
def test_patch_with_null_empties_an_optional_property(api: Api) -> None:
    thing = api.create("Things", make.thing(properties={"a": 1}))
    assert not api.change(f"Things({key(thing)})", {"properties": None}).get("properties")


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize("result", [None, 0, False, "", [], {}])
def test_patch_can_set_a_result_to_nothing_like_values(api: Api, result: Any) -> None:
    made = api.create(
        "Observations",
        make.observation(1.25, Datastream=make.datastream(Thing=make.thing(Locations=[make.location()]))),
    )
    after = api.change(f"Observations({key(made)})", {"result": result})["result"]
    assert (after, type(after)) == (result, type(result))


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize(
    ("set_name", "body"),
    [
        ("Things", {"name": None}),
        ("Things", {"name": 5}),
        ("Things", {"colour": "blue"}),
        ("Things", {"properties": "x"}),
        ("Locations", {"location": None}),
        ("Locations", {"location": {"type": "Point"}}),
        ("Locations", {"encodingType": 5}),
        ("Sensors", {"metadata": None}),
        ("ObservedProperties", {"definition": None}),
        ("FeaturesOfInterest", {"feature": 5}),
        ("Datastreams", {"unitOfMeasurement": None}),
        ("Datastreams", {"unitOfMeasurement": "x"}),
        ("Datastreams", {"Thing": None}),
        ("Datastreams", {"Sensor": {ID: 987654321987}}),
        ("Datastreams", {"Thing": {ID: "x"}}),
        ("HistoricalLocations", {"time": None}),
        ("HistoricalLocations", {"time": "x"}),
        ("Observations", {"phenomenonTime": "x"}),
        ("Observations", {"phenomenonTime": None}),
        ("Observations", {"validTime": "2020-01-01T00:00:00Z"}),
        ("Observations", {"Datastream": {ID: 987654321987}}),
        ("Observations", {"parameters": 5}),
        ("Things", []),
        ("Things", None),
        ("Things", "text"),
        ("Things", 5),
    ],
)
def test_patch_that_would_break_the_entity_is_refused_and_changes_nothing(api: Api, set_name: str, body: Any) -> None:
    kind = next(kind for kind in ALL_TYPES if kind.set_name == set_name)
    before = api.create(set_name, kind.body())
    path = f"{set_name}({key(before)})"
    refused(api.patch(path, body), 400, 404, 409)
    assert api.read(path) == before


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize(
    ("set_name", "body"),
    [
        ("Things", {"Locations": [make.location()]}),
        ("Things", {"Datastreams": [make.datastream()]}),
        ("Datastreams", {"Thing": make.thing()}),
        ("Datastreams", {"Sensor": make.sensor()}),
        ("Datastreams", {"Observations": [make.observation()]}),
        ("Sensors", {"Datastreams": [make.datastream()]}),
        ("Observations", {"FeatureOfInterest": make.feature()}),
    ],
)
def test_patch_with_inline_related_entities_is_refused(api: Api, set_name: str, body: Entity) -> None:
    """18-088 §10.3.1: no related entity as inline content in an update."""
    kind = next(kind for kind in ALL_TYPES if kind.set_name == set_name)
    before = api.create(set_name, kind.body())
    refused(api.patch(f"{set_name}({key(before)})", body), 400)
    assert api.read(f"{set_name}({key(before)})") == before


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize("name", [ID, "id"])
def test_patch_ignores_the_key(api: Api, name: str) -> None:
    thing = api.create("Things", make.thing())
    after = api.change(f"Things({key(thing)})", {name: 123456789, "description": "new"})
    assert (after[ID], after["description"]) == (thing[ID], "new")


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize(
    ("link", "set_name"), [("Thing", "Things"), ("Sensor", "Sensors"), ("ObservedProperty", "ObservedProperties")]
)
def test_patch_of_a_to_one_link_replaces_it(api: Api, link: str, set_name: str) -> None:
    stream = api.create("Datastreams", make.datastream(Thing=make.thing()))
    target = api.create(
        set_name, {"Thing": make.thing, "Sensor": make.sensor, "ObservedProperty": make.observed_property}[link]()
    )
    path = f"Datastreams({key(stream)})"
    old = api.read(f"{path}/{link}")
    api.change(path, {link: ref(target)})
    assert api.read(f"{path}/{link}")[ID] == target[ID]
    assert api.ids(f"{set_name}({key(old)})/Datastreams") == []


@requirement("create-update-delete/update-entity")
def test_patch_of_a_to_many_link_adds_to_it(api: Api) -> None:
    sensor = api.create("Sensors", make.sensor())
    first = api.create("Datastreams", make.datastream(Thing=make.thing(), Sensor=ref(sensor)))
    second = api.create("Datastreams", make.datastream(Thing=make.thing()))
    api.change(f"Sensors({key(sensor)})", {"Datastreams": [ref(second)]})
    assert sorted(api.ids(f"Sensors({key(sensor)})/Datastreams")) == sorted([first[ID], second[ID]])


@requirement("create-update-delete/update-entity")
def test_patch_of_the_feature_of_an_observation(api: Api) -> None:
    made = api.create(
        "Observations", make.observation(Datastream=make.datastream(Thing=make.thing(Locations=[make.location()])))
    )
    feature = api.create("FeaturesOfInterest", make.feature())
    api.change(f"Observations({key(made)})", {"FeatureOfInterest": ref(feature)})
    assert api.read(f"Observations({key(made)})/FeatureOfInterest")[ID] == feature[ID]


@requirement("create-update-delete/update-entity")
def test_patch_with_nothing_changes_nothing(api: Api) -> None:
    thing = api.create("Things", make.thing())
    assert api.change(f"Things({key(thing)})", {}) == thing


@requirement("create-update-delete/update-entity")
@pytest.mark.parametrize("path", ["Things", "Things({k})/name", "Things({k})/Datastreams", ""])
def test_patch_and_put_where_there_is_no_entity_are_refused(api: Api, path: str) -> None:
    thing = api.create("Things", make.thing())
    address = path.format(k=key(thing))
    assert api.patch(address, {"name": "x"}).status_code in (400, 404, 405)
    assert api.put(address, make.thing()).status_code in (400, 404, 405)


@requirement("create-update-delete/update-entity-put")
@pytest.mark.parametrize(
    "kind", [kind for kind in ALL_TYPES if "properties" in kind.optional], ids=lambda kind: kind.name
)
def test_put_replaces_and_resets_what_is_optional(api: Api, kind: EntityType) -> None:
    before = api.create(kind.set_name, {**kind.body(), "properties": {"a": 1}})
    path = f"{kind.set_name}({key(before)})"
    body = {name: before[name] for name in kind.mandatory if name != "observationType" or name in before}
    body[kind.editable] = "put"
    response = api.put(path, body)
    assert response.status_code in (200, 204), describe(response)
    after = api.read(path)
    assert after[kind.editable] == "put"
    assert not after.get("properties")
    assert after[SELF] == before[SELF]


@requirement("create-update-delete/update-entity-put")
def test_put_keeps_links(api: Api) -> None:
    thing = api.create("Things", make.station())
    path = f"Things({key(thing)})"
    before = (api.ids(f"{path}/Locations"), api.ids(f"{path}/Datastreams"), api.ids(f"{path}/HistoricalLocations"))
    assert api.put(path, make.thing()).status_code in (200, 204)
    after = (api.ids(f"{path}/Locations"), api.ids(f"{path}/Datastreams"), api.ids(f"{path}/HistoricalLocations"))
    assert after == before


@requirement("create-update-delete/update-entity-put")
def test_put_of_an_observation(api: Api) -> None:
    made = api.create(
        "Observations",
        make.observation(
            1,
            resultQuality="good",
            parameters={"a": 1},
            phenomenonTime="2024-01-01T00:00:00Z",
            Datastream=make.datastream(Thing=make.thing(Locations=[make.location()])),
        ),
    )
    path = f"Observations({key(made)})"
    assert api.put(path, {"result": 2, "phenomenonTime": "2024-01-02T00:00:00Z"}).status_code in (200, 204)
    after = api.read(path)
    assert (after["result"], after.get("resultQuality"), after.get("parameters")) == (2, None, None)
    assert _instant(after["phenomenonTime"]) == "2024-01-02T00:00:00Z"


@requirement("create-update-delete/update-entity-put")
@pytest.mark.parametrize("missing", ["name", "description"])
def test_put_without_a_mandatory_property_is_refused(api: Api, missing: str) -> None:
    thing = api.create("Things", make.thing())
    refused(api.put(f"Things({key(thing)})", without(make.thing(), [missing])), 400)
    assert api.read(f"Things({key(thing)})") == thing


@requirement("create-update-delete/update-entity-put")
def test_put_of_a_missing_entity_is_404_and_creates_nothing(api: Api) -> None:
    refused(api.put("Things(9007199254740000)", make.thing()), 404)


@requirement("create-update-delete/update-entity-put")
def test_what_was_read_can_be_put_back(api: Api) -> None:
    thing = api.create("Things", make.thing(properties={"a": 1}))
    assert api.put(f"Things({key(thing)})", thing).status_code in (200, 204)
    assert api.read(f"Things({key(thing)})") == thing


BASE: Entity = {"a": 1, "list": [1, 2, 3], "deep": {"er": "x"}, "a/b": 1, "m~n": 2}
OPERATIONS: list[tuple[list[Entity], Entity]] = [
    ([{"op": "add", "path": "/properties/new", "value": 5}], {**BASE, "new": 5}),
    ([{"op": "add", "path": "/properties", "value": {"only": 1}}], {"only": 1}),
    ([{"op": "add", "path": "/properties/list/1", "value": 9}], {**BASE, "list": [1, 9, 2, 3]}),
    ([{"op": "add", "path": "/properties/list/-", "value": 9}], {**BASE, "list": [1, 2, 3, 9]}),
    ([{"op": "replace", "path": "/properties/a", "value": None}], {**BASE, "a": None}),
    ([{"op": "replace", "path": "/properties/list/0", "value": {}}], {**BASE, "list": [{}, 2, 3]}),
    ([{"op": "remove", "path": "/properties/a"}], without(BASE, ["a"])),
    ([{"op": "remove", "path": "/properties/list/1"}], {**BASE, "list": [1, 3]}),
    ([{"op": "move", "from": "/properties/a", "path": "/properties/z"}], {**without(BASE, ["a"]), "z": 1}),
    ([{"op": "copy", "from": "/properties/deep", "path": "/properties/copy"}], {**BASE, "copy": {"er": "x"}}),
    (
        [{"op": "test", "path": "/properties/a", "value": 1}, {"op": "replace", "path": "/properties/a", "value": 2}],
        {**BASE, "a": 2},
    ),
    ([{"op": "replace", "path": "/properties/a~1b", "value": 7}], {**BASE, "a/b": 7}),
    ([{"op": "replace", "path": "/properties/m~0n", "value": 7}], {**BASE, "m~n": 7}),
    (
        [
            {"op": "copy", "from": "/properties/a", "path": "/properties/k"},
            {"op": "move", "from": "/properties/a", "path": "/properties/l"},
        ],
        {**without(BASE, ["a"]), "k": 1, "l": 1},
    ),
    ([{"op": "replace", "path": "/properties/a", "value": 1}], BASE),
    ([], BASE),
]


@requirement("create-update-delete/update-entity-jsonpatch")
@pytest.mark.parametrize(("operations", "expected"), OPERATIONS, ids=lambda case: str(case)[:60])
def test_json_patch(api: Api, operations: list[Entity], expected: Entity) -> None:
    thing = api.create("Things", make.thing(properties=BASE))
    response = api.json_patch(f"Things({key(thing)})", operations)
    assert response.status_code in (200, 204), describe(response)
    assert api.read(f"Things({key(thing)})")["properties"] == expected


@requirement("create-update-delete/update-entity-jsonpatch")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_json_patch_of_each_type(api: Api, kind: EntityType) -> None:
    made = api.create(kind.set_name, kind.body())
    path = f"{kind.set_name}({key(made)})"
    value = NEW_VALUES[kind.editable]
    response = api.json_patch(path, [{"op": "add", "path": f"/{kind.editable}", "value": value}])
    assert response.status_code in (200, 204), describe(response)
    assert _instant(api.read(path)[kind.editable]) == value


@requirement("create-update-delete/update-entity-jsonpatch")
@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "replace", "path": "/properties/absent", "value": 1}],
        [{"op": "remove", "path": "/properties/absent"}],
        [{"op": "test", "path": "/properties/a", "value": 2}],
        [{"op": "test", "path": "/properties/a", "value": "1"}],
        [{"op": "add", "path": "/properties/z", "value": 1}, {"op": "test", "path": "/properties/a", "value": 2}],
        [{"op": "add", "path": "/properties/list/9", "value": 1}],
        [{"op": "remove", "path": "/name"}],
        [{"op": "replace", "path": "/name", "value": 5}],
        [{"op": "add", "path": "/colour", "value": "blue"}],
        [{"op": "nothing", "path": "/name", "value": "x"}],
        [{"op": "add"}],
        [{"path": "/name"}],
        [5],
        {"op": "add"},
        "x",
        None,
        [{"op": "add", "path": "properties/z", "value": 1}],
        [{"op": "move", "from": "/absent", "path": "/name"}],
        [{"op": "add", "path": "/properties/a/b", "value": 1}],
        [{"op": "replace", "path": "", "value": 5}],
        [{"op": "move", "from": "/properties", "path": "/properties/inside"}],
        [{"op": "replace", "path": "/properties/list/-", "value": 1}],
        [{"op": "replace", "path": "/properties/list/01", "value": 1}],
        [{"op": "add", "path": "/properties/z"}],
    ],
    ids=lambda case: str(case)[:60],
)
def test_json_patch_that_fails_changes_nothing(api: Api, operations: Any) -> None:
    thing = api.create("Things", make.thing(properties=BASE))
    refused(api.json_patch(f"Things({key(thing)})", operations), 400, 409, 422)
    assert api.read(f"Things({key(thing)})") == thing


@requirement("create-update-delete/update-entity-jsonpatch")
def test_json_patch_cannot_change_the_key(api: Api) -> None:
    thing = api.create("Things", make.thing())
    response = api.json_patch(f"Things({key(thing)})", [{"op": "replace", "path": "/@iot.id", "value": 123456789}])
    assert response.status_code in (200, 204, 400, 409)
    assert api.read(f"Things({key(thing)})")[ID] == thing[ID]


@requirement("create-update-delete/update-entity", "request-data/status-code")
@pytest.mark.parametrize("media", ["application/xml", "image/png"])
def test_unknown_media_type_is_415(api: Api, media: str) -> None:
    thing = api.create("Things", make.thing())
    for response in (
        api.patch(f"Things({key(thing)})", content="{}", headers={"Content-Type": media}),
        api.post("Things", content="{}", headers={"Content-Type": media}),
    ):
        assert response.status_code in (400, 415), describe(response)
