"""A value is fine only when it is known to be recent; everything unknown is shown as a doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.web.freshness import SHAPES, WORDS, judge, usual_period_s, worst

NOW_S = 1_795_350_000.0


@pytest.mark.parametrize(
    ("latest_s", "period_s", "state"),
    [
        (NOW_S - 60, 60.0, "fresh"),
        (NOW_S - 180, 60.0, "fresh"),
        (NOW_S - 181, 60.0, "silent"),
        (None, 60.0, "silent"),
        (None, None, "silent"),
        (NOW_S - 1, None, "unpaced"),
        (NOW_S + 30, 60.0, "fresh"),
        (NOW_S + 3600, 60.0, "ahead"),
    ],
)
def test_states(latest_s: float | None, period_s: float | None, state: str) -> None:
    found = judge(NOW_S, latest_s, period_s)
    assert found.state == state
    assert found.word == WORDS[found.state]


def test_only_a_fresh_value_has_no_question_mark() -> None:
    assert {state for state, shape in SHAPES.items() if shape != "?"} == {"fresh"}


@given(st.floats(0, 1e9), st.one_of(st.none(), st.floats(0.1, 1e6)))
def test_fresh_is_never_older_than_three_periods(age_s: float, period_s: float | None) -> None:
    if judge(NOW_S, NOW_S - age_s, period_s).state == "fresh":
        assert period_s is not None
        assert age_s <= 3 * period_s + 1e-6


def test_the_declared_period_wins_over_the_measured_one() -> None:
    assert usual_period_s([0, 10, 20], 60) == 60.0


@pytest.mark.parametrize("declared", [None, 0, -5, True, "60", [60]])
def test_a_wrong_declaration_falls_back_on_the_median_gap(declared: object) -> None:
    assert usual_period_s([100, 40, 50, 60, 70], declared) == 10.0


@pytest.mark.parametrize("times", [[], [1.0], [1.0, 2.0], [5.0, 5.0, 5.0]])
def test_too_few_instants_tell_no_period(times: list[float]) -> None:
    assert usual_period_s(times) is None


def test_one_silent_datastream_makes_its_thing_doubtful_and_so_does_none() -> None:
    assert worst(["fresh", "fresh"]) == "fresh"
    assert worst(["fresh", "unpaced"]) == "silent"
    assert worst([]) == "silent"
