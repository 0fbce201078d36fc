"""Rollups on PostgreSQL: made beside the ingest, from the change log, by one worker at a time (DESIGN §4 rules 3, 5).

A pass takes the commits that the log tells of after its cursor, adds what their rows come to, makes stale buckets
again, and stores how far it came: all in one snapshot and one transaction. Rows of later commits are never in.
"""

from __future__ import annotations

from typing import Any

import psycopg

from lakou.sensorthings.sql import rollups
from lakou.sensorthings.sql.dialect import Micros
from lakou.sensorthings.sql.postgres import Postgres

READER = "rollups"
LOCK = 7_236_003
ENTRIES = 2_000
ROWS = 20_000
STALE = 500
REST_S = 1.0
SHARE = 0.25
"""Rolling up takes at most this share of one processor from the ingest."""
_BUCKETS = (
    Postgres().bucket("time_start", str(rollups.HOUR.micros)),
    Postgres().bucket("start", str(rollups.DAY.micros)),
)
"""The start of the hour of a row, and of the day of an hour."""

_ENTRIES = (
    "select c.transaction::text, c.seq, c.verb, c.type, c.first_id, c.last_id from change c, change_reader r"
    " where r.name = %s and (c.transaction, c.seq) > (r.transaction, r.seq)"
    " and c.transaction < pg_snapshot_xmin(pg_current_snapshot()) order by c.transaction, c.seq limit %s"
)


def rebuild(connection: psycopg.Connection[Any]) -> None:
    """Make all rollups again from all rows, in a transaction of the caller; nobody may write meanwhile."""
    connection.execute("lock table observation, change in share mode")
    connection.execute("delete from rollup_stale")
    for width in rollups.WIDTHS:
        connection.execute(f"delete from {width.table}".encode())
    connection.execute(rollups.add("rollup_hour", rollups.aggregate("observation", _BUCKETS[0])).encode())
    connection.execute(rollups.add("rollup_day", rollups.fold("rollup_hour", _BUCKETS[1])).encode())
    connection.execute(
        "insert into change_reader (name, transaction, seq, seen_at)"
        " select %s, coalesce(max(transaction), '0'::xid8), coalesce(max(seq), 0), now() from"
        " (select transaction, seq from change order by transaction desc, seq desc limit 1) x"
        " on conflict (name) do update set transaction = excluded.transaction, seq = excluded.seq, seen_at = now()",
        (READER,),
    )


