"""$filter: geospatial functions on Locations, FeaturesOfInterest and observed areas (18-088 §9.3.3.5.2, table 23).

Distances and lengths are in the units of the coordinates (degrees), as FROST gives them.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import Api, Entity, key, ref, refused

GEOMETRIES: list[Entity] = [
    make.point(8, 51),
    make.point(8, 52),
    make.point(8, 53),
    make.point(8, 54),
    {"type": "Polygon", "coordinates": [[[8, 53], [7, 52], [7, 53], [8, 53]]]},
    {"type": "LineString", "coordinates": [[5, 52], [5, 53]]},
    {"type": "LineString", "coordinates": [[5, 52], [6, 53]]},
    {"type": "LineString", "coordinates": [[4, 52], [8, 52]]},
]
BOX = "POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))"

CASES: list[tuple[str, list[int]]] = [
    ("geo.distance({g}, geography'POINT(8 54.1)') lt 1", [3]),
    ("geo.distance({g}, geography'POINT(8 54.1)') gt 1", [0, 1, 2, 4, 5, 6, 7]),
    ("geo.distance({g}, geography'POINT(8 51)') eq 0", [0]),
    ("geo.distance(geography'POINT(8 51)', {g}) le 1", [0, 1, 7]),
    ("geo.distance({g}, geography'POINT (5 52.5)') lt 0.1", [5]),
    ("geo.intersects({g}, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
    ("geo.intersects(geography'LINESTRING(7.5 51, 7.5 54)', {g})", [4, 7]),
    ("geo.intersects({g}, geometry'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
    ("geo.length({g}) gt 1", [6, 7]),
    ("geo.length({g}) ge 1", [5, 6, 7]),
    ("geo.length({g}) eq 1", [5]),
    ("geo.length({g}) ne 1", [0, 1, 2, 3, 4, 6, 7]),
    ("geo.length({g}) le 4", [0, 1, 2, 3, 4, 5, 6, 7]),
    ("geo.length({g}) lt 4", [0, 1, 2, 3, 4, 5, 6]),
    ("geo.length({g}) eq 0", [0, 1, 2, 3, 4]),
    ("st_contains(geography'{box}', {g})", [1, 2]),
    ("st_within({g}, geography'{box}')", [1, 2]),
    ("st_within(geography'POINT(7.25 52.75)', {g})", [4]),
    ("st_contains({g}, geography'POINT(7.25 52.75)')", [4]),
    ("st_contains({g}, geography'POINT(8 52)')", [1]),
    ("st_crosses(geography'LINESTRING(7.5 51.5, 7.5 53.5)', {g})", [4, 7]),
    ("st_crosses({g}, geography'LINESTRING(5.5 51, 5.5 54)')", [6, 7]),
    ("st_disjoint(geography'{box}', {g})", [0, 3, 5, 6]),
    ("not st_disjoint(geography'{box}', {g})", [1, 2, 4, 7]),
    ("st_equals({g}, geography'POINT(8 53)')", [2]),
    ("st_equals({g}, geography'LINESTRING(5 53, 5 52)')", [5]),
    ("st_equals({g}, geography'POLYGON((7 52, 7 53, 8 53, 7 52))')", [4]),
    ("st_intersects({g}, geography'LINESTRING(7.5 51, 7.5 54)')", [4, 7]),
    ("st_intersects({g}, geography'POINT(8 53)')", [2, 4]),
    ("st_intersects({g}, geography'POINT(5 52)')", [5, 6, 7]),
    ("st_overlaps(geography'{box}', {g})", [4]),
    ("st_overlaps({g}, geography'LINESTRING(6 52, 9 52)')", [7]),
    ("st_relate(geography'{box}', {g}, 'T********')", [1, 2, 4, 7]),
    ("st_relate({g}, geography'POINT(8 53)', '0FFFFFFF2')", [2]),
    ("st_touches(geography'POLYGON((8 53, 7.5 54.5, 8.5 54.5, 8 53))', {g})", [2, 4]),
    ("st_touches({g}, geography'POINT(8 52)')", [7]),
    ("st_intersects({g}, geography'MULTIPOINT((8 51), (8 54))')", [0, 3]),
    ("st_intersects({g}, geography'MULTIPOINT(8 51, 8 54)')", [0, 3]),
    ("st_intersects({g}, geography'MULTIPOLYGON(((7.5 50.5, 8.5 50.5, 8.5 51.9, 7.5 50.5)))')", [0]),
    ("st_intersects({g}, geography'POINT Z(8 51 10)')", [0]),
    ("geo.distance({g}, geography'POINT(8 51)') lt 1.5 and geo.length({g}) eq 0", [0, 1, 4]),
    ("not geo.intersects({g}, geography'LINESTRING(7.5 51, 7.5 54)')", [0, 1, 2, 3, 5, 6]),
    ("geo.intersects({g}, geography'{box}') or geo.length({g}) gt 1", [1, 2, 4, 6, 7]),
    ("geo.intersects({g}, geography'{box}') eq true", [1, 2, 4, 7]),
    ("geo.distance({g}, geography'point(8 51)') eq 0", [0]),
    ("geo.distance({g}, geography'SRID=4326;POINT(8 51)') eq 0", [0]),
]


@pytest.fixture(scope="module")
def places(api: Api) -> tuple[str, str]:
    """The path of a Thing's Locations, and the tag of FeaturesOfInterest, both with `GEOMETRIES`."""
    tag = make.unique("geo")
    thing = api.create(
        "Things",
        make.thing(
            Locations=[
                make.location(name=f"l{number}", location=geometry) for number, geometry in enumerate(GEOMETRIES)
            ]
        ),
    )
    for number, geometry in enumerate(GEOMETRIES):
        api.create("FeaturesOfInterest", make.feature(name=f"{tag} f{number}", feature=geometry))
    return f"Things({key(thing)})/Locations", tag


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(("condition", "expected"), CASES)
def test_functions_on_locations(anon: Api, places: tuple[str, str], condition: str, expected: list[int]) -> None:
    """FROST refuses an SRID prefix; a refusal is allowed there."""
    response = anon.get(places[0], filter=condition.format(g="location", box=BOX))
    if "SRID" in condition and response.status_code == 400:
        return
    found = sorted(item["name"] for item in response.json()["value"])
    assert found == [f"l{number}" for number in expected]


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(("condition", "expected"), CASES[::2])
def test_functions_on_features(anon: Api, places: tuple[str, str], condition: str, expected: list[int]) -> None:
    tag = places[1]
    whole = f"startswith(name,'{tag}') and ({condition.format(g='feature', box=BOX)})"
    assert anon.names("FeaturesOfInterest", filter=whole) == [f"{tag} f{number}" for number in expected]


