"""Typed expression → SQL text. Links become EXISTS or IN, never a join: no row is ever doubled.

A path through a to-many link means "any". Within one `and`, conditions on the same link speak of the same
row (they share one EXISTS). Unknown is null and never passes, also under `not` (18-088 §9.3.3.5).
Times compare as half-open intervals; an instant is an interval of length zero that equals itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakou.kernel import geometry
from lakou.sensorthings.model import ForeignKey, Kind, Link
from lakou.sensorthings.plan.values import (
    And,
    Arm,
    Compare,
    Const,
    Expression,
    Field,
    Function,
    IsNull,
    Not,
    Or,
    Some,
    Type,
)
from lakou.sensorthings.sql import extents, observations
from lakou.sensorthings.sql.writer import Writer, conjunction

Key = tuple[int, tuple[Link, ...]]
Environment = dict[Key, str]
"""(variable level, links followed) → the alias of the row reached."""

_OPERATORS = {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MIRROR = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq", "ne": "ne"}
_PREFILTERED = {
    "geo.intersects", "st_intersects", "st_within", "st_contains", "st_equals", "st_touches", "st_overlaps",
    "st_crosses",
}  # fmt: skip


def condition(writer: Writer, node: Expression, env: Environment) -> str:
    """The SQL truth value of a predicate for the rows of `env`."""
    match node:
        case And(terms=terms):
            return _all(writer, list(terms), env)
        case Or(terms=terms):
            return "(" + " or ".join(condition(writer, t, env) for t in terms) + ")"
        case Some():
            return _some(writer, node, env)
    missing = _next_hops(node, env)
    if missing and isinstance(node, IsNull) and not node.negated:
        there = _through(writer, missing[0], [node], env)
        return f"({there} or not {_through(writer, missing[0], [], env)})"
    if missing:
        return _through(writer, missing[0], [node], env)
    return _leaf(writer, node, env)


def _all(writer: Writer, terms: list[Expression], env: Environment) -> str:
    """A conjunction: terms that need the same next link are put together under one EXISTS."""
    parts: list[str] = []
    groups: list[tuple[set[Key], list[Expression]]] = []
    for term in terms:
        keys = set(_next_hops(term, env))
        if not keys or isinstance(term, Some) or (isinstance(term, IsNull) and not term.negated):
            parts.append(condition(writer, term, env))
            continue
        together: list[Expression] = [term]
        for group in [g for g in groups if g[0] & keys]:
            groups.remove(group)
            keys |= group[0]
            together = group[1] + together
        groups.append((keys, together))
    for keys, together in groups:
        if len(together) == 1:
            parts.append(condition(writer, together[0], env))
        else:
            parts.append(_through(writer, min(keys, key=_hop_order), together, env))
    return "(" + " and ".join(parts) + ")"


def _hop_order(key: Key) -> tuple[int, int, str]:
    return key[0], len(key[1]), key[1][-1].name


def _through(writer: Writer, key: Key, terms: list[Expression], env: Environment) -> str:
    """The terms for a row that the next link reaches: an IN for a to-one link alone, else an EXISTS."""
    level, links = key
    link = links[-1]
    near, far = env[(level, links[:-1])], writer.alias()
    inner = {**env, key: far}
    body = _all(writer, terms, inner) if terms else ""
    source, joined = writer.reached(link, near, far)
    seen = writer.visible(far, link.type, link, f"{near}.id")
    alone = all(key in _prefixes(field) for term in terms for field in fields(term))
    if alone and isinstance(link.by, ForeignKey):
        found = f"(select {far}.id from {source} where {conjunction([seen, body])})"
        if link.by.column == "feature_id":  # no index by feature: the pairs narrow it to Datastreams
            pairs = f"select fd.datastream_id from feature_datastream fd where fd.feature_id in {found}"
            return f"({near}.feature_id in {found} and {near}.datastream_id in ({pairs}))"
        return f"{near}.{link.by.column} in {found}"
    if observations.is_tiered(writer, link.type):
        return observations.linked_exists(writer, link, near, far, [joined, seen, body])
    return f"exists (select 1 from {source} where {conjunction([joined, seen, body])})"


def _some(writer: Writer, node: Some, env: Environment) -> str:
    """`Links/any(v: …)`: an EXISTS of its own, with the variable bound to the row reached."""
    word = "not " if node.negated else ""
    return word + _any(writer, node, node.links, env[(node.outer, ())], env)


def _any(writer: Writer, node: Some, links: tuple[Link, ...], near: str, env: Environment) -> str:
    if not links:
        return (
            "(1 = 1)" if node.predicate is None else condition(writer, node.predicate, {**env, (node.level, ()): near})
        )
    link, far = links[0], writer.alias()
    source, joined = writer.reached(link, near, far)
    seen = writer.visible(far, link.type, link, f"{near}.id")
    last = len(links) == 1 and node.predicate is None
    parts = [joined, seen, "" if last else _any(writer, node, links[1:], far, env)]
    if observations.is_tiered(writer, link.type):
        return observations.linked_exists(writer, link, near, far, parts)
    return f"exists (select 1 from {source} where {conjunction(parts)})"


def fields(node: Expression) -> Iterator[Field]:
    """Every field that an expression reads, outside of lambdas."""
    match node:
        case Field():
            yield node
        case Arm(value=value):
            yield value
        case Function(arguments=arguments):
            for argument in arguments:
                yield from fields(argument)
        case Compare(left=left, right=right):
            yield from fields(left)
            yield from fields(right)
        case IsNull(value=value):
            yield from fields(value)
        case Not(term=term):
            yield from fields(term)
        case And(terms=terms) | Or(terms=terms):
            for term in terms:
                yield from fields(term)
        case Some(outer=outer, predicate=predicate) if predicate is not None:
            yield from (f for f in fields(predicate) if f.level <= outer)


def _prefixes(field: Field) -> set[Key]:
    return {(field.level, field.links[:n]) for n in range(len(field.links) + 1)}


def _next_hops(node: Expression, env: Environment) -> list[Key]:
    """The first links that are not bound yet, one for each path that needs it."""
    found: dict[Key, None] = {}
    for field in fields(node):
        for n in range(1, len(field.links) + 1):
            key = (field.level, field.links[:n])
            if key not in env:
                found[key] = None
                break
    return list(found)


# ── leaves ──


def _leaf(writer: Writer, node: Expression, env: Environment) -> str:
    match node:
        case Not(term=term):
            return f"(not {_leaf(writer, term, env)})"
        case IsNull(value=value, negated=negated):
            found = _is_null(writer, value, env)
            return f"(not {found})" if negated else found
        case Compare():
            return _compare(writer, node, env)
        case Function(name=name, arguments=arguments) if name in _PREFILTERED:
            return _spatial(writer, node, arguments, env)
        case Const(value=None):
            return "(null = 1)"
        case Const(value=value):
            return "(1 = 1)" if value else "(1 = 0)"
    return scalar(writer, node, env)


def _compare(writer: Writer, node: Compare, env: Environment) -> str:
    left, right = node.left, node.right
    if left.type in (Type.INSTANT, Type.INTERVAL):
        return _relation(node.op, _times(writer, left, env), _times(writer, right, env))
    if isinstance(left, Field) and left.type is Type.DYNAMIC and isinstance(right, Field):
        arms = [
            f"{scalar(writer, Arm(left, kind), env)} {_OPERATORS[node.op]} {scalar(writer, Arm(right, kind), env)}"
            for kind in (Type.NUMBER, Type.TEXT, Type.BOOLEAN)
        ]
        return f"coalesce({', '.join(arms)})"
    return f"({scalar(writer, left, env)} {_OPERATORS[node.op]} {scalar(writer, right, env)})"


class Times:
    """A time as start and end in SQL; `instant` when both are always the same."""

    def __init__(self, start: str, end: str, *, instant: bool) -> None:
        self.start = start
        self.end = end
        self.instant = instant


def _relation(op: str, a: Times, b: Times) -> str:
    """Comparison of times as half-open intervals."""
    match op:
        case "lt" | "before":
            if a.instant:
                return f"({a.start} < {b.start})"
            return f"({a.start} < {b.start} and {a.end} <= {b.start})"
        case "gt" | "after":
            return _relation("lt", b, a) if not b.instant else f"({a.start} > {b.start})"
        case "le":
            if a.instant:
                return f"({a.start} <= {b.start})"
            return f"({a.start} <= {b.start} and {a.end} <= {b.end})"
        case "ge":
            return f"({a.start} >= {b.start})" if b.instant else f"({a.start} >= {b.start} and {a.end} >= {b.end})"
        case "eq":
            if a.instant and b.instant:
                return f"({a.start} = {b.start})"
            return f"({a.start} = {b.start} and {a.end} = {b.end})"
        case "ne":
            return f"(not {_relation('eq', a, b)})"
        case "meets":
            return f"({a.end} = {b.start} or {a.start} = {b.end})"
        case "during":
            return f"({b.start} <= {a.start} and {a.end} <= {b.end} and {a.start} < {b.end})"
        case "overlaps":
            return f"({a.start} = {b.start} or ({a.start} < {b.end} and {b.start} < {a.end}))"
        case "starts":
            return f"({a.start} = {b.start})"
    return f"({a.end} = {b.end})"  # finishes


def _times(writer: Writer, node: Expression, env: Environment) -> Times:
    match node:
        case Const(type=Type.INTERVAL, value=(start, end)):
            return Times(writer.bind(Type.INSTANT, start), writer.bind(Type.INSTANT, end), instant=False)
        case Field(type=Type.INTERVAL):
            return _interval_field(writer, node, env)
        case Function(name="interval_add" | "interval_sub" as name, arguments=(inner, duration)):
            times = _times(writer, inner, env)
            amount = scalar(writer, duration, env)
            template = writer.dialect.functions["instant_add" if name == "interval_add" else "instant_sub"]
            start, end = template.format(times.start, amount), template.format(times.end, amount)
            return Times(start, end, instant=times.instant)
    text = scalar(writer, node, env)
    return Times(text, text, instant=True)


def _interval_field(writer: Writer, field: Field, env: Environment) -> Times:
    alias = env[(field.level, field.links)]
    if field.property.derived:
        start, end = extents.interval(writer.dialect, field.property.name, alias)
        return Times(start, end, instant=False)
    start, end = (f"{alias}.{column}" for column in field.property.columns)
    if field.property.kind is Kind.TIME:
        end = f"coalesce({end}, {start})"
    return Times(start, end, instant=False)


def _is_null(writer: Writer, node: Expression, env: Environment) -> str:
    if isinstance(node, Field):
        alias = env[(node.level, node.links)]
        prop = node.property
        if prop.kind is Kind.RESULT:
            if node.sub:
                return writer.dialect.json_is_null(f"{alias}.result_json", node.sub)
            return f"({alias}.result_type = 0)"
        if node.type is Type.DYNAMIC and (node.sub or prop.kind is Kind.JSON):
            return writer.dialect.json_is_null(f"{alias}.{prop.columns[0]}", node.sub)
        if node.type is Type.INTERVAL:
            return f"({_interval_field(writer, node, env).start} is null)"
        if node.type is Type.DYNAMIC:
            return f"({alias}.{prop.columns[0]} is null)"
    if node.type is Type.INTERVAL:
        return f"({_times(writer, node, env).start} is null)"
    return f"({scalar(writer, node, env)} is null)"


def _spatial(writer: Writer, node: Function, arguments: tuple[Expression, ...], env: Environment) -> str:
    """A spatial predicate, with the box index first where one side is a stored geometry, the other a literal."""
    exact = scalar(writer, node, env)
    for one, other in ((arguments[0], arguments[1]), (arguments[1], arguments[0])):
        if isinstance(one, Field) and not one.property.derived and isinstance(other, Const) and other.value:
            bounds = geometry.bounds(geometry.from_wkb(other.value))
            box = [writer.bind(Type.NUMBER, b) for b in bounds]
            alias = env[(one.level, one.links)]
            near = writer.dialect.near(alias, one.owner.table, "geometry", (box[0], box[1], box[2], box[3]))
            if near is not None:
                return f"({near} and {exact})"
    return exact


# ── values ──


def scalar(writer: Writer, node: Expression, env: Environment) -> str:
    """The SQL value of an expression with one column; intervals give their start."""
    match node:
        case Const(type=Type.INTERVAL, value=(start, _)):
            return writer.bind(Type.INSTANT, start)
        case Const(type=kind, value=value):
            if value is None:
                return "null"
            if kind is Type.BOOLEAN:
                return writer.dialect.truth(value)
            return writer.bind(kind, value)
        case Field():
            return _column(writer, node, env)
        case Arm(value=field, type=kind):
            return _arm(writer, field, kind, env)
        case Function(name="interval_add" | "interval_sub"):
            return _times(writer, node, env).start
        case Function(name=name, arguments=arguments):
            return _function(writer, name, arguments, env)
    return condition(writer, node, env)


def _function(writer: Writer, name: str, arguments: tuple[Expression, ...], env: Environment) -> str:
    if name in ("interval_diff", "diff_interval", "intervals_diff"):
        name = "instant_diff"
    texts = [scalar(writer, a, env) for a in arguments]
    templates = writer.dialect.functions
    template = templates.get(f"{name}/{len(texts)}") or templates[name]
    return template.format(*texts)


def _column(writer: Writer, field: Field, env: Environment) -> str:
    alias = env[(field.level, field.links)]
    prop = field.property
    if field.type is Type.DYNAMIC:
        return _arm(writer, field, Type.TEXT, env)
    if prop.derived:
        if prop.kind is Kind.AREA:
            return extents.area(writer, alias)
        return extents.interval(writer.dialect, prop.name, alias)[0]
    if prop.kind is Kind.GEOMETRY:
        return f"{alias}.geometry"
    return f"{alias}.{prop.columns[0]}"


def _arm(writer: Writer, field: Field, kind: Type, env: Environment) -> str:
    alias = env[(field.level, field.links)]
    prop = field.property
    if kind is Type.INSTANT:
        return writer.dialect.to_instant(_arm(writer, field, Type.TEXT, env))
    if prop.kind is Kind.RESULT and not field.sub:
        return f"{alias}.result_{kind.value}"
    column = "result_json" if prop.kind is Kind.RESULT else prop.columns[0]
    return writer.dialect.json_arm(f"{alias}.{column}", field.sub, kind)


def through_to_one(writer: Writer, node: Expression, env: Environment) -> str:
    """The value of an expression whose fields may lie behind to-one links: a scalar subquery where needed."""
    missing = _next_hops(node, env)
    if not missing:
        return _sortable(writer, node, env)
    level, links = missing[0]
    near, far = env[(level, links[:-1])], writer.alias()
    source, joined = writer.reached(links[-1], near, far)
    inner = through_to_one(writer, node, {**env, (level, links): far})
    seen = writer.visible(far, links[-1].type, links[-1], f"{near}.id")
    if observations.is_tiered(writer, links[-1].type):
        return f"(select {inner} from {observations.linked(writer, links[-1], near, far, [joined, seen])})"
    return f"(select {inner} from {source} where {conjunction([joined, seen])})"


def _sortable(writer: Writer, node: Expression, env: Environment) -> str:
    if node.type is Type.BOOLEAN and not isinstance(node, Arm):
        return condition(writer, node, env)
    return scalar(writer, node, env)
