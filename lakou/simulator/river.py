"""A river gauge: rain through a unit hydrograph gives a discharge, a rating curve gives a level.

The hydrograph is Nash's cascade of equal linear reservoirs (Nash 1957). Areas, delays and ratings below are
plausible for a small, steep island river; they are not a calibration of the real stations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from lakou.simulator.rain import Rain

STEP_S = 300
MEMORY_S = 16 * 3600


@dataclass(frozen=True, slots=True)
class Basin:
    """What drains to one gauge. `lag_s` is pure travel time, `storage_s` that of each of the `reservoirs`."""

    area_km2: float
    runoff: float
    reservoirs: int
    storage_s: float
    lag_s: float
    base_m3_s: float
    rating_a: float
    rating_b: float
    zero_m: float


# Upstream answers first; downstream drains more, later and flatter.
UPSTREAM = Basin(
    area_km2=60, runoff=0.32, reservoirs=3, storage_s=1500, lag_s=600,
    base_m3_s=2.1, rating_a=14.0, rating_b=1.7, zero_m=0.12,
)  # fmt: skip
DOWNSTREAM = Basin(
    area_km2=102, runoff=0.30, reservoirs=3, storage_s=2600, lag_s=3000,
    base_m3_s=3.4, rating_a=19.0, rating_b=1.6, zero_m=0.20,
)  # fmt: skip


def unit_hydrograph(basin: Basin, delay_s: float) -> float:
    """Share of a unit of runoff that passes the gauge per second, `delay_s` after it fell (integrates to 1)."""
    scaled = (delay_s - basin.lag_s) / basin.storage_s
    if scaled <= 0.0:
        return 0.0
    order = basin.reservoirs
    return scaled ** (order - 1) * math.exp(-scaled) / (basin.storage_s * math.gamma(order))


@lru_cache(maxsize=4096)
def _depth_of_step(rain: Rain, index: int) -> float:
    return rain.depth_mm(index * STEP_S, (index + 1) * STEP_S)


def discharge_m3_s(basin: Basin, rain: Rain, time_s: float) -> float:
    """Discharge at the gauge at `time_s` (Unix seconds), in m³/s: base flow plus the convolved runoff."""
    last = int(time_s // STEP_S)
    total = 0.0
    for index in range(last - MEMORY_S // STEP_S, last + 1):
        depth = _depth_of_step(rain, index)
        if depth > 0.0:
            total += depth * unit_hydrograph(basin, time_s - (index + 0.5) * STEP_S)
    # 1 mm over 1 km² is 1000 m³.
    return basin.base_m3_s + basin.runoff * basin.area_km2 * 1000.0 * total


def level_m(basin: Basin, rain: Rain, time_s: float) -> float:
    """Water level above the gauge's zero at `time_s`, in m, by the rating Q = a (h − zero)^b."""
    return basin.zero_m + math.pow(discharge_m3_s(basin, rain, time_s) / basin.rating_a, 1.0 / basin.rating_b)
