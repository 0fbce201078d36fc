"""`ApplyPlan` → one grouped statement: time buckets and values of fields as keys, aggregates over them.

`first` and `last` follow phenomenonTime, then id; they are computed with window functions in an inner query.
"""

from __future__ import annotations

from lakou.sensorthings.access import Principal
from lakou.sensorthings.plan.values import AggregatePlan, ApplyPlan, KeyPlan, Type
from lakou.sensorthings.sql import observations
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.expression import Environment, condition, scalar, through_to_one
from lakou.sensorthings.sql.read import belongs
from lakou.sensorthings.sql.writer import Writer, conjunction

_METHODS = {"min": "min({0})", "max": "max({0})", "mean": "avg({0})", "sum": "sum({0})", "count": "count({0})"}


def apply(dialect: Dialect, plan: ApplyPlan, reader: Principal) -> Statement:
    """Rows of (keys…, aggregates…) in the order of the keys; bucket keys are instants."""
    writer = Writer(dialect, reader)
    alias = writer.alias()
    env: Environment = {(0, ()): alias}
    where = belongs(writer, plan.source, alias)
    if plan.where is not None:
        where.append(condition(writer, plan.where, env))
    keys = [_key(writer, key, env) for key in plan.keys]
    inner = [f"{text} as k{n}" for n, text in enumerate(keys)]
    outer = [f"x.k{n}" for n in range(len(keys))]
    partition = f"partition by {', '.join(keys)}" if keys else ""
    for n, aggregate in enumerate(plan.aggregates):
        value = "1" if aggregate.value is None else scalar(writer, aggregate.value, env)
        inner.append(f"{_inner(aggregate, value, alias, partition)} as v{n}")
        method = "max({0})" if aggregate.method in ("first", "last") else _METHODS[aggregate.method]
        text = method.format(f"x.v{n}")
        outer.append(f"({text})::double precision" if _is_sum(dialect, aggregate) else text)
    source = f"{plan.type.table} {alias} where {conjunction(where)}"
    if observations.is_tiered(writer, plan.type):
        access, more = observations.of_set(writer, plan.source, plan.where, alias)
        source = observations.rows(writer, alias, [*more, *where], access=access)
    text = f"select {', '.join(outer)} from (select {', '.join(inner)} from {source}) x"
    if keys:
        names = ", ".join(f"x.k{n}" for n in range(len(keys)))
        text += f" group by {names} order by {names} limit {plan.limit + 1}"
        text += f" offset {plan.skip}" if plan.skip else ""
    return writer.statement(text)


def _key(writer: Writer, key: KeyPlan, env: Environment) -> str:
    text = through_to_one(writer, key.value, env)
    return text if key.width is None else writer.dialect.bucket(text, str(key.width))


def _inner(aggregate: AggregatePlan, value: str, alias: str, partition: str) -> str:
    """A column of the inner query; first and last take the value of the earliest or latest row that has one."""
    if aggregate.method not in ("first", "last"):
        return value
    down = " desc" if aggregate.method == "last" else ""
    known = f"(case when {value} is null then 1 else 0 end)"
    return f"first_value({value}) over ({partition} order by {known}, {alias}.time_start{down}, {alias}.id{down})"


def _is_sum(dialect: Dialect, aggregate: AggregatePlan) -> bool:
    return dialect.name == "postgres" and aggregate.method in ("sum", "mean") and aggregate.value is not None


def is_time(key: KeyPlan) -> bool:
    """Whether a key's value is an instant."""
    return key.width is not None or key.value.type in (Type.INSTANT, Type.INTERVAL)
