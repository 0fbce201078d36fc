"""Places on the schematic map: inside, outside and unplaced ones are counted; marks never cover one another."""

from __future__ import annotations

import math

from lakou.territory.profile import load_profile
from lakou.web.places.drawing import Spot, draw_places
from lakou.web.territory_map import REACH

MARTINIQUE = load_profile("martinique")


def test_each_spot_is_drawn_counted_outside_or_unplaced() -> None:
    spots = [Spot(1, 1, "a", (-61.0, 14.6)), Spot(2, 2, "b", (2.35, 48.85)), Spot(3, 3, "c", None)]
    drawing = draw_places(MARTINIQUE, spots)
    assert [mark.key for mark in drawing.marks] == [1]
    assert (drawing.outside, drawing.unplaced) == (1, 1)


def test_marks_of_one_spot_are_moved_apart_and_tied_to_it() -> None:
    drawing = draw_places(MARTINIQUE, [Spot(key, key, "x", (-61.0, 14.6)) for key in range(1, 9)])
    spots = [(float(mark.x), float(mark.y)) for mark in drawing.marks]
    apart = [math.dist(one, other) for index, one in enumerate(spots) for other in spots[:index]]
    assert min(apart) >= 2 * REACH - 0.2
    assert [mark.is_moved for mark in drawing.marks] == [False] + [True] * 7


def test_an_empty_map_still_has_its_outline() -> None:
    drawing = draw_places(MARTINIQUE, [])
    assert drawing.marks == ()
    assert {shape.kind for shape in drawing.shapes} == {"land"}
