"""Bins that fill through the day and are emptied by a round, every second or third morning."""

from __future__ import annotations

import math

from lakou.simulator.models.noise import uniform

DAY_S = 86_400
UTC_OFFSET_S = -4 * 3600
FULL = 100.0
ROUND_H = 5.0


def fill_percent(seed: int, key: str, time_s: float) -> float:
    """How full the bin is, in %: grows from one emptying to the next, and stays at 100 when it overflows."""
    every_days = 2 + int(uniform(seed, f"bin/{key}/every", 0) * 2)
    first_s = 1.0 * DAY_S * int(uniform(seed, f"bin/{key}/first", 0) * every_days) - UTC_OFFSET_S
    first_s += 3600.0 * (ROUND_H + 4.0 * uniform(seed, f"bin/{key}/hour", 0))
    turn, since_s = divmod(time_s - first_s, every_days * DAY_S)
    # Most bins are two thirds full at their round; one filling in ten is too much for its bin.
    speed = 0.35 + 0.9 * uniform(seed, f"bin/{key}/speed", int(turn)) ** 2
    begun_s = first_s + turn * every_days * DAY_S
    thrown = _thrown(begun_s + since_s) - _thrown(begun_s)
    return min(FULL * speed * thrown / every_days, FULL)


def _thrown(time_s: float) -> float:
    """Days' worth of waste thrown since 1970: little at night, never less than nothing."""
    days = (time_s + UTC_OFFSET_S) / DAY_S
    return days - 0.9 / (2.0 * math.pi) * math.sin(2.0 * math.pi * days)
