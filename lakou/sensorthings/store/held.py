"""What holds up the readers of the change log on PostgreSQL: the oldest transaction that has not ended.

They go only up to `pg_snapshot_xmin`, which counts every transaction with an id on the server, those of other databases
too (docs/explanation/durability.md). SQLite has one writer and no such wait.
"""

from __future__ import annotations

from typing import NamedTuple

from lakou.sensorthings.sql.dialect import Statement
from lakou.sensorthings.store.database import Row


class Held(NamedTuple):
    """`seconds`: how long the oldest committed entry has waited to be told; whose transaction that is because of.

    Where PostgreSQL does not say whose, for a prepared transaction, `database` is empty and `pid` 0.
    """

    seconds: float
    database: str
    user: str
    pid: int


def statement() -> Statement:
    """Its row, if there is one, is for `of`. Locks are seen by everybody, a stranger's transaction id is not."""
    return Statement(
        "select extract(epoch from clock_timestamp() - c.at)::float8, coalesce(a.datname, ''),"
        " coalesce(a.usename, ''), coalesce(l.pid, 0) from"
        " (select at from change where transaction >= pg_snapshot_xmin(pg_current_snapshot())"
        " order by transaction, seq limit 1) c"
        " left join pg_locks l on l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock'"
        " and l.transactionid = pg_snapshot_xmin(pg_current_snapshot())::xid"
        " left join pg_stat_activity a on a.pid = l.pid limit 1",
        {},
    )


def of(rows: list[Row]) -> Held | None:
    """None when every committed entry can be told."""
    return Held(max(0.0, rows[0][0]), *rows[0][1:]) if rows else None
