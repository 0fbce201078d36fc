"""Rivers: rain over each reach through a unit hydrograph, reaches joined down to the sea, levels by rating curves.

The unit hydrograph is Nash's cascade of equal linear reservoirs (Nash 1957), cut into steps of 300 s whose sum is 1:
what falls and runs off is what passes the gauge, no more, no less. A reach's outflow reaches the next gauge through a
channel hydrograph, made the same way. Areas, delays, runoff shares and ratings are to calibrate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from lakou.simulator.models.rain import STEP_S, Point, Rain

MEMORY_STEPS = 288
KEPT = 100_000


@dataclass(frozen=True, slots=True)
class Reach:
    """What drains to one gauge by itself, and where it goes on.

    `lag_s` is pure travel time over the slopes, `storage_s` that of each of the `reservoirs`; `channel_s` is the
    travel time from this gauge to that of the reach `into`. Rain is the mean at the `samples`.
    """

    key: str
    name: str
    area_km2: float
    runoff: float
    reservoirs: int
    storage_s: float
    lag_s: float
    base_m3_s: float
    rating_a: float
    rating_b: float
    zero_m: float
    samples: tuple[Point, ...]
    into: str = ""
    channel_s: float = 0.0


REACHES: dict[str, Reach] = {
    reach.key: reach
    for reach in (
        Reach(
            "lezarde-amont", "Lézarde amont", 38.0, 0.42, 3, 1300.0, 300.0, 1.5, 12.0, 1.7, 0.12,
            ((-61.04, 14.70), (-61.02, 14.68), (-61.01, 14.66)), "lezarde-aval", 2400.0,
        ),
        Reach(
            "blanche", "Rivière Blanche", 24.0, 0.40, 3, 1100.0, 300.0, 1.1, 9.0, 1.7, 0.10,
            ((-61.06, 14.69), (-61.04, 14.67)), "lezarde-aval", 2700.0,
        ),
        Reach(
            "petite-riviere", "Petite Rivière", 16.0, 0.36, 3, 1200.0, 300.0, 0.5, 7.0, 1.6, 0.08,
            ((-60.97, 14.66), (-60.98, 14.65)), "lezarde-aval", 1500.0,
        ),
        Reach(
            "lezarde-aval", "Lézarde aval", 24.0, 0.34, 3, 1800.0, 600.0, 0.6, 19.0, 1.6, 0.20,
            ((-61.00, 14.64), (-60.99, 14.63), (-61.00, 14.62)),
        ),
        Reach(
            "gondeau", "Rivière Gondeau", 9.0, 0.45, 3, 900.0, 300.0, 0.3, 5.0, 1.6, 0.06,
            ((-61.03, 14.64), (-61.02, 14.63)),
        ),
        Reach(
            "calecon", "Rivière Caleçon", 14.0, 0.36, 3, 1200.0, 300.0, 0.4, 6.0, 1.6, 0.08,
            ((-60.96, 14.64), (-60.97, 14.62)), "longvilliers", 1800.0,
        ),
        Reach(
            "longvilliers", "Canal de Longvilliers", 12.0, 0.38, 3, 1600.0, 600.0, 0.3, 8.0, 1.6, 0.10,
            ((-60.98, 14.61), (-60.99, 14.60)),
        ),
        Reach(
            "carrere", "Rivière Carrère", 10.0, 0.36, 3, 1100.0, 300.0, 0.3, 6.0, 1.6, 0.08,
            ((-60.99, 14.59), (-60.98, 14.60)),
        ),
    )
}  # fmt: skip

Weights = tuple[float, ...]


def nash(reservoirs: int, storage_s: float, lag_s: float) -> Weights:
    """A unit hydrograph in steps of 300 s: the share that passes in each step, after at most a day; sums to 1."""
    raw = []
    for step in range(MEMORY_STEPS):
        share = 0.0
        for part in range(10):
            scaled = ((step + (part + 0.5) / 10.0) * STEP_S - lag_s) / storage_s
            share += scaled ** (reservoirs - 1) * math.exp(-scaled) if scaled > 0.0 else 0.0
        raw.append(share)
    total = math.fsum(raw)
    return tuple(share / total for share in raw)


def joined(first: Weights, second: Weights) -> Weights:
    """One hydrograph after another (their convolution); sums to the product of their sums."""
    out = [0.0] * (len(first) + len(second) - 1)
    for at, share in enumerate(first):
        if share > 1e-15:
            for later, other in enumerate(second):
                out[at + later] += share * other
    return tuple(out)


@lru_cache(maxsize=64)
def hydrograph(reach_key: str, gauge_key: str) -> Weights:
    """From rain on a reach to a gauge at its outlet or below; empty when the gauge is not on its way."""
    reach = REACHES[reach_key]
    weights, at = nash(reach.reservoirs, reach.storage_s, reach.lag_s), reach
    while at.key != gauge_key:
        if not at.into:
            return ()
        # Half of the travel time is pure delay, half is spent in two reservoirs: the wave flattens on its way.
        weights = joined(weights, nash(2, at.channel_s / 4.0, at.channel_s / 2.0))
        at = REACHES[at.into]
    total = math.fsum(weights)
    last = max(number for number, share in enumerate(weights) if share > 1e-12)
    kept = weights[: last + 1]
    rest = math.fsum(kept) / total
    return tuple(share / total / rest for share in kept)


@lru_cache(maxsize=16)
def above(gauge_key: str) -> tuple[str, ...]:
    """The reaches whose water passes a gauge, its own among them."""
    return tuple(key for key in REACHES if hydrograph(key, gauge_key))


class Rivers:
    """The rivers of one world: discharge and level at each gauge, from the world's rain."""

    def __init__(self, rain: Rain) -> None:
        self._rain = rain
        self._depths: dict[tuple[str, int], float] = {}
        self._steps: dict[tuple[str, int], float] = {}

    def depth_mm(self, reach_key: str, step: int) -> float:
        """Mean rain over a reach in one step of 300 s."""
        found = self._depths.get((reach_key, step))
        if found is None:
            samples = REACHES[reach_key].samples
            found = sum(self._rain.step_mm(sample, step) for sample in samples) / len(samples)
            if len(self._depths) > KEPT:
                self._depths.clear()
            self._depths[reach_key, step] = found
        return found

    def runoff_m3(self, reach_key: str, step: int) -> float:
        """What runs off a reach from the rain of one step; 1 mm over 1 km² is 1,000 m³."""
        reach = REACHES[reach_key]
        return self.depth_mm(reach_key, step) * reach.area_km2 * 1000.0 * reach.runoff

    def passing_m3(self, gauge_key: str, step: int) -> float:
        """What passes a gauge in one step, base flow left out."""
        found = self._steps.get((gauge_key, step))
        if found is None:
            found = 0.0
            for reach_key in above(gauge_key):
                for back, share in enumerate(hydrograph(reach_key, gauge_key)):
                    if self.depth_mm(reach_key, step - back):
                        found += share * self.runoff_m3(reach_key, step - back)
            if len(self._steps) > KEPT:
                self._steps.clear()
            self._steps[gauge_key, step] = found
        return found

    def discharge_m3_s(self, gauge_key: str, time_s: float) -> float:
        """Discharge at a gauge, in m³/s: base flow and runoff, straight between the middles of steps."""
        position = time_s / STEP_S - 0.5
        step = math.floor(position)
        weight = position - step
        runoff = self.passing_m3(gauge_key, step) * (1.0 - weight) + self.passing_m3(gauge_key, step + 1) * weight
        return sum(REACHES[key].base_m3_s for key in above(gauge_key)) + runoff / STEP_S

    def level_m(self, gauge_key: str, time_s: float) -> float:
        """Water level above the gauge's zero, in m, by the rating Q = a (h − zero)^b."""
        reach = REACHES[gauge_key]
        return float(reach.zero_m + (self.discharge_m3_s(gauge_key, time_s) / reach.rating_a) ** (1.0 / reach.rating_b))
