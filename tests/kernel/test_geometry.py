"""GeoJSON and WKT: every form is read, every broken one refused with its place, nothing of shapely escapes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel import geometry
from lakou.kernel.errors import BadRequest

RING = [[0, 0], [4, 0], [4, 4], [0, 0]]
HOLE = [[1, 0.5], [2, 0.5], [2, 1], [1, 0.5]]
POINT = {"type": "Point", "coordinates": [-61.0, 14.6, 12.5]}


@pytest.mark.parametrize(
    ("value", "wkt"),
    [
        (POINT, "POINT (-61 14.6)"),
        ({"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}, "MULTIPOINT ((1 2), (3 4))"),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, "LINESTRING (1 2, 3 4)"),
        ({"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]]]}, "MULTILINESTRING ((1 2, 3 4))"),
        (
            {"type": "Polygon", "coordinates": [RING, HOLE]},
            "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))",
        ),
        ({"type": "MultiPolygon", "coordinates": [[RING], [HOLE]]}, None),
        ({"type": "GeometryCollection", "geometries": [POINT]}, "GEOMETRYCOLLECTION (POINT (-61 14.6))"),
        ({"type": "Feature", "geometry": POINT, "properties": {}}, "POINT (-61 14.6)"),
        (
            {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POINT}]},
            "GEOMETRYCOLLECTION (POINT (-61 14.6))",
        ),
        # A local reference system: only finite coordinates are required.
        ({"type": "Point", "coordinates": [703_000, 1_615_000]}, "POINT (703000 1615000)"),
    ],
)
def test_geojson_is_read_in_two_dimensions(value: Any, wkt: str | None) -> None:
    shape = geometry.from_geojson(value)
    assert shape is not None
    assert not shape.has_z
    assert wkt is None or shape.wkt == wkt
    assert geometry.from_wkb(geometry.to_wkb(shape)).equals_exact(shape, 0)


@pytest.mark.parametrize(
    "value",
    [{"type": "Feature", "geometry": None}, {"type": "Feature"}, {"type": "FeatureCollection", "features": []}],
)
def test_a_feature_without_geometry_gives_none(value: Any) -> None:
    assert geometry.from_geojson(value) is None


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (None, ""),
        ("POINT (1 2)", ""),
        ({}, "/type"),
        ({"type": "Circle", "coordinates": [1, 2]}, "/type"),
        ({"type": ["Point"], "coordinates": [1, 2]}, "/type"),
        ({"type": "Point"}, "/coordinates"),
        ({"type": "Point", "coordinates": []}, "/coordinates"),
        ({"type": "Point", "coordinates": [1]}, "/coordinates"),
        ({"type": "Point", "coordinates": [1, "2"]}, "/coordinates/1"),
        ({"type": "Point", "coordinates": [1, True]}, "/coordinates/1"),
        ({"type": "Point", "coordinates": [1, float("nan")]}, "/coordinates/1"),
        ({"type": "Point", "coordinates": [10**400, 1]}, "/coordinates/0"),
        ({"type": "LineString", "coordinates": [[1, 2]]}, "/coordinates"),
        ({"type": "Polygon", "coordinates": []}, "/coordinates"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "/coordinates/0"),
        ({"type": "Polygon", "coordinates": [RING, [*RING[:3], [9, 9]]]}, "/coordinates/1"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [[[0, 0]]]]}, "/coordinates/1/0"),
        ({"type": "GeometryCollection", "geometries": {}}, "/geometries"),
        ({"type": "FeatureCollection", "features": [POINT, 3]}, "/features/1"),
    ],
)
def test_broken_geojson_is_refused_with_a_pointer(value: Any, place: str) -> None:
    with pytest.raises(BadRequest) as caught:
        geometry.from_geojson(value, place="/location")
    assert caught.value.error_code == "geometry"
    assert caught.value.place == "/location" + place


def test_nesting_and_vertices_are_capped() -> None:
    deep: dict[str, Any] = POINT
    for _ in range(30):
        deep = {"type": "GeometryCollection", "geometries": [deep]}
    wide = {"type": "MultiPoint", "coordinates": [[0, 0]] * (geometry.MAX_VERTICES + 1)}
    half = {"type": "MultiPoint", "coordinates": [[0, 0]] * (geometry.MAX_VERTICES // 2 + 1)}
    for value in (deep, wide, {"type": "GeometryCollection", "geometries": [half, half]}):
        with pytest.raises(BadRequest):
            geometry.from_geojson(value)


@pytest.mark.parametrize(
    "text", ["POINT (-61 14.6)", "point(-61 14.6)", "POINT Z (-61 14.6 3)", "SRID=4326;POINT(-61 14.6)"]
)
def test_wkt_is_read_in_two_dimensions(text: str) -> None:
    assert geometry.from_wkt(text).wkt == "POINT (-61 14.6)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "POINT",
        "POINT EMPTY",
        "POINT (1 2",
        "POINT (1 2) x",
        "POINT (1 2)\0",
        "POINT (nan 1)",
        "POINT (inf 1)",
        "POINT (1e400 1)",
        "LINESTRING (1 1)",
        "POLYGON ((0 0, 1 1, 1 0))",
        "GEOMETRYCOLLECTION (" * 800,
        "PØINT (1 2)",
        "{}",
        "POINT (1 2)" * 1000,
    ],
)
def test_broken_wkt_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        geometry.from_wkt(text)
    assert caught.value.error_code == "geometry"
    assert caught.value.hint


def test_bounds_are_west_south_east_north() -> None:
    shape = geometry.from_wkt("LINESTRING (1 5, 3 2)")
    assert geometry.bounds(shape) == (1.0, 2.0, 3.0, 5.0)


def test_broken_wkb_is_refused() -> None:
    for data in (b"", b"\x01\x02", b"\x01\x01\x00\x00\x00"):
        with pytest.raises(BadRequest):
            geometry.from_wkb(data)


numbers = st.integers() | st.floats() | st.none() | st.text(max_size=2)
coordinates = st.recursive(numbers, lambda inner: st.lists(inner, max_size=5), max_leaves=20)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from([*geometry.GEOJSON_TYPES, "x"])},
        optional={"coordinates": coordinates, "geometries": coordinates, "geometry": coordinates},
    )
)
def test_any_document_is_read_or_refused(value: Any) -> None:
    try:
        geometry.from_geojson(value)
    except BadRequest:
        return


@settings(deadline=None)
@given(st.text(alphabet="POINTLESRGYMUC(), 0123456789.-e;=ZF", max_size=60))
def test_any_wkt_is_read_or_refused(text: str) -> None:
    try:
        geometry.from_wkt(text)
    except BadRequest:
        return


@pytest.mark.parametrize(
    "text",
    ["CURVEPOLYGON(EMPTY)", "CIRCULARSTRING(0 0,1 1,2 0)", "COMPOUNDCURVE((0 0,1 1))", "MULTISURFACE EMPTY"],
)
def test_curves_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        geometry.from_wkt(text)
    assert refusal.value.error_code == "geometry"
