"""Durable sessions: what a QoS 1 subscriber must not miss is read from the change log behind its own cursor.

Connected sessions hear from one *hub*, which follows the log and is woken by the feed. A session that comes back first
reads what it missed from its own place, then joins the hub. Subscriptions and places are kept in the database, so that
this works after a crash and on another process; what was in flight then comes again (at least once, MQTT 5 §4.3.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lakou.kernel.errors import LakouError
from lakou.sensorthings.mqtt import topics
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.notify import Notifier
from lakou.sensorthings.mqtt.sessions import Session, SessionKey, Source, Subscription
from lakou.sensorthings.mqtt.subscriptions import Group, needs_first
from lakou.sensorthings.mqtt.topics import TopicError
from lakou.sensorthings.store import changes, events, mqtt_sessions
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.database import Transaction
from lakou.sensorthings.store.mqtt_sessions import Kept
from lakou.sensorthings.store.session import Commit

if TYPE_CHECKING:
    from lakou.sensorthings.access import Principal
    from lakou.sensorthings.service import Service

log = logging.getLogger(__name__)

ENTRIES, ROWS = 200, 5_000
"""How much of the log is read at once: entries, and their Observations."""
MORE_ENTRIES, MORE_ROWS = 2_000, 20_000
"""Likewise where only some Datastreams are heard of."""
READ_S = 30.0
BEHIND_S = 0.01
LOOK_S = 0.5
"""Another process's commits are looked for at least so often, whether or not the feed wakes us."""
SAVE_S = 2.0
TOGETHER_S = 0.05
UPKEEP_S = 60.0
START = Cursor(0, 0)


