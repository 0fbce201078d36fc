"""What the measurements of one column share: its settings, its stores, its loads, and what it has found.

Rounds alternate between the two sides of a ratio, and a figure is the median of the rounds, so that a machine that
slows down for a moment does not decide it.
"""

from __future__ import annotations

import os
import statistics
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from bench import dataset, linux, loader, mqtt_loader
from bench.dataset import Dataset
from bench.loading import BUSY_SHARE, LoadError, Outcome, run_loader, succeeded
from bench.places import Home, Place
from bench.promises import Measured
from bench.server import Server, send
from bench.traffic import Arrays, Posts, Traffic, requests

CONNECTIONS = 64
ARRAY_CONNECTIONS, LARGE_ARRAY_CONNECTIONS = 4, 2
ARRAY_ROWS, LARGE_ARRAY_ROWS = 1_000, 10_000
PROMISED_ROWS = 10_000_000
MEETINGS = 4


Side = TypeVar("Side")


class Settings(msgspec.Struct, frozen=True):
    """How long and how large. `rows` is N, the Observations of the full store; times in seconds.

    The table of growth compares stores of those of `steps` that are smaller than N, and of N, with an empty one.
    `written_rows` are posted to see what reaches the disk; `settle_s` is how long its end is waited for. `clients`
    listen to the event stream for `live_s`. The table of growth has `pairs` short rounds of `pair_s`, not `rounds` of
    `seconds`: a host that changes its speed by the minute is the same for the two sides of most of them.
    """

    rows: int = 1_000_000
    steps: tuple[int, ...] = (1_000_000, PROMISED_ROWS)
    things: int = 1_000
    datastreams_each: int = 5
    seconds: float = 4.0
    warm_s: float = 1.0
    rounds: int = 5
    pairs: int = 15
    pair_s: float = 1.5
    written_rows: int = 600_000
    settle_s: float = 90.0
    quiet_s: float = 3.0
    clients: int = 1_000
    live_s: float = 10.0

    @property
    def sizes(self) -> list[int]:
        """The sizes of store in the table of growth; N is the last."""
        return sorted({self.rows, *(size for size in self.steps if size < self.rows)})


class Load(NamedTuple):
    """The outcome of a load, and the processor time of the server for each request sent, in µs."""

    outcome: Outcome
    cpu_us: float


