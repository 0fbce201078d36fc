"""A sea-level wave: it comes after its travel time over the depths of its path, then swings and dies down.

Long waves travel at √(g h) (Lagrange 1781), leg by leg. The first extremes are those of the exercise; later ones
follow at the bay's own period, each smaller by the same share. A real arrival comes from a propagation model; paths
and heights are to calibrate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

G_M_S2 = 9.81


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of the wave's path: length in km, depth in m."""

    length_km: float
    depth_m: float

    @property
    def travel_s(self) -> float:
        """Time over this leg, in s."""
        return self.length_km * 1000.0 / math.sqrt(G_M_S2 * self.depth_m)


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave from its source: origin (Unix s), path to the bay, and its extremes as (s after arrival, m).

    After the last extreme the sea swings on with `half_period_s` between extremes, each `damping` times the one before.
    """

    origin_s: float
    path: tuple[Leg, ...]
    extremes: tuple[tuple[float, float], ...]
    half_period_s: float
    damping: float

    @property
    def travel_s(self) -> float:
        """Time from the source to the bay's first gauge, in s."""
        return sum(leg.travel_s for leg in self.path)

    def arrival_s(self, further: tuple[Leg, ...] = ()) -> float:
        """When the first movement comes to a gauge that lies `further` into the bay (Unix s)."""
        return self.origin_s + self.travel_s + sum(leg.travel_s for leg in further)

    def height_m(self, time_s: float, further: tuple[Leg, ...] = ()) -> float:
        """What the wave adds to the sea level at a gauge, in m: exactly 0 before its arrival."""
        since_s = time_s - self.arrival_s(further)
        if since_s <= 0.0:
            return 0.0
        before = (0.0, 0.0)
        for after in self.extremes:
            if since_s < after[0]:
                return _between(before, after, since_s)
            before = after
        halves, rest_s = divmod(since_s - before[0], self.half_period_s)
        height = before[1] * (-self.damping) ** int(halves)
        return _between((0.0, height), (self.half_period_s, -height * self.damping), rest_s)


def _between(before: tuple[float, float], after: tuple[float, float], at_s: float) -> float:
    """Half a cosine from one extreme to the next: no corner, no overshoot."""
    share = (at_s - before[0]) / (after[0] - before[0])
    return before[1] + (after[1] - before[1]) * (1.0 - math.cos(math.pi * share)) / 2.0
