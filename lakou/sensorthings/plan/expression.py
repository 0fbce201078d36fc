"""Types a filter: names become fields, functions get typed arguments, negations move down to the leaves.

In → a syntax tree (`grammar.tree`) and the entity type it is about; out → an `Expression` of `plan.values`.
May fail with 400: unknown name, wrong type, bad geometry. Source: 18-088 §9.3.3.5, tables 22 and 23;
interval relations follow half-open intervals (see `sql.expression`).
"""

from __future__ import annotations

import difflib

import msgspec

from lakou.kernel import geometry, time
from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.model import EntityType, Kind, Link
from lakou.sensorthings.plan import functions
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

PROPERTY_TYPES = {
    Kind.ID: Type.NUMBER,
    Kind.TEXT: Type.TEXT,
    Kind.OBJECT: Type.DYNAMIC,
    Kind.JSON: Type.DYNAMIC,
    Kind.INSTANT: Type.INSTANT,
    Kind.INTERVAL: Type.INTERVAL,
    Kind.TIME: Type.INTERVAL,
    Kind.GEOMETRY: Type.GEOMETRY,
    Kind.AREA: Type.GEOMETRY,
    Kind.RESULT: Type.DYNAMIC,
}
TIMES = (Type.INSTANT, Type.INTERVAL)
NULL = Const(Type.NULL, None)
DAY = 86_400_000_000


class Scope(msgspec.Struct, frozen=True):
    """What a name may mean: the entity type of the set, and the variables of enclosing lambdas."""

    type: EntityType
    now: int
    principal: str
    option: str = "$filter"
    variables: tuple[tuple[str, EntityType], ...] = ()

    def place(self, at: int) -> str:
        return f"{self.option}:{at}"


def predicate(node: tree.Expression, scope: Scope) -> Expression:
    """A filter that is a truth value: checked, typed, with negations at the leaves."""
    return _push(_boolean(node, scope), negated=False)


def value(node: tree.Expression, scope: Scope) -> Expression:
    """Any typed expression (for $orderby and $apply)."""
    match node:
        case tree.Null():
            return NULL
        case tree.Boolean(value=v):
            return Const(Type.BOOLEAN, v)
        case tree.Number(value=v):
            return Const(Type.NUMBER, v)
        case tree.Text(value=v):
            return Const(Type.TEXT, v)
        case tree.Instant(micros=v):
            return Const(Type.INSTANT, v)
        case tree.Interval(start=a, end=b):
            return Const(Type.INTERVAL, (a, b))
        case tree.Duration(micros=v):
            return Const(Type.DURATION, v)
        case tree.Date(days=v):
            return Const(Type.DATE, v)
        case tree.TimeOfDay(micros=v):
            return Const(Type.TIME_OF_DAY, v)
        case tree.Geometry(wkt=v):
            return Const(Type.GEOMETRY, geometry.to_wkb(geometry.from_wkt(v)))
        case tree.Path():
            return path(node, scope)
        case tree.Call():
            return _call(node, scope)
        case tree.Negative(operand=operand):
            return _negative(operand, scope, node.at)
        case tree.Binary(op=op) if op in functions.ARITHMETIC:
            return _arithmetic(node, scope)
        case _:
            return _boolean(node, scope)


