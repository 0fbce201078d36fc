"""One client of the event stream: what waits for it, what is dropped, and when it is cut."""

from __future__ import annotations

from lakou.sensorthings import listener
from lakou.sensorthings.access import ANONYMOUS
from lakou.sensorthings.listener import Listener, resync
from lakou.sensorthings.selection import Selection
from lakou.sensorthings.store.changes import Cursor
from lakou.sensorthings.store.position import Position

AT = Position(Cursor(0, 7), 3)


def one(cut: list[bool] | None = None) -> Listener:
    return Listener(Selection(), ANONYMOUS, abort=lambda: (cut if cut is not None else []).append(True))


def test_what_is_offered_is_taken_once_and_in_order() -> None:
    client = one()
    assert client.take() == b""
    client.offer(b"a", 1, AT)
    client.offer(b"b", 1, AT)
    assert (client.take(), client.take()) == (b"ab", b"")


def test_shared_bytes_are_not_copied() -> None:
    client, text = one(), b"x" * 1000
    client.offer(text, 1, AT)
    assert client.take() is text


def test_what_was_missed_comes_first_and_in_slices() -> None:
    client = one()
    client.backlog = [b"c" * listener.SLICE_BYTES, b"b" * listener.SLICE_BYTES, b"a"]
    client.offer(b"new", 1, AT)
    taken = [client.take() for _ in range(4)]
    assert taken[0][:2] == b"ab"
    assert b"".join(taken).endswith(b"cnew")
    assert taken[-1] == b""


def test_too_many_events_become_one_resync_and_the_stream_goes_on() -> None:
    client = one()
    for _ in range(2):
        client.offer(b"x", listener.QUEUE_EVENTS - 1, AT)
    client.offer(b"after", 1, AT)
    assert client.take() == resync(AT) + b"after"
    assert b"id: 7.3\n" in resync(AT)


def test_too_many_bytes_become_a_resync() -> None:
    client = one()
    for _ in range(2):
        client.offer(b"x" * (listener.QUEUE_BYTES // 2 + 1), 1, AT)
    assert client.take().startswith(b"id: 7.3\nevent: resync")


def test_a_client_that_takes_nothing_while_a_mebibyte_goes_by_is_cut() -> None:
    cut: list[bool] = []
    client = one(cut)
    for _ in range(5):  # not while its task has only not had its turn
        client.offer(b"x" * 300_000, 1, AT)
    assert not client.ended
    client.take()
    client.sending_since = 1.0
    for _ in range(4):
        client.offer(b"x" * 300_000, 1, AT)
    assert (client.ended, cut) == (True, [True])


def test_a_write_that_is_blocked_for_long_is_cut() -> None:
    cut: list[bool] = []
    client = one(cut)
    client.check(1_000.0)
    client.sending_since = 100.0
    client.check(100.0 + listener.BLOCKED_S)
    assert cut == []
    client.check(101.0 + listener.BLOCKED_S)
    assert cut == [True]
