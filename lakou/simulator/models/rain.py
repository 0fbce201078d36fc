"""Rain as a field: seeded cells that move, each a bell in space and a sine-squared pulse in time.

The form is that of simple rectangular- and Gaussian-pulse models (Rodriguez-Iturbe et al. 1987); counts, sizes and
peaks are orders of size for the windward slopes of Martinique, to calibrate. The wet season (July to November) brings
more and stronger cells. Depths are sums over whole minutes, so that they add up exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from lakou.simulator.models.noise import uniform

DAY_S = 86_400
TIP_MM = 0.2
STEP_S = 300
LONGEST_CELL_S = 6 * 3600
CENTRE = (-61.0, 14.63)
M_A_DEGREE_NORTH = 110_570.0
M_A_DEGREE_EAST = 107_700.0
# Cells are looked up by spans of this length.
SPAN_S = 600
KEPT = 200_000

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: start (Unix s), length (s), peak (mm/h), centre at mid-life (degrees), speed (m/s), radius (m)."""

    start_s: float
    length_s: float
    peak_mm_h: float
    longitude_deg: float
    latitude_deg: float
    east_m_s: float = 0.0
    north_m_s: float = 0.0
    radius_m: float = 4000.0

    def intensity_mm_h(self, point: Point, time_s: float) -> float:
        """Rain rate at a position, in mm/h."""
        phase = (time_s - self.start_s) / self.length_s
        if not 0.0 < phase < 1.0:
            return 0.0
        since_mid_s = (phase - 0.5) * self.length_s
        east = (point[0] - self.longitude_deg) * M_A_DEGREE_EAST - self.east_m_s * since_mid_s
        north = (point[1] - self.latitude_deg) * M_A_DEGREE_NORTH - self.north_m_s * since_mid_s
        reach = (east * east + north * north) / (2.0 * self.radius_m * self.radius_m)
        return self.peak_mm_h * math.sin(math.pi * phase) ** 2 * math.exp(-reach) if reach < 30.0 else 0.0


@lru_cache(maxsize=128)
def cells_of_day(seed: int, day: int) -> tuple[Cell, ...]:
    """The cells that start on a UTC day (`day` counts from 1970-01-01), carried by the trade wind."""
    month = datetime.fromtimestamp(day * DAY_S, UTC).month
    wet = 7 <= month <= 11
    cells = []
    for number in range(int(uniform(seed, "rain/count", day) * (9 if wet else 6))):

        def draw(what: str, channel: str = f"rain/{number}") -> float:
            return uniform(seed, f"{channel}/{what}", day)

        cells.append(
            Cell(
                start_s=day * DAY_S + draw("start") * DAY_S,
                length_s=900.0 + 4500.0 * draw("length"),
                peak_mm_h=3.0 + (34.0 if wet else 15.0) * draw("peak") ** 2,
                longitude_deg=CENTRE[0] + 0.12 * (draw("east") - 0.5),
                latitude_deg=CENTRE[1] + 0.14 * (draw("north") - 0.5),
                east_m_s=-2.0 - 5.0 * draw("speed"),
                north_m_s=1.5 * (draw("turn") - 0.5),
                radius_m=2500.0 + 4000.0 * draw("radius"),
            )
        )
    return tuple(cells)


class Rain:
    """The rain of one world: the seed's ordinary cells, and those that a scenario adds (each at most 6 h long)."""

    def __init__(self, seed: int, added: tuple[Cell, ...] = ()) -> None:
        self.seed = seed
        self.added = added
        self._alive: dict[int, tuple[Cell, ...]] = {}
        self._steps: dict[tuple[Point, int], float] = {}

    def cells_of_span(self, span: int) -> tuple[Cell, ...]:
        """The cells that live at some instant of the span [span, span + 1) × 600 s."""
        found = self._alive.get(span)
        if found is None:
            start, end = span * SPAN_S, (span + 1) * SPAN_S
            days = range(int((start - LONGEST_CELL_S) // DAY_S), int(end // DAY_S) + 1)
            near = [cell for day in days for cell in cells_of_day(self.seed, day)] + [*self.added]
            found = tuple(cell for cell in near if cell.start_s < end and cell.start_s + cell.length_s > start)
            if len(self._alive) > KEPT:
                self._alive.clear()
            self._alive[span] = found
        return found

    def intensity_mm_h(self, point: Point, time_s: float) -> float:
        """Rain rate at a position, in mm/h."""
        cells = self.cells_of_span(int(time_s // SPAN_S))
        return sum(cell.intensity_mm_h(point, time_s) for cell in cells) if cells else 0.0

    def minute_mm(self, point: Point, minute: int) -> float:
        """Rain of one minute (counted from 1970), by its middle, in mm."""
        return self.intensity_mm_h(point, minute * 60.0 + 30.0) / 60.0

    def step_mm(self, point: Point, step: int) -> float:
        """Rain of one step of 300 s, in mm: the sum of its minutes."""
        cells = self.cells_of_span(step * STEP_S // SPAN_S)
        if not cells:
            return 0.0
        found = self._steps.get((point, step))
        if found is None:
            first = step * STEP_S // 60
            found = sum(self.minute_mm(point, minute) for minute in range(first, first + STEP_S // 60))
            if len(self._steps) > KEPT:
                self._steps.clear()
            self._steps[point, step] = found
        return found

    def depth_mm(self, point: Point, start_s: float, end_s: float) -> float:
        """Rain between two instants, in mm; within a minute it falls evenly."""
        return self._since(point, start_s, end_s) if end_s > start_s else 0.0

    def _since(self, point: Point, start_s: float, end_s: float) -> float:
        first, last = int(start_s // 60), int(end_s // 60)
        if first == last:
            return self.minute_mm(point, first) * (end_s - start_s) / 60.0
        ends = self.minute_mm(point, first) * ((first + 1) * 60.0 - start_s) / 60.0
        ends += self.minute_mm(point, last) * (end_s - last * 60.0) / 60.0
        return ends + self._minutes(point, first + 1, last)

    def _minutes(self, point: Point, first: int, last: int) -> float:
        """Whole minutes [first, last): by steps where they are whole."""
        total, minute, a_step = 0.0, first, STEP_S // 60
        while minute < last:
            if minute % a_step == 0 and minute + a_step <= last:
                total += self.step_mm(point, minute // a_step)
                minute += a_step
            else:
                total += self.minute_mm(point, minute)
                minute += 1
        return total


def tipped_mm(depth_mm: float) -> float:
    """What a tipping-bucket gauge of 0.2 mm shows for a true depth: whole tips only."""
    return round(math.floor(depth_mm / TIP_MM + 1e-9) * TIP_MM, 1)
