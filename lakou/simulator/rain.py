"""Rain: seeded showers, their intensity at an instant and the depth fallen over a span.

A shower is a sine-squared pulse, so its depth has a closed form and no integration grid is needed. The
wet season (July to November) brings more and stronger showers than the dry one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from lakou.simulator.noise import uniform

DAY_S = 86_400
TIP_MM = 0.2
LONGEST_SHOWER_S = 3 * 3600


@dataclass(frozen=True, slots=True)
class Shower:
    """One pulse of rain: start (Unix seconds), length (s), peak (mm/h)."""

    start_s: float
    length_s: float
    peak_mm_h: float

    def intensity_mm_h(self, time_s: float) -> float:
        """Rain rate at `time_s`, in mm/h."""
        phase = (time_s - self.start_s) / self.length_s
        if not 0.0 < phase < 1.0:
            return 0.0
        return self.peak_mm_h * math.sin(math.pi * phase) ** 2

    def depth_until_mm(self, time_s: float) -> float:
        """Rain fallen from the start to `time_s`, in mm."""
        phase = min(max((time_s - self.start_s) / self.length_s, 0.0), 1.0)
        full_mm = self.peak_mm_h / 2.0 * self.length_s / 3600.0
        return full_mm * (phase - math.sin(2.0 * math.pi * phase) / (2.0 * math.pi))


@lru_cache(maxsize=64)
def showers_of_day(seed: int, day: int) -> tuple[Shower, ...]:
    """The showers that start on a UTC day (`day` counts from 1970-01-01)."""
    month = datetime.fromtimestamp(day * DAY_S, UTC).month
    wet = 7 <= month <= 11
    count = int(uniform(seed, "rain/count", day) * (6 if wet else 4))
    showers = []
    for number in range(count):
        channel = f"rain/{number}"
        peak = 3.0 + (32.0 if wet else 14.0) * uniform(seed, channel + "/peak", day) ** 2
        length = 600.0 + 4200.0 * uniform(seed, channel + "/length", day)
        showers.append(Shower(day * DAY_S + uniform(seed, channel + "/start", day) * DAY_S, length, peak))
    return tuple(showers)


@dataclass(frozen=True, slots=True)
class Rain:
    """The rain over the basin: the seed's ordinary showers and those a scenario adds (each at most 3 h long)."""

    seed: int
    added: tuple[Shower, ...] = ()

    def _near(self, start_s: float, end_s: float) -> list[Shower]:
        first = int((start_s - LONGEST_SHOWER_S) // DAY_S)
        last = int(end_s // DAY_S)
        return [shower for day in range(first, last + 1) for shower in showers_of_day(self.seed, day)] + [*self.added]

    def intensity_mm_h(self, time_s: float) -> float:
        """Rain rate over the basin at `time_s`, in mm/h."""
        return sum(shower.intensity_mm_h(time_s) for shower in self._near(time_s, time_s))

    def depth_mm(self, start_s: float, end_s: float) -> float:
        """Rain fallen between two instants, in mm."""
        near = self._near(start_s, end_s)
        return sum(shower.depth_until_mm(end_s) - shower.depth_until_mm(start_s) for shower in near)


def tipped_mm(depth_mm: float) -> float:
    """What a tipping-bucket gauge of 0.2 mm shows for a true depth: whole tips only."""
    return round(math.floor(depth_mm / TIP_MM + 1e-9) * TIP_MM, 1)
