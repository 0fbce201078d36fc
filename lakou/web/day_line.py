"""The 24 h line of one Datastream: pure geometry, from instants and numbers to strings for an SVG template.

The plot is drawn in a box of 1000 × 180 units that the page stretches; texts are placed in percent and px, so
they keep their size at any width. A silence longer than three periods breaks the line: it is never bridged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median
from zoneinfo import ZoneInfo

from lakou.web import french
from lakou.web.freshness import PERIODS_BEFORE_SILENCE

PLOT_WIDTH = 1000.0
PLOT_HEIGHT = 180.0
# At most this many spans, each drawn by its least and its greatest value: a screen shows no more.
SPANS = 500
TICKS_X_H = 6
LEAST = 1e-300
"""Below this numbers lose digits, and a logarithm cannot be relied on."""
MOST = 1e300
"""Above this sums and spans overflow; nothing measured is so large."""

Row = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis: its place (px from the top of the plot, or percent from the left) and its text."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Hour:
    """One line of the table: the hour's least, mean and greatest value and their count, ready to read."""

    label: str
    least: str
    mean: str
    greatest: str
    count: int


@dataclass(frozen=True, slots=True)
class LineDrawing:
    """The line in unbroken pieces, lone values as dots, axes, hourly table and a summary in words."""

    pieces: tuple[str, ...]
    dots: tuple[tuple[str, str], ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    hours: tuple[Hour, ...]
    summary: str


def numbers_of(rows: Sequence[tuple[float, object]]) -> list[Row]:
    """The rows whose result is a number up to `MOST` in size; booleans are not numbers here."""
    return [
        (moment, float(result))
        for moment, result in rows
        if isinstance(result, int | float) and not isinstance(result, bool) and abs(result) <= MOST
    ]


def draw_line(
    rows: Sequence[Row], *, start_s: float, end_s: float, period_s: float | None, unit: str | None, zone: ZoneInfo
) -> LineDrawing | None:
    """The drawing of `rows` (Unix seconds ascending, numbers) over [start, end], or None when there are none."""
    shown = [row for row in rows if start_s <= row[0] <= end_s]
    if not shown:
        return None
    low, high = min(value for _, value in shown), max(value for _, value in shown)
    steps = ticks(low, high)
    bottom, top = min(low, steps[0]), max(high, steps[-1])

    def place(row: Row) -> tuple[str, str]:
        x = (row[0] - start_s) / (end_s - start_s) * PLOT_WIDTH
        y = (top - row[1]) / (top - bottom) * PLOT_HEIGHT
        return f"{x:.1f}", f"{y:.1f}"

    runs = pieces_of(thin(shown, start_s, end_s), _gap_s(shown, period_s, end_s - start_s))
    text = french.quantity
    return LineDrawing(
        pieces=tuple(" ".join(",".join(place(row)) for row in run) for run in runs if len(run) > 1),
        dots=tuple(place(run[0]) for run in runs if len(run) == 1),
        y_ticks=tuple(Tick(place((start_s, step))[1], text(step, unit)) for step in steps),
        x_ticks=_x_ticks(start_s, end_s, zone),
        hours=_hours(shown, unit, zone),
        summary=f"de {text(low, unit)} à {text(high, unit)}, dernière valeur {text(shown[-1][1], unit)}",
    )


def ticks(low: float, high: float) -> list[float]:
    """Three to six round values that reach from `low` or below to `high` or above."""
    size = max(abs(low), abs(high))
    # Values that differ by nothing that could be drawn, or are no more than nothing, are one.
    if high - low <= max(size * 1e-12, LEAST):
        margin = size * 0.1 if size > LEAST else 1.0
        low, high = low - margin, high + margin
    rough = (high - low) / 4.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(index * step, digits) for index in range(first, last + 1)]


def thin(rows: Sequence[Row], start_s: float, end_s: float) -> list[Row]:
    """The rows, or for many of them the least and the greatest of each span, in time order: peaks are kept."""
    if len(rows) <= 2 * SPANS:
        return list(rows)
    spans: dict[int, list[Row]] = {}
    for row in rows:
        spans.setdefault(int((row[0] - start_s) / (end_s - start_s) * SPANS), []).append(row)
    kept: list[Row] = []
    for span in spans.values():
        ends = {min(span, key=lambda row: row[1]), max(span, key=lambda row: row[1]), span[0], span[-1]}
        kept += sorted(ends)
    return kept


def pieces_of(rows: Sequence[Row], gap_s: float) -> list[list[Row]]:
    """The rows cut wherever more than `gap_s` passes without a value."""
    runs = [[rows[0]]]
    for before, after in pairwise(rows):
        if after[0] - before[0] > gap_s:
            runs.append([])
        runs[-1].append(after)
    return runs


def _gap_s(rows: Sequence[Row], period_s: float | None, window_s: float) -> float:
    gaps = [after[0] - before[0] for before, after in pairwise(rows) if after[0] > before[0]]
    usual_s = max(period_s or 0.0, median(gaps) if gaps else 0.0)
    # Two neighbours that thinning leaves can be up to two spans apart without any silence between them.
    return max(PERIODS_BEFORE_SILENCE * usual_s, 2.0 * window_s / SPANS)


def _x_ticks(start_s: float, end_s: float, zone: ZoneInfo) -> tuple[Tick, ...]:
    local = datetime.fromtimestamp(start_s, UTC).astimezone(zone)
    moment = local.replace(minute=0, second=0, microsecond=0)
    found = []
    while moment.timestamp() <= end_s:
        percent = (moment.timestamp() - start_s) / (end_s - start_s) * 100.0
        if moment.hour % TICKS_X_H == 0 and 4.0 <= percent <= 96.0:
            found.append(Tick(f"{percent:.2f}", french.hour(moment.timestamp(), zone)))
        # Through UTC, so that a change of clocks neither repeats nor skips an hour.
        moment = (moment.astimezone(UTC) + timedelta(hours=1)).astimezone(zone)
    return tuple(found)


def _hours(rows: Sequence[Row], unit: str | None, zone: ZoneInfo) -> tuple[Hour, ...]:
    by_hour: dict[int, list[float]] = {}
    for moment, value in rows:
        by_hour.setdefault(int(moment // 3600), []).append(value)
    return tuple(
        Hour(
            label=french.hour(index * 3600.0, zone),
            least=french.quantity(min(values), unit),
            mean=french.quantity(fmean(values), unit),
            greatest=french.quantity(max(values), unit),
            count=len(values),
        )
        for index, values in sorted(by_hour.items())
    )
