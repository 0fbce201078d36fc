"""The clock never passes the present, and what it did can be repeated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.simulator.clock import Clock

NOW_S = 1_795_350_000.0


class Wall:
    """A present that a test moves."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


moves = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.0, 5000.0)),
    st.tuples(st.just("speed"), st.floats(1.0, 600.0)),
    st.tuples(st.just("pause"), st.just(0.0)),
    st.tuples(st.just("resume"), st.just(0.0)),
    st.tuples(st.just("back"), st.floats(0.0, 9000.0)),
)


@given(st.lists(moves, max_size=30))
def test_the_territory_is_never_ahead_of_the_present_and_only_goes_back_when_asked(
    steps: list[tuple[str, float]],
) -> None:
    wall = Wall()
    clock = Clock(wall)
    before = clock.now_s
    for what, value in steps:
        match what:
            case "wait":
                wall.now_s += value
            case "speed":
                clock.run_at(value)
            case "pause":
                clock.pause()
            case "resume":
                clock.resume()
            case "back":
                clock.set(clock.now_s - value)
                before = clock.now_s
        assert before - 1e-3 <= clock.now_s <= wall.now_s + 1e-3
        before = clock.now_s


def test_a_faster_clock_ends_in_the_present_and_stays_there() -> None:
    wall = Wall()
    clock = Clock(wall, at_s=NOW_S - 3600.0, speed=60.0)
    wall.now_s += 30.0
    assert clock.now_s == pytest.approx(NOW_S - 1800.0)
    wall.now_s += 1000.0
    assert clock.now_s == wall.now_s


def test_a_paused_clock_stands_and_goes_on_where_it_stood() -> None:
    wall = Wall()
    clock = Clock(wall)
    clock.pause()
    wall.now_s += 500.0
    assert clock.now_s == NOW_S
    assert clock.behind_s == 500.0
    clock.resume()
    wall.now_s += 10.0
    assert clock.now_s == pytest.approx(NOW_S + 10.0)


@pytest.mark.parametrize("speed", [0.0, 0.99, 600.1, float("nan"), -1.0])
def test_a_speed_out_of_range_is_refused(speed: float) -> None:
    with pytest.raises(BadRequest, match="1 to 600"):
        Clock(Wall(), speed=speed)


def test_the_future_is_refused() -> None:
    with pytest.raises(BadRequest, match="ahead of the present"):
        Clock(Wall()).set(NOW_S + 10.0)
