"""Observations in a session: rights, replay, the feature of interest, and the row.

Source: 18-088 §8.2.7 (defaults), §10.2.2 (FeatureOfInterest made from the Thing's Location); replay is
DESIGN §4 rule 6: an equal Observation is the stored one.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from lakou.kernel import geometry, jsontext, time
from lakou.kernel.errors import BadRequest, Conflict, Forbidden, NotFound
from lakou.sensorthings.access import PUBLIC, Principal
from lakou.sensorthings.payload import Reading, Ref, Tree
from lakou.sensorthings.series import Series
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.registry import KEEP_ALL, Stream, current_location, shape_of
from lakou.sensorthings.store.session import ID, Session

DIGEST = OBSERVATION_COLUMNS.index("digest")
VALUE_COLUMNS = (
    "time_end", "result_time", "valid_start", "valid_end", "result_type", "result_number", "result_boolean",
    "result_text", "result_json", "result_quality", "parameters",
)  # fmt: skip


class Observation(msgspec.Struct, gc=False):
    """One Observation to be written: where it goes and what it says. `multi` as the sender named it."""

    stream_id: int
    multi: bool
    reading: Reading
    place: str = ""


def writable_stream(session: Session, principal: Principal, id_: int, *, multi: bool, place: str) -> Stream:
    """The stream, checked for existence, kind and rights. A scoped token writes to what it was given, seen or not."""
    stream = session.stream(id_)
    name = "MultiDatastream" if multi else "Datastream"
    given = stream is not None and principal.is_given(id_, stream.thing_id)
    if stream is None or bool(stream.members) != multi or not (given or principal.may_see(stream.scope_id)):
        raise NotFound(f"There is no {name} with id {id_}", place=f"{place}/{name}", code="not_found")
    if not (given or principal.may_change(stream.owner_id)):
        raise Forbidden(
            f"This token may not write to {name} {id_}",
            place=f"{place}/{name}",
            hint="A device writes only what it owns, a scoped token only to what it was given.",
        )
    return stream


def observe(session: Session, principal: Principal, item: Observation) -> int:
    """Write one Observation; its id (that of the stored one when it is a replay)."""
    stream = writable_stream(session, principal, item.stream_id, multi=item.multi, place=item.place)
    return place(session, principal, stream, item.reading, item.place)


def place(session: Session, principal: Principal, stream: Stream, reading: Reading, at: str = "") -> int:
    """Write one Observation of a stream that was checked; `at` is its place in the request."""
    if stream.members:
        _check_members(stream, reading, at)
    digest, start = reading.digest, reading.time_start
    if start <= stream.latest and digest is not None:
        before = _replayed(session, stream, reading)
        if before is None and stream.on_different != KEEP_ALL:
            before = _different(session, stream, reading, at)
        if before is not None:
            session.repeats += 1
            return before
    feature_id = stream.feature if reading.feature is None else None
    if feature_id is None:
        feature_id = _feature(session, principal, stream, reading, at)
    id_ = session.bare.take_id()
    session.pair(feature_id, stream.id)
    row = [
        stream.id, start, id_, reading.time_end, reading.result_time, reading.valid_start,
        reading.valid_end, reading.result_type, reading.result_number, reading.result_boolean, reading.result_text,
        reading.result_json, reading.result_quality, reading.parameters, feature_id, digest,
    ]  # fmt: skip
    session.gather(stream, row)
    if start > stream.latest:
        stream.latest = start
    if digest is not None:
        session.known[(stream.id, start, digest)] = id_
    return id_


def place_series(session: Session, principal: Principal, stream: Stream, series: Series) -> range | None:
    """Write a series that comes after all that its stream has, so that none of it is a replay; the new ids.

    None when it has to go row by row: it reaches back, or another process may have stored some of it.
    """
    if stream.members or series.times[0] <= stream.latest:
        return None
    if stream.feature is None:
        stream.feature = _generated(session, stream, "")
    session.pair(stream.feature, stream.id)
    ids = session.insert_series(stream, stream.feature, series)
    if ids is not None:
        stream.latest = series.times[-1]
    return ids


def _check_members(stream: Stream, reading: Reading, place: str) -> None:
    values = None if reading.result_json is None else jsontext.decode(reading.result_json)
    if not isinstance(values, list) or len(values) != stream.members:
        raise BadRequest(
            f"The result of MultiDatastream {stream.id} is an array of {stream.members} values",
            place=f"{place}/result",
            code="multi_datastream",
        )


# ── replay ──


def _replayed(session: Session, stream: Stream, reading: Reading) -> int | None:
    """The stored Observation that this one repeats, or None."""
    key = (stream.id, reading.time_start, reading.digest or 0)
    if key in session.known:
        return session.known[key]
    tx = session.bare
    if stream.is_resent or stream.on_different != KEEP_ALL or not tx.finds_repeats:
        for row in tx.observations_at(key[0], key[1]):
            if row[DIGEST] == key[2]:
                return int(row[ID])
    if not stream.has_moved:
        return None
    rows = tx.rows(
        "select observation_id from moved_identity where datastream_id = ? and time_start = ? and digest = ?",
        (key[0], Micros(key[1]), key[2]),
    )
    return int(rows[0][0]) if rows else None


def _different(session: Session, stream: Stream, reading: Reading, place: str) -> int | None:
    """Another value at the same time, by the Datastream's policy: refused, or put in place of the old one."""
    tx = session.tx
    rows = tx.observations_at(stream.id, reading.time_start)
    if not rows:
        return None
    before = dict(zip(OBSERVATION_COLUMNS, rows[0], strict=True))
    id_: int = before["id"]
    if stream.on_different == "reject":
        raise Conflict(
            f"Datastream {stream.id} already has another Observation at this time",
            place=f"{place}/phenomenonTime",
            code="different_value",
            hint=f"It is Observation {id_}; correct it with PATCH.",
        )
    body = jsontext.encode([before[c] for c in VALUE_COLUMNS]).decode()
    tx.rows(
        "insert into observation_history (observation_id, replaced_at, body) values (?, ?, ?) on conflict do nothing",
        (id_, Micros(time.now()), body),
    )
    if before["digest"] is not None:
        tx.rows(
            "insert into moved_identity (datastream_id, time_start, digest, observation_id) values (?, ?, ?, ?)"
            " on conflict do nothing",
            (stream.id, Micros(reading.time_start), before["digest"], id_),
        )
        stream.has_moved = True
    tx.change_observation(before, before | {c: getattr(reading, c) for c in (*VALUE_COLUMNS, "digest")})
    session.record("update", "Observation", id_)
    return id_


