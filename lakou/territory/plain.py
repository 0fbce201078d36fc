"""Places of any kind from a plain table or GeoJSON: shelters, schools, town halls, health, industrial sites. Pure.

`COLUMNS` is the one table of columns, with their French names; what is not in it stays in the place's properties. An
area is taken as a point inside it, and that is told.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import shapely

from lakou.kernel import geometry as shapes
from lakou.kernel import jsontext
from lakou.kernel.errors import LakouError
from lakou.territory.bounds import Surroundings
from lakou.territory.drafts import Draft
from lakou.territory.findings import Finding
from lakou.territory.kinds import PLACES_BY_KEY
from lakou.territory.layers.features import RawFeature
from lakou.territory.layers.geojson import read_geojson
from lakou.territory.mediation.standard import BY_NAME
from lakou.territory.opening_hours import is_well_formed
from lakou.territory.tables import Row, Table, read_table

COLUMNS: dict[str, tuple[str, ...]] = {
    "id": ("identifiant",),
    "kind": ("genre",),
    "name": ("nom", "libelle"),
    "longitude": ("lon",),
    "latitude": ("lat",),
    "commune": ("code_insee", "insee"),
    "address": ("adresse",),
    "capacity": ("capacite", "capacité"),
    "phone": ("telephone", "téléphone"),
    "email": ("courriel",),
    "web": ("site_web", "site"),
    "opening_hours": ("horaires",),
    "description": (),
}
_OWN = {alias: name for name, aliases in COLUMNS.items() for alias in (name, *aliases)}
_LONGEST = {"id": 200, "name": 300}
_INSEE = BY_NAME["code_insee"].pattern
_PHONE = BY_NAME["telephone"].pattern

Tell = Callable[[str, str, str, str], None]


def read_plain(data: bytes) -> Table:
    """The rows of a CSV or JSON table, or of a GeoJSON FeatureCollection. Raises BadRequest, TooLarge."""
    head = data[:4096].replace(b" ", b"")
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and b'"FeatureCollection"' in head:
        rows = [_row_of(feature) for feature in read_geojson(data)]
        return Table("json", tuple(dict.fromkeys(name for row in rows for name in row.cells)), rows)
    return read_table(data)


def _row_of(feature: RawFeature) -> Row:
    cells = {name: _cell(value) for name, value in feature.fields.items()}
    cells.setdefault("id", feature.own_id)
    text = jsontext.encode({"id": feature.own_id, "properties": feature.fields, "geometry": feature.geometry}).decode()
    fault = feature.fault
    if feature.geometry is not None:
        try:
            shape = shapes.from_geojson(feature.geometry, place="/geometry")
            if shape is not None and not shape.is_empty:
                point = shape if shape.geom_type == "Point" else shapely.point_on_surface(shape)
                cells |= {"longitude": repr(point.x), "latitude": repr(point.y), "geometry": shape.geom_type}
        except LakouError as error:
            fault = error.message
    return Row(feature.number, text, cells, fault=fault)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool() | dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def read_place(source: Row, kind: str = "", around: Surroundings | None = None) -> tuple[Draft | None, list[Finding]]:
    """One row as a draft, None when an error keeps it out. `kind` is that of rows without one."""
    found: list[Finding] = []

    def tell(column: str, code: str, value: str = "", hint: str = "") -> None:
        found.append(Finding(source.number, column, code, value[:200], hint))

    if source.fault:
        tell("", "row", source.fault)
        return None, found
    cells = dict.fromkeys(COLUMNS, "")
    rest: dict[str, str] = {}
    for column, value in source.cells.items():
        own = _OWN.get(column.strip().lower())
        if own is None or cells[own]:
            rest |= {column: value.strip()} if value.strip() else {}
        else:
            cells[own] = value.strip()
    for column in ("id", "name"):
        if not cells[column]:
            tell(column, "missing")
        elif len(cells[column]) > _LONGEST[column]:
            tell(column, "too_long", cells[column])
    cells["kind"] = cells["kind"] or kind
    if cells["kind"] not in PLACES_BY_KEY:
        code = "enumeration" if cells["kind"] else "missing"
        tell("kind", code, cells["kind"], "un de : " + ", ".join(PLACES_BY_KEY))
    if cells["commune"] and not (_INSEE and _INSEE.fullmatch(cells["commune"])):
        tell("commune", "pattern", cells["commune"], "le code INSEE de la commune : 97213")
    if cells["phone"] and not (_PHONE and _PHONE.fullmatch(cells["phone"])):
        tell("phone", "phone", cells["phone"], "la forme internationale sans espace : +596596123456")
    if cells["opening_hours"] and not is_well_formed(cells["opening_hours"]):
        tell("opening_hours", "hours", cells["opening_hours"], "la forme d'OpenStreetMap")
    if rest.pop("geometry", "Point") != "Point":
        tell("geometry", "area")
    capacity = _capacity(cells["capacity"], tell)
    position = _position(cells, tell, around)
    if any(finding.severity == "error" for finding in found):
        return None, found
    draft = Draft(
        kind=cells["kind"],
        name=cells["name"],
        source_id=cells["id"],
        longitude=position[0] if position else None,
        latitude=position[1] if position else None,
        commune=cells["commune"],
        address=cells["address"],
        capacity=capacity,
        contacts={name: cells[name] for name in ("phone", "email", "web") if cells[name]},
        opening_hours=cells["opening_hours"],
        description=cells["description"],
        properties=rest,
        raw={"form": "plain", "text": source.text},
    )
    return draft, found


def _capacity(text: str, tell: Tell) -> int | None:
    """People, None when unknown; a capacity that is no whole number is told and unknown."""
    if not text:
        return None
    if text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31 and len(text) < 11:
        return int(text)
    tell("capacity", "capacity", text, "un nombre de personnes, ou rien")
    return None


def _position(cells: dict[str, str], tell: Tell, around: Surroundings | None) -> tuple[float, float] | None:
    numbers = []
    for column, bound in (("longitude", 180), ("latitude", 90)):
        text = cells[column]
        try:
            number = float(text) if text and "_" not in text else math.nan
        except ValueError:
            number = math.nan
        if text and not math.isfinite(number):
            tell(column, "number", text, "des degrés décimaux avec un point")
        elif text and abs(number) > bound:
            tell(column, "range", text, f"entre −{bound} et {bound}")
        elif text:
            numbers.append(number)
    if not cells["longitude"] and not cells["latitude"]:
        tell("latitude", "no_position", "", "")
    elif not cells["longitude"] or not cells["latitude"]:
        tell("latitude", "half_position", "", "")
    if len(numbers) < 2:
        return None
    if numbers == [0.0, 0.0]:
        tell("latitude", "null_island", "", "")
        return None
    longitude, latitude = numbers
    if around is not None and not around.holds(longitude, latitude):
        code = "swapped" if around.holds(latitude, longitude) else "outside"
        tell("latitude", code, f"{latitude}, {longitude}", f"le territoire : {around.name}")
    return longitude, latitude
