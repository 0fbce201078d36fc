"""Groups of $apply → JSON objects, a data array or CSV, column by column.

A year by hour has 8,760 groups: their JSON is joined from columns of texts, several times faster than encoding a
dictionary for each (measured: 3 ms instead of 12).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.time import HOUR, format_instant

Column = Sequence[Any]
KEPT = 20_000
_NUMBERS = frozenset({int, float, type(None)})


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[Column]:
    """The columns of rows, also of none."""
    # A zip of all rows at once takes each of them as an argument, which is twice as slow.
    return [list(map(itemgetter(n), rows)) for n in range(width)]


def objects(names: Sequence[str], found: Sequence[Column], times: Sequence[int]) -> str:
    """A JSON array of one object a group; `times` are the numbers of the columns that hold instants in micros."""
    openings = [f"{',{' if n == 0 else ','}{_text(name)}:" for n, name in enumerate(names)]
    return f"[{_joined(openings, found, times, '}')}]"


def arrays(found: Sequence[Column], times: Sequence[int]) -> str:
    """A JSON array of one array a group."""
    openings = [",[", *repeat(",", len(found) - 1)]
    return f"[{_joined(openings, found, times, ']')}]"


def table(names: Sequence[str], found: Sequence[Column], times: Sequence[int]) -> str:
    """CSV with a header (RFC 4180)."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(names)
    shown = [_instants(column) if n in times else column for n, column in enumerate(found)]
    lines.writerows(["" if v is None else v for v in row] for row in zip(*shown, strict=True))
    return out.getvalue()


def _joined(openings: list[str], found: Sequence[Column], times: Sequence[int], closing: str) -> str:
    """The texts of all columns row by row; what stands between two of them goes with an instant where it can."""
    pieces: list[Any] = []
    before = closing + openings[0]
    for n, column in enumerate(found):
        after = openings[n + 1] if n + 1 < len(found) else ""
        if n in times and None not in column:
            pieces.append(map(_between(f'{before}"', f'"{after}').__getitem__, column))
            before = ""
        else:
            pieces += (
                [repeat(before), _column(column, is_time=n in times)]
                if before
                else [_column(column, is_time=n in times)]
            )
            before = after
    if not found or not found[0]:
        return ""
    return "".join(chain.from_iterable(zip(*pieces, strict=False)))[len(closing) + 1 :] + closing


class _Between(dict[int, str]):
    """Instants with what stands around them. Whole hours are kept, for most of them are asked for again and again."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__()
        self._before = before
        self._after = after

    def __missing__(self, micros: int) -> str:
        text = f"{self._before}{format_instant(micros)}{self._after}"
        if not micros % HOUR:
            if len(self) >= KEPT:
                self.clear()
            self[micros] = text
        return text


_between = lru_cache(maxsize=8)(_Between)


def _column(values: Column, *, is_time: bool) -> list[str]:
    """Each value as JSON text."""
    if is_time:
        return ["null" if text is None else f'"{text}"' for text in _instants(values)]
    if values and set(map(type, values)) <= _NUMBERS:
        return jsontext.encode(values)[1:-1].decode().split(",")
    return [_text(value) for value in values]


def _instants(values: Column) -> list[str | None]:
    return [None if v is None else format_instant(v) for v in values]


def _text(value: Any) -> str:
    return jsontext.encode(value).decode()
