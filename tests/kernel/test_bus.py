"""The event bus: order, isolation of faults, unsubscribing, threads."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import pytest

from lakou.kernel.bus import Bus


@dataclass(frozen=True)
class Stored:
    id: int


@dataclass(frozen=True)
class Removed:
    id: int


def test_handlers_run_in_order_of_subscription_for_their_type_only() -> None:
    bus, seen = Bus(), []
    bus.subscribe(Stored, lambda event: seen.append(("first", event.id)))
    bus.subscribe(Stored, lambda event: seen.append(("second", event.id)))
    bus.subscribe(Removed, lambda event: seen.append(("removed", event.id)))
    bus.publish(Stored(1))
    bus.publish(Removed(2))
    assert seen == [("first", 1), ("second", 1), ("removed", 2)]


def test_an_event_that_nobody_awaits_is_dropped() -> None:
    Bus().publish(Stored(1))


def test_a_failing_handler_is_logged_and_the_others_run(caplog: pytest.LogCaptureFixture) -> None:
    bus, seen = Bus(), []

    def fail(event: Stored) -> None:
        raise RuntimeError("broken listener")

    bus.subscribe(Stored, fail)
    bus.subscribe(Stored, seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(Stored(1))
    assert seen == [Stored(1)]
    assert "a handler of Stored failed" in caplog.text


def test_unsubscribe_ends_one_subscription_and_may_be_called_twice() -> None:
    bus, seen = Bus(), []
    first = bus.subscribe(Stored, seen.append)
    bus.subscribe(Stored, seen.append)
    first()
    first()
    bus.publish(Stored(1))
    assert seen == [Stored(1)]


def test_a_handler_may_unsubscribe_itself_while_it_runs() -> None:
    bus, seen = Bus(), []

    def once(event: Stored) -> None:
        seen.append(event.id)
        end()

    end = bus.subscribe(Stored, once)
    bus.subscribe(Stored, lambda event: seen.append(-event.id))
    bus.publish(Stored(1))
    bus.publish(Stored(2))
    assert seen == [1, -1, -2]


def test_threads_may_subscribe_and_publish_together() -> None:
    bus, seen = Bus(), []
    bus.subscribe(Stored, lambda event: seen.append(event.id))

    def work() -> None:
        for index in range(200):
            end = bus.subscribe(Stored, lambda event: None)
            bus.publish(Stored(index))
            end()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 800
