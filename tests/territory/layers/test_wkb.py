"""WKB is walked before GEOS sees it: whatever shapely writes passes, and what would end the process is refused."""

from __future__ import annotations

import contextlib
import struct

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.errors import ShapelyError

from lakou.territory.layers.wkb import MAX_DEPTH, check_wkb

TEXTS = [
    "POINT (1 2)",
    "POINT Z (1 2 3)",
    "POINT EMPTY",
    "LINESTRING (0 0, 1 1, 2 2)",
    "LINESTRING EMPTY",
    "POLYGON ((0 0, 4 0, 4 4, 0 0), (1 1, 2 1, 2 2, 1 1))",
    "POLYGON EMPTY",
    "MULTIPOINT (1 1, 2 2)",
    "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))",
    "MULTIPOLYGON Z (((0 0 1, 1 0 1, 1 1 1, 0 0 1)), ((5 5 1, 6 5 1, 6 6 1, 5 5 1)))",
    "GEOMETRYCOLLECTION (POINT (1 1), GEOMETRYCOLLECTION (LINESTRING (0 0, 1 1)))",
]


def nested(kind: int, depth: int) -> bytes:
    return (b"\1" + struct.pack("<II", kind, 1)) * depth + shapely.to_wkb(shapely.Point(0, 0))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("order", [0, 1])
def test_what_shapely_writes_passes_and_nothing_shorter_or_longer(text: str, flavor: str, order: int) -> None:
    data = shapely.to_wkb(shapely.from_wkt(text), flavor=flavor, byte_order=order)
    check_wkb(data)
    check_wkb(shapely.to_wkb(shapely.set_srid(shapely.from_wkt(text), 4326), include_srid=True))
    for wrong in (data[:-1], data + b"\0", data[:4]):
        with pytest.raises(ValueError, match=r"ends too early|left after|no geometry starts"):
            check_wkb(wrong)


@pytest.mark.parametrize("kind", [4, 5, 6, 7])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 100_000])
def test_deep_nesting_is_refused_before_geos_recurses(kind: int, depth: int) -> None:
    with pytest.raises(ValueError, match="nested"):
        check_wkb(nested(kind, depth))
    check_wkb(nested(7, MAX_DEPTH - 2))


def test_a_count_that_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="too early"):
        check_wkb(b"\1" + struct.pack("<II", 7, 2**32 - 1) + b"\0" * 100)


def test_curves_are_told_apart() -> None:
    with pytest.raises(NotImplementedError):
        check_wkb(b"\1" + struct.pack("<II", 8, 0))


@given(st.binary(max_size=60))
def test_any_bytes_pass_or_are_refused(data: bytes) -> None:
    try:
        check_wkb(data)
    except (ValueError, NotImplementedError):
        return
    with contextlib.suppress(ShapelyError):  # a line of one position is whole and no line
        shapely.from_wkb(data)
