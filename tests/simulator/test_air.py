"""Air values stay plausible."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator import air

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@given(seeds, instants)
def test_air_values_are_positive_and_fine_particles_never_exceed_all_particles(seed: int, time_s: float) -> None:
    assert air.pm10(seed, time_s) >= air.pm25(seed, time_s) > 0
    assert 0 < air.no2(seed, time_s) < 80
    assert 0 < air.o3(seed, time_s) < 120
