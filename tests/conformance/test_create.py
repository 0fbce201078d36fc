"""Creating entities, alone, deep and linked (18-088 §10.2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.model import ALL_TYPES, EntityType
from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, SELF, Api, Entity, describe, key, key_of, ref, refused


@requirement("create-update-delete/create-entity", "create-update-delete/deep-insert-status-code")
@pytest.mark.parametrize("kind", ALL_TYPES, ids=lambda kind: kind.name)
def test_creation_answers_201_with_an_absolute_location(api: Api, kind: EntityType) -> None:
    response = api.post(kind.set_name, kind.body())
    assert response.status_code == 201, describe(response)
    assert response.headers["Location"].startswith(f"{api.base}/{kind.set_name}(")


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("name", [ID, "id"])
def test_a_key_sent_by_the_client_is_not_taken(api: Api, name: str) -> None:
    """The service gives the keys; FROST ignores a client's key by default. Refusing it is as safe."""
    response = api.post("Things", make.thing(**{name: 123456789}))
    if response.status_code == 400:
        return
    assert response.status_code == 201, describe(response)
    assert key_of(response.headers["Location"]) != "123456789"


@requirement("create-update-delete/create-entity")
def test_control_information_in_a_body_is_ignored(api: Api) -> None:
    """A client may post back what it has read."""
    one = api.create("Things", make.thing())
    again = api.create("Things", {**one, "name": make.unique()})
    assert again[ID] != one[ID]
    assert again[SELF] != one[SELF]


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    "name",
    [
        "é à ç",
        "空港 🌊",
        "a" * 5000,
        'it\'s "quoted"',
        "<b>&amp;</b>",
        "\\",
        "line\nbreak",
        " padded ",
        "../..",
        "';drop table things;--",
    ],
)
def test_any_text_is_kept(api: Api, name: str) -> None:
    made = api.create("Things", make.thing(name=name))
    assert made["name"] == name
    assert made[ID] in api.ids(
        "Things",
        filter=f"id eq {made[ID]} and name eq '{name.replace(chr(39), chr(39) * 2)}'"
        if len(name) < 1000
        else f"id eq {made[ID]}",
    )


@requirement("create-update-delete/link-to-existing-entities")
def test_links_to_existing_entities(api: Api) -> None:
    thing, sensor = api.create("Things", make.thing()), api.create("Sensors", make.sensor())
    what = api.create("ObservedProperties", make.observed_property())
    made = api.create("Datastreams", make.datastream(Thing=ref(thing), Sensor=ref(sensor), ObservedProperty=ref(what)))
    for name, target in (("Thing", thing), ("Sensor", sensor), ("ObservedProperty", what)):
        assert api.read(f"Datastreams({key(made)})/{name}")[ID] == target[ID]


@requirement("create-update-delete/link-to-existing-entities")
@pytest.mark.parametrize("form", ["@iot.id", "id"])
def test_both_names_of_the_key_link(api: Api, form: str) -> None:
    """FROST knows only @iot.id; clients of version 1.0 send id. Taken or refused, never misread."""
    place = api.create("Locations", make.location())
    response = api.post("Things", make.thing(Locations=[{form: place[ID]}]))
    if form == "id" and response.status_code == 400:
        return
    assert response.status_code == 201, describe(response)
    assert api.ids(f"Things({key_of(response.headers['Location'])})/Locations") == [place[ID]]


@requirement("create-update-delete/link-to-existing-entities")
@pytest.mark.parametrize("value", [987654321987, -1, "abc", None, 1.5, True, {}, [], "1"])
@pytest.mark.parametrize("name", ["Thing", "Sensor", "ObservedProperty"])
def test_link_to_what_does_not_exist_is_refused_and_creates_nothing(api: Api, name: str, value: Any) -> None:
    body = make.datastream(**{"Thing": make.thing(), name: {ID: value}})
    response = api.post("Datastreams", body)
    refused(response, 400, 404, 409)
    assert api.value("Datastreams", filter=f"name eq '{body['name']}'") == []


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("missing", ["Thing", "Sensor", "ObservedProperty"])
def test_datastream_without_a_mandatory_link_is_refused(api: Api, missing: str) -> None:
    body = make.datastream(**{"Thing": make.thing(), missing: make.OMIT})
    assert missing in str(refused(api.post("Datastreams", body), 400))
    assert api.value("Datastreams", filter=f"name eq '{body['name']}'") == []


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    ("set_name", "body", "missing"),
    [
        ("Observations", {"result": 1}, "Datastream"),
        ("HistoricalLocations", {"time": "2020-01-01T00:00:00Z", "Locations": [make.location()]}, "Thing"),
        ("HistoricalLocations", {"time": "2020-01-01T00:00:00Z", "Thing": make.thing()}, "Location"),
    ],
)
def test_entity_without_a_mandatory_link_is_refused(api: Api, set_name: str, body: Entity, missing: str) -> None:
    assert missing in str(refused(api.post(set_name, body), 400))


