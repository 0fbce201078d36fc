"""A raw query string to the tree of its options, with the nested options of $expand.

Splits first, decodes then, so that an encoded `&` or `=` stays in its value. Each option has one reader in a table;
the nested forms of $expand go through the same table. Source: OGC 18-088 §9.3, OData 4.01 §5.1 (custom options).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import msgspec

from lakou.kernel.errors import BadRequest, UnsupportedOption
from lakou.kernel.jsontext import MAX_INT
from lakou.kernel.time import shorten
from lakou.sensorthings.grammar import lexer, tree
from lakou.sensorthings.grammar.apply import parse_apply
from lakou.sensorthings.grammar.encoding import check_wire, decode
from lakou.sensorthings.grammar.expand import ExpandText
from lakou.sensorthings.grammar.expression import parse_expression, parse_orderby
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS, GrammarLimits

_DISTINCT = "distinct:"
COUNT_MODES = ("exact", "estimate")


class Value(msgspec.Struct, frozen=True):
    """The value of one option: `option` and `base` tell where it stands, also for one nested in $expand.

    `within` is the $expand that it is nested in.
    """

    name: str
    text: str
    option: str
    base: int
    within: ExpandText | None = None

    @property
    def place(self) -> str:
        return lexer.place(self.option, self.base)

    def refusal(self, hint: str, offset: int = 0) -> BadRequest:
        """`option_value` for this value, at `offset` inside it."""
        shown = shorten(self.text)
        message = f"'{shown}' is not a value of {self.name}" if shown else f"the value of {self.name} is missing"
        place = lexer.place(self.option, self.base + offset)
        return BadRequest(message, code="option_value", place=place, hint=hint)


def parse_query_string(raw: str | bytes, limits: GrammarLimits = DEFAULT_LIMITS) -> tree.Options:
    """The options of a percent-encoded query string (without `?`); a `+` is a space.

    Options without `$` are left to others: kept in `pairs`, not read. Raises BadRequest with the place in the option's
    decoded value, UnsupportedOption for an option beginning with `$` that does not exist here.
    """
    values = []
    at = 0
    for piece in check_wire(raw, "query", limits).split("&"):
        if piece:
            name, _, text = piece.partition("=")
            name = decode(name, "query", at, plus_is_space=True)
            values.append(Value(name, decode(text, "query", at, plus_is_space=True), name, 0))
        at += len(piece) + 1
    return _read(values, limits, nested=False)


def _read(values: Iterable[Value], limits: GrammarLimits, *, nested: bool) -> tree.Options:
    fields: dict[str, Any] = {}
    pairs = []
    seen: set[str] = set()
    for value in values:
        name = value.name
        pairs.append((name, value.text))
        if not name.startswith("$") and not nested:
            continue
        reader = _READERS.get(name)
        if reader is None:
            _refuse_unknown(value, nested)
        if nested and name not in NESTED:
            message = f"{name} cannot stand inside $expand"
            raise BadRequest(message, code="option_nested", place=value.place, hint=f"only {', '.join(NESTED)}")
        if name in seen:
            raise BadRequest(f"{name} is given twice", code="option_twice", place=value.place, hint="give it once")
        seen.add(name)
        fields.update(reader(value, limits))
    return tree.Options(pairs=tuple(pairs), **fields)


def _refuse_unknown(value: Value, nested: bool) -> NoReturn:
    name = shorten(value.name)
    hint = lexer.guess(value.name, _READERS) or f"known options: {', '.join(_READERS)}"
    if nested and not value.name.startswith("$"):
        raise BadRequest(f"'{name}' is not an option", code="option_nested", place=value.place, hint=hint)
    raise UnsupportedOption(f"the option {name} is not known here", place=value.place, hint=hint)


def _read_filter(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    return {"filter": parse_expression(value.text, value.option, limits, value.base)}


def _read_orderby(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    return {"orderby": parse_orderby(value.text, value.option, limits, value.base)}


def _read_apply(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    return {"apply": parse_apply(value.text, value.option, limits, value.base)}


def _read_count(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    if value.text not in ("true", "false"):
        raise value.refusal("true or false")
    return {"count": value.text == "true"}


def _read_select(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    body = value.text
    distinct = body.lstrip().startswith(_DISTINCT)
    start = body.index(_DISTINCT) + len(_DISTINCT) if distinct else 0
    paths = []
    for piece in body[start:].split(","):
        name = piece.strip()
        at = start + len(piece) - len(piece.lstrip())
        if name != "*" and not lexer.is_path(name):
            raise value.refusal("names and paths, separated by commas: name,properties/owner", at)
        segments = lexer.split_path(name)
        if len(segments) > limits.depth:
            raise value.refusal(f"a path has at most {limits.depth} steps", at)
        paths.append(tree.Path(segments, value.base + at))
        start += len(piece) + 1
    if len(paths) > limits.tokens:
        raise value.refusal(f"at most {limits.tokens} names")
    return {"select": tuple(paths), "distinct": distinct}


def _read_expand(value: Value, limits: GrammarLimits) -> dict[str, Any]:
    source = value.within or ExpandText(value.text, value.option, limits)
    items = []
    for item in source.items(value.base, value.base + len(value.text)):
        nested = [Value(name, source.text[at:end], value.option, at, source) for name, at, end in item.options]
        items.append(tree.ExpandItem(item.path, _read(nested, limits, nested=True), item.at))
    return {"expand": tuple(items)}


def _natural(field: str) -> Reader:
    def read(value: Value, limits: GrammarLimits) -> dict[str, Any]:
        digits = value.text.strip()
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) > MAX_INT:
            raise value.refusal("a whole number from 0")
        return {field: int(digits)}

    return read


def _text(field: str, allowed: tuple[str, ...] = ()) -> Reader:
    def read(value: Value, limits: GrammarLimits) -> dict[str, Any]:
        text = value.text.strip()
        if not text or (allowed and text not in allowed):
            raise value.refusal(f"one of {', '.join(allowed)}" if allowed else "give a value, or leave the option out")
        return {field: text}

    return read


Reader = Callable[[Value, GrammarLimits], dict[str, Any]]

_READERS: dict[str, Reader] = {
    "$filter": _read_filter,
    "$count": _read_count,
    "$orderby": _read_orderby,
    "$skip": _natural("skip"),
    "$top": _natural("top"),
    "$expand": _read_expand,
    "$select": _read_select,
    "$countMode": _text("count_mode", COUNT_MODES),
    "$apply": _read_apply,
    "$resultFormat": _text("result_format"),
    "$resultMetadata": _text("result_metadata"),
    "$skiptoken": _text("skip_token"),
    "$id": _text("id"),
}
NESTED = ("$filter", "$count", "$orderby", "$skip", "$top", "$expand", "$select", "$countMode")
