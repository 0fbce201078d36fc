"""From the two projected systems of French official files to degrees, and no others. Pure.

EPSG:5490 (RGAF09 / UTM 20N, Martinique and Guadeloupe) by Krüger's series to the fourth order, EPSG:2154 (RGF93 /
Lambert-93) by the conic of two parallels; both on GRS 80, both within a millimetre of PROJ (tests). RGAF09 and RGF93
are taken for WGS 84: they differ by what the plates have moved since, a few decimetres.
Sources: Karney 2011; IGN NTG 71; EPSG Guidance Note 7-2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy
import shapely
from shapely.geometry.base import BaseGeometry

Array = Any  # numpy's arrays of floats

A_M = 6_378_137.0
F = 1 / 298.257222101
E = math.sqrt(F * (2 - F))
_N = F / (2 - F)
# One centimetre on the ground: what these files can mean at best.
DECIMALS = 7

_RADIUS_M = A_M / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_BETA = (
    _N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96 - _N**4 / 360,
    _N**2 / 48 + _N**3 / 15 - 437 * _N**4 / 1440,
    17 * _N**3 / 480 - 37 * _N**4 / 840,
    4397 * _N**4 / 161280,
)
_DELTA = (
    2 * _N - 2 * _N**2 / 3 - 2 * _N**3 + 116 * _N**4 / 45,
    7 * _N**2 / 3 - 8 * _N**3 / 5 - 227 * _N**4 / 45,
    56 * _N**3 / 15 - 136 * _N**4 / 35,
    4279 * _N**4 / 630,
)


def from_utm_20n(east_m: Array, north_m: Array) -> tuple[Array, Array]:
    """Longitude and latitude in degrees of coordinates in EPSG:5490."""
    xi = north_m / (0.9996 * _RADIUS_M)
    eta = (east_m - 500_000.0) / (0.9996 * _RADIUS_M)
    xi_0, eta_0 = xi, eta
    for j, beta in enumerate(_BETA, 1):
        xi = xi - beta * numpy.sin(2 * j * xi_0) * numpy.cosh(2 * j * eta_0)
        eta = eta - beta * numpy.cos(2 * j * xi_0) * numpy.sinh(2 * j * eta_0)
    chi = numpy.arcsin(numpy.sin(xi) / numpy.cosh(eta))
    latitude = chi + sum(delta * numpy.sin(2 * j * chi) for j, delta in enumerate(_DELTA, 1))
    longitude = numpy.arctan2(numpy.sinh(eta), numpy.cos(xi))
    return numpy.degrees(longitude) - 63.0, numpy.degrees(latitude)


def _isometric(latitude_rad: float) -> float:
    sine = E * math.sin(latitude_rad)
    return math.log(math.tan(math.pi / 4 + latitude_rad / 2) * ((1 - sine) / (1 + sine)) ** (E / 2))


def _parallel(latitude_rad: float) -> float:
    """The radius of a parallel over the semi-axis."""
    return math.cos(latitude_rad) / math.sqrt(1 - (E * math.sin(latitude_rad)) ** 2)


_SOUTH, _NORTH, _ORIGIN = math.radians(44), math.radians(49), math.radians(46.5)
LAMBERT_N = math.log(_parallel(_NORTH) / _parallel(_SOUTH)) / (_isometric(_SOUTH) - _isometric(_NORTH))
LAMBERT_C_M = A_M * _parallel(_SOUTH) / LAMBERT_N * math.exp(LAMBERT_N * _isometric(_SOUTH))
LAMBERT_YS_M = 6_600_000.0 + LAMBERT_C_M * math.exp(-LAMBERT_N * _isometric(_ORIGIN))


def from_lambert_93(east_m: Array, north_m: Array) -> tuple[Array, Array]:
    """Longitude and latitude in degrees of coordinates in EPSG:2154."""
    right, down = east_m - 700_000.0, LAMBERT_YS_M - north_m
    isometric = -numpy.log(numpy.hypot(right, down) / LAMBERT_C_M) / LAMBERT_N
    longitude = 3.0 + numpy.degrees(numpy.arctan2(right, down) / LAMBERT_N)
    latitude = 2 * numpy.arctan(numpy.exp(isometric)) - math.pi / 2
    for _ in range(8):  # each step gains two digits and more
        sine = E * numpy.sin(latitude)
        latitude = 2 * numpy.arctan(((1 + sine) / (1 - sine)) ** (E / 2) * numpy.exp(isometric)) - math.pi / 2
    return longitude, numpy.degrees(latitude)


SYSTEMS: dict[int, Callable[[Array, Array], tuple[Array, Array]] | None] = {
    4326: None,
    5490: from_utm_20n,
    2154: from_lambert_93,
}


def to_degrees(geometry: BaseGeometry, epsg: int) -> BaseGeometry:
    """A two-dimensional geometry of one of `SYSTEMS` in degrees, longitude first."""
    inverse = SYSTEMS[epsg]
    if inverse is None:
        return geometry

    def inverted(pairs: Array) -> Array:
        longitude, latitude = inverse(pairs[:, 0], pairs[:, 1])
        return numpy.round(numpy.column_stack((longitude, latitude)), DECIMALS)

    with numpy.errstate(all="ignore"):  # what lies outside a system's area becomes NaN, and is refused as such
        return shapely.transform(geometry, inverted)
