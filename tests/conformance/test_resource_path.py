"""Addressing: sets, entities, properties, raw values, links and links' references (18-088 §9.2)."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import World
from tests.conformance.model import ALL_TYPES, TARGET, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, SELF, Api, describe, key, refused

pytestmark = pytest.mark.requirement("resource-path/resource-path-to-entities")
BIG = 9_007_199_254_740_000

SIMPLE = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.properties]
TO_ONE = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.to_one]
TO_MANY = [(kind.set_name, name) for kind in ALL_TYPES for name in kind.to_many]


@requirement("resource-path/resource-path-to-entities")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_set_is_a_list_in_value(anon: Api, world: World, kind: EntityType) -> None:
    page = anon.read(kind.set_name, top=2)
    assert isinstance(page["value"], list)
    assert 1 <= len(page["value"]) <= 2


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_entity_by_its_key(anon: Api, world: World, kind: EntityType) -> None:
    assert anon.read(world.path(kind.set_name))[ID] == world[kind.set_name][ID]


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_missing_entity_is_404(anon: Api, kind: EntityType) -> None:
    refused(anon.get(f"{kind.set_name}({BIG})"), 404)


@pytest.mark.parametrize(
    "key_text", ["99999999999999999999999999", "-1", "0", "1.5", "abc", "'abc'", "null", "1,2", "%27", "1e3", "0x1"]
)
def test_key_that_cannot_be_one_is_400_or_404(anon: Api, key_text: str) -> None:
    refused(anon.get(f"Things({key_text})"), 400, 404)


@pytest.mark.parametrize(("set_name", "name"), SIMPLE)
def test_property_by_its_path(anon: Api, world: World, set_name: str, name: str) -> None:
    assert anon.read(f"{world.path(set_name)}/{name}") == {name: world[set_name][name]}


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_raw_value_of_a_text_property_is_plain_text(anon: Api, world: World, kind: EntityType) -> None:
    name = "time" if kind.name == "HistoricalLocation" else "phenomenonTime" if kind.name == "Observation" else "name"
    response = anon.get(f"{world.path(kind.set_name)}/{name}/$value")
    assert response.status_code == 200, describe(response)
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.text == world[kind.set_name][name]


def test_raw_value_of_a_number_is_its_digits(anon: Api, world: World) -> None:
    response = anon.get(f"{world.path('Observations')}/result/$value")
    assert (response.status_code, response.text) == (200, "0.5")


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_unknown_property_is_404(anon: Api, world: World, kind: EntityType) -> None:
    refused(anon.get(f"{world.path(kind.set_name)}/colour"), 404)
    refused(anon.get(f"{world.path(kind.set_name)}/colour/$value"), 404)


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_property_of_a_missing_entity_is_404(anon: Api, kind: EntityType) -> None:
    refused(anon.get(f"{kind.set_name}({BIG})/{kind.mandatory[0]}"), 404)


@pytest.mark.parametrize("ending", ["", "/$value"])
@pytest.mark.parametrize("name", ["resultTime", "resultQuality", "validTime", "parameters"])
def test_property_that_is_null_is_204(api: Api, name: str, ending: str) -> None:
    body = make.observation(Datastream=make.datastream(Thing=make.thing(Locations=[make.location()])))
    made = api.create("Observations", body)
    response = api.get(f"Observations({key(made)})/{name}{ending}")
    assert (response.status_code, response.content) == (204, b"")


def test_property_never_given_is_204(api: Api) -> None:
    made = api.create("Things", make.thing(properties=make.OMIT))
    assert api.get(f"Things({key(made)})/properties").status_code == 204
    assert api.get(f"Things({key(made)})/properties/$value").status_code == 204


@pytest.fixture(scope="module")
def nested(api: Api) -> str:
    """The path of a Thing with nested free properties."""
    made = api.create(
        "Things",
        make.thing(
            properties={
                "text": "abc",
                "flag": True,
                "number": 8,
                "list": [8, 9, 10],
                "grid": [[1, 2], [3, 4]],
                "nothing": None,
                "objects": [{"text": "jkl", "list": [5, 6]}],
                "deep": {"er": {"est": "x"}},
                "with space": 1,
                "dash-ed": 2,
            }
        ),
    )
    return f"Things({key(made)})"


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("properties/text", "text", "abc"),
        ("properties/flag", "flag", True),
        ("properties/number", "number", 8),
        ("properties/list", "list", [8, 9, 10]),
        ("properties/list[1]", "list[1]", 9),
        ("properties/grid[1]", "grid[1]", [3, 4]),
        ("properties/grid[0][1]", "grid[0][1]", 2),
        ("properties/objects[0]/text", "text", "jkl"),
        ("properties/objects[0]/list[1]", "list[1]", 6),
        ("properties/deep", "deep", {"er": {"est": "x"}}),
        ("properties/deep/er/est", "est", "x"),
        ("properties/dash-ed", "dash-ed", 2),
        ("properties/with%20space", "with space", 1),
    ],
)
def test_path_into_free_properties(anon: Api, nested: str, path: str, name: str, expected: object) -> None:
    """The member is named by the path's last step, with its index (FROST)."""
    address = f"{nested}/{path}".replace("[", "%5B").replace("]", "%5D")
    assert anon.read(address) == {name: expected}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("properties/text", "abc"),
        ("properties/number", "8"),
        ("properties/flag", "true"),
        ("properties/list[1]", "9"),
    ],
)
def test_raw_value_inside_free_properties(anon: Api, nested: str, path: str, expected: str) -> None:
    response = anon.get(f"{nested}/{path}/$value")
    assert (response.status_code, response.text) == (200, expected)


