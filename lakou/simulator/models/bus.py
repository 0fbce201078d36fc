"""Buses on lines with stops: each shuttles between two ends, waits at its stops, and sleeps at night.

A position is a function of the time alone. The features of interest are points every 200 m of a line, made once and
used again, so that a bus that runs for years does not fill the store with places. Lines are schematic.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise

Point = tuple[float, float]

UTC_OFFSET_S = -4 * 3600
FIRST_DEPARTURE_S = 5.5 * 3600
LAST_ARRIVAL_S = 20.5 * 3600
CRUISE_M_S = 6.5
DWELL_S = 25.0
WAYPOINT_M = 200.0


def _metres(a: Point, b: Point) -> float:
    east = (b[0] - a[0]) * 111_320.0 * math.cos(math.radians((a[1] + b[1]) / 2.0))
    return math.hypot(east, (b[1] - a[1]) * 110_570.0)


@dataclass(frozen=True, slots=True)
class BusState:
    """Where a bus is: degrees, metres from the first stop, speed in km/h."""

    longitude_deg: float
    latitude_deg: float
    along_m: float
    speed_km_h: float

    @property
    def waypoint(self) -> int:
        """Number of the nearest point of the line."""
        return round(self.along_m / WAYPOINT_M)


class Line:
    """A line through its stops, both ways."""

    def __init__(self, key: str, name: str, stops: tuple[Point, ...]) -> None:
        self.key = key
        self.name = name
        self.stops = stops
        self._at = tuple(accumulate((_metres(a, b) for a, b in pairwise(stops)), initial=0.0))
        self.length_m = self._at[-1]
        self._leg_s = tuple((after - before) / CRUISE_M_S for before, after in pairwise(self._at))
        self.trip_s = sum(self._leg_s) + DWELL_S * len(self._leg_s)

    def point_at(self, along_m: float) -> Point:
        """The point `along_m` metres after the first stop."""
        along = min(max(along_m, 0.0), self.length_m)
        leg = min(bisect_right(self._at, along) - 1, len(self.stops) - 2)
        share = (along - self._at[leg]) / (self._at[leg + 1] - self._at[leg])
        (west, south), (east, north) = self.stops[leg], self.stops[leg + 1]
        return round(west + (east - west) * share, 6), round(south + (north - south) * share, 6)

    def waypoints(self) -> list[Point]:
        """The points every 200 m, in order from the first stop."""
        return [self.point_at(number * WAYPOINT_M) for number in range(round(self.length_m / WAYPOINT_M) + 1)]

    def state_at(self, time_s: float, offset_s: float = 0.0) -> BusState:
        """The bus that follows the first one by `offset_s`, at `time_s`. Out of service it waits at the first stop."""
        running = (time_s + UTC_OFFSET_S) % 86_400 - FIRST_DEPARTURE_S - offset_s
        round_trips = math.floor((LAST_ARRIVAL_S - FIRST_DEPARTURE_S - offset_s) / (2.0 * self.trip_s))
        if not 0.0 <= running < round_trips * 2.0 * self.trip_s:
            along, speed = 0.0, 0.0
        else:
            trip, elapsed = divmod(running, self.trip_s)
            along, speed = self._along_trip(elapsed)
            if int(trip) % 2 == 1:
                along = self.length_m - along
        longitude, latitude = self.point_at(along)
        return BusState(longitude, latitude, round(along, 1), round(speed * 3.6, 1))

    def _along_trip(self, elapsed_s: float) -> tuple[float, float]:
        """Metres from a trip's start and speed in m/s: ease out of each stop, ease into the next, then wait."""
        for leg, leg_s in enumerate(self._leg_s):
            if elapsed_s < leg_s:
                phase = elapsed_s / leg_s
                length = self._at[leg + 1] - self._at[leg]
                eased = phase - math.sin(2.0 * math.pi * phase) / (2.0 * math.pi)
                return self._at[leg] + length * eased, length / leg_s * (1.0 - math.cos(2.0 * math.pi * phase))
            elapsed_s -= leg_s
            if elapsed_s < DWELL_S:
                return self._at[leg + 1], 0.0
            elapsed_s -= DWELL_S
        return self.length_m, 0.0


LINES: tuple[Line, ...] = (
    Line("a", "Ligne A, Place d'Armes – Aéroport", (
        (-60.9935, 14.6005), (-60.9955, 14.6060), (-60.9990, 14.6105), (-61.0000, 14.6135), (-61.0060, 14.6150),
        (-61.0130, 14.6165), (-61.0195, 14.6150), (-61.0150, 14.6080), (-61.0080, 14.6010), (-61.0030, 14.5950),
    )),
    Line("b", "Ligne B, Bourg – Acajou", (
        (-60.9925, 14.6285), (-60.9970, 14.6240), (-61.0005, 14.6135), (-61.0120, 14.6175), (-61.0230, 14.6190),
        (-61.0290, 14.6180),
    )),
    Line("c", "Ligne C, Gondeau – Place d'Armes", (
        (-61.0210, 14.6380), (-61.0250, 14.6290), (-61.0195, 14.6220), (-61.0060, 14.6220), (-60.9990, 14.6105),
        (-60.9935, 14.6005),
    )),
    Line("d", "Ligne D, Bourg – Bois d'Inde", (
        (-60.9925, 14.6285), (-60.9860, 14.6310), (-60.9790, 14.6350), (-60.9700, 14.6400), (-60.9730, 14.6230),
        (-60.9840, 14.6120),
    )),
    Line("e", "Ligne E, Jambette – Lareinty", (
        (-61.0330, 14.6240), (-61.0290, 14.6180), (-61.0195, 14.6150), (-61.0060, 14.6150), (-60.9955, 14.6060),
        (-60.9880, 14.6060), (-60.9840, 14.6120),
    )),
)  # fmt: skip
