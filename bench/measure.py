"""The measurements of one database, in an order in which each pair that makes a ratio is measured side by side.

Rounds alternate between the two sides of a ratio, and the figure is the median of the rounds, so that a machine
that slows down for a moment does not decide it.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from bench import dataset as datasets
from bench.dataset import Dataset
from bench.engine import RawEngine
from bench.loader import Job, LoadError, Outcome, load
from bench.places import Folders, Home, Place
from bench.promises import SQLITE, Measured
from bench.server import Server, product, without_database
from bench.traffic import Arrays, Gets, Posts, Traffic

CONNECTIONS = 64
ARRAY_CONNECTIONS = 4
WINDOWS = 2_000
DAY = timedelta(days=1)


class Settings(msgspec.Struct, frozen=True):
    """How long and how large. `rows` is N, the Observations of the full store; times in seconds."""

    rows: int = 1_000_000
    things: int = 1_000
    datastreams_each: int = 5
    seconds: float = 4.0
    warm_s: float = 1.0
    rounds: int = 3


class Load(NamedTuple):
    """The outcome of a load, and the processor time of the server for each request sent, in µs."""

    outcome: Outcome
    cpu_us: float


class Bench:
    """Measures one kind of database; `found` fills as it goes."""

    def __init__(
        self, home: Home, settings: Settings, work: Path, cache: Path | None, say: Callable[[str], None]
    ) -> None:
        self._home = home
        self._settings = settings
        self._work = work
        self._cache = cache
        self._say = say
        self._clock = int(time.time()) // 60 * 60
        self.found: list[Measured] = []

    def run(self) -> list[Measured]:
        """Everything, on stores made for it. Raises LoadError when a server answers with errors."""
        chosen = self._settings
        empty, entities = datasets.prepare(self._home, chosen.things, chosen.datastreams_each, 0, self._say)
        full, filled = datasets.prepare(self._home, chosen.things, chosen.datastreams_each, chosen.rows, self._say)
        self._note_size(filled)
        with copied(self._home, empty, "rates") as place, product(place) as server:
            self._memory(server, "rest_memory")
            self._singles(server, entities)
            with copied(self._home, empty, "engine") as raw:
                self._arrays(server, entities, raw)
        with copied(self._home, full, "full") as place, product(place) as server:
            self._reads(server, filled)
            with copied(self._home, empty, "fresh") as other, product(other) as fresh:
                self._growth(server, fresh, filled)
            self._memory(server, "busy_memory")
        return self.found

    # ── writing ──

    def _singles(self, server: Server, entities: Dataset) -> None:
        chosen, files = self._settings, Folders(self._work, self._cache)
        key, looked_up = datasets.prepare(files, chosen.things, chosen.datastreams_each, 0, self._say)
        with copied(files, key, "null") as place, without_database(place) as null:
            stored, without = self._alternate(
                lambda: self._load(server, self._posts(entities), CONNECTIONS, "single POST"),
                lambda: self._load(null, self._posts(looked_up), CONNECTIONS, "single POST without a database"),
            )
        self._note("single_ratio", _ratio(stored, without))
        self._note("single_rate", _median(one.outcome.rate for one in stored))
        self._note("single_p50", _median(one.outcome.p50_ms for one in stored))
        self._note("single_p99", _median(one.outcome.p99_ms for one in stored))
        self._note("single_cpu", _median(one.cpu_us for one in stored))
        self._note("null_rate", _median(one.outcome.rate for one in without))
        self._note("null_cpu", _median(one.cpu_us for one in without))

    def _arrays(self, server: Server, entities: Dataset, raw: Place) -> None:
        engine = RawEngine(raw, entities, self._later())
        try:
            large: list[Load] = []
            small: list[Load] = []
            rates: list[float] = []
            for _ in range(self._settings.rounds):
                self._say(f"{self._home.name}: the raw engine")
                rates.append(engine.rate(self._settings.seconds / 2))
                small.append(self._load(server, self._batch(entities, 1_000), ARRAY_CONNECTIONS, "data array of 1,000"))
                large.append(self._load(server, self._batch(entities, 10_000), 2, "data array of 10,000"))
        finally:
            engine.close()
        obs = [one.outcome.rate * 1_000 for one in small]
        large_obs = [one.outcome.rate * 10_000 for one in large]
        self._note("array_ratio", statistics.median(o / r for o, r in zip(obs, rates, strict=True)))
        self._note("array_rate", statistics.median(obs))
        self._note("array_large", statistics.median(a / b for a, b in zip(large_obs, obs, strict=True)))
        self._note("array_cpu", _median(one.cpu_us / 1_000 for one in small))
        self._note("engine_rate", statistics.median(rates))

    def _growth(self, server: Server, fresh: Server, filled: Dataset) -> None:
        """The full store against an empty one."""
        written: list[float] = []

        def into_full() -> Load:
            before = server.written_bytes()
            done = self._load(server, self._posts(filled), CONNECTIONS, "single POST into the full store")
            written.append((server.written_bytes() - before) / done.outcome.sent)
            return done

        full, empty = self._alternate(
            into_full, lambda: self._load(fresh, self._posts(filled), CONNECTIONS, "single POST into the empty store")
        )
        self._note("full_single_ratio", _ratio(full, empty))
        if self._home.name == SQLITE:
            least = min(written)
            self._note(
                "written_bytes", statistics.median(written) if least else None, "" if least else "not counted here"
            )
        full, empty = self._alternate(
            lambda: self._load(server, self._batch(filled, 1_000), ARRAY_CONNECTIONS, "data array into the full store"),
            lambda: self._load(fresh, self._batch(filled, 1_000), ARRAY_CONNECTIONS, "data array into the empty store"),
        )
        self._note("full_array_ratio", _ratio(full, empty))

    # ── reading ──

    def _reads(self, server: Server, filled: Dataset) -> None:
        if filled.windows:
            windows = _windows(filled)
            self._read(server, "window_p50", windows, "Observation", 1440)
        else:
            self._note("window_p50", None, "needs a day of minutes: a larger N")
        latest = quote(
            "Datastreams?$top=100&$expand=Observations($orderby=phenomenonTime desc;$top=1)", safe="?&=$(;)/"
        )
        self._read(server, "latest_p50", [latest], "Datastream", min(100, filled.streams))
        things = [f"Things({n})?$expand=Datastreams" for n in range(1, filled.things + 1)]
        self._read(server, "thing_p50", things, "", 0)
        self._read(
            server, "year_p50", [_year(filled)], "hour", -(-filled.dense_rows // 60), f"{filled.dense_rows:,} rows"
        )

    def _read(self, server: Server, key: str, targets: list[str], what: str, least: int, note: str = "") -> None:
        """p50 of one client that asks one target after the other, once the first is seen to hold what it should."""
        page = server.get(targets[0])
        got = len(page.get("value", ()))
        if got < least:
            raise LoadError(f"{targets[0]} gave {got} of {what} instead of {least}")
        self._say(f"{self._home.name}: {key.removesuffix('_p50')}")
        self._note(key, self._run(server, Gets(targets), 1).outcome.p50_ms, note)

    def _memory(self, server: Server, key: str) -> None:
        time.sleep(min(1.0, self._settings.warm_s))
        self._note(key, server.resident_bytes() / 1e6)

    def _note_size(self, filled: Dataset) -> None:
        key = "stored_bytes" if self._home.name == SQLITE else "stored_bytes_postgres"
        self._note(key, filled.loaded_bytes / filled.rows)

    # ── running ──

    def _alternate(self, one: Callable[[], Load], other: Callable[[], Load]) -> tuple[list[Load], list[Load]]:
        pairs = [(one(), other()) for _ in range(self._settings.rounds)]
        return [a for a, _ in pairs], [b for _, b in pairs]

    def _load(self, server: Server, traffic: Traffic, connections: int, what: str) -> Load:
        self._say(f"{self._home.name}: {what}")
        return self._run(server, traffic, connections)

    def _run(self, server: Server, traffic: Traffic, connections: int) -> Load:
        chosen = self._settings
        before = server.cpu_s()
        outcome = load(Job(server.port, traffic, connections, chosen.seconds, chosen.warm_s, server.token))
        return Load(outcome, (server.cpu_s() - before) / outcome.sent * 1e6)

    def _posts(self, of: Dataset) -> Posts:
        return Posts(of.first, of.streams, self._later())

    def _batch(self, of: Dataset, rows: int) -> Arrays:
        return Arrays(of.first, of.streams, self._later(), rows)

    def _later(self) -> int:
        """A time after all that was sent before: a day further each time."""
        self._clock += 86_400
        return self._clock

    def _note(self, key: str, value: float | None, note: str = "") -> None:
        self.found.append(Measured(key, self._home.name, value, note))


@contextmanager
def copied(home: Home, key: str, name: str) -> Iterator[Place]:
    """A copy of a template, for as long as it is measured."""
    place = home.copy(key, f"{name}-{home.name.lower()}")
    try:
        yield place
    finally:
        home.drop(place)


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


def _ratio(ones: list[Load], others: list[Load]) -> float:
    return statistics.median(a.outcome.rate / b.outcome.rate for a, b in zip(ones, others, strict=True))


def _iso(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _between(start_us: int, end_us: int) -> str:
    return f"phenomenonTime ge {_iso(start_us)} and phenomenonTime lt {_iso(end_us)}"


def _windows(filled: Dataset) -> list[str]:
    """Days of minutes at changing places, each asked once: no plan and few pages are known already."""
    place = random.Random(2)
    day_us = 1440 * datasets.MINUTE_US
    found = []
    for _ in range(WINDOWS):
        stream = place.choice(filled.windows)
        room = filled.rows_of(stream) - 1440
        start = datasets.END_US - day_us - place.randint(0, room) * datasets.MINUTE_US
        condition = quote(_between(start, start + day_us))
        found.append(f"Datastreams({stream})/Observations?$filter={condition}&$top=1440")
    return found


def _year(filled: Dataset) -> str:
    start = datasets.END_US - filled.dense_rows * datasets.MINUTE_US
    condition = _between(start, datasets.END_US)
    hour = "bucket(phenomenonTime,duration'PT1H') as hour"
    apply = f"filter({condition})/groupby(({hour}),aggregate(result with mean as mean))"
    return f"Datastreams({filled.dense})/Observations?$apply={quote(apply, safe='()/,')}&$top=10000"
