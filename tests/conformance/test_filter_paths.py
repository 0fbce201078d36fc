"""$filter through links: to-one, to-many (which means any), `any`, and the count of what is found (18-088 §9.3.3.5)."""

from __future__ import annotations

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import COUNT, Api, Entity, key, ref, refused


@pytest.fixture(scope="module")
def network(api: Api) -> dict[str, str]:
    """Four Things of one place; returns paths and a tag in the names of Sensors and ObservedProperties.

    thing 0: streams of p0, p1, p2 with the sensors s0, s1, s2 and the results 0-2, 3-5, 6-8
    thing 1: streams of p0, p1, p3 with the sensors s0, s1, s3 and the results 9-11, 12-14, 15-17
    thing 2: a stream of p0 with the sensor s1, without results
    thing 3: nothing
    """
    tag = make.unique("net")
    place = api.create("Locations", make.location(name=f"{tag} place", properties={"field": 2}))
    sensors = [api.create("Sensors", make.sensor(name=f"{tag} s{number}")) for number in range(4)]
    properties = [
        api.create("ObservedProperties", make.observed_property(name=f"{tag} p{number}")) for number in range(4)
    ]
    wiring = [[(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 1), (3, 3)], [(0, 1)], []]
    result = 0
    for number, streams in enumerate(wiring):
        thing = api.create(
            "Things", make.thing(name=f"thing {number}", properties={"field": number}, Locations=[ref(place)])
        )
        for what, sensor in streams:
            stream = api.create(
                f"Things({key(thing)})/Datastreams",
                make.datastream(
                    name=f"stream {number}{what}",
                    Sensor=ref(sensors[sensor]),
                    ObservedProperty=ref(properties[what]),
                    properties={"what": what},
                ),
            )
            for hour in range(3) if number < 2 else ():
                api.create(
                    f"Datastreams({key(stream)})/Observations",
                    make.observation(
                        result, phenomenonTime=f"2024-01-0{number + 1}T0{hour}:00:00Z", parameters={"hour": hour}
                    ),
                )
                result += 1
    return {"tag": tag, "things": f"Locations({key(place)})/Things"}


THING_CASES = [
    ("Datastreams/name eq 'stream 00'", [0]),
    ("Datastreams/ObservedProperty/name eq '{tag} p0'", [0, 1, 2]),
    ("Datastreams/ObservedProperty/name eq '{tag} p3'", [1]),
    ("Datastreams/Sensor/name eq '{tag} s1'", [0, 1, 2]),
    ("Datastreams/Observations/result eq 4", [0]),
    ("Datastreams/Observations/result gt 7", [0, 1]),
    ("Datastreams/Observations/result gt 100", []),
    ("Datastreams/Observations/phenomenonTime lt 2024-01-02T00:00:00Z", [0]),
    ("startswith(Datastreams/name,'stream 1')", [1]),
    ("endswith(Datastreams/Sensor/name,'s3')", [1]),
    ("Datastreams/properties/what eq 2", [0]),
    ("Datastreams/unitOfMeasurement/symbol eq '°C'", [0, 1, 2]),
    ("Locations/name eq '{tag} place'", [0, 1, 2, 3]),
    ("Locations/properties/field eq properties/field", [2]),
    ("HistoricalLocations/Locations/properties/field eq properties/field", [2]),
    ("startswith(HistoricalLocations/Locations/name,'{tag}')", [0, 1, 2, 3]),
    ("Datastreams/ObservedProperty/name eq '{tag} p0' and Datastreams/ObservedProperty/name eq '{tag} p3'", []),
    ("Datastreams/Observations/result eq 0 or Datastreams/Observations/result eq 17", [0, 1]),
    ("Datastreams/Observations/result eq 0 or name eq 'thing 3'", [0, 3]),
    ("Datastreams/id eq null", [3]),
    ("Datastreams/id ne null", [0, 1, 2]),
    ("Datastreams/Observations/FeatureOfInterest/name ne 'x'", [0, 1]),
    ("Datastreams/Thing/Datastreams/ObservedProperty/name eq '{tag} p3'", [1]),
    ("Datastreams/Observations/parameters/hour eq 2", [0, 1]),
    ("Datastreams/Observations/Datastream/Thing/name eq 'thing 1'", [1]),
    ("Datastreams/Observations/result add 1 eq 10", [1]),
    ("Datastreams/name in ('stream 13','stream 20')", [1, 2]),
    ("year(Datastreams/Observations/phenomenonTime) eq 2024", [0, 1]),
]


@requirement("request-data/filter")
@pytest.mark.parametrize(("condition", "expected"), THING_CASES)
def test_a_to_many_path_means_any(anon: Api, network: dict[str, str], condition: str, expected: list[int]) -> None:
    """Conditions joined by `and` on the same path are about the same entity, as in FROST; `any` asks for two."""
    found = anon.read(network["things"], filter=condition.format(tag=network["tag"]), count=True)
    names = [thing["name"] for thing in found["value"]]
    assert names == [f"thing {number}" for number in expected]
    assert found[COUNT] == len(expected)


