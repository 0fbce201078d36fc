"""Features of a file of zones: names, levels and populations from their fields, geometries checked. Pure.

Geometry is kept as given. What is doubtful is told and never repaired in silence: an invalid ring would otherwise
become another zone than the one that was decided. A population of 0 is taken for unknown, for some files write that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from lakou.kernel import geometry as shapes
from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError, TooLarge
from lakou.territory.bounds import Surroundings
from lakou.territory.findings import Finding

MAX_FEATURES = 100_000
MAX_VERTICES = 5_000_000
MAX_PROPERTIES_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class RawFeature:
    """One feature as read: its number in the file from 1, its own id, its fields, its GeoJSON geometry.

    `fault` says why there is no geometry that could be read.
    """

    number: int
    own_id: str
    fields: dict[str, Any]
    geometry: dict[str, Any] | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Which fields of a feature say what; empty: none does."""

    name: str = ""
    population: str = ""
    level: str = ""
    key: str = ""

    def given(self) -> dict[str, str]:
        """The names that are given, as they are stored with the layer."""
        pairs = {"name": self.name, "population": self.population, "level": self.level, "key": self.key}
        return {option: value for option, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class Feature:
    """A checked feature: what a zone is made of. `bounds` is west, south, east, north in degrees."""

    number: int
    key: str
    name: str
    level: str
    population: int | None
    geometry: dict[str, Any]
    bounds: tuple[float, float, float, float]
    properties: dict[str, Any]


@dataclass(slots=True)
class Checked:
    """The features of a file that can be zones, and all findings."""

    features: list[Feature] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    total: int = 0


def check_features(raws: Iterable[RawFeature], names: FieldNames, around: Surroundings | None) -> Checked:
    """Every feature checked; those with an error are kept out and told. Raises TooLarge above the bounds."""
    checked = Checked()
    seen: dict[str, int] = {}
    vertices = 0
    for raw in raws:
        checked.total += 1
        if checked.total > MAX_FEATURES:
            raise TooLarge(f"The file has more than {MAX_FEATURES} features", hint="cut it to the territory first")
        found: list[Finding] = []
        shape = _shape(raw, found)
        if shape is not None:
            vertices += int(shapely.get_num_coordinates(shape))
            if vertices > MAX_VERTICES:
                raise TooLarge(f"The file has more than {MAX_VERTICES} positions", hint="ogr2ogr -simplify")
            _check_shape(raw, shape, found, around)
        key = _text(raw.fields.get(names.key)) if names.key else raw.own_id
        key = (key or str(raw.number))[:200]
        if seen.setdefault(key, raw.number) != raw.number:
            found.append(Finding(raw.number, names.key or "id", "duplicate", key, f"déjà à l'entité {seen[key]}"))
        properties = _properties(raw, found)
        population = _population(raw, names.population, found)
        checked.findings += found
        if shape is None or any(finding.severity == "error" for finding in found):
            continue
        assert raw.geometry is not None  # noqa: S101 – there is a shape
        name, level = (_text(raw.fields.get(one)) if one else "" for one in (names.name, names.level))
        bounds = shapes.bounds(shape)
        checked.features.append(
            Feature(raw.number, key, name[:300], level[:80], population, raw.geometry, bounds, properties)
        )
    for option, wanted in names.given().items():
        if checked.total and not any(wanted in raw.properties for raw in checked.features):
            checked.findings.append(Finding(0, wanted, "no_field", hint=f"--{option}"))
    return checked


def _shape(raw: RawFeature, found: list[Finding]) -> BaseGeometry | None:
    if raw.fault or raw.geometry is None:
        found.append(Finding(raw.number, "geometry", "no_geometry", raw.fault))
        return None
    try:
        shape = shapes.from_geojson(raw.geometry, place="/geometry")
    except LakouError as error:
        value = error.message + (f" ({error.place})" if error.place else "")
        found.append(Finding(raw.number, "geometry", "geometry", value, error.hint or ""))
        return None
    if shape is None or shape.is_empty:
        found.append(Finding(raw.number, "geometry", "no_geometry"))
        return None
    return shape


def _check_shape(raw: RawFeature, shape: BaseGeometry, found: list[Finding], around: Surroundings | None) -> None:
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        hint = "des mètres ? ogr2ogr -t_srs EPSG:4326"
        found.append(Finding(raw.number, "geometry", "not_degrees", f"{west:.1f}, {south:.1f}", hint))
        return
    if not shape.is_valid:
        reason = shapely.is_valid_reason(shape)
        found.append(Finding(raw.number, "geometry", "invalid", reason, "ogr2ogr -makevalid, puis vérifier"))
    if around is None or _touches((west, south, east, north), around.bounds):
        return
    is_swapped = _touches((south, west, north, east), around.bounds)
    code = "swapped" if is_swapped else "outside"
    found.append(Finding(raw.number, "geometry", code, f"{west:.4f}, {south:.4f}", f"le territoire : {around.name}"))


def _touches(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] <= other[2] and one[2] >= other[0] and one[1] <= other[3] and one[3] >= other[1]


def _population(raw: RawFeature, name: str, found: list[Finding]) -> int | None:
    value = raw.fields.get(name) if name else None
    if value is None or value == "":
        return None
    try:
        number = float(value) if not isinstance(value, bool) else -1.0
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < 2**31:
        found.append(Finding(raw.number, name, "population", _text(value)[:200]))
        return None
    if number == 0:
        found.append(Finding(raw.number, name, "population_zero"))
        return None
    return round(number)


def _properties(raw: RawFeature, found: list[Finding]) -> dict[str, Any]:
    if len(jsontext.encode(raw.fields)) <= MAX_PROPERTIES_BYTES:
        return raw.fields
    found.append(Finding(raw.number, "properties", "properties"))
    return {}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case dict() | list():
            return jsontext.encode(value).decode()
    return str(value)
