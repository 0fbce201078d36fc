"""Lamps follow the night, and burn only when they are fed."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator.models import lighting

instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


def test_lamps_are_lit_at_night_and_off_at_noon() -> None:
    midnight = datetime(2026, 11, 22, 4, tzinfo=UTC).timestamp()
    noon = datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()
    assert 45 <= lighting.lamps_on(1, "c", 48, midnight, is_fed=True) <= 48
    assert lighting.lamps_on(1, "c", 48, noon, is_fed=True) == 0
    at_noon, at_night = (lighting.power_w(1, "c", 48, t, is_fed=True) for t in (noon, midnight))
    assert at_noon < 25 < 1000 < at_night


@given(seeds, st.integers(1, 80), instants, st.booleans())
def test_a_lamp_burns_only_when_it_is_fed_and_dark(seed: int, lamps: int, time_s: float, fed: bool) -> None:
    on = lighting.lamps_on(seed, "c", lamps, time_s, is_fed=fed)
    power = lighting.power_w(seed, "c", lamps, time_s, is_fed=fed)
    assert 0 <= on <= lamps
    if on:
        assert fed
        assert lighting.is_dark(time_s)
        assert power > on * lighting.LAMP_W * lighting.DIMMED * 0.9
    if not fed:
        assert power == 0.0


def test_the_number_of_failed_lamps_is_constant_within_a_night() -> None:
    night = [datetime(2026, 11, 22, hour, 30, tzinfo=UTC).timestamp() for hour in range(9)]
    assert len({lighting.lamps_on(3, "c", 48, moment, is_fed=True) for moment in night}) == 1


def test_about_one_cabinet_in_150_opens_its_breaker_in_a_night() -> None:
    start = datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()
    faults = sum(
        any(lighting.has_fault(1, f"c{cabinet}", start + 1800.0 * half) for half in range(48)) for cabinet in range(900)
    )
    assert 1 <= faults <= 15
