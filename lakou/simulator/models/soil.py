"""Soil moisture and slopes: a bucket filled by rain, emptied by drainage and evaporation, and what it does to slopes.

One store of water with hourly balance (the bucket of Manabe 1969, with linear drainage). It starts half full 30 days
before each day, so that a value needs no state; what that start leaves after 30 days is below a thousandth. Capacity,
drainage and the laws of movement are to calibrate.
"""

from __future__ import annotations

from dataclasses import dataclass

from lakou.simulator.models.noise import drift
from lakou.simulator.models.rain import DAY_S, STEP_S, Point, Rain

HOUR_S = 3600
CAPACITY_MM = 180.0
INFILTRATION = 0.62
DRAINAGE_PER_H = 1.0 / (4.0 * 24.0)
EVAPORATION_MM_H = 0.16
MEMORY_DAYS = 30
# Rain is taken at the nearest of these, so that neighbouring sensors share one bucket.
CELL_DEG = 0.02


@dataclass(frozen=True, slots=True)
class Hour:
    """The water of one hour, in mm: what came in, what left by each way, and what is stored at its end."""

    infiltrated: float
    drained: float
    evaporated: float
    overflowed: float
    stored: float


def balance(stored_mm: float, rain_mm: float) -> Hour:
    """One hour of the bucket. stored before + infiltrated = drained + evaporated + overflowed + stored after."""
    infiltrated = rain_mm * INFILTRATION
    drained = stored_mm * DRAINAGE_PER_H
    evaporated = EVAPORATION_MM_H * stored_mm / CAPACITY_MM
    full = stored_mm - drained - evaporated + infiltrated
    overflowed = max(full - CAPACITY_MM, 0.0)
    return Hour(infiltrated, drained, evaporated, overflowed, full - overflowed)


class Soils:
    """The soils of one world: saturation by place, from the world's rain."""

    def __init__(self, rain: Rain) -> None:
        self._rain = rain
        self._hours: dict[tuple[Point, int], float] = {}
        self._days: dict[tuple[Point, int], tuple[float, ...]] = {}

    def saturation(self, point: Point, time_s: float) -> float:
        """Share of the bucket that is full, 0 to 1."""
        cell = (round(round(point[0] / CELL_DEG) * CELL_DEG, 4), round(round(point[1] / CELL_DEG) * CELL_DEG, 4))
        day, within_s = divmod(time_s, DAY_S)
        hours = self._day(cell, int(day))
        hour, rest_s = divmod(within_s, HOUR_S)
        before, after = hours[int(hour)], hours[int(hour) + 1]
        return (before + (after - before) * rest_s / HOUR_S) / CAPACITY_MM

    def _day(self, cell: Point, day: int) -> tuple[float, ...]:
        """Water stored at the 25 hour marks of a UTC day, in mm."""
        found = self._days.get((cell, day))
        if found is None:
            stored = CAPACITY_MM / 2.0
            first = (day - MEMORY_DAYS) * 24
            marks = [stored]
            for hour in range(first, (day + 1) * 24):
                stored = balance(stored, self._rain_mm(cell, hour)).stored
                marks.append(stored)
            found = tuple(marks[-25:])
            self._days[cell, day] = found
        return found

    def _rain_mm(self, cell: Point, hour: int) -> float:
        found = self._hours.get((cell, hour))
        if found is None:
            steps = HOUR_S // STEP_S
            found = sum(self._rain.step_mm(cell, step) for step in range(hour * steps, (hour + 1) * steps))
            self._hours[cell, hour] = found
        return found


def moisture_percent(saturation: float) -> float:
    """Volumetric water content that a probe shows, in %: from the dry soil's 12 to 52 when full."""
    return 12.0 + 40.0 * saturation


def velocity_mm_day(seed: int, key: str, saturation: float, time_s: float) -> float:
    """Movement of a slope, in mm a day: a slow creep, and more and more above 80 % of saturation."""
    creep = 0.15 + 0.1 * drift(seed, f"slope/{key}", time_s, 5 * DAY_S)
    return float(creep + 900.0 * max(saturation - 0.8, 0.0) ** 2)


def tilt_mrad(seed: int, key: str, saturation: float, time_s: float) -> float:
    """Tilt of an inclinometer, in mrad: the elastic answer of the slope to its water, and a slow wander."""
    return 1.5 + 2.2 * saturation + 0.3 * drift(seed, f"tilt/{key}", time_s, 9 * DAY_S)
