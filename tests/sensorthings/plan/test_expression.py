"""Typing of filters: what each comparison means, where negations end, and what is refused with its place."""

from __future__ import annotations

import pytest

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar.expression import parse_expression
from lakou.sensorthings.model import BY_NAME, OBSERVATION, THING, EntityType
from lakou.sensorthings.plan.expression import Scope, predicate
from tests.sensorthings.sql.plan_text import expression

NOW = 1_700_000_000_000_000


def typed(text: str, type_: EntityType = OBSERVATION) -> str:
    return expression(predicate(parse_expression(text), Scope(type_, NOW, "me")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("result eq 1", "(eq number(result) number:1)"),
        ("result eq '1'", "(eq text(result) text:'1')"),
        ("result eq true", "(eq boolean(result) boolean:True)"),
        ("1 eq result", "(eq number:1 number(result))"),
        ("result eq null", "(null result)"),
        ("null ne result", "(known result)"),
        ("result gt null", "boolean:None"),
        ("result eq parameters/a", "(eq result parameters/a)"),
        ("result gt 2026-01-01T00:00:00Z", "(gt instant(result) instant:1767225600000000)"),
        ("phenomenonTime gt '2026-01-01T00:00:00Z'", "(gt phenomenonTime instant:1767225600000000)"),
        ("id eq '7'", "(eq id number:7)"),
        ("id eq 'x'", "(eq id number:None)"),
        ("@iot.id eq 7", "(eq id number:7)"),
        ("resultTime eq now()", "(eq resultTime instant:1700000000000000)"),
        ("Datastream/name eq principalName()", "(eq Datastream/name text:'me')"),
        ("Datastream/Thing/id eq 1", "(eq Datastream/Thing/id number:1)"),
        ("resultTime add duration'PT1S' gt resultTime",
         "(gt instant_add(resultTime, duration:1000000) resultTime)"),
        ("phenomenonTime add duration'PT1S' gt resultTime",
         "(gt interval_add(phenomenonTime, duration:1000000) resultTime)"),
        ("resultTime sub phenomenonTime lt duration'PT1S'",
         "(lt diff_interval(resultTime, phenomenonTime) duration:1000000)"),
        ("-result lt 2", "(lt negate(number(result)) number:2)"),
        ("round(result) eq 2", "(eq round(number(result)) number:2)"),
        ("totaloffsetminutes(2026-01-01T00:00:00+02:00) eq 120", "(eq number:120 number:120)"),
        ("result in (1,'a')", "(or (eq number(result) number:1) (eq text(result) text:'a'))"),
        ("meets(phenomenonTime,resultTime)", "(meets phenomenonTime resultTime)"),
        ("date(resultTime) eq 2026-01-01", "(eq date(resultTime) date:20454)"),
    ],
)  # fmt: skip
def test_a_filter_gets_its_types(text: str, expected: str) -> None:
    assert typed(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not (id eq 1 and id eq 2)", "(or (not (eq id number:1)) (not (eq id number:2)))"),
        ("not (id eq 1 or not (id eq 2))", "(and (not (eq id number:1)) (eq id number:2))"),
        ("not not (id eq 1)", "(eq id number:1)"),
        ("not (result eq null)", "(known result)"),
        ("id eq 1 and (id eq 2 and id eq 3)", "(and (eq id number:1) (eq id number:2) (eq id number:3))"),
    ],
)
def test_negations_end_at_the_leaves(text: str, expected: str) -> None:
    assert typed(text) == expected


def test_a_lambda_keeps_its_negation_outside_and_knows_its_variable() -> None:
    text = "not Datastreams/any(d: not (d/name eq name) and d/Observations/any(o: o/result gt d/id))"
    assert typed(text, THING) == (
        "(none v1 of v0:Datastreams (and (not (eq v1:name name)) "
        "(some v2 of v1:Observations (gt v2:number(result) v1:id))))"
    ).replace("v2:number(result)", "number(v2:result)")


def test_a_bare_any_and_an_own_link() -> None:
    assert typed("Datastreams/any()", THING) == "(some v1 of v0:Datastreams)"
    assert typed("properties/near.Thing/properties/a gt 1", THING) == (
        "(gt number(properties/near.Thing/properties/a) number:1)"
    )


@pytest.mark.parametrize(
    ("type_name", "text", "code", "place"),
    [
        ("Observation", "resutl eq 1", "unknown_name", "$filter:0"),
        ("Observation", "1 eq Datastream/nam", "unknown_name", "$filter:5"),
        ("Observation", "result", "type_mismatch", None),
        ("Observation", "Datastream eq 1", None, "$filter:0"),
        ("Thing", "name", "type_mismatch", "$filter:0"),
        ("Thing", "name/first eq 'a'", "unknown_name", "$filter:0"),
        ("Thing", "name eq 5 and upper(name) eq 'A'", None, None),
        ("Thing", "uper(name) eq 'A'", "function", "$filter:0"),
        ("Thing", "length(name,name) eq 1", "function", "$filter:0"),
        ("Thing", "substring(name) eq 'a'", "function", "$filter:0"),
        ("Thing", "now(1) eq now()", "function", "$filter:0"),
        ("Thing", "year(name) eq 2026", "type_mismatch", "$filter:0"),
        ("Thing", "name add 1 eq 2", "type_mismatch", "$filter:0"),
        ("Thing", "true gt false", "type_mismatch", "$filter:0"),
        ("Location", "location eq location", "type_mismatch", "$filter:0"),
        ("Location", "st_relate(location,location,name)", "function", "$filter:0"),
        ("Location", "st_relate(location,location,'TT')", "function", "$filter:0"),
        ("Location", "st_within(location,geography'POINT EMPTY')", "geometry", None),
        ("Observation", "during(resultTime,resultTime)", "type_mismatch", "$filter:0"),
        ("Thing", "Datastreams/any(d: e/name eq 'a')", "unknown_name", "$filter:19"),
        ("Thing", "name/any()", "unknown_name", "$filter:0"),
        ("Thing", "@iot.selfLink eq 'a'", "unknown_name", "$filter:0"),
        ("Observation", "resultTime add 1 gt now()", "type_mismatch", "$filter:0"),
        ("Observation", "resultTime eq '2026'", "time_syntax", None),
    ],
)
def test_what_means_nothing_is_refused(type_name: str, text: str, code: str | None, place: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        typed(text, BY_NAME[type_name])
    if code is not None:
        assert caught.value.error_code == code
    if place is not None:
        assert caught.value.place == place


def test_a_near_name_is_proposed() -> None:
    with pytest.raises(BadRequest) as caught:
        typed("resutl eq 1")
    assert caught.value.hint == "Did you mean 'result'?"
    with pytest.raises(BadRequest) as caught:
        typed("substrinof('a','b')")
    assert "substringof" in (caught.value.hint or "")
