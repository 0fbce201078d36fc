"""Rows of a `ReadPlan` → JSON values of entities, at any depth of $expand.

A renderer is made once for a plan: a list of steps that each put one member. Source: 18-088 §9.1 (control
information), §9.3.2 ($expand, $select); result metadata as in FROST's extension ResponseMetadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from lakou.kernel.time import format_instant, format_interval
from lakou.sensorthings.model import BY_NAME, JsonReference, Kind, Property, ResultType
from lakou.sensorthings.plan.values import ExpandPlan, Field, ReadPlan
from lakou.sensorthings.sql.read import distinct_width

Row = Sequence[Any]
Put = Callable[[Row, dict[str, Any], str], None]
"""One step: reads the row, puts a member into the entity, whose selfLink is the last argument."""

_decode = msgspec.json.Decoder().decode
_SLIVER = 5e-8
"""Half a centimetre on the ground, in degrees."""


class Style(msgspec.Struct, frozen=True):
    """How to render: the service root without a final slash, and which control information to keep.

    `metadata` is full, minimal or off.
    """

    base: str
    metadata: str = "full"


def width(prop: Property) -> int:
    """How many columns of a row a property takes."""
    if prop.derived:
        return 1 if prop.kind is Kind.AREA else 2
    return len(prop.columns)


def renderer(plan: ReadPlan, style: Style) -> Callable[[Row], dict[str, Any]]:
    """The function that renders a row of this plan."""
    if plan.distinct:
        return _distinct(plan)
    steps: list[Put] = []
    set_link = f"{style.base}/{plan.type.plural}("
    full = style.metadata == "full"
    at = 0
    for prop in plan.fields:
        if prop.kind is not Kind.ID:
            parts = dict(plan.parts).get(prop.name)
            steps.append(_put(prop, at, shown_null=prop.shown_null or plan.explicit, parts=parts, style=style))
        at += width(prop)
    multi = at if plan.extras else None
    at += len(plan.extras)
    if full:
        steps += [_navigation(link.name, multi) for link in plan.links]
    for expand in plan.expands:
        steps.append(_expanded(expand, at, style))
        at += 2 if _has_count(expand) else 1
    show_self, show_id = plan.show_self and full, plan.show_id

    def render(row: Row) -> dict[str, Any]:
        self_link = f"{set_link}{row[0]})"
        out: dict[str, Any] = {}
        if show_self:
            out["@iot.selfLink"] = self_link
        if show_id:
            out["@iot.id"] = row[0]
        for step in steps:
            step(row, out, self_link)
        return out

    return render


def _has_count(expand: ExpandPlan) -> bool:
    return expand.link.many and expand.plan.count is not None


def _navigation(name: str, multi: int | None) -> Put:
    member, tail = f"{name}@iot.navigationLink", f"/{name}"
    if multi is None or name == "FeatureOfInterest":

        def put(row: Row, out: dict[str, Any], self_link: str) -> None:
            out[member] = self_link + tail

        return put
    wanted = int(name == "MultiDatastream")

    def put_stream(row: Row, out: dict[str, Any], self_link: str) -> None:
        if row[multi] == wanted:
            out[member] = self_link + tail

    return put_stream


# ── properties ──


def _put(prop: Property, at: int, *, shown_null: bool, parts: Any, style: Style) -> Put:
    name = prop.name
    read = reader(prop, at)
    linked = prop.kind in (Kind.OBJECT, Kind.JSON)

    def put(row: Row, out: dict[str, Any], self_link: str) -> None:
        value = read(row)
        if value is None:
            if shown_null:
                out[name] = None
            return
        if parts is not None:
            value = pick(plain(value), parts)
        elif linked and b'@iot.id"' in bytes(value):
            value = _with_own_links(plain(value), style)
        out[name] = value

    if parts is None and not linked:

        def put_plain(row: Row, out: dict[str, Any], self_link: str) -> None:
            value = read(row)
            if value is not None or shown_null:
                out[name] = value

        return put_plain
    return put


def reader(prop: Property, at: int) -> Callable[[Row], Any]:
    """The wire value of a property in a row, None when empty; JSON stays raw."""
    match prop.kind:
        case Kind.OBJECT | Kind.JSON | Kind.GEOMETRY:
            return lambda row: None if row[at] is None else msgspec.Raw(row[at].encode())
        case Kind.INSTANT:
            return lambda row: None if row[at] is None else format_instant(row[at])
        case Kind.INTERVAL:
            return lambda row: None if row[at] is None else format_interval(row[at], row[at + 1])
        case Kind.TIME:
            return lambda row: format_instant(row[at]) if row[at + 1] is None else format_interval(row[at], row[at + 1])
        case Kind.AREA:
            return lambda row: area(row[at])
        case Kind.RESULT:
            return lambda row: result(*row[at : at + 5])
    return lambda row: row[at]


def result(kind: int, number: float | None, boolean: Any, text: str | None, json: str | None) -> Any:
    """The wire value of a result from its columns (see model.RESULT_COLUMNS)."""
    match kind:
        case ResultType.FLOAT:
            return number
        case ResultType.INTEGER:
            return int(number or 0) if json is None else int(json)
        case ResultType.TEXT:
            return text
        case ResultType.BOOLEAN:
            return bool(boolean)
        case ResultType.JSON:
            return msgspec.Raw((json or "null").encode())
    return None


def area(corners: Any) -> dict[str, Any] | None:
    """A bounding box as a GeoJSON Polygon (18-088 §8.2.4), from [min x, min y, max x, max y] as JSON text or list.

    A box without width or height is given one of about a centimetre, for a Polygon must have an area (RFC 7946 §3.1.6).
    """
    if isinstance(corners, str):
        corners = _decode(corners)
    if corners is None or corners[0] is None:
        return None
    x, u = _widened(corners[0], corners[2])
    y, v = _widened(corners[1], corners[3])
    return {"type": "Polygon", "coordinates": [[[x, y], [u, y], [u, v], [x, v], [x, y]]]}


def _widened(low: float, high: float) -> tuple[float, float]:
    return (low, high) if low < high else (round(low - _SLIVER, 9), round(high + _SLIVER, 9))


def plain(value: Any) -> Any:
    """A raw JSON value as Python values."""
    return _decode(bytes(value)) if isinstance(value, msgspec.Raw) else value


def pick(value: Any, parts: Sequence[Sequence[str | int]]) -> Any:
    """Only the asked members of a JSON value, in their nesting (extension DeepSelect)."""
    out: Any = {}
    for part in parts:
        found = member(value, part, _ABSENT)
        if found is _ABSENT:
            continue
        into = out
        for name in part[:-1]:
            into = into.setdefault(str(name), {})
        into[str(part[-1])] = found
    return out


_ABSENT = object()


def member(value: Any, path: Sequence[str | int], absent: Any = None) -> Any:
    """The value at a path of names and indexes, `absent` when there is none."""
    for step in path:
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return absent
    return value


def _with_own_links(value: Any, style: Style) -> Any:
    """Navigation links beside a client's own links, `building.Thing@iot.id` (extension EntityLinking)."""
    if isinstance(value, list):
        return [_with_own_links(v, style) for v in value]
    if not isinstance(value, dict):
        return value
    out: dict[str, Any] = {}
    for name, item in value.items():
        out[name] = _with_own_links(item, style)
        stem, found, _ = name.partition("@iot.id")
        target = BY_NAME.get(stem.rpartition(".")[2]) if found and "." in stem else None
        if target is not None and isinstance(item, int) and style.metadata == "full":
            out[f"{stem}@iot.navigationLink"] = f"{style.base}/{target.plural}({item})"
    return out


