"""What the event stream needs to know of Datastreams and places beside the Observation itself.

Read in one or two statements for all that are missing, off the loop, and kept until an entity changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from lakou.sensorthings.access import DELETED
from lakou.sensorthings.store.database import Rows
from lakou.sensorthings.store.session import Changed

Box = tuple[float, float, float, float]
"""West, south, east, north."""
KEPT = 50_000


class Detail(msgspec.Struct, frozen=True):
    """Of a Datastream: its Thing with its scope, and the (id, scope) of the properties it observes."""

    thing_id: int
    thing_scope: int
    properties: tuple[tuple[int, int], ...]


class Place(msgspec.Struct, frozen=True):
    """The box of a feature, or of a Location of the Thing, and the scope that may know of it."""

    scope: int
    box: Box
    is_feature: bool


NOTHING = Detail(0, DELETED, ())
"""Of a Datastream that is gone: unknown means no."""


class Details:
    """The memory of what was read. Any thread may read into it, one at a time."""

    def __init__(self) -> None:
        self.streams: dict[int, Detail] = {}
        self.places: dict[tuple[int, int], tuple[Place, ...]] = {}
        self.version = 0

    def note(self, changed: Iterable[Changed]) -> bool:
        """Forget what may have changed; True when something was forgotten."""
        if any(c.type != "Observation" and (c.verb, c.type) != ("create", "FeatureOfInterest") for c in changed):
            self.forget()
            return True
        return False

    def forget(self) -> None:
        self.version += 1
        self.streams, self.places = {}, {}

    def missing(
        self, streams: Iterable[int], places: Iterable[tuple[int, int]]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Which Datastreams and (feature, Thing) pairs are not known."""
        return [s for s in streams if s not in self.streams], [p for p in places if p not in self.places]

    def learn(self, streams: dict[int, Detail], places: dict[tuple[int, int], tuple[Place, ...]]) -> None:
        if len(self.streams) + len(self.places) > KEPT:
            self.forget()
        self.streams.update(streams)
        self.places.update(places)


def streams_of(rows: Rows, ids: list[int]) -> dict[int, Detail]:
    """Details of Datastreams; NOTHING for those that are not there."""
    if not ids:
        return {}
    within = rows.dialect.sets("d.id", "?")
    given = (rows.dialect.encode_set(ids),)
    things = rows.rows(
        "select d.id, d.thing_id, t.scope_id from datastream d join thing t on t.id = d.thing_id"  # noqa: S608
        " where d.scope_id >= 0 and " + within,
        given,
    )
    observed = rows.rows(
        "select d.id, p.id, p.scope_id from datastream d"  # noqa: S608
        " join observed_property p on p.id = d.observed_property_id"
        " where " + within,
        given,
    ) + rows.rows(
        "select d.datastream_id, p.id, p.scope_id from datastream_observed_property d"  # noqa: S608
        " join observed_property p on p.id = d.observed_property_id"
        " where " + rows.dialect.sets("d.datastream_id", "?"),
        given,
    )
    properties: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for id_, property_id, scope in observed:
        properties[id_].append((property_id, scope))
    found = {id_: Detail(thing_id, scope, tuple(properties[id_])) for id_, thing_id, scope in things}
    return {id_: found.get(id_, NOTHING) for id_ in ids}


def places_of(rows: Rows, pairs: list[tuple[int, int]]) -> dict[tuple[int, int], tuple[Place, ...]]:
    """Places of (feature, Thing) pairs: the feature's box, and those of the Thing's Locations."""
    if not pairs:
        return {}
    features: dict[int, list[Place]] = defaultdict(list)
    locations: dict[int, list[Place]] = defaultdict(list)
    corners = "min_x, min_y, max_x, max_y"
    if rows.dialect.name == "postgres":
        corners = "ST_XMin({0}), ST_YMin({0}), ST_XMax({0}), ST_YMax({0})"
    for id_, scope, *box in rows.rows(
        f"select f.id, f.scope_id, {corners.format('f.geometry')} from feature f"  # noqa: S608  fixed text
        f" where f.geometry is not null and {rows.dialect.sets('f.id', '?')}",
        (rows.dialect.encode_set(sorted({feature for feature, _ in pairs})),),
    ):
        _add(features[id_], scope, box, is_feature=True)
    for id_, scope, *box in rows.rows(
        f"select tl.thing_id, l.scope_id, {corners.format('l.geometry')} from thing_location tl"  # noqa: S608
        " join location l on l.id = tl.location_id"
        f" where l.geometry is not null and {rows.dialect.sets('tl.thing_id', '?')}",
        (rows.dialect.encode_set(sorted({thing for _, thing in pairs})),),
    ):
        _add(locations[id_], scope, box, is_feature=False)
    return {(f, t): (*features.get(f, ()), *locations.get(t, ())) for f, t in pairs}


def _add(places: list[Place], scope: int, box: list[float | None], *, is_feature: bool) -> None:
    west, south, east, north = box
    if west is not None and south is not None and east is not None and north is not None:
        places.append(Place(scope, (west, south, east, north), is_feature))
