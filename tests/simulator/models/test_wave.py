"""A wave comes after its travel time, never before; then it swings as the exercise says and dies down."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator import scenario
from lakou.simulator.models.wave import G_M_S2, Leg, Wave

NOW_S = 1_795_348_800.0
legs = st.builds(Leg, st.floats(0.5, 300.0), st.floats(1.0, 6000.0))


@given(st.lists(legs, min_size=1, max_size=5), st.lists(legs, max_size=2), st.floats(-600.0, 20_000.0))
def test_a_wave_arrives_after_its_travel_time(path: list[Leg], further: list[Leg], since_s: float) -> None:
    wave = Wave(NOW_S, tuple(path), ((300.0, -0.5), (700.0, 1.2)), 500.0, 0.8)
    arrival = wave.arrival_s(tuple(further))
    length_m = sum(leg.length_km for leg in [*path, *further]) * 1000.0
    depths = [leg.depth_m for leg in [*path, *further]]
    assert arrival - NOW_S >= length_m / math.sqrt(G_M_S2 * max(depths)) - 1e-5
    assert arrival - NOW_S <= length_m / math.sqrt(G_M_S2 * min(depths)) + 1e-5
    height = wave.height_m(NOW_S + since_s, tuple(further))
    assert abs(height) <= 1.2
    if NOW_S + since_s <= arrival:
        assert height == 0.0
    assert wave.height_m(arrival + 150.0, tuple(further)) < 0.0


def test_the_exercise_of_section_4_3_has_its_heights_at_its_times() -> None:
    (wave,) = scenario.make_world(scenario.load("seisme-tsunami"), seed=1, zero_s=NOW_S).waves
    assert wave.height_m(NOW_S + 38 * 60) == 0.0
    assert wave.height_m(NOW_S + 40 * 60) < 0.0  # the sea withdraws
    assert wave.height_m(NOW_S + 47 * 60) == pytest.approx(-0.6, abs=0.01)
    assert wave.height_m(NOW_S + 52 * 60) == pytest.approx(1.4, abs=0.01)
    assert wave.height_m(NOW_S + 70 * 60) > 1.4  # the second is larger
    late = [abs(wave.height_m(NOW_S + 60.0 * minute)) for minute in range(170, 190)]
    assert max(late) < 0.6
