"""One bus on its line: it shuttles between two ends, stops at its stops, and sleeps at night.

Its position is a function of the time alone. The features of interest are points every 100 m of the line,
made once and used again, so that a bus that runs for years does not fill the store with places.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

UTC_OFFSET_S = -4 * 3600
FIRST_DEPARTURE_S = 5.5 * 3600
LAST_ARRIVAL_S = 20.5 * 3600
CRUISE_M_S = 6.5
DWELL_S = 25.0
WAYPOINT_M = 100.0

# A schematic line: commercial area of Place d'Armes, town centre, Californie, airport.
LINE: tuple[tuple[float, float], ...] = (
    (-60.9935, 14.6005), (-60.9955, 14.6060), (-60.9990, 14.6105), (-61.0000, 14.6135),
    (-61.0060, 14.6150), (-61.0130, 14.6165), (-61.0195, 14.6150), (-61.0150, 14.6080),
    (-61.0080, 14.6010), (-61.0030, 14.5950),
)  # fmt: skip


def _metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (b[0] - a[0]) * 111_320.0 * math.cos(math.radians((a[1] + b[1]) / 2.0))
    return math.hypot(east, (b[1] - a[1]) * 110_570.0)


_AT: tuple[float, ...] = tuple(sum(_metres(a, b) for a, b in pairwise(LINE[: count + 1])) for count in range(len(LINE)))
LENGTH_M = _AT[-1]
_LEG_S = tuple((after - before) / CRUISE_M_S for before, after in pairwise(_AT))
TRIP_S = sum(_LEG_S) + DWELL_S * len(_LEG_S)


@dataclass(frozen=True, slots=True)
class BusState:
    """Where the bus is: degrees, metres from the first stop, speed in km/h."""

    longitude_deg: float
    latitude_deg: float
    along_m: float
    speed_km_h: float

    @property
    def waypoint(self) -> int:
        """Number of the nearest 100 m point of the line."""
        return round(self.along_m / WAYPOINT_M)


def point_at(along_m: float) -> tuple[float, float]:
    """Longitude and latitude of the point `along_m` metres after the first stop."""
    along = min(max(along_m, 0.0), LENGTH_M)
    leg = min(bisect_right(_AT, along) - 1, len(LINE) - 2)
    share = (along - _AT[leg]) / (_AT[leg + 1] - _AT[leg])
    (west, south), (east, north) = LINE[leg], LINE[leg + 1]
    return round(west + (east - west) * share, 6), round(south + (north - south) * share, 6)


def waypoints() -> list[tuple[float, float]]:
    """The points every 100 m, in order from the first stop."""
    return [point_at(number * WAYPOINT_M) for number in range(round(LENGTH_M / WAYPOINT_M) + 1)]


def _along_trip(elapsed_s: float) -> tuple[float, float]:
    """Metres from the start of a trip and speed in m/s: ease out of each stop, ease into the next, then wait."""
    for leg, leg_s in enumerate(_LEG_S):
        if elapsed_s < leg_s:
            phase = elapsed_s / leg_s
            length = _AT[leg + 1] - _AT[leg]
            eased = phase - math.sin(2.0 * math.pi * phase) / (2.0 * math.pi)
            return _AT[leg] + length * eased, length / leg_s * (1.0 - math.cos(2.0 * math.pi * phase))
        elapsed_s -= leg_s
        if elapsed_s < DWELL_S:
            return _AT[leg + 1], 0.0
        elapsed_s -= DWELL_S
    return LENGTH_M, 0.0


def state_at(time_s: float) -> BusState:
    """The bus at `time_s` (Unix seconds). Outside service it waits at the first stop."""
    of_day = (time_s + UTC_OFFSET_S) % 86_400
    running = of_day - FIRST_DEPARTURE_S
    round_trips = math.floor((LAST_ARRIVAL_S - FIRST_DEPARTURE_S) / (2.0 * TRIP_S))
    if not 0.0 <= running < round_trips * 2.0 * TRIP_S:
        along, speed = 0.0, 0.0
    else:
        trip, elapsed = divmod(running, TRIP_S)
        along, speed = _along_trip(elapsed)
        if int(trip) % 2 == 1:
            along = LENGTH_M - along
    longitude, latitude = point_at(along)
    return BusState(longitude, latitude, round(along, 1), round(speed * 3.6, 1))
