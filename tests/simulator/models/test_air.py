"""Air values stay plausible; dust has its season."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator.models import air

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants, st.floats(0.4, 1.8))
@settings(max_examples=30)
def test_air_values_are_positive_and_fine_particles_never_exceed_all(seed: int, time_s: float, roads: float) -> None:
    assert air.pm10(seed, "s", roads, time_s) >= air.pm25(seed, "s", roads, time_s) > 0
    assert 0 < air.no2(seed, "s", roads, time_s) < 110
    assert 0 < air.o3(seed, "s", roads, time_s) < 120


def test_there_is_more_dust_in_june_than_in_december() -> None:
    def mean(month: int) -> float:
        start = datetime(2026, month, 1, tzinfo=UTC).timestamp()
        return sum(air.dust(seed, start + hour * 3600.0) for seed in range(10) for hour in range(0, 720, 12)) / 600.0

    assert mean(6) > 3 * mean(12)
