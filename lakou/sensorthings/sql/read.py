"""`ReadPlan` → one statement per page; and the count, the existence check and the distinct form of it.

Nested $expands are subqueries that give JSON arrays of rows, so that any depth is one statement and
work grows with what is shown. The order of columns is that of `plan.values.ReadPlan`.
"""

from __future__ import annotations

import msgspec

from lakou.sensorthings.access import Principal
from lakou.sensorthings.model import (
    OBSERVATION,
    EntityType,
    ForeignKey,
    JsonReference,
    Kind,
    Link,
    Property,
    Reverse,
    Through,
)
from lakou.sensorthings.plan.values import ExpandPlan, Expression, Field, Hop, Order, ReadPlan, Type
from lakou.sensorthings.sql import extents, observations
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.expression import Environment, condition, through_to_one
from lakou.sensorthings.sql.writer import Writer, conjunction

Columns = list[tuple[str, str]]
"""(SQL text, kind) of each column; kind is plain, time or json."""

_TIME_KINDS = (Kind.INSTANT, Kind.INTERVAL, Kind.TIME)


def page(dialect: Dialect, plan: ReadPlan, reader: Principal, among: list[int] | None = None) -> Statement:
    """The statement of one page: at most `limit` + 1 rows, so that a next page is seen; `among` keeps these ids."""
    writer = Writer(dialect, reader)
    alias = writer.alias()
    if plan.distinct:
        return writer.statement(_distinct(writer, plan, alias))
    env: Environment = {(0, ()): alias}
    columns = [dialect.text(c) if kind == "json" else c for c, kind in _columns(writer, plan, alias)]
    if not plan.single:
        columns += [through_to_one(writer, term.value, env) for term in plan.order]
    where = _where(writer, plan, alias)
    order = _order(writer, plan, alias)
    if plan.after is not None:
        where.append(_after(writer, plan, env))
    if among is not None:
        where.append(_among(writer, f"{alias}.id", among))
    cut = "" if plan.single else f" limit {plan.limit + 1}" + (f" offset {plan.skip}" if plan.skip else "")
    if observations.is_tiered(writer, plan.type):
        access, more = observations.of_plan(writer, plan, alias)
        most: int | None = 1 if plan.single else plan.limit + 1 + plan.skip
        if among is not None:
            access, more = _by_ids(writer, among), []
            most = None if plan.single else most
        source = observations.rows(writer, alias, [*more, *where], order, most, access)
        return writer.statement(f"select {', '.join(columns)} from {source}{order}{cut}")
    text = f"select {', '.join(columns)} from {plan.type.table} {alias}"
    if plan.positioned:
        text, order = _positioned(writer, plan, alias, text)
    return writer.statement(f"{text} where {conjunction(where)}{order if cut else ''}{cut}")


def count(dialect: Dialect, plan: ReadPlan, reader: Principal, sample: list[int] | None = None) -> Statement:
    """The number of entities of the whole set; with `sample`, only among these ids."""
    writer = Writer(dialect, reader)
    alias = writer.alias()
    where = _where(writer, plan, alias)
    if sample is not None:
        where.append(_among(writer, f"{alias}.id", sample))
    source = _set(writer, plan, alias, where, among=sample)
    if plan.distinct:
        inner = ", ".join(text for text, _ in _distinct_columns(writer, plan, alias))
        return writer.statement(f"select count(*) from (select distinct {inner} from {source}) x")
    return writer.statement(f"select count(*) from {source}")


def _set(
    writer: Writer,
    plan: ReadPlan,
    alias: str,
    where: list[str],
    most: int | None = None,
    among: list[int] | None = None,
) -> str:
    """The FROM part and what follows it for the rows of a set in no order; `among` when only these ids are wanted."""
    if observations.is_tiered(writer, plan.type):
        access, more = observations.of_plan(writer, msgspec.structs.replace(plan, order=()), alias)
        if among is not None:
            access, more = _by_ids(writer, among), []
        return observations.rows(writer, alias, [*more, *where], most=most, access=access)
    return f"{plan.type.table} {alias} where {conjunction(where)}"


