"""Rows of a `ReadPlan` → records of entities, at any depth of $expand.

A renderer is made once for a plan: a list of steps that each add columns of members to a page. Source: 18-088 §9.1
(control information), §9.3.2 ($expand, $select); result metadata as in FROST's extension ResponseMetadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, islice
from typing import Any
from urllib.parse import quote

import msgspec

from lakou.kernel import jsontext
from lakou.sensorthings.model import BY_NAME, JsonReference, Kind, Property
from lakou.sensorthings.plan.values import ExpandPlan, Field, ReadPlan
from lakou.sensorthings.render.columns import ABSENT, Column, Row, Rows, column, plain, reader, records, width
from lakou.sensorthings.sql.read import distinct_width

Columns = dict[str, Column]
Step = Callable[[Rows, Columns, list[str]], None]
"""Reads the rows and adds columns of members to the page; the last argument is the selfLink of each row."""

_decode = msgspec.json.Decoder().decode


class Style(msgspec.Struct, frozen=True):
    """How to render: the service root without a final slash, and which control information to keep.

    `metadata` is full, minimal or off.
    """

    base: str
    metadata: str = "full"


def renderer(plan: ReadPlan, style: Style) -> Callable[[Rows], list[Any]]:
    """The function that renders rows of this plan, into what JSON can be encoded from; see `values`."""
    if plan.distinct:
        render_one = _distinct(plan)
        return lambda rows: [render_one(row) for row in rows]
    steps: list[Step] = []
    set_link = f"{style.base}/{plan.type.plural}("
    full = style.metadata == "full"
    at = 0
    for prop in plan.fields:
        if prop.kind is not Kind.ID:
            parts = dict(plan.parts).get(prop.name)
            steps.append(_property(prop, at, shown_null=prop.shown_null or plan.explicit, parts=parts, style=style))
        at += width(prop)
    multi = at if plan.extras else None
    at += len(plan.extras)
    if full:
        steps += [_navigation(link.name, multi) for link in plan.links]
    for expand in plan.expands:
        steps.append(_expanded(expand, at, style))
        at += 2 if _has_count(expand) else 1
    show_self, show_id = plan.show_self and full, plan.show_id

    def render(rows: Rows) -> list[Any]:
        ids = column(rows, 0)
        self_links = [f"{set_link}{id_})" for id_ in ids]
        columns: Columns = {}
        if show_self:
            columns["@iot.selfLink"] = self_links
        if show_id:
            columns["@iot.id"] = ids
        for step in steps:
            step(rows, columns, self_links)
        return records(columns) if columns else [{} for _ in rows]

    return render


def values(entities: list[Any]) -> list[dict[str, Any]]:
    """Rendered entities as plain dictionaries, at any depth."""
    found: list[dict[str, Any]] = _decode(jsontext.encode(entities))
    return found


def _has_count(expand: ExpandPlan) -> bool:
    return expand.link.many and expand.plan.count is not None


def _navigation(name: str, multi: int | None) -> Step:
    member, tail = f"{name}@iot.navigationLink", f"/{name}"
    wanted = int(name == "MultiDatastream")

    def add(rows: Rows, columns: Columns, self_links: list[str]) -> None:
        columns[member] = [link + tail for link in self_links]

    def add_stream(rows: Rows, columns: Columns, self_links: list[str]) -> None:
        assert multi is not None  # noqa: S101  or `add` was taken
        kinds = column(rows, multi)
        pairs = zip(self_links, kinds, strict=True)
        columns[member] = [link + tail if kind == wanted else ABSENT for link, kind in pairs]

    return add if multi is None or name == "FeatureOfInterest" else add_stream


# ── properties ──


def _property(prop: Property, at: int, *, shown_null: bool, parts: Any, style: Style) -> Step:
    read = reader(prop, at)
    linked = prop.kind in (Kind.OBJECT, Kind.JSON)
    empty = None if shown_null else ABSENT

    def shown(value: Any) -> Any:
        if value is None:
            return empty
        if parts is not None:
            return pick(plain(value), parts)
        if linked and b'@iot.id"' in bytes(value):
            return _with_own_links(plain(value), style)
        return value

    def add(rows: Rows, columns: Columns, self_links: list[str]) -> None:
        found = read(rows)
        if parts is not None or linked or not shown_null:
            found = list(map(shown, found))
        columns[prop.name] = found

    return add


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


def _expanded(expand: ExpandPlan, at: int, style: Style) -> Step:
    name, plan, link = expand.name, expand.plan, expand.link
    render = renderer(plan, style)
    if isinstance(link.by, JsonReference):
        return _own_link(expand, at, render)
    if not link.many:
        empty = None if link.name == "FeatureOfInterest" else ABSENT

        def add_one(rows: Rows, columns: Columns, self_links: list[str]) -> None:
            columns[name] = _each(render, rows, at, empty)

        return add_one
    count = at + 1 if _has_count(expand) else None
    next_options = _next_options(plan)

    def add_many(rows: Rows, columns: Columns, self_links: list[str]) -> None:
        found = [_rows(value) or [] for value in column(rows, at)]
        if count is not None:
            columns[f"{name}@iot.count"] = column(rows, count)
        if style.metadata != "off":
            columns[f"{name}@iot.nextLink"] = [
                f"{self_link}/{link.name}?{next_options}" if len(below) > plan.limit else ABSENT
                for self_link, below in zip(self_links, found, strict=True)
            ]
        pages = [below[: plan.limit] for below in found]
        # Those of all rows at once, then dealt out again: a call for each would cost more than the rendering.
        rendered = iter(render(list(chain.from_iterable(pages))))
        columns[name] = [list(islice(rendered, len(page))) for page in pages]

    return add_many


def _each(render: Callable[[Rows], list[Any]], rows: Rows, at: int, empty: Any) -> list[Any]:
    """The one entity below each row, `empty` where there is none."""
    found = [_rows(value) for value in column(rows, at)]
    rendered = iter(render([one for one in found if one is not None]))
    return [empty if one is None else next(rendered) for one in found]


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


def _own_link(expand: ExpandPlan, at: int, render: Callable[[Rows], list[Any]]) -> Step:
    """The target of a client's own link goes beside its id, inside the JSON property."""
    holder, *path = expand.name.split("/")

    def add(rows: Rows, columns: Columns, self_links: list[str]) -> None:
        targets = _each(render, rows, at, None)
        holders = columns.get(holder, [ABSENT] * len(rows))
        columns[holder] = [
            value if target is None else _beside(plain(value) or {}, path, target)
            for value, target in zip(holders, targets, strict=True)
        ]

    return add


def _beside(value: Any, path: Sequence[str], target: Any) -> Any:
    into = value
    for step in path[:-1]:
        into = into.setdefault(step, {}) if isinstance(into, dict) else {}
    if isinstance(into, dict):
        into[path[-1]] = target
    return value


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
            reads.append((field, _own_at(field.property, at)))
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


def _own_at(prop: Property, at: int) -> Callable[[Row], Any]:
    read = reader(prop, at)
    return lambda row: read((row,))[0]


def _json_at(at: int) -> Callable[[Row], Any]:
    return lambda row: None if row[at] is None else msgspec.Raw(row[at].encode())


def _plain_at(at: int) -> Callable[[Row], Any]:
    return lambda row: row[at]


def _wire_name(prop: Property) -> str:
    return "@iot.id" if prop.kind is Kind.ID else prop.name
