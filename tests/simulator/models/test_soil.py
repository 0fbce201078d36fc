"""The soil's water is accounted for, rain makes it wetter, and wet slopes move."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator.models import soil
from lakou.simulator.models.rain import Cell, Rain

NOW_S = 1_795_348_800.0
HERE = (-61.0, 14.64)


@given(st.lists(st.floats(0.0, 90.0), min_size=1, max_size=200), st.floats(0.0, soil.CAPACITY_MM))
def test_water_in_is_water_out_and_water_stored(rains_mm: list[float], stored_mm: float) -> None:
    start = stored_mm
    came = left = 0.0
    for rain_mm in rains_mm:
        hour = soil.balance(stored_mm, rain_mm)
        came += hour.infiltrated
        left += hour.drained + hour.evaporated + hour.overflowed
        stored_mm = hour.stored
        assert 0.0 <= stored_mm <= soil.CAPACITY_MM
    assert start + came == pytest.approx(left + stored_mm, rel=1e-9, abs=1e-9)


@pytest.fixture(scope="module")
def soils() -> tuple[soil.Soils, soil.Soils]:
    """A dry world and one with a night of heavy rain."""
    wet = tuple(Cell(NOW_S + 7200.0 * n, 14_000.0, 70.0, *HERE, radius_m=9000.0) for n in range(6))
    return soil.Soils(Rain(5)), soil.Soils(Rain(5, wet))


def test_rain_makes_the_soil_wetter_and_the_slope_faster(soils: tuple[soil.Soils, soil.Soils]) -> None:
    dry, wet = soils
    after = NOW_S + 13 * 3600.0
    assert dry.saturation(HERE, NOW_S) == wet.saturation(HERE, NOW_S)
    assert 0.0 < dry.saturation(HERE, after) < wet.saturation(HERE, after) <= 1.0
    calm, moved = (soil.velocity_mm_day(1, "v", each.saturation(HERE, after), after) for each in soils)
    assert calm < 2.0 < moved


@settings(max_examples=20, deadline=None)
@given(st.floats(NOW_S - 40_000.0, NOW_S + 80_000.0))
def test_the_soil_does_not_jump(soils: tuple[soil.Soils, soil.Soils], time_s: float) -> None:
    """Not even where a day ends and another chain of 30 days begins."""
    wet = soils[1]
    assert wet.saturation(HERE, time_s + 60.0) == pytest.approx(wet.saturation(HERE, time_s), abs=0.02)
