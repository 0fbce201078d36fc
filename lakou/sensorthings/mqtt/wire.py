"""The data types of MQTT (MQTT 5 §1.5) and its table of properties (§2.2.2): bytes ↔ Python values.

A `Cursor` walks over one packet's bytes and refuses to go past its end. Texts are UTF-8 without U+0000.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lakou.sensorthings.mqtt.reasons import PacketError, Reason

MAX_VARINT = 268_435_455
Properties = dict[str, Any]
"""Properties by name; `user_property` holds a list of pairs, `subscription_identifier` a list of numbers."""


class Cursor:
    """A reading position inside one packet."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes | bytearray, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    def take(self, size: int) -> bytes:
        """The next bytes; raises PacketError when the packet has not so many."""
        start, stop = self.at, self.at + size
        if stop > self.end:
            raise PacketError("The packet ends inside a field")
        self.at = stop
        return bytes(self.data[start:stop])

    def byte(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2))

    def u32(self) -> int:
        return int.from_bytes(self.take(4))

    def varint(self) -> int:
        """A variable byte integer in its shortest form (§1.5.5)."""
        value = shift = 0
        while True:
            digit = self.byte()
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                if shift and not digit:
                    raise PacketError("A length is not in its shortest form")
                return value
            shift += 7
            if shift > 21:
                raise PacketError("A length has more than four bytes")

    def binary(self) -> bytes:
        return self.take(self.u16())

    def text(self) -> str:
        return text_of(self.binary())

    def pair(self) -> tuple[str, str]:
        return self.text(), self.text()


def text_of(raw: bytes) -> str:
    """The text of UTF-8 bytes; raises PacketError for other bytes and for U+0000 (§1.5.4)."""
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        raise PacketError("A text is not UTF-8") from None
    if "\0" in found:
        raise PacketError("A text holds the character U+0000")
    return found


def varint(value: int) -> bytes:
    """A variable byte integer."""
    if value < 0x80:
        return bytes((value,))
    if value > MAX_VARINT:
        raise PacketError("A packet is larger than MQTT can say", Reason.TOO_LARGE)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def binary(value: bytes) -> bytes:
    if len(value) > 0xFFFF:
        raise PacketError("A field is longer than 65,535 bytes", Reason.TOO_LARGE)
    return len(value).to_bytes(2) + value


def text(value: str) -> bytes:
    return binary(value.encode())


class Type(NamedTuple):
    """How a property's value is read and written."""

    read: Callable[[Cursor], Any]
    write: Callable[[Any], bytes]


BYTE = Type(Cursor.byte, lambda v: v.to_bytes(1))
U16 = Type(Cursor.u16, lambda v: v.to_bytes(2))
U32 = Type(Cursor.u32, lambda v: v.to_bytes(4))
VARINT = Type(Cursor.varint, varint)
TEXT = Type(Cursor.text, text)
BINARY = Type(Cursor.binary, binary)
PAIR = Type(Cursor.pair, lambda v: text(v[0]) + text(v[1]))

WILL = 0
"""Where the properties of a will stand; other places are numbers of packet types."""
_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _DISCONNECT, _AUTH = 1, 2, 3, 8, 14, 15
_ACKS = (4, 5, 6, 7, 9, 11)


class Property(NamedTuple):
    """One property: its number, name, type, the packets that may hold it, and whether several times."""

    id: int
    name: str
    type: Type
    packets: frozenset[int]
    repeated: bool = False


def _property(id_: int, name: str, type_: Type, *packets: int, repeated: bool = False) -> Property:
    return Property(id_, name, type_, frozenset(packets), repeated)


