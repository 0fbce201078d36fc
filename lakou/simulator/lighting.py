"""A street-lighting cabinet: lamps follow the dusk, are dimmed late at night, and a few are out of order."""

from __future__ import annotations

from lakou.simulator.noise import gauss, uniform
from lakou.simulator.sun import elevation_deg

LATITUDE_DEG = 14.613
LONGITUDE_DEG = -61.000
LAMPS = 48
LAMP_W = 62.0
STANDBY_W = 18.0
DUSK_DEG = -3.0
DIMMED = 0.55
UTC_OFFSET_S = -4 * 3600


def lamps_on(seed: int, time_s: float) -> int:
    """How many of the 48 lamps are lit at `time_s`: none by day, by night all but the day's failures (0 to 3)."""
    if elevation_deg(time_s, LATITUDE_DEG, LONGITUDE_DEG) > DUSK_DEG:
        return 0
    # A night is one night: the count of failed lamps changes at local noon, not at midnight.
    night = int((time_s + UTC_OFFSET_S - 43_200) // 86_400)
    return LAMPS - int(uniform(seed, "lamps/out", night) * 4)


def power_w(seed: int, time_s: float) -> float:
    """Active power of the cabinet at `time_s`, in W; dimmed between 23:00 and 05:00 local time."""
    hour = (time_s + UTC_OFFSET_S) % 86_400 / 3600.0
    share = DIMMED if hour >= 23.0 or hour < 5.0 else 1.0
    lit_w = lamps_on(seed, time_s) * LAMP_W * share
    wobble = 1.0 + 0.006 * gauss(seed, "lamps/power", int(time_s // 10))
    return (STANDBY_W + lit_w) * max(wobble, 0.9)
