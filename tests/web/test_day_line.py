"""The 24 h line keeps peaks, breaks at silences and never leaves its frame."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakou.web.day_line import LineDrawing, Row, draw_line, numbers_of, pieces_of, thin, ticks

ZONE = ZoneInfo("America/Martinique")
END_S = 1_795_350_000.0
START_S = END_S - 86_400.0
values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


def draw(rows: list[Row], period_s: float | None = 60.0) -> LineDrawing | None:
    return draw_line(rows, start_s=START_S, end_s=END_S, period_s=period_s, unit="m", zone=ZONE)


def test_no_value_no_line() -> None:
    assert draw([]) is None
    assert draw([(START_S - 10, 1.0)]) is None


@given(st.lists(st.tuples(st.floats(START_S, END_S), values), min_size=1, max_size=60))
def test_every_point_lies_inside_the_plot(rows: list[Row]) -> None:
    drawing = draw(sorted(rows))
    assert drawing
    pairs = [tuple(map(float, pair.split(","))) for piece in drawing.pieces for pair in piece.split(" ")]
    pairs += [(float(x), float(y)) for x, y in drawing.dots]
    assert pairs
    assert all(-0.1 <= x <= 1000.1 and -0.1 <= y <= 180.1 for x, y in pairs)


@given(values, values)
@example(0.0, 5e-324)
@example(-5e-324, -5e-324)
@example(1e-301, 3e-300)
@example(1e6, math.nextafter(1e6, 2e6))
def test_ticks_are_few_round_and_reach_around_the_values(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    slack = (found[-1] - found[0]) * 1e-6
    assert found[0] <= low + slack
    assert found[-1] >= high - slack


def test_numbers_that_no_device_measures_break_no_page() -> None:
    rows = [(START_S + 60.0 * n, value) for n, value in enumerate((1.7e308, -1.7e308, 1e300, -1e300, 1e300, 5e-324))]
    drawn = numbers_of([*rows, (END_S, float("nan")), (END_S, float("inf")), (END_S, 10**400)])
    assert [value for _, value in drawn] == [1e300, -1e300, 1e300, 5e-324]
    drawing = draw(drawn)
    assert drawing
    assert all(0 <= float(pair.split(",")[1]) <= 180 for piece in drawing.pieces for pair in piece.split(" "))


def test_a_day_by_minute_keeps_its_single_peak() -> None:
    rows = [(START_S + 60.0 * index, 1.0) for index in range(1440)]
    rows[700] = (rows[700][0], 9.0)
    assert (rows[700][0], 9.0) in thin(rows, START_S, END_S)
    assert len(thin([(START_S + index, 1.0) for index in range(80_000)], START_S, END_S)) <= 2001


def test_a_silence_breaks_the_line_instead_of_being_bridged() -> None:
    rows = [(START_S + 60.0 * index, 1.0) for index in range(1440) if not 300 <= index < 400]
    drawing = draw(rows)
    assert drawing
    assert len(drawing.pieces) == 2


def test_a_slow_regular_datastream_is_one_line() -> None:
    drawing = draw([(START_S + 3600.0 * index, float(index)) for index in range(24)], period_s=None)
    assert drawing
    assert len(drawing.pieces) == 1


def test_a_lone_value_is_a_dot() -> None:
    drawing = draw([(END_S - 10.0, 2.0)])
    assert drawing
    assert (len(drawing.pieces), len(drawing.dots)) == (0, 1)


def test_pieces_keep_every_row() -> None:
    rows = [(float(moment), 0.0) for moment in (0, 1, 2, 10, 11, 30)]
    assert [row for piece in pieces_of(rows, 5.0) for row in piece] == rows
    assert len(pieces_of(rows, 5.0)) == 3


def test_the_table_has_each_hour_with_least_mean_and_greatest() -> None:
    drawing = draw([(END_S - 1800.0 * index, float(index)) for index in range(47, -1, -1)])
    assert drawing
    assert sum(hour.count for hour in drawing.hours) == 48
    assert drawing.hours[0].least.endswith("m")
    assert drawing.summary == "de 0\u202fm à 47\u202fm, dernière valeur 0\u202fm"


def test_hours_of_the_axis_are_the_territory_s() -> None:
    drawing = draw([(END_S, 1.0)])
    assert drawing
    assert {tick.text for tick in drawing.x_ticks} <= {f"{hour}\u202fh" for hour in (0, 6, 12, 18)}
    assert len(drawing.x_ticks) >= 3


@pytest.mark.parametrize("result", [True, "3", None, [1], {"a": 1}, float("inf"), float("nan")])
def test_what_is_no_finite_number_is_not_drawn(result: object) -> None:
    assert numbers_of([(START_S, result)]) == []
