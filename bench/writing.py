"""Writing into an empty store: single POSTs, data arrays, MQTT."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from bench.dataset import Dataset
from bench.engine import Table, engine
from bench.places import Folders, Place
from bench.server import Server, without_database
from bench.session import (
    ARRAY_CONNECTIONS,
    ARRAY_ROWS,
    CONNECTIONS,
    LARGE_ARRAY_CONNECTIONS,
    LARGE_ARRAY_ROWS,
    Load,
    Session,
    median,
    rate,
    ratio,
    strained,
)

MQTT_CONNECTIONS, MQTT_WINDOW = 8, 50
TOGETHER = 100


def singles(session: Session, server: Server, entities: Dataset) -> None:
    """Single POSTs beside the same server without a database, which looks Datastreams up on SQLite."""
    files = Folders(session.work, session.cache)
    key, looked_up = session.prepared(0, files)
    with session.copied(key, "null", files) as place, without_database(place) as null:
        session.say("single POST, with and without a database")
        session.meet(null, looked_up)
        stored, without = session.alternate(
            lambda: session.load(server, session.singles(entities), CONNECTIONS),
            lambda: session.load(null, session.singles(looked_up), CONNECTIONS),
        )
    session.note("single_ratio", ratio(stored, without), strained(without))
    session.note("null_rate", median(without, rate))
    session.note("null_cpu", median(without, lambda one: one.cpu_us))
    _singles(session, stored)


def singles_alone(session: Session, server: Server, entities: Dataset) -> None:
    """Single POSTs, of several workers: a server without a database has only one."""
    session.say("single POST")
    _singles(session, session.alternate(lambda: session.load(server, session.singles(entities), CONNECTIONS))[0])


def _singles(session: Session, stored: list[Load]) -> None:
    session.note("single_rate", median(stored, rate), strained(stored))
    session.note("single_p50", median(stored, lambda one: one.outcome.p50_ms))
    session.note("single_p99", median(stored, lambda one: one.outcome.p99_ms))
    session.note("single_cpu", median(stored, lambda one: one.cpu_us))


def arrays(session: Session, server: Server, entities: Dataset, raw: Place | None) -> None:
    """Data arrays; beside the raw engine if there is a place for it."""
    session.say("data arrays" if raw is None else "data arrays, and the raw engine")
    together = min(TOGETHER, entities.shape.streams)
    loads: dict[str, list[Load]] = {"one": [], "mixed": [], "large": []}

    def posted(name: str, rows: int, many: int, connections: int) -> Callable[[], float]:
        def side() -> float:
            loads[name].append(session.load(server, session.arrays(entities, rows, many), connections))
            return rate(loads[name][-1]) * rows

        return side

    sides = {
        "one": posted("one", ARRAY_ROWS, 1, ARRAY_CONNECTIONS),
        "mixed": posted("mixed", ARRAY_ROWS, together, ARRAY_CONNECTIONS),
        "large": posted("large", LARGE_ARRAY_ROWS, 1, LARGE_ARRAY_CONNECTIONS),
    }
    with ExitStack() as stack:
        if raw is not None:
            tables: dict[str, tuple[Table, int]] = {
                "one": ("indexed", 1),
                "mixed": ("indexed", together),
                "append": ("appended", 1),
            }
            for name, (table, many) in tables.items():
                raw_engine = engine(raw, entities, session.later(), table, many)
                stack.callback(raw_engine.close)
                sides[f"raw {name}"] = partial(raw_engine.rate, session.settings.seconds / 2)
        rates = dict(zip(sides, session.alternate(*sides.values()), strict=True))
    session.note("array_rate", statistics.median(rates["one"]), strained(loads["one"]))
    session.note("mixed_rate", statistics.median(rates["mixed"]), strained(loads["mixed"]))
    session.note("array_cpu", median(loads["one"], lambda load: load.cpu_us / ARRAY_ROWS))
    session.note("array_large", _median_ratio(rates["large"], rates["one"]), strained(loads["large"]))
    if raw is not None:
        session.note("array_ratio", _median_ratio(rates["one"], rates["raw one"]))
        session.note("mixed_ratio", _median_ratio(rates["mixed"], rates["raw mixed"]))
        session.note("engine_rate", statistics.median(rates["raw one"]))
        session.note("mixed_engine_rate", statistics.median(rates["raw mixed"]))
        session.note("append_rate", statistics.median(rates["raw append"]))


def _median_ratio(ones: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ones, others, strict=True))


def mqtt(session: Session, server: Server, entities: Dataset) -> None:
    """QoS 1, a PUBACK after the commit."""
    if not server.speaks_mqtt():
        session.note("mqtt_rate", None, "nothing listens on the MQTT port")
        return
    session.say("MQTT QoS 1")
    done = session.alternate(lambda: session.publish(server, entities, MQTT_CONNECTIONS, MQTT_WINDOW))[0]
    session.note("mqtt_rate", median(done, rate), strained(done))
    session.note("mqtt_p50", median(done, lambda one: one.outcome.p50_ms))
    session.note("mqtt_p99", median(done, lambda one: one.outcome.p99_ms))
    session.note("mqtt_cpu", median(done, lambda one: one.cpu_us))
