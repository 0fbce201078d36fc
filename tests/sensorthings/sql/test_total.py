"""No function of a filter fails on any stored value: it may meet a row before it is known whether it may be seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from lakou.sensorthings.plan.functions import ARITHMETIC, SIGNATURES, TIME_ARITHMETIC
from lakou.sensorthings.plan.values import Type
from lakou.sensorthings.sql.dialect import Dialect, Statement
from lakou.sensorthings.sql.postgres import Postgres
from lakou.sensorthings.sql.sqlite import SQLite as SQLiteDialect
from tests.sensorthings.caller import Store

AT_ONCE = 500
NUMBERS = ["0", "1", "-7", "2.5", "1.7e308", "-1.7e308", "3e-308", "-5e-324", "9223372036854775807"]
MICROS = ["0", "1", "-86400000000", "9199999999999999999", "-9199999999999999999"]
POSTGRES: dict[Type, list[str]] = {
    Type.NUMBER: [f"({n}::double precision)" for n in [*NUMBERS, "'Infinity'", "'-Infinity'", "'NaN'", "null"]],
    Type.TEXT: ["'abc'", "''", "'é%%'", "null::text"],
    Type.INSTANT: [f"({t}::timestamptz)" for t in ("'2026-01-01'", "'4000-01-01 BC'", "'294000-01-01'", "null")],
    Type.DURATION: [f"({n}::bigint)" for n in [*MICROS, "null"]],
    Type.GEOMETRY: [
        f"ST_GeomFromText('{text}', 4326)"
        for text in (
            "POINT (1 1)",
            "POLYGON ((0 0,2 2,2 0,0 2,0 0))",
            "GEOMETRYCOLLECTION (POINT (1 1))",
            "POINT EMPTY",
        )
    ],
}
SQLITE: dict[Type, list[str]] = {
    Type.NUMBER: [f"({n})" for n in [*NUMBERS, "9e999", "-9e999", "null"]],
    Type.TEXT: ["'abc'", "''", "'é%'", "null"],
    Type.INSTANT: ["0", "(-190000000000000000)", "9000000000000000000", "null"],
    Type.DURATION: [f"({n})" for n in [*MICROS, "null"]],
    Type.GEOMETRY: ["X'0101000000000000000000F03F000000000000F03F'", "null"],
}


def test_no_function_fails_on_any_value(stores: Callable[[int], Store]) -> None:
    database = stores(0).open()
    if database.is_local:
        database.migrate()
    templates = database.dialect.functions
    values = SQLITE if database.is_local else POSTGRES
    calls: list[tuple[str, tuple[Type, ...]]] = [(name, (Type.NUMBER, Type.NUMBER)) for name in ARITHMETIC]
    calls += [(name, signature.arguments) for name, signature in SIGNATURES.items()]
    calls += [(name, (a, b)) for (a, _, b), (name, _) in TIME_ARITHMETIC.items() if Type.INTERVAL not in (a, b)]
    calls += [("negate", (Type.NUMBER,)), ("negate_duration", (Type.DURATION,))]
    failed: dict[str, Any] = {}
    try:
        for name, types in calls:
            template = templates.get(f"{name}/{len(types)}") or templates[name]
            if name == "st_relate":  # its pattern is always a constant that was checked
                values = {**values, Type.TEXT: ["'T*F**FFF2'"]}
            filled = [template.format(*given) for given in itertools.product(*(values[t] for t in types))]
            shown = filled if database.is_local else [f"({text})::text" for text in filled]
            try:
                for start in range(0, len(shown), AT_ONCE):
                    together = ", ".join(shown[start : start + AT_ONCE])
                    database.read(Statement(f"select {together}", {}), 20)
            except Exception as error:
                failed[name] = repr(error.__cause__ or error)
    finally:
        database.close()
    assert failed == {}


@pytest.mark.parametrize("dialect", [SQLiteDialect(), Postgres()], ids=lambda dialect: dialect.name)
def test_no_function_that_nests_names_its_argument_twice(dialect: Dialect) -> None:
    """Else a filter of some hundred bytes becomes a statement of gigabytes."""
    nesting = {name for (a, _, _), (name, gives) in TIME_ARITHMETIC.items() if a is gives}
    nesting |= {name for name, one in SIGNATURES.items() if one.result in (Type.TEXT, Type.NUMBER)}
    nesting |= ARITHMETIC | {"negate", "substring/3"}
    for name in nesting - {"interval_add", "interval_sub"}:
        template = dialect.functions[name]
        for place in ("{0}", "{1}"):
            assert template.count(place) <= 1, (name, template)