class Durable:
    """The durable sessions of one process. `taken_over` is called with a session that another process has now."""

    def __init__(self, service: Service, counts: Counts, taken_over: Callable[[Session], None]) -> None:
        self._service = service
        self._counts = counts
        self._taken_over = taken_over
        self._holder = secrets.token_hex(8)
        self._hub = Source(START)
        self._notifier = Notifier(self._hub.index, service.readers, service.limits, patient=True)
        self._connected: dict[Session, SessionKey] = {}
        self._saved: dict[SessionKey, tuple[Cursor, dict[str, bytes | None]]] = {}
        self._catching_up: dict[Session, asyncio.Task[None]] = {}
        self._waiting: dict[Session, tuple[Source, asyncio.Future[bool]]] = {}
        self._telling = False
        self._wake = asyncio.Event()
        self._left = asyncio.Event()
        self._leaving: list[tuple[SessionKey, int, Cursor, Session]] = []
        self._tasks: list[asyncio.Task[None]] = []

    # ── life ──

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._follow(), name="lakou-mqtt-log"),
            asyncio.create_task(self._keep(), name="lakou-mqtt-places"),
        ]

    async def stop(self) -> None:
        """Store every place, then end."""
        tasks = [*self._tasks, *self._catching_up.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []
        with contextlib.suppress(LakouError):
            await self._save_places()

    def asks(self) -> int:
        """0 while no session hears; another number each time that one begins to. Other threads call it."""
        return self._hub.index.asked if self._hub.index else 0

    def commit(self, commit: Commit) -> None:
        """Something was committed: look into the log. Called on the loop for each commit."""
        if self._connected:
            self._wake.set()

    async def _job(self, work: Callable[[Transaction], Any]) -> Any:
        return await self._service.submitter()(lambda session: work(session.tx), entities=False)

    # ── sessions ──

    async def is_stored(self, key: SessionKey) -> bool:
        """Whether there is a stored session with this key."""
        readers = self._service.readers()
        return bool(await readers.rows(mqtt_sessions.is_stored(readers.dialect, key), 5.0, short=True))

    async def forget(self, key: SessionKey) -> None:
        """Remove a stored session."""
        self._saved.pop(key, None)
        await self._job(lambda tx: mqtt_sessions.forget(tx, key))

    async def claim(self, key: SessionKey, known: Session | None) -> tuple[Session, Cursor] | None:
        """Take a stored session for this process, with the place to go on from; None when there is none.

        `known` is the session as this process remembers it: that is better, unless another process had it since.
        """
        stored = await self._job(lambda tx: mqtt_sessions.claim(tx, key, self._holder))
        if stored is None:
            return None
        if known is not None and stored.holder == self._holder:
            return known, known.unsent_place() or stored.place
        session = Session(key, self._counts, self._service.limits.mqtt_backlog)
        session.expiry_s = stored.expiry_s
        for kept in stored.subscriptions:
            with contextlib.suppress(TopicError):  # a topic of an older version may not be one any more
                topic = topics.read_filter(kept.topic, self._service.limits)
                session.subscriptions[kept.topic] = Subscription(topic, kept.qos, since=kept.since, seen=kept.seen)
        return session, stored.place

    def resume(self, session: Session, place: Cursor, principal: Principal, base: str) -> None:
        """Let a connected session hear what it missed since a place, then what comes."""
        session.drop_backlog()
        session.heard_until = None
        session.source = Source(place)
        self._connected[session] = session.key
        for subscription in session.subscriptions.values():
            if subscription.qos:
                group = Group(subscription.topic, principal, base, self._service.limits)
                group.seen = subscription.seen
                self._hear(session, subscription, session.source, group)
        self._catching_up[session] = asyncio.create_task(self._catch_up(session), name="lakou-mqtt-catch-up")

    async def subscribe(self, session: Session, subscription: Subscription, principal: Principal, base: str) -> None:
        """Store a subscription and hear it from now on. QoS 0 ones are only stored."""
        group = Group(subscription.topic, principal, base, self._service.limits)
        if subscription.qos and needs_first(subscription.topic):
            await self._notifier.first(group)
        key, text = session.key, subscription.topic.text

        def store(tx: Transaction) -> Cursor:
            end = mqtt_sessions.save(tx, key, self._holder, session.expiry_s)
            mqtt_sessions.subscribe(tx, key, Kept(text, subscription.qos, end, group.seen))
            return end

        end: Cursor = await self._job(store)
        subscription.since, subscription.seen = end, group.seen
        if session.line is None or not subscription.qos:
            return
        if session.source is None:
            self.resume(session, end, principal, base)
        source = session.source
        if source is not None:
            there = source.index.groups.get(group.key, group)
            self._hear(session, subscription, source, there)

    async def unsubscribe(self, session: Session, topic: str) -> None:
        """Remove a stored subscription."""
        await self._job(lambda tx: mqtt_sessions.unsubscribe(tx, session.key, topic))

    def leave(self, session: Session) -> None:
        """The connection of a session has ended: it hears nothing until it comes back."""
        self._waiting.pop(session, None)
        task = self._catching_up.pop(session, None)
        if task is not None:
            task.cancel()
        was_connected = self._connected.pop(session, None) is not None
        place = session.safe_place()
        for subscription in session.subscriptions.values():
            if subscription.group is not None and subscription.index is not None:
                subscription.seen = subscription.group.seen
                subscription.index.leave(subscription.group, session)
                subscription.group = subscription.index = None
        unsent = session.unsent_place()
        session.drop_backlog()
        session.source = None if unsent is None else Source(unsent)
        if was_connected and place is not None:
            self._leaving.append((session.key, session.expiry_s, place, session))
            self._left.set()

    def _hear(self, session: Session, subscription: Subscription, source: Source, group: Group) -> None:
        if subscription.group is not None and subscription.index is not None:
            subscription.index.leave(subscription.group, session)
        source.index.join(group, session, subscription.qos)
        subscription.group, subscription.index = group, source.index

    # ── the log ──

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._wake.wait()
            self._wake.clear()
            try:
                while self._hub.index and await self._tell_hub():
                    pass
            except LakouError as error:
                log.warning("The change log cannot be read: %s", error.message)
                await asyncio.sleep(LOOK_S)
            except Exception:  # the edge: a fault must not end the following for everybody
                log.exception("The change log could not be followed")
                await asyncio.sleep(LOOK_S)

    async def _tell_hub(self) -> bool:
        """Tell a piece of the log to the hub, then let those join who have caught up.

        Nobody joins within a piece: its Observations were read for those who were there when it began.
        """
        self._telling = True
        try:
            return await self._tell_more(self._hub, self._notifier)
        finally:
            self._telling = False
            waiting, self._waiting = self._waiting, {}
            for session, (source, joined) in waiting.items():
                fits = source.position >= self._hub.position
                if fits:
                    self._join(session, source)
                if not joined.done():
                    joined.set_result(fits)

    async def _tell_more(self, source: Source, notifier: Notifier) -> bool:
        """Tell a piece of the log; False at its end."""
        readers = self._service.readers()
        most, rows = (ENTRIES, ROWS) if source.index.streams() is None else (MORE_ENTRIES, MORE_ROWS)
        statement = changes.after_cursor(readers.dialect, source.position, most)
        entries = changes.entries(await readers.rows(statement, READ_S, short=True))
        if not entries:
            return False
        piece = next(events.slices(entries, rows))
        # Who subscribes while this is read hears later entries.
        only = source.index.streams() if source.index.hears_observations else frozenset[int]()
        commits = await readers.run(events.commits, readers.lookup(READ_S), piece, events.Streams(), only)
        for commit in commits:
            if commit.observed:
                await asyncio.sleep(0)  # others have their turn while much is caught up
            place = commit.entries[-1].cursor
            source.telling = place
            try:
                await notifier.tell(commit)
            except LakouError:
                raise
            except Exception:  # an edge: one commit that cannot be told must not hold up those after it
                log.exception("A commit could not be told")
            source.position = place
        return True

    async def _catch_up(self, session: Session) -> None:
        source = session.source
        assert source is not None  # noqa: S101  the caller made it
        notifier = Notifier(source.index, self._service.readers, self._service.limits, patient=True)
        looked = False
        while True:
            try:
                if not looked:
                    await self._look_for_gap(session, source)
                    looked = True
                more = await self._tell_more(source, notifier)
            except LakouError as error:
                log.warning("%s: the change log cannot be read: %s", session.key[1], error.message)
                await asyncio.sleep(LOOK_S)
                continue
            except Exception:  # the edge: the session stays where it is, and the fault is in the log
                log.exception("%s: the change log could not be told", session.key[1])
                await asyncio.sleep(LOOK_S)
                continue
            if not self._hub.index:
                self._hub.position = self._hub.telling = max(self._hub.position, source.position)
            if more:
                continue
            if self._telling:
                joined = asyncio.get_running_loop().create_future()
                self._waiting[session] = source, joined
                if await joined:
                    return
            elif source.position >= self._hub.position:
                self._join(session, source)
                return
            else:
                await asyncio.sleep(BEHIND_S)

    async def _look_for_gap(self, session: Session, source: Source) -> None:
        """Tell the client that it missed something when the log does not reach back to its place."""
        readers = self._service.readers()
        if readers.is_local:
            rows = await readers.rows(changes.after_cursor(readers.dialect, source.position, 1), 5.0, short=True)
            if rows and changes.entries(rows)[0].cursor.seq > source.position.seq + 1:
                log.warning("%s: the change log does not reach back to where it left", session.key[1])
                session.lose(1)

    def _join(self, session: Session, source: Source) -> None:
        """A session that has caught up hears from the hub from now on."""
        session.heard_until = source.position
        for subscription in session.subscriptions.values():
            old = subscription.group
            if old is not None:
                group = self._hub.index.groups.get(old.key, old)
                self._hear(session, subscription, self._hub, group)
        session.source = self._hub
        self._catching_up.pop(session, None)
        self._wake.set()

    # ── places ──

    async def _keep(self) -> None:
        waited = UPKEEP_S
        while True:
            try:
                await self._save_places()
                await self._look_for_others()
                waited += SAVE_S
                if waited >= UPKEEP_S:
                    waited = 0.0
                    self._saved.clear()
                    await self._job(mqtt_sessions.upkeep)
            except LakouError as error:
                log.warning("The places of subscribers cannot be stored: %s", error.message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAVE_S):
                    await self._left.wait()
                await asyncio.sleep(TOGETHER_S)  # those who leave together are stored together
            self._left.clear()

    async def _save_places(self) -> None:
        """Store how far the sessions are, all in one commit."""
        due: list[tuple[SessionKey, int, Cursor, dict[str, bytes | None]]] = []
        leaving, self._leaving = self._leaving, []
        for session, key in self._connected.items():
            place = session.safe_place()
            if place is not None:
                due.append((key, session.expiry_s, place, _seen(session)))
        changed = [d for d in due if self._saved.get(d[0]) != (d[2], d[3])]
        changed += [
            (key, expiry_s, place, _seen(session))
            for key, expiry_s, place, session in leaving
            if session not in self._connected
        ]
        if not changed:
            return

        def store(tx: Transaction) -> None:
            for key, expiry_s, place, seen in changed:
                mqtt_sessions.advance(tx, key, self._holder, place, expiry_s)
                before = self._saved.get(key, (None, {}))[1]
                for topic, payload in seen.items():
                    if payload is not None and before.get(topic) != payload:
                        mqtt_sessions.note_seen(tx, key, topic, payload)

        await self._job(store)
        for key, _, place, seen in changed:
            self._saved[key] = (place, seen)

    async def _look_for_others(self) -> None:
        """End connections whose sessions went on in another process."""
        readers = self._service.readers()
        if not self._connected or readers.is_local:
            return
        known = dict(self._connected)
        rows = await readers.rows(mqtt_sessions.held(readers.dialect, self._holder), 5.0)
        held = {(row[0], row[1]) for row in rows}
        for session, key in known.items():
            if key not in held and session in self._connected:
                self._taken_over(session)


def _seen(session: Session) -> dict[str, bytes | None]:
    """What was last told of each property and entity."""
    return {
        text: found.seen if found.group is None else found.group.seen
        for text, found in session.subscriptions.items()
        if needs_first(found.topic) or found.topic.target.single
    }
