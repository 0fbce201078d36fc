"""Rain adds up, is never negative and is the integral of its intensity."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator import rain

NOW_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants, st.floats(1, 4e4), st.floats(1, 4e4))
@settings(max_examples=60)
def test_rain_depth_is_never_negative_and_adds_up(seed: int, time_s: float, first_s: float, second_s: float) -> None:
    sky = rain.Rain(seed)
    whole = sky.depth_mm(time_s, time_s + first_s + second_s)
    parts = sky.depth_mm(time_s, time_s + first_s) + sky.depth_mm(time_s + first_s, time_s + first_s + second_s)
    assert whole >= -1e-9
    assert whole == pytest.approx(parts, abs=1e-6)
    assert sky.intensity_mm_h(time_s) >= 0.0


def test_rain_depth_is_the_integral_of_the_intensity() -> None:
    sky = rain.Rain(1, (rain.Shower(NOW_S, 3600.0, 40.0),))
    steps = sum(sky.intensity_mm_h(NOW_S + second) / 3600.0 for second in range(3600))
    assert sky.depth_mm(NOW_S, NOW_S + 3600.0) == pytest.approx(steps, rel=1e-3)


@given(st.floats(0, 200))
def test_a_tipping_bucket_shows_whole_tips_not_above_the_true_depth(depth_mm: float) -> None:
    shown = rain.tipped_mm(depth_mm)
    assert shown <= depth_mm + 1e-6
    assert depth_mm - shown < rain.TIP_MM + 1e-6
    assert shown / rain.TIP_MM == pytest.approx(round(shown / rain.TIP_MM))
