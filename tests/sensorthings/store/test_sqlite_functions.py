"""Functions that SQLite borrows from Python: null for null, null for what has no value, never an error."""

from __future__ import annotations

import math
from typing import Any

import apsw
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.sensorthings.store import sqlite_functions


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    found = apsw.Connection(":memory:")
    sqlite_functions.register(found)
    return found


def wkb(text: str) -> bytes:
    return bytes(shapely.to_wkb(shapely.from_wkt(text)))


@pytest.mark.parametrize(
    ("sql", "values", "expected"),
    [
        ("lakou_lower(?)", ("ÉÀ",), "éà"),
        ("lakou_upper(?)", ("éß",), "ÉSS"),
        ("lakou_lower(?)", (None,), None),
        ("lakou_instant(?)", ("2026-01-01T00:00:00Z",), 1_767_225_600_000_000),
        ("lakou_instant(?)", ("1969-12-31T23:59:59.5Z",), -500_000),
        ("lakou_instant(?)", ("soon",), None),
        ("lakou_instant(?)", (5,), None),
        ("lakou_instant(?)", (None,), None),
        ("lakou_box(?,?,?,?)", (None, None, None, None), None),
        ("st_distance(?,?)", (wkb("POINT (0 0)"), wkb("POINT (3 4)")), 5.0),
        ("st_length(?)", (wkb("LINESTRING (0 0, 3 4)"),), 5.0),
        ("st_length(?)", (wkb("POLYGON ((0 0, 1 0, 1 1, 0 0))"),), 0.0),
        ("st_within(?,?)", (None, wkb("POINT (0 0)")), None),
        ("st_intersects(?,?)", (wkb("POINT (0 0)"), wkb("POINT (0 0)")), 1),
        ("st_relate(?,?,?)", (wkb("POINT (0 0)"), wkb("POINT (0 0)"), "T********"), 1),
        ("st_relate(?,?,?)", (wkb("POINT (0 0)"), wkb("POINT (0 0)"), None), None),
    ],
)
def test_value_of_a_function(connection: apsw.Connection, sql: str, values: tuple[Any, ...], expected: Any) -> None:
    assert connection.execute(f"select {sql}", values).get == expected


def test_an_invalid_shape_gives_nothing_instead_of_an_error(connection: apsw.Connection) -> None:
    bow_tie = wkb("POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))")
    for name in ("st_overlaps", "st_within", "st_touches"):
        assert connection.execute(f"select {name}(?, ?)", (bow_tie, bow_tie)).get in (0, 1, None)


@settings(max_examples=300, deadline=None)
@given(value=st.floats(1e-30, 1e30) | st.floats(-1e30, -1e-30) | st.just(0.0))
def test_a_cell_of_the_index_always_holds_its_coordinate(value: float) -> None:
    assert sqlite_functions.single(value, down=True) <= value <= sqlite_functions.single(value, down=False)


@pytest.mark.parametrize("value", [3.5e38, -3.5e38, 1e300])
def test_a_coordinate_beyond_32_bits_has_a_cell(value: float) -> None:
    for down in (True, False):
        assert math.isfinite(sqlite_functions.single(value, down=down))