@pytest.fixture(scope="module")
def observed(api: Api) -> str:
    """The path of three Datastreams of one Sensor: d0 observes at (8 51) and (8 52), d1 at (8 53), d2 at (8 54)."""
    sensor = api.create("Sensors", make.sensor())
    thing = api.create("Things", make.thing(Locations=[make.location(location=make.point(1, 1))]))
    for number, latitudes in enumerate(((51, 52), (53,), (54,))):
        stream = api.create(f"Things({key(thing)})/Datastreams", make.datastream(name=f"d{number}", Sensor=ref(sensor)))
        for latitude in latitudes:
            api.create(
                f"Datastreams({key(stream)})/Observations",
                make.observation(
                    latitude,
                    phenomenonTime=f"2024-01-01T00:{latitude}:00Z",
                    FeatureOfInterest=make.feature(feature=make.point(8, latitude)),
                ),
            )
    return f"Sensors({key(sensor)})/Datastreams"


@requirement("request-data/built-in-query-functions", "datamodel/datastream/properties")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"geo.intersects(observedArea, geography'{BOX}')", ["d0", "d1"]),
        (f"st_contains(geography'{BOX}', observedArea)", ["d1"]),
        ("st_intersects(observedArea, geography'POINT(8 51.5)')", ["d0"]),
        ("geo.distance(observedArea, geography'POINT(8 54)') lt 0.5", ["d2"]),
        ("Observations/FeatureOfInterest/name ne 'x' and st_equals(observedArea, geography'POINT(8 54)')", ["d2"]),
        (
            "st_within(Observations/FeatureOfInterest/feature, geography'POLYGON((7 50, 9 50, 9 51.5, 7 51.5, 7 50))')",
            ["d0"],
        ),
        ("geo.distance(Thing/Locations/location, geography'POINT(1 1)') lt 1", ["d0", "d1", "d2"]),
        ("geo.intersects(Thing/Locations/location, geography'POINT(2 2)')", []),
    ],
)
def test_functions_on_observed_areas_and_through_links(
    anon: Api, observed: str, condition: str, expected: list[str]
) -> None:
    assert anon.names(observed, filter=condition) == expected


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("geo.distance(FeatureOfInterest/feature, geography'POINT(8 54.1)') lt 1", [54]),
        (f"st_contains(geography'{BOX}', FeatureOfInterest/feature)", [52, 53]),
        (f"not st_contains(geography'{BOX}', FeatureOfInterest/feature)", [51, 54]),
    ],
)
def test_functions_on_the_feature_of_an_observation(
    anon: Api, observed: str, condition: str, expected: list[int]
) -> None:
    sensor = observed.partition("(")[2].partition(")")[0]
    whole = f"Datastream/Sensor/id eq {sensor} and {condition}"
    assert sorted(anon.results("Observations", filter=whole)) == expected


