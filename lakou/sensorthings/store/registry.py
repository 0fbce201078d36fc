"""What the writer remembers of Datastreams, so that an Observation needs no query to be checked and placed.

Filled when first needed, forgotten when entities change (the epoch) or a transaction is undone.
"""

from __future__ import annotations

import msgspec

from lakou.kernel import jsontext
from lakou.sensorthings.access import DELETED
from lakou.sensorthings.payload import GEOJSON
from lakou.sensorthings.store.database import Rows, Transaction

NEVER = -(2**63)
KEEP_ALL = "keep-all"


class Stream(msgspec.Struct):
    """A Datastream as the writer knows it.

    `members` is the number of ObservedProperties of a MultiDatastream (0 for a Datastream). `latest` is the
    highest time seen: above it nothing can be a replay. `feature` is the generated FeatureOfInterest of the
    Thing's present Location, once known. `is_resent` when some of what came was stored already: what reaches back is
    then looked for before it is inserted.
    """

    id: int
    members: int
    thing_id: int
    scope_id: int
    owner_id: int
    on_different: str
    latest: int
    has_moved: bool
    feature: int | None = None
    is_resent: bool = False


class Registry:
    """Streams by id, known (feature, Datastream) pairs, and the epoch they are true for."""

    def __init__(self) -> None:
        self.epoch = -1
        self.streams: dict[int, Stream] = {}
        self.pairs: set[tuple[int, int]] = set()

    def forget(self) -> None:
        self.epoch = -1
        self.streams.clear()
        self.pairs.clear()

    def stream(self, tx: Transaction, id_: int) -> Stream | None:
        """The Datastream or MultiDatastream with this id, None when there is none."""
        found = self.streams.get(id_)
        if found is None:
            found = _load(tx, id_)
            if found is not None:
                self.streams[id_] = found
        return found


def _load(tx: Transaction, id_: int) -> Stream | None:
    rows = tx.rows(
        "select multi, thing_id, scope_id, owner_id, on_different,"
        " (select count(*) from datastream_observed_property p where p.datastream_id = d.id),"
        " (select max(m.time_start) from moved_identity m where m.datastream_id = d.id)"
        " from datastream d where d.id = ?",
        (id_,),
    )
    if not rows or rows[0][2] == DELETED:
        return None
    multi, thing_id, scope_id, owner_id, on_different, members, moved = rows[0]
    highest = max((t for t in (tx.latest_time(id_), moved) if t is not None), default=NEVER)
    return Stream(
        id_,
        members if multi else 0,
        thing_id,
        scope_id,
        owner_id,
        on_different or KEEP_ALL,
        highest,
        moved is not None,
    )


def known_streams(rows: Rows, ids: list[int]) -> dict[int, Stream]:
    """The Datastreams of these ids that are there, for readers: `latest` and what else only writing needs is left."""
    found = rows.rows(
        "select d.id, d.multi, d.thing_id, d.scope_id, d.owner_id, d.on_different,"  # noqa: S608
        " (select count(*) from datastream_observed_property p where p.datastream_id = d.id)"
        " from datastream d where d.scope_id >= 0 and " + rows.dialect.sets("d.id", "?"),
        (rows.dialect.encode_set(ids),),
    )
    return {
        id_: Stream(id_, members if multi else 0, thing_id, scope_id, owner_id, policy or KEEP_ALL, NEVER, False)
        for id_, multi, thing_id, scope_id, owner_id, policy, members in found
    }


def current_location(tx: Transaction, thing_id: int) -> tuple[int, int, str, str, str, str] | None:
    """(id, scope, name, description, encodingType, location JSON) of a Thing's Location, GeoJSON ones first."""
    rows = tx.rows(
        "select l.id, l.scope_id, l.name, l.description, l.encoding_type, l.location from thing_location tl"
        " join location l on l.id = tl.location_id where tl.thing_id = ? and l.scope_id >= 0 order by l.id",
        (thing_id,),
    )
    chosen = next((r for r in rows if r[4] in GEOJSON), rows[0] if rows else None)
    return None if chosen is None else (chosen[0], chosen[1], chosen[2], chosen[3], chosen[4], chosen[5])


def shape_of(encoding: str, location: str) -> object | None:
    """The GeoJSON value of a stored location, None for other encodings."""
    return jsontext.decode(location) if encoding in GEOJSON else None
