"""Weather at a station: trade wind, day's warmth, the tides of the air; and a cyclone that passes.

The cyclone is Holland's (1980) profile: pressure p = pc + Δp·exp(−Rm/r), wind from its gradient (B = 1, without the
Earth's turning), on a track of positions. Its surge is the inverse barometer (1 cm a hPa) and a set-up with the square
of the wind; both are to calibrate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from lakou.simulator.models.air import bump, local_hour
from lakou.simulator.models.noise import drift, gauss
from lakou.simulator.places import Point, distance_km

AIR_KG_M3 = 1.15
USUAL_HPA = 1013.5
DAY_S = 86_400.0
# Wind at 10 m over land, of the gradient wind; gusts of the mean wind.
SURFACE = 0.72
GUST = 1.45
SETUP_M = 0.00045


@dataclass(frozen=True, slots=True)
class Position:
    """Where a cyclone's centre is at an instant (Unix s), with its central pressure (hPa)."""

    at_s: float
    longitude_deg: float
    latitude_deg: float
    centre_hpa: float


@dataclass(frozen=True, slots=True)
class Cyclone:
    """A cyclone on its track (ascending in time); nothing before the first and after the last position."""

    track: tuple[Position, ...]
    radius_km: float

    def centre(self, time_s: float) -> Position | None:
        """The centre at `time_s`, straight between positions of the track."""
        for before, after in pairwise(self.track):
            if before.at_s <= time_s <= after.at_s:
                share = (time_s - before.at_s) / (after.at_s - before.at_s)
                return Position(
                    time_s,
                    before.longitude_deg + (after.longitude_deg - before.longitude_deg) * share,
                    before.latitude_deg + (after.latitude_deg - before.latitude_deg) * share,
                    before.centre_hpa + (after.centre_hpa - before.centre_hpa) * share,
                )
        return None

    def pressure_drop_hpa(self, point: Point, time_s: float) -> float:
        """By how much the pressure at a position is lower than usual."""
        centre = self.centre(time_s)
        if centre is None:
            return 0.0
        away_km = max(distance_km((centre.longitude_deg, centre.latitude_deg), point), 1.0)
        return (USUAL_HPA - centre.centre_hpa) * (1.0 - math.exp(-self.radius_km / away_km))

    def wind_m_s(self, point: Point, time_s: float) -> float:
        """Mean wind at a position, at 10 m."""
        centre = self.centre(time_s)
        if centre is None:
            return 0.0
        away_km = max(distance_km((centre.longitude_deg, centre.latitude_deg), point), 1.0)
        scaled = self.radius_km / away_km
        drop_pa = (USUAL_HPA - centre.centre_hpa) * 100.0
        return SURFACE * math.sqrt(drop_pa / AIR_KG_M3 * scaled * math.exp(-scaled))


Cyclones = tuple[Cyclone, ...]


def wind_m_s(seed: int, station: str, point: Point, time_s: float, cyclones: Cyclones = ()) -> float:
    """Mean wind of ten minutes, in m/s."""
    trade = 4.5 + 2.0 * drift(seed, "wind", time_s, DAY_S / 2.0) + 2.2 * bump(local_hour(time_s), 13.0, 4.0)
    strongest = max((cyclone.wind_m_s(point, time_s) for cyclone in cyclones), default=0.0)
    # Energies add up: a breeze changes nothing in a storm.
    mean = math.hypot(max(trade, 0.0), strongest)
    return max(mean * (1.0 + 0.06 * gauss(seed, f"wind/{station}", int(time_s // 60))), 0.0)


def gust_m_s(seed: int, station: str, point: Point, time_s: float, cyclones: Cyclones = ()) -> float:
    """Strongest gust of ten minutes, in m/s; never below the mean wind."""
    spread = abs(gauss(seed, f"gust/{station}", int(time_s // 60)))
    return wind_m_s(seed, station, point, time_s, cyclones) * (GUST + 0.08 * spread)


def pressure_hpa(seed: int, station: str, point: Point, time_s: float, cyclones: Cyclones = ()) -> float:
    """Pressure at sea level, in hPa: the half-daily tide of the air (maxima near 10 h and 22 h), and cyclones."""
    tide = 1.1 * math.cos(4.0 * math.pi * (local_hour(time_s) - 10.0) / 24.0)
    usual = USUAL_HPA + tide + 1.2 * drift(seed, "pressure", time_s, 2.0 * DAY_S)
    drop = sum(cyclone.pressure_drop_hpa(point, time_s) for cyclone in cyclones)
    return usual - drop + 0.05 * gauss(seed, f"pressure/{station}", int(time_s // 60))


def temperature_c(seed: int, station: str, rain_mm_h: float, time_s: float) -> float:
    """Air temperature, in °C: the day's warmth, cooled by rain."""
    day = 26.2 + 3.6 * bump(local_hour(time_s), 13.2, 4.5) + 0.9 * drift(seed, "warmth", time_s, 3.0 * DAY_S)
    return day - 2.5 * (1.0 - math.exp(-rain_mm_h / 8.0)) + 0.1 * gauss(seed, f"warmth/{station}", int(time_s // 60))


def humidity_percent(seed: int, station: str, rain_mm_h: float, time_s: float) -> float:
    """Relative humidity, in %."""
    dry = 18.0 * bump(local_hour(time_s), 13.2, 4.5)
    wet = 12.0 * (1.0 - math.exp(-rain_mm_h / 4.0))
    return min(max(84.0 - dry + wet + gauss(seed, f"damp/{station}", int(time_s // 60)), 35.0), 100.0)


def surge_m(point: Point, time_s: float, cyclones: Cyclones) -> float:
    """What cyclones add to the sea level, in m: inverse barometer and wind set-up."""
    return sum(
        0.01 * cyclone.pressure_drop_hpa(point, time_s) + SETUP_M * cyclone.wind_m_s(point, time_s) ** 2
        for cyclone in cyclones
    )
