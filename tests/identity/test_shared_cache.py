"""The cache that all processes of a site share."""

from __future__ import annotations

import threading

import pytest
from django.core.cache import cache
from django.db import connection

from lakou.identity.models import SharedEntry

pytestmark = pytest.mark.usefixtures("people")


def test_a_value_is_kept_until_its_time_is_over() -> None:
    cache.set("a", [1.5, "two"], timeout=60)
    assert cache.get("a") == [1.5, "two"]
    cache.touch("a", timeout=-1)
    assert cache.get("a", "gone") == "gone"


def test_what_is_there_is_not_added_again_until_it_has_expired() -> None:
    assert cache.add("a", 1, timeout=60)
    assert not cache.add("a", 2, timeout=60)
    cache.touch("a", timeout=-1)
    assert cache.add("a", 3, timeout=60)
    assert cache.get("a") == 3


def test_what_has_expired_is_swept_by_the_next_write() -> None:
    cache.set("old", 1, timeout=-1)
    cache.set("new", 1, timeout=60)
    assert SharedEntry.objects.count() == 1


def test_of_many_that_add_at_once_one_wins() -> None:
    won: list[bool] = []
    start = threading.Barrier(4)

    def add() -> None:
        start.wait()
        won.append(cache.add("lock", True, timeout=60))
        connection.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False, False, False, True]


def test_values_are_stored_as_text_that_runs_nothing() -> None:
    cache.set("a", {"b": 1})
    assert SharedEntry.objects.get().value == '{"b": 1}'
    with pytest.raises(TypeError):
        cache.set("a", object())
