"""Counts of values by size: what a Prometheus histogram is made of. Adding costs a search in a short tuple."""

from __future__ import annotations

from bisect import bisect_left


class Histogram:
    """Values counted at or below each bound, the rest above the last. One thread adds; any thread may read."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """(bound, how many values at or below it), the last bound being +Inf."""
        found, so_far = [], 0
        for bound, count in zip((*self.bounds, None), self.counts, strict=True):
            so_far += count
            found.append(("+Inf" if bound is None else f"{bound:g}", float(so_far)))
        return found
