"""Weather is plausible on ordinary days; a cyclone lowers the pressure, raises wind and sea, and goes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator import scenario
from lakou.simulator.models import weather

NOW_S = 1_795_348_800.0
HERE = (-61.0, 14.61)
instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants, st.floats(0.0, 80.0))
def test_ordinary_weather_stays_in_range(seed: int, time_s: float, rain_mm_h: float) -> None:
    assert 0.0 <= weather.wind_m_s(seed, "s", HERE, time_s) < 16.0
    assert weather.gust_m_s(seed, "s", HERE, time_s) >= weather.wind_m_s(seed, "s", HERE, time_s)
    assert 1009.0 < weather.pressure_hpa(seed, "s", HERE, time_s) < 1018.0
    assert 20.0 < weather.temperature_c(seed, "s", rain_mm_h, time_s) < 33.0
    assert 35.0 <= weather.humidity_percent(seed, "s", rain_mm_h, time_s) <= 100.0


@given(st.floats(2.0, 400.0))
@settings(max_examples=25)
def test_hollands_wind_is_greatest_at_its_radius(away_km: float) -> None:
    track = (weather.Position(NOW_S, -61.0, 10.0, 950.0), weather.Position(NOW_S + 10.0, -61.0, 10.0, 950.0))
    cyclone = weather.Cyclone(track, 35.0)
    at_radius = cyclone.wind_m_s((-61.0, 10.0 + 35.0 / 111.19), NOW_S)
    assert cyclone.wind_m_s((-61.0, 10.0 + away_km / 111.19), NOW_S) <= at_radius * 1.0001
    # V = √(B Δp / (ρ e)) at the radius of greatest wind (Holland 1980), reduced to the surface.
    assert at_radius == pytest.approx(weather.SURFACE * (6350.0 / weather.AIR_KG_M3 / 2.718281828) ** 0.5, rel=1e-3)


def test_the_cyclone_of_the_scenario_comes_passes_and_goes() -> None:
    cyclones = scenario.make_world(scenario.load("cyclone"), seed=1, zero_s=NOW_S).cyclones
    hours = [NOW_S + 3600.0 * hour for hour in range(25)]
    wind = [weather.wind_m_s(1, "s", HERE, hour, cyclones) for hour in hours]
    pressure = [weather.pressure_hpa(1, "s", HERE, hour, cyclones) for hour in hours]
    strongest = wind.index(max(wind))
    assert 11 <= strongest <= 14
    assert max(wind) > 32.7  # hurricane force, 118 km/h
    assert min(pressure) < 990.0
    assert abs(pressure.index(min(pressure)) - 12) <= 1
    assert weather.surge_m(HERE, hours[strongest], cyclones) > 0.5
    assert wind[0] < 20.0
    assert wind[24] < 20.0
