"""A plan as short readable text, for golden files: names of types, links and properties instead of their tables."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lakou.sensorthings.model import EntityType, Link, Property
from lakou.sensorthings.plan.values import (
    And,
    Arm,
    Compare,
    Const,
    Field,
    Function,
    IsNull,
    Not,
    Or,
    Some,
    Type,
)
from lakou.sensorthings.sql.dialect import Statement

_HIDDEN = ("pairs", "type")
_BREAK = re.compile(r" (?=(?:from|where|order by|group by|limit|union all) )")


def expression(node: Any) -> str:
    """A typed expression in prefix form; `number(x)` is a dynamic value seen as one type."""
    match node:
        case Const(type=Type.GEOMETRY, value=value):
            return f"geometry[{len(value)} bytes]"
        case Const(type=kind, value=value):
            return f"{kind.value}:{value!r}"
        case Field(level=level, links=links, property=prop, sub=sub):
            steps = [*(link.name for link in links), prop.name, *map(str, sub)]
            return ("" if level == 0 else f"v{level}:") + "/".join(steps)
        case Arm(value=value, type=kind):
            return f"{kind.value}({expression(value)})"
        case Function(name=name, arguments=arguments):
            return f"{name}({', '.join(map(expression, arguments))})"
        case Compare(op=op, left=left, right=right):
            return f"({op} {expression(left)} {expression(right)})"
        case IsNull(value=value, negated=negated):
            return f"({'known' if negated else 'null'} {expression(value)})"
        case And(terms=terms):
            return f"(and {' '.join(map(expression, terms))})"
        case Or(terms=terms):
            return f"(or {' '.join(map(expression, terms))})"
        case Not(term=term):
            return f"(not {expression(term)})"
        case Some(outer=outer, links=links, level=level, predicate=inner, negated=negated):
            way = "/".join(link.name for link in links)
            said = "" if inner is None else " " + expression(inner)
            return f"({'none' if negated else 'some'} v{level} of v{outer}:{way}{said})"
    return repr(node)


def plan_text(plan: msgspec.Struct, indent: str = "") -> str:
    """The members of a plan that say something, one a line."""
    lines = [f"{indent}{type(plan).__name__} {_name(getattr(plan, 'type', ''))}"]
    defaults = {f.name: f.default for f in msgspec.structs.fields(type(plan))}
    for name in plan.__struct_fields__:
        value = getattr(plan, name)
        if name in _HIDDEN or value == defaults[name] or value == () or value is None:
            continue
        if name == "expands":
            for expand in value:
                lines.append(f"{indent}  expand {expand.name} by {expand.link.name}")
                lines.append(plan_text(expand.plan, indent + "    "))
        else:
            lines.append(f"{indent}  {name}: {_value(value)}")
    return "\n".join(lines)


def _name(value: Any) -> str:
    return value.name if isinstance(value, EntityType) else ""


def _value(value: Any) -> str:
    if isinstance(value, EntityType | Link | Property):
        return value.name
    if isinstance(value, tuple):
        return " ".join(map(_value, value))
    if isinstance(value, bool | int | str):
        return str(value)
    if isinstance(value, msgspec.Struct) and type(value).__module__.endswith("plan.values"):
        return _struct(value)
    return expression(value)


def _struct(value: msgspec.Struct) -> str:
    match type(value).__name__:
        case "Order":
            term: Any = value
            return f"{expression(term.value)}{' desc' if term.descending else ''}{' nullable' if term.nullable else ''}"
        case "Hop":
            hop: Any = value
            return f"{hop.link.name if hop.link else hop.type.plural}{'' if hop.key is None else f'({hop.key})'}"
        case "KeyPlan":
            key: Any = value
            return f"{key.alias}={expression(key.value)}{'' if key.width is None else f' by {key.width}'}"
        case "AggregatePlan":
            found: Any = value
            return f"{found.alias}={found.method}({'' if found.value is None else expression(found.value)})"
    return expression(value)


def statement_text(statement: Statement) -> str:
    """SQL with a line for each clause, then its parameters."""
    lines = _BREAK.sub("\n  ", statement.text).split("\n")
    for name, value in statement.parameters.items():
        shown = f"bytes[{len(value)}]" if isinstance(value, bytes) else repr(value)
        lines.append(f"  :{name} = {shown}")
    return "\n".join(lines)


__all__ = ["expression", "plan_text", "statement_text"]
