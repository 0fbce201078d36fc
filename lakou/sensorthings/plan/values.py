"""The plan's values: typed expressions and read plans. Every name is resolved, every type is known.

Made by `expression` and `read`; the SQL writers turn them into one statement. No SQL here.
"""

from __future__ import annotations

from enum import Enum
from typing import Any as AnyValue

import msgspec

from lakou.sensorthings.model import EntityType, Link, Property


class Type(Enum):
    """The type of an expression. DYNAMIC is decided row by row (`result`, JSON members)."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    INTERVAL = "interval"
    DURATION = "duration"
    DATE = "date"
    TIME_OF_DAY = "time of day"
    GEOMETRY = "geometry"
    DYNAMIC = "dynamic"
    NULL = "null"


class Const(msgspec.Struct, frozen=True):
    """A literal: int, float, str, bool, micros, (start, end), days, WKB bytes or None, by its type."""

    type: Type
    value: AnyValue


class Field(msgspec.Struct, frozen=True):
    """A property reached through links from the entity of variable `level` (0 is the set itself).

    `sub` are names and indexes inside a JSON value.
    """

    level: int
    links: tuple[Link, ...]
    owner: EntityType
    property: Property
    sub: tuple[str | int, ...]
    type: Type


class Arm(msgspec.Struct, frozen=True):
    """A dynamic value seen as one type: null where the stored value is of another type."""

    value: Field
    type: Type


class Function(msgspec.Struct, frozen=True):
    """A function or arithmetic operator with typed arguments."""

    name: str
    arguments: tuple[Expression, ...]
    type: Type


class Compare(msgspec.Struct, frozen=True):
    """eq ne gt ge lt le, or an interval relation (before after meets during overlaps starts finishes)."""

    op: str
    left: Expression
    right: Expression
    type: Type = Type.BOOLEAN


class IsNull(msgspec.Struct, frozen=True):
    value: Expression
    negated: bool = False
    type: Type = Type.BOOLEAN


class And(msgspec.Struct, frozen=True):
    terms: tuple[Expression, ...]
    type: Type = Type.BOOLEAN


class Or(msgspec.Struct, frozen=True):
    terms: tuple[Expression, ...]
    type: Type = Type.BOOLEAN


class Not(msgspec.Struct, frozen=True):
    """Only around a leaf: the planner pushes negations down, so that `any` of a link stays outside."""

    term: Expression
    type: Type = Type.BOOLEAN


class Some(msgspec.Struct, frozen=True):
    """`Links/any(v: predicate)`; fields of the new variable have level `level`. `predicate` None: any at all."""

    outer: int
    links: tuple[Link, ...]
    level: int
    predicate: Expression | None
    negated: bool = False
    type: Type = Type.BOOLEAN


Expression = Const | Field | Arm | Function | Compare | IsNull | And | Or | Not | Some


class Order(msgspec.Struct, frozen=True):
    """One term of the order. `nullable` terms sort nulls first ascending, last descending."""

    value: Expression
    descending: bool
    nullable: bool


class Hop(msgspec.Struct, frozen=True):
    """One step of the resource path: a set or, with a key, one entity of it. `link` None for the first."""

    type: EntityType
    link: Link | None
    key: int | None


class ExpandPlan(msgspec.Struct, frozen=True):
    """One expanded link with its own read plan. `name` is the member it is rendered as."""

    name: str
    link: Link
    plan: ReadPlan


class ReadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All a SQL writer needs to fetch one page of entities, and a renderer to show it.

    A row holds, in order: the columns of `fields` (the id first), `extras` (raw columns), one value per expand
    (plus one for its count where asked), and at the top level the values of `order` for the next link.

    `links` are rendered as navigation links; `parts` are the sub-paths of deep $selects; `explicit` tells that
    a $select was given, `show_id` and `show_self` whether id and selfLink are rendered. `positioned` sets come
    in the order of their link table. `distinct` replaces `fields` by distinct values. `pairs` are the options as
    sent, for next links.
    """

    type: EntityType
    source: tuple[Hop, ...]
    fields: tuple[Property, ...]
    extras: tuple[str, ...] = ()
    where: Expression | None = None
    order: tuple[Order, ...] = ()
    limit: int = 100
    skip: int = 0
    after: tuple[AnyValue, ...] | None = None
    count: str | None = None
    expands: tuple[ExpandPlan, ...] = ()
    links: tuple[Link, ...] = ()
    parts: tuple[tuple[str, tuple[tuple[str | int, ...], ...]], ...] = ()
    explicit: bool = False
    show_id: bool = True
    show_self: bool = True
    positioned: bool = False
    distinct: tuple[Field, ...] = ()
    single: bool = False
    pairs: tuple[tuple[str, str], ...] = ()


class AggregatePlan(msgspec.Struct, frozen=True):
    """One aggregate of $apply: method over the numeric arm of a field (None counts rows)."""

    method: str
    value: Expression | None
    alias: str


class KeyPlan(msgspec.Struct, frozen=True):
    """One group key: a field, or a bucket of `width` microseconds over an instant."""

    alias: str
    value: Expression
    width: int | None


class ApplyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """$apply over one set: rows (keys…, aggregates…), ordered by the keys, at most `limit` + 1 rows."""

    type: EntityType
    source: tuple[Hop, ...]
    where: Expression | None
    keys: tuple[KeyPlan, ...]
    aggregates: tuple[AggregatePlan, ...]
    limit: int
    skip: int
