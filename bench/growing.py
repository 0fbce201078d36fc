"""Writing into full stores beside an empty one, what of it reaches the disk, and what stays there."""

from __future__ import annotations

import time
from typing import NamedTuple

from bench import disk, linux
from bench.dataset import Dataset
from bench.loading import LoadError
from bench.places import Place
from bench.server import Server
from bench.session import (
    ARRAY_CONNECTIONS,
    ARRAY_ROWS,
    CONNECTIONS,
    PROMISED_ROWS,
    Load,
    Session,
    median,
    rate,
    ratio,
    strained,
)
from bench.traffic import Arrays, Posts

# DESIGN §8 promises the bytes written for commits of so many rows.
COMMIT_ROWS = 34
QUIET_BYTES = 64 * 1024
SHOWN_PARTS = 6


class Store(NamedTuple):
    """A served store of some size; `used` is what it took on disk before the server began."""

    place: Place
    server: Server
    dataset: Dataset
    used: int


def growth(session: Session, empty: Store, stores: list[Store]) -> None:
    """Rates into each store beside those into the empty one; the last is that of N."""
    everywhere = [empty, *stores]
    chosen = session.settings
    for store in everywhere:
        session.meet(store.server, store.dataset)

    def single(store: Store) -> Load:
        return session.load(store.server, session.singles(store.dataset), CONNECTIONS, chosen.pair_s)

    def array(store: Store) -> Load:
        traffic = session.arrays(store.dataset, ARRAY_ROWS)
        return session.load(store.server, traffic, ARRAY_CONNECTIONS, chosen.pair_s)

    for key, what, load, rows in (("single", "single POST", single, 1), ("array", "data array", array, ARRAY_ROWS)):
        session.say(f"{what} into stores of {', '.join(f'{s.dataset.rows:,}' for s in everywhere)}")
        loads = session.alternate(*(lambda store=s, load=load: load(store) for s in everywhere), rounds=chosen.pairs)
        for store, done in zip(everywhere, loads, strict=True):
            size = store.dataset.rows
            session.note(f"grown_{key}", median(done, rate) * rows, strained(done), rows=size)
            if store is not empty:
                session.note(f"grown_{key}_ratio", ratio(done, loads[0]), rows=size, short=size < PROMISED_ROWS)
        last = stores[-1].dataset.rows
        note = f"{last:,} Observations" if last < PROMISED_ROWS else ""
        session.note(f"full_{key}_ratio", ratio(loads[-1], loads[0]), note, short=last < PROMISED_ROWS)


def written(session: Session, store: Store) -> None:
    """Bytes to the disk for each Observation of single POSTs; sealing of what came before is waited for first.

    The number of connections is chosen so that commits have about as many rows as the promise speaks of.
    """
    server = store.server
    session.say("what single POSTs write to the disk")
    settled = settle(session, server)
    probe, rows = _with_commits(session, store, CONNECTIONS, session.settings.warm_s)
    connections = (
        max(CONNECTIONS // 4, min(CONNECTIONS, round(CONNECTIONS * COMMIT_ROWS / rows))) if rows else CONNECTIONS
    )
    settled = settle(session, server) and settled
    wal = _wal(store)
    before = _Written.now(store)
    done, rows = _with_commits(session, store, connections, session.settings.written_rows / rate(probe))
    during = _Written.now(store).since(before)
    logged = _wal(store) - wal
    settled = settle(session, server) and settled
    counted = _Written.now(store)
    after = counted.since(before)
    sent = done.outcome.sent
    note = f"{sent:,} rows over {connections} connections, {counted.told(before, sent)}"
    note += "" if settled else ", sealing had not settled"
    short = store.dataset.rows < PROMISED_ROWS
    if store.place.database_url is None:
        session.note("written", after / sent if after else None, note if after else "not counted here", short=short)
        session.note("written_during", during / sent if during else None)
    else:
        session.note("logged", logged / sent, note)
    session.note("commit_rows", rows or None, "" if rows else "the change log does not tell")


class _Written(NamedTuple):
    """Bytes written so far, counted twice: for the processes of the server, and by the device for everybody.

    Both count too much. Where pages lie together in memory (large folios), the first counts all of them when one is
    written; the second has what others write, and the file system's journal. The smaller one is nearer to the truth.
    """

    processes: int
    device: int | None

    @classmethod
    def now(cls, store: Store) -> _Written:
        return cls(linux.written_bytes(store.server.pids), linux.device_bytes(store.place.data_dir))

    def since(self, before: _Written) -> int:
        counts = self._both(before)
        return min(counts, default=0)

    def _both(self, before: _Written) -> list[int]:
        by_device = None if self.device is None or before.device is None else self.device - before.device
        return [count for count in (self.processes - before.processes, by_device) if count]

    def told(self, before: _Written, rows: int) -> str:
        names = ("the processes", "the device")
        counts = zip(names, self._both(before), strict=False)
        return (
            ", ".join(f"{count / rows:,.0f} B by the count of {name}" for name, count in counts) or "not counted here"
        )


def _with_commits(session: Session, store: Store, connections: int, seconds: float) -> tuple[Load, float]:
    """A load of single POSTs, and how many rows a commit had."""
    before = disk.logged_commits(store.place)
    traffic: Posts | Arrays = session.singles(store.dataset)
    done = session.load(store.server, traffic, connections, seconds)
    commits = disk.logged_commits(store.place) - before
    return done, done.outcome.sent / commits if commits > 0 else 0.0


def _wal(store: Store) -> int:
    return 0 if store.place.database_url is None else disk.wal_position(store.place.database_url)


def settle(session: Session, server: Server) -> bool:
    """Wait until the server writes no more; whether it came to that within the time."""
    chosen = session.settings
    end = time.monotonic() + chosen.settle_s
    while time.monotonic() < end:
        before = linux.written_bytes(server.pids)
        time.sleep(chosen.quiet_s)
        if linux.written_bytes(server.pids) - before < QUIET_BYTES:
            return True
    return False


def loaded(session: Session, filled: Dataset) -> None:
    """What an Observation of a freshly loaded store takes."""
    session.note("stored", filled.loaded_bytes / filled.rows, short=filled.rows < 1_000_000)


def kept(session: Session, store: Store) -> None:
    """What an Observation takes after live ingest, of all that are there and of those that came in live."""
    added = session.added[store.server.port]
    if not added:
        raise LoadError("Nothing was ingested")
    used = disk.used_bytes(store.place)
    rows = store.dataset.rows + added
    share = (used - store.dataset.empty_bytes) / rows
    tables = ", ".join(
        f"{name} {size / rows:.1f}" for name, size in list(disk.parts(store.place).items())[:SHOWN_PARTS]
    )
    session.note("stored_live", share, f"{rows:,} rows; by table: {tables}", short=rows < 1_000_000)
    if store.place.database_url is None:
        session.note("stored_added", (used - store.used) / added, f"{added:,} rows")
