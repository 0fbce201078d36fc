"""The river keeps the water, answers upstream first and never falls below its base level."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator import rain, river

NOW_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@pytest.mark.parametrize("basin", [river.UPSTREAM, river.DOWNSTREAM])
def test_the_unit_hydrograph_keeps_the_water(basin: river.Basin) -> None:
    total = sum(river.unit_hydrograph(basin, 10.0 * step) * 10.0 for step in range(river.MEMORY_S // 10))
    assert total == pytest.approx(1.0, abs=0.01)


def test_after_a_storm_upstream_rises_before_downstream_and_both_fall_back() -> None:
    dry = rain.Rain(5)
    storm = rain.Rain(5, (rain.Shower(NOW_S, 5400.0, 80.0),))
    times = [NOW_S + 300.0 * step for step in range(200)]
    upstream = [river.level_m(river.UPSTREAM, storm, moment) for moment in times]
    downstream = [river.level_m(river.DOWNSTREAM, storm, moment) for moment in times]
    assert upstream.index(max(upstream)) < downstream.index(max(downstream))
    assert max(upstream) > 1.0 + upstream[0]
    assert upstream[-1] == pytest.approx(river.level_m(river.UPSTREAM, dry, times[-1]), abs=0.05)


@given(seeds, instants)
@settings(max_examples=40)
def test_a_river_is_never_below_its_base_level(seed: int, time_s: float) -> None:
    basin = river.UPSTREAM
    base = basin.zero_m + (basin.base_m3_s / basin.rating_a) ** (1 / basin.rating_b)
    assert river.level_m(basin, rain.Rain(seed), time_s) >= base - 1e-9
