"""One connection: framing, the order of packets, keep-alive; everything else is asked of `endpoint` and `publishing`.

The same object serves TCP and WebSocket. CONNECT, SUBSCRIBE and UNSUBSCRIBE may need the store and are done one after
another in a task; nothing is read before CONNACK. Source: MQTT 3.1.1 and 5.0, chapter 3.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from lakou.kernel.errors import LakouError, TooManyRequests
from lakou.sensorthings.access import ANONYMOUS, Principal
from lakou.sensorthings.mqtt import packets, wire
from lakou.sensorthings.mqtt.packets import (
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    V5,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from lakou.sensorthings.mqtt.publishing import Publishing
from lakou.sensorthings.mqtt.reasons import PacketError, Reason, connack_311
from lakou.sensorthings.mqtt.sessions import WINDOW, Session

if TYPE_CHECKING:
    from lakou.sensorthings.mqtt.endpoint import Endpoint

log = logging.getLogger(__name__)

CONNECT_S = 10.0
CONNECT_BYTES = 80_000
PACKET_S = 30.0
"""A packet that has begun must be whole by then."""
RECEIVE_MAXIMUM = 100
MOST_DUE = 1_000
"""3.1.1 and QoS 0 know no Receive Maximum: above this a connection is not read until the store has caught up."""
VANISHED_S = 120
HIGH_WATER = 256 * 1024
MOST_AT_ONCE = 4 * 1024 * 1024
"""So much may be sent in one turn of the loop; above it a client is slow."""
CHORES = 100
_PONG = b"\xd0\x00"
_ALREADY = {PUBREC: b"\x50\x02", PUBCOMP: b"\x70\x02"}


class Client(asyncio.Protocol):
    """See the module. `session` is None until CONNECT was accepted."""

    def __init__(self, endpoint: Endpoint, base: str | None = None) -> None:
        self.endpoint = endpoint
        self.base = base
        self.version = packets.V311
        self.principal: Principal = ANONYMOUS
        self.authorization: str | None = None
        self.address: str | None = None
        self.reached = "127.0.0.1"
        self.session: Session | None = None
        self.connect: Connect | None = None
        self.window = WINDOW
        self.largest = wire.MAX_VARINT
        self.tells_problems = True
        self.limited = False
        self.closed = False
        self.publishing = Publishing(endpoint.service, self, endpoint.counts)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._have = self._need = 0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._writing = self._full = False
        self._held: set[str] = set()
        self._chores: deque[Coroutine[Any, Any, None]] = deque()
        self._chore: asyncio.Task[None] | None = None
        self._opened = self._heard = monotonic()
        self._partial: float | None = None
        self._slow_since = 0.0
        self._keep_alive = 0.0
        self._will_due = True

    # ── the transport ──

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if peer else None
        opened = transport.get_extra_info("socket")
        if opened is not None:  # a peer that vanished is noticed, also without keep-alive of its own
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, VANISHED_S)
        local = transport.get_extra_info("sockname")
        if local:
            self.reached = f"[{local[0]}]" if ":" in local[0] else local[0]
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        if not self.endpoint.opened(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for chore in self._chores:
            chore.close()
        self._chores.clear()
        self.endpoint.gone(self, with_will=self._will_due)

    def pause_writing(self) -> None:
        self._full = True
        self._slow_since = monotonic()
        self.hold("slow", True)

    def resume_writing(self) -> None:
        self._full = False
        self.hold("slow", False)
        if self.session is not None and self.session.line is self:
            self.session.pump()

    def send(self, data: bytes) -> None:
        """Write at the end of this turn of the loop, with what else is to be written."""
        self._out.append(data)
        self._out_bytes += len(data)
        if not self._writing:
            self._writing = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._writing = False
        out, self._out = self._out, []
        self._out_bytes = 0
        if out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))
            if self.session is not None and self.session.waiting:
                self.session.pump()

    @property
    def is_slow(self) -> bool:
        """Whether what is to be sent piles up here."""
        return self._full or self._out_bytes > MOST_AT_ONCE

    def hold(self, why: str, on: bool) -> None:
        """Stop reading for a reason, or go on when it was the last one."""
        if self._transport is None or self.closed or on is (why in self._held) or self._transport.is_closing():
            return
        if on:
            self._held.add(why)
            self._transport.pause_reading()
            return
        self._held.discard(why)
        if not self._held:
            self._heard = monotonic()  # its silence was ours
            self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._parts and not self._held:
            self._need = 0
            self.data_received(b"")

    def close(self, reason: Reason | None = None, message: str = "") -> None:
        """End the connection; MQTT 5 is told why."""
        if self.closed or self._transport is None:
            return
        if reason is not None and self.version == V5 and self.session is not None:
            told = {"reason_string": message} if message and self.tells_problems else {}
            self._out.append(packets.encode(Disconnect(reason, told), V5))
        self._write()
        self.closed = True
        self._transport.close()

    # ── reading ──

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        self._heard = monotonic()
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._need:
            return  # joined once it is whole, however many pieces it comes in
        buffer = data if len(self._parts) == 1 else b"".join(self._parts)
        done = 0
        try:
            found, end = packets.frames(buffer, self._limit(buffer))
            for frame in found:
                if self._held or self.closed:
                    break
                self._packet(buffer, frame)
                done = frame[2]
            else:
                done = end
        except PacketError as error:
            self.publishing.submit()
            self._refused(error)
            return
        self.publishing.submit()
        self._keep(buffer[done:] if done else buffer, moved=done > 0)

    def _limit(self, buffer: bytes) -> int:
        """The largest packet; strangers get the room of a CONNECT, and only when they begin with one."""
        limit = self.endpoint.limits.mqtt_packet_bytes
        if self.connect is not None:
            return limit
        if buffer and buffer[0] != packets.CONNECT << 4:
            raise PacketError("The first packet is a CONNECT", Reason.PROTOCOL_ERROR)
        return min(limit, CONNECT_BYTES)

    def _keep(self, rest: bytes, *, moved: bool) -> None:
        """Keep what is not a whole packet yet, or may not be read now."""
        self._parts = [rest] if rest else []
        self._have = len(rest)
        self._need = 0 if self._held else packets.size_of_first(rest)
        if not rest or self._held:
            self._partial = None
        elif moved or self._partial is None:
            self._partial = self._heard

    def _packet(self, buffer: bytes, frame: packets.Frame) -> None:
        if self.session is None:
            packet = packets.decode(buffer, frame, self.version)
            if not isinstance(packet, Connect) or self.connect is not None:
                raise PacketError("The first packet is a CONNECT, and there is only one", Reason.PROTOCOL_ERROR)
            self.connect, self.version = packet, packet.version
            self.hold("connecting", True)
            self._do(self.endpoint.admit(self, packet))
        elif frame[0] >> 4 == PUBLISH:
            self._publish(packets.decode_publish(buffer, frame, self.version))
        else:
            self._control(packets.decode(buffer, frame, self.version))

    def _refused(self, error: PacketError) -> None:
        self.endpoint.counts.turned_away += 1
        log.info("%s at %s: the connection ends: %s", self.principal.name, self.address, error.message)
        if self.session is None and error.reason is Reason.UNSUPPORTED_VERSION:
            self.refuse(error.reason)
            return
        self.close(error.reason, error.message)

    def _publish(self, packet: Publish) -> None:
        session = self.session
        assert session is not None  # noqa: S101  the caller checked
        if self.limited:
            self._check_rate()
        if self.version == V5:
            self._check_v5(packet)
        if not packet.topic or "#" in packet.topic or "+" in packet.topic:
            raise PacketError("A topic name has no wildcards and is not empty", Reason.TOPIC_NAME_INVALID)
        if packet.qos == 2:
            stored = session.received.get(packet.packet_id)
            if stored is not None:
                if stored:
                    self.send(_ALREADY[PUBREC] + packet.packet_id.to_bytes(2))
                return
            session.received[packet.packet_id] = False
        publishing = self.publishing
        publishing.publish(packet)
        if self.version == V5 and publishing.unacknowledged + len(session.received) > RECEIVE_MAXIMUM:
            raise PacketError(f"More than {RECEIVE_MAXIMUM} messages at once", Reason.RECEIVE_MAXIMUM)
        if publishing.due >= MOST_DUE:
            self.hold("behind", True)
            publishing.flushed = self._caught_up

    def _check_v5(self, packet: Publish) -> None:
        if packet.retain:
            raise PacketError("Nothing is retained here", Reason.RETAIN_UNSUPPORTED)
        if "topic_alias" in packet.properties:
            raise PacketError("There are no topic aliases here", Reason.TOPIC_ALIAS_INVALID)
        if "subscription_identifier" in packet.properties:
            raise PacketError("A client sends no subscription identifier", Reason.PROTOCOL_ERROR)

    def _check_rate(self) -> None:
        """Above its rate a device is read more slowly: nothing is lost, its own queue fills (trust R3)."""
        try:
            self.endpoint.service.rates.check(self.principal, self.address, monotonic())
        except TooManyRequests as error:
            self.hold("rate", True)
            asyncio.get_running_loop().call_later(error.retry_after_s, self.hold, "rate", False)

    def _caught_up(self) -> None:
        if self.publishing.due <= MOST_DUE // 2:
            self.publishing.flushed = None
            self.hold("behind", False)

    def _control(self, packet: Packet) -> None:
        session = self.session
        assert session is not None  # noqa: S101  the caller checked
        match packet:
            case Ack(kind=kind, packet_id=packet_id):
                if kind == PUBACK:
                    session.acknowledged(packet_id)
                elif kind == PUBREL:
                    known = session.received.pop(packet_id, None) is not None
                    reason = 0 if known or self.version != V5 else Reason.PACKET_ID_UNKNOWN
                    self.send(packets.encode(Ack(PUBCOMP, packet_id, reason), self.version))
                else:
                    raise PacketError("Nothing is sent with QoS 2 here", Reason.PROTOCOL_ERROR)
            case Ping(response=False):
                self.send(_PONG)
            case Subscribe():
                self._do(self._subscribe(session, packet))
            case Unsubscribe():
                self._do(self._unsubscribe(session, packet))
            case Disconnect():
                self._disconnect(session, packet)
            case _:
                raise PacketError("A client does not send this packet", Reason.PROTOCOL_ERROR)

    def _disconnect(self, session: Session, packet: Disconnect) -> None:
        self._will_due = packet.reason == Reason.DISCONNECT_WITH_WILL
        expiry = packet.properties.get("session_expiry")
        if expiry is not None:
            if expiry and not session.expiry_s:
                raise PacketError("A session that ends with its connection stays so", Reason.PROTOCOL_ERROR)
            session.expiry_s = min(expiry, self.endpoint.limits.mqtt_session_s)
        self.close()

    # ── what may need the store ──

    def _do(self, chore: Coroutine[Any, Any, None]) -> None:
        if len(self._chores) >= CHORES:
            chore.close()
            raise PacketError("Too many subscriptions are under way", Reason.QUOTA)
        self._chores.append(chore)
        if self._chore is None:
            self._chore = asyncio.create_task(self._work_off(), name="lakou-mqtt-chore")

    async def _work_off(self) -> None:
        try:
            while self._chores and not self.closed:
                await self._chores.popleft()
        except LakouError as error:
            log.warning("%s: the store does not answer: %s", self.principal.name, error.message)
            if self.session is None:
                self.refuse(Reason.SERVER_UNAVAILABLE, "The store does not answer")
            else:
                self.lost_store()
        except Exception:  # the edge: a fault is logged whole and ends this connection only
            log.exception("A connection failed")
            self.close(Reason.UNSPECIFIED)
        finally:
            self._chore = None

    def accept(self, session: Session, connack: Connack, keep_alive: int) -> None:
        """The CONNECT is accepted: CONNACK first, then what the session has, then what was sent meanwhile."""
        self.session = session
        self._keep_alive = keep_alive * 1.5
        self.send(packets.encode(connack, self.version))
        session.resume(self)
        self.hold("connecting", False)

    def refuse(self, reason: Reason, message: str = "") -> None:
        """The CONNECT is refused."""
        if self.version == V5:
            told = {"reason_string": message} if message else {}
            self._out.append(packets.encode(Connack(False, reason, told), V5))
        else:
            self._out.append(packets.encode(Connack(False, connack_311(reason)), self.version))
        self.close()

    async def _subscribe(self, session: Session, packet: Subscribe) -> None:
        if "subscription_identifier" in packet.properties:
            self.close(Reason.IDENTIFIERS_UNSUPPORTED, "There are no subscription identifiers here")
            return
        reasons, message = await self.endpoint.subscribe(self, session, packet.wishes)
        told = {"reason_string": message[:500]} if message and self.tells_problems else {}
        if self.version != V5:
            reasons = [min(reason, 0x80) for reason in reasons]
        self.send(packets.encode(Suback(packet.packet_id, tuple(reasons), told), self.version))

    async def _unsubscribe(self, session: Session, packet: Unsubscribe) -> None:
        reasons = await self.endpoint.unsubscribe(session, packet.topics)
        self.send(packets.encode(Unsuback(packet.packet_id, tuple(reasons)), self.version))

    # ── for publishing ──

    def recorded(self, packet_id: int, *, taken: bool) -> None:
        if self.session is not None:
            if taken:
                self.session.received[packet_id] = True
            else:
                self.session.received.pop(packet_id, None)

    def lost_store(self) -> None:
        self.close(Reason.SERVER_UNAVAILABLE, "The store does not answer")

    # ── time ──

    def check(self, now: float) -> None:
        """Called twice a second: end what is too slow or silent, and what may not be here any more."""
        if self.closed:
            if self._transport is not None and now - self._heard > PACKET_S:
                self._transport.abort()
            return
        if self.session is None:
            if now - self._opened > CONNECT_S:
                self.close()
            return
        self._check_right()
        if self._full and now - self._slow_since > PACKET_S and self._transport is not None:
            self._transport.abort()
        elif self._keep_alive and now - self._heard > self._keep_alive and not self._held:
            self.close(Reason.KEEP_ALIVE)
        elif self._partial is not None and now - self._partial > PACKET_S:
            self.close(Reason.KEEP_ALIVE, "A packet took too long")

    def _check_right(self) -> None:
        if self.authorization is None:
            return
        try:
            principal = self.endpoint.service.authority.principal(self.authorization)
        except LakouError:
            self._will_due = False
            self.close(Reason.NOT_AUTHORISED, "The token was revoked")
            return
        if principal is not self.principal and principal != self.principal:
            self.principal = principal
            if self.session is not None:
                self.endpoint.move(self, self.session)
