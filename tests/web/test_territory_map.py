"""The map puts Things where they are, keeps markers apart and counts what it cannot show."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.territory.profile import load_profile
from lakou.web.queries import ThingState
from lakou.web.territory_map import MOST_NUMBERED, REACH, WIDTH, draw_map, project, spread

LAMENTIN = load_profile("le-lamentin")


def thing(number: int, position: tuple[float, float] | None) -> ThingState:
    return ThingState(number, number, f"Objet {number}", "", False, position, (), False)


def test_the_corners_of_the_bounds_are_the_corners_of_the_drawing() -> None:
    west, south, east, north = LAMENTIN.bounds
    projection = project(LAMENTIN)
    assert projection.point(west, north) == pytest.approx((0.0, 0.0))
    assert projection.point(east, south) == pytest.approx((WIDTH, projection.height))


def test_a_kilometre_is_as_long_north_as_east() -> None:
    projection = project(LAMENTIN)
    x, y = LAMENTIN.centre
    east = projection.point(x + 1 / (111.32 * math.cos(math.radians(y))), y)[0] - projection.point(x, y)[0]
    north = projection.point(x, y)[1] - projection.point(x, y + 1 / 111.32)[1]
    assert east == pytest.approx(north, rel=0.01)


def test_what_is_outside_or_has_no_position_is_counted_not_drawn() -> None:
    drawing = draw_map(LAMENTIN, [thing(1, LAMENTIN.centre), thing(2, (2.3, 48.8)), thing(3, None)])
    assert [marker.thing_id for marker in drawing.markers] == [1]
    assert (drawing.outside, drawing.unplaced) == (1, 1)


@given(
    st.lists(
        st.tuples(st.floats(20, WIDTH - 20, allow_nan=False), st.floats(20, 300, allow_nan=False)),
        max_size=20,
    )
)
@settings(max_examples=60)
def test_markers_never_cover_one_another(spots: list[tuple[float, float]]) -> None:
    placed = spread(spots, WIDTH, 320.0)
    for index, spot in enumerate(placed):
        assert all(math.dist(spot, other) >= 2 * REACH - 1e-6 for other in placed[:index])


def test_things_at_one_place_are_tied_to_it() -> None:
    drawing = draw_map(LAMENTIN, [thing(1, LAMENTIN.centre), thing(2, LAMENTIN.centre)])
    assert [marker.is_moved for marker in drawing.markers] == [False, True]
    assert drawing.markers[1].true_x == drawing.markers[0].x


def test_a_thing_without_datastream_is_in_doubt() -> None:
    assert draw_map(LAMENTIN, [thing(1, LAMENTIN.centre)]).markers[0].state == "silent"


def test_a_crowd_is_drawn_as_bare_dots() -> None:
    many = [thing(number, LAMENTIN.centre) for number in range(1, MOST_NUMBERED + 2)]
    assert not draw_map(LAMENTIN, many).is_numbered
