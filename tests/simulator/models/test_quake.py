"""Shaking follows the law B3 of warning-and-crisis §5.3, comes with the S wave, and falls with distance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.simulator.models import quake
from lakou.simulator.places import PLACES

NOW_S = 1_795_350_000.0
TOWN_HALL = PLACES["mairie"][1:]


# The two checks of §5.3, by their distance from the focus: 18 February 2014 (235 km east, 30 km deep) and
# 29 November 2007 (about 40 km away, 152 km deep).
@pytest.mark.parametrize(
    ("magnitude", "distance_km", "expected_mg", "expected_intensity"),
    [(6.7, 236.9, 4.3, 3.4), (7.4, 157.2, 31.0, 6.0)],
)
def test_the_law_gives_what_was_checked(
    magnitude: float, distance_km: float, expected_mg: float, expected_intensity: float
) -> None:
    peak_mg = quake.peak_g(magnitude, distance_km) * 1000.0
    assert peak_mg == pytest.approx(expected_mg, rel=0.02)
    assert quake.intensity(peak_mg) == pytest.approx(expected_intensity, abs=0.05)


def test_the_exercise_of_section_4_3_shakes_the_town_hall_as_it_says() -> None:
    found = quake.Quake(NOW_S, -60.1, 15.3, 25.0, 8.5)
    assert found.distance_km(TOWN_HALL) == pytest.approx(125.0, abs=1.5)
    peak_mg = found.peak_g(TOWN_HALL) * 1000.0
    assert peak_mg == pytest.approx(233.0, rel=0.02)
    assert quake.intensity(peak_mg) == pytest.approx(8.6, abs=0.05)
    assert 25.0 <= found.arrival_s(TOWN_HALL) - NOW_S <= 40.0


@given(st.floats(4.0, 9.0), st.floats(5.0, 400.0), st.floats(1.0, 300.0))
def test_shaking_never_grows_with_distance_and_grows_with_magnitude(m: float, near: float, further: float) -> None:
    assert quake.peak_g(m, near) >= quake.peak_g(m, near + further)
    # Near the focus the law saturates: its least distance grows with the magnitude.
    if near > 10.0 ** ((m + 0.3 - 4.5) / 2.0):
        assert quake.peak_g(m + 0.3, near) > quake.peak_g(m, near)


@given(st.integers(0, 400), st.integers(0, 19))
def test_no_window_misses_the_peak(station: int, phase: int) -> None:
    """Of windows of 20 s that follow one another, exactly the one with the arrival shows the whole peak."""
    found = quake.Quake(NOW_S, -60.1, 15.3, 25.0, 8.5)
    key = f"s{station}"
    ends = [NOW_S + phase + 20.0 * number for number in range(6)]
    shown = [quake.pga_cm_s2(1, key, TOWN_HALL, end - 20.0, end, (found,)) for end in ends]
    greatest = max(shown)
    factor = greatest / (found.peak_g(TOWN_HALL) * quake.G_CM_S2)
    assert 10.0**-0.1001 <= factor <= 10.0**0.1001
    assert ends[shown.index(greatest)] - 20.0 < found.arrival_s(TOWN_HALL) <= ends[shown.index(greatest)]


def test_before_the_wave_there_is_only_the_town() -> None:
    found = quake.Quake(NOW_S, -60.1, 15.3, 25.0, 8.5)
    assert quake.pga_cm_s2(1, "s", TOWN_HALL, NOW_S, NOW_S + 20.0, (found,)) < 1.0