@requirement("create-update-delete/deep-insert")
def test_deep_insert_of_a_whole_station(api: Api) -> None:
    place, sensor, what = make.location(), make.sensor(), make.observed_property()
    stream = make.datastream(
        Sensor=sensor,
        ObservedProperty=what,
        Observations=[make.observation(value, phenomenonTime=f"2024-01-01T0{value}:00:00Z") for value in range(3)],
    )
    made = api.create("Things", make.thing(Locations=[place], Datastreams=[stream]))
    here = f"Things({key(made)})"
    assert api.names(f"{here}/Locations") == [place["name"]]
    assert api.names(f"{here}/Datastreams") == [stream["name"]]
    whole = api.read(here, expand="Datastreams($expand=Sensor,ObservedProperty,Observations),HistoricalLocations")
    inside = whole["Datastreams"][0]
    assert (inside["Sensor"]["name"], inside["ObservedProperty"]["name"]) == (sensor["name"], what["name"])
    assert [item["result"] for item in inside["Observations"]] == [0, 1, 2]
    assert len(whole["HistoricalLocations"]) == 1


DEEP: list[tuple[str, Entity, str]] = [
    ("Things", {"Locations": [{}]}, "Locations"),
    ("Things", {"Locations": [{"name": "x"}]}, "Locations"),
    ("Things", {"Locations": {}}, "Locations"),
    ("Things", {"Locations": [5]}, "Locations"),
    ("Things", {"Datastreams": [{"name": "x"}]}, "Datastreams"),
    ("Things", {"Locations": [make.location()], "Datastreams": [make.datastream(Sensor=make.OMIT)]}, "Sensor"),
    ("Things", {"Datastreams": [make.datastream(Observations=[{"phenomenonTime": "x"}])]}, "phenomenonTime"),
    ("Things", {"Datastreams": [make.datastream(Observations=[make.observation()])]}, "FeatureOfInterest"),
    ("Things", {"Datastreams": [make.datastream(ObservedProperty={"name": "x"})]}, "ObservedProperty"),
    ("Things", {"Datastreams": [make.datastream(Thing={"name": 5})]}, "Thing"),
    ("Things", {"Locations": [make.location(colour="blue")]}, "colour"),
    ("Things", {"Sensors": [make.sensor()]}, "Sensors"),
    ("Things", {"Thing": make.thing()}, "Thing"),
]


@requirement("create-update-delete/deep-insert", "create-update-delete/deep-insert-status-code")
@pytest.mark.parametrize(("set_name", "changes", "place"), DEEP, ids=[f"{case[2]}-{n}" for n, case in enumerate(DEEP)])
def test_deep_insert_is_all_or_nothing(api: Api, set_name: str, changes: Entity, place: str) -> None:
    body = make.thing(**changes)
    before = {
        name: api.read(name, count=True, top=0)["@iot.count"]
        for name in (
            "Things",
            "Locations",
            "Datastreams",
            "Sensors",
            "ObservedProperties",
            "Observations",
            "FeaturesOfInterest",
            "HistoricalLocations",
        )
    }
    assert place in str(refused(api.post(set_name, body), 400, 409))
    for name, count in before.items():
        assert api.read(name, count=True, top=0)["@iot.count"] == count, name


@requirement("create-update-delete/deep-insert")
def test_deep_insert_error_points_into_the_body(api: Api) -> None:
    body = make.thing(Datastreams=[make.datastream(), make.datastream(unitOfMeasurement=5)])
    place = str(refused(api.post("Things", body), 400)["place"])
    assert place.startswith("/Datastreams/1"), place


