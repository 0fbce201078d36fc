"""Entities in a session: create with relations, change, link, unlink. All inside one savepoint of the caller.

Source: 18-088 §10.2 (create, deep insert, links), §10.3 (update), §8.2.3 (HistoricalLocations made by the
server when the Locations of a Thing change).
"""

from __future__ import annotations

from typing import Any

from lakou.kernel import time
from lakou.kernel.errors import BadRequest, Forbidden, NotFound
from lakou.sensorthings.access import PUBLIC, UNCLAIMED, Principal
from lakou.sensorthings.model import (
    DATASTREAM,
    HISTORICAL_LOCATION,
    LOCATION,
    MULTI_DATASTREAM,
    OBSERVATION,
    THING,
    EntityType,
    ForeignKey,
    Link,
    Reverse,
    Through,
)
from lakou.sensorthings.payload import Ref, Tree
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.store import acting, corrections
from lakou.sensorthings.store.observing import Observation, observe
from lakou.sensorthings.store.session import Session

STREAMS = (DATASTREAM, MULTI_DATASTREAM)
_CHANGED_BY_LINK = ("Thing", "HistoricalLocation", "MultiDatastream")
"""Types that a link table belongs to: linking to one of them changes it."""

Scoped = tuple[int, int]
"""(scope, owner) of a stored row."""


def create(session: Session, principal: Principal, tree: Tree, scope: int | None = None) -> int:
    """Store a tree with its relations; the new id. `scope` is inherited from the entity above, if any."""
    if tree.type is OBSERVATION:
        return _observation(session, principal, tree)
    if not principal.may_create:
        raise Forbidden(f"This token may not create a {tree.type.name}", hint="It only adds Observations.")
    session.entities_change()
    values = dict(tree.columns)
    if "time" in values:
        values["time"] = Micros.of(values["time"])
    inherited = scope
    for link in tree.type.links:
        if isinstance(link.by, ForeignKey) and link.name in tree.links:
            target = tree.links[link.name][0]
            if link.target == "Thing" and isinstance(target, Ref):
                inherited = _own(session, principal, THING, target)[0] or inherited
            values[link.by.column] = target
    chosen = _scope(principal, tree.visibility, inherited)
    for column, target in list(values.items()):
        if isinstance(target, Ref | Tree):
            values[column] = _resolve(session, principal, _link_of(tree.type, column), target, chosen)
    if tree.type in STREAMS:
        values["multi"] = int(tree.type is MULTI_DATASTREAM)
    id_ = session.tx.insert(tree.type.table, {**values, "scope_id": chosen, "owner_id": principal.id})
    if tree.geometry is not None:
        session.tx.set_geometry(tree.type.table, id_, tree.geometry, tree.box)
    session.record("create", tree.type.name, id_)
    acting.created(session, principal, tree.type, id_, tree.columns, chosen)
    _relate(session, principal, tree, id_, chosen)
    if tree.type is HISTORICAL_LOCATION:
        _move_if_newest(session, id_)
    return id_


def _link_of(type_: EntityType, column: str) -> Link:
    return next(link for link in type_.links if isinstance(link.by, ForeignKey) and link.by.column == column)


def _scope(principal: Principal, visibility: str | None, inherited: int | None) -> int:
    """What is under something restricted stays so; else the sender may restrict."""
    if inherited:
        return inherited
    if visibility == "restricted":
        return principal.home or UNCLAIMED
    return PUBLIC


def _observation(session: Session, principal: Principal, tree: Tree) -> int:
    streams = [(n, tree.links[n][0]) for n in ("Datastream", "MultiDatastream") if n in tree.links]
    if len(streams) != 1:
        raise BadRequest(
            "An Observation has either a Datastream or a MultiDatastream", place=f"{tree.place}/Datastream", code="link"
        )
    name, target = streams[0]
    multi = name == "MultiDatastream"
    stream_id = target.id if isinstance(target, Ref) else create(session, principal, target)
    assert tree.reading is not None  # noqa: S101  every Observation tree has one
    return observe(session, principal, Observation(stream_id, multi, tree.reading, tree.place))


def _resolve(session: Session, principal: Principal, link: Link, target: Ref | Tree, scope: int) -> int:
    """The id of a linked or inline target, which the sender may see."""
    if isinstance(target, Tree):
        return create(session, principal, target, scope)
    see(session, principal, link.type, target)
    return target.id


