"""Meters that only count up: water and energy, as a closed form of the time.

The index is the mean use plus swings of a day, half a day and a week whose slopes together stay below the mean: it
never goes back. While the current is cut an energy meter stands still. Means and swings are to calibrate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lakou.simulator.models.noise import uniform

# 1 January 2026, when every index was 0 in the exercise.
ZERO_S = 1_767_225_600
DAY_S = 86_400.0
# (period in s, share of the mean use): the shares sum to less than 1.
SWINGS = ((DAY_S, 0.55), (DAY_S / 2.0, 0.25), (7.0 * DAY_S, 0.1))

Span = tuple[float, float]


def counted(seed: int, key: str, mean_a_day: float, time_s: float) -> float:
    """The index at `time_s` without any cut, in the unit of `mean_a_day`."""
    total = time_s - ZERO_S
    for number, (period_s, share) in enumerate(SWINGS):
        turn = 2.0 * math.pi / period_s
        phase = 2.0 * math.pi * (0.62 + 0.15 * (uniform(seed, f"meter/{key}/phase", number) - 0.5))
        total += share / turn * (math.sin(turn * time_s + phase) - math.sin(turn * ZERO_S + phase))
    return mean_a_day * total / DAY_S


def index(seed: int, key: str, mean_a_day: float, time_s: float, cuts: Sequence[Span] = ()) -> float:
    """The index at `time_s`, standing still in each of the `cuts` (start, end; they do not overlap)."""
    total = counted(seed, key, mean_a_day, time_s)
    for start_s, end_s in cuts:
        if start_s < time_s:
            total -= counted(seed, key, mean_a_day, min(end_s, time_s)) - counted(seed, key, mean_a_day, start_s)
    return total


def rate(seed: int, key: str, mean_a_day: float, time_s: float, span_s: float) -> float:
    """Mean use over the span before `time_s`, per hour, without any cut."""
    passed = counted(seed, key, mean_a_day, time_s) - counted(seed, key, mean_a_day, time_s - span_s)
    return passed * 3600.0 / span_s