PROPERTIES: tuple[Property, ...] = (
    _property(0x01, "payload_format", BYTE, _PUBLISH, WILL),
    _property(0x02, "message_expiry", U32, _PUBLISH, WILL),
    _property(0x03, "content_type", TEXT, _PUBLISH, WILL),
    _property(0x08, "response_topic", TEXT, _PUBLISH, WILL),
    _property(0x09, "correlation_data", BINARY, _PUBLISH, WILL),
    _property(0x0B, "subscription_identifier", VARINT, _PUBLISH, _SUBSCRIBE, repeated=True),
    _property(0x11, "session_expiry", U32, _CONNECT, _CONNACK, _DISCONNECT),
    _property(0x12, "assigned_client_id", TEXT, _CONNACK),
    _property(0x13, "server_keep_alive", U16, _CONNACK),
    _property(0x15, "authentication_method", TEXT, _CONNECT, _CONNACK, _AUTH),
    _property(0x16, "authentication_data", BINARY, _CONNECT, _CONNACK, _AUTH),
    _property(0x17, "request_problem", BYTE, _CONNECT),
    _property(0x18, "will_delay", U32, WILL),
    _property(0x19, "request_response", BYTE, _CONNECT),
    _property(0x1A, "response_information", TEXT, _CONNACK),
    _property(0x1C, "server_reference", TEXT, _CONNACK, _DISCONNECT),
    _property(0x1F, "reason_string", TEXT, _CONNACK, _DISCONNECT, _AUTH, *_ACKS),
    _property(0x21, "receive_maximum", U16, _CONNECT, _CONNACK),
    _property(0x22, "topic_alias_maximum", U16, _CONNECT, _CONNACK),
    _property(0x23, "topic_alias", U16, _PUBLISH),
    _property(0x24, "maximum_qos", BYTE, _CONNACK),
    _property(0x25, "retain_available", BYTE, _CONNACK),
    _property(
        0x26, "user_property", PAIR, _CONNECT, _CONNACK, _PUBLISH, WILL, _SUBSCRIBE, 10, _DISCONNECT, _AUTH, *_ACKS,
        repeated=True,
    ),
    _property(0x27, "maximum_packet_size", U32, _CONNECT, _CONNACK),
    _property(0x28, "wildcard_available", BYTE, _CONNACK),
    _property(0x29, "identifiers_available", BYTE, _CONNACK),
    _property(0x2A, "shared_available", BYTE, _CONNACK),
)  # fmt: skip
_BY_ID = {p.id: p for p in PROPERTIES}
BY_NAME = {p.name: p for p in PROPERTIES}
_NOT_ZERO = frozenset({"receive_maximum", "maximum_packet_size", "topic_alias", "subscription_identifier"})


def read_properties(cursor: Cursor, packet: int) -> Properties:
    """The properties at the cursor, for a packet type or WILL."""
    size = cursor.varint()
    if not size:
        return {}
    end = cursor.at + size
    if end > cursor.end:
        raise PacketError("The properties end after the packet")
    inner = Cursor(cursor.data, cursor.at, end)
    cursor.at = end
    found: Properties = {}
    while inner.at < end:
        prop = _BY_ID.get(inner.varint())
        if prop is None or packet not in prop.packets:
            raise PacketError("A property does not belong into this packet")
        value = prop.type.read(inner)
        if (prop.name in _NOT_ZERO and not value) or (prop.type is BYTE and value > 1):
            raise PacketError(f"The property {prop.name} cannot be {value}", Reason.PROTOCOL_ERROR)
        if prop.repeated:
            found.setdefault(prop.name, []).append(value)
        elif prop.name in found:
            raise PacketError(f"The property {prop.name} is there twice", Reason.PROTOCOL_ERROR)
        else:
            found[prop.name] = value
    return found


def write_properties(properties: Properties) -> bytes:
    """Properties with their length before them."""
    if not properties:
        return b"\0"
    out = bytearray()
    for name, value in properties.items():
        prop = BY_NAME[name]
        for item in value if prop.repeated else (value,):
            out += varint(prop.id) + prop.type.write(item)
    return varint(len(out)) + bytes(out)
