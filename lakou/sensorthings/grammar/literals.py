"""A literal token to its value: numbers, texts, times, durations, geometries (18-088 §9.3.3.5, OData 4.01 ABNF)."""

from __future__ import annotations

import math

from lakou.kernel import time
from lakou.kernel.errors import BadRequest
from lakou.kernel.jsontext import MAX_INT, MIN_INT
from lakou.sensorthings.grammar import lexer, tree
from lakou.sensorthings.grammar.lexer import Token

# The longest run of digits that a finite float can have before its point.
_MAX_DIGITS = 310
_PREFIXES = (
    "geography", "geometry", "duration", "date", "time", "timeofday", "datetime", "datetimeoffset", "interval",
)  # fmt: skip


def read(token: Token, option: str) -> tree.Literal:
    """The value of a NUMBER, STRING, TYPED, TIME, DATE or CLOCK token.

    Raises BadRequest `number_range`, `time_syntax`, `duration_syntax` or `filter_syntax` with the token's place.
    """
    at = token.at
    try:
        match token.kind:
            case lexer.NUMBER:
                return tree.Number(_number(token.text), at)
            case lexer.STRING:
                return tree.Text(lexer.unquote(token.text), at)
            case lexer.TIME:
                return _time(token.text, at)
            case lexer.DATE:
                return tree.Date(time.parse_date(token.text), at)
            case lexer.CLOCK:
                return tree.TimeOfDay(time.parse_time_of_day(token.text), at)
        return _typed(token.text, at)
    except BadRequest as error:
        if error.place is not None:
            raise
        place = lexer.place(option, at)
        raise BadRequest(error.message, place=place, hint=error.hint, code=error.error_code) from None


def negate(node: tree.Expression, at: int) -> tree.Literal | None:
    """The negated literal for `-` before a number or duration; None for anything else."""
    if isinstance(node, tree.Number):
        return tree.Number(_narrow(-node.value), at)
    if isinstance(node, tree.Duration):
        return tree.Duration(-node.micros, at)
    return None


def _number(text: str) -> int | float:
    if len(text) <= _MAX_DIGITS and (text.isdigit() or text[1:].isdigit()):
        return _narrow(int(text))
    value = float(text.replace(" ", "+"))
    if not math.isfinite(value):
        raise BadRequest(f"'{time.shorten(text, 30)}' is out of range", code="number_range", hint="below 1.8e308")
    return value


def _narrow(value: int | float) -> int | float:
    """An int beyond 64 bits as a float: no store could bind it."""
    if isinstance(value, int) and not MIN_INT <= value <= MAX_INT:
        try:
            return float(value)
        except OverflowError:
            raise BadRequest("a number is out of range", code="number_range", hint="below 1.8e308") from None
    return value


def _time(text: str, at: int) -> tree.Instant | tree.Interval:
    if text.endswith("Z") and "/" not in text:
        return tree.Instant(time.parse_instant(text), 0, at)
    text = text.replace(" ", "+")
    if "/" in text:
        return tree.Interval(*time.parse_interval(text), at)
    return tree.Instant(*time.parse_instant_offset(text), at)


def _typed(text: str, at: int) -> tree.Literal:
    prefix, _, _ = text.partition("'")
    value = lexer.unquote(text[len(prefix) :])
    match prefix.lower():
        case "geography" | "geometry":
            return tree.Geometry(value, at)
        case "duration":
            return tree.Duration(time.parse_duration(value.strip().replace(" ", "+")), at)
        case "date" if "T" not in value.upper():
            return tree.Date(time.parse_date(value.strip()), at)
        case "time" | "timeofday" if "T" not in value.upper():
            return tree.TimeOfDay(time.parse_time_of_day(value.strip()), at)
        case "date" | "time" | "datetime" | "datetimeoffset" | "interval":
            return _time(value.strip(), at)
    hint = lexer.guess(prefix, _PREFIXES) or f"known prefixes: {', '.join(_PREFIXES)}"
    raise BadRequest(f"the prefix '{time.shorten(prefix)}' is not known", code="filter_syntax", hint=hint)
