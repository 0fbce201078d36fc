"""Rivers keep the water, answer upstream first, and never fall below their base level."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.simulator.models import rain, river
from lakou.simulator.models.rain import STEP_S, Cell, Rain

NOW_S = 1_795_348_800.0
FIRST = int(NOW_S // STEP_S)
instants = st.floats(min_value=1.7e9, max_value=2.0e9, allow_nan=False)
seeds = st.integers(min_value=0, max_value=10_000)


@pytest.mark.parametrize(("reach", "gauge"), [(r, g) for g in river.REACHES for r in river.above(g)])
def test_every_unit_hydrograph_sums_to_one(reach: str, gauge: str) -> None:
    weights = river.hydrograph(reach, gauge)
    assert min(weights) >= 0.0
    assert math.fsum(weights) == pytest.approx(1.0, abs=1e-12)


@given(
    st.lists(
        st.builds(
            Cell,
            st.floats(NOW_S, NOW_S + 7200.0),
            st.floats(600.0, 9000.0),
            st.floats(1.0, 120.0),
            st.floats(-61.05, -60.95),
            st.floats(14.58, 14.70),
            radius_m=st.floats(1500.0, 9000.0),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["lezarde-aval", "longvilliers", "gondeau"]),
)
@settings(max_examples=8, deadline=None)
def test_water_is_conserved(cells: list[Cell], gauge: str) -> None:
    """What runs off the reaches = what passes the gauge + what is still on its way, at any step of an event."""
    rivers = river.Rivers(Rain(5, tuple(cells)))
    # The ordinary rain of the days before is part of the balance: begin where its memory begins.
    longest = max(len(river.hydrograph(reach, gauge)) for reach in river.above(gauge))
    for length in (20, 60, 400):
        fallen = stored = 0.0
        passed_before = 0.0
        for reach in river.above(gauge):
            weights = river.hydrograph(reach, gauge)
            tails = [math.fsum(weights[number:]) for number in range(len(weights) + 1)]
            for step in range(FIRST, FIRST + length):
                volume = rivers.runoff_m3(reach, step)
                fallen += volume
                stored += volume * (tails[FIRST + length - step] if FIRST + length - step < len(tails) else 0.0)
            # Water of earlier rain that passes during the event was not counted as fallen in it.
            for step in range(FIRST - longest, FIRST):
                volume = rivers.runoff_m3(reach, step)
                if volume:
                    at = [number for number in range(len(weights)) if FIRST <= step + number < FIRST + length]
                    passed_before += volume * math.fsum(weights[number] for number in at)
        passed = math.fsum(rivers.passing_m3(gauge, step) for step in range(FIRST, FIRST + length))
        assert passed - passed_before + stored == pytest.approx(fallen, rel=1e-9, abs=1e-6)


def test_after_a_storm_upstream_rises_before_downstream_and_both_fall_back() -> None:
    dry = river.Rivers(Rain(5))
    storm = river.Rivers(Rain(5, (Cell(NOW_S, 5400.0, 80.0, -61.02, 14.68, radius_m=5000.0),)))
    times = [NOW_S + 300.0 * step for step in range(280)]
    upstream = [storm.level_m("lezarde-amont", moment) for moment in times]
    downstream = [storm.level_m("lezarde-aval", moment) for moment in times]
    assert upstream.index(max(upstream)) < downstream.index(max(downstream))
    assert max(upstream) > 1.0 + upstream[0]
    assert upstream[-1] == pytest.approx(dry.level_m("lezarde-amont", times[-1]), abs=0.05)


@given(seeds, instants)
@settings(max_examples=15, deadline=None)
def test_a_river_is_never_below_its_base_level(seed: int, time_s: float) -> None:
    reach = river.REACHES["lezarde-amont"]
    base = reach.zero_m + (reach.base_m3_s / reach.rating_a) ** (1 / reach.rating_b)
    assert river.Rivers(rain.Rain(seed)).level_m("lezarde-amont", time_s) >= base - 1e-9
