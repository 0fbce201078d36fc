"""Groups of $apply → what JSON is encoded from, or CSV, column by column."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from lakou.kernel.time import HOUR, format_instant
from lakou.sensorthings.render.columns import Column, instants, records

KEPT = 20_000


def objects(names: Sequence[str], columns: Sequence[Column], times: Sequence[int]) -> list[Any]:
    """One object a group; `times` are the numbers of the columns that hold instants in micros."""
    return records(dict(zip(names, _shown(columns, times), strict=True)))


def arrays(columns: Sequence[Column], times: Sequence[int]) -> list[Any]:
    """One array a group."""
    return list(zip(*_shown(columns, times), strict=True))


def table(names: Sequence[str], columns: Sequence[Column], times: Sequence[int]) -> str:
    """CSV with a header (RFC 4180)."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(names)
    lines.writerows(["" if v is None else v for v in row] for row in zip(*_shown(columns, times), strict=True))
    return out.getvalue()


def _shown(columns: Sequence[Column], times: Sequence[int]) -> list[Column]:
    return [_instants(column) if n in times else column for n, column in enumerate(columns)]


class _Hours(dict[int, str]):
    """Instants as texts. Whole hours are kept, for most of them are asked for again and again."""

    def __missing__(self, micros: int) -> str:
        text = format_instant(micros)
        if not micros % HOUR:
            if len(self) >= KEPT:
                self.clear()
            self[micros] = text
        return text


_hours = _Hours()


def _instants(column: Column) -> Column:
    return instants(column) if None in column else list(map(_hours.__getitem__, column))