@requirement("create-update-delete/deep-insert")
def test_deep_insert_upwards(api: Api) -> None:
    """From the Observation up to the Thing, in one request."""
    thing = make.thing(Locations=[make.location()])
    made = api.create(
        "Observations",
        make.observation(7, phenomenonTime="2024-01-01T00:00:00Z", Datastream=make.datastream(Thing=thing)),
    )
    chain = api.read(f"Observations({key(made)})", expand="Datastream/Thing/Locations,FeatureOfInterest")
    assert chain["Datastream"]["Thing"]["name"] == thing["name"]
    assert chain["FeatureOfInterest"]["feature"] == make.point()


@requirement("create-update-delete/deep-insert")
def test_deep_insert_mixes_new_and_existing(api: Api) -> None:
    sensor = api.create("Sensors", make.sensor())
    made = api.create(
        "Things", make.thing(Datastreams=[make.datastream(Sensor=ref(sensor)), make.datastream(Sensor=ref(sensor))])
    )
    streams = api.value(f"Things({key(made)})/Datastreams", expand="Sensor($select=id)")
    assert [stream["Sensor"][ID] for stream in streams] == [sensor[ID]] * 2


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    ("parent", "link", "child"),
    [
        ("Things", "Locations", make.location),
        ("Things", "Datastreams", make.datastream),
        ("Things", "MultiDatastreams", make.multi_datastream),
        ("Locations", "Things", make.thing),
        ("Sensors", "Datastreams", lambda: make.datastream(Sensor=make.OMIT, Thing=make.thing())),
        ("ObservedProperties", "Datastreams", lambda: make.datastream(ObservedProperty=make.OMIT, Thing=make.thing())),
        (
            "FeaturesOfInterest",
            "Observations",
            lambda: make.observation(Datastream=make.datastream(Thing=make.thing())),
        ),
    ],
)
def test_posting_to_a_link_binds_the_parent(api: Api, parent: str, link: str, child: Any) -> None:
    above = api.create(
        parent,
        {
            "Things": make.thing,
            "Locations": make.location,
            "Sensors": make.sensor,
            "ObservedProperties": make.observed_property,
            "FeaturesOfInterest": make.feature,
        }[parent](),
    )
    path = f"{parent}({key(above)})/{link}"
    made = api.create(path, child())
    assert made[SELF].startswith(f"{api.base}/{link}(")
    assert api.ids(path) == [made[ID]]


