"""An urban air station: traffic peaks, ozone at midday, and slow waves of Saharan dust. All in µg/m³."""

from __future__ import annotations

import math

from lakou.simulator.noise import drift, gauss

UTC_OFFSET_S = -4 * 3600


def _local_hour(time_s: float) -> float:
    return (time_s + UTC_OFFSET_S) % 86_400 / 3600.0


def _bump(hour: float, centre: float, width: float) -> float:
    # The shorter way round the clock, so that 23 h and 1 h are two hours apart.
    gap = (hour - centre + 12.0) % 24.0 - 12.0
    return math.exp(-((gap / width) ** 2))


def traffic(time_s: float) -> float:
    """Share of the day's heaviest traffic, from 0 to 1: two peaks on a working day, less than half on Sunday."""
    hour = _local_hour(time_s)
    weekday = int((time_s + UTC_OFFSET_S) // 86_400 + 3) % 7
    share = 0.08 + 0.85 * _bump(hour, 7.3, 1.4) + 0.75 * _bump(hour, 17.0, 1.9) + 0.3 * _bump(hour, 12.4, 2.5)
    return min(share * (0.45 if weekday == 6 else 1.0), 1.0)


def dust(seed: int, time_s: float) -> float:
    """Saharan dust in the air, µg/m³ of PM10: waves of some days, none in between."""
    return 45.0 * max(drift(seed, "air/dust", time_s, 3.0 * 86_400), 0.0) ** 2


def _floor(value: float) -> float:
    return round(max(value, 0.3), 1)


def pm10(seed: int, time_s: float) -> float:
    """Particles below 10 µm."""
    noise = 1.0 + 0.05 * gauss(seed, "air/pm10", int(time_s // 60))
    return max(_floor((14.0 + 10.0 * traffic(time_s) + dust(seed, time_s)) * noise), pm25(seed, time_s))


def pm25(seed: int, time_s: float) -> float:
    """Particles below 2.5 µm: a part of PM10, never above it."""
    noise = 1.0 + 0.05 * gauss(seed, "air/pm25", int(time_s // 60))
    return _floor((5.0 + 5.0 * traffic(time_s) + 0.3 * dust(seed, time_s)) * noise)


def no2(seed: int, time_s: float) -> float:
    """Nitrogen dioxide: follows the traffic."""
    noise = 1.0 + 0.07 * gauss(seed, "air/no2", int(time_s // 60))
    return _floor((4.0 + 34.0 * traffic(time_s)) * noise)


def o3(seed: int, time_s: float) -> float:
    """Ozone: made by the midday sun, eaten by fresh traffic fumes."""
    noise = 1.0 + 0.03 * gauss(seed, "air/o3", int(time_s // 60))
    return _floor((26.0 + 22.0 * _bump(_local_hour(time_s), 13.5, 4.0) - 9.0 * traffic(time_s)) * noise)
