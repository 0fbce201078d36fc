"""GeoJSON to features. Pure. Coordinates are degrees, longitude first, and nothing else (RFC 7946 §4).

A `crs` member, which older files have, is read only to refuse what is not WGS 84: ignoring it puts zones elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, TooLarge
from lakou.territory.layers.features import RawFeature

MAX_BYTES = 64 * 2**20
_WGS_84 = re.compile(r"(urn:ogc:def:crs:)?(OGC:[\d.]*:?CRS84|EPSG:[\d.]*:?4326)", re.IGNORECASE)


def read_geojson(data: bytes) -> Iterator[RawFeature]:
    """The features of a FeatureCollection, a Feature or a bare geometry. Raises BadRequest, TooLarge."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The file is above {MAX_BYTES // 2**20} MiB", hint="make a GeoPackage of it, or cut it")
    value = jsontext.decode(data)
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise BadRequest("This is no GeoJSON", code="file_invalid", hint="a FeatureCollection is needed (RFC 7946)")
    _check_system(value)
    match value["type"]:
        case "FeatureCollection":
            features = value.get("features")
            if not isinstance(features, list):
                raise BadRequest(
                    "A FeatureCollection needs an array 'features'", code="file_invalid", place="/features"
                )
        case "Feature":
            features = [value]
        case _:
            features = [{"type": "Feature", "geometry": value, "properties": {}}]
    for number, feature in enumerate(features, 1):
        yield _feature(number, feature)


def _feature(number: int, value: Any) -> RawFeature:
    if not isinstance(value, dict) or value.get("type") != "Feature":
        return RawFeature(number, "", {}, None, "ce n'est pas une entité (Feature)")
    fields = value.get("properties")
    own_id = value.get("id")
    return RawFeature(
        number,
        str(own_id) if isinstance(own_id, str | int | float) and not isinstance(own_id, bool) else "",
        fields if isinstance(fields, dict) else {},
        value["geometry"] if isinstance(value.get("geometry"), dict) else None,
    )


def _check_system(value: dict[str, Any]) -> None:
    system = value.get("crs")
    if system is None:
        return
    properties = system.get("properties") if isinstance(system, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(name, str) and _WGS_84.fullmatch(name.strip()):
        return
    shown = name if isinstance(name, str) else "unnamed"
    raise BadRequest(
        f"The file is in the system {shown[:80]}, GeoJSON is read in WGS 84 only",
        code="other_system",
        place="/crs",
        hint="ogr2ogr -t_srs EPSG:4326 -lco RFC7946=YES new.geojson old.geojson",
    )
