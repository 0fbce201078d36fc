"""The height of the sun, from the low-precision formulas of the Astronomical Almanac (error below 0.02° to 2050)."""

from __future__ import annotations

import math

J2000_S = 946_728_000.0


def elevation_deg(time_s: float, latitude_deg: float, longitude_deg: float) -> float:
    """Height of the sun's centre above the horizon at `time_s` (Unix seconds), in degrees, without refraction."""
    days = (time_s - J2000_S) / 86_400.0
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    mean_longitude = 280.460 + 0.9856474 * days
    ecliptic = math.radians((mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)) % 360.0)
    obliquity = math.radians(23.439 - 0.0000004 * days)
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude_deg) % 360.0)
    hour_angle = sidereal - ascension
    latitude = math.radians(latitude_deg)
    return math.degrees(
        math.asin(
            math.sin(latitude) * math.sin(declination)
            + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
        )
    )
