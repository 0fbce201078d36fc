"""Puts a Reading into the SensorThings service: entities by key, then Observations as `CreateObservations`.

Delivering twice changes nothing: every Observation has an explicit phenomenonTime, so the store recognises it
(DESIGN §4 rule 6; OGC 18-088 §13). Returns only after the service has committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from lakou.connectors.entities import Entities, error_of
from lakou.connectors.reading import Json, Observation, Reading
from lakou.identity.scopes import UNCLAIMED
from lakou.kernel.errors import LakouError, NotFound
from lakou.kernel.jsontext import decode, encode
from lakou.kernel.time import format_instant
from lakou.sensorthings.access import Principal

ROWS_A_REQUEST = 1000
MAX_NOTES = 20

_Group = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """`observations` are in the store now (some may have been there before), `refused` are not."""

    observations: int = 0
    refused: int = 0
    created: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(
            self.observations + other.observations,
            self.refused + other.refused,
            self.created + other.created,
            (*self.notes, *other.notes)[:MAX_NOTES],
        )


async def deliver(entities: Entities, principal: Principal, reading: Reading) -> Delivered:
    """Bring all of `reading` into the store as `principal`.

    Raises what the service answers (Forbidden, Unavailable …). A single Observation that the store refuses is
    counted, its reason is in the notes; when all are refused the reason is raised.
    """
    principal = _receiver(principal)
    before = entities.created
    rows = await _rows(entities, principal, reading)
    try:
        refused = await _send(entities, principal, rows)
    except NotFound:
        refused = rows
    if refused:
        # Something remembered may be gone: look everything up again, once. What went through is recognised.
        entities.forget(principal, reading.things, reading.features)
        rows = await _rows(entities, principal, reading)
        refused = await _send(entities, principal, rows)
    notes = reading.notes
    if refused:
        reason = await _reason(entities, principal, refused[0])
        if reason is None:
            refused = refused[1:]
        elif len(refused) == len(rows):
            raise reason
        else:
            notes = (*notes, f"{len(refused)} observations refused: {reason.message}")
    return Delivered(len(rows) - len(refused), len(refused), entities.created - before, notes[:MAX_NOTES])


def _receiver(principal: Principal) -> Principal:
    """The same principal, who sees unclaimed Things and puts what is restricted among them."""
    reads = None if principal.reads is None else principal.reads | {UNCLAIMED}
    return msgspec.structs.replace(principal, reads=reads, home=UNCLAIMED)


@dataclass(frozen=True, slots=True)
class _Row:
    datastream: int
    members: dict[str, Json]


async def _rows(entities: Entities, principal: Principal, reading: Reading) -> list[_Row]:
    """Every Observation with the id of its Datastream and its members as they are sent."""
    streams: dict[str, tuple[int, int | None]] = {}
    needs_place = any(observation.feature_of_interest is None for observation in reading.observations)
    for thing in reading.things:
        known = await entities.thing(principal, thing, needs_place=needs_place)
        for stream in thing.datastreams:
            streams[stream.key] = (known.datastreams[stream.key], None if known.located else known.place)
    used = {observation.feature_of_interest for observation in reading.observations}
    features = {
        feature.key: await entities.feature(principal, feature) for feature in reading.features if feature.key in used
    }
    return [_row(observation, streams, features) for observation in reading.observations]


def _row(observation: Observation, streams: dict[str, tuple[int, int | None]], features: dict[str, int]) -> _Row:
    datastream, place = streams[observation.datastream]
    named = observation.feature_of_interest
    feature = place if named is None else features[named]
    members: dict[str, Json] = {
        "phenomenonTime": format_instant(observation.phenomenon_time),
        "result": observation.result,
    }
    if observation.result_time is not None:
        members["resultTime"] = format_instant(observation.result_time)
    if observation.parameters:
        members["parameters"] = observation.parameters
    if feature is not None:
        members["FeatureOfInterest/id"] = feature
    return _Row(datastream, members)


async def _send(entities: Entities, principal: Principal, rows: list[_Row]) -> list[_Row]:
    """Send all rows; those that the service answers with `error` come back. Raises for a refused request."""
    refused: list[_Row] = []
    for part in _parts(rows, ROWS_A_REQUEST):
        body, order = _create_observations(part)
        answer = await entities.service.call(principal, "POST", "/CreateObservations", body)
        if answer.status >= 400:
            raise error_of(answer)
        for row, said in zip(order, decode(answer.body), strict=True):
            if not isinstance(said, str) or said.startswith("error"):
                refused.append(row)
    return refused


def _parts(rows: list[_Row], size: int) -> Iterator[list[_Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _create_observations(rows: Iterable[_Row]) -> tuple[bytes, list[_Row]]:
    """The body of `CreateObservations`, and the rows in the order in which it holds them.

    Rows share a group only when they have the same members: a null in place of an absent member would be
    another Observation.
    """
    groups: dict[_Group, list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.datastream, tuple(row.members)), []).append(row)
    body = [
        {
            "Datastream": {"@iot.id": datastream},
            "components": components,
            "dataArray@iot.count": len(group),
            "dataArray": [list(row.members.values()) for row in group],
        }
        for (datastream, components), group in groups.items()
    ]
    return encode(body), [row for group in groups.values() for row in group]


async def _reason(entities: Entities, principal: Principal, row: _Row) -> LakouError | None:
    """Why a row is refused: `CreateObservations` does not say, a single POST does. None when it is now accepted."""
    members = {name: value for name, value in row.members.items() if name != "FeatureOfInterest/id"}
    if "FeatureOfInterest/id" in row.members:
        members["FeatureOfInterest"] = {"@iot.id": row.members["FeatureOfInterest/id"]}
    target = f"/Datastreams({row.datastream})/Observations"
    answer = await entities.service.call(principal, "POST", target, encode(members))
    return error_of(answer) if answer.status >= 400 else None
