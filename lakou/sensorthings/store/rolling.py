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
from lakou.sensorthings.sql.rollups import Width

READER = "rollups"
LOCK = 7_236_003
ENTRIES = 2_000
ROWS = 20_000
STALE = 500
REST_S = 1.0
SHARE = 0.25
"""Rolling up takes at most this share of one processor from the ingest."""

_ENTRIES = (
    "select c.transaction::text, c.seq, c.verb, c.type, c.first_id, c.last_id from change c, change_reader r"
    " where r.name = %s and (c.transaction, c.seq) > (r.transaction, r.seq)"
    " and c.transaction < pg_snapshot_xmin(pg_current_snapshot()) order by c.transaction, c.seq limit %s"
)


def bucket(width: Width) -> str:
    """The start of the bucket of time_start, for a driver that reads percent signs."""
    return Postgres().bucket("time_start", str(width.micros))


def rebuild(connection: psycopg.Connection[Any]) -> None:
    """Make all rollups again from all rows, in a transaction of the caller; nobody may write meanwhile."""
    connection.execute("lock table observation, change in share mode")
    connection.execute("delete from rollup_stale")
    for width in rollups.WIDTHS:
        connection.execute(f"delete from {width.table}".encode())
        connection.execute(rollups.add(width, "observation", bucket(width)).encode())
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
    for width in rollups.WIDTHS:
        connection.execute(rollups.add(width, source, bucket(width)).encode(), values)


def _make_again(connection: psycopg.Connection[Any], buckets: set[tuple[int, Any]]) -> None:
    """Make these hours again, and the days that they lie in, from the rows up to the cursor."""
    for width in rollups.WIDTHS:
        starts = f"date_bin('{width.micros} microseconds', %(start)s, timestamptz '1970-01-01T00:00:00Z')"
        for stream, start in buckets:
            values = {"stream": stream, "start": Micros(start)}
            connection.execute(
                f"delete from {width.table} where datastream_id = %(stream)s and start = {starts}".encode(), values
            )
            source = (
                "(select o.* from observation o where o.datastream_id = %(stream)s"
                f" and o.time_start >= {starts} and o.time_start < {starts} + interval '{width.micros} microseconds'"
                f" and {rollups.ROLLED_UP}) o"
            )
            connection.execute(rollups.add(width, source, bucket(width)).encode(), values)
