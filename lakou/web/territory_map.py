"""The territory's points as a plain map: pure geometry, from a profile and Things to strings for an SVG template.

The projection is equirectangular, true at the middle latitude: exact enough over one commune. Markers that
would cover one another are moved apart and tied to their true place by a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lakou.territory.profile import Profile
from lakou.web.freshness import SHAPES, WORDS, State
from lakou.web.queries import ThingState

WIDTH = 320.0
# Half of the least distance between two markers: two targets of 24 px and more on a phone (WCAG 2.2, 2.5.8).
REACH = 14.0
# Above this the map shows bare dots; the list beside it carries the names and links.
MOST_NUMBERED = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline as an SVG path."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Text:
    """A place name at its point."""

    kind: str
    name: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Marker:
    """One Thing: drawn at (x, y), truly at (true_x, true_y); `is_moved` when these differ."""

    thing_id: int
    number: int
    name: str
    state: State
    x: str
    y: str
    true_x: str
    true_y: str
    is_moved: bool

    @property
    def is_fresh(self) -> bool:
        return self.state == "fresh"

    @property
    def legend(self) -> str:
        """What the marker says in words."""
        return f"{self.number}, {self.name} : {WORDS[self.state]}"

    @property
    def shape(self) -> str:
        return SHAPES[self.state]


@dataclass(frozen=True, slots=True)
class MapDrawing:
    """The map: its size in user units, bounds in degrees, shapes, names and markers.

    `outside` Things lie beyond the bounds, `unplaced` ones have no position; both stand in the list only.
    """

    width: str
    height: str
    bounds: str
    shapes: tuple[Shape, ...]
    texts: tuple[Text, ...]
    markers: tuple[Marker, ...]
    outside: int
    unplaced: int

    @property
    def is_numbered(self) -> bool:
        return len(self.markers) <= MOST_NUMBERED


@dataclass(frozen=True, slots=True)
class Projection:
    """Degrees to user units: x to the right, y down, (0, 0) at the north-west corner."""

    west: float
    north: float
    units_a_degree_east: float
    units_a_degree_north: float
    height: float

    def point(self, longitude_deg: float, latitude_deg: float) -> tuple[float, float]:
        """Where a position falls on the drawing."""
        return (
            (longitude_deg - self.west) * self.units_a_degree_east,
            (self.north - latitude_deg) * self.units_a_degree_north,
        )


def project(profile: Profile) -> Projection:
    """The projection of a profile's bounds on a drawing `WIDTH` units wide."""
    west, south, east, north = profile.bounds
    scale_east = WIDTH / (east - west)
    scale_north = scale_east / math.cos(math.radians((south + north) / 2.0))
    return Projection(west, north, scale_east, scale_north, (north - south) * scale_north)


def draw_map(profile: Profile, things: Sequence[ThingState]) -> MapDrawing:
    """The drawing of a profile with its Things."""
    projection = project(profile)
    inside: list[tuple[ThingState, tuple[float, float]]] = []
    outside = unplaced = 0
    for thing in things:
        if thing.position is None:
            unplaced += 1
            continue
        x, y = projection.point(*thing.position)
        if 0.0 <= x <= WIDTH and 0.0 <= y <= projection.height:
            inside.append((thing, (x, y)))
        else:
            outside += 1
    spots = [spot for _, spot in inside]
    if len(inside) <= MOST_NUMBERED:
        spots = spread(spots, WIDTH, projection.height)
    markers = [_marker(thing, true, spot) for (thing, true), spot in zip(inside, spots, strict=True)]
    return MapDrawing(
        width=short(WIDTH),
        height=short(projection.height),
        bounds=",".join(str(edge) for edge in profile.bounds),
        shapes=shapes_of(profile, projection),
        texts=texts_of(profile, projection),
        markers=tuple(markers),
        outside=outside,
        unplaced=unplaced,
    )


def shapes_of(profile: Profile, projection: Projection) -> tuple[Shape, ...]:
    """The profile's outlines as paths."""
    return tuple(
        Shape(outline.kind, outline.name, _path(projection, outline.points, closed=outline.kind != "river"))
        for outline in profile.outline
    )


def texts_of(profile: Profile, projection: Projection) -> tuple[Text, ...]:
    """The profile's names of places at their points."""
    return tuple(
        Text(label.kind, label.name, *(short(at) for at in projection.point(*label.at))) for label in profile.label
    )


def spread(spots: Sequence[tuple[float, float]], width: float, height: float) -> list[tuple[float, float]]:
    """Each spot, or the nearest free one on rings round it: two `REACH` from those before it, inside the drawing.

    A spot for which no ring has room stays where it is.
    """
    placed: list[tuple[float, float]] = []
    for spot in spots:
        free = (
            at
            for at in _rings(spot)
            if REACH <= at[0] <= width - REACH
            and REACH <= at[1] <= height - REACH
            and all(math.dist(at, other) >= 2.0 * REACH for other in placed)
        )
        placed.append(next(free, spot))
    return placed


def _rings(centre: tuple[float, float]) -> Iterator[tuple[float, float]]:
    yield centre
    for ring in range(1, 16):
        radius = ring * REACH / 2.0
        for step in range(8 + 2 * ring):
            angle = 2.0 * math.pi * step / (8 + 2 * ring)
            yield centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)


def _marker(thing: ThingState, true: tuple[float, float], spot: tuple[float, float]) -> Marker:
    return Marker(
        thing_id=thing.id,
        number=thing.number,
        name=thing.name,
        state=thing.state,
        x=short(spot[0]),
        y=short(spot[1]),
        true_x=short(true[0]),
        true_y=short(true[1]),
        is_moved=math.dist(spot, true) > 1.0,
    )


def _path(projection: Projection, points: Iterable[tuple[float, float]], *, closed: bool) -> str:
    steps = [" ".join(short(at) for at in projection.point(*point)) for point in points]
    return "M" + "L".join(steps) + ("Z" if closed else "")


def short(value: float) -> str:
    """A length on the drawing, to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")
