"""A street-lighting cabinet: lamps follow the dusk, are dimmed late at night, fail one by one, and need current.

Dusk is the height of the sun (`sun`). A lamp burns only when its cabinet is fed: power and lamps are 0 in an outage.
"""

from __future__ import annotations

from lakou.simulator.models.noise import gauss, uniform
from lakou.simulator.models.sun import elevation_deg

LATITUDE_DEG = 14.613
LONGITUDE_DEG = -61.000
LAMP_W = 62.0
STANDBY_W = 18.0
DUSK_DEG = -3.0
DIMMED = 0.55
UTC_OFFSET_S = -4 * 3600
# A cabinet's own fault: about one night in 150, for one to five hours.
FAULT_SHARE = 1.0 / 150.0


def is_dark(time_s: float) -> bool:
    """Whether the lamps are commanded on."""
    return elevation_deg(time_s, LATITUDE_DEG, LONGITUDE_DEG) <= DUSK_DEG


def night_of(time_s: float) -> int:
    """The night's number: it changes at local noon, so that one night is one night."""
    return int((time_s + UTC_OFFSET_S - 43_200) // 86_400)


def has_fault(seed: int, cabinet: str, time_s: float) -> bool:
    """Whether the cabinet's own breaker is open at `time_s`."""
    night = night_of(time_s)
    if uniform(seed, f"cabinet/{cabinet}/fault", night) >= FAULT_SHARE:
        return False
    start_s = (night + 1) * 86_400 - UTC_OFFSET_S - 21_600 + 8 * 3600 * uniform(seed, f"cabinet/{cabinet}/at", night)
    return 0.0 <= time_s - start_s < 3600.0 * (1.0 + 4.0 * uniform(seed, f"cabinet/{cabinet}/long", night))


def lamps_on(seed: int, cabinet: str, lamps: int, time_s: float, *, is_fed: bool) -> int:
    """How many lamps burn: none by day or without current; by night all but the night's failures (0 to 3)."""
    if not is_fed or not is_dark(time_s):
        return 0
    return lamps - min(int(uniform(seed, f"cabinet/{cabinet}/out", night_of(time_s)) * 4), lamps)


def power_w(seed: int, cabinet: str, lamps: int, time_s: float, *, is_fed: bool) -> float:
    """Active power of the cabinet, in W: 0 when not fed; dimmed between 23:00 and 05:00 local time."""
    if not is_fed:
        return 0.0
    hour = (time_s + UTC_OFFSET_S) % 86_400 / 3600.0
    share = DIMMED if hour >= 23.0 or hour < 5.0 else 1.0
    lit_w = lamps_on(seed, cabinet, lamps, time_s, is_fed=True) * LAMP_W * share
    wobble = 1.0 + 0.006 * gauss(seed, f"cabinet/{cabinet}/power", int(time_s // 10))
    return (STANDBY_W + lit_w) * max(wobble, 0.9)
