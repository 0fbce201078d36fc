"""The parts of one column, in an order in which each pair that makes a ratio is measured side by side."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench import disk, growing, linux, reading, streaming, writing
from bench.dataset import Dataset
from bench.growing import Store
from bench.server import Server, product
from bench.session import Session


def one_worker(session: Session) -> None:
    """Everything, on stores made for it."""
    empty, entities = session.prepared(0)
    with session.copied(empty, "rates") as place, product(place) as server:
        _at_rest(session, server)
        session.meet(server, entities)
        with session.part("single POST"):
            writing.singles(session, server, entities)
        with session.part("data arrays"), session.copied(empty, "engine") as raw:
            writing.arrays(session, server, entities, raw)
        _pushed(session, server, entities)
        peak = linux.resident_bytes(server.pids)
    _full(session, empty, peak)


def two_workers(session: Session) -> None:
    """What more than one worker changes: rates, reads, events."""
    empty, entities = session.prepared(0)
    with session.copied(empty, "rates") as place, product(place, 2) as server:
        _at_rest(session, server)
        session.meet(server, entities, 2)
        with session.part("single POST"):
            writing.singles_alone(session, server, entities)
        with session.part("data arrays"):
            writing.arrays(session, server, entities, None)
        _pushed(session, server, entities)
        peak = linux.resident_bytes(server.pids)
    full, filled = session.prepared(session.settings.rows)
    with session.copied(full, "full") as place, product(place, 2) as server:
        reading.reads(session, server, filled)
        peak = max(peak, linux.resident_bytes(server.pids))
    session.note("busy_memory", peak / 1e6)


def _pushed(session: Session, server: Server, entities: Dataset) -> None:
    with session.part("MQTT"):
        writing.mqtt(session, server, entities)
    # What came in before is sealed, or rolled up, behind: that is not the cost of listeners.
    growing.settle(session, server)
    with session.part("event stream"):
        streaming.live(session, server, entities)


def _full(session: Session, empty: str, peak: int) -> None:
    """The stores of growing size; that of N is read while no other is served."""
    *smaller, (full, filled) = [session.prepared(size) for size in session.settings.sizes]
    growing.loaded(session, filled)
    with ExitStack() as stack:
        place = stack.enter_context(session.copied(full, "full"))
        used = disk.used_bytes(place)
        store = Store(place, stack.enter_context(product(place)), filled, used)
        reading.reads(session, store.server, filled)
        with session.part("growth"), ExitStack() as others:
            beside = []
            for n, (key, dataset) in enumerate([(empty, session.prepared(0)[1]), *smaller]):
                where = others.enter_context(session.copied(key, f"beside{n}"))
                beside.append(Store(where, others.enter_context(product(where)), dataset, 0))
            growing.growth(session, beside[0], [*beside[1:], store])
        with session.part("what is written"):
            growing.written(session, store)
        with session.part("what is kept"):
            growing.kept(session, store)
        peak = max(peak, linux.resident_bytes(store.server.pids))
    session.note("busy_memory", peak / 1e6)


def _at_rest(session: Session, server: Server) -> None:
    time.sleep(min(1.0, session.settings.warm_s))
    session.note("rest_memory", linux.resident_bytes(server.pids) / 1e6)