def roll(connection: psycopg.Connection[Any]) -> bool:
    """One pass, on an autocommit connection; whether there may be more to do."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        got = connection.execute("select pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone()
        if got is None or not got[0]:
            return False
        taken, more = _taken(connection)
        stale = connection.execute(
            "select id, datastream_id, start from rollup_stale order by id limit %s", (STALE,), binary=True
        ).fetchall()
        if not taken and not stale:
            return False
        if taken:
            _add(connection, taken)
            connection.execute(
                "update change_reader set transaction = %s::text::xid8, seq = %s, seen_at = now() where name = %s",
                (taken[-1][0], taken[-1][1], READER),
            )
        if stale:
            _make_again(connection, {(row[1], row[2]) for row in stale})
            connection.execute("delete from rollup_stale where id = any(%s)", ([row[0] for row in stale],))
        return more or len(stale) == STALE


def _taken(connection: psycopg.Connection[Any]) -> tuple[list[Any], bool]:
    """(the entries of this pass, whether more follow)."""
    entries = connection.execute(_ENTRIES, (READER, ENTRIES)).fetchall()
    rows = 0
    for n, entry in enumerate(entries):
        rows += entry[5] - entry[4] + 1 if entry[3] == "Observation" else 0
        if rows > ROWS and n:
            return entries[:n], True
    return entries, len(entries) == ENTRIES


def _add(connection: psycopg.Connection[Any], entries: list[Any]) -> None:
    ranges = [(e[4], e[5]) for e in entries if e[2] == "create" and e[3] == "Observation"]
    if not ranges:
        return
    source = (
        "(select o.* from unnest(%(low)s::bigint[], %(high)s::bigint[]) as p(low, high)"
        " join observation o on o.id between p.low and p.high) o"
    )
    values = {"low": [a for a, _ in ranges], "high": [b for _, b in ranges]}
    _roll_up(connection, source, values)


def _roll_up(connection: psycopg.Connection[Any], source: str, values: dict[str, Any], kind: str = "rollup") -> None:
    """Add what the rows of `source` come to to the tables of a kind, rollup or history."""
    hours = rollups.aggregate(source, _BUCKETS[0])
    connection.execute(rollups.add(f"{kind}_hour", hours).encode(), values)
    connection.execute(rollups.add(f"{kind}_day", rollups.fold(f"({hours}) h", _BUCKETS[1])).encode(), values)


def _make_again(connection: psycopg.Connection[Any], buckets: set[tuple[int, Any]]) -> None:
    """Make these hours again from the rows up to the cursor, and the days that they lie in from their hours."""
    for stream, start in buckets:
        values = {"stream": stream, "start": Micros(start)}
        connection.execute("delete from rollup_hour where datastream_id = %(stream)s and start = %(start)s", values)
        source = (
            "(select o.* from observation o where o.datastream_id = %(stream)s and o.time_start >= %(start)s"
            f" and o.time_start < %(start)s + interval '1 hour' and {rollups.ROLLED_UP}) o"
        )
        connection.execute(rollups.add("rollup_hour", rollups.aggregate(source, _BUCKETS[0])).encode(), values)
    days = {(stream, start - start % rollups.DAY.micros) for stream, start in buckets}
    for stream, start in days:
        values = {"stream": stream, "start": Micros(start)}
        connection.execute("delete from rollup_day where datastream_id = %(stream)s and start = %(start)s", values)
        source = (
            "(select * from rollup_hour where datastream_id = %(stream)s and start >= %(start)s"
            " and start < %(start)s + interval '1 day') h"
        )
        connection.execute(rollups.add("rollup_day", rollups.fold(source, _BUCKETS[1])).encode(), values)


def expire(connection: psycopg.Connection[Any], stream: int, start: int, end: int, limit: int) -> int | None:
    """Delete the oldest rows of a Datastream within a time; what they came to goes to the history. In a transaction of
    the caller. None when it has to wait: rollups are being made, or have to be made again first."""
    got = connection.execute("select pg_try_advisory_xact_lock(%s)", (LOCK,)).fetchone()
    values = {"stream": stream, "start": Micros(start), "end": Micros(end), "limit": limit}
    within = "o.datastream_id = %(stream)s and o.time_start >= %(start)s and o.time_start < %(end)s"
    waiting = (
        "select 1 from rollup_stale where datastream_id = %(stream)s and start >= %(start)s and start < %(end)s"
        f" union all select 1 from observation o where {within} and not ({rollups.ROLLED_UP}) limit 1"
    )
    if got is None or not got[0] or connection.execute(waiting.encode(), values).fetchone() is not None:
        return None
    source = f"(select * from observation o where {within} order by o.time_start, o.id limit %(limit)s) o"
    _roll_up(connection, source, values, "history")
    gone = connection.execute(
        "with old as (select o.time_start, o.id from observation o"
        f" where {within} order by o.time_start, o.id limit %(limit)s),"
        " gone as (delete from observation o using old where o.datastream_id = %(stream)s"
        " and o.time_start = old.time_start and o.id = old.id returning o.time_start)"
        " select distinct date_trunc('hour', time_start at time zone 'UTC') at time zone 'UTC',"
        " count(*) over () from gone".encode(),
        values,
        binary=True,
    ).fetchall()
    _make_again(connection, {(stream, hour) for hour, _ in gone})
    return gone[0][1] if gone else 0
