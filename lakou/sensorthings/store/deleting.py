"""Deletion: a tombstone that every read honours at once, and the purge of what lies under it in small slices.

A tombstone is the scope DELETED, which no reader has. Observations of a deleted Datastream are therefore gone
with it; their rows are purged by and by (DESIGN §4 rule 7). Cascades: 18-088 §10.4.
"""

from __future__ import annotations

from lakou.kernel.errors import Forbidden
from lakou.sensorthings.access import DELETED, Changes, Principal
from lakou.sensorthings.model import (
    FEATURE,
    HISTORICAL_LOCATION,
    LOCATION,
    OBSERVATION,
    THING,
    EntityType,
)
from lakou.sensorthings.store import acting
from lakou.sensorthings.store.corrections import forget_pair
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, Place
from lakou.sensorthings.store.entities import STREAMS, own
from lakou.sensorthings.store.session import Session

FEATURE_ID = OBSERVATION_COLUMNS.index("feature_id")
SLICE = 1_000
"""Observations removed in one commit."""


def delete(session: Session, principal: Principal, type_: EntityType, id_: int) -> bool:
    """Delete one entity and what hangs on it. False when a slice was done and more is left: call again."""
    own(session, principal, type_, id_)
    session.entities_change()
    if principal.changes is not Changes.ALL or principal.reads is not None:
        _check_cascade(session, principal, type_, id_)
    if type_ is OBSERVATION:
        acting.deleted(session, principal, type_, id_)
        observations(session, [id_])
        return True
    if type_ is FEATURE and not _empty_feature(session, id_):
        return False
    acting.deleted(session, principal, type_, id_)
    _bury(session, type_, id_)
    return True


_BEHIND = {
    "Sensor": "select owner_id, scope_id from datastream where scope_id >= 0 and sensor_id = ?",
    "ObservedProperty": (
        "select d.owner_id, d.scope_id from datastream d where d.scope_id >= 0"
        " and (d.observed_property_id = ?1 or d.id in"
        " (select datastream_id from datastream_observed_property where observed_property_id = ?1))"
    ),
    "FeatureOfInterest": (
        "select d.owner_id, d.scope_id from feature_datastream fd join datastream d on d.id = fd.datastream_id"
        " where d.scope_id >= 0 and fd.feature_id = ?"
    ),
    "Location": (
        "select h.owner_id, h.scope_id from historical_location_location l join historical_location h"
        " on h.id = l.historical_location_id where h.scope_id >= 0 and l.location_id = ?"
    ),
    "Thing": "select owner_id, scope_id from datastream where scope_id >= 0 and thing_id = ?",
}


def _check_cascade(session: Session, principal: Principal, type_: EntityType, id_: int) -> None:
    """Nobody deletes what they may not see or change, also not by deleting what it hangs on."""
    query = _BEHIND.get(type_.name)
    if query is None:
        return
    values = (id_,) if "?1" not in query else (id_, id_)
    behind = session.tx.rows(query.replace("?1", "?"), values)
    if any(not (principal.may_see(scope) and principal.may_change(owner)) for owner, scope in behind):
        raise Forbidden(f"Others depend on this {type_.name}", hint="An administrator may delete it.", code="in_use")


def observations(session: Session, ids: list[int]) -> None:
    """Delete Observations by id, with the traces of their identity."""
    tx = session.tx
    touched: set[tuple[int, int]] = set()
    places: list[Place] = []
    for id_ in ids:
        row = tx.find_observation(id_)
        if row is None:
            continue
        places.append((row[0], row[1], id_))
        tx.rows("delete from moved_identity where observation_id = ?", (id_,))
        tx.rows("delete from observation_history where observation_id = ?", (id_,))
        touched.add((row[FEATURE_ID], row[0]))
        session.registry.streams.pop(row[0], None)
        session.record("delete", "Observation", id_)
    tx.remove_observations(places)
    session.touched = True
    for feature_id, datastream_id in touched:
        forget_pair(session, feature_id, datastream_id)


