"""Rows → columns of JSON values, and columns → records that are encoded without a dictionary.

A page is rendered column by column and encoded as structs: half the time of a dictionary for each row (measured:
1.9 ms instead of 4.1 for 1,440 Observations, 1.4 instead of 3.2 for 8,760 groups).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec

from lakou.kernel.time import format_instant, format_interval
from lakou.sensorthings.model import Kind, Property, ResultType

Row = Sequence[Any]
Rows = Sequence[Row]
Column = Sequence[Any]
ABSENT = msgspec.UNSET
"""In a column: the record has no such member."""

_decode = msgspec.json.Decoder().decode
_SLIVER = 5e-8
"""Half a centimetre on the ground, in degrees."""


def column(rows: Rows, at: int) -> list[Any]:
    """One column of rows, also of none."""
    # A zip of all rows at once takes each of them as an argument, which is twice as slow.
    return list(map(itemgetter(at), rows))


def records(columns: dict[str, Column]) -> list[Any]:
    """A record a row, whose members are named by the columns, in their order. There is at least one column."""
    return list(map(_record(tuple(columns)), *columns.values()))


@lru_cache(maxsize=512)
def _record(names: tuple[str, ...]) -> type[msgspec.Struct]:
    fields = [(f"m{n}", Any, ABSENT) for n in range(len(names))]
    # They live as long as their page and hold nothing that could hold them: the collector need not know of them.
    return msgspec.defstruct("Record", fields, rename={f"m{n}": name for n, name in enumerate(names)}, gc=False)


def plain(value: Any) -> Any:
    """A raw JSON value as Python values."""
    return _decode(bytes(value)) if isinstance(value, msgspec.Raw) else value


# ── properties ──


def width(prop: Property) -> int:
    """How many columns of a row a property takes."""
    if prop.derived:
        return 1 if prop.kind is Kind.AREA else 2
    return len(prop.columns)


def reader(prop: Property, at: int) -> Callable[[Rows], list[Any]]:
    """The JSON values of a property in rows, None where it is empty; JSON stays raw."""
    match prop.kind:
        case Kind.OBJECT | Kind.JSON | Kind.GEOMETRY:
            return lambda rows: [None if v is None else msgspec.Raw(v.encode()) for v in column(rows, at)]
        case Kind.INSTANT:
            return lambda rows: instants(column(rows, at))
        case Kind.INTERVAL | Kind.TIME:
            return lambda rows: [_time(s, e) for s, e in zip(column(rows, at), column(rows, at + 1), strict=True)]
        case Kind.AREA:
            return lambda rows: [area(v) for v in column(rows, at)]
        case Kind.RESULT:
            return lambda rows: _results(rows, at)
    return lambda rows: column(rows, at)


def instants(values: Iterable[int | None]) -> list[str | None]:
    """Instants in micros as texts."""
    return [None if v is None else format_instant(v) for v in values]


def _time(start: int | None, end: int | None) -> str | None:
    """An instant, or an interval where there is an end."""
    if start is None:
        return None
    return format_instant(start) if end is None else format_interval(start, end)


def _results(rows: Rows, at: int) -> list[Any]:
    if {ResultType.FLOAT}.issuperset(column(rows, at)):
        return column(rows, at + 1)
    return [result(*row[at : at + 5]) for row in rows]


def result(kind: int, number: float | None, boolean: Any, text: str | None, json: str | None) -> Any:
    """The JSON value of a result from its columns (see model.RESULT_COLUMNS)."""
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
