"""Rain is a field: it adds up, is never negative, is the integral of its intensity, and moves with its cells."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator.models import rain

NOW_S = 1_795_348_800.0
HERE = (-61.0, 14.63)
instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants, st.floats(1, 2e4), st.floats(1, 2e4))
@settings(max_examples=25)
def test_rain_depth_is_never_negative_and_adds_up(seed: int, time_s: float, first_s: float, second_s: float) -> None:
    sky = rain.Rain(seed)
    middle, end = time_s + first_s, time_s + first_s + second_s
    whole = sky.depth_mm(HERE, time_s, end)
    assert whole >= 0.0
    assert whole == pytest.approx(sky.depth_mm(HERE, time_s, middle) + sky.depth_mm(HERE, middle, end), abs=1e-6)
    assert sky.intensity_mm_h(HERE, time_s) >= 0.0


def test_rain_depth_is_the_integral_of_the_intensity() -> None:
    sky = rain.Rain(1, (rain.Cell(NOW_S, 3600.0, 40.0, *HERE),))
    steps = sum(sky.intensity_mm_h(HERE, NOW_S + second) / 3600.0 for second in range(3600))
    assert steps > 15.0
    assert sky.depth_mm(HERE, NOW_S, NOW_S + 3600.0) == pytest.approx(steps, rel=1e-3)


def test_a_cell_moves_with_the_wind_and_is_weaker_away_from_its_centre() -> None:
    cell = rain.Cell(NOW_S, 3600.0, 50.0, *HERE, east_m_s=-5.0, radius_m=3000.0)
    west, east = (HERE[0] - 0.05, HERE[1]), (HERE[0] + 0.05, HERE[1])
    early, late = NOW_S + 900.0, NOW_S + 2700.0
    assert cell.intensity_mm_h(east, early) > cell.intensity_mm_h(west, early)
    assert cell.intensity_mm_h(west, late) > cell.intensity_mm_h(east, late)
    assert cell.intensity_mm_h(HERE, NOW_S + 1800.0) == pytest.approx(50.0)


@given(st.floats(0, 200))
def test_a_tipping_bucket_shows_whole_tips_not_above_the_true_depth(depth_mm: float) -> None:
    shown = rain.tipped_mm(depth_mm)
    assert shown <= depth_mm + 1e-6
    assert depth_mm - shown < rain.TIP_MM + 1e-6
    assert shown / rain.TIP_MM == pytest.approx(round(shown / rain.TIP_MM))
