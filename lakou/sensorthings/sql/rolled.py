"""`ApplyPlan` over rollups → one statement: whole buckets from the rollups, the rest row by row, added up.

A row is a partial of itself: it counts once, and is its own sum, least, greatest, first and last. What is "the rest"
differs: on SQLite the hot rows, on PostgreSQL the rows of commits that the rollups have not reached (`sql.unrolled`).
"""

from __future__ import annotations

from lakou.sensorthings.access import Principal
from lakou.sensorthings.plan.rolled import RolledPlan, plan_rolled
from lakou.sensorthings.plan.values import AggregatePlan, ApplyPlan, Field, KeyPlan, ReadPlan, Type
from lakou.sensorthings.sql import observations, rollups
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.expression import condition, through_to_one
from lakou.sensorthings.sql.read import belongs
from lakou.sensorthings.sql.rollups import Width
from lakou.sensorthings.sql.writer import Writer, conjunction

_NEEDED = {
    "count": ("count",),
    "sum": ("sum",),
    "mean": ("sum", "count"),
    "min": ("min",),
    "max": ("max",),
    "first": ("first", "first_time", "first_id"),
    "last": ("last", "last_time", "last_id"),
}


def apply(
    dialect: Dialect, plan: ApplyPlan, rolled: RolledPlan, reader: Principal, *, history: bool = True
) -> Statement:
    """Rows of (keys…, aggregates…) in the order of the keys, as `sql.apply.apply` gives them.

    With `history` also of Observations that are not kept any more, in whole buckets.
    """
    writer = Writer(dialect, reader)
    width = rollups.DAY if rolled.width == rollups.DAY.micros else rollups.HOUR
    needed = _columns(plan.aggregates)
    tables = (width.table, width.history) if history else (width.table,)
    parts = [_from_rollups(writer, plan, rolled, width, needed, table) for table in tables]
    parts += _from_rows(writer, plan, rolled, width, needed)
    keys = [f"x.k{n}" for n in range(len(plan.keys))]
    inner = [f"k{n}" for n in range(len(plan.keys))] + list(needed)
    inner += _ends(plan, ", ".join(f"k{n}" for n in range(len(plan.keys))))
    outer = [*keys, *(_outer(dialect, n, a) for n, a in enumerate(plan.aggregates))]
    union = " union all ".join(parts)
    text = f"select {', '.join(outer)} from (select {', '.join(inner)} from ({union}) p) x"
    if keys:
        names = ", ".join(keys)
        text += f" group by {names} order by {names} limit {plan.limit + 1}"
        text += f" offset {plan.skip}" if plan.skip else ""
    return writer.statement(text)


def count(dialect: Dialect, plan: ReadPlan, reader: Principal) -> Statement | None:
    """The number of Observations of a set from rollups; None when only rows can tell."""
    number = AggregatePlan("count", None, "n")
    counted = ApplyPlan(
        type=plan.type, source=plan.source, where=plan.where, keys=(), aggregates=(number,), limit=1, skip=0
    )
    rolled = None if plan.distinct else plan_rolled(counted)
    return None if rolled is None else apply(dialect, counted, rolled, reader, history=False)