# ── features of interest ──


def _feature(session: Session, principal: Principal, stream: Stream, reading: Reading, place: str) -> int:
    sent = reading.feature
    if sent is None:
        if stream.feature is None:
            stream.feature = _generated(session, stream, place)
        return stream.feature
    if isinstance(sent, Ref):
        rows = session.bare.rows("select scope_id from feature where id = ?", (sent.id,))
        if not rows or not principal.may_see(rows[0][0]):
            raise NotFound(f"There is no FeatureOfInterest with id {sent.id}", place=sent.place)
        return sent.id
    return _inline(session, principal, stream, sent)


def _generated(session: Session, stream: Stream, place: str) -> int:
    """The one feature for (Location, scope, geometry), made when it is not there.

    It tells where the Location is, so that it is never open where the Location is restricted.
    """
    location = current_location(session.bare, stream.thing_id)
    if location is None:
        raise BadRequest(
            "The Thing has no Location to make a FeatureOfInterest from",
            place=f"{place}/FeatureOfInterest",
            code="feature_of_interest",
            hint="Send a FeatureOfInterest, or give the Thing a Location.",
        )
    id_, place_scope, name, description, encoding, text = location
    scope_id = place_scope if place_scope != PUBLIC else stream.scope_id
    digest = content_digest(text)
    rows = session.bare.rows(
        "select id from feature where location_id = ? and scope_id = ? and location_digest = ?",
        (id_, scope_id, digest),
    )
    if rows:
        return int(rows[0][0])
    session.entities_change()
    values = {
        "scope_id": scope_id, "owner_id": stream.owner_id, "name": name, "description": description,
        "encoding_type": encoding, "feature": text, "location_id": id_, "location_digest": digest,
    }  # fmt: skip
    made = session.bare.insert("feature", values)
    shape = geometry.from_geojson(value) if (value := shape_of(encoding, text)) is not None else None
    if shape is not None and not shape.is_empty:
        session.bare.set_geometry("feature", made, geometry.to_wkb(shape), geometry.bounds(shape))
    session.record("create", "FeatureOfInterest", made)
    return made


def _inline(session: Session, principal: Principal, stream: Stream, tree: Tree) -> int:
    session.entities_change()
    values = {**tree.columns, "scope_id": stream.scope_id, "owner_id": principal.id}
    made = session.bare.insert("feature", values)
    session.bare.set_geometry("feature", made, tree.geometry, tree.box)
    session.record("create", "FeatureOfInterest", made)
    return made


def content_digest(text: str) -> int:
    """64 bits that stand for a JSON content."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)
