"""All MQTT connections of a process: who may connect, which session is whose, who is subscribed to what.

The listener is opened by `server`; WebSocket connections come through `websocket`. Credentials are asked again twice a
second, so that a revoked token ends its connections within a second (trust R7).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from lakou.kernel.errors import LakouError
from lakou.sensorthings.access import ANONYMOUS, Principal
from lakou.sensorthings.mqtt import admission, topics, wire
from lakou.sensorthings.mqtt.admission import Refused, Room
from lakou.sensorthings.mqtt.client import RECEIVE_MAXIMUM, Client
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.durable import Durable
from lakou.sensorthings.mqtt.notify import Notifier
from lakou.sensorthings.mqtt.packets import V5, Connack, Connect, Wish
from lakou.sensorthings.mqtt.reasons import Reason
from lakou.sensorthings.mqtt.sessions import WINDOW, Session, SessionKey, Subscription
from lakou.sensorthings.mqtt.subscriptions import Group, Index, key_of, needs_first
from lakou.sensorthings.mqtt.topics import Topic, TopicError
from lakou.sensorthings.mqtt.wills import Wills
from lakou.sensorthings.rates import network
from lakou.sensorthings.store.changes import Cursor

if TYPE_CHECKING:
    from lakou.sensorthings.service import Service

log = logging.getLogger(__name__)

CHECK_S = 0.5
DRAIN_S = 5.0
BACKLOG = 1024
TOPICS_AT_ONCE = 10
BEGIN_S = 2.0
LONGEST_KEEP_ALIVE_S = 3_600


class Endpoint:
    """See the module."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.limits = service.limits
        self.counts = Counts()
        self.port: int | None = None
        self.notifier = Notifier(Index(), service.readers, self.limits)
        self.durable = Durable(service, self.counts, self._taken_over)
        self.sessions: dict[SessionKey, Session] = {}
        self._clients: set[Client] = set()
        self._room = Room(self.limits)
        self._gone_at: dict[SessionKey, float] = {}
        self._wills = Wills(service, self.counts)
        self._http_port = 80
        self._server: asyncio.Server | None = None
        self._checking: asyncio.Task[None] | None = None
        self._following: list[Callable[[], None]] = []
        self._admitting = asyncio.Lock()
        self._cleaning: set[asyncio.Task[None]] = set()
        self.stopping = False

    # ── life ──

    async def start(self, listener: socket.socket, http_port: int) -> None:
        """Serve the connections of a bound socket; `http_port` is where the links in messages lead."""
        loop = asyncio.get_running_loop()
        self.stopping = False
        self.port = listener.getsockname()[1]
        self._http_port = http_port
        feed = self.service.feed
        self._following = [
            feed.follow(self.notifier.commit, self.notifier.asks),
            feed.follow(self.durable.commit, self.durable.asks),
        ]
        self.durable.start()
        self._server = await loop.create_server(lambda: Client(self), sock=listener, backlog=BACKLOG)
        self._checking = asyncio.create_task(self._check(), name="lakou-mqtt-check")

    async def stop(self) -> None:
        """Take nothing more, acknowledge what is under way, tell every client, and close."""
        if self._server is None:
            return
        self.stopping = True
        self._server.close()
        for client in self._clients:
            client.hold("stopping", True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                for client in list(self._clients):
                    await client.publishing.settled()
        if self._checking is not None:
            self._checking.cancel()
        self._wills.stop()
        for client in list(self._clients):
            client.close(Reason.SHUTTING_DOWN)
            self.gone(client, with_will=False)
        for end in self._following:
            end()
        await self.notifier.stop()
        await asyncio.gather(*self._cleaning, return_exceptions=True)
        await self.durable.stop()
        self._server = None
        self.port = None

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            now = monotonic()
            for client in list(self._clients):
                client.check(now)
            for key, gone in list(self._gone_at.items()):
                session = self.sessions.get(key)
                if session is None or now - gone > session.expiry_s:
                    self._forget(key)

    # ── connections ──

    def opened(self, client: Client) -> bool:
        """A connection is there; False when there are too many."""
        if self.stopping or len(self._clients) >= self.limits.mqtt_connections:
            self.counts.turned_away += 1
            return False
        self._clients.add(client)
        self.counts.connections += 1
        return True

    def gone(self, client: Client, *, with_will: bool) -> None:
        """A connection has ended."""
        if client not in self._clients:
            return
        self._clients.discard(client)
        self.counts.connections -= 1
        self._room.leave(client)
        session = client.session
        if session is None:
            return
        will = client.connect.will if client.connect is not None else None
        if will is not None and with_will and not self.stopping:
            goes_on = session.line is not None and session.line is not client
            self._wills.arm(client.principal, session, will, goes_on=goes_on)
        if session.line is client:
            self._leave(session)

    def _leave(self, session: Session) -> None:
        """Nobody is connected to a session any more."""
        session.line = None
        if not session.expiry_s:
            stored = bool(session.key[0]) and any(s.since is not None for s in session.subscriptions.values())
            self._forget(session.key)
            if stored:
                self._clean_up(session.key)
            return
        self.durable.leave(session)
        self._gone_at[session.key] = monotonic()

    def _clean_up(self, key: SessionKey) -> None:
        async def run() -> None:
            with contextlib.suppress(LakouError):  # it ends by itself when its time is over
                await self.durable.forget(key)

        task = asyncio.get_running_loop().create_task(run(), name="lakou-mqtt-forget")
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    def _forget(self, key: SessionKey) -> None:
        """Remove a session from memory."""
        self._gone_at.pop(key, None)
        session = self.sessions.pop(key, None)
        if session is not None:
            self.durable.leave(session)
            session.subscriptions.clear()

    def _taken_over(self, session: Session) -> None:
        """A session goes on over another connection, here or in another process."""
        line = session.line
        session.line = None
        self.durable.leave(session)
        if isinstance(line, Client):
            line.close(Reason.TAKEN_OVER, "The session goes on over another connection")

    # ── CONNECT ──

    async def admit(self, client: Client, packet: Connect) -> None:
        """Answer a CONNECT: check the credential, find or make the session, take it over."""
        try:
            client.principal, client.authorization = admission.check(self.service.authority, packet)
            if not self._room.enter(client):
                raise Refused(Reason.QUOTA if packet.version == V5 else Reason.SERVER_BUSY, "Too many connections")
        except Refused as refused:
            self.counts.turned_away += 1
            if refused.stranger is not None:
                self.service.note_stranger(refused.stranger, client.address, "mqtt")
            client.principal, client.authorization = ANONYMOUS, None
            client.refuse(refused.reason, refused.message)
            return
        rates = self.limits.rate_device if client.principal.role == "device" else self.limits.rate_signed
        client.limited = rates > 0 and client.address is not None and network(client.address) is not None
        assigned = "" if packet.client_id else "lakou-" + secrets.token_hex(8)
        key: SessionKey = (client.principal.id, packet.client_id or assigned)
        if client.principal is ANONYMOUS:
            key = (0, secrets.token_hex(16))  # without a credential nothing says that it is the same client
        async with self._admitting:
            session, place = await self._session(key, clean=packet.clean)
            if client.closed:
                self._gone_at[key] = monotonic()
                return
            present = session is not None
            if session is None:
                session = self.sessions[key] = Session(key, self.counts, self.limits.mqtt_backlog)
            self._accept(client, packet, session, present, assigned)
        base = self.base_of(client)
        for subscription in session.subscriptions.values():
            if not (subscription.qos and session.expiry_s):
                await self._hear(session, subscription, client.principal, base)
        if place is not None:
            self.durable.resume(session, place, client.principal, base)

    async def _session(self, key: SessionKey, *, clean: bool) -> tuple[Session | None, Cursor | None]:
        """The session with this key if it goes on, and its place in the change log; an older connection is ended."""
        self._wills.cancel(key)
        known = self.sessions.get(key)
        if known is not None and known.line is not None:
            self._taken_over(known)
        place: Cursor | None = None
        if clean and known is not None:
            self._forget(key)
            known = None
        if key[0] and await self.durable.is_stored(key):
            if clean:
                await self.durable.forget(key)
            elif (found := await self.durable.claim(key, known)) is not None:
                known, place = found
                if not any(subscription.qos for subscription in known.subscriptions.values()):
                    place = None
        if known is not None:
            self.sessions[key] = known
        self._gone_at.pop(key, None)
        return known, place

    def _accept(self, client: Client, packet: Connect, session: Session, present: bool, assigned: str) -> None:
        client.window = min(packet.properties.get("receive_maximum", 0xFFFF), WINDOW)
        client.largest = packet.properties.get("maximum_packet_size", wire.MAX_VARINT)
        client.tells_problems = bool(packet.properties.get("request_problem", 1))
        wanted = packet.properties.get("session_expiry", 0) if packet.version == V5 else 0 if packet.clean else 2**32
        session.expiry_s = 0 if client.principal is ANONYMOUS else min(wanted, self.limits.mqtt_session_s)
        keep_alive = packet.keep_alive
        told: wire.Properties = {}
        if packet.version == V5:
            told = {
                "session_expiry": session.expiry_s,
                "receive_maximum": RECEIVE_MAXIMUM,
                "retain_available": 0,
                "maximum_packet_size": self.limits.mqtt_packet_bytes,
                "wildcard_available": 0,
                "identifiers_available": 0,
                "shared_available": 0,
            }
            if not keep_alive or keep_alive > LONGEST_KEEP_ALIVE_S:
                keep_alive = told["server_keep_alive"] = LONGEST_KEEP_ALIVE_S
            if assigned:
                told["assigned_client_id"] = assigned
        client.accept(session, Connack(present, 0, told), keep_alive)

    # ── SUBSCRIBE ──

    def base_of(self, client: Client) -> str:
        """The service root in the links of a client's messages: as set, else as this client reached the machine."""
        if self.service.config.base_url is not None:
            return self.service.config.base_url.rstrip("/") + "/sta/v1.1"
        return client.base or f"http://{client.reached}:{self._http_port}/sta/v1.1"

    async def subscribe(self, client: Client, session: Session, wishes: tuple[Wish, ...]) -> tuple[list[int], str]:
        """Subscribe a session; the reason for each wish, and words for the first refusal."""
        reasons: list[int] = []
        message = ""
        for number, wish in enumerate(wishes):
            if number % TOPICS_AT_ONCE == 0:
                await asyncio.sleep(0)  # others have their turn
            try:
                topic = topics.read_filter(wish.topic, self.limits)
                self._check_number(session, topic)
                await self._join(client, session, topic, min(wish.qos, 1))
                reasons.append(min(wish.qos, 1))
            except TopicError as error:
                reasons.append(error.reason)
                message = message or error.message
        return reasons, message

    def _check_number(self, session: Session, topic: Topic) -> None:
        known, limits = session.subscriptions, self.limits
        if topic.text in known:
            return
        if len(known) >= limits.mqtt_topics:
            raise TopicError(Reason.QUOTA, f"A session has at most {limits.mqtt_topics} topics")
        if topic.asks and sum(subscription.topic.asks for subscription in known.values()) >= limits.mqtt_queries:
            raise TopicError(Reason.QUOTA, f"A session has at most {limits.mqtt_queries} topics that need a query")

    async def _join(self, client: Client, session: Session, topic: Topic, qos: int) -> None:
        before = session.subscriptions.get(topic.text)
        subscription = Subscription(topic, qos)
        if session.expiry_s:
            subscription.group, subscription.index = (None, None) if before is None else (before.group, before.index)
            session.subscriptions[topic.text] = subscription
            await self.durable.subscribe(session, subscription, client.principal, self.base_of(client))
        if qos and session.expiry_s:
            return
        await self._hear(session, subscription, client.principal, self.base_of(client))
        if client.closed:
            self._unhear(session, subscription)
            return
        if before is not None and before is not subscription and before.group is not subscription.group:
            self._unhear(session, before)
        session.subscriptions[topic.text] = subscription

    async def _hear(self, session: Session, subscription: Subscription, principal: Principal, base: str) -> None:
        """Let a session hear what is committed from now on, in the group of its topic and rights."""
        index = self.notifier.index
        topic = subscription.topic
        group = index.groups.get(key_of(topic, principal, base))
        if group is None:
            group = Group(topic, principal, base, self.limits)
            group.since = await self.notifier.end()
            if needs_first(topic):
                await self.notifier.first(group)
            group = index.groups.get(group.key, group)
        self._unhear(session, subscription)
        asked = index.asked
        index.join(group, session, subscription.qos)
        subscription.group, subscription.index = group, index
        if index.asked != asked and not self.service.feed.is_steady:
            await self._begin()

    async def _begin(self) -> None:
        """Wait until commits are told from now on, so that the answer to SUBSCRIBE promises nothing too early."""
        begun = self.notifier.begun
        begun.clear()
        self.service.feed.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_S):
                await begun.wait()

    def _unhear(self, session: Session, subscription: Subscription) -> None:
        if subscription.group is not None and subscription.index is not None:
            subscription.index.leave(subscription.group, session)
            subscription.group = subscription.index = None

    async def unsubscribe(self, session: Session, texts: tuple[str, ...]) -> list[int]:
        """End subscriptions; a reason for each."""
        reasons: list[int] = []
        for text in texts:
            found = session.subscriptions.pop(text, None)
            if found is not None:
                self._unhear(session, found)
                if found.since is not None:
                    await self.durable.unsubscribe(session, text)
            reasons.append(Reason.NO_SUBSCRIPTION if found is None else Reason.SUCCESS)
        return reasons

    def move(self, client: Client, session: Session) -> None:
        """The rights of a client have changed: its subscriptions move to groups with the new ones."""
        log.info("%s: the rights have changed", client.principal.name)
        base = self.base_of(client)
        for subscription in session.subscriptions.values():
            index = subscription.index
            if index is None:
                continue
            key = key_of(subscription.topic, client.principal, base)
            group = index.groups.get(key)
            if group is None:
                group = Group(subscription.topic, client.principal, base, self.limits)
                group.seen = None if subscription.group is None else subscription.group.seen
            self._unhear(session, subscription)
            index.join(group, session, subscription.qos)
            subscription.group, subscription.index = group, index
