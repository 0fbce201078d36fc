"""Shaking falls with distance."""

from __future__ import annotations

from datetime import UTC, datetime

from lakou.simulator import ground

NOW_S = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


def test_an_earthquake_shakes_the_near_station_more_and_earlier() -> None:
    quake = ground.Quake(NOW_S, -60.6, 14.8, 25.0, 5.6)
    near, far = quake.distance_km(-60.7, 14.75), quake.distance_km(-61.0, 14.6)
    assert near < far
    assert quake.peak_m_s2(near) > quake.peak_m_s2(far) > 0.01
    calm = ground.pga_m_s2(1, "s", -61.0, 14.6, NOW_S)
    shaken = ground.pga_m_s2(1, "s", -61.0, 14.6, NOW_S + far / ground.S_WAVE_KM_S + 5, (quake,))
    assert calm < 0.01 < shaken
