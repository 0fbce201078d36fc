"""Changes to what is stored: corrected Observations, visibility, and the lists of a MultiDatastream.

An Observation keeps the identity it was created with: a replay of the first message finds it even after a
correction of its time (DESIGN §4 rule 6).
"""

from __future__ import annotations

from typing import Any

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest, NotFound
from lakou.sensorthings import payload
from lakou.sensorthings.access import PUBLIC, Principal
from lakou.sensorthings.model import DATASTREAM, FEATURE, LOCATION, MULTI_DATASTREAM, THING, EntityType
from lakou.sensorthings.payload import Ref, Tree
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.observing import writable_stream
from lakou.sensorthings.store.session import Session


def correct(session: Session, principal: Principal, id_: int, tree: Tree) -> None:
    """Apply a checked change to an Observation; the caller has checked the right to change it."""
    row = session.tx.find_observation(id_)
    if row is None:
        raise NotFound(f"There is no Observation with id {id_}")
    before = dict(zip(OBSERVATION_COLUMNS, row, strict=True))
    after = before | {c: v for c, v in tree.columns.items() if c in before}
    for name, targets in tree.links.items():
        target = targets[0]
        assert isinstance(target, Ref)  # noqa: S101  payload.changes refuses trees
        if name == "FeatureOfInterest":
            feature = session.one("select scope_id from feature where id = ?", (target.id,))
            if feature is None or not principal.may_see(feature[0]):
                raise NotFound(f"There is no FeatureOfInterest with id {target.id}", place=target.place)
            after["feature_id"] = target.id
        else:
            multi = name == "MultiDatastream"
            present = session.stream(before["datastream_id"])
            if present is not None and bool(present.members) != multi:
                raise BadRequest("An Observation stays with its kind of Datastream", place=target.place, code="link")
            writable_stream(session, principal, target.id, multi=multi, place=tree.place)
            after["datastream_id"] = target.id
    stream = session.stream(after["datastream_id"])
    if stream is not None and stream.members and "result_type" in tree.columns:
        _check_result(after, stream.members)
    _replace(session, before, after)
    session.record("update", "Observation", id_)


def _check_result(after: dict[str, Any], members: int) -> None:
    values = None if after["result_json"] is None else jsontext.decode(after["result_json"])
    if not isinstance(values, list) or len(values) != members:
        raise BadRequest(f"The result is an array of {members} values", place="/result", code="multi_datastream")


def _replace(session: Session, before: dict[str, Any], after: dict[str, Any]) -> None:
    tx = session.tx
    key = ("datastream_id", "time_start")
    if any(before[k] != after[k] for k in key):
        if before["digest"] is not None:
            tx.rows(
                "insert into moved_identity (datastream_id, time_start, digest, observation_id) values (?, ?, ?, ?)"
                " on conflict do nothing",
                (before["datastream_id"], Micros(before["time_start"]), before["digest"], before["id"]),
            )
        after["digest"] = None
        session.entities_change()
        session.registry.streams.pop(before["datastream_id"], None)
        session.registry.streams.pop(after["datastream_id"], None)
    tx.change_observation(before, after)
    tx.rows(
        "insert into feature_datastream (feature_id, datastream_id) values (?, ?) on conflict do nothing",
        (after["feature_id"], after["datastream_id"]),
    )
    forget_pair(session, before["feature_id"], before["datastream_id"])


def forget_pair(session: Session, feature_id: int, datastream_id: int) -> None:
    """Drop the pair of a feature and a Datastream when no Observation holds it any more."""
    left = session.one(
        "select 1 from observation where datastream_id = ? and feature_id = ? limit 1", (datastream_id, feature_id)
    )
    if left is None:
        session.tx.rows(
            "delete from feature_datastream where feature_id = ? and datastream_id = ?", (feature_id, datastream_id)
        )
        session.registry.pairs.discard((feature_id, datastream_id))


def check_multi_change(session: Session, id_: int, values: dict[str, Any], properties: int | None) -> None:
    """After a change the three lists of a MultiDatastream still have one length, that of its stored results.

    `properties` is the number of ObservedProperties that replace the present ones, None when they stay.
    """
    row = session.one(
        "select multi_observation_data_types, unit_of_measurements,"
        " (select count(*) from datastream_observed_property p where p.datastream_id = d.id)"
        " from datastream d where id = ?",
        (id_,),
    )
    if row is not None:
        merged = {"multi_observation_data_types": row[0], "unit_of_measurements": row[1]} | values
        payload.check_multi(merged, row[2] if properties is None else properties, "")
        if properties not in (None, row[2]) and session.one(
            "select 1 from observation where datastream_id = ? limit 1", (id_,)
        ):
            raise BadRequest(
                f"Its Observations have {row[2]} values each", place="/ObservedProperties", code="multi_datastream"
            )


def set_visibility(session: Session, type_: EntityType, id_: int, before: int, after: int) -> None:
    """Give an entity another scope, and with a Thing all that has its scope from it."""
    tx = session.tx
    if type_ is THING:
        tx.rows("update thing set scope_id = ? where id = ?", (after, id_))
        for table in ("datastream", "historical_location"):
            tx.rows(
                f"update {table} set scope_id = ? where thing_id = ? and scope_id = ?",  # noqa: S608  fixed names
                (after, id_, before),
            )
        tx.rows(
            "update location set scope_id = ? where scope_id = ? and id in"
            " (select location_id from thing_location where thing_id = ?) and not exists"
            " (select 1 from thing_location o where o.location_id = location.id and o.thing_id <> ?)",
            (after, before, id_, id_),
        )
        tx.rows(
            "update feature set scope_id = ? where scope_id = ? and location_id in"
            " (select location_id from thing_location where thing_id = ?) and not exists"
            " (select 1 from feature_datastream fd join datastream d on d.id = fd.datastream_id"
            " where fd.feature_id = feature.id and d.scope_id <> ?)",
            (after, before, id_, after),
        )
    elif type_ in (DATASTREAM, MULTI_DATASTREAM):
        parent = session.one(
            "select t.scope_id from datastream d join thing t on t.id = d.thing_id where d.id = ?", (id_,)
        )
        if parent is not None and parent[0] != PUBLIC and after == PUBLIC:
            raise BadRequest("The Thing is restricted", place=f"/{payload.VISIBILITY}", code="visibility")
        tx.rows("update datastream set scope_id = ? where id = ?", (after, id_))
    elif type_ in (LOCATION, FEATURE) or type_.scoped:
        tx.update(type_.table, id_, {"scope_id": after})
