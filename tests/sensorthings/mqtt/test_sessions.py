"""A session: the window of a client, a bounded backlog that tells what it dropped, and resending with DUP."""

from __future__ import annotations

from lakou.sensorthings.mqtt import packets, sessions
from lakou.sensorthings.mqtt.counts import Counts
from lakou.sensorthings.mqtt.packets import V5, Publish
from lakou.sensorthings.mqtt.sessions import Session
from lakou.sensorthings.mqtt.subscriptions import Message


class Recorded:
    """A connection that keeps what is sent over it."""

    def __init__(self, version: int = V5, window: int = 100, largest: int = 10_000) -> None:
        self.version, self.window, self.largest = version, window, largest
        self.is_slow = False
        self.sent: list[Publish] = []

    def send(self, data: bytes) -> None:
        for frame in packets.frames(data, 2**28)[0]:
            packet = packets.decode(data, frame, self.version)
            assert isinstance(packet, Publish)
            self.sent.append(packet)


def _message(number: int) -> Message:
    return Message("v1.1/Observations", b"%d" % number, number)


def _session(line: Recorded, backlog: int = 1_000) -> tuple[Session, Counts]:
    counts = Counts()
    session = Session((1, "a"), counts, backlog)
    session.resume(line)
    return session, counts


def test_no_more_than_the_window_is_unacknowledged() -> None:
    line = Recorded(window=2)
    session, _ = _session(line)
    for number in range(5):
        session.offer(_message(number), 1)
    assert [p.payload for p in line.sent] == [b"0", b"1"]
    assert session.acknowledged(line.sent[0].packet_id)
    assert [p.payload for p in line.sent] == [b"0", b"1", b"2"]
    assert not session.acknowledged(40_000)


def test_the_oldest_of_a_full_backlog_are_dropped_and_told() -> None:
    line = Recorded(window=1)
    session, counts = _session(line, backlog=3)
    for number in range(10):
        session.offer(_message(number), 1)
    assert (session.waiting, session.missed, counts.dropped) == (3, 6, 6)
    session.acknowledged(line.sent[0].packet_id)
    assert line.sent[1].payload == b"7"
    assert line.sent[1].properties == {"user_property": [(sessions.MISSED, "6")]}
    session.acknowledged(line.sent[1].packet_id)
    assert line.sent[2].properties == {}


def test_a_backlog_is_bounded_in_bytes_too() -> None:
    session, _ = _session(Recorded(window=0))
    for number in range(20):
        session.offer(Message("v1.1/Observations", bytes(sessions.BACKLOG_BYTES // 10), number), 1)
    assert session.waiting == 9
    assert session.missed == 11


def test_a_slow_client_loses_qos_0_and_keeps_qos_1() -> None:
    line = Recorded()
    session, counts = _session(line)
    line.is_slow = True
    session.offer(_message(1), 0)
    session.offer(_message(2), 1)
    assert (line.sent, counts.dropped) == ([], 1)
    line.is_slow = False
    session.pump()
    assert [p.payload for p in line.sent] == [b"2"]


def test_what_was_not_acknowledged_comes_again_with_dup_and_the_same_identifier() -> None:
    first, second = Recorded(window=2), Recorded(window=2)
    session, _ = _session(first)
    for number in range(3):
        session.offer(_message(number), 1)
    session.acknowledged(first.sent[0].packet_id)
    session.line = None
    session.offer(_message(3), 1)
    session.resume(second)
    assert [(p.payload, p.dup) for p in second.sent] == [(b"1", True), (b"2", True)]
    assert [p.packet_id for p in second.sent] == [p.packet_id for p in first.sent[1:]]
    session.acknowledged(second.sent[0].packet_id)
    assert (second.sent[-1].payload, second.sent[-1].dup) == (b"3", False)


def test_a_connection_that_takes_fewer_at_once_gets_no_more() -> None:
    first, second = Recorded(window=5), Recorded(window=2)
    session, _ = _session(first)
    for number in range(6):
        session.offer(_message(number), 1)
    session.line = None
    session.resume(second)
    assert [(p.payload, p.dup) for p in second.sent] == [(b"0", True), (b"1", True)]
    for sent in range(6):
        session.acknowledged(second.sent[sent].packet_id)
    assert [p.payload for p in second.sent] == [b"%d" % n for n in range(6)]


def test_a_message_larger_than_the_client_takes_is_not_sent() -> None:
    line = Recorded(largest=100)
    session, counts = _session(line)
    for qos in (0, 1):
        session.offer(Message("v1.1/Observations", bytes(200), 1), qos)
    assert (line.sent, counts.dropped, session.inflight) == ([], 2, {})


def test_identifiers_in_use_are_not_given_again() -> None:
    line = Recorded(window=0xFFFF)
    session, _ = _session(line)
    session.offer(_message(0), 1)
    for number in range(0xFFFF):
        session.offer(_message(number), 1)
        session.acknowledged(line.sent[-1].packet_id)
    session.offer(_message(1), 1)
    assert len(session.inflight) == 2
