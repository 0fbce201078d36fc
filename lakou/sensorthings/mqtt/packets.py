"""MQTT control packets: bytes ↔ frozen values, for 3.1.1 (level 4) and 5. Pure; every bad packet is a PacketError.

`frames` cuts a stream into packets without copying them; `decode` reads one. What a server never receives is
decoded too, for the tests and for clients. Source: OASIS MQTT 3.1.1 and MQTT 5.0, chapters 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lakou.sensorthings.mqtt import wire
from lakou.sensorthings.mqtt.reasons import PacketError, Reason
from lakou.sensorthings.mqtt.wire import Cursor, Properties

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = range(1, 12)
PINGREQ, PINGRESP, DISCONNECT, AUTH = 12, 13, 14, 15
V311, V5 = 4, 5


class Will(msgspec.Struct, frozen=True):
    """The message to publish when the connection ends without DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = {}


class Connect(msgspec.Struct, frozen=True):
    """`version` is 4 (3.1.1) or 5; `clean` is Clean Session or Clean Start."""

    version: int
    client_id: str
    clean: bool = True
    keep_alive: int = 0
    user: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = {}


class Connack(msgspec.Struct, frozen=True):
    session_present: bool
    reason: int
    properties: Properties = {}


class Publish(msgspec.Struct, frozen=True):
    """`packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    dup: bool = False
    properties: Properties = {}


class Ack(msgspec.Struct, frozen=True):
    """PUBACK, PUBREC, PUBREL or PUBCOMP, by `kind`."""

    kind: int
    packet_id: int
    reason: int = 0
    properties: Properties = {}


class Wish(msgspec.Struct, frozen=True):
    """One subscription in a SUBSCRIBE."""

    topic: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(msgspec.Struct, frozen=True):
    packet_id: int
    wishes: tuple[Wish, ...]
    properties: Properties = {}


class Unsubscribe(msgspec.Struct, frozen=True):
    packet_id: int
    topics: tuple[str, ...]
    properties: Properties = {}


class Suback(msgspec.Struct, frozen=True):
    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = {}


class Unsuback(msgspec.Struct, frozen=True):
    packet_id: int
    reasons: tuple[int, ...] = ()
    properties: Properties = {}


class Ping(msgspec.Struct, frozen=True):
    """PINGREQ, or PINGRESP."""

    response: bool = False


class Disconnect(msgspec.Struct, frozen=True):
    reason: int = 0
    properties: Properties = {}


class Auth(msgspec.Struct, frozen=True):
    reason: int = 0
    properties: Properties = {}


Packet = (
    Connect | Connack | Publish | Ack | Subscribe | Suback | Unsubscribe | Unsuback | Ping | Disconnect | Auth
)  # fmt: skip
Frame = tuple[int, int, int]
"""(first byte, start and end of the body) of a packet in a buffer."""


def frames(buffer: bytes | bytearray, limit: int) -> tuple[list[Frame], int]:
    """The whole packets in a buffer, and where the first that is not whole begins.

    Raises PacketError for a length that is malformed or makes a packet larger than `limit` bytes, as soon as its
    fixed header is there.
    """
    found: list[Frame] = []
    at, size = 0, len(buffer)
    while size - at >= 2:
        length = buffer[at + 1]
        start = at + 2
        if length >= 0x80:
            length &= 0x7F
            shift = 7
            while True:
                if start >= size:
                    return found, at
                digit = buffer[start]
                start += 1
                length |= (digit & 0x7F) << shift
                if digit < 0x80:
                    if not digit:
                        raise PacketError("A length is not in its shortest form")
                    break
                shift += 7
                if shift > 21:
                    raise PacketError("A length has more than four bytes")
        end = start + length
        if end - at > limit:
            raise PacketError(f"A packet is larger than {limit} bytes", Reason.TOO_LARGE)
        if end > size:
            break
        found.append((buffer[at], start, end))
        at = end
    return found, at


def size_of_first(buffer: bytes) -> int:
    """The size of the packet that a buffer begins with, 0 when its length is not whole yet."""
    length = shift = 0
    for at in range(1, min(len(buffer), 5)):
        length |= (buffer[at] & 0x7F) << shift
        shift += 7
        if buffer[at] < 0x80:
            return at + 1 + length
    return 0


def decode(buffer: bytes | bytearray, frame: Frame, version: int) -> Packet:
    """The packet of a frame; `version` is that of the connection (any number for CONNECT)."""
    first, start, end = frame
    kind = first >> 4
    if kind == PUBLISH:
        return decode_publish(buffer, frame, version)
    read = _READERS.get(kind)
    if read is None:
        raise PacketError("There is no packet of type 0")
    if first & 0x0F != (0x02 if kind in _FLAG_TWO else 0):
        raise PacketError("The flags of a packet are not those of its type")
    cursor = Cursor(buffer, start, end)
    packet = read(cursor, version, kind)
    if cursor.at != end:
        raise PacketError("A packet holds more than its type has")
    return packet


def decode_publish(buffer: bytes | bytearray, frame: Frame, version: int) -> Publish:
    """A PUBLISH (§3.3): the packet that comes by the thousand, read without a cursor where it is usual."""
    first, start, end = frame
    qos = first >> 1 & 3
    at = start + 2
    if at > end:
        raise PacketError("The packet ends inside a field")
    stop = at + (buffer[start] << 8 | buffer[start + 1])
    after = stop + 2 if qos else stop
    if after > end:
        raise PacketError("The packet ends inside a field")
    topic = wire.text_of(bytes(buffer[at:stop]))
    packet_id = 0
    if qos:
        packet_id = buffer[stop] << 8 | buffer[stop + 1]
        if qos == 3 or not packet_id:
            raise PacketError("A PUBLISH has QoS 3, or the packet identifier 0")
    elif first & 0x08:
        raise PacketError("A PUBLISH with QoS 0 cannot be a duplicate")
    properties: Properties = {}
    if version == V5:
        if after < end and not buffer[after]:
            after += 1
        else:
            cursor = Cursor(buffer, after, end)
            properties = wire.read_properties(cursor, PUBLISH)
            after = cursor.at
    payload = bytes(buffer[after:end])
    return Publish(topic, payload, qos, packet_id, bool(first & 1), bool(first & 8), properties)


# ── readers ──


def _connect(cursor: Cursor, _: int, kind: int) -> Connect:
    name, version, flags = cursor.binary(), cursor.byte(), cursor.byte()
    if (name, version) not in ((b"MQTT", V311), (b"MQTT", V5)):
        known = name in (b"MQTT", b"MQIsdp")
        raise PacketError("This is MQTT 3.1.1 and 5", Reason.UNSUPPORTED_VERSION if known else Reason.MALFORMED)
    will_qos, has_will = flags >> 3 & 3, bool(flags & 0x04)
    if flags & 1 or will_qos == 3 or (not has_will and flags & 0x38) or (version == V311 and flags & 0xC0 == 0x40):
        raise PacketError("The flags of CONNECT are not allowed")
    keep_alive = cursor.u16()
    properties = wire.read_properties(cursor, CONNECT) if version == V5 else {}
    client_id = cursor.text()
    will = None
    if has_will:
        more = wire.read_properties(cursor, wire.WILL) if version == V5 else {}
        will = Will(cursor.text(), cursor.binary(), will_qos, bool(flags & 0x20), more)
    user = cursor.text() if flags & 0x80 else None
    password = cursor.binary() if flags & 0x40 else None
    return Connect(version, client_id, bool(flags & 2), keep_alive, user, password, will, properties)


def _connack(cursor: Cursor, version: int, kind: int) -> Connack:
    flags, reason = cursor.byte(), cursor.byte()
    if flags > 1:
        raise PacketError("The flags of CONNACK are not allowed")
    return Connack(bool(flags), reason, wire.read_properties(cursor, CONNACK) if version == V5 else {})


def _ack(cursor: Cursor, version: int, kind: int) -> Ack:
    packet_id = _packet_id(cursor)
    if version != V5 or cursor.at == cursor.end:
        return Ack(kind, packet_id)
    reason = cursor.byte()
    return Ack(kind, packet_id, reason, wire.read_properties(cursor, kind) if cursor.at < cursor.end else {})


def _subscribe(cursor: Cursor, version: int, kind: int) -> Subscribe:
    packet_id = _packet_id(cursor)
    properties = wire.read_properties(cursor, SUBSCRIBE) if version == V5 else {}
    wishes = []
    while cursor.at < cursor.end:
        topic, options = cursor.text(), cursor.byte()
        if options & 3 == 3 or options >> 4 & 3 == 3 or options & (0xC0 if version == V5 else 0xFC):
            raise PacketError("The options of a subscription are not allowed")
        wishes.append(Wish(topic, options & 3, bool(options & 4), bool(options & 8), options >> 4 & 3))
    if not wishes:
        raise PacketError("A SUBSCRIBE names no topic", Reason.PROTOCOL_ERROR)
    return Subscribe(packet_id, tuple(wishes), properties)


def _suback(cursor: Cursor, version: int, kind: int) -> Suback:
    packet_id = _packet_id(cursor)
    properties = wire.read_properties(cursor, SUBACK) if version == V5 else {}
    return Suback(packet_id, tuple(cursor.take(cursor.end - cursor.at)), properties)


def _unsubscribe(cursor: Cursor, version: int, kind: int) -> Unsubscribe:
    packet_id = _packet_id(cursor)
    properties = wire.read_properties(cursor, 10) if version == V5 else {}
    topics = []
    while cursor.at < cursor.end:
        topics.append(cursor.text())
    if not topics:
        raise PacketError("An UNSUBSCRIBE names no topic", Reason.PROTOCOL_ERROR)
    return Unsubscribe(packet_id, tuple(topics), properties)


def _unsuback(cursor: Cursor, version: int, kind: int) -> Unsuback:
    packet_id = _packet_id(cursor)
    if version != V5:
        return Unsuback(packet_id)
    properties = wire.read_properties(cursor, UNSUBACK)
    return Unsuback(packet_id, tuple(cursor.take(cursor.end - cursor.at)), properties)


def _disconnect(cursor: Cursor, version: int, kind: int) -> Disconnect:
    if version != V5 or cursor.at == cursor.end:
        return Disconnect()
    reason = cursor.byte()
    return Disconnect(reason, wire.read_properties(cursor, DISCONNECT) if cursor.at < cursor.end else {})


def _auth(cursor: Cursor, version: int, kind: int) -> Auth:
    if version != V5:
        raise PacketError("AUTH is a packet of MQTT 5", Reason.PROTOCOL_ERROR)
    if cursor.at == cursor.end:
        return Auth()
    reason = cursor.byte()
    return Auth(reason, wire.read_properties(cursor, AUTH) if cursor.at < cursor.end else {})


def _packet_id(cursor: Cursor) -> int:
    found = cursor.u16()
    if not found:
        raise PacketError("A packet identifier is 0")
    return found


_FLAG_TWO = frozenset({PUBREL, SUBSCRIBE, UNSUBSCRIBE})
_READERS: dict[int, Callable[[Cursor, int, int], Packet]] = {
    CONNECT: _connect,
    CONNACK: _connack,
    **dict.fromkeys((PUBACK, PUBREC, PUBREL, PUBCOMP), _ack),
    SUBSCRIBE: _subscribe,
    SUBACK: _suback,
    UNSUBSCRIBE: _unsubscribe,
    UNSUBACK: _unsuback,
    PINGREQ: lambda cursor, version, kind: Ping(),
    PINGRESP: lambda cursor, version, kind: Ping(response=True),
    DISCONNECT: _disconnect,
    AUTH: _auth,
}


# ── writing ──


def encode(packet: Packet, version: int) -> bytes:
    """The bytes of a packet; properties are left out in 3.1.1."""
    kind, flags, body = _body(packet, version)
    return bytes((kind << 4 | flags,)) + wire.varint(len(body)) + body


def _body(packet: Packet, version: int) -> tuple[int, int, bytes]:
    def props(properties: Properties) -> bytes:
        return wire.write_properties(properties) if version == V5 else b""

    match packet:
        case Connect():
            return CONNECT, 0, _connect_body(packet)
        case Connack(session_present, reason, properties):
            return CONNACK, 0, bytes((session_present, reason)) + props(properties)
        case Publish():
            head = wire.text(packet.topic) + (packet.packet_id.to_bytes(2) if packet.qos else b"")
            flags = packet.dup << 3 | packet.qos << 1 | packet.retain
            return PUBLISH, flags, head + props(packet.properties) + packet.payload
        case Ack(kind, packet_id, reason, properties):
            return kind, 2 if kind == PUBREL else 0, packet_id.to_bytes(2) + _reasoned(reason, properties, version)
        case Subscribe(packet_id, wishes, properties):
            items = b"".join(wire.text(w.topic) + _options(w) for w in wishes)
            return SUBSCRIBE, 2, packet_id.to_bytes(2) + props(properties) + items
        case Suback(packet_id, reasons, properties):
            return SUBACK, 0, packet_id.to_bytes(2) + props(properties) + bytes(reasons)
        case Unsubscribe(packet_id, topics, properties):
            items = b"".join(wire.text(t) for t in topics)
            return UNSUBSCRIBE, 2, packet_id.to_bytes(2) + props(properties) + items
        case Unsuback(packet_id, reasons, properties):
            told = props(properties) + bytes(reasons) if version == V5 else b""
            return UNSUBACK, 0, packet_id.to_bytes(2) + told
        case Ping(response):
            return PINGRESP if response else PINGREQ, 0, b""
        case Disconnect(reason, properties):
            return DISCONNECT, 0, _reasoned(reason, properties, version)
        case Auth(reason, properties):
            return AUTH, 0, _reasoned(reason, properties, version)


def _reasoned(reason: int, properties: Properties, version: int) -> bytes:
    """A reason and properties, which MQTT 5 leaves out when there is nothing to say."""
    if version != V5 or (not reason and not properties):
        return b""
    return bytes((reason,)) + (wire.write_properties(properties) if properties else b"")


def _options(wish: Wish) -> bytes:
    return bytes((wish.qos | wish.no_local << 2 | wish.retain_as_published << 3 | wish.retain_handling << 4,))


def _connect_body(packet: Connect) -> bytes:
    will, flags = packet.will, packet.clean << 1
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
    flags |= (packet.user is not None) << 7 | (packet.password is not None) << 6
    out = wire.text("MQTT") + bytes((packet.version, flags)) + packet.keep_alive.to_bytes(2)
    more: Callable[[Any], bytes] = wire.write_properties if packet.version == V5 else lambda _: b""
    out += more(packet.properties) + wire.text(packet.client_id)
    if will is not None:
        out += more(will.properties) + wire.text(will.topic) + wire.binary(will.payload)
    out += b"" if packet.user is None else wire.text(packet.user)
    return out + (b"" if packet.password is None else wire.binary(packet.password))
