"""One ticker for all clients of the event stream: every 100 ms what was committed is encoded once and handed out.

It listens to the feed only while there are clients. Each client is told from where it is in the order of commits,
gets everything from there on, or a `resync` in place of what it missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from lakou.kernel.errors import LakouError, TooManyRequests, Unavailable
from lakou.sensorthings.feed import Feed
from lakou.sensorthings.frames import Event
from lakou.sensorthings.groups import Groups
from lakou.sensorthings.limits import Limits
from lakou.sensorthings.listener import Listener
from lakou.sensorthings.recent import Past, Recent, events_of
from lakou.sensorthings.store.position import Position, after
from lakou.sensorthings.store.session import Commit

log = logging.getLogger(__name__)

TICK_S = 0.1
ALIVE_TICKS = 75
"""A client that got nothing for twice as many ticks gets a sign of life: at the latest after 15 s."""
RIGHTS_TICKS = 5
AHEAD_TICKS = 15
PENDING = 100_000
AT_ONCE = 50
"""Clients woken before the loop sees to others."""

Rights = Callable[[Listener], bool]


class Broadcast:
    """The clients of one process. `rights` renews a client's principal, False when its token is not known any more."""

    def __init__(self, feed: Feed, past: Past, rights: Rights, limits: Limits) -> None:
        self._feed = feed
        self._past = past
        self._rights = rights
        self._limits = limits
        self._groups = Groups()
        self._recent = Recent(past)
        self._listeners: dict[Listener, None] = {}
        self._addresses: Counter[str] = Counter()
        self._joining: list[tuple[Listener, asyncio.Future[None]]] = []
        self._pending: list[Event] = []
        self._lost = False
        self._position: Position | None = None
        self._started = asyncio.Event()
        self._asked = 0
        self._ticker: asyncio.Task[None] | None = None
        self._unfollow = feed.follow(self._heard, lambda: self._asked if self._listeners else 0)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    # ── clients come and go, on the loop ──

    def add(self, listener: Listener) -> None:
        """Count a client in. Raises Unavailable for one too many of the node, TooManyRequests of its address."""
        if len(self._listeners) >= self._limits.live_clients:
            raise Unavailable("All places of the event stream are taken", hint="Try again later.", code="live_full")
        if listener.address is not None and self._addresses[listener.address] >= self._limits.live_per_address:
            raise TooManyRequests(
                f"More than {self._limits.live_per_address} event streams from one address",
                hint="Select several Datastreams in one: datastream=1,2",
            )
        if not self._listeners:
            self._asked += 1
        self._listeners[listener] = None
        if listener.address is not None:
            self._addresses[listener.address] += 1
        self._feed.wake()
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._run(), name="lakou-live")

    async def join(self, listener: Listener) -> None:
        """Return when the client is in: what it missed and all that comes is offered to it from now on."""
        await self._started.wait()
        if listener.after is not None:
            await self._catch_up(listener.after)
            try:
                await self._recent.reach(listener.after)
            except LakouError as error:
                log.warning("The change log cannot be read for a client that came back: %s", error.message)
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not listener.ended:
            self._joining.append((listener, joined))
            await joined

    async def _catch_up(self, place: Position) -> None:
        """Wait a moment for a place that another worker has told of before this one."""
        for _ in range(AHEAD_TICKS):
            if self._position is not None and place <= self._position:
                return
            await asyncio.sleep(TICK_S)

    def remove(self, listener: Listener) -> None:
        """Forget a client; nothing is offered to it any more."""
        if self._listeners.pop(listener, False) is False:
            return
        if listener.address is not None:
            self._addresses[listener.address] -= 1
            if not self._addresses[listener.address]:
                del self._addresses[listener.address]
        self._joining = [(one, joined) for one, joined in self._joining if one is not listener]
        self._groups.part(listener)
        if not self._listeners:
            self._forget(self._position if self._feed.is_steady else None)

    def close(self) -> None:
        """End every stream."""
        self._unfollow()
        self._started.set()
        for listener in self._listeners:
            listener.end()
        for _, joined in self._joining:
            if not joined.done():
                joined.set_result(None)
        self._joining.clear()
        if self._ticker is not None:
            self._ticker.cancel()

    # ── from the feed, on the loop ──

    def start_at(self, position: Position) -> None:
        """Say that everything up to this place comes before the first commit that will be heard."""
        self._forget(position)

    def _heard(self, commit: Commit) -> None:
        if commit.cursor is None:
            return
        before, self._position = self._position, after(commit.cursor)
        self._started.set()
        if not self._listeners:
            self._recent.clear(self._position)
            return
        if before is None:
            # A first commit that holds something: what precedes it is not known.
            self._recent.clear(self._position)
            self._lost = self._lost or bool(commit.entries)
        self._groups.note(commit.changed)
        self._pending.extend(events_of(commit))
        if commit.gap or len(self._pending) > PENDING:
            self._pending.clear()
            self._lost = True

    def _forget(self, position: Position | None) -> None:
        """Nobody is there: who comes next begins here, or reads the log."""
        self._position = position
        if position is None:
            self._started.clear()
        else:
            self._started.set()
        self._recent.clear(position)
        self._pending.clear()
        self._groups.forget()

    # ── the ticker ──

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due, tick = loop.time(), 0
        while self._listeners:
            tick += 1
            try:
                await self._tick(tick)
            except Exception:  # an edge: the ticker outlives anything, and nobody is left without a word
                log.exception("A tick of the event stream failed")
                self._lost = True
            due = max(due + TICK_S, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _tick(self, tick: int) -> None:
        newcomers = list(self._joining)
        events, self._pending = self._pending, []
        lost, self._lost = self._lost, False
        upto = self._position
        if upto is None:
            return
        try:
            await self._learn(events)
        except LakouError as error:
            log.warning("The event stream cannot look up Datastreams: %s", error.message)
            lost = True
        if lost:
            self._recent.clear(upto)
        else:
            await self._groups.put(events)
            self._recent.add(events)
        await self._hand_out(upto, lost=lost)
        await self._admit(newcomers, upto)
        if tick % ALIVE_TICKS == 0:
            await self._say_alive(upto)
        if tick % RIGHTS_TICKS == 0:
            self._check_rights()

    async def _learn(self, events: list[Event]) -> None:
        """Look up what is not known of the events' Datastreams and places. Raises LakouError."""
        details = self._groups.details
        for _ in range(3):
            version = details.version
            streams, places = self._groups.unknown(events)
            if not (streams or places):
                return
            found = await self._past.details(streams), await self._past.places(places)
            if details.version == version:  # else an entity has changed while we read
                details.learn(*found)

    async def _hand_out(self, upto: Position, *, lost: bool) -> None:
        woken = 0
        for group in self._groups:
            texts, group.events = group.events, []
            missed, group.is_lost = lost or group.is_lost, False
            if not (texts or missed):
                continue
            text = b"".join(texts)
            for listener in list(group.listeners):
                if missed:
                    listener.lose(upto)
                else:
                    listener.offer(text, len(texts), upto)
                woken += 1
                if woken % AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def _say_alive(self, upto: Position) -> None:
        """A comment, and the place reached: a client that saw no event for long goes on from here, not from then."""
        text = b"id: %s\n: alive\n\n" % upto.text().encode()
        now = asyncio.get_running_loop().time()
        for n, listener in enumerate([one for group in self._groups for one in group.listeners]):
            listener.check(now)
            if listener.is_quiet:
                listener.offer(text, 0, upto)
            listener.is_quiet = True
            if n % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)

    def _check_rights(self) -> None:
        """End the streams of revoked tokens; a client whose rights have changed goes to another group."""
        for listener in [one for one in self._listeners if one.authorization is not None]:
            before = listener.principal.reads
            if not self._rights(listener):
                self._groups.part(listener)
                if listener.sending_since:
                    listener.cut()
                listener.end()
            elif listener.principal.reads != before and self._groups.part(listener):
                self._groups.enter(listener)

    async def _admit(self, newcomers: list[tuple[Listener, asyncio.Future[None]]], upto: Position) -> None:
        """Let in those who waited: what they missed first, then all that comes."""
        for listener, joined in newcomers:
            if joined.done() or listener not in self._listeners:
                continue
            missed: list[Event] | None = []
            if listener.after is not None:
                # A place that this log has not reached is of another store, or of one that was restored.
                missed = None if listener.after > upto else self._recent.after(listener.after)
            if missed:
                await self._learn(missed)
            group = self._groups.enter(listener)
            if missed is None:
                listener.lose(upto)
            else:
                here = b"id: %s\n\n" % upto.text().encode()
                listener.backlog = [here, *reversed(self._groups.wanted_by(group, missed))]
            joined.set_result(None)
            self._joining.remove((listener, joined))
