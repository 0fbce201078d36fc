"""Buses keep to their line, their speed, their stops and their hours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator.models import bus

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
lines = st.sampled_from(bus.LINES)
offsets = st.sampled_from([0.0, 720.0, 2160.0])


@given(lines, offsets, instants)
def test_a_bus_stays_on_its_line_and_never_speeds(line: bus.Line, offset_s: float, time_s: float) -> None:
    state = line.state_at(time_s, offset_s)
    assert 0.0 <= state.along_m <= line.length_m + 0.1
    assert 0.0 <= state.speed_km_h <= 50.0
    assert 0 <= state.waypoint < len(line.waypoints())


@given(lines, offsets, instants)
def test_a_bus_does_not_jump(line: bus.Line, offset_s: float, time_s: float) -> None:
    before, after = line.state_at(time_s, offset_s), line.state_at(time_s + 1.0, offset_s)
    assert abs(after.along_m - before.along_m) <= 15.0


@pytest.mark.parametrize("line", bus.LINES, ids=lambda line: line.key)
def test_a_bus_waits_at_each_of_its_stops(line: bus.Line) -> None:
    start = datetime(2026, 11, 23, 9, 30, tzinfo=UTC).timestamp()
    states = [line.state_at(start + second) for second in range(int(line.trip_s) + 1)]
    still = {round(state.along_m) for state in states if state.speed_km_h == 0.0}
    ends = [bus._metres(line.stops[0], line.stops[1]), line.length_m]
    assert {round(end) for end in ends} <= still
    assert len(still) == len(line.stops)


@given(lines)
@settings(max_examples=5)
def test_a_bus_sleeps_at_its_first_stop(line: bus.Line) -> None:
    night = line.state_at(datetime(2026, 11, 22, 6, tzinfo=UTC).timestamp())
    assert (night.along_m, night.speed_km_h) == (0.0, 0.0)
