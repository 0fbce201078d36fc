"""Meters only count up, and an energy meter stands still without current."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator.models import meters

instants = st.floats(min_value=1.77e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, st.floats(0.1, 500.0), instants, st.floats(1.0, 90_000.0))
def test_a_meter_never_goes_back(seed: int, mean: float, time_s: float, later_s: float) -> None:
    assert meters.counted(seed, "m", mean, time_s + later_s) > meters.counted(seed, "m", mean, time_s)


@given(seeds, instants)
def test_a_meter_counts_its_mean_over_a_week(seed: int, time_s: float) -> None:
    week = meters.counted(seed, "m", 10.0, time_s + 7 * 86_400.0) - meters.counted(seed, "m", 10.0, time_s)
    assert week == pytest.approx(70.0, rel=1e-6)


@given(seeds, instants, st.floats(60.0, 20_000.0))
def test_nothing_is_counted_while_the_current_is_cut(seed: int, time_s: float, long_s: float) -> None:
    cuts = ((time_s, time_s + long_s),)
    during = [meters.index(seed, "m", 100.0, time_s + share * long_s, cuts) for share in (0.0, 0.3, 0.9, 1.0)]
    assert during == pytest.approx([during[0]] * 4, rel=1e-12)
    assert meters.index(seed, "m", 100.0, time_s + long_s + 3600.0, cuts) > during[-1]