@requirement("create-update-delete/create-entity")
def test_posting_to_a_long_link_binds_the_last_parent(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    made = api.create(f"Things({key(thing)})/Datastreams({key(stream)})/Observations", make.observation(9))
    assert api.ids(f"Datastreams({key(stream)})/Observations") == [made[ID]]


@requirement("create-update-delete/link-to-existing-entities")
def test_an_existing_entity_can_be_posted_to_a_link(api: Api) -> None:
    """A body with only a key adds the link (FROST); a server may answer 201 or 200, or refuse."""
    thing, place = api.create("Things", make.thing()), api.create("Locations", make.location())
    response = api.post(f"Things({key(thing)})/Locations", ref(place))
    assert response.status_code in (200, 201, 204, 400), describe(response)
    linked = api.ids(f"Things({key(thing)})/Locations")
    assert linked == ([] if response.status_code == 400 else [place[ID]])


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("path", ["Things(1)", "Things(1)/name", "Datastreams(1)/Thing", "", "Things/$ref"])
def test_post_where_nothing_can_be_created_is_refused(api: Api, path: str) -> None:
    assert api.post(path, make.thing()).status_code in (400, 404, 405)


@requirement("create-update-delete/create-entity", "request-data/status-code")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '"text"',
        '{"name":}',
        "{'name':'x'}",
        "not json",
        '{"name":"x"} trailing',
        '{"name":NaN}',
        '{"name":"\ud800"}'.encode("utf-8", "surrogatepass"),
        b"\xff\xfe",
        '{"name":"a\\u0000b"}',
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_body_that_is_no_entity_is_400(api: Api, content: str | bytes) -> None:
    refused(api.post("Things", content=content), 400, 413)


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", "Infinity", "9" * 400])
def test_number_out_of_range_is_400(api: Api, value: str) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    refused(api.post(f"Datastreams({key(stream)})/Observations", content=f'{{"result":{value}}}'), 400)


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize("text", ["a\u0000b", "\ud800", "x\udfffy"])
@pytest.mark.parametrize("member", ["name", "properties"])
def test_nul_and_lone_surrogates_are_400(api: Api, member: str, text: str) -> None:
    """PostgreSQL cannot hold a NUL, UTF-8 cannot hold half a pair: refused on both databases alike."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
    value = f'"{escaped}"' if member == "name" else f'{{"k":"{escaped}"}}'
    refused(api.post("Things", content=f'{{"name":"n","description":"d","{member}":{value}}}'), 400)


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    "sent",
    [
        "2024-01-01T00:00:00Z",
        "2024-01-01T00:00:00.000Z",
        "2023-12-31T20:00:00-04:00",
        "2023-12-31T20:00:00-0400",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T00:00:00+00:00",
    ],
)
def test_times_with_and_without_colon_are_one_instant(api: Api, sent: str) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    made = api.create(path, make.observation(phenomenonTime=sent, resultTime=sent))
    assert api.ids(path, filter="phenomenonTime eq 2024-01-01T00:00:00Z") == [made[ID]]
    assert api.ids(path, filter="resultTime eq 2024-01-01T00:00:00Z") == [made[ID]]
    assert made["phenomenonTime"].endswith("Z")


@requirement("create-update-delete/create-entity")
@pytest.mark.parametrize(
    "sent",
    [
        "2024-01-01T00:00:00.123Z",
        "2024-01-01T00:00:00.123456Z",
        "1850-06-01T00:00:00Z",
        "2199-12-31T23:59:59Z",
        "2024-01-01T00:00:00Z/2024-01-01T01:00:00Z",
        "2024-01-01T00:00:00.5Z/2025-01-01T01:00:00.25Z",
        "0001-01-01T00:00:00Z",
    ],
)
def test_time_is_kept_to_the_microsecond(api: Api, sent: str) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    made = api.create(path, make.observation(phenomenonTime=sent))
    assert api.ids(path, filter=f"phenomenonTime eq {sent}") == [made[ID]]
    assert ("/" in made["phenomenonTime"]) is ("/" in sent)


@requirement("create-update-delete/create-entity", "lakou/replay")
def test_an_equal_observation_sent_again_is_the_stored_one(api: Api) -> None:
    """DESIGN §4 rule 6: the same Datastream, time and content: 201 again, the same entity."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    body = make.observation(3.25, phenomenonTime="2024-01-01T00:00:00Z", parameters={"a": 1})
    first, second = api.post(path, body), api.post(path, body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(api.value(path)) == 1


@requirement("lakou/replay")
@pytest.mark.parametrize(
    "change",
    [
        {"result": 4},
        {"parameters": {"a": 2}},
        {"resultTime": "2024-01-01T00:00:00Z"},
        {"phenomenonTime": "2024-01-01T00:00:01Z"},
        {"resultQuality": "bad"},
    ],
)
def test_another_observation_at_the_same_time_is_kept_beside_it(api: Api, change: Entity) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    body = make.observation(3, phenomenonTime="2024-01-01T00:00:00Z", parameters={"a": 1})
    api.create(path, body)
    api.create(path, {**body, **change})
    assert len(api.value(path)) == 2


@requirement("lakou/replay")
def test_a_replay_after_a_deletion_is_new(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    body = make.observation(3, phenomenonTime="2024-01-01T00:00:00Z")
    first = api.create(path, body)
    api.remove(f"Observations({key(first)})")
    assert api.create(path, body)["result"] == 3
    assert len(api.value(path)) == 1


@requirement("lakou/replay")
def test_a_replay_after_a_patch_is_still_the_stored_one(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    body = make.observation(3, phenomenonTime="2024-01-01T00:00:00Z")
    first = api.create(path, body)
    api.change(f"Observations({key(first)})", {"result": 99})
    assert api.create(path, body)["@iot.id"] == first["@iot.id"]
    assert api.results(path) == [99]


@requirement("lakou/replay")
def test_idempotency_key_makes_a_post_without_time_safe(api: Api) -> None:
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    path = f"Datastreams({key(stream)})/Observations"
    headers = {"Idempotency-Key": make.unique("idem")}
    places = {api.post(path, make.observation(1), headers=headers).headers["Location"] for _ in range(3)}
    assert len(places) == 1
    assert len(api.value(path)) == 1
