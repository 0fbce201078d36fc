"""The feed: order, bounds, and what a client that comes back is given."""

from __future__ import annotations

import asyncio
from typing import Any

from lakou.sensorthings.access import ANONYMOUS, DELETED, Principal
from lakou.sensorthings.feed import KEPT, Feed, Subscriber, sees
from lakou.sensorthings.live import wanted
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.registry import NEVER, Stream
from lakou.sensorthings.store.session import ID, Commit, Observed


def event(id_: int, stream: int = 1, scope: int = 0, thing: int = 1) -> Observed:
    row: list[Any] = [None] * len(OBSERVATION_COLUMNS)
    row[ID] = id_
    return Stream(stream, 0, thing, scope, 0, "keep-all", NEVER, has_moved=False), row


def ids(subscriber: Subscriber) -> list[int]:
    return [e[1][ID] for e in subscriber.queue]


def everything() -> Subscriber:
    return Subscriber(lambda _: True, limit=5)


def delivered(feed: Feed, *batches: list[Observed]) -> None:
    async def run() -> None:
        feed.bind(asyncio.get_running_loop())
        for batch in batches:
            feed.committed(Commit(batch, []))
        await asyncio.sleep(0)

    asyncio.run(run())


def test_every_subscriber_gets_what_it_wants_in_order() -> None:
    feed, one, other = Feed(), everything(), Subscriber(wanted("datastream=2").takes)
    feed.subscribe(one)
    feed.subscribe(other)
    delivered(feed, [event(1), event(2, stream=2)], [event(3)])
    assert (ids(one), ids(other)) == ([1, 2, 3], [2])
    feed.unsubscribe(one)
    delivered(feed, [event(4, stream=2)])
    assert (ids(one), ids(other)) == ([1, 2, 3], [2, 4])
    assert feed.listeners == 1


def test_a_slow_client_is_told_to_start_again() -> None:
    feed, slow = Feed(), everything()
    feed.subscribe(slow)
    delivered(feed, [event(n) for n in range(1, 9)])
    assert slow.missed
    assert ids(slow) == []


def test_a_client_that_comes_back_gets_what_it_missed() -> None:
    feed = Feed()
    delivered(feed, [event(n) for n in range(1, 5)])
    back, lost = everything(), everything()
    assert feed.subscribe(back, after=2)
    assert ids(back) == [3, 4]
    delivered(feed, [event(n) for n in range(5, KEPT + 10)])
    assert not feed.subscribe(lost, after=2)


def test_a_new_process_cannot_say_what_was_missed() -> None:
    assert not Feed().subscribe(everything(), after=7)
    assert Feed().subscribe(everything())


def test_nobody_is_told_when_the_loop_is_gone() -> None:
    feed = Feed()
    feed.committed(Commit([event(1)], []))
    delivered(feed, [event(1)])
    feed.committed(Commit([event(2)], []))


def test_who_sees_what() -> None:
    reader = Principal(reads=frozenset({0, 5}))
    everyone = Principal(role="admin", reads=None)
    for scope, expected in ((0, (True, True, True)), (5, (False, True, True)), (6, (False, False, True))):
        assert tuple(sees(p, event(1, scope=scope)) for p in (ANONYMOUS, reader, everyone)) == expected
    assert not sees(everyone, event(1, scope=DELETED))


def test_a_selection_by_thing_and_datastream() -> None:
    both = wanted("datastream=1,2&thing=3")
    assert both.takes(event(1, stream=2, thing=3))
    assert not both.takes(event(1, stream=2, thing=4))
    assert not both.takes(event(1, stream=3, thing=3))
    assert wanted("").takes(event(1))


def test_a_follower_hears_every_commit_in_order_until_it_ends() -> None:
    feed = Feed()
    heard: list[Commit] = []
    end = feed.follow(heard.append)
    delivered(feed, [event(1)], [])
    end()
    delivered(feed, [event(2)])
    assert [len(commit.observed) for commit in heard] == [1, 0]