# ── expands ──


def _expanded(expand: ExpandPlan, at: int, style: Style) -> Put:
    name, plan, link = expand.name, expand.plan, expand.link
    render = renderer(plan, style)
    if isinstance(link.by, JsonReference):
        return _own_link(expand, at, render)
    if not link.many:

        def put_one(row: Row, out: dict[str, Any], self_link: str) -> None:
            found = _rows(row[at])
            if found is not None:
                out[name] = render(found)
            elif link.name == "FeatureOfInterest":
                out[name] = None

        return put_one
    count = at + 1 if _has_count(expand) else None
    next_options = _next_options(plan)

    def put_many(row: Row, out: dict[str, Any], self_link: str) -> None:
        found = _rows(row[at]) or []
        if count is not None:
            out[f"{name}@iot.count"] = row[count]
        if len(found) > plan.limit:
            found = found[: plan.limit]
            if style.metadata != "off":
                out[f"{name}@iot.nextLink"] = f"{self_link}/{link.name}?{next_options}"
        out[name] = [render(r) for r in found]

    return put_many


def _rows(value: Any) -> Any:
    return _decode(value) if isinstance(value, str) else value


def _next_options(plan: ReadPlan) -> str:
    """The options of the next page of an expanded set: the same, starting after this page."""
    pairs = [(n, v) for n, v in plan.pairs if n not in ("$skip", "$top")]
    pairs += [("$top", str(plan.limit)), ("$skip", str(plan.skip + plan.limit))]
    return query(pairs)


def query(pairs: Sequence[tuple[str, str]]) -> str:
    """A query string; everything that could end a value or be read as a space is encoded."""
    return "&".join(f"{name}={quote(value, safe='$,;()/:@!*~' + chr(39))}" for name, value in pairs)


def _own_link(expand: ExpandPlan, at: int, render: Callable[[Row], dict[str, Any]]) -> Put:
    """The target of a client's own link goes beside its id, inside the JSON property."""
    assert isinstance(expand.link.by, JsonReference)  # noqa: S101  the caller matched it
    holder, *path = expand.name.split("/")
    link_name = path[-1]

    def put(row: Row, out: dict[str, Any], self_link: str) -> None:
        found = _rows(row[at])
        if found is None:
            return
        value = plain(out.get(holder)) or {}
        into = value
        for step in path[:-1]:
            into = into.setdefault(step, {}) if isinstance(into, dict) else {}
        if isinstance(into, dict):
            into[link_name] = render(found)
        out[holder] = value

    return put


# ── distinct ──


def _distinct(plan: ReadPlan) -> Callable[[Row], dict[str, Any]]:
    reads: list[tuple[Field, Callable[[Row], Any]]] = []
    at = 0
    for field in plan.distinct:
        if field.sub:
            reads.append((field, _json_at(at)))
        elif field.links:
            reads.append((field, _plain_at(at)))
        else:
            reads.append((field, reader(field.property, at)))
        at += distinct_width(field)

    def render(row: Row) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for field, read in reads:
            value = read(row)
            if value is None:
                continue
            path = [link.name for link in field.links] + [_wire_name(field.property)] + [str(s) for s in field.sub]
            into = out
            for step in path[:-1]:
                into = into.setdefault(step, {})
            into[path[-1]] = value
        return out

    return render


def _json_at(at: int) -> Callable[[Row], Any]:
    return lambda row: None if row[at] is None else msgspec.Raw(row[at].encode())


def _plain_at(at: int) -> Callable[[Row], Any]:
    return lambda row: row[at]


def _wire_name(prop: Property) -> str:
    return "@iot.id" if prop.kind is Kind.ID else prop.name