def identifiers(dialect: Dialect, plan: ReadPlan, reader: Principal, limit: int) -> Statement:
    """The ids of the first `limit` entities of the set, for a filtered delete."""
    writer = Writer(dialect, reader)
    alias = writer.alias()
    source = _set(writer, plan, alias, _where(writer, plan, alias), limit)
    return writer.statement(f"select {alias}.id from {source} limit {limit}")


def exists(dialect: Dialect, hops: tuple[Hop, ...], reader: Principal) -> Statement:
    """One row when the last hop leads somewhere."""
    writer = Writer(dialect, reader)
    alias = writer.alias()
    return writer.statement(f"select {alias}.id from {_reached(writer, hops, alias)} limit 1")


def highest_id(dialect: Dialect, type_: EntityType) -> Statement:
    """(lowest, highest) id of a table, for sampling."""
    if type_ is OBSERVATION and dialect.name == "sqlite":
        each = " union all ".join(
            f"select (select min(id) from {table}) as low, (select max(id) from {table}) as high"
            for table in ("sealed_key", "hot_a", "hot_b")
        )
        return Statement(f"select min(low), max(high) from ({each})", {})
    return Statement(f"select min(id), max(id) from {type_.table}", {})


# ── rows of the set ──


def _where(writer: Writer, plan: ReadPlan, alias: str) -> list[str]:
    parts = belongs(writer, plan.source, alias)
    if plan.where is not None:
        parts.append(condition(writer, plan.where, {(0, ()): alias}))
    return parts


def _among(writer: Writer, column: str, ids: list[int]) -> str:
    name = f"p{len(writer.parameters) + 1}"
    writer.parameters[name] = writer.dialect.encode_set(ids)
    return writer.dialect.sets(column, writer.dialect.placeholder(name))


def _by_ids(writer: Writer, ids: list[int]) -> observations.Access:
    return observations.Access(observations.Way.KEY, (_among(writer, "{key}", ids),))


def belongs(writer: Writer, hops: tuple[Hop, ...], alias: str) -> list[str]:
    """The conditions that a row is reached by the path and may be known to the reader."""
    hop = hops[-1]
    parts: list[str] = []
    if hop.key is not None:
        parts.append(f"{alias}.id = {writer.bind(Type.NUMBER, hop.key)}")
    if hop.link is None:
        return [*parts, writer.visible(alias, hop.type)]
    near, member = _membership(writer, hop.link, hops[:-1], alias)
    return [*parts, member, writer.visible(alias, hop.type, hop.link, near)]


def _membership(writer: Writer, link: Link, before: tuple[Hop, ...], alias: str) -> tuple[str, str]:
    """(the parent's id, the condition that the row is linked to a parent)."""
    parent = writer.alias()
    source = _reached(writer, before, parent)
    equals = "=" if _is_single(before) else "in"

    def of(column: str) -> str:
        return f"(select {parent}.{column} from {source})"

    match link.by:
        case Reverse(column=column):
            return of("id"), f"{alias}.{column} {equals} {of('id')}"
        case ForeignKey(column=column):
            return of("id"), f"{alias}.id {equals} {of(column)}"
        case Through(table=through, near=near, far=far):
            middle = writer.alias()
            inner = f"(select {middle}.{far} from {through} {middle} where {middle}.{near} {equals} {of('id')})"
            return of("id"), f"{alias}.id in {inner}"
        case JsonReference():
            return of("id"), "1 = 0"  # no path leads through a client's own link


def _reached(writer: Writer, hops: tuple[Hop, ...], alias: str) -> str:
    """The FROM part and what follows it for what a path leads to."""
    where = belongs(writer, hops, alias)
    if observations.is_tiered(writer, hops[-1].type):
        key = hops[-1].key
        access = None if key is None else observations.by_id(f"= {writer.bind(Type.NUMBER, key)}")
        return observations.rows(writer, alias, where, access=access)
    return f"{hops[-1].type.table} {alias} where {conjunction(where)}"


def _is_single(hops: tuple[Hop, ...]) -> bool:
    last = hops[-1]
    return last.key is not None or (last.link is not None and not last.link.many)


