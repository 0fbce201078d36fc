"""CSV (RFC 4180) and GeoJSON (RFC 7946): entities and their expands made flat, members named by their path.

Source: FROST's extensions CSV-ResultFormat and GeoJSON-ResultFormat.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest
from lakou.sensorthings.model import Kind, Property
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render.columns import Row
from lakou.sensorthings.render.entities import Style, renderer, values

UNIT = ("name", "symbol", "definition")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def check_csv(plan: ReadPlan) -> None:
    """A table has one row for an entity: expanded sets need $top=1."""
    for expand in plan.expands:
        if expand.link.many and expand.plan.limit > 1:
            raise BadRequest(
                f"CSV cannot hold the set {expand.name}",
                place="$expand",
                code="result_format",
                hint=f"Ask for {expand.name}($top=1), or for the other side of the link.",
            )
        check_csv(expand.plan)


def to_csv(plan: ReadPlan, rows: Sequence[Row], style: Style) -> bytes:
    """One line an entity, after a line of names; objects are JSON text."""
    render = renderer(plan, msgspec.structs.replace(style, metadata="off"))
    columns = _columns(plan)
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(["/".join(_name(step) for step in column) for column in columns])
    for entity in values(render(rows)):
        lines.writerow([_cell(entity, column) for column in columns])
    return out.getvalue().encode()


def _name(step: str) -> str:
    return "id" if step == "@iot.id" else step


def _columns(plan: ReadPlan, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    columns: list[tuple[str, ...]] = []
    if plan.distinct:
        return [(*(link.name for link in f.links), _wire(f.property), *map(str, f.sub)) for f in plan.distinct]
    if plan.show_id:
        columns.append((*prefix, "@iot.id"))
    parts = dict(plan.parts)
    for prop in plan.fields:
        if prop.kind is Kind.ID:
            continue
        if prop.name in parts:
            columns += [(*prefix, prop.name, *map(str, part)) for part in parts[prop.name]]
        elif prop.name == "unitOfMeasurement":
            columns += [(*prefix, prop.name, member) for member in UNIT]
        else:
            columns.append((*prefix, prop.name))
    for expand in plan.expands:
        columns += _columns(expand.plan, (*prefix, *expand.name.split("/")))
    return columns


def _wire(prop: Property) -> str:
    return "@iot.id" if prop.kind is Kind.ID else prop.name


def _cell(entity: Any, column: tuple[str, ...]) -> Any:
    value: Any = entity
    for step in column:
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(step) if isinstance(value, dict) else None
    return _shown(value)


def _shown(value: Any) -> Any:
    """A cell's text; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, dict | list):
        return jsontext.encode(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def to_geojson(plan: ReadPlan, rows: Sequence[Row], style: Style) -> dict[str, Any]:
    """A FeatureCollection; the geometry is the first one found in the entity or its expands."""
    render = renderer(plan, msgspec.structs.replace(style, metadata="off"))
    return {"type": "FeatureCollection", "features": [_feature(plan, entity) for entity in values(render(rows))]}


def _feature(plan: ReadPlan, entity: dict[str, Any]) -> dict[str, Any]:
    found = _first_geometry(plan, entity)
    flat: dict[str, Any] = {}
    _flatten(plan, entity, "", flat)
    return {"type": "Feature", "properties": flat, "geometry": found}


def _first_geometry(plan: ReadPlan, entity: Any) -> Any:
    for prop in plan.type.properties:
        if prop.kind in (Kind.GEOMETRY, Kind.AREA) and entity.get(prop.name) is not None:
            value = entity[prop.name]
            if isinstance(value, dict) and value.get("type") == "Feature":
                value = value.get("geometry")
            if isinstance(value, dict) and "type" in value:
                return value
    for expand in plan.expands:
        below = entity.get(expand.name)
        for item in below if isinstance(below, list) else [below]:
            found = _first_geometry(expand.plan, item) if isinstance(item, dict) else None
            if found is not None:
                return found
    return None


def _flatten(plan: ReadPlan | None, value: Any, prefix: str, out: dict[str, Any]) -> None:
    if isinstance(value, dict):
        hidden = _geometries(plan)
        expands = {} if plan is None else {e.name: e.plan for e in plan.expands}
        for name, item in value.items():
            if name not in hidden and not name.startswith("@iot.next"):
                inner = expands.get(name)
                _flatten(inner, item, f"{prefix}/{_name(name)}" if prefix else _name(name), out)
    elif isinstance(value, list):
        for n, item in enumerate(value):
            _flatten(plan, item, f"{prefix}/{n}", out)
    else:
        out[prefix] = value


def _geometries(plan: ReadPlan | None) -> set[str]:
    if plan is None:
        return set()
    return {p.name for p in plan.type.properties if p.kind in (Kind.GEOMETRY, Kind.AREA)}
