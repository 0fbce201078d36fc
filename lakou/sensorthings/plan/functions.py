"""Tables of the operators and functions of 18-088 tables 22 and 23, with argument and result types.

`sql` holds what each becomes in a dialect; a test walks this table and fails where one is missing there.
"""

from __future__ import annotations

import msgspec

from lakou.sensorthings.plan.values import Type

NUMBER, TEXT, BOOLEAN = Type.NUMBER, Type.TEXT, Type.BOOLEAN
INSTANT, INTERVAL, DURATION, GEOMETRY = Type.INSTANT, Type.INTERVAL, Type.DURATION, Type.GEOMETRY

COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
ARITHMETIC = frozenset({"add", "sub", "mul", "div", "mod"})
RELATIONS = frozenset({"before", "after", "meets", "during", "overlaps", "starts", "finishes"})
ARMS = frozenset({NUMBER, TEXT, BOOLEAN, INSTANT})
"""What a dynamic value can be read as."""

CONSTANTS = {"mindatetime": -62_135_596_800_000_000, "maxdatetime": 253_402_300_799_999_999}


class Signature(msgspec.Struct, frozen=True):
    """Argument types in order, result type; the arguments after `least` may be left out."""

    arguments: tuple[Type, ...]
    result: Type
    least: int


def _takes(*arguments: Type, gives: Type, least: int | None = None) -> Signature:
    return Signature(arguments, gives, len(arguments) if least is None else least)


SIGNATURES: dict[str, Signature] = {
    # strings
    "substringof": _takes(TEXT, TEXT, gives=BOOLEAN),
    "contains": _takes(TEXT, TEXT, gives=BOOLEAN),
    "endswith": _takes(TEXT, TEXT, gives=BOOLEAN),
    "startswith": _takes(TEXT, TEXT, gives=BOOLEAN),
    "length": _takes(TEXT, gives=NUMBER),
    "indexof": _takes(TEXT, TEXT, gives=NUMBER),
    "substring": _takes(TEXT, NUMBER, NUMBER, gives=TEXT, least=2),
    "tolower": _takes(TEXT, gives=TEXT),
    "toupper": _takes(TEXT, gives=TEXT),
    "trim": _takes(TEXT, gives=TEXT),
    "concat": _takes(TEXT, TEXT, gives=TEXT),
    # dates
    "year": _takes(INSTANT, gives=NUMBER),
    "month": _takes(INSTANT, gives=NUMBER),
    "day": _takes(INSTANT, gives=NUMBER),
    "hour": _takes(INSTANT, gives=NUMBER),
    "minute": _takes(INSTANT, gives=NUMBER),
    "second": _takes(INSTANT, gives=NUMBER),
    "fractionalseconds": _takes(INSTANT, gives=NUMBER),
    "date": _takes(INSTANT, gives=Type.DATE),
    "time": _takes(INSTANT, gives=Type.TIME_OF_DAY),
    "totaloffsetminutes": _takes(INSTANT, gives=NUMBER),
    # math
    "round": _takes(NUMBER, gives=NUMBER),
    "floor": _takes(NUMBER, gives=NUMBER),
    "ceiling": _takes(NUMBER, gives=NUMBER),
    # geospatial
    "geo.distance": _takes(GEOMETRY, GEOMETRY, gives=NUMBER),
    "geo.length": _takes(GEOMETRY, gives=NUMBER),
    "geo.intersects": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_equals": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_disjoint": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_touches": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_within": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_overlaps": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_crosses": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_intersects": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_contains": _takes(GEOMETRY, GEOMETRY, gives=BOOLEAN),
    "st_relate": _takes(GEOMETRY, GEOMETRY, TEXT, gives=BOOLEAN),
}

TIME_ARITHMETIC: dict[tuple[Type, str, Type], tuple[str, Type]] = {
    (INSTANT, "add", DURATION): ("instant_add", INSTANT),
    (INSTANT, "sub", DURATION): ("instant_sub", INSTANT),
    (DURATION, "add", INSTANT): ("add_instant", INSTANT),
    (INTERVAL, "add", DURATION): ("interval_add", INTERVAL),
    (INTERVAL, "sub", DURATION): ("interval_sub", INTERVAL),
    (INSTANT, "sub", INSTANT): ("instant_diff", DURATION),
    (INTERVAL, "sub", INSTANT): ("interval_diff", DURATION),
    (INSTANT, "sub", INTERVAL): ("diff_interval", DURATION),
    (INTERVAL, "sub", INTERVAL): ("intervals_diff", DURATION),
    (DURATION, "add", DURATION): ("duration_add", DURATION),
    (DURATION, "sub", DURATION): ("duration_sub", DURATION),
    (DURATION, "mul", NUMBER): ("duration_mul", DURATION),
    (NUMBER, "mul", DURATION): ("mul_duration", DURATION),
    (DURATION, "div", NUMBER): ("duration_div", DURATION),
}


def names() -> list[str]:
    """Every function name that a filter may use."""
    return sorted({*SIGNATURES, *CONSTANTS, *RELATIONS, "now", "principalname"})
