"""`ApplyPlan` → `RolledPlan`, when rollups can honour it: what they hold, over hours or days, and no other filter.

DESIGN §4 rule 5: an answer is the merge of rollups and of the rows that are not rolled up yet. A bucket that a bound
cuts, or whose rows end after it, is read row by row.
"""

from __future__ import annotations

import msgspec

from lakou.sensorthings.model import OBSERVATION, Kind, Link, Reverse
from lakou.sensorthings.plan.values import (
    AggregatePlan,
    And,
    ApplyPlan,
    Arm,
    Compare,
    Const,
    Expression,
    Field,
    Function,
    IsNull,
    KeyPlan,
    Type,
)

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class RolledPlan(msgspec.Struct, frozen=True):
    """What to read from which rollups. Times in micros, `until` exclusive; None where there is no bound.

    `width` is HOUR_US or DAY_US. `ended` is the last time at which an Observation of the set may end. `quality` is
    the class of resultQuality, `stream` the id of the only Datastream that the filter lets pass, and `streams` the
    terms of the filter that say so.
    """

    width: int
    since: int | None = None
    until: int | None = None
    ended: int | None = None
    quality: int | None = None
    stream: int | None = None
    streams: tuple[Expression, ...] = ()

    @property
    def stop(self) -> int | None:
        """A row that ends until then is in the set by both its ends: what is whole ends until then."""
        bounds = [bound for bound in (self.until, self.ended) if bound is not None]
        return min(bounds, default=None)

    def narrowed(self, op: str, instant: int) -> RolledPlan:
        """With a bound on phenomenonTime as `$filter` means it: a time is before another when it ends before."""
        since, until, ended = self.since, self.until, self.ended
        if op in ("ge", "gt"):
            start = instant if op == "ge" else instant + 1
            since = start if since is None else max(since, start)
        else:
            stop = instant if op == "lt" else instant + 1
            until = stop if until is None else min(until, stop)
            ended = instant if ended is None else min(ended, instant)
        return msgspec.structs.replace(self, since=since, until=until, ended=ended)


def plan_rolled(plan: ApplyPlan) -> RolledPlan | None:
    """The plan over rollups, or None when only rows can tell."""
    link = plan.source[-1].link
    if plan.type is not OBSERVATION or (link is not None and not _of_stream(link)):
        return None
    if not all(_is_held(aggregate) for aggregate in plan.aggregates):
        return None
    width = _width(plan.keys)
    if width is None:
        return None
    return _filtered(RolledPlan(width), plan.where)


def _of_stream(link: Link) -> bool:
    return isinstance(link.by, Reverse) and link.by.column == "datastream_id"


def _is_held(aggregate: AggregatePlan) -> bool:
    value = aggregate.value
    if value is None:
        return True
    return isinstance(value, Arm) and value.type is Type.NUMBER and is_result(value.value)


def is_result(field: Field) -> bool:
    """The whole result of the Observation itself."""
    return field.property.kind is Kind.RESULT and not field.sub and not field.links


def _width(keys: tuple[KeyPlan, ...]) -> int | None:
    """The widest rollup whose buckets fill those of the keys; None for other keys."""
    widths = []
    for key in keys:
        if key.width is None:
            if not is_stream_id(key.value):
                return None
        elif _is_phenomenon_time(key.value) and key.width % HOUR_US == 0:
            widths.append(key.width)
        else:
            return None
    return DAY_US if all(width % DAY_US == 0 for width in widths) else HOUR_US


def is_stream_id(value: Expression) -> bool:
    """`Datastream/id`, also of a MultiDatastream."""
    return (
        isinstance(value, Field)
        and value.property.kind is Kind.ID
        and len(value.links) == 1
        and value.links[0].name in ("Datastream", "MultiDatastream")
    )


def _is_phenomenon_time(value: Expression) -> bool:
    if isinstance(value, Function) and value.name == "start":
        value = value.arguments[0]
    return isinstance(value, Field) and value.property.name == "phenomenonTime" and not value.links


def _filtered(plan: RolledPlan, where: Expression | None) -> RolledPlan | None:
    if where is None:
        return plan
    for term in where.terms if isinstance(where, And) else (where,):
        found = _term(plan, term)
        if found is None:
            return None
        plan = found
    return plan


def _term(plan: RolledPlan, term: Expression) -> RolledPlan | None:
    match term:
        case And():
            return _filtered(plan, term)
        case Compare(op="ge" | "gt" | "le" | "lt" as op, left=Field() as left, right=right) if _is_phenomenon_time(
            left
        ):
            instant = constant(right)
            return None if instant is None else plan.narrowed(op, instant)
        case Compare(op="eq", left=left, right=Const(value=int() as id_)) if is_stream_id(left):
            if plan.stream not in (None, id_):
                return None
            return msgspec.structs.replace(plan, stream=id_, streams=(*plan.streams, term))
        case IsNull(value=Field() as field, negated=negated) if _is_quality(field):
            quality = 1 if negated else 0
            return None if plan.quality not in (None, quality) else msgspec.structs.replace(plan, quality=quality)
    return None


def _is_quality(field: Field) -> bool:
    return field.property.name == "resultQuality" and not field.links and not field.sub


def constant(value: Expression) -> int | None:
    """An instant in micros that no row changes; None for anything else."""
    match value:
        case Const(type=Type.INSTANT, value=int() as instant):
            return instant
        case Function(name="instant_add" | "instant_sub" as name, arguments=(first, Const(value=int() as by))):
            base = constant(first)
            return None if base is None else base + by if name == "instant_add" else base - by
    return None