@pytest.mark.parametrize(
    "path", ["properties/absent", "properties/list[9]", "properties/text/deeper", "properties/deep/absent/x"]
)
def test_path_to_nothing_inside_free_properties_is_404_or_204(anon: Api, nested: str, path: str) -> None:
    assert anon.get(f"{nested}/{path}").status_code in (204, 404)


def test_null_inside_free_properties_is_204(anon: Api, nested: str) -> None:
    assert anon.get(f"{nested}/properties/nothing").status_code == 204


@pytest.mark.parametrize("name", ["name", "symbol", "definition"])
def test_path_into_the_unit_of_measurement(anon: Api, world: World, name: str) -> None:
    assert anon.read(f"{world.path('Datastreams')}/unitOfMeasurement/{name}") == {name: make.CELSIUS[name]}
    assert anon.get(f"{world.path('Datastreams')}/unitOfMeasurement/{name}/$value").text == make.CELSIUS[name]


@pytest.mark.parametrize(("set_name", "name"), TO_ONE)
def test_to_one_link_gives_the_entity(anon: Api, world: World, set_name: str, name: str) -> None:
    answer = anon.read(f"{world.path(set_name)}/{name}")
    assert answer[SELF].startswith(f"{anon.base}/{TARGET[name].set_name}(")


@pytest.mark.parametrize(("set_name", "name"), TO_MANY)
def test_to_many_link_gives_a_list(anon: Api, world: World, set_name: str, name: str) -> None:
    items = anon.value(f"{world.path(set_name)}/{name}", top=5)
    assert all(item[SELF].startswith(f"{anon.base}/{name}(") for item in items)


@pytest.mark.parametrize(("set_name", "name"), TO_MANY)
def test_links_of_a_missing_entity_are_404(anon: Api, set_name: str, name: str) -> None:
    refused(anon.get(f"{set_name}({BIG})/{name}"), 404)


@pytest.mark.parametrize(("set_name", "name"), TO_MANY)
def test_references_of_a_to_many_link_hold_only_self_links(anon: Api, world: World, set_name: str, name: str) -> None:
    items = anon.value(f"{world.path(set_name)}/{name}/$ref")
    assert all(list(item) == [SELF] for item in items)
    whole = anon.value(f"{world.path(set_name)}/{name}")
    assert [item[SELF] for item in items] == [item[SELF] for item in whole]


