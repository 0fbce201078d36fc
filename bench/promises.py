"""The rows of the table: each promise of DESIGN §8 for the data plane, and the figures told beside them.

A row belongs to a part of the bench (`bench/measure.py` walks the parts); report and documentation walk the rows.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
POSTGRES_TWO = "PostgreSQL, 2 workers"
ONE = (SQLITE, POSTGRES)
ALL = (SQLITE, POSTGRES, POSTGRES_TWO)


class Promise(msgspec.Struct, frozen=True):
    """One row. Without a `bound` the figure is told and nothing is promised.

    `columns` are those of which the row speaks; a figure that another column has all the same is told only.
    """

    key: str
    what: str
    unit: str
    sense: Literal["≥", "≤"] = "≥"
    bound: float | None = None
    digits: int = 0
    columns: tuple[str, ...] = ALL

    def is_met(self, value: float) -> bool | None:
        """Whether a measured value meets the promise; None where nothing is promised."""
        if self.bound is None:
            return None
        return value >= self.bound if self.sense == "≥" else value <= self.bound


class Measured(msgspec.Struct, frozen=True):
    """A figure of one column, or why there is none; `note` says under which circumstances.

    `rows` is the size of the store where the figure belongs to the table of growth, else None. `short` says that the
    circumstances were less than those of the promise (a small N, few clients): then nothing is judged.
    """

    key: str
    column: str
    value: float | None
    note: str = ""
    rows: int | None = None
    short: bool = False


PROMISES: tuple[Promise, ...] = (
    Promise(
        "single_ratio", "durable single POST: share of the same server's rate without a database", "", "≥", 0.6, 2, ONE
    ),
    Promise("single_rate", "durable single POST, 64 connections", "/s", "≥", 8_000),
    Promise("single_p50", "durable single POST, p50", "ms", digits=1),
    Promise("single_p99", "durable single POST, p99", "ms", "≤", 20, 1),
    Promise("single_cpu", "durable single POST: processor time of the server", "µs"),
    Promise("null_rate", "the same server without a database", "/s", columns=ONE),
    Promise("null_cpu", "the same server without a database: processor time", "µs", columns=ONE),
    Promise(
        "array_ratio", "data array of 1,000, one Datastream: share of the raw engine's rate", "", "≥", 0.35, 2, ONE
    ),
    Promise(
        "mixed_ratio", "data array of 1,000, 100 Datastreams: share of the raw engine's rate", "", "≥", 0.35, 2, ONE
    ),
    Promise("array_rate", "data array of 1,000, one Datastream", "obs/s", "≥", 80_000),
    Promise("mixed_rate", "data array of 1,000, 100 Datastreams", "obs/s"),
    Promise("array_cpu", "data array of 1,000: processor time of the server an Observation", "µs", digits=1),
    Promise("array_large", "data array of 10,000: share of the rate at 1,000", "", "≥", 1, 2),
    Promise("engine_rate", "the raw engine, one Datastream a transaction", "obs/s", columns=ONE),
    Promise("mixed_engine_rate", "the raw engine, 100 Datastreams a transaction", "obs/s", columns=ONE),
    Promise("append_rate", "the raw engine, into a table without any index", "obs/s", columns=ONE),
    Promise("mqtt_rate", "MQTT QoS 1, acknowledged after commit", "/s", "≥", 12_000),
    Promise("mqtt_p50", "MQTT QoS 1: PUBLISH to PUBACK, p50", "ms", digits=1),
    Promise("mqtt_p99", "MQTT QoS 1: PUBLISH to PUBACK, p99", "ms", digits=1),
    Promise("mqtt_cpu", "MQTT QoS 1: processor time of the server", "µs"),
    Promise("full_single_ratio", "single POST into N: share of the empty store's rate", "", "≥", 0.9, 2, ONE),
    Promise("full_array_ratio", "data array into N: share of the empty store's rate", "", "≥", 0.9, 2, ONE),
    Promise("written", "written to disk into N by single POSTs, sealing included", "B/obs", "≤", 2_500, 0, (SQLITE,)),
    Promise("written_during", "the same before sealing has settled", "B/obs", columns=(SQLITE,)),
    Promise("logged", "write-ahead log into N by single POSTs", "B/obs", columns=(POSTGRES,)),
    Promise("commit_rows", "rows a commit meanwhile", "", columns=ONE),
    Promise("window_p50", "24 h window, 1,440 rows, p50", "ms", "≤", 8, 2),
    Promise("latest_p50", "100 Datastreams each with its latest, p50", "ms", "≤", 10, 2),
    Promise("thing_p50", "Thing with Datastreams, p50", "ms", "≤", 2, 2),
    Promise("year_p50", "one year by hour of one Datastream, p50", "ms", "≤", 10, 1),
    Promise("day_p50", "one day by hour of all Datastreams as data array, p50", "ms", "≤", 400),
    Promise("live_share", "1,000 event-stream clients at 50 events/s: share of a core", "%", "≤", 35, 1),
    Promise("live_delivered", "event stream: events that arrived", "%", digits=1),
    Promise("live_p50", "event stream: POST to client, p50", "ms"),
    Promise("live_p99", "event stream: POST to client, p99", "ms"),
    Promise("rest_memory", "memory at rest", "MB", "≤", 150, 0, ONE),
    Promise("busy_memory", "memory after all loads", "MB"),
    Promise("stored", "an Observation on disk, indexes included, freshly loaded", "B", "≤", 75, 0, (SQLITE,)),
    Promise("stored_live", "the same after live ingest into N, sealing settled", "B", "≤", 75, 0, (SQLITE,)),
    Promise("stored_added", "the rows of live ingest alone", "B", columns=(SQLITE,)),
)
BY_KEY = {promise.key: promise for promise in PROMISES}

GROWTH: tuple[Promise, ...] = (
    Promise("grown_single", "single POST", "/s"),
    Promise("grown_single_ratio", "single POST: share of the empty store's rate", "", "≥", 0.9, 2),
    Promise("grown_array", "data array of 1,000", "obs/s"),
    Promise("grown_array_ratio", "data array: share of the empty store's rate", "", "≥", 0.9, 2),
)
"""The rows of the table of growth: one column for each size of the store."""

PEER: tuple[Promise, ...] = (
    Promise("single_rate", "single POST, 64 connections", "/s"),
    Promise("single_p50", "single POST, p50", "ms", digits=1),
    Promise("single_p99", "single POST, p99", "ms", digits=1),
    Promise("array_rate", "data array of 1,000, 4 connections", "obs/s"),
    Promise("array_large_rate", "data array of 10,000, 2 connections", "obs/s"),
    Promise("window_p50", "24 h window, 1,440 rows, p50", "ms", digits=2),
    Promise("latest_p50", "100 Datastreams each with its latest, p50", "ms", digits=2),
    Promise("thing_p50", "Thing with Datastreams, p50", "ms", digits=2),
)
"""The rows of the table of peers: the same work through plain SensorThings 1.1, Lakou in the first column."""
