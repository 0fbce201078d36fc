"""Geometry in and out: GeoJSON and WKT to shapely geometries, and to WKB for the stores.

Everything is checked before shapely sees it, so that each error has a place; whatever shapely still refuses is
turned into BadRequest. Coordinates are only required to be finite: local reference systems are legal. The result is
two-dimensional; the document as given is kept beside it by the store. Source: RFC 7946 §3.1, OGC 06-103r4 §7 (WKT).
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from lakou.kernel.errors import BadRequest

MAX_VERTICES = 100_000
MAX_DEPTH = 16

_GEOMETRIES = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection",
)  # fmt: skip
GEOJSON_TYPES = (*_GEOMETRIES, "Feature", "FeatureCollection")
_SRID = re.compile(r"\s*SRID=\d{1,6};", re.IGNORECASE | re.ASCII)

Position = tuple[float, float]


class _Reader:
    """Walks one GeoJSON document; counts vertices over all of it."""

    def __init__(self) -> None:
        self.vertices = 0

    def read(self, value: Any, place: str, depth: int) -> BaseGeometry | None:
        if not isinstance(value, dict):
            raise _refuse("a geometry must be a JSON object", place)
        if depth > MAX_DEPTH:
            raise _refuse(f"geometries are nested deeper than {MAX_DEPTH} levels", place)
        kind = value.get("type")
        match kind:
            case "Feature":
                inner = value.get("geometry")
                return None if inner is None else self.read(inner, place + "/geometry", depth + 1)
            case "FeatureCollection":
                return self._collect(value, "features", place, depth)
            case "GeometryCollection":
                return self._collect(value, "geometries", place, depth)
            case str() if kind in _GEOMETRIES:
                return self._build(kind, value.get("coordinates"), place + "/coordinates")
        raise _refuse("a geometry needs a known type", place + "/type", f"one of {', '.join(GEOJSON_TYPES)}")

    def _collect(self, value: dict[str, Any], member: str, place: str, depth: int) -> BaseGeometry | None:
        items = value.get(member)
        if not isinstance(items, list):
            raise _refuse(f"a {value['type']} needs an array '{member}'", f"{place}/{member}")
        if len(items) > MAX_VERTICES:
            raise _refuse(f"more than {MAX_VERTICES} members", f"{place}/{member}")
        found = [self.read(item, f"{place}/{member}/{index}", depth + 1) for index, item in enumerate(items)]
        parts = [part for part in found if part is not None]
        return shapely.GeometryCollection(parts) if parts else None

    def _build(self, kind: str, value: Any, place: str) -> BaseGeometry:
        match kind:
            case "Point":
                return shapely.Point(self._position(value, place))
            case "MultiPoint":
                return shapely.MultiPoint(self._line(value, place, 1))
            case "LineString":
                return shapely.LineString(self._line(value, place, 2))
            case "MultiLineString":
                lines = self._array(value, place, "lines")
                return shapely.MultiLineString([self._line(line, f"{place}/{i}", 2) for i, line in enumerate(lines)])
            case "Polygon":
                return self._polygon(value, place)
        polygons = self._array(value, place, "polygons")
        return shapely.MultiPolygon([self._polygon(item, f"{place}/{i}") for i, item in enumerate(polygons)])

    def _polygon(self, value: Any, place: str) -> BaseGeometry:
        rings = [self._ring(ring, f"{place}/{i}") for i, ring in enumerate(self._array(value, place, "rings"))]
        return shapely.Polygon(rings[0], rings[1:])

    def _ring(self, value: Any, place: str) -> list[Position]:
        ring = self._line(value, place, 4)
        if ring[0] != ring[-1]:
            raise _refuse("a ring must end where it starts", place, "repeat the first position at the end")
        return ring

    def _line(self, value: Any, place: str, least: int) -> list[Position]:
        items = self._array(value, place, "positions")
        if len(items) < least:
            raise _refuse(f"at least {least} positions are needed here", place)
        return [self._position(item, f"{place}/{index}") for index, item in enumerate(items)]

    def _array(self, value: Any, place: str, what: str) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise _refuse(f"an array of {what} is needed here", place)
        if len(value) > MAX_VERTICES:
            raise _refuse(f"more than {MAX_VERTICES} {what}", place)
        return value

    def _position(self, value: Any, place: str) -> Position:
        if not isinstance(value, list) or not 2 <= len(value) <= 4:
            raise _refuse("a position is an array of 2 or 3 numbers", place, "[longitude, latitude]")
        self.vertices += 1
        if self.vertices > MAX_VERTICES:
            raise _refuse(f"the geometry has more than {MAX_VERTICES} positions", place, "simplify it")
        for index, number in enumerate(value):
            if isinstance(number, bool) or not isinstance(number, int | float) or not _is_finite(number):
                raise _refuse("a coordinate must be a finite number", f"{place}/{index}")
        return float(value[0]), float(value[1])


def from_geojson(value: Any, *, place: str = "") -> BaseGeometry | None:
    """A GeoJSON geometry, Feature or collection as one shapely geometry (2D); None when there is no geometry.

    `place` is the JSON pointer of `value` in its document. Raises BadRequest `geometry` with a pointer.
    """
    try:
        return _Reader().read(value, place, 1)
    except (ShapelyError, ValueError, TypeError, OverflowError):
        raise _refuse("the geometry cannot be built", place or None) from None


def from_wkt(text: str) -> BaseGeometry:
    """A WKT text such as `POINT (-61 14.6)` (a leading `SRID=…;` is skipped) as a shapely geometry (2D).

    Raises BadRequest `geometry`.
    """
    hint = "write it as POINT (longitude latitude) or POLYGON ((x y, x y, x y, x y))"
    body = _SRID.sub("", text, count=1)
    if "\0" in body or not body.isascii():
        raise _refuse("the WKT text holds characters that WKT does not know", None, hint)
    if _paren_depth(body) > MAX_DEPTH:
        raise _refuse(f"geometries are nested deeper than {MAX_DEPTH} levels", None, hint)
    try:
        # A coordinate such as 1e400 becomes infinite and is refused below; numpy's warning about it is noise.
        with numpy.errstate(all="ignore"):
            geometry = shapely.force_2d(shapely.from_wkt(body))
    except NotImplementedError:  # GEOS reads curves, shapely does not hold them
        raise _refuse("curves and surfaces are not known here", None, hint) from None
    except (ShapelyError, ValueError, TypeError, OverflowError):
        raise _refuse("the WKT text cannot be read", None, hint) from None
    if geometry is None or geometry.is_empty:
        raise _refuse("the WKT text holds no position", None, hint)
    if shapely.get_num_coordinates(geometry) > MAX_VERTICES:
        raise _refuse(f"the geometry has more than {MAX_VERTICES} positions", None, "simplify it")
    if not numpy.isfinite(shapely.get_coordinates(geometry)).all():
        raise _refuse("a coordinate must be a finite number", None, hint)
    return geometry


def to_wkb(geometry: BaseGeometry) -> bytes:
    """Well-known binary, little-endian, 2D, without a reference system."""
    data: bytes = shapely.to_wkb(geometry, output_dimension=2, byte_order=1)
    return data


def from_wkb(data: bytes) -> BaseGeometry:
    """The geometry of a WKB value. Raises BadRequest `geometry` when the bytes are not one."""
    try:
        return shapely.from_wkb(data)
    except (ShapelyError, ValueError, TypeError):
        raise _refuse("the stored geometry cannot be read", None) from None


def bounds(geometry: BaseGeometry) -> tuple[float, float, float, float]:
    """(west, south, east, north) in the units of the coordinates."""
    west, south, east, north = geometry.bounds
    return west, south, east, north


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _paren_depth(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif char == ")":
            depth -= 1
    return deepest


def _refuse(message: str, place: str | None, hint: str = "see RFC 7946 for the form of GeoJSON") -> BadRequest:
    return BadRequest(message, code="geometry", place=place, hint=hint)
