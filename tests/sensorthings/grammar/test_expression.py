"""Filter expressions: one table of texts and trees, one of errors and places, caps, and any text at all."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.kernel.time import DAY, HOUR
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.grammar.expression import parse_expression, parse_orderby
from lakou.sensorthings.grammar.lexer import GrammarLimits

NEW_YEAR_2020 = 1_577_836_800_000_000


def show(node: Any) -> str:
    """A tree as a fully bracketed text, so that a table can show precedence."""
    match node:
        case tree.Path():
            return "/".join(f"[{step}]" if isinstance(step, int) else step for step in node.segments)
        case tree.Binary():
            return f"({show(node.left)} {node.op} {show(node.right)})"
        case tree.Not() | tree.Negative():
            return f"{type(node).__name__.lower()}({show(node.operand)})"
        case tree.Call():
            return f"{node.name}({', '.join(map(show, node.arguments))})"
        case tree.In():
            return f"({show(node.item)} in {', '.join(map(show, node.options))})"
        case tree.Any():
            inner = "" if node.predicate is None else f"{node.variable}: {show(node.predicate)}"
            return f"any({show(node.path)}; {inner})"
        case tree.Null():
            return "null"
        case tree.Text() | tree.Boolean() | tree.Number():
            return repr(node.value)
        case tree.Geometry():
            return f"geo<{node.wkt}>"
    return repr(node)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("result gt 20", "(result gt 20)"),
        ("a eq 1 and b eq 2 or c eq 3 and d eq 4", "(((a eq 1) and (b eq 2)) or ((c eq 3) and (d eq 4)))"),
        ("a or b and c", "(a or (b and c))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("a add b mul c gt d sub e", "((a add (b mul c)) gt (d sub e))"),
        ("a sub b sub c eq 0", "(((a sub b) sub c) eq 0)"),
        ("a div b mul c mod d eq 0", "((((a div b) mul c) mod d) eq 0)"),
        ("a lt b eq true", "((a lt b) eq True)"),
        ("not a and b", "(not(a) and b)"),
        ("not result gt 5 and b", "(not((result gt 5)) and b)"),
        ("not(a)and(b)or(c)", "((not(a) and b) or c)"),
        ("not not a", "not(not(a))"),
        ("-result lt -5", "(negative(result) lt -5)"),
        ("- 5 eq -(5)", "(-5 eq -5)"),
        ("-(a) mul 2 eq 1", "((negative(a) mul 2) eq 1)"),
        ("id in (1, 2,'x')", "(id in 1, 2, 'x')"),
        ("id in (1) and b", "((id in 1) and b)"),
        ("GEO.Distance(location, geography'POINT (1 2)') lt 0.5", "(geo.distance(location, geo<POINT (1 2)>) lt 0.5)"),
        ("st_within(location,geometry'POLYGON((0 0))')", "st_within(location, geo<POLYGON((0 0))>)"),
        ("concat(concat(a,','),b) eq 'x'", "(concat(concat(a, ','), b) eq 'x')"),
        ("now() gt mindatetime() or maxdatetime() eq now()", "((now() gt mindatetime()) or (maxdatetime() eq now()))"),
        ("principalName() eq 'x'", "(principalname() eq 'x')"),
        ("Datastream/Thing/@iot.id eq 'l''eau'", '(Datastream/Thing/@iot.id eq "l\'eau")'),
        ("@iot.id eq 1", "(@iot.id eq 1)"),
        ("properties/list[0]/a-b[1][2] eq null", "(properties/list/[0]/a-b/[1]/[2] eq null)"),
        ("parameters/x/0 ne false", "(parameters/x/0 ne False)"),
        ("propriétés/é_1 eq 'é'", "(propriétés/é_1 eq 'é')"),
        ("properties/parent.Thing@iot.id eq 3", "(properties/parent.Thing@iot.id eq 3)"),
        ("Datastreams/any(d: d/name eq 'x')", "any(Datastreams; d: (d/name eq 'x'))"),
        (
            "Things/Datastreams/any(d:d/any2 eq 1 or d/id eq 2)",
            "any(Things/Datastreams; d: ((d/any2 eq 1) or (d/id eq 2)))",
        ),
        ("not Datastreams/any()", "not(any(Datastreams; ))"),
        ("A/any(a: a/B/any(b: b/x eq a/x))", "any(A; a: any(a/B; b: (b/x eq a/x)))"),
        ("x eq 1.5e-3 or x eq 1e+2 or x eq 1e 2", "(((x eq 0.0015) or (x eq 100.0)) or (x eq 100.0))"),
        ("x eq 9223372036854775807", "(x eq 9223372036854775807)"),
        ("x eq -9223372036854775808", "(x eq -9223372036854775808)"),
        ("x eq 9223372036854775808", "(x eq 9.223372036854776e+18)"),
        ("x eq ''", "(x eq '')"),
        ("  x\teq\n1  ", "(x eq 1)"),
    ],
)
def test_expression_is_read(text: str, shown: str) -> None:
    assert show(parse_expression(text)) == shown


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("2020-01-01T00:00:00Z", tree.Instant(NEW_YEAR_2020)),
        ("2020-01-01T00:00:00.5Z", tree.Instant(NEW_YEAR_2020 + 500_000)),
        ("2020-01-01T02:00:00+02:00", tree.Instant(NEW_YEAR_2020, 120)),
        ("2020-01-01T02:00:00+0200", tree.Instant(NEW_YEAR_2020, 120)),
        ("2020-01-01T02:00:00 02:00", tree.Instant(NEW_YEAR_2020, 120)),
        ("2019-12-31T20:00:00-04:00", tree.Instant(NEW_YEAR_2020, -240)),
        ("2020-01-01T00:00:00", tree.Instant(NEW_YEAR_2020)),
        ("datetime'2020-01-01T00:00:00Z'", tree.Instant(NEW_YEAR_2020)),
        ("datetimeoffset'2020-01-01T02:00:00 02:00'", tree.Instant(NEW_YEAR_2020, 120)),
        ("2020-01-01T00:00:00Z/2020-01-02T00:00:00Z", tree.Interval(NEW_YEAR_2020, NEW_YEAR_2020 + DAY)),
        ("2020-01-01T02:00:00 02:00/2020-01-01T03:00:00 02:00", tree.Interval(NEW_YEAR_2020, NEW_YEAR_2020 + HOUR)),
        ("2020-01-01T00:00:00Z/PT1H", tree.Interval(NEW_YEAR_2020, NEW_YEAR_2020 + HOUR)),
        ("P1D/2020-01-01T00:00:00Z", tree.Interval(NEW_YEAR_2020 - DAY, NEW_YEAR_2020)),
        ("2020-01-01", tree.Date(18_262)),
        ("date'2020-01-01'", tree.Date(18_262)),
        ("13:20:05", tree.TimeOfDay(48_005_000_000)),
        ("time'13:20'", tree.TimeOfDay(48_000_000_000)),
        ("duration'P1DT2H'", tree.Duration(DAY + 2 * HOUR)),
        ("duration'-PT1H'", tree.Duration(-HOUR)),
        ("-duration'PT1H'", tree.Duration(-HOUR)),
    ],
)
def test_literal_is_read(text: str, literal: tree.Node) -> None:
    node = parse_expression(f"x eq {text}")
    assert isinstance(node, tree.Binary)
    assert msgspec.structs.replace(node.right, at=0) == literal


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "filter_syntax", 0),
        ("result gt", "filter_syntax", 9),
        ("result gt   ", "filter_syntax", 9),
        ("gt 5", "filter_syntax", 0),
        ("result gtt 5", "filter_syntax", 7),
        ("result GT 5", "filter_syntax", 7),
        ("result gt 5 5", "filter_syntax", 12),
        ("result gt 5)", "filter_syntax", 11),
        ("(result gt 5", "filter_syntax", 12),
        ("()", "filter_syntax", 1),
        ("result gt 'abc", "filter_syntax", 10),
        ('result eq "abc"', "filter_syntax", 10),
        ("result = 5", "filter_syntax", 7),
        ("result gt 5 && a", "filter_syntax", 12),
        ("result gt 20abc", "filter_syntax", 12),
        ("result during 2020-01-01T00:00:00Z/PT1H", "filter_syntax", 7),
        ("Things(1)/name eq 'x'", "filter_syntax", 9),
        ("Thing/Datastreams(1) eq 'x'", "filter_syntax", 0),
        ("A/all(a: a/x eq 1)", "filter_syntax", 0),
        ("A/any(1: x)", "filter_syntax", 6),
        ("A/any(a/b: x)", "filter_syntax", 6),
        ("A/any(a x)", "filter_syntax", 8),
        ("A/any(a: x", "filter_syntax", 10),
        ("foo(a,", "filter_syntax", 6),
        ("foo(a b)", "filter_syntax", 6),
        ("foo(,a)", "filter_syntax", 4),
        ("id in 1", "filter_syntax", 6),
        ("id in ()", "filter_syntax", 7),
        ("a//b eq 1", "filter_syntax", 1),
        ("a/ eq 1", "filter_syntax", 1),
        ("a[x] eq 1", "filter_syntax", 1),
        ("INF eq x", "filter_syntax", 0),
        ("x eq -INF", "filter_syntax", 6),
        ("x eq ٣", "filter_syntax", 5),
        ("x eq duratio'P1D'", "filter_syntax", 5),
        ("x eq 1e400", "number_range", 5),
        ("x eq " + "9" * 5000, "number_range", 5),
        ("x eq 2020-13-01T00:00:00Z", "time_syntax", 5),
        ("x eq 2020-01-02T00:00:00Z/2020-01-01T00:00:00Z", "time_syntax", 5),
        ("x eq 2020-02-30", "time_syntax", 5),
        ("x eq 25:00", "time_syntax", 5),
        ("x eq duration'P1Y'", "duration_syntax", 5),
        ("x eq datetime''", "time_syntax", 5),
        ("x eq date''", "time_syntax", 5),
        ("x eq duration''", "duration_syntax", 5),
        ("x eq '\0'", "encoding", 6),
    ],
)
def test_error_has_code_place_and_hint(text: str, code: str, at: int) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_expression(text)
    assert (caught.value.error_code, caught.value.place) == (code, f"$filter:{at}")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("result gtt 5", "did you mean 'gt'?"),
        ("a eq 1 AND b", "did you mean 'and'?"),
        ("a during b", "it is a function: during(a, b)"),
        ("x eq duratio'P1D'", "did you mean 'duration'?"),
    ],
)
def test_near_misses_are_guessed(text: str, hint: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_expression(text)
    assert caught.value.hint == hint


def test_positions_count_from_the_base() -> None:
    node = parse_expression("a gt 1", "$expand", base=20)
    assert isinstance(node, tree.Binary)
    assert (node.at, node.left.at, node.right.at) == (20, 20, 25)
    with pytest.raises(BadRequest) as caught:
        parse_expression("a gt", "$expand", base=20)
    assert caught.value.place == "$expand:24"


def height(node: Any) -> int:
    children = [value for name in node.__struct_fields__ for value in _nodes(getattr(node, name))]
    return 1 + max(map(height, children), default=0)


def _nodes(value: Any) -> list[Any]:
    if isinstance(value, tree.Node):
        return [value]
    return [item for item in value if isinstance(item, tree.Node)] if isinstance(value, tuple) else []


def test_long_chains_of_and_are_balanced_in_their_order() -> None:
    node = parse_expression(" and ".join(f"a{index}" for index in range(1000)))
    assert height(node) == 11
    assert [f"a{index}" for index in range(1000)] == show(node).replace("(", "").replace(")", "").split(" and ")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 70 + "a" + ")" * 70,
        "not " * 70 + "a",
        "-" * 70 + "a",
        "f(" * 70 + "a" + ")" * 70,
        "a add " * 70 + "a",
        "a eq " * 70 + "a",
        "A/any(a:" * 70 + "a" + ")" * 70,
        "a in (" * 70 + "1" + ")" * 70,
        "(" * 40 + "1" + " add 1" * 40 + (")" + " add 1" * 20) * 40,
        "/".join(["a"] * 70),
        "(" * 16_000,
        "-(" * 8_000,
    ],
)
def test_depth_is_capped(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_expression(text)


def test_within_the_caps_the_tree_is_never_higher_than_the_depth() -> None:
    for text in ("(" * 60 + "a" + ")" * 60, "a add " * 60 + "a", "not " * 60 + "a"):
        assert height(parse_expression(text)) <= 64


def test_bytes_and_tokens_are_capped() -> None:
    for text in ("a" * 16_385, "é" * 8_193, "a or " * 1_001 + "a"):
        with pytest.raises(BadRequest) as caught:
            parse_expression(text)
        assert caught.value.error_code == "too_long"
    with pytest.raises(BadRequest):
        parse_expression("a eq 1", limits=GrammarLimits(tokens=2))


def test_orderby_terms() -> None:
    terms = parse_orderby("result desc, Thing/name asc,length(name),desc desc")
    assert [(show(term.expression), term.descending) for term in terms] == [
        ("result", True),
        ("Thing/name", False),
        ("length(name)", False),
        ("desc", True),
    ]
    for text, at in (("", 0), ("a,", 2), ("a dsc", 2), ("a desc b", 7), ("a desc asc", 7)):
        with pytest.raises(BadRequest) as caught:
            parse_orderby(text)
        assert caught.value.place == f"$orderby:{at}"


WORDS = (
    "a", "Thing/name", "not", "and", "or", "eq", "gt", "in", "add", "-", "(", ")", ",", "/", ":", "'x'", "'", "1",
    "1.5", "2020-01-01T00:00:00Z", "2020-01-01", "12:00", "duration'P1D'", "geography'POINT(1 2)'", "foo(", "A/any(",
    "a:", "null", "P1D/", "1e400", "é", "[0]", "@iot.id", "$count", "  ", "\0", "\ud800", "P1Y", '"', "%", "🌊",
    "interval''", "time'12:00'", "date'2020-01-01T00:00Z'", "geometry''", "INF", "desc",
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
    | st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
    | st.text(max_size=80)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_expression, parse_orderby):
        try:
            parse(text)
        except BadRequest as error:
            msgspec.json.encode(error.body())


def test_hostile_texts_take_no_time() -> None:
    texts = ["'" * 16_001, "'a" * 8_000, "P1" * 8_000, "PT,T" * 4_000, "-" * 16_000, "1" * 16_000, "a/" * 8_000]
    texts += ["2020-01-01T00:00:00 " * 800, " " * 16_000, "a" + "[1]" * 5_000, "g'" * 8_000, "a." * 8_000, "1e" * 8_000]
    texts += ["a" * 8_000 + "'" + "b" * 8_000, "(" * 16_000, " and ".join(["result gt 20"] * 490)]
    for text in texts:
        started = time.perf_counter()
        with contextlib.suppress(BadRequest):
            parse_expression(text)
        assert time.perf_counter() - started < 0.5, text[:20]