def _columns(aggregates: tuple[AggregatePlan, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {"rows": None}
    for aggregate in aggregates:
        if aggregate.value is not None:
            found |= dict.fromkeys(_NEEDED[aggregate.method])
    return tuple(found)


def _ends(plan: ApplyPlan, keys: str) -> list[str]:
    """The first and last value of each group, beside each of its partials."""
    found = []
    partition = f"partition by {keys} " if keys else ""
    for n, aggregate in enumerate(plan.aggregates):
        if aggregate.method in ("first", "last") and aggregate.value is not None:
            end, down = aggregate.method, " desc" if aggregate.method == "last" else ""
            known = f"case when {end}_time is null then 1 else 0 end"
            order = f"order by {known}, {end}_time{down}, {end}_id{down}"
            found.append(f"first_value({end}) over ({partition}{order}) as v{n}")
    return found


def _outer(dialect: Dialect, number: int, aggregate: AggregatePlan) -> str:
    if aggregate.value is None or aggregate.method == "count":
        return f"coalesce({_counted(dialect, 'rows' if aggregate.value is None else 'count', whole=True)}, 0)"
    match aggregate.method:
        case "mean":
            return f"(sum(x.sum) / nullif({_counted(dialect, 'count')}, 0))"
        case "sum" | "min" | "max" as method:
            return f"{method}(x.{method})"
    return f"max(x.v{number})"


def _counted(dialect: Dialect, column: str, *, whole: bool = False) -> str:
    """The sum of a column of counts. PostgreSQL adds up bigints as numerics, which took a third of a year by hour;
    floating point holds every count below 2^53."""
    if dialect.name == "sqlite":
        return f"sum(x.{column})"
    return f"sum(x.{column}::double precision)" + ("::bigint" if whole else "")


# ── whole buckets ──


def _from_rollups(
    writer: Writer, plan: ApplyPlan, rolled: RolledPlan, width: Width, needed: tuple[str, ...], table: str
) -> str:
    alias = writer.alias()
    where = [*_of_set(writer, plan, rolled, alias), *whole(writer, rolled, width, alias)]
    if table == width.table:
        where += observations.current(writer, width, alias)
    source = f"{table} {alias}"
    stream = None
    if _of_all(plan, rolled):
        stream = writer.alias()
        join = "cross join" if writer.dialect.name == "sqlite" else "join"
        source = f"datastream {stream} {join} {source} on {alias}.datastream_id = {stream}.id"
    keys = [_key(writer, key, width, alias, f"{alias}.start", stream) for key in plan.keys]
    columns = ", ".join((*(f"{text} as k{n}" for n, text in enumerate(keys)), *(f"{alias}.{name}" for name in needed)))
    return f"select {columns} from {source} where {conjunction(where)}"


def _of_set(writer: Writer, plan: ApplyPlan, rolled: RolledPlan, alias: str) -> list[str]:
    """The buckets of the Datastreams of the set."""
    where = belongs(writer, plan.source, alias)
    if rolled.stream is not None:
        where.append(f"{alias}.datastream_id = {writer.bind(Type.NUMBER, rolled.stream)}")
    where += [condition(writer, term, {(0, ()): alias}) for term in rolled.streams]
    if rolled.quality is not None:
        where.append(f"{alias}.quality = {rolled.quality}")
    return where


def whole(writer: Writer, rolled: RolledPlan, width: Width, alias: str) -> list[str]:
    """The buckets of which every row is in the set."""
    where = _within(writer, rolled, width, alias)
    if rolled.ended is not None:
        where.append(f"coalesce({alias}.time_end <= {writer.bind(Type.INSTANT, rolled.ended)}, {_true(writer)})")
    return where


def _within(writer: Writer, rolled: RolledPlan, width: Width, alias: str) -> list[str]:
    """The buckets that lie between the bounds of the set."""
    where = []
    if rolled.since is not None:
        where.append(f"{alias}.start >= {writer.bind(Type.INSTANT, rolled.since)}")
    if rolled.stop is not None:
        where.append(f"{alias}.start <= {writer.bind(Type.INSTANT, rolled.stop - width.micros)}")
    return where


def _cuts(writer: Writer, plan: ApplyPlan, rolled: RolledPlan, width: Width, alias: str) -> list[tuple[str, list[str]]]:
    """The buckets of which some rows may be in the set and some not, as FROM parts and conditions that share none:
    those that a bound of the set cuts, and those whose rows may end after it. None where the set has no bounds.
    """
    found = []
    edges = []
    if rolled.since is not None and rolled.since % width.micros:
        edges.append(rolled.since - rolled.since % width.micros)
    if rolled.until is not None and rolled.stop is not None:
        last = rolled.stop - rolled.stop % width.micros
        if rolled.until > last:
            edges.append(last)
    if edges:
        starts = ", ".join(writer.bind(Type.INSTANT, edge) for edge in dict.fromkeys(edges))
        conditions = [*_of_set(writer, plan, rolled, alias), f"{alias}.start in ({starts})"]
        found.append((f"{width.table} {alias}", conditions))
    if rolled.ended is not None:
        # A whole bucket has rows that end after the set only when they end after the bucket, which hardly any does:
        # such buckets have an index of their own.
        ended = f"{alias}.time_end > {writer.bind(Type.INSTANT, rolled.ended)}"
        conditions = [*_of_set(writer, plan, rolled, alias), *_within(writer, rolled, width, alias), ended]
        found.append(observations.overlong(writer, width, alias, conditions, of_all=_of_all(plan, rolled)))
    return found


def _of_all(plan: ApplyPlan, rolled: RolledPlan) -> bool:
    """Whether the set is not that of one Datastream."""
    return plan.source[-1].link is None and rolled.stream is None


def _true(writer: Writer) -> str:
    return writer.dialect.truth(True)


# ── rows ──


def _from_rows(writer: Writer, plan: ApplyPlan, rolled: RolledPlan, width: Width, needed: tuple[str, ...]) -> list[str]:
    alias = writer.alias()
    where = belongs(writer, plan.source, alias)
    if rolled.stream is not None:
        where.append(f"{alias}.datastream_id = {writer.bind(Type.NUMBER, rolled.stream)}")
    if plan.where is not None:
        where.append(condition(writer, plan.where, {(0, ()): alias}))
    columns = _partial(writer, plan, width, alias, needed)
    bucket = writer.alias()
    cuts = _cuts(writer, plan, rolled, width, bucket)
    sources = observations.unrolled(writer, width, alias, bucket, where, cuts)
    return [f"select {columns} from {source} where {conjunction(more)}" for source, more in sources]


def _partial(writer: Writer, plan: ApplyPlan, width: Width, alias: str, needed: tuple[str, ...]) -> str:
    """The keys and the partial of a row."""
    number, known = f"{alias}.result_number", f"{alias}.result_number is not null"
    values = {
        "rows": "1",
        "count": f"case when {known} then 1 else 0 end",
        "sum": number,
        "min": number,
        "max": number,
    }
    for end in ("first", "last"):
        values |= {
            end: number,
            f"{end}_time": f"case when {known} then {alias}.time_start end",
            f"{end}_id": f"{alias}.id",
        }
    keys = [_key(writer, key, width, alias, f"{alias}.time_start") for key in plan.keys]
    return ", ".join(
        (*(f"{text} as k{n}" for n, text in enumerate(keys)), *(f"{values[name]} as {name}" for name in needed))
    )


def _key(writer: Writer, key: KeyPlan, width: Width, alias: str, instant: str, stream: str | None = None) -> str:
    """A group key over a row or a bucket; `stream` is the alias of its Datastream where there is one."""
    if key.width is None:
        if stream is not None and isinstance(key.value, Field):
            multi = int(key.value.links[0].name == "MultiDatastream")
            return f"case when {stream}.multi = {multi} then {alias}.datastream_id end"
        return through_to_one(writer, key.value, {(0, ()): alias})
    if instant.endswith(".start") and key.width == width.micros:
        return instant
    return writer.dialect.bucket(instant, str(key.width))
