"""The promises that are measured: DESIGN §8, as one table. Report and documentation walk it."""

from __future__ import annotations

from typing import Literal

import msgspec

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
BOTH = (SQLITE, POSTGRES)


class Promise(msgspec.Struct, frozen=True):
    """One line of the table. Without a `bound` the figure is told and nothing is promised."""

    key: str
    what: str
    unit: str
    sense: Literal["≥", "≤"] = "≥"
    bound: float | None = None
    digits: int = 0
    databases: tuple[str, ...] = BOTH

    def is_kept(self, value: float) -> bool | None:
        """Whether a measured value keeps the promise; None where nothing is promised."""
        if self.bound is None:
            return None
        return value >= self.bound if self.sense == "≥" else value <= self.bound


class Measured(msgspec.Struct, frozen=True):
    """A figure, or why there is none; `note` says under which circumstances."""

    key: str
    database: str
    value: float | None
    note: str = ""


PROMISES: tuple[Promise, ...] = (
    Promise("single_ratio", "durable single POST: share of the same server's rate without a database", "", "≥", 0.6, 2),
    Promise("single_rate", "durable single POST, 64 connections", "/s", "≥", 8_000),
    Promise("single_p50", "durable single POST, p50", "ms", digits=1),
    Promise("single_p99", "durable single POST, p99", "ms", "≤", 20, 1),
    Promise("null_rate", "the same server without a database", "/s"),
    Promise("single_cpu", "durable single POST: processor time of the server", "µs"),
    Promise("null_cpu", "the same without a database", "µs"),
    Promise("array_ratio", "data array of 1,000: share of the raw engine's rate", "", "≥", 0.35, 2),
    Promise("array_rate", "data array of 1,000", "obs/s", "≥", 80_000),
    Promise("array_cpu", "data array of 1,000: processor time of the server an Observation", "µs", digits=1),
    Promise("array_large", "data array of 10,000: share of the rate at 1,000", "", "≥", 1, 2),
    Promise("engine_rate", "the raw engine, transactions of 1,000", "obs/s"),
    Promise("full_single_ratio", "single POST into the full store: share of the empty store's rate", "", "≥", 0.9, 2),
    Promise("full_array_ratio", "data array into the full store: share of the empty store's rate", "", "≥", 0.9, 2),
    Promise("written_bytes", "written to disk by a single POST, full store", "bytes/obs", "≤", 2_500, 0, (SQLITE,)),
    Promise("window_p50", "24 h window, 1,440 rows, p50", "ms", "≤", 8, 2),
    Promise("latest_p50", "100 Datastreams each with its latest, p50", "ms", "≤", 10, 2),
    Promise("thing_p50", "Thing with Datastreams, p50", "ms", "≤", 2, 2),
    Promise("year_p50", "one year by hour of one Datastream, p50", "ms", "≤", 10, 1),
    Promise("rest_memory", "memory at rest", "MB", "≤", 150),
    Promise("busy_memory", "memory after all loads", "MB"),
    Promise("stored_bytes", "an Observation on disk, indexes included", "bytes", "≤", 75, 0, (SQLITE,)),
    Promise("stored_bytes_postgres", "an Observation on disk, indexes included", "bytes", databases=(POSTGRES,)),
)  # fmt: skip
BY_KEY = {promise.key: promise for promise in PROMISES}
