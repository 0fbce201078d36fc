"""Places on the schematic map: pure geometry, from a profile and places to strings for an SVG template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lakou.territory.profile import Profile
from lakou.web.territory_map import WIDTH, Shape, Text, project, shapes_of, short, spread, texts_of


@dataclass(frozen=True, slots=True)
class Spot:
    """What is drawn: a number, what it is called, and where it is (longitude, latitude), None when unknown."""

    key: int
    number: int
    legend: str
    position: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A spot on the drawing, tied to its true place when it had to be moved aside."""

    key: int
    number: int
    legend: str
    x: str
    y: str
    true_x: str
    true_y: str
    is_moved: bool


@dataclass(frozen=True, slots=True)
class PlacesMap:
    """The map: its size in user units, shapes, names and marks; how many lie outside it or have no position."""

    width: str
    height: str
    shapes: tuple[Shape, ...]
    texts: tuple[Text, ...]
    marks: tuple[Mark, ...]
    outside: int
    unplaced: int


def draw_places(profile: Profile, spots: Sequence[Spot]) -> PlacesMap:
    """The drawing of a profile with places."""
    projection = project(profile)
    inside: list[tuple[Spot, tuple[float, float]]] = []
    outside = 0
    for spot in spots:
        if spot.position is None:
            continue
        x, y = projection.point(*spot.position)
        if 0.0 <= x <= WIDTH and 0.0 <= y <= projection.height:
            inside.append((spot, (x, y)))
        else:
            outside += 1
    moved = spread([at for _, at in inside], WIDTH, projection.height)
    marks = tuple(
        Mark(
            spot.key, spot.number, spot.legend, short(at[0]), short(at[1]), short(true[0]), short(true[1]),
            is_moved=math.dist(at, true) > 1.0,
        )
        for (spot, true), at in zip(inside, moved, strict=True)
    )  # fmt: skip
    return PlacesMap(
        width=short(WIDTH),
        height=short(projection.height),
        shapes=shapes_of(profile, projection),
        texts=texts_of(profile, projection),
        marks=marks,
        outside=outside,
        unplaced=sum(1 for spot in spots if spot.position is None),
    )
