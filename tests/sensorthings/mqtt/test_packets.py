"""The codec: what is written reads back, and whatever comes is a packet or a reasoned refusal."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.sensorthings.mqtt import packets, wire
from lakou.sensorthings.mqtt.packets import (
    V5,
    V311,
    Ack,
    Auth,
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
    Will,
    Wish,
)
from lakou.sensorthings.mqtt.reasons import PacketError, Reason

_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
_ids = st.integers(1, 0xFFFF)
_payloads = st.binary(max_size=300)
_VALUES = {
    wire.BYTE: st.integers(0, 1),
    wire.U16: st.integers(1, 0xFFFF),
    wire.U32: st.integers(1, 2**32 - 1),
    wire.VARINT: st.integers(1, wire.MAX_VARINT),
    wire.TEXT: _texts,
    wire.BINARY: st.binary(max_size=40),
    wire.PAIR: st.tuples(_texts, _texts),
}


def _properties(kind: int) -> st.SearchStrategy[wire.Properties]:
    fitting = {
        p.name: st.lists(_VALUES[p.type], min_size=1, max_size=3) if p.repeated else _VALUES[p.type]
        for p in wire.PROPERTIES
        if kind in p.packets
    }
    return st.fixed_dictionaries({}, optional=fitting)


@st.composite
def _packets(draw: st.DrawFn, version: int) -> Packet:
    def more(kind: int) -> wire.Properties:
        return draw(_properties(kind)) if version == V5 else {}

    kind = draw(st.sampled_from([n for n in range(1, 16) if n != packets.AUTH or version == V5]))
    reason = draw(st.integers(0, 255)) if version == V5 else 0
    match kind:
        case packets.CONNECT:
            will = None
            if draw(st.booleans()):
                qos, retain = draw(st.integers(0, 2)), draw(st.booleans())
                will = Will(draw(_texts), draw(_payloads), qos, retain, more(wire.WILL))
            user = draw(st.none() | _texts)
            password = draw(st.none() | st.binary(max_size=40)) if user is not None or version == V5 else None
            alive = draw(st.integers(0, 0xFFFF))
            return Connect(version, draw(_texts), draw(st.booleans()), alive, user, password, will, more(kind))
        case packets.CONNACK:
            return Connack(draw(st.booleans()), draw(st.integers(0, 255)), more(kind))
        case packets.PUBLISH:
            qos = draw(st.integers(0, 2))
            dup = draw(st.booleans()) if qos else False
            packet_id = draw(_ids) if qos else 0
            return Publish(draw(_texts), draw(_payloads), qos, packet_id, draw(st.booleans()), dup, more(kind))
        case packets.PUBACK | packets.PUBREC | packets.PUBREL | packets.PUBCOMP:
            return Ack(kind, draw(_ids), reason, more(kind))
        case packets.SUBSCRIBE:
            flags = st.booleans() if version == V5 else st.just(False)
            retain = st.integers(0, 2) if version == V5 else st.just(0)
            wish = st.builds(Wish, _texts, st.integers(0, 2), flags, flags, retain)
            return Subscribe(draw(_ids), tuple(draw(st.lists(wish, min_size=1, max_size=4))), more(kind))
        case packets.SUBACK:
            return Suback(draw(_ids), tuple(draw(st.binary(max_size=5))), more(kind))
        case packets.UNSUBSCRIBE:
            return Unsubscribe(draw(_ids), tuple(draw(st.lists(_texts, min_size=1, max_size=4))), more(10))
        case packets.UNSUBACK:
            return Unsuback(draw(_ids), tuple(draw(st.binary(max_size=5))) if version == V5 else (), more(kind))
        case packets.DISCONNECT:
            return Disconnect(reason, more(kind))
        case packets.AUTH:
            return Auth(reason, more(kind))
    return Ping(kind == packets.PINGRESP)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([V311, V5]))
def test_what_is_written_reads_back(data: st.DataObject, version: int) -> None:
    packet = data.draw(_packets(version))
    raw = packets.encode(packet, version)
    found, end = packets.frames(raw, 2**28)
    assert (len(found), end, packets.size_of_first(raw)) == (1, len(raw), len(raw))
    assert packets.decode(raw, found[0], version) == packet


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([V311, V5]))
def test_any_bytes_are_a_packet_or_a_refusal(raw: bytes, version: int) -> None:
    with contextlib.suppress(PacketError):
        found, end = packets.frames(raw, 1000)
        assert 0 <= end <= len(raw)
        for frame in found:
            packets.decode(raw, frame, version)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([V311, V5]))
def test_a_spoilt_packet_is_a_packet_or_a_refusal(data: st.DataObject, version: int) -> None:
    raw = bytearray(packets.encode(data.draw(_packets(version)), version))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PacketError):
        for frame in packets.frames(raw, 1000)[0]:
            packets.decode(raw, frame, version)


@settings(max_examples=60, deadline=None)
@given(st.lists(_packets(V5), max_size=5), st.data())
def test_packets_are_cut_out_of_a_stream_wherever_it_is_split(sent: list[Packet], data: st.DataObject) -> None:
    raw = b"".join(packets.encode(packet, V5) for packet in sent)
    read: list[Packet] = []
    rest = b""
    while raw or rest:
        size = data.draw(st.integers(1, 50))
        rest, raw = rest + raw[:size], raw[size:]
        found, end = packets.frames(rest, 2**28)
        read += [packets.decode(rest, frame, V5) for frame in found]
        assert packets.size_of_first(rest[end:]) == 0 or packets.size_of_first(rest[end:]) > len(rest) - end
        rest = rest[end:]
    assert read == sent


def test_a_packet_above_the_limit_is_refused_as_soon_as_its_length_is_known() -> None:
    packets.frames(b"\x30\xff\x07", 1026)
    with pytest.raises(PacketError) as caught:
        packets.frames(b"\x30\x80\x08", 1026)
    assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    ("raw", "version", "reason"),
    [
        ("00 00", V5, Reason.MALFORMED),  # type 0
        ("31 02 00 05", V311, Reason.MALFORMED),  # topic ends after the packet
        ("36 05 00 01 61 00 01", V311, Reason.MALFORMED),  # QoS 3
        ("38 03 00 01 61", V311, Reason.MALFORMED),  # DUP at QoS 0
        ("32 05 00 01 61 00 00", V311, Reason.MALFORMED),  # packet identifier 0
        ("30 03 00 01 00", V311, Reason.MALFORMED),  # U+0000
        ("30 03 00 01 ff", V311, Reason.MALFORMED),  # no UTF-8
        ("30 05 00 03 ed a0 80", V311, Reason.MALFORMED),  # a surrogate
        ("30 03 00 01 61", V5, Reason.MALFORMED),  # no properties
        ("30 06 00 01 61 02 99 00", V5, Reason.MALFORMED),  # unknown property
        ("30 06 00 01 61 02 21 00", V5, Reason.MALFORMED),  # a property of CONNECT
        ("30 08 00 01 61 04 01 00 01 00", V5, Reason.PROTOCOL_ERROR),  # a property twice
        ("30 06 00 01 61 02 01 02", V5, Reason.PROTOCOL_ERROR),  # a flag of 2
        ("30 07 00 01 61 03 23 00 00", V5, Reason.PROTOCOL_ERROR),  # topic alias 0
        ("80 05 00 01 00 00 00", V311, Reason.MALFORMED),  # flags of SUBSCRIBE
        ("82 02 00 01", V311, Reason.PROTOCOL_ERROR),  # no topic
        ("82 06 00 01 00 01 61 03", V311, Reason.MALFORMED),  # QoS 3
        ("82 06 00 01 00 01 61 04", V311, Reason.MALFORMED),  # option of 5 in 3.1.1
        ("a2 02 00 01", V311, Reason.PROTOCOL_ERROR),
        ("c0 01 00", V311, Reason.MALFORMED),  # PINGREQ with a body
        ("10 0c 00 04 4d 51 54 54 04 01 00 00 00 00", V311, Reason.MALFORMED),  # reserved flag
        ("10 0c 00 04 4d 51 54 54 04 40 00 00 00 00", V311, Reason.MALFORMED),  # password without user in 3.1.1
        ("10 0c 00 04 4d 51 54 54 03 02 00 00 00 00", V311, Reason.UNSUPPORTED_VERSION),
        ("10 0e 00 06 4d 51 49 73 64 70 03 02 00 00 00 00", V311, Reason.UNSUPPORTED_VERSION),
        ("10 0c 00 04 48 54 54 50 04 02 00 00 00 00", V311, Reason.MALFORMED),
        ("f0 00", V311, Reason.PROTOCOL_ERROR),  # AUTH in 3.1.1
    ],
)
def test_a_malformed_packet_is_refused_with_its_reason(raw: str, version: int, reason: Reason) -> None:
    data = bytes.fromhex(raw)
    found, _ = packets.frames(data, 1000)
    with pytest.raises(PacketError) as caught:
        packets.decode(data, found[0], version)
    assert caught.value.reason is reason


@pytest.mark.parametrize("raw", ["30 80 00", "30 80 80 80 80", "30 ff ff ff ff 7f"])
def test_a_malformed_length_is_refused(raw: str) -> None:
    with pytest.raises(PacketError):
        packets.frames(bytes.fromhex(raw), 2**28)
