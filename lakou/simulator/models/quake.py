"""Earthquakes: peak ground acceleration and felt intensity by the law B3 of the Lesser Antilles.

Beauducel, Bazin, Bengoubou-Valerius (2011), C. R. Geoscience 343:717: log10 PGA(g) = 0.61755 M − 0.00307456 R −
log10 R − 3.39681, where R (km) is the distance from the focus but at least 10^((M − 4.5)/2); with it the intensity
I = 3 log10 PGA(mg) + 1.5 (Gutenberg-Richter). The law's scatter (σ 0.47) is left out, so that an exercise is the same
each time; a site has a fixed factor within ±0.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lakou.simulator.models.air import traffic
from lakou.simulator.models.noise import gauss, uniform
from lakou.simulator.places import Point, distance_km

S_WAVE_KM_S = 3.5
G_CM_S2 = 980.665
SHAKING_S = 40.0
FADED_S = 600.0
# No earthquake is felt from so far that its S wave would take longer.
LONGEST_S = 600.0
FELT_FROM_MG = 1.0


def peak_g(magnitude: float, distance_km: float) -> float:
    """Peak ground acceleration at a distance from the focus (km), in g."""
    reach_km = max(distance_km, 10.0 ** ((magnitude - 4.5) / 2.0))
    return float(10.0 ** (0.61755 * magnitude - 0.00307456 * reach_km - math.log10(reach_km) - 3.39681))


def intensity(peak_mg: float) -> float:
    """Felt intensity (MSK) of a peak acceleration in mg; below 1 is not felt and given as 1."""
    return max(3.0 * math.log10(peak_mg) + 1.5, 1.0) if peak_mg > 0.0 else 1.0


@dataclass(frozen=True, slots=True)
class Quake:
    """An earthquake: origin time (Unix seconds), place, depth (km), magnitude."""

    origin_s: float
    longitude_deg: float
    latitude_deg: float
    depth_km: float
    magnitude: float

    def distance_km(self, point: Point) -> float:
        """Distance from the focus to a position at the surface, in km."""
        return math.hypot(distance_km((self.longitude_deg, self.latitude_deg), point), self.depth_km)

    def arrival_s(self, point: Point) -> float:
        """When the S wave comes (Unix s)."""
        return self.origin_s + self.distance_km(point) / S_WAVE_KM_S

    def peak_g(self, point: Point) -> float:
        """Peak acceleration at a position, in g, by the law."""
        return peak_g(self.magnitude, self.distance_km(point))


def pga_cm_s2(
    seed: int, station: str, point: Point, start_s: float, end_s: float, quakes: tuple[Quake, ...] = ()
) -> float:
    """Greatest acceleration at a station over the span (start, end], in cm/s²: the town's noise, or the shaking."""
    town = 0.06 + 0.12 * traffic(end_s)
    greatest = town * math.exp(0.35 * gauss(seed, f"ground/{station}", int(end_s // 10)))
    for quake in quakes:
        if not quake.origin_s <= end_s < quake.origin_s + LONGEST_S + FADED_S:
            continue
        since_s = end_s - quake.arrival_s(point)
        if 0.0 <= since_s < FADED_S:
            # The envelope falls from its peak at the arrival: the greatest of the span is at its earliest instant.
            fallen_s = max(since_s - (end_s - start_s), 0.0)
            site = 10.0 ** (0.2 * uniform(seed, f"ground/{station}/site", 0) - 0.1)
            greatest = max(greatest, quake.peak_g(point) * G_CM_S2 * site * math.exp(-fallen_s / SHAKING_S))
    return greatest