@requirement("extension/any")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Datastreams/any(d:d/name eq 'stream 00')", [0]),
        ("Datastreams/any(d: d/ObservedProperty/name eq '{tag} p3')", [1]),
        ("Datastreams/any(d : d/Observations/any(o : o/result gt 7))", [0, 1]),
        ("Datastreams/any()", [0, 1, 2]),
        ("not Datastreams/any()", [3]),
        ("not Datastreams/any(d:d/properties/what eq 1)", [2, 3]),
        ("Datastreams/any(d:d/properties/what eq 1 and d/Sensor/name eq '{tag} s1')", [0, 1]),
        ("Datastreams/any(d:d/properties/what eq 0 and d/Sensor/name eq '{tag} s1')", [2]),
        ("Datastreams/any(d:d/properties/what eq 0) and Datastreams/any(d:d/properties/what eq 1)", [0, 1]),
        ("Datastreams/any(d:d/properties/what eq 0) and Datastreams/any(e:e/properties/what eq 3)", [1]),
        ("HistoricalLocations/any(hl:hl/Locations/any(l:startswith(l/name,'{tag}')))", [0, 1, 2, 3]),
        ("HistoricalLocations/any(hl:hl/Locations/any(l:l/properties/field eq properties/field))", [2]),
        ("Datastreams/any(d:d/Observations/any(o:o/result eq 3) and d/Observations/any(o:o/result eq 5))", [0]),
        ("Datastreams/any(d:d/Observations/any(o:o/result eq 3) and d/Observations/any(o:o/result eq 6))", []),
        ("Locations/any(l:l/name eq '{tag} place') and name eq 'thing 3'", [3]),
        ("Datastreams/any(d:d/Thing/name eq 'thing 2')", [2]),
        ("Datastreams/any(x:x/id gt 0)", [0, 1, 2]),
        ("Datastreams/any(d:not (d/properties/what eq 0))", [0, 1]),
    ],
)
def test_any(anon: Api, network: dict[str, str], condition: str, expected: list[int]) -> None:
    assert anon.names(network["things"], filter=condition.format(tag=network["tag"])) == [
        f"thing {number}" for number in expected
    ]


@requirement("extension/any")
@pytest.mark.parametrize(
    "condition",
    [
        "Thing/any(t:t/name eq 'x')",
        "name/any(n:n eq 'x')",
        "Datastreams/any(d)",
        "Datastreams/any(d:)",
        "Datastreams/any(:d/name eq 'x')",
        "Datastreams/any(d:e/name eq 'x')",
        "Datastreams/any(d:d)",
        "Datastreams/any(1:name eq 'x')",
        "Datastreams/none(d:d/name eq 'x')",
        "any(d:d/name eq 'x')",
    ],
)
def test_malformed_any_is_refused(anon: Api, condition: str) -> None:
    refused(anon.get("Things", filter=condition), 400, 501)


@requirement("request-data/filter")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Datastreams/Thing/Datastreams/ObservedProperty/name eq '{tag} p0'", [0, 1, 2, 3]),
        ("Datastreams/Thing/Datastreams/ObservedProperty/name eq '{tag} p3'", [0, 1, 3]),
        ("Datastreams/Thing/name eq 'thing 2'", [0]),
        ("Datastreams/Observations/result lt 3", [0]),
    ],
)
def test_back_and_forth(anon: Api, network: dict[str, str], condition: str, expected: list[int]) -> None:
    tag = network["tag"]
    whole = f"({condition.format(tag=tag)}) and startswith(name,'{tag}')"
    page = anon.read("ObservedProperties", filter=whole, count=True)
    assert [item["name"] for item in page["value"]] == [f"{tag} p{number}" for number in expected]
    assert page[COUNT] == len(expected)


OBSERVATION_CASES = [
    ("Datastream/Thing/name eq 'thing 0'", list(range(9))),
    ("Datastream/name eq 'stream 13'", [15, 16, 17]),
    ("Datastream/Sensor/name eq '{tag} s0' and result gt 1", [2, 9, 10, 11]),
    ("Datastream/properties/what eq 1 and parameters/hour eq 0", [3, 12]),
    ("Datastream/Thing/Locations/properties/field eq 2", list(range(18))),
    ("Datastream/Thing/properties/field eq parameters/hour", [0, 3, 6, 10, 13, 16]),
    ("not (Datastream/Thing/name eq 'thing 0')", list(range(9, 18))),
    ("Datastream/Thing/id eq null", []),
    ("FeatureOfInterest/id ne null and result lt 2", [0, 1]),
    ("Datastream/id in (0)", []),
    ("length(Datastream/Thing/name) eq 7 and result eq 5", [5]),
    ("Datastream/Thing/Datastreams/name eq 'stream 13' and result lt 10", [9]),
]


@requirement("request-data/filter")
@pytest.mark.parametrize(("condition", "expected"), OBSERVATION_CASES)
def test_a_to_one_path(anon: Api, network: dict[str, str], condition: str, expected: list[int]) -> None:
    whole = f"Datastream/Thing/Locations/name eq '{network['tag']} place' and ({condition.format(tag=network['tag'])})"
    page = anon.read("Observations", filter=whole, count=True, orderby="result")
    assert [item["result"] for item in page["value"]] == expected
    assert page[COUNT] == len(expected)


@requirement("request-data/filter", "request-data/pagination")
@pytest.mark.parametrize("top", [1, 2, 5])
def test_no_entity_is_found_twice_over_pages(anon: Api, network: dict[str, str], top: int) -> None:
    found = anon.items(network["things"], filter="Datastreams/Observations/result ge 0", top=top, count=True)
    assert [thing["name"] for thing in found] == ["thing 0", "thing 1"]


@requirement("request-data/filter")
@pytest.mark.parametrize("name", ["id", "@iot.id"])
def test_key_in_a_filter(anon: Api, network: dict[str, str], name: str) -> None:
    things: list[Entity] = anon.value(network["things"])
    assert anon.names(network["things"], filter=f"{name} eq {things[1]['@iot.id']}") == ["thing 1"]
    assert anon.names(network["things"], filter=f"Datastreams/Thing/{name} eq {things[1]['@iot.id']}") == ["thing 1"]
    assert anon.names(network["things"], filter=f"{name} gt {things[1]['@iot.id']}") == ["thing 2", "thing 3"]
