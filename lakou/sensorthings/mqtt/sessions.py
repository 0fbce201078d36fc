"""The state of a session that outlives a connection: subscriptions, messages on their way, packet identifiers.

A session belongs to (token, client id), so that nobody takes over the session of another credential. QoS 0 messages
are dropped for a client that does not read; QoS 1 messages wait in a bounded backlog, whose oldest are dropped, counted
and told (user property `lakou-missed` of the next message in MQTT 5). MQTT 5 §4.1, §4.4, §4.9.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import msgspec

from lakou.sensorthings.mqtt import wire
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.packets import PUBLISH, V5
from lakou.sensorthings.mqtt.subscriptions import Group, Index, Message
from lakou.sensorthings.mqtt.topics import Topic
from lakou.sensorthings.store.changes import Cursor

SessionKey = tuple[int, str]
WINDOW = 100
"""QoS 1 messages sent and not yet acknowledged, if the client allows as many."""
BACKLOG_BYTES = 8 * 1024 * 1024
MISSED = "lakou-missed"


class Line(Protocol):
    """The connection of a session, as far as messages need it."""

    version: int
    window: int
    largest: int

    @property
    def is_slow(self) -> bool: ...

    def send(self, data: bytes) -> None: ...


class Source:
    """Where a durable session's messages come from: an index that is told what the change log holds, in its order.

    Everything up to `position` was told; `telling` is the place of what is told now.
    """

    def __init__(self, position: Cursor) -> None:
        self.index = Index()
        self.position = position
        self.telling = position


class Subscription(msgspec.Struct):
    """One topic of a session: what was granted, its group while it is heard, and where that group stands.

    Of durable ones, `since` is the place in the change log from which on they hear, `seen` what was last told.
    """

    topic: Topic
    qos: int
    group: Group | None = None
    index: Index | None = None
    since: Cursor | None = None
    seen: bytes | None = None


class Waiting(msgspec.Struct):
    """A QoS 1 message that is sent or waits. `before` is the place in the change log to go back to for it."""

    message: Message
    before: Cursor | None


class Session:
    """See the module. `line` is None while nobody is connected; `source` is that of a durable session."""

    def __init__(self, key: SessionKey, counts: Counts, backlog: int) -> None:
        self.key = key
        self.line: Line | None = None
        self.expiry_s = 0
        self.subscriptions: dict[str, Subscription] = {}
        self.inflight: dict[int, Waiting] = {}
        self.received: dict[int, bool] = {}
        """QoS 2 packet identifiers that were taken and not yet released; True once the message is stored."""
        self.source: Source | None = None
        self.heard_until: Cursor | None = None
        """What the source tells up to here was heard already, from another source."""
        self.missed = 0
        self._counts = counts
        self._limit = backlog
        self._backlog: deque[Waiting] = deque()
        self._bytes = 0
        self._last_id = 0
        self._sent_before: Cursor | None = None
        self._sent: set[tuple[str, int]] = set()

    # ── from the index ──

    def offer(self, message: Message, qos: int) -> None:
        """Take a message for the client: send it, keep it, or drop it and count."""
        line = self.line
        if qos == 0:
            if line is None or line.is_slow or not self._send_plain(line, message):
                self._counts.dropped += 1
            return
        before = None
        if self.source is not None:
            if self._had(message, self.source):
                return
            before = self.source.position
        if line is not None and not self._backlog and len(self.inflight) < line.window and not line.is_slow:
            self._send(line, Waiting(message, before))
            return
        self._backlog.append(Waiting(message, before))
        self._bytes += message.size
        while len(self._backlog) > self._limit or self._bytes > BACKLOG_BYTES:
            self._bytes -= self._backlog.popleft().message.size
            self.lose(1)

    def _had(self, message: Message, source: Source) -> bool:
        """Whether this was told before: by another source, before the subscription, or in a commit told in part."""
        if self.heard_until is not None and source.telling <= self.heard_until:
            return True
        subscription = self.subscriptions.get(message.topic)
        if subscription is None or (subscription.since is not None and source.telling <= subscription.since):
            return True
        return source.position == self._sent_before and (message.topic, message.about) in self._sent

    def lose(self, number: int) -> None:
        """Note messages that the client will not get."""
        self.missed += number
        self._counts.dropped += number

    def _send_plain(self, line: Line, message: Message) -> bool:
        data = message.plain.get(line.version)
        if data is None:
            end = b"\0" if line.version == V5 else b""
            body = wire.text(message.topic) + end + message.payload
            data = message.plain[line.version] = bytes((PUBLISH << 4,)) + wire.varint(len(body)) + body
        if len(data) > line.largest:
            return False
        line.send(data)
        self._counts.sent += 1
        return True

    def _send(self, line: Line, waiting: Waiting) -> None:
        packet_id = self._free_id()
        data = self._packet(line, waiting.message, packet_id, dup=False)
        if len(data) > line.largest:
            self.lose(1)
            return
        self.inflight[packet_id] = waiting
        if waiting.before is not None:
            if waiting.before != self._sent_before:
                self._sent_before = waiting.before
                self._sent.clear()
            self._sent.add((waiting.message.topic, waiting.message.about))
        line.send(data)
        self._counts.sent += 1

    def _packet(self, line: Line, message: Message, packet_id: int, *, dup: bool) -> bytes:
        more = b""
        if line.version == V5:
            told, self.missed = self.missed, 0
            more = wire.write_properties({"user_property": [(MISSED, str(told))]} if told else {})
        body = wire.text(message.topic) + packet_id.to_bytes(2) + more + message.payload
        return bytes((PUBLISH << 4 | 2 | dup << 3,)) + wire.varint(len(body)) + body

    def _free_id(self) -> int:
        found = self._last_id
        while True:
            found = found % 0xFFFF + 1
            if found not in self.inflight:
                self._last_id = found
                return found

    # ── from the client ──

    def acknowledged(self, packet_id: int) -> bool:
        """The client has a message; the next ones may go. False for an identifier that is not on its way."""
        known = self.inflight.pop(packet_id, None) is not None
        self.pump()
        return known

    def pump(self) -> None:
        """Send what waits, as far as the client's window and its reading allow."""
        line = self.line
        if line is None:
            return
        while self._backlog and len(self.inflight) < line.window and not line.is_slow:
            waiting = self._backlog.popleft()
            self._bytes -= waiting.message.size
            self._send(line, waiting)

    def resume(self, line: Line) -> None:
        """Go on over a new connection: first what was not acknowledged, again, then what waited."""
        self.line = line
        for packet_id in reversed(list(self.inflight)[line.window :]):  # this connection takes fewer at once
            waiting = self.inflight.pop(packet_id)
            self._backlog.appendleft(waiting)
            self._bytes += waiting.message.size
        for packet_id, waiting in self.inflight.items():
            line.send(self._packet(line, waiting.message, packet_id, dup=True))
        self.pump()

    # ── durable sessions ──

    def safe_place(self) -> Cursor | None:
        """The place in the change log from which nothing that is unacknowledged would be missed."""
        if self.inflight:
            return next(iter(self.inflight.values())).before
        return self.unsent_place()

    def unsent_place(self) -> Cursor | None:
        """The place in the change log from which nothing that was not sent would be missed."""
        if self._backlog:
            return self._backlog[0].before
        return None if self.source is None else self.source.position

    def drop_backlog(self) -> None:
        """Forget what waits: it is read again from the change log."""
        self._backlog.clear()
        self._bytes = 0

    @property
    def waiting(self) -> int:
        return len(self._backlog)
