"""Which clients of the event stream get which events: groups of one selection and one set of rights.

All clients of a group get the same bytes. The groups that an Observation goes to are remembered by Datastream and
place, so that a tick costs what it delivers, not events times clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic

from lakou.sensorthings.frames import FEATURE, Event
from lakou.sensorthings.listener import QUEUE_EVENTS, Listener
from lakou.sensorthings.selection import Reads, Selection, is_visible
from lakou.sensorthings.store.details import NOTHING, Details
from lakou.sensorthings.store.session import Changed

ROUTES = 20_000
BLOCK_S = 0.005
"""Routing lets others have the loop when it has taken so long."""


class Group:
    """Clients that get the same bytes; `events` are those of this tick, `is_lost` when they were too many."""

    __slots__ = ("events", "is_lost", "listeners", "reads", "selection")

    def __init__(self, selection: Selection, reads: Reads) -> None:
        self.selection = selection
        self.reads = reads
        self.listeners: dict[Listener, None] = {}
        self.events: list[bytes] = []
        self.is_lost = False


Route = list[tuple[Group, bool]]
"""The groups that an event goes to, each with whether it may know of the Thing."""


class Groups:
    """The groups of one process, and what is known of the Datastreams they listen to."""

    def __init__(self) -> None:
        self.details = Details()
        self._groups: dict[tuple[Selection, Reads], Group] = {}
        self._of: dict[Listener, Group] = {}
        self._general: list[Group] = []
        self._of_stream: dict[int, list[Group]] = {}
        self._routes: dict[tuple[int, int, int], Route] = {}
        self._by_place = False

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    # ── who is where ──

    def enter(self, listener: Listener) -> Group:
        """Put a client into the group of its selection and rights."""
        key = (listener.selection, listener.principal.reads)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(*key)
            self._sort_in(group)
        group.listeners[listener] = None
        self._of[listener] = group
        return group

    def part(self, listener: Listener) -> bool:
        """Take a client out of its group; False when it is in none."""
        group = self._of.pop(listener, None)
        if group is None:
            return False
        del group.listeners[listener]
        if not group.listeners:
            del self._groups[group.selection, group.reads]
            self._general, self._of_stream, self._by_place = [], {}, False
            for left in self._groups.values():
                self._sort_in(left)
            self._routes.clear()
        return True

    def _sort_in(self, group: Group) -> None:
        streams = group.selection.datastreams
        if streams is None:
            self._general.append(group)
        else:
            for id_ in streams:
                self._of_stream.setdefault(id_, []).append(group)
        self._by_place = self._by_place or group.selection.area is not None
        self._routes.clear()

    # ── which event goes where ──

    def forget(self) -> None:
        """What was known of entities is not true any more."""
        self.details.forget()
        self._routes.clear()

    def note(self, changed: list[Changed]) -> None:
        """Forget what a commit may have changed."""
        if self.details.note(changed):
            self._routes.clear()

    def unknown(self, events: list[Event]) -> tuple[list[int], list[tuple[int, int]]]:
        """The Datastreams and (feature, Thing) pairs that have to be looked up to route these events."""
        places = {(e.row[FEATURE], e.stream.thing_id) for e in events} if self._by_place else ()
        return self.details.missing({e.stream.id for e in events}, places)

    async def put(self, events: list[Event]) -> None:
        """Put each event before the groups that want it."""
        since = monotonic()
        for event in events:
            for group, with_thing in self._route(event):
                if len(group.events) >= QUEUE_EVENTS:
                    group.is_lost = True
                else:
                    group.events.append(event.frame(with_thing=with_thing))
            if monotonic() - since > BLOCK_S:
                await asyncio.sleep(0)
                since = monotonic()

    def wanted_by(self, group: Group, events: list[Event]) -> list[bytes]:
        """The frames of the events that one group wants."""
        return [
            event.frame(with_thing=with_thing)
            for event in events
            for found, with_thing in self._route(event)
            if found is group
        ]

    def _route(self, event: Event) -> Route:
        stream = event.stream
        feature_id = event.row[FEATURE] if self._by_place else 0
        key = (stream.id, stream.scope_id, feature_id)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= ROUTES:
                self._routes.clear()
            detail = self.details.streams.get(stream.id, NOTHING)
            places = self.details.places.get((feature_id, stream.thing_id), ())
            route = self._routes[key] = [
                (group, is_visible(group.reads, detail.thing_scope))
                for group in (*self._of_stream.get(stream.id, ()), *self._general)
                if is_visible(group.reads, stream.scope_id)
                and group.selection.takes(stream.id, detail, places, group.reads)
            ]
        return route