@requirement("request-data/orderby", "request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("orderby", "expected"),
    [
        ("geo.distance(location, geography'POINT(8 50)'),name", None),
        ("geo.length(location) desc,name", ["l7", "l6", "l5", "l0", "l1", "l2", "l3", "l4"]),
    ],
)
def test_order_by_a_distance(anon: Api, places: tuple[str, str], orderby: str, expected: list[str] | None) -> None:
    """Only a server that orders by expressions can; FROST can."""
    found = anon.names(places[0], orderby=orderby)
    assert found == expected if expected is not None else found[:1] == ["l0"]


@requirement("request-data/built-in-query-functions", "request-data/query-status-code")
@pytest.mark.parametrize(
    "literal",
    [
        "geography'POINT(8)'",
        "geography'POINT(8 51'",
        "geography'POINT 8 51'",
        "geography'POINT(a b)'",
        "geography''",
        "geography'POLYGON((0 0, 1 1))'",
        "geography'LINESTRING(0 0)'",
        "geography'CIRCLE(0 0, 1)'",
        "5",
        "geography'POINT(8 51)",
        "geography'POLYGON((0 0, 1 0, 1 1, 0 1))'",
        "geography'POINT(nan nan)'",
        "geography'POINT(1e999 0)'",
        "geography'GEOMETRYCOLLECTION('",
        "geography'CURVEPOLYGON(EMPTY)'",
        "geography'CIRCULARSTRING(0 0, 1 1, 2 0)'",
        "geography'COMPOUNDCURVE((0 0, 1 1))'",
        "geography'MULTICURVE((0 0, 1 1))'",
        "geography'MULTISURFACE(((0 0, 1 0, 1 1, 0 0)))'",
        "geography'TIN EMPTY'",
        "name",
        "properties",
        "null",
        "geography'POINT(8 51)''; drop table x'",
    ],
)
@pytest.mark.parametrize("function", ["geo.distance", "st_intersects"])
def test_geometry_that_is_none_is_refused(anon: Api, function: str, literal: str) -> None:
    end = " lt 1" if function == "geo.distance" else ""
    response = anon.get("Locations", filter=f"{function}(location, {literal}){end}", top=1)
    if literal == "null" and response.status_code == 200:
        assert response.json()["value"] == []
        return
    refused(response, 400)


@requirement("request-data/built-in-query-functions", "request-data/query-status-code")
@pytest.mark.parametrize(
    "condition",
    [
        "st_relate(location, geography'POINT(8 51)')",
        "st_relate(location, geography'POINT(8 51)', 'T')",
        "st_relate(location, geography'POINT(8 51)', 'XXXXXXXXX')",
        "st_relate(location, geography'POINT(8 51)', 5)",
        "st_within(location)",
        "geo.length() gt 1",
        "geo.length(location, location) gt 1",
        "geo.nothing(location)",
        "st_nothing(location, location)",
        "geo.distance(location, geography'POINT(8 51)')",
        "geo.distance lt 1",
    ],
)
def test_malformed_call_is_refused(anon: Api, condition: str) -> None:
    refused(anon.get("Locations", filter=condition), 400, 501)


@requirement("request-data/built-in-query-functions")
@pytest.mark.parametrize(
    "body",
    [
        {"encodingType": "text/plain", "location": "at the bridge"},
        {"location": {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}},
        {"location": {"type": "GeometryCollection", "geometries": []}},
        {"location": {"type": "Point", "coordinates": [0.5, 0.5, 100]}},
    ],
)
def test_odd_geometries_never_break_a_filter(api: Api, body: dict[str, Any]) -> None:
    """A text, a crossing polygon, an empty collection or a height must not make a search fail."""
    response = api.post("Locations", make.location(**body))
    assert response.status_code in (201, 400)
    for condition in (
        "geo.distance(location, geography'POINT(0 0)') lt 1",
        "geo.length(location) ge 0",
        "st_intersects(location, geography'POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))')",
        "st_relate(location, geography'POINT(0.5 0.5)', 'T********')",
    ):
        assert api.get("Locations", filter=condition, top=1).status_code == 200, condition