def path(node: tree.Path, scope: Scope) -> Field:
    """A path of links and a property, e.g. `Datastream/Thing/properties/floors[0]`."""
    level, owner, links, rest = _walk(node, scope)
    if not rest and links:
        raise BadRequest(
            f"'{links[-1].name}' is a link, not a value",
            place=scope.place(node.at),
            code="unknown_name",
            hint=f"'{links[-1].name}/id' or one of its properties",
        )
    name = rest[0] if rest else "id"
    if name in ("@iot.selfLink", "@iot.navigationLink"):
        raise BadRequest(f"'{name}' cannot be used in an expression", place=scope.place(node.at), code="unknown_name")
    prop = owner.property(name) if isinstance(name, str) else None
    if prop is None:
        raise unknown_name(str(name), owner, scope.place(node.at))
    sub = tuple(rest[1:])
    if prop.kind in (Kind.OBJECT, Kind.JSON) and sub:
        for cut in range(1, len(sub)):
            custom = owner.custom_link(prop.columns[0], sub[:cut])
            if custom is not None:
                inner = Scope(custom.type, scope.now, scope.principal, scope.option)
                found = path(tree.Path(tuple(sub[cut:]), node.at), inner)
                return msgspec.structs.replace(found, level=level, links=(*links, custom, *found.links))
    kind = PROPERTY_TYPES[prop.kind]
    if sub:
        if prop.kind not in (Kind.OBJECT, Kind.JSON, Kind.GEOMETRY, Kind.RESULT):
            raise BadRequest(
                f"'{name}' has no members", place=scope.place(node.at), code="unknown_name", hint=f"Use '{name}' alone."
            )
        kind = Type.DYNAMIC
    return Field(level, tuple(links), owner, prop, sub, kind)


def _walk(node: tree.Path, scope: Scope) -> tuple[int, EntityType, list[Link], list[str | int]]:
    """Follow links as far as they go: (variable level, entity type reached, links, what is left)."""
    rest = list(node.segments)
    level, owner = len(scope.variables), scope.type
    names = [name for name, _ in scope.variables]
    if rest and rest[0] in names:
        level = names.index(str(rest[0])) + 1
        owner = scope.variables[level - 1][1]
        rest = rest[1:]
    elif rest and rest[0] == "$it":
        level, rest = 0, rest[1:]
    elif scope.variables:
        level = 0
    links: list[Link] = []
    while rest and isinstance(rest[0], str) and (link := owner.link(rest[0])) is not None:
        links.append(link)
        owner, rest = link.type, rest[1:]
    return level, owner, links, rest


def unknown_name(name: str, owner: EntityType, place: str) -> BadRequest:
    """The error for a name that the entity type does not have, with the nearest known one as hint."""
    known = [p.name for p in owner.properties] + [link.name for link in owner.links]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean '{near[0]}'?" if near else "Known here: " + ", ".join(known)
    shown = name if len(name) <= 80 else name[:77] + "…"
    return BadRequest(f"{owner.name} has no property or link '{shown}'", place=place, hint=hint, code="unknown_name")


# ── truth values ──


def _boolean(node: tree.Expression, scope: Scope) -> Expression:
    match node:
        case tree.Binary(op="and" | "or" as op, left=left, right=right):
            terms = (_boolean(left, scope), _boolean(right, scope))
            return And(terms) if op == "and" else Or(terms)
        case tree.Binary(op=op) if op in functions.COMPARISONS:
            return compare(op, value(node.left, scope), value(node.right, scope), scope.place(node.at))
        case tree.Not(operand=operand):
            return Not(_boolean(operand, scope))
        case tree.In(item=item, options=options):
            sought = value(item, scope)
            alternatives = tuple(compare("eq", sought, value(o, scope), scope.place(node.at)) for o in options)
            return Or(alternatives) if alternatives else Const(Type.BOOLEAN, False)
        case tree.Any():
            return _some(node, scope)
        case _:
            found = value(node, scope)
            if isinstance(found, Field) and found.property.kind is Kind.RESULT and not found.sub:
                raise BadRequest(
                    "A filter is a truth value",
                    place=scope.place(node.at),
                    code="type_mismatch",
                    hint="Write 'eq true'.",
                )
            return coerce(found, Type.BOOLEAN, scope.place(node.at))


def _some(node: tree.Any, scope: Scope) -> Expression:
    level, owner, links, rest = _walk(node.path, scope)
    if rest or not links:
        raise unknown_name(str(rest[0]) if rest else "any", owner, scope.place(node.at))
    inner = len(scope.variables) + 1
    found = None
    if node.predicate is not None and node.variable is not None:
        variables = (*scope.variables, (node.variable, owner))
        found = _boolean(node.predicate, msgspec.structs.replace(scope, variables=variables))
    return Some(level, tuple(links), inner, found)


