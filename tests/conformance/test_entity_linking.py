"""Links of one's own in free properties: `name.Thing@iot.id` (EntityLinking extension)."""

from __future__ import annotations

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, key, ref

pytestmark = pytest.mark.requirement("extension/entity-linking")


@pytest.fixture(scope="module")
def rooms(api: Api) -> dict[str, Entity]:
    """A building, and a room whose properties link to it, to a Sensor, and from inside a nested object."""
    building = api.create("Things", make.thing(name=make.unique("building"), properties={"floors": 3}))
    sensor = api.create("Sensors", make.sensor())
    room = api.create(
        "Things",
        make.thing(
            name=make.unique("room"),
            properties={
                "building.Thing@iot.id": building[ID],
                "kind.Sensor@iot.id": sensor[ID],
                "size": 20,
                "links": {"home.Thing@iot.id": building[ID]},
            },
        ),
    )
    return {"building": building, "sensor": sensor, "room": room}


@requirement("extension/entity-linking")
@pytest.mark.parametrize(
    ("name", "target", "set_name"), [("building.Thing", "building", "Things"), ("kind.Sensor", "sensor", "Sensors")]
)
def test_the_service_adds_the_address(
    anon: Api, rooms: dict[str, Entity], name: str, target: str, set_name: str
) -> None:
    shown = anon.read(f"Things({key(rooms['room'])})")["properties"]
    assert shown[f"{name}@iot.id"] == rooms[target][ID]
    assert shown[f"{name}@iot.navigationLink"] == f"{anon.base}/{set_name}({key(rooms[target])})"
    assert shown["size"] == 20


@requirement("extension/entity-linking")
def test_expand_of_an_own_link(anon: Api, rooms: dict[str, Entity]) -> None:
    answer = anon.read(f"Things({key(rooms['room'])})", expand="properties/building.Thing")
    assert answer["properties"]["building.Thing"]["name"] == rooms["building"]["name"]
    assert answer["properties"]["building.Thing@iot.id"] == rooms["building"][ID]


@requirement("extension/entity-linking")
def test_expand_of_an_own_link_with_options(anon: Api, rooms: dict[str, Entity]) -> None:
    answer = anon.read(f"Things({key(rooms['room'])})", expand="properties/building.Thing($select=name)")
    assert answer["properties"]["building.Thing"] == {"name": rooms["building"]["name"]}


@requirement("extension/entity-linking")
@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("properties/building.Thing/name eq '{name}'", True),
        ("properties/building.Thing/properties/floors eq 3", True),
        ("properties/building.Thing/name eq 'nothing'", False),
        ("properties/building.Thing@iot.id eq {id}", True),
    ],
)
def test_filter_through_an_own_link(anon: Api, rooms: dict[str, Entity], condition: str, found: bool) -> None:
    text = condition.format(name=rooms["building"]["name"], id=rooms["building"][ID])
    names = anon.names("Things", filter=f"{text} and id eq {rooms['room'][ID]}")
    assert names == ([rooms["room"]["name"]] if found else [])


@requirement("extension/entity-linking")
def test_what_the_service_adds_is_not_stored(api: Api, rooms: dict[str, Entity]) -> None:
    """A client that sends back what it read does not freeze old addresses."""
    path = f"Things({key(rooms['room'])})"
    shown = api.read(path)
    api.change(
        path,
        {
            "properties": {
                **shown["properties"],
                "building.Thing": {"name": "forged"},
                "building.Thing@iot.navigationLink": "http://example.org/forged",
            }
        },
    )
    again = api.read(path)
    assert "forged" not in str(again["properties"])
    assert again["properties"] == shown["properties"]


@requirement("extension/entity-linking")
def test_a_link_to_what_is_gone_stays_a_plain_value(api: Api) -> None:
    target = api.create("Things", make.thing())
    room = api.create("Things", make.thing(properties={"next.Thing@iot.id": target[ID]}))
    api.remove(f"Things({key(target)})")
    answer = api.read(f"Things({key(room)})", expand="properties/next.Thing")
    assert answer["properties"]["next.Thing@iot.id"] == target[ID]
    assert not answer["properties"].get("next.Thing")


@requirement("extension/entity-linking")
@pytest.mark.parametrize(
    "properties",
    [
        {"x.Nothing@iot.id": 1},
        {"x.Thing@iot.id": "text"},
        {"x.Thing@iot.id": None},
        {"@iot.id": 5},
        {".Thing@iot.id": 1},
        {"x.Thing@iot.id": {"a": 1}},
        {"Thing@iot.id": 1},
    ],
)
def test_what_only_looks_like_a_link_is_kept(api: Api, properties: Entity) -> None:
    made = api.create("Things", make.thing(properties=properties))
    kept = {name: value for name, value in made["properties"].items() if not name.endswith("navigationLink")}
    assert kept == properties


@requirement("extension/entity-linking")
def test_own_links_of_other_types(api: Api) -> None:
    target = api.create("Things", make.thing(Locations=[make.location()]))
    stream = api.create("Datastreams", make.datastream(Thing=ref(target), properties={"from.Thing@iot.id": target[ID]}))
    answer = api.read(f"Datastreams({key(stream)})", expand="properties/from.Thing")
    assert answer["properties"]["from.Thing"][ID] == target[ID]
