"""Ground motion at an accelerometer: town noise, and the shaking of a scenario's earthquake."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lakou.simulator.air import traffic
from lakou.simulator.noise import gauss

S_WAVE_KM_S = 3.5


@dataclass(frozen=True, slots=True)
class Quake:
    """An earthquake: origin time (Unix seconds), place, depth (km), magnitude."""

    origin_s: float
    longitude_deg: float
    latitude_deg: float
    depth_km: float
    magnitude: float

    def distance_km(self, longitude_deg: float, latitude_deg: float) -> float:
        """Distance from the focus, in km, on a flat map: enough within a hundred kilometres."""
        east = (longitude_deg - self.longitude_deg) * 111.32 * math.cos(math.radians(latitude_deg))
        north = (latitude_deg - self.latitude_deg) * 110.57
        return math.sqrt(east * east + north * north + self.depth_km**2)

    def peak_m_s2(self, distance_km: float) -> float:
        """Peak acceleration at a distance, in m/s²: a plain attenuation law, for demonstration only."""
        return float(9.81 * 10 ** (0.5 * self.magnitude - 1.1 * math.log10(distance_km) - 0.003 * distance_km - 2.3))


def pga_m_s2(
    seed: int, station: str, longitude_deg: float, latitude_deg: float, time_s: float, quakes: tuple[Quake, ...] = ()
) -> float:
    """Peak ground acceleration at a station over the measuring span that ends at `time_s`, in m/s²."""
    town = 0.0006 + 0.0012 * traffic(time_s)
    peak = town * math.exp(0.35 * gauss(seed, f"ground/{station}", int(time_s // 10)))
    for quake in quakes:
        distance = quake.distance_km(longitude_deg, latitude_deg)
        since_s = time_s - quake.origin_s - distance / S_WAVE_KM_S
        if 0.0 <= since_s < 300.0:
            peak = max(peak, quake.peak_m_s2(distance) * math.exp(-since_s / 25.0))
    return float(f"{peak:.3g}")
