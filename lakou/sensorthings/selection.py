"""What a client of the event stream listens to: the query string as a value that is matched against events.

`datastream`, `thing`, `property` are ids, `area` a box in WGS 84; together they are AND. Every hop is subject to
rights (DESIGN §4 rule 9): a Thing, property or place that the client may not see selects nothing.
"""

from __future__ import annotations

import math
from urllib.parse import parse_qsl

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.store.details import Box, Detail, Place

Reads = frozenset[int] | None
"""The scopes that somebody sees; None for all of them."""
MAX_IDS = 1_000
_IDS = ("datastream", "thing", "property")
KNOWN = (*_IDS, "area", "after")


class Selection(msgspec.Struct, frozen=True):
    """None for a part that selects everything. `area` holds one box, or two on either side of the antimeridian."""

    datastreams: frozenset[int] | None = None
    things: frozenset[int] | None = None
    properties: frozenset[int] | None = None
    area: tuple[Box, ...] | None = None

    def takes(self, stream_id: int, detail: Detail, places: tuple[Place, ...], reads: Reads) -> bool:
        """Whether Observations of this Datastream at these places are wanted by one who sees the scopes `reads`.

        `places` are the feature's, then those of the Thing's Locations: the first kind that can be seen counts.
        """
        if self.datastreams is not None and stream_id not in self.datastreams:
            return False
        if self.things is not None and not (detail.thing_id in self.things and is_visible(reads, detail.thing_scope)):
            return False
        if self.properties is not None and not any(
            id_ in self.properties and is_visible(reads, scope) for id_, scope in detail.properties
        ):
            return False
        return self.area is None or self._holds(places, reads)

    def _holds(self, places: tuple[Place, ...], reads: Reads) -> bool:
        seen = [place for place in places if is_visible(reads, place.scope)]
        of_feature = [place for place in seen if place.is_feature]
        return any(meets(place.box, box) for place in of_feature or seen for box in self.area or ())


def is_visible(reads: Reads, scope: int) -> bool:
    """Whether one who sees the scopes `reads` may know of an entity; deleted ones have a negative scope."""
    return scope >= 0 and (reads is None or scope in reads)


def meets(one: Box, other: Box) -> bool:
    """Whether two boxes touch or overlap."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def selected(query: str) -> tuple[Selection, str | None]:
    """The selection of a query string, and the event id after which to begin (`after`). Raises BadRequest."""
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise BadRequest("Too many parameters", place="query", hint="datastream=1,2") from None
    for name, value in pairs:
        if name not in KNOWN:
            raise BadRequest(f"'{name[:40]}' is not known here", place="query", hint="known ones: " + ", ".join(KNOWN))
        if name in found:
            raise BadRequest(f"'{name}' is given twice", place=name, hint=f"separate several by commas: {name}=1,2")
        found[name] = value
    ids = {name: _ids(name, found[name]) for name in _IDS if name in found}
    area = _area(found["area"]) if "area" in found else None
    return Selection(ids.get("datastream"), ids.get("thing"), ids.get("property"), area), found.get("after")


def _ids(name: str, value: str) -> frozenset[int]:
    ids = value.split(",")
    if len(ids) > MAX_IDS:
        raise BadRequest(f"More than {MAX_IDS} ids", place=name, hint="Select by thing, property or area.")
    if not all(i.isascii() and i.isdigit() and len(i) < 19 for i in ids):
        raise BadRequest("Ids are whole numbers, separated by commas", place=name, hint=f"{name}=1,2")
    return frozenset(int(i) for i in ids)


def _area(value: str) -> tuple[Box, ...]:
    parts = value.split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise BadRequest("An area is four numbers", place="area", hint="area=west,south,east,north in degrees")
    west, south, east, north = numbers
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise BadRequest(
            "An area lies within 180 degrees of longitude and 90 of latitude, south below north",
            place="area",
            hint="area=-61.3,14.3,-60.8,14.9; with west above east it crosses the antimeridian",
        )
    if west <= east:
        return ((west, south, east, north),)
    return ((west, south, 180.0, north), (-180.0, south, east, north))
