"""$filter: comparison, logic, arithmetic, precedence, `in` and null (18-088 §9.3.3.5, table 22)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.requirements import requirement
from tests.harness import make
from tests.harness.client import Api, key, ref, refused

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
REVERSE = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@pytest.fixture(scope="module")
def nine(api: Api) -> str:
    """The path of nine Observations with the results 1 to 9, one an hour."""
    thing = api.create("Things", make.station())
    stream = api.value(f"Things({key(thing)})/Datastreams")[0]
    rows = [[f"2024-01-0{number}T00:00:00Z", number] for number in range(1, 10)]
    api.post(
        "CreateObservations",
        [{"Datastream": ref(stream), "components": ["phenomenonTime", "result"], "dataArray": rows}],
    )
    return f"Datastreams({key(stream)})/Observations"


THINGS: dict[str, dict[str, Any]] = {
    "alpha": {"n": -2, "x": -2.5, "flag": True, "t": "Banane"},
    "beta": {"n": 0, "x": 0.0, "flag": False, "t": "banane"},
    "gamma": {"n": 1, "x": 0.1, "t": "ananas"},
    "delta": {"n": 7, "x": 1e10, "flag": True, "t": "é"},
    "epsilon": {"n": 9007199254740991, "x": 2.5, "flag": False, "t": ""},
    "it's": {},
}


@pytest.fixture(scope="module")
def crowd(api: Api) -> str:
    """The path of the Things of `THINGS`, all of one Location."""
    place = api.create("Locations", make.location())
    for name, properties in THINGS.items():
        api.create("Things", make.thing(name=name, properties=properties, Locations=[ref(place)]))
    return f"Locations({key(place)})/Things"


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize("literal", ["5", "5.0", "4.5", "0", "-1", "1e1", "9"])
@pytest.mark.parametrize("op", OPERATORS)
def test_result_compared_with_a_number(anon: Api, nine: str, op: str, literal: str) -> None:
    expected = [number for number in range(1, 10) if OPERATORS[op](number, float(literal))]
    assert anon.results(nine, filter=f"result {op} {literal}") == expected
    assert anon.results(nine, filter=f"{literal} {REVERSE[op]} result") == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize("day", [1, 5, 9])
def test_time_compared_with_an_instant(anon: Api, nine: str, op: str, day: int) -> None:
    expected = [number for number in range(1, 10) if OPERATORS[op](number, day)]
    assert anon.results(nine, filter=f"phenomenonTime {op} 2024-01-0{day}T00:00:00Z") == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize("name", ["beta", "delta", "it's"])
@pytest.mark.parametrize("op", ["eq", "ne"])
def test_text_compared_for_equality(anon: Api, crowd: str, op: str, name: str) -> None:
    quoted = name.replace("'", "''")
    expected = [each for each in THINGS if OPERATORS[op](each, name)]
    assert anon.names(crowd, filter=f"name {op} '{quoted}'") == expected
    assert anon.names(crowd, filter=f"'{quoted}' {op} name") == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize("op", ["gt", "ge", "lt", "le"])
@pytest.mark.parametrize("name", ["b", "delta", "zz"])
def test_text_compared_for_order(anon: Api, crowd: str, op: str, name: str) -> None:
    """Only lower-case ASCII letters here: all collations agree on them."""
    expected = [each for each in THINGS if OPERATORS[op](each, name)]
    assert anon.names(crowd, filter=f"name {op} '{name}'") == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize("op", OPERATORS)
@pytest.mark.parametrize(
    ("member", "literal"),
    [
        ("n", "0"),
        ("n", "1"),
        ("n", "-2"),
        ("n", "9007199254740991"),
        ("x", "0.1"),
        ("x", "2.5"),
        ("x", "-2.5"),
        ("n", "0.5"),
        ("x", "0"),
    ],
)
def test_free_number_compared(anon: Api, crowd: str, op: str, member: str, literal: str) -> None:
    value = float(literal) if "." in literal else int(literal)
    expected = [name for name, each in THINGS.items() if member in each and OPERATORS[op](each[member], value)]
    assert anon.names(crowd, filter=f"properties/{member} {op} {literal}") == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("properties/flag eq true", ["alpha", "delta"]),
        ("properties/flag eq false", ["beta", "epsilon"]),
        ("properties/flag ne true", ["beta", "epsilon"]),
        ("properties/flag", ["alpha", "delta"]),
        ("not properties/flag", ["beta", "epsilon"]),
        ("true eq properties/flag", ["alpha", "delta"]),
        ("properties/flag and properties/n gt 0", ["delta"]),
        ("properties/t eq 'banane'", ["beta"]),
        ("properties/t eq 'é'", ["delta"]),
        ("properties/t eq ''", ["epsilon"]),
        ("properties/t ne 'é'", ["alpha", "beta", "gamma", "epsilon"]),
    ],
)
def test_free_booleans_and_texts(anon: Api, crowd: str, condition: str, expected: list[str]) -> None:
    assert anon.names(crowd, filter=condition) == expected


@requirement("request-data/filter", "request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("properties/n eq null", ["it's"]),
        ("properties/n ne null", list(THINGS)[:-1]),
        ("properties/flag eq null", ["gamma", "it's"]),
        ("null eq properties/flag", ["gamma", "it's"]),
        ("properties/absent eq null", list(THINGS)),
        ("properties/absent ne null", []),
        ("not (properties/n eq null)", list(THINGS)[:-1]),
        ("not (properties/n ne null)", ["it's"]),
        ("not (properties/n eq 1)", ["alpha", "beta", "delta", "epsilon"]),
        ("not (properties/n gt 0)", ["alpha", "beta"]),
        ("not (properties/absent eq 1)", []),
        ("properties/absent eq 1", []),
        ("properties/absent ne 1", []),
        ("not (properties/flag eq true)", ["beta", "epsilon"]),
        ("properties/absent eq 1 or name eq 'beta'", ["beta"]),
        ("not (properties/absent eq 1 and name eq 'beta')", ["alpha", "gamma", "delta", "epsilon", "it's"]),
        ("not (properties/absent eq 1 or name eq 'beta')", []),
        ("not not (properties/n eq 1)", ["gamma"]),
        ("startswith(properties/t,'b')", ["beta"]),
        ("not startswith(properties/t,'b')", ["alpha", "gamma", "delta", "epsilon"]),
        ("length(properties/absent) gt 0", []),
        ("not (length(properties/absent) gt 0)", []),
        ("properties/n add properties/absent gt 0", []),
        ("not (properties/n add properties/absent gt 0)", []),
    ],
)
def test_unknown_is_left_out_also_under_not(anon: Api, crowd: str, condition: str, expected: list[str]) -> None:
    """Three-valued logic: a comparison with a missing value is neither true nor false."""
    assert anon.names(crowd, filter=condition) == expected


@requirement("request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result gt 2 and result lt 5", [3, 4]),
        ("result lt 2 or result gt 8", [1, 9]),
        ("not (result gt 1)", [1]),
        ("not result gt 1", [1]),
        ("not result lt 1 and not result gt 1", [1]),
        ("(result eq 3)", [3]),
        ("((result eq 3))", [3]),
        ("result eq 2 and result eq 1 or result eq 1", [1]),
        ("(result eq 2 and result eq 1) or result eq 1", [1]),
        ("result eq 2 and (result eq 1 or result eq 1)", []),
        ("result eq 1 or result eq 2 and result eq 3", [1]),
        ("(result eq 1 or result eq 2) and result eq 2", [2]),
        ("not (result lt 3 or result gt 4)", [3, 4]),
        ("not (result gt 3) and result gt 2", [3]),
        ("result gt 8 eq true", [9]),
        ("true", list(range(1, 10))),
        ("false", []),
        ("not false", list(range(1, 10))),
        ("result gt 8 or false", [9]),
        ("result gt 8 and true", [9]),
    ],
)
def test_logic_and_its_precedence(anon: Api, nine: str, condition: str, expected: list[int]) -> None:
    assert anon.results(nine, filter=condition) == expected


@requirement("request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result add 1 eq 4", [3]),
        ("result sub 1 eq 4", [5]),
        ("result mul 2 eq 6", [3]),
        ("result div 2 eq 4", [8]),
        ("result mod 4 eq 1", [1, 5, 9]),
        ("1 add result mul 2 sub -1 eq 4", [1]),
        ("6 div 2 sub result eq 2", [1]),
        ("1 add 2.0 mod (result add 1) eq 1", [1]),
        ("14 div (result add 1) mod 3 mul 3 eq 3", [1]),
        ("result div 2.0 eq 0.5", [1]),
        ("result mul 0.5 gt 4", [9]),
        ("result add result eq 10", [5]),
        ("-1 add result eq 0", [1]),
        ("result sub 2 sub 3 eq 1", [6]),
        ("result sub (2 sub 3) eq 7", [6]),
        ("12 div result div 2 eq 2", [3]),
        ("result mul result eq 49", [7]),
        ("2 add 3 mul result eq 14", [4]),
        ("(2 add 3) mul result eq 15", [3]),
        ("result mod 2 eq 0 and result div 2 gt 2", [6, 8]),
        ("-result eq -3", [3]),
        ("result gt 4 add 4", [9]),
        ("result add 0.1 gt 9", [9]),
        ("-7 mod result eq -1", [2, 3, 6]),
        ("result mod 2.5 eq 0.5", [3, 8]),
    ],
)
def test_arithmetic_and_its_precedence(anon: Api, nine: str, condition: str, expected: list[int]) -> None:
    """`mod` has the sign of the dividend. `14 div 2 mod 3 mul 3` is read from the left."""
    assert anon.results(nine, filter=condition) == expected


@requirement("request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    "condition",
    [
        "result div 0 eq 1",
        "result mod 0 eq 1",
        "1 div (result sub 5) gt 0",
        "1 mod (result sub 5) eq 0",
        "result div 0.0 gt 1",
        "1 div 0 eq 1",
    ],
)
def test_division_by_zero_is_no_failure(anon: Api, nine: str, condition: str) -> None:
    """Refused, or unknown for that row; never a 5xx and never a row that is wrongly there."""
    response = anon.get(nine, filter=condition)
    if response.status_code == 200:
        assert 5 not in [item["result"] for item in response.json()["value"]]
    else:
        refused(response, 400)


@requirement("extension/in")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("result in (1,3,5)", [1, 3, 5]),
        ("result in (4)", [4]),
        ("result in (1, 100, 2.0)", [1, 2]),
        ("not (result in (1,2,3,4,5,6,7))", [8, 9]),
        ("result in (3) or result in (4)", [3, 4]),
        ("result add 1 in (3,4)", [2, 3]),
        ("id in (0)", []),
        ("result in ('1','2')", []),
        ("result in (1,'2')", [1]),
    ],
)
def test_membership_of_numbers(anon: Api, nine: str, condition: str, expected: list[int]) -> None:
    assert anon.results(nine, filter=condition) == expected


@requirement("extension/in")
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("name in ('alpha','it''s')", ["alpha", "it's"]),
        ("properties/n in (1,7)", ["gamma", "delta"]),
        ("properties/t in ('é','')", ["delta", "epsilon"]),
        ("not (properties/n in (1,7))", ["alpha", "beta", "epsilon"]),
        ("Locations/name in ('x')", []),
    ],
)
def test_membership_of_texts_and_free_values(anon: Api, crowd: str, condition: str, expected: list[str]) -> None:
    assert anon.names(crowd, filter=condition) == expected


@requirement("request-data/query-status-code", "request-data/filter")
@pytest.mark.parametrize(
    "condition",
    [
        "",
        " ",
        "name",
        "name eq",
        "eq 'x'",
        "name eq 'x",
        "name eq x'",
        'name eq "x"',
        "name = 'x'",
        "name == 'x'",
        "name eq 'x' and",
        "name eq 'x' xor name eq 'y'",
        "(name eq 'x'",
        "name eq 'x')",
        "name eq 'x' name eq 'y'",
        "nothing eq 1",
        "Datastreams/nothing eq 1",
        "Nothing/name eq 'x'",
        "name eq nothing",
        "nothing(name)",
        "length()",
        "length(name,name) eq 1",
        "startswith(name)",
        "startswith(name,'a','b')",
        "substring() eq 'x'",
        "name eq 1e",
        "id eq 1.2.3",
        "id eq 0x1",
        "id eq 1__2",
        "name eq 'a''",
        "name eq '''",
        "name in",
        "name in ()",
        "name in ('a'",
        "name in 'a'",
        "name in ('a',)",
        "not",
        "not not",
        "and",
        "()",
        "(())",
        "name eq ('x'",
        "name eq 'x';",
        "name eq 'x' # y",
        "name eq 'x' -- y",
        "1",
        "'x'",
        "5 add 5",
        "name add 1",
        "name and true",
        "geo.distance(name, geography'POINT(1 1)') lt 1",
        "year(name) eq 2020",
        "name gt 5",
        "id eq 'x'",
        "time eq 2020-01-01T00:00:00Z",
        "year() eq 2020",
        "$filter",
        "name eq $x",
        "name/name eq 'x'",
        "@x eq 1",
        "phenomenonTime lt 2020-01-01T00:00:00Z",
        "Datastreams/any(",
        "Datastreams/any(d)",
        "Datastreams/any(d:)",
        "Datastreams/any(d:d/nothing eq 1)",
        "name/any(d:d eq 1)",
    ],
)
def test_malformed_filter_is_refused_with_its_place(anon: Api, condition: str) -> None:
    """Comparing values of types that never match may be refused or be false; here it must not be a 5xx."""
    response = anon.get("Things", filter=condition, top=1)
    if response.status_code == 200:
        assert condition in ("name gt 5", "id eq 'x'"), condition
        assert response.json()["value"] == []
        return
    refused(response, 400)


@requirement("lakou/errors")
@pytest.mark.parametrize("condition", ["name eq", "nothing eq 1", "nothing(name)", "name eq 'x' )"])
def test_refused_filter_says_where_and_what_to_do(anon: Api, condition: str) -> None:
    body = refused(anon.get("Things", filter=condition), 400)
    assert "filter" in str(body.get("place")), body
    assert body.get("hint"), body
