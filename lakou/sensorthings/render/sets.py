"""Pages of entities as JSON, links ($ref), data arrays; and the next link of a page.

Source: 18-088 §9.2 (set answers), §9.3.3.7 (paging), §12 (data arrays).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakou.sensorthings.grammar.tree import Options
from lakou.sensorthings.model import Property
from lakou.sensorthings.plan import token
from lakou.sensorthings.plan.values import ReadPlan
from lakou.sensorthings.render.columns import Row, column, reader, width
from lakou.sensorthings.render.entities import Style, query, renderer


def cut(plan: ReadPlan, rows: Sequence[Row]) -> tuple[Sequence[Row], bool]:
    """(the rows of the page, whether more follow)."""
    return rows[: plan.limit], len(rows) > plan.limit and plan.limit > 0


def page(
    plan: ReadPlan, rows: Sequence[Row], style: Style, *, url: str, count: dict[str, Any] | None
) -> dict[str, Any]:
    """A set answer: count, next link, value."""
    shown, more = cut(plan, rows)
    out = head(plan, shown, style, url=url, count=count, more=more)
    out["value"] = renderer(plan, style)(shown)
    return out


def head(
    plan: ReadPlan, shown: Sequence[Row], style: Style, *, url: str, count: dict[str, Any] | None, more: bool
) -> dict[str, Any]:
    """The control information of a set answer."""
    out: dict[str, Any] = dict(count or {})
    if more and style.metadata != "off":
        out["@iot.nextLink"] = next_link(plan, shown[-1], url)
    return out


def next_link(plan: ReadPlan, last: Row, url: str) -> str:
    """The URL of the page after this row; every option is kept, $skip gives way to the row's order values."""
    pairs = [(n, v) for n, v in plan.pairs if n not in ("$skip", "$skiptoken")]
    if plan.order and not plan.distinct:
        pairs.append(("$skiptoken", token.encode(tuple(last[len(last) - len(plan.order) :]))))
    else:
        pairs.append(("$skip", str(plan.skip + plan.limit)))
    return f"{url}?{query(pairs)}"


def references(plan: ReadPlan, rows: Sequence[Row], style: Style, *, url: str, count: Any) -> dict[str, Any]:
    """$ref of a set: only self links."""
    shown, more = cut(plan, rows)
    out = head(plan, shown, style, url=url, count=count, more=more)
    out["value"] = [{"@iot.selfLink": f"{style.base}/{plan.type.plural}({row[0]})"} for row in shown]
    return out


def data_array(
    plan: ReadPlan, rows: Sequence[Row], style: Style, options: Options, *, url: str, count: Any
) -> dict[str, Any]:
    """Observations grouped by Datastream, values in the order of `components`.

    The plan's extras are ("multi", "datastream_id").
    """
    shown, more = cut(plan, rows)
    at: dict[str, int] = {}
    position = 0
    for prop in plan.fields:
        at[prop.name] = position
        position += width(prop)
    chosen = _components(plan, shown, options, at)
    names = [prop.name for prop in chosen]
    groups: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    streams = zip(column(shown, position), column(shown, position + 1), strict=True)
    columns = [reader(prop, at[prop.name])(shown) for prop in chosen]
    cells = list(zip(*columns, strict=True)) if columns else [()] * len(shown)
    for stream, cell in zip(streams, cells, strict=True):
        groups.setdefault(stream, []).append(cell)
    out = head(plan, shown, style, url=url, count=count, more=more)
    value = []
    for (multi, stream_id), values in groups.items():
        kind, plural = ("MultiDatastream", "MultiDatastreams") if multi else ("Datastream", "Datastreams")
        group: dict[str, Any] = {}
        if style.metadata == "full":
            group[f"{kind}@iot.navigationLink"] = f"{style.base}/{plural}({stream_id})"
        value.append(group | {"components": names, "dataArray@iot.count": len(values), "dataArray": values})
    out["value"] = value
    return out


def _components(plan: ReadPlan, shown: Sequence[Row], options: Options, at: dict[str, int]) -> list[Property]:
    """The selected properties in their order; without $select, the four usual ones and those that hold something."""
    if options.select is not None:
        chosen: list[Property] = []
        for item in options.select:
            prop = plan.type.property(str(item.segments[0]))
            if prop is not None and prop not in chosen:
                chosen.append(prop)
        return chosen
    usual = ("id", "phenomenonTime", "result", "resultTime")
    others = [p for p in plan.fields if p.name not in usual and any(row[at[p.name]] is not None for row in shown)]
    first = [p for name in usual for p in plan.fields if p.name == name]
    return [*first, *others]
