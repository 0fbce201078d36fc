"""What a store can tell of itself in numbers: the writer's commits as they happen, its sizes when asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakou.kernel.histogram import Histogram
from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store import outbox

LAG_TIMEOUT_S = 2.0


class WriterFigures:
    """Since the start. Only the writer's thread changes them."""

    def __init__(self) -> None:
        self.failed = 0
        self.observations = 0
        self.replays = 0
        self.rows = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 10_000)
        self.seconds = Histogram(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

        self.settling = Histogram(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)

    def committed(self, rows: int, replays: int, seconds: float) -> None:
        """Note a commit of so many new Observations."""
        self.observations += rows
        self.replays += replays
        self.rows.add(rows)
        self.seconds.add(seconds)


READERS: dict[str, str] = {
    "sqlite": "select name, (select coalesce(max(seq), 0) from change) - seq from change_reader",
    # By sequence number: across several writers it is right to a few entries, and it needs no scan.
    "postgres": "select name, greatest((select coalesce(max(seq), 0) from change) - seq, 0) from change_reader"
    " where seq < 4611686018427387904",
}
LENGTH = "select coalesce(max(seq) - min(seq) + 1, 0) from change"
SIZE = (
    "select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class"
    " where relnamespace = to_regnamespace('observations') and relkind = 'r'"
)


def statements(dialect: str) -> dict[str, Statement]:
    """What is asked of a store now and then, by meaning: `readers`, `length`, `acts`, and on PostgreSQL `size`."""
    asked = {"readers": Statement(READERS[dialect], {}), "length": Statement(LENGTH, {}), "acts": outbox.WAITING}
    if dialect != "sqlite":
        asked["size"] = Statement(SIZE, {})
    return asked


def sizes(folder: Path | None) -> dict[str, tuple[int, int]]:
    """Bytes of each SQLite database and of its write-ahead log, by name."""
    found: dict[str, tuple[int, int]] = {}
    for name in ("observations", "civic"):
        path = None if folder is None else folder / f"{name}.db"
        if path is not None and path.exists():
            log = path.with_name(f"{name}.db-wal")
            found[name] = (path.stat().st_size, log.stat().st_size if log.exists() else 0)
    return found


def numbers(rows: list[tuple[Any, ...]]) -> int:
    """The one number of a one-row answer; 0 without a row."""
    return int(rows[0][0]) if rows else 0