def _empty_feature(session: Session, id_: int) -> bool:
    """Remove a slice of a feature's Observations; True when none is left."""
    rows = session.tx.rows(
        "select o.id from feature_datastream fd join observation o on o.datastream_id = fd.datastream_id"
        " where fd.feature_id = ? and o.feature_id = ? limit ?",
        (id_, id_, SLICE + 1),
    )
    observations(session, [r[0] for r in rows[:SLICE]])
    return len(rows) <= SLICE


def _bury(session: Session, type_: EntityType, id_: int) -> None:
    tx = session.tx
    if type_ is THING:
        _bury_streams(session, "thing_id = ?", id_)
        _bury_history(session, "select id from historical_location where thing_id = ? and scope_id >= 0", id_)
        tx.rows("delete from thing_location where thing_id = ?", (id_,))
    elif type_ is LOCATION:
        query = (
            "select h.id from historical_location_location l join historical_location h"
            " on h.id = l.historical_location_id where l.location_id = ? and h.scope_id >= 0"
        )
        _bury_history(session, query, id_)
        tx.rows("delete from thing_location where location_id = ?", (id_,))
    elif type_.name == "Sensor":
        _bury_streams(session, "sensor_id = ?", id_)
    elif type_.name == "ObservedProperty":
        _bury_streams(session, "observed_property_id = ?", id_)
        _bury_streams(
            session,
            "id in (select datastream_id from datastream_observed_property where observed_property_id = ?)",
            id_,
        )
    if type_ in STREAMS:
        _bury_streams(session, "id = ?", id_)
        return
    if type_ is HISTORICAL_LOCATION:
        tx.rows("delete from historical_location_location where historical_location_id = ?", (id_,))
    tx.update(type_.table, id_, {"scope_id": DELETED})
    _remember(session, type_.table, id_)
    session.record("delete", type_.name, id_)


def _bury_streams(session: Session, where: str, id_: int) -> None:
    rows = session.tx.rows(f"select id, multi from datastream where scope_id >= 0 and {where}", (id_,))  # noqa: S608
    for stream_id, multi in rows:
        session.tx.update("datastream", stream_id, {"scope_id": DELETED})
        session.tx.rows("delete from feature_datastream where datastream_id = ?", (stream_id,))
        session.registry.streams.pop(stream_id, None)
        _remember(session, "datastream", stream_id)
        session.record("delete", "MultiDatastream" if multi else "Datastream", stream_id)
    session.registry.pairs.clear()


def _bury_history(session: Session, query: str, id_: int) -> None:
    for (history_id,) in session.tx.rows(query, (id_,)):
        session.tx.rows("delete from historical_location_location where historical_location_id = ?", (history_id,))
        session.tx.update("historical_location", history_id, {"scope_id": DELETED})
        _remember(session, "historical_location", history_id)
        session.record("delete", "HistoricalLocation", history_id)


def _remember(session: Session, table: str, id_: int) -> None:
    session.tx.rows("insert into purge (kind, id) values (?, ?) on conflict do nothing", (table, id_))


def purge(session: Session, limit: int = SLICE) -> bool:
    """Remove a slice of what is deleted; True when there is more to do."""
    tx = session.tx
    row = session.one("select kind, id from purge order by kind, id limit 1")
    if row is None:
        return False
    kind, id_ = row
    if kind == "datastream":
        gone = tx.rows(
            "select datastream_id, time_start, id from observation where datastream_id = ? limit ?", (id_, limit)
        )
        tx.remove_observations([(row[0], row[1], row[2]) for row in gone])
        if len(gone) == limit:
            return True
        tx.rows("delete from moved_identity where datastream_id = ?", (id_,))
        tx.rows("delete from datastream_observed_property where datastream_id = ?", (id_,))
        tx.rows("delete from feature_datastream where datastream_id = ?", (id_,))
    elif kind in ("location", "feature"):
        tx.set_geometry(kind, id_, None, None)
    tx.rows(f"delete from {kind} where id = ? and scope_id = ?", (id_, DELETED))  # noqa: S608  kinds are table names
    tx.rows("delete from purge where kind = ? and id = ?", (kind, id_))
    return session.one("select 1 from purge limit 1") is not None