def see(session: Session, principal: Principal, type_: EntityType, ref: Ref) -> Scoped:
    """(scope, owner) of an entity that the principal may see; raises NotFound."""
    found = row_of(session, type_, ref.id)
    if found is None or not principal.may_see(found[0]):
        raise NotFound(f"There is no {type_.name} with id {ref.id}", place=ref.place or None)
    return found


def row_of(session: Session, type_: EntityType, id_: int) -> Scoped | None:
    """(scope, owner) of a row; for an Observation those of its Datastream."""
    if abs(id_) >= 2**63:
        return None
    if type_ is OBSERVATION:
        found = session.tx.find_observation(id_)
        if found is None:
            return None
        id_ = found[0]
        sql = "select scope_id, owner_id from datastream where id = ? and scope_id >= 0"
    else:
        only = "" if type_.only is None else f" and {type_.only[0]} = {type_.only[1]}"
        sql = f"select scope_id, owner_id from {type_.table} where id = ? and scope_id >= 0{only}"  # noqa: S608
    row = session.one(sql, (id_,))
    return None if row is None else (row[0], row[1])


def _own(session: Session, principal: Principal, type_: EntityType, ref: Ref) -> Scoped:
    """As `see`, for what the principal may also change; raises Forbidden."""
    found = see(session, principal, type_, ref)
    if not principal.may_change(found[1]):
        raise Forbidden(f"This token may not change {type_.name} {ref.id}", hint="A device writes only what it owns.")
    return found


def own(session: Session, principal: Principal, type_: EntityType, id_: int) -> Scoped:
    """(scope, owner) of an entity that the principal may change; raises NotFound, Forbidden."""
    return _own(session, principal, type_, Ref(id_, ""))


# ── to-many relations ──


def _relate(session: Session, principal: Principal, tree: Tree, id_: int, scope: int) -> None:
    """Create or link what the to-many links of a tree lead to."""
    for name, targets in tree.links.items():
        link = tree.type.link(name)
        if link is None or not link.many or not targets:
            continue
        if link.name == "MultiDatastreams" and isinstance(link.by, Through):
            raise BadRequest(
                "The ObservedProperties of a MultiDatastream are set with it", place="/MultiDatastreams", code="link"
            )
        if {tree.type.name, link.target} == {"Thing", "Location"}:
            _relate_locations(session, principal, tree.type, link, targets, id_, scope)
        elif isinstance(link.by, Reverse):
            for target in targets:
                _adopt(session, principal, tree.type, link, target, id_, scope)
        elif isinstance(link.by, Through):
            for position, target in enumerate(targets):
                if isinstance(target, Ref) and link.target in _CHANGED_BY_LINK:
                    _own(session, principal, link.type, target)
                far = _resolve(session, principal, link, target, scope)
                _join(session, link.by, id_, far, position)


def _adopt(
    session: Session, principal: Principal, type_: EntityType, link: Link, target: Ref | Tree, id_: int, scope: int
) -> None:
    """An inline child is created under this entity; a linked one changes its parent."""
    if isinstance(target, Tree):
        target.set_links(link.inverse, [Ref(id_, target.place)])
        create(session, principal, target, scope)
        return
    _own(session, principal, link.type, target)
    if link.type is OBSERVATION:
        corrections.correct(session, principal, target.id, Tree(OBSERVATION, "", {}, {link.inverse: [Ref(id_, "")]}))
        return
    assert isinstance(link.by, Reverse)  # noqa: S101  the caller matched it
    session.tx.update(link.type.table, target.id, {link.by.column: id_})
    session.record("update", link.type.name, target.id)


def _join(session: Session, through: Through, near: int, far: int, position: int) -> None:
    names, values = [through.near, through.far], [near, far]
    if through.position is not None:
        names.append(through.position)
        values.append(position)
    places = ", ".join("?" * len(values))
    session.tx.rows(
        f"insert into {through.table} ({', '.join(names)}) values ({places}) on conflict do nothing",  # noqa: S608
        tuple(values),
    )


