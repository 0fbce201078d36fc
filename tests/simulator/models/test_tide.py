"""The tide is small, mixed and centred."""

from __future__ import annotations

from datetime import UTC, datetime

from lakou.simulator.models import tide

NOW_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def test_the_tide_is_small_and_mixed() -> None:
    month = [tide.height_m(NOW_S + 600.0 * step) for step in range(30 * 144)]
    ranges = [max(month[day * 144 : day * 144 + 150]) - min(month[day * 144 : day * 144 + 150]) for day in range(29)]
    assert max(abs(height) for height in month) <= tide.HIGHEST_M
    assert max(ranges) < 0.55
    assert min(ranges) > 0.10
    assert abs(sum(month) / len(month)) < 0.02
