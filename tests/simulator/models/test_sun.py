"""The sun stands where latitude and season put it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lakou.simulator.models import sun


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (datetime(2026, 6, 21, 16, 6, tzinfo=UTC), 81.1),  # noon in June: the sun is north of the zenith
        (datetime(2026, 12, 21, 16, 2, tzinfo=UTC), 52.0),  # 90° − 14.6° − 23.4°
        (datetime(2026, 3, 20, 16, 11, tzinfo=UTC), 75.4),
    ],
)
def test_the_noon_sun_stands_as_high_as_latitude_and_season_say(when: datetime, expected: float) -> None:
    assert sun.elevation_deg(when.timestamp(), 14.6, -61.0) == pytest.approx(expected, abs=0.6)
