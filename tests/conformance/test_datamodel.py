"""Properties, relations and control information of the entity types (18-088 §8.2, tables 3 to 17)."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES, MULTI, TARGET, TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, SELF, Api, Entity, describe, key, refused, without

by_name = {kind.set_name: kind for kind in TYPES}


def _cases(part: str) -> list[tuple[str, str]]:
    return [(kind.set_name, name) for kind in ALL_TYPES for name in getattr(kind, part)]


@requirement(
    "datamodel/thing/properties",
    "datamodel/location/properties",
    "datamodel/historical-location/properties",
    "datamodel/datastream/properties",
    "datamodel/sensor/properties",
    "datamodel/observed-property/properties",
    "datamodel/observation/properties",
    "datamodel/feature-of-interest/properties",
    "multi-datastream/properties",
)
@pytest.mark.parametrize(("set_name", "name"), _cases("properties"))
def test_entity_shows_the_property(anon: Api, world: World, set_name: str, name: str) -> None:
    assert anon.read(world.path(set_name))[name] is not None


@requirement(
    "datamodel/thing/relations",
    "datamodel/location/relations",
    "datamodel/historical-location/relations",
    "datamodel/datastream/relations",
    "datamodel/sensor/relations",
    "datamodel/observed-property/relations",
    "datamodel/observation/relations",
    "datamodel/feature-of-interest/relations",
    "multi-datastream/relations",
)
@pytest.mark.parametrize(("set_name", "name"), _cases("relations"))
def test_entity_has_a_link_that_leads_to_the_relation(anon: Api, world: World, set_name: str, name: str) -> None:
    link = world[set_name][f"{name}@iot.navigationLink"]
    answer = anon.read(link)
    if name in TARGET and TARGET[name].set_name == name:
        assert isinstance(answer["value"], list)
    else:
        assert ID in answer


@requirement("datamodel/entity-control-information/common-control-information")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_self_link_is_absolute_and_leads_to_the_entity(anon: Api, world: World, kind: EntityType) -> None:
    entity = world[kind.set_name]
    assert entity[SELF] == f"{anon.base}/{kind.set_name}({key(entity)})"
    assert anon.read(entity[SELF])[ID] == entity[ID]


@requirement("datamodel/entity-control-information/common-control-information")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_no_member_is_unknown_to_the_standard(anon: Api, world: World, kind: EntityType) -> None:
    """An Observation has a link to its Datastream or to its MultiDatastream, so both names are known."""
    known = {
        *kind.properties,
        ID,
        SELF,
        "@iot.etag",
        *(f"{name}@iot.navigationLink" for name in kind.relations),
        "MultiDatastream@iot.navigationLink",
    }
    assert set(anon.read(world.path(kind.set_name))) <= known


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_entity_is_created_and_found_under_its_location(api: Api, kind: EntityType) -> None:
    body = kind.body()
    response = api.post(kind.set_name, body)
    assert response.status_code == 201, describe(response)
    made = api.read(response.headers["Location"])
    assert made[SELF] == response.headers["Location"]
    if "name" in body:
        assert made["name"] == body["name"]


def _required() -> list[tuple[str, str]]:
    optional_on_create = {
        ("Observations", "phenomenonTime"),
        ("Observations", "resultTime"),
        ("Observations", "result"),
        ("MultiDatastreams", "observationType"),
    }
    return [
        (kind.set_name, name)
        for kind in ALL_TYPES
        for name in kind.mandatory
        if (kind.set_name, name) not in optional_on_create
    ]


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(("set_name", "name"), _required())
def test_entity_without_a_mandatory_property_is_refused(api: Api, set_name: str, name: str) -> None:
    kind = {**by_name, MULTI.set_name: MULTI}[set_name]
    body = refused(api.post(set_name, without(kind.body(), [name])), 400)
    assert name in str(body), body


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_entity_with_an_unknown_member_is_refused(api: Api, kind: EntityType) -> None:
    """A misspelt member must not vanish silently; FROST refuses it too."""
    refused(api.post(kind.set_name, {**kind.body(), "colour": "blue"}), 400)


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    ("set_name", "changes"),
    [
        ("Things", {"name": 5}),
        ("Things", {"name": None}),
        ("Things", {"name": ["a"]}),
        ("Things", {"description": {}}),
        ("Things", {"properties": "text"}),
        ("Things", {"properties": [1]}),
        ("Things", {"properties": 7}),
        ("Locations", {"encodingType": 1}),
        ("Locations", {"location": None}),
        ("Locations", {"location": {"type": "Point"}}),
        ("Locations", {"location": {"type": "Point", "coordinates": ["a", "b"]}}),
        ("Locations", {"location": {"type": "Point", "coordinates": [1]}}),
        ("Locations", {"location": {"type": "Circle", "coordinates": [1, 2]}}),
        ("Locations", {"location": {"type": "Polygon", "coordinates": [[1, 2], [3, 4]]}}),
        ("Locations", {"location": {"type": "LineString", "coordinates": [[1, 2]]}}),
        ("Sensors", {"name": True}),
        ("Sensors", {"metadata": None}),
        ("ObservedProperties", {"definition": 3}),
        ("ObservedProperties", {"definition": None}),
        ("FeaturesOfInterest", {"feature": None}),
        ("FeaturesOfInterest", {"encodingType": None}),
        ("Datastreams", {"unitOfMeasurement": "m"}),
        ("Datastreams", {"unitOfMeasurement": None}),
        ("Datastreams", {"observationType": 4}),
        ("Datastreams", {"Observations": "x"}),
        ("HistoricalLocations", {"time": "yesterday"}),
        ("HistoricalLocations", {"time": 5}),
        ("HistoricalLocations", {"time": "2020-13-01T00:00:00Z"}),
        ("HistoricalLocations", {"time": None}),
        ("Observations", {"phenomenonTime": "now"}),
        ("Observations", {"phenomenonTime": 12}),
        ("Observations", {"phenomenonTime": "2020-02-30T00:00:00Z"}),
        ("Observations", {"phenomenonTime": "2020-01-02T00:00:00Z/2020-01-01T00:00:00Z"}),
        ("Observations", {"resultTime": "2020-01-01T00:00:00Z/2020-01-02T00:00:00Z"}),
        ("Observations", {"resultTime": False}),
        ("Observations", {"validTime": "2020-01-01T00:00:00Z"}),
        ("Observations", {"validTime": "x/y"}),
        ("Observations", {"parameters": "text"}),
        ("Observations", {"parameters": 3}),
    ],
)
def test_property_of_the_wrong_type_is_refused(api: Api, set_name: str, changes: Entity) -> None:
    body = refused(api.post(set_name, {**by_name[set_name].body(), **changes}), 400)
    assert next(iter(changes)) in str(body.get("place", "")) + str(body["message"]), body


@requirement("datamodel/observation/properties")
def test_result_time_is_present_and_null_when_not_given(api: Api, world: World) -> None:
    made = api.create(
        f"{world.path('Datastreams')}/Observations", make.observation(phenomenonTime="2024-06-01T00:00:00Z")
    )
    api.remove(made[SELF])
    assert "resultTime" in made
    assert made["resultTime"] is None


@requirement("datamodel/observation/properties")
def test_phenomenon_time_defaults_to_now(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    made = api.create(f"Datastreams({key(stream)})/Observations", make.observation())
    when = datetime.fromisoformat(made["phenomenonTime"])
    assert abs((datetime.now(when.tzinfo) - when).total_seconds()) < 60


@requirement("datamodel/thing/properties")
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": None},
        {"deep": {"er": [1, {"x": "y"}]}},
        {"é": "ÿ", "空": "🌊"},
        {"n": 1.5e-9, "big": 9007199254740993},
        {"flags": [True, False, None]},
        {"quote": 'it\'s "said"', "line": "a\nb\t\\"},
    ],
)
def test_free_properties_come_back_as_they_were_sent(api: Api, value: Entity) -> None:
    assert api.create("Things", make.thing(properties=value))["properties"] == value


@requirement("datamodel/location/properties", "datamodel/feature-of-interest/properties")
@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [-61.0, 14.6]},
        {"type": "Point", "coordinates": [-61.0, 14.6, 120.5]},
        {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]], [[2, 1], [3, 1], [3, 2], [2, 1]]]},
        {"type": "MultiPoint", "coordinates": [[0, 0], [1, 1]]},
        {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]},
        {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]]]},
        {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]},
        {"type": "Feature", "properties": {"name": "x"}, "geometry": {"type": "Point", "coordinates": [1, 2]}},
    ],
    ids=lambda geometry: f"{geometry['type']}-{len(str(geometry))}",
)
def test_geojson_comes_back_as_it_was_sent(api: Api, geometry: Entity) -> None:
    assert api.create("Locations", make.location(location=geometry))["location"] == geometry
    assert api.create("FeaturesOfInterest", make.feature(feature=geometry))["feature"] == geometry


@requirement("datamodel/location/properties")
@pytest.mark.parametrize("encoding", ["application/geo+json", "application/vnd.geo+json"])
def test_both_names_of_geojson_are_known(api: Api, encoding: str) -> None:
    assert api.create("Locations", make.location(encodingType=encoding))["encodingType"] == encoding


@requirement("datamodel/location/properties")
def test_a_location_in_another_encoding_is_kept_as_text(api: Api) -> None:
    made = api.create("Locations", make.location(encodingType="text/plain", location="Behind the town hall"))
    assert made["location"] == "Behind the town hall"


@requirement("datamodel/sensor/properties")
@pytest.mark.parametrize("metadata", ["http://example.org/a.pdf", "", {"type": "SensorML", "id": 4}, ["a", 1]])
def test_sensor_metadata_may_be_text_or_json(api: Api, metadata: object) -> None:
    made = api.create("Sensors", make.sensor(encodingType="application/json", metadata=metadata))
    assert made["metadata"] == metadata
