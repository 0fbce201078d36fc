"""What rows of Observations come to by hour and by day: the SQL text of both databases (DESIGN §4 rule 5).

A *partial* is what some rows of one Datastream, bucket and class of quality come to. Partials of the same bucket add
up: `MERGE` says how. The class of quality is 0 where no resultQuality was said and 1 where one was.
"""

from __future__ import annotations

from typing import NamedTuple

from lakou.sensorthings.plan.rolled import DAY_US, HOUR_US

PARTIAL = (
    "rows", "count", "sum", "min", "max", "first_time", "first_id", "first", "last_time", "last_id", "last",
)  # fmt: skip
"""What a rollup holds of a bucket: all rows, then of those with a number: count … last (by time, then id)."""


EXTENTS = {"time_end": "max(time_end)", "result_time_min": "min(result_time)", "result_time_max": "max(result_time)"}
"""What the extents of a Datastream need besides, by the aggregate over rows that makes it."""
COLUMNS = ", ".join(("datastream_id", "start", "quality", *PARTIAL, *EXTENTS))


class Width(NamedTuple):
    """One width of rollup: its table, and the one that takes its buckets when their rows are not kept any more."""

    table: str
    history: str
    micros: int


HOUR = Width("rollup_hour", "history_hour", HOUR_US)
DAY = Width("rollup_day", "history_day", DAY_US)
WIDTHS = (HOUR, DAY)


ROLLED_UP = (
    "not exists (select 1 from change c, change_reader r where r.name = 'rollups' and c.type = 'Observation'"
    " and c.verb = 'create' and (c.transaction, c.seq) > (r.transaction, r.seq)"
    " and o.id between c.first_id and c.last_id)"
)
"""On PostgreSQL, the condition that the row `o` came with a commit that the rollups have reached."""


def aggregate(source: str, bucket: str) -> str:
    """A query for the partials of the rows of `source`, which has the columns of an Observation; in COLUMNS.

    `bucket` is the start of the bucket as SQL text over time_start.
    """
    known = "case when result_number is null then 1 else 0 end"
    window = f"partition by datastream_id, {bucket}, result_quality is null order by {known}, time_start"
    ranked = (
        f"select datastream_id, {bucket} as start, case when result_quality is null then 0 else 1 end as quality,"
        f" time_start, id, time_end, result_time, result_number,"
        f" row_number() over ({window}, id) as up, row_number() over ({window} desc, id desc) as down from {source}"
    )
    ends = ", ".join(
        f"max(case when {rank} = 1 and result_number is not null then {column} end) as {name}"
        for rank, end in (("up", "first"), ("down", "last"))
        for name, column in ((f"{end}_time", "time_start"), (f"{end}_id", "id"), (end, "result_number"))
    )
    extents = ", ".join(f"{text} as {name}" for name, text in EXTENTS.items())
    return (
        "select datastream_id, start, quality, count(*) as rows, count(result_number) as count,"
        f" sum(result_number) as sum, min(result_number) as min, max(result_number) as max, {ends}, {extents}"
        f" from ({ranked}) x where true group by datastream_id, start, quality"
    )


def fold(source: str, bucket: str) -> str:
    """A query for the partials of wider buckets from those of narrower ones; `bucket` is SQL text over start."""
    window = f"partition by datastream_id, {bucket}, quality order by"
    up, down = "case when first_time is null then 1 else 0 end", "case when last_time is null then 1 else 0 end"
    ranked = (
        f"select {COLUMNS}, {bucket} as wide,"
        f" row_number() over ({window} {up}, first_time, first_id) as up,"
        f" row_number() over ({window} {down}, last_time desc, last_id desc) as down from {source}"
    )
    ends = ", ".join(
        f"max(case when {rank} = 1 then {name} end) as {name}"
        for rank, end in (("up", "first"), ("down", "last"))
        for name in (f"{end}_time", f"{end}_id", end)
    )
    extents = ", ".join(f"{text[:3]}({name}) as {name}" for name, text in EXTENTS.items())
    return (
        "select datastream_id, wide as start, quality, sum(rows) as rows, sum(count) as count, sum(sum) as sum,"
        f" min(min) as min, max(max) as max, {ends}, {extents}"
        f" from ({ranked}) x where true group by datastream_id, wide, quality"
    )


def _least(column: str, table: str, pick: str) -> str:
    """The smaller or greater of what is stored and what comes, either of which may be null."""
    stored, comes = f"{table}.{column}", f"excluded.{column}"
    order = "<" if pick == "min" else ">"
    return f"case when {stored} is null or {comes} {order} {stored} then coalesce({comes}, {stored}) else {stored} end"


def _end(column: str, table: str, end: str) -> str:
    order = "<" if end == "first" else ">"
    comes = (
        f"{table}.{end}_time is null or (excluded.{end}_time, excluded.{end}_id)"
        f" {order} ({table}.{end}_time, {table}.{end}_id)"
    )
    return f"case when {comes} then coalesce(excluded.{column}, {table}.{column}) else {table}.{column} end"


def add(table: str, partials: str) -> str:
    """Add partials, given as a query for COLUMNS, to those of a table of rollups."""
    sets = [f"rows = {table}.rows + excluded.rows", f"count = {table}.count + excluded.count"]
    sets.append(
        f"sum = case when excluded.count = 0 then {table}.sum when {table}.count = 0 then excluded.sum"
        f" else {table}.sum + excluded.sum end"
    )
    sets += [f"{name} = {_least(name, table, name)}" for name in ("min", "max")]
    sets += [f"{c} = {_end(c, table, end)}" for end in ("first", "last") for c in (f"{end}_time", f"{end}_id", end)]
    sets += [f"{name} = {_least(name, table, text[:3])}" for name, text in EXTENTS.items()]
    conflict = f"on conflict (datastream_id, start, quality) do update set {', '.join(sets)}"
    return f"insert into {table} ({COLUMNS}) {partials} {conflict}"


def differing(table: str, partials: str, known: str = "1 = 1") -> str:
    """A query for the number of buckets of a table that are not those of `partials`.

    `known` is a condition on the bucket `b` (datastream_id, start): others are not looked at. Sums may differ by the
    order in which they were added up. `{b}` stands for one more condition on `b`.
    """
    same = " and ".join(f"s.{c} = b.{c}" for c in ("datastream_id", "start", "quality"))
    exact = " and ".join(
        f"s.{c} is not distinct from b.{c}" for c in (*PARTIAL, *EXTENTS) if c not in ("sum", "rows", "count")
    )
    close = "coalesce(abs(s.sum - b.sum) <= 1e-9 * (abs(s.sum) + abs(b.sum) + 1), s.sum is null and b.sum is null)"
    equal = f"s.rows = b.rows and s.count = b.count and {exact} and {close}"
    return (
        f"with again as materialized (select * from ({partials}) b where {known})"
        " select (select count(*) from again b where not exists"
        f" (select 1 from {table} s where {same} and {equal}))"
        f" + (select count(*) from {table} b where {{b}} and {known}"
        f" and not exists (select 1 from again s where {same}))"
    )