class Session:
    """One column of the table: `found` and `left_out` fill as it goes."""

    def __init__(
        self, home: Home, column: str, settings: Settings, work: Path, cache: Path | None, say: Callable[[str], None]
    ) -> None:
        self.home = home
        self.column = column
        self.settings = settings
        self.work = work
        self.cache = cache
        self.found: list[Measured] = []
        self.left_out: list[str] = []
        self.added: Counter[int] = Counter()
        """Observations acknowledged so far, by the port of the server."""
        self._say = say
        self._clock = int(time.time()) // 60 * 60

    # ── telling ──

    def say(self, text: str) -> None:
        """Tell what is going on."""
        self._say(f"{self.column}: {text}")

    def note(
        self, key: str, value: float | None, note: str = "", *, rows: int | None = None, short: bool = False
    ) -> None:
        """Keep a figure, or why there is none."""
        self.found.append(Measured(key, self.column, value, note, rows, short))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part that may fail without hiding the others; a run of most of an hour must not end without a table."""
        try:
            yield
        except LoadError as error:
            self.left_out.append(f"{self.column}, {name}: {error}")
            self.say(f"{name} failed: {error}")
        except Exception as error:
            self.left_out.append(f"{self.column}, {name}: {type(error).__name__}: {error}")
            self.say(f"{name} failed: {traceback.format_exc()}")

    # ── stores ──

    def prepared(self, rows: int, home: Home | None = None) -> tuple[str, Dataset]:
        """The template with that many Observations."""
        chosen = self.settings
        return dataset.prepare(home or self.home, chosen.things, chosen.datastreams_each, rows, self._say)

    @contextmanager
    def copied(self, key: str, name: str, home: Home | None = None) -> Iterator[Place]:
        """A copy of a template, for as long as it is measured."""
        where = home or self.home
        place = where.copy(key, f"{name}-{where.name.lower()}")
        # What the copy left to be written would be written during the measurement.
        os.sync()
        try:
            yield place
        finally:
            where.drop(place)

    # ── loads ──

    def later(self) -> int:
        """A time after all that was sent before: a day further each time, in seconds from 1970."""
        self._clock += 86_400
        return self._clock

    def singles(self, of: Dataset) -> Posts:
        """Single POSTs over all Datastreams."""
        return Posts(list[int | str](of.streams), self.later())

    def arrays(self, of: Dataset, rows: int, together: int = 1) -> Arrays:
        """Data arrays of so many rows of so many Datastreams, over all of them in turn."""
        return Arrays(list[int | str](of.streams), self.later(), rows, together)

    def meet(self, server: Server, of: Dataset, workers: int = 1) -> None:
        """One Observation for each Datastream: what a server looks up at the first one belongs to its first minute.

        Which worker answers is chance, so that several ask several times.
        """
        together = min(ARRAY_ROWS, of.shape.streams)
        for _ in range(1 if workers == 1 else MEETINGS * workers):
            source = requests(self.arrays(of, together, together), server.wire)
            for _ in range(-(-of.shape.streams // together)):
                send(server.port, next(source))
                self.added[server.port] += together

    def load(self, server: Server, traffic: Traffic, connections: int, seconds: float | None = None) -> Load:
        """Load a server over HTTP. Raises LoadError when anything but success was answered."""
        chosen = self.settings
        lasting = chosen.seconds if seconds is None else seconds
        job = loader.Job("127.0.0.1", server.port, server.wire, traffic, connections, lasting, chosen.warm_s)
        done = self._run(server, "bench.loader", job, lasting)
        match traffic:
            case Posts():
                self.added[server.port] += done.outcome.sent
            case Arrays():
                self.added[server.port] += done.outcome.sent * traffic.rows
        return done

    def publish(self, server: Server, of: Dataset, connections: int, window: int) -> Load:
        """Load a server over MQTT. Raises LoadError when anything was not acknowledged."""
        chosen = self.settings
        job = mqtt_loader.Job(
            server.mqtt_port, server.token_name, server.token, list[int | str](of.streams), self.later(), connections,
            window, chosen.seconds, chosen.warm_s,
        )  # fmt: skip
        done = self._run(server, "bench.mqtt_loader", job, chosen.seconds)
        self.added[server.port] += done.outcome.sent
        return done

    def _run(self, server: Server, module: str, job: msgspec.Struct, seconds: float) -> Load:
        pids = server.pids
        before = linux.cpu_s(pids)
        outcome = succeeded(run_loader(module, job, Outcome, seconds + self.settings.warm_s))
        return Load(outcome, (linux.cpu_s(pids) - before) / outcome.sent * 1e6)

    def alternate(self, *sides: Callable[[], Side], rounds: int | None = None) -> list[list[Side]]:
        """What each side gives, once a round; each round begins with another side, and every other goes backwards.

        A side has no neighbour that it always follows: what one leaves to be sealed slows the next one down.
        """
        done: list[list[Side]] = [[] for _ in sides]
        for turn in range(rounds or self.settings.rounds):
            order = [(turn + n) % len(sides) for n in range(len(sides))]
            for side in reversed(order) if turn % 2 else order:
                done[side].append(sides[side]())
        return done


def median(loads: Iterable[Load], value: Callable[[Load], float]) -> float:
    """The median round."""
    return statistics.median(value(one) for one in loads)


def rate(one: Load) -> float:
    """Answers a second."""
    return one.outcome.rate


def ratio(ones: list[Load], others: list[Load]) -> float:
    """The median of the rounds' ratios of rates."""
    return statistics.median(rate(a) / rate(b) for a, b in zip(ones, others, strict=True))


def strained(*loads: list[Load]) -> str:
    """A note when the loader itself may have been what was measured."""
    worst = max(one.outcome.loader_share for some in loads for one in some)
    return f"the loader used {worst:.0%} of a core and may be the limit" if worst > BUSY_SHARE else ""
