"""Air at a station: traffic peaks, ozone at midday, and waves of Saharan dust in their season. All in µg/m³.

Daily forms and seasons are those known of the French Antilles (dust mostly from April to September); levels are orders
of size, to calibrate with the air quality association.
"""

from __future__ import annotations

import math

from lakou.simulator.models.noise import drift, gauss

UTC_OFFSET_S = -4 * 3600
YEAR_S = 365.2425 * 86_400
# 15 June, the middle of the dust season.
DUST_MIDDLE_S = 165.0 * 86_400


def local_hour(time_s: float) -> float:
    """Hour of the day in Martinique, 0 to 24."""
    return (time_s + UTC_OFFSET_S) % 86_400 / 3600.0


def bump(hour: float, centre: float, width: float) -> float:
    """A bell over the hours of a day, 1 at its centre; 23 h and 1 h are two hours apart."""
    gap = (hour - centre + 12.0) % 24.0 - 12.0
    return math.exp(-((gap / width) ** 2))


def traffic(time_s: float) -> float:
    """Share of the day's heaviest traffic, from 0 to 1: two peaks on a working day, less than half on Sunday."""
    hour = local_hour(time_s)
    weekday = int((time_s + UTC_OFFSET_S) // 86_400 + 3) % 7
    share = 0.08 + 0.85 * bump(hour, 7.3, 1.4) + 0.75 * bump(hour, 17.0, 1.9) + 0.3 * bump(hour, 12.4, 2.5)
    return min(share * (0.45 if weekday == 6 else 1.0), 1.0)


def dust(seed: int, time_s: float) -> float:
    """Saharan dust in the air, µg/m³ of PM10: waves of some days, heavy in its season and rare out of it."""
    season = 0.15 + 0.85 * math.cos(math.pi * (time_s % YEAR_S - DUST_MIDDLE_S) / YEAR_S) ** 6
    return 90.0 * season * max(drift(seed, "air/dust", time_s, 3.0 * 86_400), 0.0) ** 2


def _measured(seed: int, station: str, what: str, time_s: float, true: float, scatter: float) -> float:
    noise = 1.0 + scatter * gauss(seed, f"air/{station}/{what}", int(time_s // 60))
    return round(max(true * noise, 0.3), 1)


def pm25(seed: int, station: str, roads: float, time_s: float) -> float:
    """Particles below 2.5 µm; `roads` is how near the station is to traffic (1: urban background)."""
    true = 5.0 + 5.0 * roads * traffic(time_s) + 0.3 * dust(seed, time_s)
    return _measured(seed, station, "pm25", time_s, true, 0.05)


def pm10(seed: int, station: str, roads: float, time_s: float) -> float:
    """Particles below 10 µm, never below those under 2.5."""
    true = 14.0 + 10.0 * roads * traffic(time_s) + dust(seed, time_s)
    return max(_measured(seed, station, "pm10", time_s, true, 0.05), pm25(seed, station, roads, time_s))


def no2(seed: int, station: str, roads: float, time_s: float) -> float:
    """Nitrogen dioxide: follows the traffic."""
    return _measured(seed, station, "no2", time_s, 4.0 + 34.0 * roads * traffic(time_s), 0.07)


def o3(seed: int, station: str, roads: float, time_s: float) -> float:
    """Ozone: made by the midday sun, eaten by fresh traffic fumes."""
    true = 26.0 + 22.0 * bump(local_hour(time_s), 13.5, 4.0) - 9.0 * min(roads, 1.5) * traffic(time_s)
    return _measured(seed, station, "o3", time_s, true, 0.03)
