"""Who hears what: groups of subscribers to the same topic with the same rights, found by what a commit touches.

An index by Datastream, entity and parent, so that a commit is matched by look-ups and never by going through all
topics. A message is rendered once for a group and shared by its members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from lakou.kernel import time as clock
from lakou.sensorthings.access import Principal
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import DATASTREAM, MULTI_DATASTREAM, OBSERVATION, EntityType
from lakou.sensorthings.mqtt import topics
from lakou.sensorthings.mqtt.topics import Form, Topic
from lakou.sensorthings.plan.values import Hop, ReadPlan
from lakou.sensorthings.render.columns import Row
from lakou.sensorthings.sql import read as sql
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.session import ID, Observed

FEATURE_ID = OBSERVATION_COLUMNS.index("feature_id")
GroupKey = tuple[str, frozenset[int] | None, str, str]
Parent = tuple[str, str]
"""(type of a set's entities, type of the entity that the set hangs on)."""


class Message:
    """One message: topic, payload, and the id of the entity that it tells about. Packets are kept as they are made."""

    __slots__ = ("about", "payload", "plain", "topic")

    def __init__(self, topic: str, payload: bytes, about: int) -> None:
        self.topic = topic
        self.payload = payload
        self.about = about
        self.plain: dict[int, bytes] = {}

    @property
    def size(self) -> int:
        return len(self.topic) + len(self.payload)


class Listener(Protocol):
    """One who hears: takes a message at a granted QoS and returns at once, and is told of messages that were lost."""

    def offer(self, message: Message, qos: int) -> None: ...

    def lose(self, number: int) -> None: ...


class Group:
    """The listeners of one topic that may read the same scopes and see the service at the same address."""

    def __init__(self, topic: Topic, principal: Principal, base: str, limits: Limits) -> None:
        self.key = key_of(topic, principal, base)
        self.topic = topic
        self.principal = principal
        self.members: dict[Listener, int] = {}
        self.seen: bytes | None = None  # the last payload of a property or an entity, where only changes are told
        self.since: Cursor | None = None
        """What was committed up to here is not told: a commit is answered before it is told."""
        self._limits = limits
        self._plan = self._planned()
        self._paint = topics.painter(topic, self._plan, base)
        self._pick = topics.row_picker(self._plan)
        self.of_multi = len(topic.target.hops) > 1 and topic.target.hops[-2].type.name == "MultiDatastream"

    def _planned(self) -> ReadPlan:
        return self.topic.plan(self._limits, clock.now(), self.principal.name)

    @property
    def direct(self) -> bool:
        """Whether a new Observation is told from its row alone."""
        return self._pick is not None

    def told(self, event: Observed) -> Message | None:
        """The message of a new Observation, None when it is not for this group. Only where `direct`."""
        stream, row = event
        multi = bool(stream.members)
        if not topics.may_tell(self.principal, stream.scope_id) or self._pick is None:
            return None
        if len(self.topic.target.hops) > 1 and multi is not self.of_multi:
            return None
        return Message(self.topic.text, topics.encoded(self._paint(self._pick(row, multi))), row[ID])

    def statement(self, dialect: Dialect, ids: list[int]) -> Statement:
        """Reads those of the entities that belong to the topic and may be known to its members."""
        plan = self._plan if self.topic.timeless else self._planned()
        return sql.page(dialect, plan, self.principal, among=ids)

    @property
    def is_short(self) -> bool:
        """Whether reading a few entities is an indexed look-up."""
        return not self._plan.expands and self._plan.where is None

    def shown(self, row: Row) -> Message:
        """The message of an entity that was read."""
        return Message(self.topic.text, topics.encoded(self._paint(row)), row[0])

    def is_late(self, place: Cursor | None) -> bool:
        """Whether a commit with this place in the log came before the group."""
        return self.since is not None and place is not None and place <= self.since

    def lose(self, number: int) -> None:
        """Messages of this group could not be made."""
        for listener in self.members:
            listener.lose(number)

    def tell(self, message: Message) -> None:
        for listener, qos in self.members.items():
            listener.offer(message, qos)


def key_of(topic: Topic, principal: Principal, base: str) -> GroupKey:
    """What members of a group have in common."""
    return topic.text, principal.reads, base, principal.name if topic.personal else ""


class Index:
    """The groups, by what they have to hear of."""

    def __init__(self) -> None:
        self.groups: dict[GroupKey, Group] = {}
        self.asked = 0
        """How often somebody began to hear where nobody did."""
        self._observations: list[Group] = []
        self._streams: dict[int, list[Group]] = defaultdict(list)
        self._features: dict[int, list[Group]] = defaultdict(list)
        self._entities: dict[tuple[str, int], list[Group]] = defaultdict(list)
        self._sets: dict[str, list[Group]] = defaultdict(list)
        self.parents: dict[Parent, dict[int, list[Group]]] = defaultdict(lambda: defaultdict(list))

    def __len__(self) -> int:
        return len(self.groups)

    def add(self, group: Group) -> None:
        self.asked += not self.groups
        self.groups[group.key] = group
        for place in self._places(group):
            place.append(group)

    def remove(self, group: Group) -> None:
        if self.groups.pop(group.key, None) is None:
            return
        for place in self._places(group):
            place.remove(group)
        self._forget_empty(group)

    def leave(self, group: Group, listener: Listener) -> None:
        """Take a listener out; a group without listeners goes."""
        group.members.pop(listener, None)
        if not group.members:
            self.remove(group)

    def _places(self, group: Group) -> Iterator[list[Group]]:
        hops = group.topic.target.hops
        type_, key = hops[-1].type, hops[-1].key
        if key is not None:
            yield self._entities[type_.name, key]
        elif type_ is OBSERVATION:
            yield self._observation_place(hops)
            parent = _parent_of(hops)
            yield self._sets[type_.name] if parent is None else self.parents[parent[0]][parent[1]]
        else:
            parent = _parent_of(hops)
            yield self._sets[type_.name] if parent is None else self.parents[parent[0]][parent[1]]

    def _observation_place(self, hops: tuple[Hop, ...]) -> list[Group]:
        if len(hops) > 1 and (key := hops[-2].key) is not None:
            if hops[-2].type.table == "datastream":
                return self._streams[key]
            if hops[-2].type.table == "feature":
                return self._features[key]
        return self._observations

    def _forget_empty(self, group: Group) -> None:
        """Drop the empty places of a removed group, so that topics of long ago take no memory."""
        hops = group.topic.target.hops
        last, near = hops[-1], hops[-2].key if len(hops) > 1 else None
        places: list[tuple[dict[Any, list[Group]], Any]] = [(self._entities, (last.type.name, last.key or 0))]
        if near is not None:
            places += [(self._streams, near), (self._features, near)]
            parent = _parent_of(hops)
            if parent is not None:
                places.append((self.parents[parent[0]], parent[1]))
        for place, key in places:
            if key in place and not place[key]:
                del place[key]
        for parent_kind in [p for p, by_id in self.parents.items() if not by_id]:
            del self.parents[parent_kind]

    def join(self, group: Group, listener: Listener, qos: int) -> None:
        """Let a listener hear what a group hears."""
        group.members[listener] = qos
        if group.key not in self.groups:
            self.add(group)

    # ── what hears of an event ──

    def streams(self) -> set[int] | None:
        """The Datastreams whose Observations are heard of; None when it may be any."""
        if self._observations or self._features or any(name == OBSERVATION.name for name, _ in self._entities):
            return None
        watched = {id_ for name, id_ in self._entities if name in (DATASTREAM.name, MULTI_DATASTREAM.name)}
        return set(self._streams) | watched

    @property
    def hears_observations(self) -> bool:
        return bool(self._observations or self._streams or self._features or self._entities)

    def of_observation(self, event: Observed) -> Iterable[Group]:
        """The groups that may hear of a new Observation."""
        stream, row = event
        found = self._observations
        near = self._streams.get(stream.id)
        if near:
            found = found + near
        if self._features and (near := self._features.get(row[FEATURE_ID])):
            found = found + near
        if self._entities and (near := self._entities.get((OBSERVATION.name, row[ID]))):
            found = found + near
        return found

    def of_stream(self, name: str, id_: int) -> Iterable[Group]:
        """The groups that hear when the extents of this Datastream or MultiDatastream change."""
        return self._entities.get((name, id_), ())

    def of_change(self, type_: EntityType, id_: int) -> list[Group]:
        """The groups that may hear of a changed entity, except those found through its parents."""
        return [*self._entities.get((type_.name, id_), ()), *self._sets.get(type_.name, ())]

    def parent_links(self, type_: EntityType) -> list[Parent]:
        """The kinds of parents through which groups may hear of entities of this type."""
        return [parent for parent in self.parents if parent[0] == type_.name]


def _parent_of(hops: tuple[Hop, ...]) -> tuple[Parent, int] | None:
    """((type, link to the parent), the parent's id) of a set that hangs on one entity; None for others."""
    if len(hops) < 2 or hops[-2].key is None or hops[-1].link is None or not hops[-1].link.many:
        return None
    return (hops[-1].type.name, hops[-2].type.name), hops[-2].key


def needs_first(topic: Topic) -> bool:
    """Whether the value at the time of subscribing must be known, for only changes are told."""
    return topic.form is Form.PROPERTY or topic.type.table == "datastream"