def compare(op: str, left: Expression, right: Expression, place: str) -> Expression:
    """One comparison, with both sides brought to one type; null only with eq and ne."""
    for this, other in ((left, right), (right, left)):
        if this.type is Type.NULL:
            if op not in ("eq", "ne"):
                return Const(Type.BOOLEAN, None)
            return IsNull(other, negated=op == "ne")
    if left.type is Type.DYNAMIC and right.type is Type.DYNAMIC:
        return Compare(op, left, right)
    left, right = _same_type(left, right, place)
    if left.type is Type.BOOLEAN and op not in ("eq", "ne"):
        raise BadRequest("true and false have no order", place=place, code="type_mismatch", hint="Use eq or ne.")
    if left.type is Type.GEOMETRY:
        raise BadRequest(
            "Geometries are compared with functions", place=place, code="type_mismatch", hint="Use st_equals(a, b)."
        )
    return Compare(op, left, right)


def _same_type(left: Expression, right: Expression, place: str) -> tuple[Expression, Expression]:
    if left.type is right.type or (left.type in TIMES and right.type in TIMES):
        return left, right
    if left.type is Type.DYNAMIC:
        return coerce(left, Type.INSTANT if right.type in TIMES else right.type, place), right
    if right.type is Type.DYNAMIC:
        return left, coerce(right, Type.INSTANT if left.type in TIMES else left.type, place)
    if left.type in TIMES and isinstance(right, Const):
        return left, coerce(right, Type.INSTANT, place)
    if right.type in TIMES and isinstance(left, Const):
        return coerce(left, Type.INSTANT, place), right
    for one, other in ((left, right), (right, left)):
        if _is_id(one) and isinstance(other, Const) and other.type is Type.TEXT:
            number = Const(Type.NUMBER, int(other.value) if other.value.isdecimal() and len(other.value) < 19 else None)
            return (one, number) if one is left else (number, one)
    if isinstance(right, Const):
        return left, coerce(right, left.type, place)
    return coerce(left, right.type, place), right


def _is_id(found: Expression) -> bool:
    return isinstance(found, Field) and found.property.kind is Kind.ID


def coerce(found: Expression, wanted: Type, place: str) -> Expression:
    """`found` as `wanted`, where that has a meaning; else 400 with both types."""
    match found:
        case _ if found.type is wanted:
            return found
        case Const(type=Type.NULL):
            return Const(wanted, None)
        case Field(type=Type.DYNAMIC) if wanted in functions.ARMS:
            return Arm(found, wanted)
        case _ if found.type is Type.INTERVAL and wanted is Type.INSTANT:
            return Function("start", (found,), Type.INSTANT)
        case Const(type=Type.DATE, value=days) if wanted is Type.INSTANT:
            return Const(Type.INSTANT, days * DAY)
        case Const(type=Type.TEXT, value=text) if wanted is Type.INSTANT:
            return Const(Type.INSTANT, time.parse_instant(text))
    raise BadRequest(
        f"A {wanted.value} is needed here, this is a {found.type.value}", place=place, code="type_mismatch"
    )


# ── values ──


