"""The figures that `/metrics` gives: names, forms, labels, meanings. docs/reference/metrics.md is made from this table.

Names follow Prometheus: `_total` counts since the start, `_seconds` and `_bytes` are base units.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Family(NamedTuple):
    """One figure; a counter's name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()


FAMILIES: tuple[Family, ...] = (
    Family(
        "lakou_requests_total",
        "counter",
        "requests answered, by part of the application, method and class of status (cut: the client left first)",
        ("part", "method", "status"),
    ),
    Family(
        "lakou_request_duration_seconds",
        "histogram",
        "from the whole header to the last byte handed over; event streams are not in it",
        ("part",),
    ),
    Family("lakou_refused_total", "counter", "refusals of the SensorThings service, by code of the error", ("code",)),
    Family("lakou_observations_total", "counter", "Observations stored"),
    Family("lakou_replays_total", "counter", "Observations that were stored already and were sent again"),
    Family("lakou_commit_rows", "histogram", "new Observations in a commit; its count is the number of commits"),
    Family("lakou_commit_duration_seconds", "histogram", "from the begin of a transaction to the disk's word"),
    Family(
        "lakou_seal_duration_seconds", "histogram", "how long slices of background work held up the writer (SQLite)"
    ),
    Family("lakou_commits_failed_total", "counter", "commits that the database or the disk refused"),
    Family("lakou_queue_rows", "gauge", "rows that wait for a commit"),
    Family("lakou_queue_limit_rows", "gauge", "rows above which 503 is answered"),
    Family("lakou_readers_busy", "gauge", "readers at work or waited for"),
    Family("lakou_live_listeners", "gauge", "open event streams"),
    Family("lakou_mqtt_connections", "gauge", "open MQTT connections"),
    Family("lakou_mqtt_published_total", "counter", "Observations stored from MQTT"),
    Family("lakou_mqtt_refused_total", "counter", "messages to MQTT that were not stored"),
    Family("lakou_mqtt_sent_total", "counter", "messages sent to MQTT subscribers"),
    Family("lakou_mqtt_dropped_total", "counter", "messages that an MQTT subscriber was too slow for"),
    Family("lakou_mqtt_turned_away_total", "counter", "MQTT connections refused, or ended for what they sent"),
    Family("lakou_database_bytes", "gauge", "size of a database", ("database",)),
    Family("lakou_wal_bytes", "gauge", "size of the write-ahead log beside an SQLite file", ("database",)),
    Family("lakou_change_log_entries", "gauge", "entries kept in the change log"),
    Family("lakou_change_log_lag_entries", "gauge", "entries that a registered reader has yet to read", ("reader",)),
    Family(
        "lakou_change_log_delay_seconds",
        "gauge",
        "how long the oldest committed entry waits to be told, because a transaction of that database of the server has"
        " not ended (PostgreSQL)",
        ("database",),
    ),
    Family("lakou_acts_told_total", "counter", "acts that went from the store into the journal"),
    Family("lakou_acts_failed_total", "counter", "attempts to write acts into the journal that failed; they wait"),
    Family("lakou_acts_waiting", "gauge", "acts in the outbox of the store that the journal does not have yet"),
    Family("lakou_disk_free_bytes", "gauge", "room left on the disk of the data folder"),
    Family("lakou_clock_offset_seconds", "gauge", "what the system says its clock is off; absent when it cannot say"),
    Family("lakou_ready", "gauge", "1 when a check of /readyz holds, else 0", ("check",)),
    Family("lakou_build_info", "gauge", "1, with the running version", ("version",)),
)
