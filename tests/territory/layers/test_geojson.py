"""GeoJSON is read in WGS 84 as given; another system is refused by name."""

from __future__ import annotations

import json

import pytest

from lakou.kernel.errors import BadRequest
from lakou.territory.layers.geojson import read_geojson

POINT = {"type": "Point", "coordinates": [-60.998, 14.613]}


def document(**more: object) -> bytes:
    feature = {"type": "Feature", "id": 7, "properties": {"nom": "Zone"}, "geometry": POINT}
    return json.dumps({"type": "FeatureCollection", "features": [feature], **more}).encode()


def crs(name: object) -> dict[str, object]:
    return {"type": "name", "properties": {"name": name}}


def test_features_keep_id_fields_and_geometry_as_given() -> None:
    found = list(read_geojson(document()))
    assert [(one.number, one.own_id, one.fields, one.geometry) for one in found] == [(1, "7", {"nom": "Zone"}, POINT)]


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"])
def test_a_crs_that_says_wgs_84_is_accepted(name: str) -> None:
    assert len(list(read_geojson(document(crs=crs(name))))) == 1


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:EPSG::5490", "EPSG:2154", "EPSG:43260", 4326, None, "CRS84x"])
def test_any_other_crs_is_refused_with_the_way_out(name: object) -> None:
    with pytest.raises(BadRequest) as caught:
        list(read_geojson(document(crs=crs(name))))
    assert caught.value.error_code == "other_system"
    assert "ogr2ogr -t_srs EPSG:4326" in (caught.value.hint or "")


def test_a_bare_geometry_and_a_single_feature_are_one_feature() -> None:
    assert [one.geometry for one in read_geojson(json.dumps(POINT).encode())] == [POINT]
    single = {"type": "Feature", "properties": None, "geometry": POINT}
    assert [one.fields for one in read_geojson(json.dumps(single).encode())] == [{}]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"type": 3}', b'{"type":"FeatureCollection"}', b'{"type":"FeatureCollection","features":{}}',
     b'{"type":"Point","coordinates":[NaN,1]}', b"\xff\xfe", b"[" * 5000],
)  # fmt: skip
def test_what_is_no_geojson_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest):
        list(read_geojson(data))


def test_members_that_are_no_features_are_told_not_dropped() -> None:
    found = list(read_geojson(json.dumps({"type": "FeatureCollection", "features": [3, POINT, {}]}).encode()))
    assert [bool(one.fault) for one in found] == [True, True, True]