def _call(node: tree.Call, scope: Scope) -> Expression:
    place = scope.place(node.at)
    name = node.name
    constant = functions.CONSTANTS.get(name)
    signature = functions.SIGNATURES.get(name)
    count = len(node.arguments)
    if constant is not None or name in ("now", "principalname"):
        if count:
            raise BadRequest(f"{name}() takes no argument", place=place, code="function")
        if name == "now":
            return Const(Type.INSTANT, scope.now)
        return Const(Type.TEXT, scope.principal) if constant is None else Const(Type.INSTANT, constant)
    if name in functions.RELATIONS:
        if count != 2:
            raise BadRequest(f"{name}() takes two times", place=place, code="function")
        return _relation(name, value(node.arguments[0], scope), value(node.arguments[1], scope), place)
    if signature is None:
        near = difflib.get_close_matches(name, functions.names(), 1)
        hint = f"Did you mean '{near[0]}'?" if near else "See table 23 of OGC 18-088."
        raise BadRequest(f"There is no function '{name[:60]}'", place=place, code="function", hint=hint)
    if not signature.least <= count <= len(signature.arguments):
        wanted = str(signature.least) if signature.least == len(signature.arguments) else "2 or 3"
        raise BadRequest(f"{name}() takes {wanted} argument(s), not {count}", place=place, code="function")
    given = [value(a, scope) for a in node.arguments]
    if name == "totaloffsetminutes" and isinstance(node.arguments[0], tree.Instant):
        return Const(Type.NUMBER, node.arguments[0].offset_min)
    typed = tuple(coerce(g, t, place) for g, t in zip(given, signature.arguments, strict=False))
    if name == "st_relate":
        _check_relate(typed[2], place)
    return Function(name, typed, signature.result)


def _relation(name: str, left: Expression, right: Expression, place: str) -> Expression:
    sides = [s if s.type in TIMES else coerce(s, Type.INSTANT, place) for s in (left, right)]
    if name == "during" and sides[1].type is Type.INSTANT:
        raise BadRequest(
            "during() needs an interval as second argument", place=place, code="type_mismatch", hint="start/end"
        )
    return Compare(name, sides[0], sides[1])


def _check_relate(pattern: Expression, place: str) -> None:
    text = pattern.value if isinstance(pattern, Const) else None
    if not isinstance(text, str) or len(text) != 9 or not set(text.upper()) <= set("TF*012"):
        raise BadRequest(
            "The third argument of st_relate is a DE-9IM pattern", place=place, code="function", hint="'T*F**F***'"
        )


def _negative(operand: tree.Expression, scope: Scope, at: int) -> Expression:
    inner = value(operand, scope)
    if inner.type is Type.DURATION:
        return Function("negate_duration", (inner,), Type.DURATION)
    return Function("negate", (coerce(inner, Type.NUMBER, scope.place(at)),), Type.NUMBER)


def _arithmetic(node: tree.Binary, scope: Scope) -> Expression:
    """Numbers with all five operators; times and durations with the combinations that mean something."""
    place = scope.place(node.at)
    left, right = value(node.left, scope), value(node.right, scope)
    if left.type is Type.DYNAMIC and right.type in (Type.DURATION, *TIMES):
        left = coerce(left, Type.INSTANT, place)
    if right.type is Type.DYNAMIC and left.type in (*TIMES, Type.DURATION):
        right = coerce(right, Type.INSTANT, place)
    rule = functions.TIME_ARITHMETIC.get((left.type, node.op, right.type))
    if rule is not None:
        name, result = rule
        return Function(name, (left, right), result)
    sides = (coerce(left, Type.NUMBER, place), coerce(right, Type.NUMBER, place))
    return Function(node.op, sides, Type.NUMBER)


# ── negation ──


def _push(node: Expression, *, negated: bool) -> Expression:
    """De Morgan, valid in three-valued logic: `not` ends at leaves; nested ands and ors become flat."""
    match node:
        case Not(term=term):
            return _push(term, negated=not negated)
        case And(terms=terms) | Or(terms=terms):
            kind = And if isinstance(node, And) != negated else Or
            flat: list[Expression] = []
            for term in terms:
                pushed = _push(term, negated=negated)
                flat.extend(pushed.terms if isinstance(pushed, kind) else (pushed,))
            return kind(tuple(flat))
        case Some(predicate=inner):
            inner = None if inner is None else _push(inner, negated=False)
            return msgspec.structs.replace(node, predicate=inner, negated=negated)
        case IsNull(negated=flag):
            return msgspec.structs.replace(node, negated=flag != negated)
        case _:
            return Not(node) if negated else node
