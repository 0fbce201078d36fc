"""$apply → `ApplyPlan`: filter, group keys (fields and time buckets) and aggregates (DESIGN §3, after OData
Aggregation 4.0). May fail with 400."""

from __future__ import annotations

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.model import OBSERVATION
from lakou.sensorthings.plan import expression
from lakou.sensorthings.plan.expression import Scope
from lakou.sensorthings.plan.read import Asker
from lakou.sensorthings.plan.target import Target
from lakou.sensorthings.plan.values import (
    AggregatePlan,
    And,
    ApplyPlan,
    Arm,
    Expression,
    Field,
    KeyPlan,
    Type,
)

METHODS = ("min", "max", "mean", "sum", "count", "first", "last")


def plan_apply(target: Target, options: tree.Options, asker: Asker) -> ApplyPlan:
    """The plan of a GET with $apply on a set."""
    found = options.apply
    if found is None or target.single:
        raise BadRequest("$apply works on a set", place="$apply", code="apply")
    scope = Scope(target.type, asker.now, asker.name, option="$apply")
    limits = asker.limits
    where = [expression.predicate(f, scope) for f in (options.filter, found.filter) if f is not None]
    keys = tuple(_key(key, scope) for key in found.keys)
    aggregates = tuple(_aggregate(a, scope, target) for a in found.aggregates)
    names = [k.alias for k in keys] + [a.alias for a in aggregates]
    if len(set(names)) < len(names):
        raise BadRequest("Two columns of $apply have one name", place="$apply", code="apply", hint="Use 'as'.")
    return ApplyPlan(
        type=target.type,
        source=target.hops,
        where=None if not where else where[0] if len(where) == 1 else And(tuple(where)),
        keys=keys,
        aggregates=aggregates,
        limit=limits.groups if options.top is None else min(options.top, limits.groups),
        skip=options.skip or 0,
    )


def _key(key: tree.Path | tree.Bucket, scope: Scope) -> KeyPlan:
    if isinstance(key, tree.Bucket):
        found = expression.path(key.path, scope)
        if found.type not in expression.TIMES:
            raise BadRequest("A bucket is of a time", place=scope.place(key.at), code="apply", hint="phenomenonTime")
        value = expression.coerce(found, Type.INSTANT, scope.place(key.at))
        return KeyPlan(key.alias, value, key.width)
    field = expression.path(key, scope)
    if any(link.many for link in field.links):
        raise BadRequest("A group key follows to-one links", place=scope.place(key.at), code="apply")
    if field.type is Type.GEOMETRY:
        raise BadRequest("Geometries cannot be grouped", place=scope.place(key.at), code="apply")
    return KeyPlan("/".join(str(s) for s in key.segments), field, None)


def _aggregate(aggregate: tree.Aggregate, scope: Scope, target: Target) -> AggregatePlan:
    if aggregate.method not in METHODS:
        raise BadRequest(f"There is no method '{aggregate.method}'", place=scope.place(aggregate.at), code="apply")
    if aggregate.path is None:
        return AggregatePlan("count", None, aggregate.alias)
    if aggregate.method in ("first", "last") and target.type is not OBSERVATION:
        raise BadRequest("first and last follow the time of Observations", place="$apply", code="apply")
    field = expression.path(aggregate.path, scope)
    if field.links:
        raise BadRequest("Aggregates take values of the set itself", place=scope.place(aggregate.at), code="apply")
    return AggregatePlan(aggregate.method, _number(field, scope, aggregate.at), aggregate.alias)


def _number(field: Field, scope: Scope, at: int) -> Expression:
    if field.type is Type.DYNAMIC:
        return Arm(field, Type.NUMBER)
    return expression.coerce(field, Type.NUMBER, scope.place(at))
