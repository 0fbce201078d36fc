"""Which changes of entities are acts that the journal is told of, and how they are said (`witness.py`).

A Thing or Datastream that a token makes is claimed by it; so is one of an unknown device once somebody takes the mark
`properties/lakou/claim` away. What the product itself makes, and what waits to be claimed, is nobody's claim.
"""

from __future__ import annotations

from typing import Any

from lakou.kernel import jsontext
from lakou.sensorthings import witness
from lakou.sensorthings.access import ADMIN, PUBLIC, UNCLAIMED, Principal
from lakou.sensorthings.model import DATASTREAM, MULTI_DATASTREAM, THING, EntityType
from lakou.sensorthings.payload import KEPT
from lakou.sensorthings.store.session import Session

WAITING = "unclaimed"
"""The value of `properties/lakou/claim` of a device that nobody has claimed."""
CLAIMED = (THING, DATASTREAM, MULTI_DATASTREAM)
_DAY_US = 86_400_000_000


def path(type_: EntityType, id_: int) -> str:
    """How an entity is named in the journal."""
    return f"{type_.plural}({id_})"


def created(
    session: Session, principal: Principal, type_: EntityType, id_: int, columns: dict[str, Any], scope: int
) -> None:
    """An entity was made."""
    if type_ not in CLAIMED:
        return
    if principal.id != ADMIN.id and scope != UNCLAIMED:
        session.note(witness.CLAIMED, principal, path(type_, id_), detail={"visibility": visibility(scope)})
    if type_ is not THING and any(columns.get(column) is not None for column in KEPT.values()):
        session.note(witness.RETENTION, principal, path(type_, id_), detail={"after": _kept(columns)})


def taken_over(session: Session, principal: Principal, id_: int, properties: str | None) -> None:
    """A Thing is about to get these properties: a claim when they no longer say that it waits for one."""
    row = session.one("select properties from thing where id = ?", (id_,))
    if row is not None and _waits(row[0]) and not _waits(properties):
        session.note(witness.CLAIMED, principal, path(THING, id_), detail={"before": WAITING})


def _waits(properties: str | None) -> bool:
    found = None if properties is None or WAITING not in properties else jsontext.decode(properties)
    own = found.get("lakou") if isinstance(found, dict) else None
    return isinstance(own, dict) and own.get("claim") == WAITING


def shown_or_hidden(
    session: Session, principal: Principal, type_: EntityType, id_: int, before: int, after: int
) -> None:
    """An entity is about to get another scope; of a Thing, what has its scope from it goes along."""
    if before == after:
        return
    counts = {}
    if type_ is THING:
        row = session.one("select count(*) from datastream where thing_id = ? and scope_id = ?", (id_, before))
        counts = {"datastreams": row[0] if row else 0}
    session.note(
        witness.VISIBILITY,
        principal,
        path(type_, id_),
        detail={"before": visibility(before), "after": visibility(after)},
        counts=counts,
    )


def visibility(scope: int) -> str:
    """A scope in words; restricted ones with their number."""
    return "public" if scope == PUBLIC else f"restricted:{scope}"


def kept_otherwise(
    session: Session, principal: Principal, type_: EntityType, id_: int, columns: dict[str, Any]
) -> None:
    """A Datastream is about to get these columns: an act when it keeps its Observations for another time."""
    if type_ not in (DATASTREAM, MULTI_DATASTREAM) or columns.keys().isdisjoint(KEPT.values()):
        return
    row = session.one("select keep_raw, keep_hourly, keep_daily from datastream where id = ?", (id_,))
    before = dict(zip(KEPT.values(), row or (), strict=False))
    after = before | {name: value for name, value in columns.items() if name in before}
    if before != after:
        detail = {"before": _kept(before), "after": _kept(after)}
        session.note(witness.RETENTION, principal, path(type_, id_), detail=detail)


def _kept(columns: dict[str, Any]) -> str:
    """What a Datastream says of its keeping, in days."""
    said = [
        f"{name} {columns[column] / _DAY_US:g} d" for name, column in KEPT.items() if columns.get(column) is not None
    ]
    return ", ".join(said) or "as the site"


def deleted(session: Session, principal: Principal, type_: EntityType, id_: int) -> None:
    """An entity is about to be deleted with what hangs on it; of an Observation its Datastream is named."""
    if type_.table == "observation":
        row = session.tx.find_observation(id_)
        if row is not None:
            stream = session.stream(row[0])
            subject = path(MULTI_DATASTREAM if stream is not None and stream.members else DATASTREAM, row[0])
            session.note(witness.DELETED, principal, subject, detail={"what": "Observations"}, counts={"deleted": 1})
        return
    session.note(witness.DELETED, principal, path(type_, id_), detail={"what": type_.plural}, counts={"deleted": 1})
