"""The tide as a sum of harmonic constituents: small and mixed, as in the Lesser Antilles.

Speeds are the astronomical ones (Doodson); amplitudes and phases are rounded orders of size for the bay of
Fort-de-France, to calibrate by the service that keeps the gauge (SHOM): fit for an exercise, not for navigation.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Constituent(NamedTuple):
    """One harmonic: speed in degrees an hour, amplitude in m, phase in degrees."""

    name: str
    speed_deg_h: float
    amplitude_m: float
    phase_deg: float


CONSTITUENTS = (
    Constituent("M2", 28.9841042, 0.070, 210.0),
    Constituent("S2", 30.0000000, 0.018, 235.0),
    Constituent("N2", 28.4397295, 0.017, 195.0),
    Constituent("K2", 30.0821373, 0.005, 233.0),
    Constituent("K1", 15.0410686, 0.085, 240.0),
    Constituent("O1", 13.9430356, 0.060, 232.0),
    Constituent("P1", 14.9589314, 0.026, 239.0),
    Constituent("Q1", 13.3986609, 0.011, 228.0),
    Constituent("Mf", 1.0980331, 0.010, 20.0),
)

HIGHEST_M = sum(constituent.amplitude_m for constituent in CONSTITUENTS)


def height_m(time_s: float) -> float:
    """Sea level above its mean at `time_s` (Unix seconds), in m; never beyond ±`HIGHEST_M`."""
    hours = time_s / 3600.0
    return sum(c.amplitude_m * math.cos(math.radians(c.speed_deg_h * hours - c.phase_deg)) for c in CONSTITUENTS)
