"""Commit → messages: new Observations straight from their rows, everything else read as its subscribers may see it.

What must be read is gathered by topic and read a few at a time beside the commits (18-088 §14.2). A set hears of what
was created or updated in it, an entity of its updates, a property only of a new value. A Datastream is updated by an
Observation that moves its phenomenonTime, resultTime or observedArea. Deletions are not told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lakou.kernel.errors import LakouError, Unavailable
from lakou.sensorthings.access import ADMIN
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.model import BY_NAME, DATASTREAM, MULTI_DATASTREAM, OBSERVATION, EntityType
from lakou.sensorthings.mqtt.subscriptions import Group, Index, Message, Parent
from lakou.sensorthings.mqtt.topics import Form
from lakou.sensorthings.plan.target import Target
from lakou.sensorthings.plan.values import Hop, ReadPlan
from lakou.sensorthings.sql import read as sql
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store import changes
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import Row
from lakou.sensorthings.store.readers import Readers
from lakou.sensorthings.store.session import ID, Commit, Observed

log = logging.getLogger(__name__)

CHUNK = 500
SHORT = 20
MOST_WAITING = 50_000
MOST_PARENTS = 10_000

Direct = tuple[Group, Observed]
Asked = dict[Group, dict[int, bool]]
"""Entities to be read for a group: by id, whether it is told even when it looks as before."""


Changes = dict[tuple[EntityType, int], Cursor | None]
"""Changed entities, each with the place of its commit in the change log where that is known."""


class Heard:
    """What of a commit concerns somebody."""

    __slots__ = ("asked", "changed", "direct")

    def __init__(self) -> None:
        self.direct: list[Direct] = []
        self.asked: Asked = {}
        self.changed: Changes = {}

    def ask(self, group: Group, id_: int, *, sure: bool) -> None:
        wanted = self.asked.setdefault(group, {})
        wanted[id_] = wanted.get(id_, False) or sure


def heard(index: Index, commit: Commit) -> Heard:
    """Match a commit against the index."""
    found = Heard()
    if index.hears_observations:
        streams: dict[tuple[str, int], None] = {}
        for event in commit.observed:
            for group in index.of_observation(event):
                if group.since is not None and group.is_late(commit.cursor):
                    continue
                if group.direct:
                    found.direct.append((group, event))
                else:
                    found.ask(group, event[1][ID], sure=True)
            stream = event[0]
            streams[MULTI_DATASTREAM.name if stream.members else DATASTREAM.name, stream.id] = None
        for name, id_ in streams:
            for group in index.of_stream(name, id_):
                found.ask(group, id_, sure=False)
    for change in commit.changed:
        if change.verb not in ("create", "update"):
            continue
        type_ = BY_NAME[change.type]
        for group in index.of_change(type_, change.id):
            if not group.is_late(commit.cursor):
                found.ask(group, change.id, sure=True)
        if index.parents or type_ is OBSERVATION:
            found.changed[type_, change.id] = commit.cursor
    return found


class Notifier:
    """Tells the groups of an index of commits, in order. `readers` gives the readers while the store is open.

    A `patient` one raises Unavailable while the store does not answer, to be asked again; else the messages are lost.
    """

    def __init__(self, index: Index, readers: Callable[[], Readers], limits: Limits, *, patient: bool = False) -> None:
        self._patient = patient
        self.index = index
        self._readers = readers
        self._limits = limits
        self.begun = asyncio.Event()
        """Set by each commit that is told."""
        self._waiting: Asked = {}
        self._changed: Changes = {}
        self._task: asyncio.Task[None] | None = None

    def asks(self) -> int:
        """0 while nobody subscribes; another number each time that somebody begins to. Other threads call it."""
        return self.index.asked if self.index else 0

    def commit(self, commit: Commit) -> None:
        """Tell of a commit now; what has to be read follows soon. Called on the loop for each commit."""
        self.begun.set()
        if not self.index:
            return
        if commit.gap:
            for group in self.index.groups.values():
                group.lose(1)
        try:
            found = heard(self.index, commit)
            tell_direct(found.direct)
        except Exception:  # the edge: what cannot be told must not keep the commit from others who follow the feed
            log.exception("A commit could not be told")
            return
        if found.asked or found.changed:
            self._queue(found)

    def _queue(self, found: Heard) -> None:
        for group, wanted in found.asked.items():
            waiting = self._waiting.setdefault(group, {})
            for id_, sure in wanted.items():
                waiting[id_] = waiting.get(id_, False) or sure
            if len(waiting) > MOST_WAITING:
                group.lose(len(self._waiting.pop(group)))
                log.warning("Messages of %s are dropped: its $filter or $expand is too slow", group.topic.text[:120])
        self._changed.update(found.changed)
        if self._task is None:
            self._task = asyncio.create_task(self._work_off(), name="lakou-mqtt-notify")

    async def _work_off(self) -> None:
        try:
            while self._waiting or self._changed:
                waiting, self._waiting = self._waiting, {}
                changed, self._changed = self._changed, {}
                await self.read_and_tell(waiting, changed)
        except LakouError as error:
            log.warning("Messages are missing: %s", error.message)
        except Exception:  # the edge: what cannot be told must not end the telling
            log.exception("Messages could not be told")
        finally:
            self._task = None

    async def tell(self, commit: Commit) -> None:
        """Tell of a commit, and be done with it."""
        found = heard(self.index, commit)
        tell_direct(found.direct)
        if found.asked or found.changed:
            await self.read_and_tell(found.asked, found.changed)

    async def read_and_tell(self, asked: Asked, changed: Changes) -> None:
        """Read what was asked for and tell it; what cannot be read now is logged and left out."""
        for (type_, id_), place in changed.items():
            for group in await self._through_parents(type_, id_):
                if not group.is_late(place):
                    asked.setdefault(group, {})[id_] = True
            if type_ is OBSERVATION:
                await self._ask_for_streams(id_, asked)
        for group, wanted in asked.items():
            ids = list(wanted)
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                try:
                    for message in await self.messages(group, chunk):
                        if is_news(group, message, sure=wanted[message.about]):
                            group.tell(message)
                except LakouError as error:
                    if self._patient and isinstance(error, Unavailable):
                        raise
                    group.lose(len(chunk))
                    log.warning("Messages of %s are missing: %s", group.topic.text[:120], error.message)

    async def end(self) -> Cursor:
        """The end of the change log."""
        ((transaction, seq),) = await self._rows(changes.end_of(self._readers().dialect), short=True)
        return Cursor(transaction, seq)

    async def messages(self, group: Group, ids: list[int]) -> list[Message]:
        """The messages of those of the entities that belong to the group's topic, in the order of `ids`."""
        readers = self._readers()
        statement = group.statement(readers.dialect, ids)
        rows = await self._rows(statement, short=group.is_short and len(ids) <= SHORT)
        found = {row[0]: row for row in rows}
        return [group.shown(found[id_]) for id_ in ids if id_ in found]

    async def first(self, group: Group) -> None:
        """Note how a single entity or property looks now, so that only changes are told from here on."""
        readers = self._readers()
        target = group.topic.target
        key = target.hops[-1].key
        ids = [key] if key is not None else await self._ids(target.hops, group)
        rows = await self._rows(group.statement(readers.dialect, ids), short=True) if ids else []
        if rows and group.seen is None:
            group.seen = group.shown(rows[0]).payload

    async def _ids(self, hops: tuple[Hop, ...], group: Group) -> list[int]:
        rows = await self._rows(sql.exists(self._readers().dialect, hops, group.principal), short=True)
        return [row[0] for row in rows]

    async def _through_parents(self, type_: EntityType, id_: int) -> list[Group]:
        """The groups that hear of an entity because it hangs on their parent."""
        found: list[Group] = []
        for parent in self.index.parent_links(type_):
            by_parent = self.index.parents.get(parent, {})
            for key in await self._parents(type_, id_, parent):
                found += by_parent.get(key, ())
        return found

    async def _ask_for_streams(self, observation_id: int, asked: Asked) -> None:
        """A corrected Observation may move the extents of its Datastream."""
        for stream in (DATASTREAM, MULTI_DATASTREAM):
            for id_ in await self._parents(OBSERVATION, observation_id, (OBSERVATION.name, stream.name)):
                for group in self.index.of_stream(stream.name, id_):
                    asked.setdefault(group, {}).setdefault(id_, False)

    async def _parents(self, type_: EntityType, id_: int, parent: Parent) -> list[int]:
        link = next((link for link in type_.links if link.target == parent[1]), None)
        if link is None:
            return []
        target = Target((Hop(type_, None, id_), Hop(link.type, link, None)), not link.many)
        plan = ReadPlan(type=target.type, source=target.hops, fields=())
        statement = sql.identifiers(self._readers().dialect, plan, ADMIN, MOST_PARENTS)
        return [row[0] for row in await self._rows(statement, short=True)]

    async def _rows(self, statement: Statement, *, short: bool) -> list[Row]:
        return await self._readers().rows(statement, self._limits.timeout_anonymous_s, short=short)

    async def stop(self) -> None:
        """End what is being read."""
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def tell_direct(direct: list[Direct]) -> None:
    """Tell the new Observations that need no reading, each rendered once for its group."""
    for group, event in direct:
        message = group.told(event)
        if message is not None:
            group.tell(message)


def is_news(group: Group, message: Message, *, sure: bool) -> bool:
    """Whether a message is told: a property only with a new value, an entity that only seemed to change likewise."""
    if group.topic.form is Form.SET:
        return True
    before, group.seen = group.seen, message.payload
    if group.topic.form is Form.PROPERTY or not sure:
        return before != message.payload
    return True