def _relate_locations(
    session: Session,
    principal: Principal,
    type_: EntityType,
    link: Link,
    targets: list[Ref | Tree],
    id_: int,
    scope: int,
) -> None:
    found = []
    for target in targets:
        if isinstance(target, Ref) and type_ is LOCATION:
            _own(session, principal, THING, target)
        found.append(_resolve(session, principal, link, target, scope))
    if type_ is THING:
        set_locations(session, principal, id_, found, scope)
    else:
        for thing_id in found:
            set_locations(session, principal, thing_id, [id_], scope)


def set_locations(session: Session, principal: Principal, thing_id: int, locations: list[int], scope: int) -> None:
    """The Thing is now there: its Locations are replaced and the move is kept as a HistoricalLocation."""
    tx = session.tx
    row = session.one("select scope_id, owner_id from thing where id = ?", (thing_id,))
    inherited = row or (scope, principal.id)
    tx.rows("delete from thing_location where thing_id = ?", (thing_id,))
    history = tx.insert(
        "historical_location",
        {
            "time": Micros(time.now()),
            "thing_id": thing_id,
            "scope_id": inherited[0],
            "owner_id": inherited[1],
        },
    )
    for location in dict.fromkeys(locations):
        tx.rows("insert into thing_location (thing_id, location_id) values (?, ?)", (thing_id, location))
        tx.rows(
            "insert into historical_location_location (historical_location_id, location_id) values (?, ?)",
            (history, location),
        )
    session.record("create", "HistoricalLocation", history)
    session.record("update", "Thing", thing_id)


def _move_if_newest(session: Session, id_: int) -> None:
    """A HistoricalLocation made by hand moves the Thing when no other one is newer (18-088 §8.2.3)."""
    row = session.one("select thing_id, time from historical_location where id = ?", (id_,))
    if row is None:
        return
    newer = session.one(
        "select 1 from historical_location where thing_id = ? and time > ? and scope_id >= 0",
        (row[0], Micros(row[1])),
    )
    if newer is not None:
        return
    tx = session.tx
    tx.rows("delete from thing_location where thing_id = ?", (row[0],))
    tx.rows(
        "insert into thing_location (thing_id, location_id) select ?, location_id"
        " from historical_location_location where historical_location_id = ?",
        (row[0], id_),
    )
    session.record("update", "Thing", row[0])


# ── changes ──


def update(session: Session, principal: Principal, type_: EntityType, id_: int, tree: Tree) -> None:
    """PATCH or PUT: set columns, replace to-one links, add to to-many links (18-088 §10.3)."""
    scope, _ = own(session, principal, type_, id_)
    if type_ is OBSERVATION:
        corrections.correct(session, principal, id_, tree)
        return
    session.entities_change()
    values: dict[str, Any] = dict(tree.columns)
    if "time" in values:
        values["time"] = Micros.of(values["time"])
    for name, targets in tree.links.items():
        link = type_.link(name)
        if link is not None and isinstance(link.by, ForeignKey):
            target = targets[0]
            assert isinstance(target, Ref)  # noqa: S101  payload.changes refuses trees
            check = _own if link.target == "Thing" else see
            check(session, principal, link.type, target)
            values[link.by.column] = target.id
    if type_ is MULTI_DATASTREAM:
        properties = tree.links.pop("ObservedProperties", None)
        corrections.check_multi_change(session, id_, values, None if properties is None else len(properties))
        if properties is not None:
            session.tx.rows("delete from datastream_observed_property where datastream_id = ?", (id_,))
            tree.links["ObservedProperties"] = properties
    if values:
        acting.kept_otherwise(session, principal, type_, id_, values)
        if type_ is THING and "properties" in values:
            acting.taken_over(session, principal, id_, values["properties"])
        session.tx.update(type_.table, id_, values)
    if any(p.columns and p.columns[0] in tree.columns for p in type_.properties if p.name in ("location", "feature")):
        session.tx.set_geometry(type_.table, id_, tree.geometry, tree.box)
    if tree.visibility is not None:
        chosen = PUBLIC if tree.visibility == "public" else principal.home or UNCLAIMED
        acting.shown_or_hidden(session, principal, type_, id_, scope, chosen)
        corrections.set_visibility(session, type_, id_, scope, chosen)
    session.record("update", type_.name, id_)
    many = {n: t for n, t in tree.links.items() if (link := type_.link(n)) is not None and link.many}
    if many:
        _relate(session, principal, Tree(type_, tree.place, {}, many), id_, scope)
    if type_ is HISTORICAL_LOCATION and "time" in values:
        _move_if_newest(session, id_)
