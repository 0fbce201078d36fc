"""The feed: order, followers that fail, and when somebody asks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lakou.sensorthings.access import ANONYMOUS, DELETED, Principal
from lakou.sensorthings.feed import Feed, sees
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS
from lakou.sensorthings.store.registry import NEVER, Stream
from lakou.sensorthings.store.session import ID, Commit, Observed


def event(id_: int, stream: int = 1, scope: int = 0, thing: int = 1) -> Observed:
    row: list[Any] = [None] * len(OBSERVATION_COLUMNS)
    row[ID] = id_
    return Stream(stream, 0, thing, scope, 0, "keep-all", NEVER, has_moved=False), row


def delivered(feed: Feed, *batches: list[Observed]) -> None:
    async def run() -> None:
        feed.bind(asyncio.get_running_loop())
        for batch in batches:
            feed.committed(Commit(batch, []))
        await asyncio.sleep(0)

    asyncio.run(run())


def test_nobody_is_told_when_the_loop_is_gone() -> None:
    feed = Feed()
    heard: list[Commit] = []
    feed.follow(heard.append)
    feed.committed(Commit([event(1)], []))
    delivered(feed, [event(1)])
    feed.committed(Commit([event(2)], []))
    feed.settle()
    assert len(heard) == 1


def test_who_sees_what() -> None:
    reader = Principal(reads=frozenset({0, 5}))
    everyone = Principal(role="admin", reads=None)
    for scope, expected in ((0, (True, True, True)), (5, (False, True, True)), (6, (False, False, True))):
        assert tuple(sees(p, event(1, scope=scope)) for p in (ANONYMOUS, reader, everyone)) == expected
    assert not sees(everyone, event(1, scope=DELETED))


def test_a_follower_hears_every_commit_in_order_until_it_ends() -> None:
    feed = Feed()
    heard: list[Commit] = []
    end = feed.follow(heard.append)
    delivered(feed, [event(1)], [])
    end()
    delivered(feed, [event(2)])
    assert [len(commit.observed) for commit in heard] == [1, 0]


def test_a_follower_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    feed = Feed()
    heard: list[Commit] = []

    def broken(commit: Commit) -> None:
        raise ValueError

    feed.follow(broken)
    feed.follow(heard.append)
    delivered(feed, [event(1)])
    assert len(heard) == 1
    assert "A follower of commits failed" in caplog.text


def test_somebody_asks_when_one_follower_does() -> None:
    feed = Feed()
    asked = [0, 0]
    assert feed.asking() is None
    ends = [feed.follow(len, lambda n=n: asked[n]) for n in (0, 1)]  # type: ignore[misc, arg-type]
    assert feed.asking() is None
    asked[1] = 1
    first = feed.asking()
    assert first is not None
    asked[0] = 1
    assert feed.asking() != first
    for end in ends:
        end()
    assert feed.asking() is None
    feed.follow(len)  # type: ignore[arg-type]
    assert feed.asking() is not None
