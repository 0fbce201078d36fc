"""The two projections agree with PROJ 9 and IGN's published constants to a millimetre; the promise is a metre."""

from __future__ import annotations

import math

import numpy
import pytest
import shapely

from lakou.territory.layers.projection import (
    LAMBERT_C_M,
    LAMBERT_N,
    LAMBERT_YS_M,
    SYSTEMS,
    from_lambert_93,
    from_utm_20n,
    to_degrees,
)

# Longitude, latitude → east, north, by PROJ 9 (pyproj 3.7.2, EPSG database). The second point is the south-west
# of Martinique, the third its north-east; then the equator, Guadeloupe, and far off the zone.
UTM = [
    ((-60.9977, 14.6129), (715683.1433, 1616462.8164)),
    ((-61.2296, 14.3883), (690888.2978, 1591404.0639)),
    ((-60.8096, 14.8789), (735666.5411, 1646088.9877)),
    ((-63.0, 0.0), (500000.0, 0.0)),
    ((-61.5, 16.2), (660342.3124, 1791644.1315)),
    ((-66.0, 18.5), (183202.821, 2048138.3837)),
]
LAMBERT = [
    ((3.0, 46.5), (700000.0, 6600000.0)),
    ((2.2945, 48.8582), (648237.1029, 6862249.4434)),
    ((-5.1, 48.45), (102085.5448, 6847330.3448)),
    ((8.75, 41.9), (1177768.3076, 6106210.5777)),
    ((7.75, 48.58), (1050163.9436, 6841622.7155)),
    ((5.41423, 43.52609), (895215.9781, 6272652.7569)),
]


def metres_apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    east = math.radians(one[0] - other[0]) * 6_378_137 * math.cos(math.radians(one[1]))
    return math.hypot(east, math.radians(one[1] - other[1]) * 6_378_137)


@pytest.mark.parametrize(("degrees", "metres"), UTM)
def test_utm_20n_is_right_to_a_millimetre(degrees: tuple[float, float], metres: tuple[float, float]) -> None:
    found = from_utm_20n(*(numpy.array([value]) for value in metres))
    assert metres_apart((found[0][0], found[1][0]), degrees) < 0.001


@pytest.mark.parametrize(("degrees", "metres"), LAMBERT)
def test_lambert_93_is_right_to_a_millimetre(degrees: tuple[float, float], metres: tuple[float, float]) -> None:
    found = from_lambert_93(*(numpy.array([value]) for value in metres))
    assert metres_apart((found[0][0], found[1][0]), degrees) < 0.001


def test_the_constants_of_lambert_93_are_those_that_ign_publishes() -> None:
    assert math.isclose(LAMBERT_N, 0.7256077650532670, rel_tol=1e-12)
    assert math.isclose(LAMBERT_C_M, 11754255.4261, abs_tol=0.001)
    assert math.isclose(LAMBERT_YS_M, 12655612.0499, abs_tol=0.001)


def test_a_polygon_comes_out_with_longitude_first_and_the_same_rings() -> None:
    square = shapely.box(715000, 1616000, 716000, 1617000)
    turned = to_degrees(square, 5490)
    assert shapely.get_num_coordinates(turned) == 5
    assert -61.01 < turned.bounds[0] < -60.99
    assert 14.60 < turned.bounds[1] < 14.62


def test_degrees_stay_as_they_are() -> None:
    point = shapely.Point(-60.998, 14.6130001234)
    assert to_degrees(point, 4326) is point
    assert set(SYSTEMS) == {4326, 5490, 2154}
