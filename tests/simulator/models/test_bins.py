"""Bins fill, are emptied on their round, and never hold more than they can."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator.models import bins

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants)
def test_a_bin_only_empties_all_at_once(seed: int, time_s: float) -> None:
    week = [bins.fill_percent(seed, "b", time_s + 1800.0 * half) for half in range(7 * 48)]
    assert all(0.0 <= level <= 100.0 for level in week)
    falls = [after for before, after in pairwise(week) if after < before - 1e-9]
    assert 2 <= len(falls) <= 4
    assert max(falls) < 5.0
    assert max(week) > 30.0