@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_references_of_a_set(anon: Api, world: World, kind: EntityType) -> None:
    page = anon.read(f"{kind.set_name}/$ref", top=2, count=True)
    assert page["@iot.count"] >= len(page["value"])
    assert all(list(item) == [SELF] for item in page["value"])


def test_reference_of_a_to_one_link(anon: Api, world: World) -> None:
    assert anon.read(f"{world.path('Datastreams')}/Thing/$ref") == {SELF: world["Things"][SELF]}


LONG = [
    "{Things}/Datastreams({Datastreams})/Observations({Observations})/FeatureOfInterest",
    "{Things}/Datastreams({Datastreams})/Observations",
    "{Things}/Datastreams({Datastreams})/Sensor",
    "{Observations}/Datastream/Thing/Locations({Locations})/HistoricalLocations",
    "{Sensors}/Datastreams({Datastreams})/Thing/Datastreams",
    "{Locations}/Things({Things})/HistoricalLocations({HistoricalLocations})/Locations",
    "{FeaturesOfInterest}/Observations({Observations})/Datastream/ObservedProperty/Datastreams",
    "{MultiDatastreams}/ObservedProperties",
    "{Things}/MultiDatastreams({MultiDatastreams})/Observations",
]


@pytest.mark.parametrize("path", LONG)
def test_long_path(anon: Api, world: World, path: str) -> None:
    keys = {name: key(entity) for name, entity in world.entities.items()}
    first = {name: world.path(name) for name in keys}
    head, _, rest = path.partition("/")
    assert anon.get(f"{head.format(**first)}/{rest.format(**keys)}").status_code == 200


@pytest.mark.parametrize("path", LONG[:3])
def test_long_path_with_a_property_and_raw_value(anon: Api, world: World, path: str) -> None:
    keys = {name: key(entity) for name, entity in world.entities.items()}
    address = f"{world.path('Things')}/Datastreams({keys['Datastreams']})/unitOfMeasurement/symbol/$value"
    assert anon.get(address).text == "°C"


@pytest.mark.parametrize(
    "path",
    [
        "Datastreams({d})",
        "Datastreams({d})/Observations",
        "Datastreams({d})/name",
        "Datastreams({d})/Observations/$ref",
        "Datastreams({d})/Sensor",
    ],
)
def test_an_entity_that_is_not_below_the_other_is_404(api: Api, world: World, path: str) -> None:
    stranger = api.create("Things", make.thing())
    address = f"Things({key(stranger)})/{path.format(d=key(world['Datastreams']))}"
    refused(api.get(address), 404)


def test_writing_through_a_wrong_path_is_404_and_changes_nothing(api: Api, world: World) -> None:
    stranger = api.create("Things", make.thing())
    wrong = f"Things({key(stranger)})/Datastreams({key(world['Datastreams'])})"
    refused(api.patch(wrong, {"description": "moved"}), 404)
    refused(api.delete(wrong), 404)
    refused(api.post(f"{wrong}/Observations", make.observation()), 404)
    assert api.read(world.path("Datastreams"))["description"] == world["Datastreams"]["description"]


@pytest.mark.parametrize("path", ["Things({t})/Datastreams({d})", "Observations({o})/Datastream"])
def test_self_link_does_not_depend_on_the_path(anon: Api, world: World, path: str) -> None:
    address = path.format(t=key(world["Things"]), d=key(world["Datastreams"]), o=key(world["Observations"]))
    assert anon.read(address)[SELF] == world["Datastreams"][SELF]


@pytest.mark.parametrize("address", ["Things%28{t}%29", "Things({t})/", "Things({t})/Datastreams/"])
def test_encoded_or_closed_paths_lead_to_the_same(anon: Api, world: World, address: str) -> None:
    assert anon.get(address.format(t=key(world["Things"]))).status_code == 200


def test_number_of_a_set(anon: Api, world: World) -> None:
    """`/$count` gives the bare number (OData; FROST does not know it, so 404 or 501 is allowed too)."""
    response = anon.get(f"{world.path('Things')}/Datastreams/$count")
    assert response.status_code in (200, 404, 501), describe(response)
    if response.status_code == 200:
        assert response.text == "2"
