"""Every function has SQL in both dialects, with the value that the standard says and the same one on both.

Arguments are tried as literals and as stored values, for databases type the two differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakou.sensorthings.plan import functions
from lakou.sensorthings.plan.functions import SIGNATURES, TIME_ARITHMETIC
from lakou.sensorthings.plan.values import Const, Type
from lakou.sensorthings.sql.postgres import Postgres
from lakou.sensorthings.sql.sqlite import SQLite
from lakou.sensorthings.store.database import Database
from tests.sensorthings.caller import Store
from tests.sensorthings.sql.values import STORED, constant, evaluate, same

N, T, B, I, D = Type.NUMBER, Type.TEXT, Type.BOOLEAN, Type.INSTANT, Type.DURATION  # noqa: E741
DAY, SECOND = 86_400_000_000, 1_000_000
NOON = 20_415 * DAY + 12 * 3600 * SECOND  # 2025-11-23T12:00:00Z
BEFORE = -3 * DAY - 1  # 1969-12-28T23:59:59.999999Z
COMPOSED = ("interval_add", "interval_sub", "interval_diff", "diff_interval", "intervals_diff")
"""Made of other templates by the SQL writer: see sql.expression."""

RELATIONS_OF_SHAPES = [name for name, s in SIGNATURES.items() if s.arguments[:2] == (Type.GEOMETRY,) * 2]


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("functions")
    database = Store("sqlite", folder=folder).open()
    database.migrate()
    yield database
    database.close()


@pytest.fixture(scope="module")
def postgres(postgres_urls: Callable[[int], str]) -> Iterator[Database]:
    database = Store("postgres", url=postgres_urls(0)).open()
    yield database
    database.close()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


def signature(name: str) -> tuple[tuple[Type, ...], Type]:
    """(argument types, result type) of a function or of an operator."""
    if name in SIGNATURES:
        return SIGNATURES[name].arguments, SIGNATURES[name].result
    for (left, _, right), (rule, result) in TIME_ARITHMETIC.items():
        if rule == name:
            return (left, right), result
    if name in ("negate", "negate_duration"):
        kind = N if name == "negate" else D
        return (kind,), kind
    return (N, N), N


def literals(name: str, values: tuple[Any, ...]) -> list[Const]:
    return [constant(kind, value) for kind, value in zip(signature(name)[0], values, strict=False)]


def forms(arguments: list[Const]) -> list[int | None]:
    """Which argument is a stored value: none, or each that a row can hold."""
    return [None, *(n for n, a in enumerate(arguments) if a.type in STORED)]


# ── the table is complete ──


@pytest.mark.parametrize("dialect", [SQLite(), Postgres()], ids=["sqlite", "postgres"])
def test_every_function_and_operator_has_a_template(dialect: SQLite | Postgres) -> None:
    needed = {*SIGNATURES, *functions.ARITHMETIC, "negate", "negate_duration", "start"}
    needed |= {name for name, _ in TIME_ARITHMETIC.values() if name not in COMPOSED}
    assert needed - set(dialect.functions) == set()


def test_templates_are_the_same_on_both_dialects() -> None:
    assert set(SQLite.functions) == set(Postgres.functions)


def test_names_lists_what_a_filter_may_call() -> None:
    assert {"geo.distance", "now", "mindatetime", "before", "principalname"} <= set(functions.names())
    assert functions.names() == sorted(functions.names())


# ── values that the standard says ──

TABLE: list[tuple[str, tuple[Any, ...], Any]] = [
    ("substringof", ("éz", "Lézarde"), True),
    ("substringof", ("", "x"), True),
    ("substringof", ("É", "Lézarde"), False),
    ("contains", ("Lézarde", "zar"), True),
    ("contains", ("100%", "%"), True),
    ("contains", ("a_b", "a.b"), False),
    ("startswith", ("Lézarde", "Lé"), True),
    ("startswith", ("x", ""), True),
    ("startswith", ("", "x"), False),
    ("endswith", ("Lézarde", "rde"), True),
    ("endswith", ("x", ""), True),
    ("endswith", ("de", "rde"), False),
    ("length", ("Lézarde",), 7),
    ("length", ("😀a",), 2),
    ("length", ("",), 0),
    ("indexof", ("Lézarde", "z"), 2),
    ("indexof", ("Lézarde", "q"), -1),
    ("indexof", ("abc", ""), 0),
    ("substring", ("Lézarde", 2), "zarde"),
    ("substring", ("abc", 0), "abc"),
    ("substring", ("abc", 9), ""),
    ("substring", ("abc", -1), "abc"),
    ("substring", ("abc", 1, 1), "b"),
    ("substring", ("abc", 1, 0), ""),
    ("substring", ("abc", 0, 99), "abc"),
    ("substring", ("abc", -2, 2), "ab"),
    ("substring", ("abc", 1, -1), ""),
    ("tolower", ("ÉCOLE Ÿ",), "école ÿ"),
    ("toupper", ("école ÿ",), "ÉCOLE Ÿ"),
    ("trim", ("  a b  ",), "a b"),
    ("concat", ("a", "é"), "aé"),
    ("concat", ("", ""), ""),
    ("year", (NOON,), 2025),
    ("year", (BEFORE,), 1969),
    ("month", (NOON,), 11),
    ("month", (BEFORE,), 12),
    ("day", (NOON,), 23),
    ("day", (BEFORE,), 28),
    ("hour", (NOON,), 12),
    ("hour", (BEFORE,), 23),
    ("minute", (NOON + 61 * SECOND,), 1),
    ("minute", (BEFORE,), 59),
    ("second", (NOON + 59_999_999,), 59),
    ("second", (BEFORE,), 59),
    ("fractionalseconds", (NOON + 250_000,), 0.25),
    ("fractionalseconds", (BEFORE,), 0.999999),
    ("date", (NOON,), 20_415),
    ("date", (BEFORE,), -4),
    ("time", (NOON,), 12 * 3600 * SECOND),
    ("time", (BEFORE,), DAY - 1),
    ("totaloffsetminutes", (NOON,), 0),
    ("round", (2.5,), 3),
    ("round", (-2.5,), -3),
    ("round", (1e300,), 1e300),
    ("round", (7,), 7),
    ("floor", (2.7,), 2),
    ("floor", (-2.1,), -3),
    ("floor", (-0.0,), 0),
    ("ceiling", (2.1,), 3),
    ("ceiling", (-2.7,), -2),
    ("negate", (2.5,), -2.5),
    ("add", (2, 3), 5),
    ("add", (30_000, 30_000), 60_000),
    ("add", (2_000_000_000, 2_000_000_000), 4_000_000_000),
    ("sub", (2, 3.5), -1.5),
    ("sub", (-30_000, 30_000), -60_000),
    ("mul", (300, 300), 90_000),
    ("mul", (-4, 2.5), -10),
    ("div", (7, 2), 3.5),
    ("div", (1, 0), None),
    ("mod", (7, 3), 1),
    ("mod", (-7, 3), -1),
    ("mod", (7, -3), 1),
    ("mod", (7.5, 2), 1.5),
    ("mod", (7, 0), None),
    ("instant_add", (BEFORE, DAY), BEFORE + DAY),
    ("instant_sub", (NOON, 1), NOON - 1),
    ("add_instant", (1, NOON), NOON + 1),
    ("instant_diff", (NOON, BEFORE), NOON - BEFORE),
    ("instant_diff", (BEFORE, NOON), BEFORE - NOON),
    ("instant_diff", (BEFORE + 1, BEFORE), 1),
    ("duration_add", (DAY, -SECOND), DAY - SECOND),
    ("duration_sub", (SECOND, DAY), SECOND - DAY),
    ("duration_mul", (SECOND, 2.5), 2_500_000),
    ("mul_duration", (2, SECOND), 2 * SECOND),
    ("duration_div", (SECOND, 4), 250_000),
    ("duration_div", (SECOND, 0), None),
    ("negate_duration", (SECOND,), -SECOND),
    ("start", (NOON,), NOON),
    ("geo.distance", ("POINT (0 0)", "POINT (3 4)"), 5),
    ("geo.length", ("LINESTRING (0 0, 0 2, 1 2)",), 3),
    ("geo.length", ("POINT (1 1)",), 0),
    ("geo.intersects", ("POINT (1 1)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"), True),
    ("st_equals", ("LINESTRING (0 0, 1 1)", "LINESTRING (1 1, 0 0)"), True),
    ("st_disjoint", ("POINT (0 0)", "POINT (1 1)"), True),
    ("st_touches", ("POINT (0 1)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"), True),
    ("st_within", ("POINT (1 1)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"), True),
    ("st_within", ("POINT (0 1)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"), False),
    ("st_overlaps", ("LINESTRING (0 0, 2 0)", "LINESTRING (1 0, 3 0)"), True),
    ("st_crosses", ("LINESTRING (0 0, 2 2)", "LINESTRING (0 2, 2 0)"), True),
    ("st_intersects", ("LINESTRING (0 0, 1 0)", "POINT (2 0)"), False),
    ("st_contains", ("POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))", "POINT (1 1)"), True),
    ("st_relate", ("POINT (1 1)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))", "T*F**F***"), True),
    ("st_relate", ("POINT (5 5)", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))", "t*f**f***"), False),
]
_SMALL = "literal integers are sent to PostgreSQL as int2 or int4, whose arithmetic overflows: a cast is missing"
"""(database, function, arguments) that are refused or give another value today, with the reason."""


def test_the_table_tries_every_function() -> None:
    tried = {name for name, _, _ in TABLE} | set(COMPOSED)
    every = {*SIGNATURES, *functions.ARITHMETIC, *(name for name, _ in TIME_ARITHMETIC.values())}
    assert every - tried == set()


@pytest.mark.parametrize(("name", "values", "expected"), TABLE)
def test_value_of_a_function(database: Database, name: str, values: tuple[Any, ...], expected: Any) -> None:
    arguments = literals(name, values)
    wanted = float(expected) if signature(name)[1] is N and expected is not None else expected
    for stored in forms(arguments):
        found = evaluate(database, name, signature(name)[1], arguments, stored)
        assert same(found, wanted), (name, values, stored, found)


@pytest.mark.parametrize("name", sorted({*SIGNATURES, *functions.ARITHMETIC} - {"st_relate"}))
def test_a_function_of_nothing_is_nothing(database: Database, name: str) -> None:
    kinds, result = signature(name)
    whole = next(literals(name, values) for n, values, _ in TABLE if n == name)
    for n in range(len(whole)):
        if kinds[n] not in STORED:
            continue
        arguments = [Const(kinds[n], None) if m == n else a for m, a in enumerate(whole)]
        assert evaluate(database, name, result, arguments, n) is None, (name, n)


# ── both databases give the same value ──

MICROS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
NEAR = st.integers(-200 * 365 * DAY, 200 * 365 * DAY)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    ["", " a ", "ÉÈ", "İ", "ß", "ǆ", "%", "_", "\\", "😀é", "Σς", "a\u0301"]
)
WHOLE = st.integers(-(2**31), 2**31).map(float)
FLOATS = (
    st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-100)
    | WHOLE
    | st.sampled_from([0.5, -0.5, 1.5, 2.5, -2.5, 0.0, -0.0, 1e-99, 1e15 + 0.5])
)
FACTORS = st.floats(0.01, 100) | st.floats(-100, -0.01) | st.just(0.0)
INDEXES = st.integers(-5, 12)
DURATIONS = st.integers(-(10**15), 10**15)

STRINGS: dict[str, tuple[Any, ...]] = {
    "substringof": (TEXTS, TEXTS),
    "contains": (TEXTS, TEXTS),
    "startswith": (TEXTS, TEXTS),
    "endswith": (TEXTS, TEXTS),
    "length": (TEXTS,),
    "indexof": (TEXTS, TEXTS),
    "substring": (TEXTS, INDEXES, INDEXES),
    "concat": (TEXTS, TEXTS),
    "trim": (TEXTS,),
}
CASES: dict[str, tuple[Any, ...]] = {
    "tolower": (TEXTS,),
    "toupper": (TEXTS,),
}
PARTS = "year month day hour minute second fractionalseconds date time totaloffsetminutes"
DATES: dict[str, tuple[Any, ...]] = dict.fromkeys(PARTS.split(), (MICROS,))
NUMBERS: dict[str, tuple[Any, ...]] = {
    "round": (FLOATS,),
    "floor": (FLOATS,),
    "ceiling": (FLOATS,),
    "negate": (FLOATS,),
    "add": (FLOATS, FLOATS),
    "sub": (FLOATS, FLOATS),
    "mul": (FLOATS, FLOATS),
    "div": (FLOATS, FLOATS),
}
REMAINDERS: dict[str, tuple[Any, ...]] = {"mod": (WHOLE, WHOLE | st.integers(-9, 9).map(float))}
TIMES: dict[str, tuple[Any, ...]] = {
    "instant_add": (NEAR, DURATIONS),
    "instant_sub": (NEAR, DURATIONS),
    "add_instant": (DURATIONS, NEAR),
    "instant_diff": (MICROS, MICROS),
    "duration_add": (DURATIONS, DURATIONS),
    "duration_sub": (DURATIONS, DURATIONS),
}
SCALED: dict[str, tuple[Any, ...]] = {
    "duration_mul": (DURATIONS, FACTORS),
    "mul_duration": (FACTORS, DURATIONS),
    "duration_div": (DURATIONS, FACTORS),
}
POINTS = st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda p: f"POINT ({p[0]} {p[1]})")
LINES = (
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=4, unique=True)
    .map(lambda ps: "LINESTRING (" + ", ".join(f"{x} {y}" for x, y in ps) + ")")
)  # fmt: skip
BOXES = st.tuples(st.integers(-3, 1), st.integers(-3, 1), st.integers(1, 4), st.integers(1, 4)).map(
    lambda b: (
        f"POLYGON (({b[0]} {b[1]}, {b[0] + b[2]} {b[1]}, {b[0] + b[2]} {b[1] + b[3]}, "
        f"{b[0]} {b[1] + b[3]}, {b[0]} {b[1]}))"
    )
)
SHAPES = POINTS | LINES | BOXES
GEOMETRIES: dict[str, tuple[Any, ...]] = {name: (SHAPES, SHAPES) for name in RELATIONS_OF_SHAPES if name != "st_relate"}
GEOMETRIES["geo.length"] = (LINES | POINTS,)
GEOMETRIES["st_relate"] = (SHAPES, SHAPES, st.text("TF*012", min_size=9, max_size=9))


def agree(sqlite: Database, postgres: Database, table: dict[str, tuple[Any, ...]], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(table)), label="function")
    arguments = literals(name, tuple(data.draw(s, label="argument") for s in table[name]))
    stored = data.draw(st.sampled_from(forms(arguments)), label="stored")
    result = signature(name)[1]
    one = evaluate(sqlite, name, result, arguments, stored)
    other = evaluate(postgres, name, result, arguments, stored)
    near = table is SCALED and None not in (one, other) and abs(one - other) <= 1
    assert near or same(one, other), f"SQLite gives {one!r}, PostgreSQL {other!r}"


@pytest.mark.postgres
@pytest.mark.parametrize(
    "table",
    [STRINGS, CASES, DATES, NUMBERS, REMAINDERS, TIMES, SCALED, GEOMETRIES],
    ids=["strings", "cases", "dates", "numbers", "remainders", "times", "scaled", "geometries"],
)
def test_both_databases_agree(sqlite: Database, postgres: Database, table: dict[str, tuple[Any, ...]]) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        agree(sqlite, postgres, table, data)

    check()


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mod", (0.3, 0.1)),
        ("mod", (100_000_000.5859375, 1.0)),
        ("duration_div", (1, 1e-75)),
        ("duration_div", (2, 3.0)),
        ("mod", (7.5, 2.5)),
        ("round", (123_456_789_012.5,)),
        ("tolower", ("İSTANBUL",)),
        ("toupper", ("straße",)),
        ("tolower", ("ΟΔΟΣ",)),
    ],
)
def test_both_databases_agree_where_it_is_hard(
    sqlite: Database, postgres: Database, name: str, values: tuple[Any, ...]
) -> None:
    arguments, result = literals(name, values), signature(name)[1]
    one = evaluate(sqlite, name, result, arguments, 0 if arguments[0].type in STORED else 1)
    other = evaluate(postgres, name, result, arguments, 0 if arguments[0].type in STORED else 1)
    assert same(one, other), f"SQLite gives {one!r}, PostgreSQL {other!r}"


@pytest.mark.postgres
def test_an_underflow_is_nothing_on_both(sqlite: Database, postgres: Database) -> None:
    """PostgreSQL by itself has no product smaller than the smallest double (sql/postgres_0005_total_functions)."""
    arguments, result = literals("mul", (1e-163, 1e-163)), signature("mul")[1]
    assert evaluate(sqlite, "mul", result, arguments, 0) == 0.0
    assert evaluate(postgres, "mul", result, arguments, 0) == 0.0
