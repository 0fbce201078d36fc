"""Functions that the SQLite dialect calls: Unicode case, text to instant, and geometry through shapely."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import apsw
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from lakou.kernel import time
from lakou.kernel.errors import BadRequest


def register(connection: apsw.Connection) -> None:
    """Make every function known to a connection."""
    for name, (function, count) in _FUNCTIONS.items():
        connection.create_scalar_function(name, function, count, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _upper(text: str | None) -> str | None:
    return None if text is None else text.upper()


def _instant(text: Any) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return time.parse_instant(text)
    except BadRequest:
        return None


def _micros(value: float | None) -> int | None:
    """Whole microseconds; null beyond 64 bits. In SQL it would name its argument twice, and again at each nesting."""
    return None if value is None or not abs(value) < 9.2e18 else int(value)


def _floor(value: float | None, width: int) -> int | None:
    """Whole widths, downwards also before 1970."""
    return None if value is None else int(value // width)


def _rest(value: float | None, width: int) -> int | None:
    """What is left beyond whole widths."""
    return None if value is None else int(value % width)


def _box(min_x: float | None, min_y: float, max_x: float, max_y: float) -> bytes | None:
    return None if min_x is None else shapely.to_wkb(shapely.envelope(shapely.box(min_x, min_y, max_x, max_y)))


@lru_cache(maxsize=512)
def _geometry(wkb: bytes) -> BaseGeometry:
    found = shapely.from_wkb(wkb)
    shapely.prepare(found)
    return found


def _geometric(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of geometries: null for null, and for what shapely cannot compute."""

    def call(*arguments: Any) -> Any:
        if any(a is None for a in arguments):
            return None
        shapes = [_geometry(a) if isinstance(a, bytes) else a for a in arguments]
        try:
            found = function(*shapes)
        except ShapelyError:
            return None
        return bool(found) if function not in (shapely.distance, _length) else float(found)

    return call


def _length(shape: BaseGeometry) -> float:
    """The length of lines; outlines of areas do not count (OGC 06-103r4 §6.1.7)."""
    parts = shapely.get_parts(shape) if shape.geom_type == "GeometryCollection" else [shape]
    return sum(float(p.length) for p in parts if p.geom_type in ("LineString", "MultiLineString"))


_FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "lakou_lower": (_lower, 1),
    "lakou_upper": (_upper, 1),
    "lakou_instant": (_instant, 1),
    "lakou_box": (_box, 4),
    "lakou_micros": (_micros, 1),
    "lakou_floor": (_floor, 2),
    "lakou_rest": (_rest, 2),
    "st_distance": (_geometric(shapely.distance), 2),
    "st_length": (_geometric(_length), 1),
    "st_intersects": (_geometric(shapely.intersects), 2),
    "st_equals": (_geometric(shapely.equals), 2),
    "st_disjoint": (_geometric(shapely.disjoint), 2),
    "st_touches": (_geometric(shapely.touches), 2),
    "st_within": (_geometric(shapely.within), 2),
    "st_overlaps": (_geometric(shapely.overlaps), 2),
    "st_crosses": (_geometric(shapely.crosses), 2),
    "st_contains": (_geometric(shapely.contains), 2),
    "st_relate": (_geometric(shapely.relate_pattern), 3),
}


def single(value: float, *, down: bool) -> float:
    """A coordinate widened to what a 32-bit R*Tree cell can hold, so that no row is missed."""
    try:
        (near,) = struct.unpack("<f", struct.pack("<f", value))
    except OverflowError:
        return -3.4e38 if value < 0 or down else 3.4e38
    slack = abs(near) * 1.2e-7
    return float(near - slack if down else near + slack)