# ── columns ──


def _columns(writer: Writer, plan: ReadPlan, alias: str) -> Columns:
    columns: Columns = []
    for prop in plan.fields:
        columns += _property(writer, prop, alias)
    for extra in plan.extras:
        columns.append((_extra(extra, alias), "plain"))
    for expand in plan.expands:
        columns += _expand(writer, expand, alias)
    return columns


def _property(writer: Writer, prop: Property, alias: str) -> Columns:
    if not prop.derived:
        kind = "time" if prop.kind in _TIME_KINDS else "plain"
        return [(f"{alias}.{column}", kind) for column in prop.columns]
    if prop.kind is Kind.AREA:
        return [(extents.box(writer, alias), "json")]
    return [(text, "time") for text in extents.interval(writer.dialect, prop.name, alias)]


def _extra(name: str, alias: str) -> str:
    if name == "multi":
        return f"(select d.multi from datastream d where d.id = {alias}.datastream_id)"
    return f"{alias}.{name}"


def _expand(writer: Writer, expand: ExpandPlan, near: str) -> Columns:
    """The expanded rows as JSON, and their number where asked."""
    plan, link = expand.plan, expand.link
    far = writer.alias()
    source, joined = writer.reached(link, near, far)
    where = [joined, writer.visible(far, plan.type, link, f"{near}.id")]
    if plan.where is not None:
        where.append(condition(writer, plan.where, {(0, ()): far}))
    columns = _columns(writer, plan, far)
    dialect = writer.dialect
    tiered = observations.is_tiered(writer, plan.type)
    if not link.many:
        row = dialect.json_row([dialect.nested(text, kind) for text, kind in columns])
        found_one = (
            observations.linked(writer, link, near, far, where) if tiered else f"{source} where {conjunction(where)}"
        )
        return [(f"(select {row} from {found_one})", "json")]
    if plan.distinct:
        columns = _distinct_columns(writer, plan, far)
    inner = ", ".join(f"{text} as c{n}" for n, (text, _) in enumerate(columns))
    order = _order(writer, plan, far)
    if plan.positioned and isinstance(link.by, Through):
        order = f" order by {_middle(source)}.{link.by.position}"
    word = "select distinct" if plan.distinct else "select"
    all_of = f"{source} where {conjunction(where)}"
    first = all_of
    if tiered:
        all_of = observations.rows(writer, far, where)
        first = all_of if plan.distinct else observations.rows(writer, far, where, order, plan.limit + 1 + plan.skip)
    rows = f"{word} {inner} from {first}{order} limit {plan.limit + 1}"
    rows += f" offset {plan.skip}" if plan.skip else ""
    outer = writer.alias()
    row = dialect.json_row([dialect.nested(f"{outer}.c{n}", kind) for n, (_, kind) in enumerate(columns)])
    found: Columns = [(f"(select {dialect.json_rows(row)} from ({rows}) {outer})", "json")]
    if plan.count is not None:
        found.append((f"(select count(*) from {all_of})", "plain"))
    return found


def _middle(source: str) -> str:
    """The alias of the link table in a source made by `Writer.reached`."""
    return source.split(" ", 2)[1]


# ── order and pages ──


def _order(writer: Writer, plan: ReadPlan, alias: str) -> str:
    if not plan.order:
        return ""
    env: Environment = {(0, ()): alias}
    terms = [_term(writer, term, through_to_one(writer, term.value, env)) for term in plan.order]
    return f" order by {', '.join(terms)}"


def _term(writer: Writer, term: Order, text: str) -> str:
    """Nulls come first ascending and last descending (18-088 §9.3.3.2), as SQLite does by itself."""
    text += " desc" if term.descending else ""
    if term.nullable and writer.dialect.name == "postgres":
        text += " nulls last" if term.descending else " nulls first"
    return text


