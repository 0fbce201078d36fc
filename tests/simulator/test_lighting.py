"""Lamps follow the night."""

from __future__ import annotations

from datetime import UTC, datetime

from lakou.simulator import lighting


def test_lamps_are_lit_at_night_and_off_at_noon() -> None:
    midnight = datetime(2026, 11, 22, 4, tzinfo=UTC).timestamp()
    noon = datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()
    assert lighting.LAMPS - 3 <= lighting.lamps_on(1, midnight) <= lighting.LAMPS
    assert lighting.lamps_on(1, noon) == 0
    assert lighting.power_w(1, noon) < 25 < 1000 < lighting.power_w(1, midnight)


def test_the_number_of_failed_lamps_is_constant_within_a_night() -> None:
    night = [datetime(2026, 11, 22, hour, 30, tzinfo=UTC).timestamp() for hour in range(9)]
    assert len({lighting.lamps_on(3, moment) for moment in night}) == 1
