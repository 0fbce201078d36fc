"""The request and response examples printed in OGC 18-088, sent as they stand (with keys of this service)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import ID, Api, Entity, describe, key, ref

OVEN: Entity = {
    "name": "Oven",
    "description": "This thing is an oven.",
    "properties": {"owner": "John Doe", "color": "Silver"},
}
ROOF: Entity = {
    "name": "Yonge Street",
    "description": "The intersection of Yonge and Dundas",
    "encodingType": "application/geo+json",
    "location": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [-114.06, 51.05]}, "properties": {}},
}
DS18B20: Entity = {
    "name": "DS18B20",
    "description": "DS18B20 is an air temperature sensor",
    "encodingType": "application/pdf",
    "metadata": "http://datasheets.maxim-ic.com/en/ds/DS18B20.pdf",
}
TEMPERATURE: Entity = {
    "name": "DewPoint Temperature",
    "definition": "http://dbpedia.org/page/Dew_point",
    "description": "The dewpoint temperature is the temperature to which the air must be cooled.",
}
LUMEN: Entity = {
    "name": "Lumen",
    "symbol": "lm",
    "definition": "http://www.qudt.org/qudt/owl/1.0.0/unit/Instances.html#Lumen",
}
DEEP: Entity = {
    "name": "Kitchen",
    "description": "The Kitchen in my house",
    "properties": {"oven": True, "heatingPlates": 4},
    "Locations": [
        {
            "name": "Location of the kitchen",
            "description": "This is where the kitchen is",
            "encodingType": "application/geo+json",
            "location": {"type": "Point", "coordinates": [8.438889, 44.27253]},
        }
    ],
    "Datastreams": [
        {
            "name": "Temperature in the Kitchen",
            "description": "The temperature in the kitchen, measured by the sensor",
            "observationType": make.MEASUREMENT,
            "unitOfMeasurement": {"name": "Degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
            "ObservedProperty": {
                "name": "Temperature",
                "description": "Temperature",
                "definition": "http://www.qudt.org/qudt/owl/1.0.0/quantity/Instances.html#Temperature",
            },
            "Sensor": {
                "name": "DHT22",
                "description": "DHT22 temperature sensor",
                "encodingType": "application/pdf",
                "metadata": "https://cdn-shop.adafruit.com/datasheets/DHT22.pdf",
            },
        }
    ],
}


@requirement("create-update-delete/create-entity", "datamodel/thing/properties")
@pytest.mark.parametrize(
    ("set_name", "body"),
    [("Things", OVEN), ("Locations", ROOF), ("Sensors", DS18B20), ("ObservedProperties", TEMPERATURE)],
)
def test_examples_of_entities(api: Api, set_name: str, body: Entity) -> None:
    made = api.create(set_name, body)
    assert {name: made[name] for name in body} == body


@requirement("create-update-delete/deep-insert")
def test_example_of_a_deep_insert(api: Api) -> None:
    made = api.create("Things", DEEP)
    whole = api.read(f"Things({key(made)})", expand="Locations,Datastreams($expand=Sensor,ObservedProperty)")
    for sent, got in (
        (DEEP["Locations"][0], whole["Locations"][0]),
        (DEEP["Datastreams"][0]["Sensor"], whole["Datastreams"][0]["Sensor"]),
        (DEEP["Datastreams"][0]["ObservedProperty"], whole["Datastreams"][0]["ObservedProperty"]),
    ):
        assert {name: got[name] for name in sent} == sent


@pytest.fixture(scope="module")
def house(api: Api) -> dict[str, str]:
    """Keys of a Thing with a Datastream of lumens, and Observations 6 to 15."""
    thing = api.create(
        "Things",
        {
            **OVEN,
            "Locations": [ROOF],
            "Datastreams": [
                {
                    "name": "oven light",
                    "description": "light",
                    "observationType": make.MEASUREMENT,
                    "unitOfMeasurement": LUMEN,
                    "Sensor": DS18B20,
                    "ObservedProperty": TEMPERATURE,
                }
            ],
        },
    )
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    for n in range(6, 16):
        api.create(
            f"Datastreams({key(stream)})/Observations",
            make.observation(
                n, phenomenonTime=f"2010-12-23T10:{n:02}:00.000Z", resultTime=f"2010-12-23T11:{n:02}:00.000Z"
            ),
        )
    return {"thing": key(thing), "stream": key(stream)}


FULL_SEARCH = (
    "Things?$expand=Datastreams/Observations/FeatureOfInterest"
    "&$filter=Datastreams/Observations/FeatureOfInterest/name eq 'FOI_1'"
    " and Datastreams/Observations/resultTime ge 2010-06-01T00:00:00Z"
    " and Datastreams/Observations/resultTime le 2010-07-01T00:00:00Z"
)
EXAMPLES: list[tuple[str, int]] = [
    ("Things", 200),
    ("Things({thing})", 200),
    ("Observations?$top=1", 200),
    ("Datastreams({stream})/description", 200),
    ("Things({thing})/properties", 200),
    ("Things({thing})/name/$value", 200),
    ("Datastreams({stream})/Observations", 200),
    ("Datastreams({stream})/Observations/$ref", 200),
    ("Things({thing})/Datastreams/$ref", 200),
    ("Things?$expand=Datastreams", 200),
    ("Things({thing})?$expand=Datastreams", 200),
    ("Things({thing})?$expand=Datastreams/ObservedProperty", 200),
    ("Datastreams({stream})?$expand=Observations,ObservedProperty", 200),
    ("Datastreams({stream})?$expand=Observations($filter=result eq 10)", 200),
    ("Observations?$select=result,resultTime", 200),
    ("Datastreams({stream})?$select=id,Observations&$expand=Observations/FeatureOfInterest", 200),
    ("Datastreams({stream})?$expand=Observations($select=result)", 200),
    ("Observations?$orderby=result", 200),
    ("Observations?$expand=Datastream&$orderby=Datastream/id desc, phenomenonTime", 200),
    ("Things?$top=5", 200),
    ("Observations?$top=5&$orderby=phenomenonTime desc", 200),
    ("Things?$skip=5", 200),
    ("Observations?$skip=2&$orderby=resultTime", 200),
    ("Things?$count=true", 200),
    ("Observations?$filter=result lt 10.00", 200),
    ("Observations?$filter=Datastream/id eq 1", 200),
    ("Things?$filter=geo.distance(Locations/location, geography'POINT(-122 43)') gt 1", 200),
    (FULL_SEARCH, 200),
    ("Things?$filter=name eq 'Oven'", 200),
    ("Things?$filter=name ne 'Oven'", 200),
    ("Observations?$filter=result gt 10", 200),
    ("Observations?$filter=result ge 10", 200),
    ("Observations?$filter=result le 10", 200),
    ("Observations?$filter=result le 10 and result gt 5", 200),
    ("Observations?$filter=result lt 10 or result gt 50", 200),
    ("Things?$filter=not startswith(name,'Kitchen')", 200),
    ("Observations?$filter=result add 5 gt 10", 200),
    ("Observations?$filter=result sub 5 gt 10", 200),
    ("Observations?$filter=result mul 2 gt 2000", 200),
    ("Observations?$filter=result div 2 gt 4", 200),
    ("Observations?$filter=result mod 2 eq 0", 200),
    ("Observations?$filter=(result sub 5) gt 10", 200),
    ("Things?$filter=substringof('Sensor Things',description)", 200),
    ("Things?$filter=endswith(description,'Things')", 200),
    ("Things?$filter=startswith(description,'Sensor')", 200),
    ("Things?$filter=length(description) eq 13", 200),
    ("Things?$filter=indexof(description,'Sensor') eq 1", 200),
    ("Things?$filter=substring(description,1) eq 'ensor Things'", 200),
    ("Things?$filter=substring(description,2,4) eq 'nsor'", 200),
    ("Things?$filter=tolower(description) eq 'sensor things'", 200),
    ("Things?$filter=toupper(description) eq 'SENSOR THINGS'", 200),
    ("Things?$filter=trim(description) eq 'Sensor Things'", 200),
    ("Locations?$filter=concat(concat(name,', '), description) eq 'Calgary, Canada'", 200),
    ("Observations?$filter=year(resultTime) eq 2015", 200),
    ("Observations?$filter=month(resultTime) eq 12", 200),
    ("Observations?$filter=day(resultTime) eq 8", 200),
    ("Observations?$filter=hour(resultTime) eq 1", 200),
    ("Observations?$filter=minute(resultTime) eq 0", 200),
    ("Observations?$filter=second(resultTime) eq 0", 200),
    ("Observations?$filter=fractionalseconds(resultTime) eq 0", 200),
    ("Observations?$filter=date(resultTime) ne date(validTime)", 200),
    ("Observations?$filter=time(resultTime) le time(phenomenonTime)", 200),
    ("Observations?$filter=totaloffsetminutes(resultTime) eq 60", 200),
    ("Observations?$filter=resultTime ge now()", 200),
    ("Observations?$filter=resultTime gt mindatetime()", 200),
    ("Observations?$filter=resultTime lt maxdatetime()", 200),
    ("Observations?$filter=round(result) eq 32", 200),
    ("Observations?$filter=floor(result) eq 32", 200),
    ("Observations?$filter=ceiling(result) eq 33", 200),
    ("Locations?$filter=geo.distance(location, geography'POINT (30 10)') lt 1", 200),
    ("Locations?$filter=geo.length(location) gt 1", 200),
    ("Locations?$filter=geo.intersects(location, geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))')", 200),
    ("Locations?$filter=st_equals(location, geography'POINT (30 10)')", 200),
    ("Locations?$filter=st_disjoint(location, geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))')", 200),
    ("Locations?$filter=st_touches(location, geography'LINESTRING (30 10, 10 30, 40 40)')", 200),
    ("Locations?$filter=st_within(location, geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))')", 200),
    ("Locations?$filter=st_overlaps(location, geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))')", 200),
    ("Locations?$filter=st_crosses(location, geography'LINESTRING (30 10, 10 30, 40 40)')", 200),
    ("Locations?$filter=st_intersects(location, geography'LINESTRING (30 10, 10 30, 40 40)')", 200),
    ("Locations?$filter=st_contains(location, geography'POINT (30 10)')", 200),
    (
        "Locations?$filter=st_relate(location, geography'POLYGON ((30 10, 10 20, 20 40, 40 40, 30 10))', 'T********')",
        200,
    ),
    ("Observations?$filter=phenomenonTime gt 2010-06-01T00:00:00Z/2010-07-01T00:00:00Z", 200),
    ("Observations?$count=true&$top=1&$resultFormat=dataArray", 200),
    ("Things?$orderby=name,id desc&$top=1&$skip=1", 200),
    ("Nothing", 404),
    ("Things(0)", 404),
    ("Things?$top=-1", 400),
]


@requirement(
    "request-data/filter",
    "request-data/expand",
    "request-data/select",
    "request-data/orderby",
    "request-data/built-in-query-functions",
)
@pytest.mark.parametrize(("address", "status"), EXAMPLES, ids=[case[0][:70] for case in EXAMPLES])
def test_example_addresses(anon: Api, house: dict[str, str], address: str, status: int) -> None:
    """As a person types them: the client encodes the spaces."""
    response = anon.get(address.format(**house))
    assert response.status_code == status, describe(response)


@requirement("request-data/filter")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result le 10 and result gt 7", [8, 9, 10]),
        ("result add 5 gt 19", [15]),
        ("result div 2 gt 7", [15]),
        ("(result sub 5) gt 9", [15]),
        ("result mod 5 eq 0", [10, 15]),
    ],
)
def test_example_filters_give_what_they_say(
    anon: Api, house: dict[str, str], condition: str, expected: list[int]
) -> None:
    assert anon.results(f"Datastreams({house['stream']})/Observations", filter=condition) == expected


@requirement("data-array/data-array")
def test_example_of_create_observations(api: Api, house: dict[str, str]) -> None:
    """18-088 §13.3: the second row of the first group has a FeatureOfInterest that does not exist."""
    thing = api.create("Things", {**OVEN, "Locations": [ROOF], "Datastreams": [make.datastream(), make.datastream()]})
    one, two = api.value(f"Things({key(thing)})/Datastreams")
    feature = api.create("FeaturesOfInterest", make.feature())
    body: list[Any] = [
        {
            "Datastream": ref(one),
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray@iot.count": 2,
            "dataArray": [
                ["2010-12-23T10:20:00-0700", 20, feature[ID]],
                ["2010-12-23T10:21:00-0700", 30, 987654321987],
            ],
        },
        {
            "Datastream": ref(two),
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray@iot.count": 2,
            "dataArray": [["2010-12-23T10:20:00-0700", 65, feature[ID]], ["2010-12-23T10:21:00-0700", 60, feature[ID]]],
        },
    ]
    response = api.post("CreateObservations", body)
    assert response.status_code == 201, describe(response)
    assert [line.startswith("http") for line in response.json()] == [True, False, True, True]
    assert response.json()[1].lower().startswith("error")