def _positioned(writer: Writer, plan: ReadPlan, alias: str, text: str) -> tuple[str, str]:
    """A set in the order of its link table (the ObservedProperties of a MultiDatastream)."""
    link, parent = plan.source[-1].link, plan.source[-2]
    if link is None or not isinstance(link.by, Through) or parent.key is None:
        return text, f" order by {alias}.id"
    middle = writer.alias()
    key = writer.bind(Type.NUMBER, parent.key)
    text += f" join {link.by.table} {middle} on {middle}.{link.by.far} = {alias}.id and {middle}.{link.by.near} = {key}"
    return text, f" order by {middle}.{link.by.position}"


def _after(writer: Writer, plan: ReadPlan, env: Environment) -> str:
    """The rows after those values in the order: a row comparison where an index can serve it."""
    values = plan.after or ()
    terms = [(t, through_to_one(writer, t.value, env), v) for t, v in zip(plan.order, values, strict=True)]
    directions = {t.descending for t in plan.order}
    if len(directions) == 1 and not any(t.nullable for t in plan.order):
        left = ", ".join(text for _, text, _ in terms)
        right = ", ".join(_bound(writer, t.value, v) for t, _, v in terms)
        return f"({left}) {'<' if True in directions else '>'} ({right})"
    alternatives: list[str] = []
    equal: list[str] = []
    for term, text, value in terms:
        beyond = _beyond(writer, term, text, value)
        if beyond is not None:
            alternatives.append(conjunction([*equal, beyond]))
        equal.append(f"{text} is null" if value is None else f"{text} = {_bound(writer, term.value, value)}")
    any_of = "(" + " or ".join(f"({a})" for a in alternatives) + ")"
    first, text, value = terms[0]
    if first.nullable or value is None:
        return any_of
    return f"{text} {'<=' if first.descending else '>='} {_bound(writer, first.value, value)} and {any_of}"


def _beyond(writer: Writer, term: Order, text: str, value: object) -> str | None:
    if value is None:
        return None if term.descending else f"{text} is not null"
    bound = _bound(writer, term.value, value)
    if not term.descending:
        return f"{text} > {bound}"
    return f"({text} < {bound} or {text} is null)" if term.nullable else f"{text} < {bound}"


def _bound(writer: Writer, expression: Expression, value: object) -> str:
    kind = Type.INSTANT if expression.type is Type.INTERVAL else expression.type
    return writer.bind(kind, value)


# ── distinct ──


def _distinct(writer: Writer, plan: ReadPlan, alias: str) -> str:
    columns = _distinct_columns(writer, plan, alias)
    source = _set(writer, plan, alias, _where(writer, plan, alias))
    inner = ", ".join(f"{text} as c{n}" for n, (text, _) in enumerate(columns))
    order = ", ".join(f"x.c{n}" for n in range(len(columns)))
    if plan.order:
        order = ", ".join(_distinct_terms(writer, plan, columns))
    text = f"select * from (select distinct {inner} from {source}) x order by {order}"
    return f"{text} limit {plan.limit + 1}" + (f" offset {plan.skip}" if plan.skip else "")


def _distinct_terms(writer: Writer, plan: ReadPlan, columns: Columns) -> list[str]:
    """Order terms over the columns of the distinct rows."""
    starts: list[int] = []
    n = 0
    for field in plan.distinct:
        starts.append(n)
        n += distinct_width(field)
    terms = []
    for term in plan.order:
        at = starts[plan.distinct.index(term.value)] if isinstance(term.value, Field) else 0
        terms.append(_term(writer, term, f"x.c{at}"))
    return terms


def _distinct_columns(writer: Writer, plan: ReadPlan, alias: str) -> Columns:
    columns: Columns = []
    for field in plan.distinct:
        if field.links:
            columns.append((through_to_one(writer, field, {(0, ()): alias}), "plain"))
        elif field.sub:
            column = "result_json" if field.property.kind is Kind.RESULT else field.property.columns[0]
            columns.append((writer.dialect.json_text(f"{alias}.{column}", field.sub), "plain"))
        else:
            columns += _property(writer, field.property, alias)
    return columns


def distinct_width(field: Field) -> int:
    """How many columns a distinct field takes in a row."""
    return 1 if field.links or field.sub else len(field.property.columns)
