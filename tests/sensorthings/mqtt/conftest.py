"""A broker over an empty store, on SQLite and on PostgreSQL; and one with other limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lakou.sensorthings.limits import Limits
from tests.sensorthings.caller import Store
from tests.sensorthings.mqtt.broker import Broker


@pytest.fixture
def broker(store: Store) -> Iterator[Broker]:
    """A started service that listens for MQTT."""
    made = Broker(store)
    yield made
    made.close()


@pytest.fixture
def limited(store: Store) -> Iterator[Callable[[Limits], Broker]]:
    """Makes a broker with these limits."""
    found: list[Broker] = []

    def make(limits: Limits) -> Broker:
        found.append(Broker(store, limits))
        return found[-1]

    yield make
    for made in found:
        made.close()
