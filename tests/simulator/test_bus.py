"""The bus keeps to its line, its speed and its hours."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator import bus

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)


@given(instants)
def test_the_bus_stays_on_its_line_and_never_speeds(time_s: float) -> None:
    state = bus.state_at(time_s)
    assert 0.0 <= state.along_m <= bus.LENGTH_M + 0.1
    assert 0.0 <= state.speed_km_h <= 50.0
    assert 0 <= state.waypoint < len(bus.waypoints())


@given(instants)
def test_the_bus_does_not_jump(time_s: float) -> None:
    before, after = bus.state_at(time_s), bus.state_at(time_s + 1.0)
    assert abs(after.along_m - before.along_m) <= 15.0


def test_the_bus_sleeps_at_its_first_stop() -> None:
    night = bus.state_at(datetime(2026, 11, 22, 6, tzinfo=UTC).timestamp())
    assert (night.along_m, night.speed_km_h) == (0.0, 0.0)
