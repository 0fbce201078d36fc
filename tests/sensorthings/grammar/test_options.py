"""Query strings: each option's values, nested options, errors with places, and any query at all."""

from __future__ import annotations

import contextlib
import time
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest, LakouError, UnsupportedOption
from lakou.kernel.time import HOUR
from lakou.sensorthings.grammar import tree
from lakou.sensorthings.grammar.options import parse_query_string


def names(paths: tuple[tree.Path, ...] | None) -> list[str]:
    return ["/".join(map(str, path.segments)) for path in paths or ()]


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("$top=5", "top", 5),
        ("$top=0", "top", 0),
        ("$skip=9223372036854775807", "skip", 2**63 - 1),
        ("%24top=5", "top", 5),
        ("$count=true", "count", True),
        ("$count=false", "count", False),
        ("$resultFormat=dataArray", "result_format", "dataArray"),
        ("$resultMetadata=none", "result_metadata", "none"),
        ("$countMode=estimate", "count_mode", "estimate"),
        ("$skiptoken=abc", "skip_token", "abc"),
        ("$id=Things(1)", "id", "Things(1)"),
        ("&&$top=1&", "top", 1),
        ("", "top", None),
    ],
)
def test_plain_options(query: str, field: str, value: Any) -> None:
    assert getattr(parse_query_string(query), field) == value


def test_select_paths_and_distinct() -> None:
    options = parse_query_string("$select=name, @iot.id,id,properties/x/y,Datastreams,*")
    assert names(options.select) == ["name", "@iot.id", "id", "properties/x/y", "Datastreams", "*"]
    assert [path.at for path in options.select or ()] == [0, 6, 14, 17, 32, 44]
    assert not options.distinct
    options = parse_query_string("$select=distinct:name,properties/a")
    assert options.distinct
    assert names(options.select) == ["name", "properties/a"]


def test_values_are_decoded_after_the_split() -> None:
    options = parse_query_string("$filter=name+eq+'a%26b%3D%2B%C3%A9'&x=1")
    assert isinstance(options.filter, tree.Binary)
    assert options.filter.right == tree.Text("a&b=+é", 8)
    assert options.pairs == (("$filter", "name eq 'a&b=+é'"), ("x", "1"))


def test_bytes_are_read_as_utf8() -> None:
    assert parse_query_string("$id=é".encode()).id == "é"


def test_custom_options_are_kept_but_not_read() -> None:
    options = parse_query_string("lang=fr&lang=en&top=x")
    assert options == tree.Options(pairs=(("lang", "fr"), ("lang", "en"), ("top", "x")))


def test_expand_with_nested_options() -> None:
    text = (
        "Datastreams($select=name;$expand=Observations($filter=result gt 1 and p eq 'x;)(,''';$top=2;"
        "$orderby=phenomenonTime desc);$count=true) , Locations/Things"
    )
    options = parse_query_string("$expand=" + quote(text))
    first, second = options.expand
    assert (first.path, second.path) == (("Datastreams",), ("Locations", "Things"))
    assert second.at == text.index("Locations")
    assert (names(first.options.select), first.options.count) == (["name"], True)
    (inner,) = first.options.expand
    assert (inner.path, inner.options.top) == (("Observations",), 2)
    assert inner.at == text.index("Observations")
    assert inner.options.orderby[0].descending
    assert isinstance(inner.options.filter, tree.Binary)
    assert isinstance(inner.options.filter.right, tree.Binary)
    assert inner.options.filter.right.right == tree.Text("x;)(,'", text.index("'x;"))
    assert inner.options.pairs[1] == ("$top", "2")


def test_expand_deep_and_wide() -> None:
    deep = "A($expand=" * 60 + "A" + ")" * 60
    options = parse_query_string("$expand=" + deep)
    depth = 0
    while options.expand:
        options = options.expand[0].options
        depth += 1
    assert depth == 61
    assert len(parse_query_string("$expand=" + ",".join(["A($top=1)"] * 1000)).expand) == 1000


@pytest.mark.parametrize(
    ("query", "code", "place"),
    [
        ("$top=-1", "option_value", "$top:0"),
        ("$top=1.5", "option_value", "$top:0"),
        ("$top=", "option_value", "$top:0"),
        ("$top", "option_value", "$top:0"),
        ("$top=9223372036854775808", "option_value", "$top:0"),
        ("$skip=" + "9" * 5000, "option_value", "$skip:0"),
        ("$skip=%D9%A3", "option_value", "$skip:0"),
        ("$count=1", "option_value", "$count:0"),
        ("$count=True", "option_value", "$count:0"),
        ("$countMode=fast", "option_value", "$countMode:0"),
        ("$resultFormat=", "option_value", "$resultFormat:0"),
        ("$select=", "option_value", "$select:0"),
        ("$select=a,,b", "option_value", "$select:2"),
        ("$select=a,b c", "option_value", "$select:2"),
        ("$filter=", "filter_syntax", "$filter:0"),
        ("$filter=a gtt 1", "filter_syntax", "$filter:2"),
        ("$orderby=a,", "filter_syntax", "$orderby:2"),
        ("$top=1&$top=1", "option_twice", "$top:0"),
        ("$expand=", "expand_syntax", "$expand:0"),
        ("$expand=A,", "expand_syntax", "$expand:2"),
        ("$expand=A B", "expand_syntax", "$expand:2"),
        ("$expand=A()", "expand_syntax", "$expand:2"),
        ("$expand=A(1)", "expand_syntax", "$expand:2"),
        ("$expand=A($top=1", "expand_syntax", "$expand:1"),
        ("$expand=A($top=1))", "expand_syntax", "$expand:9"),
        ("$expand=A($filter=a eq 'x)", "expand_syntax", "$expand:15"),
        ("$expand=A($top=1)B", "expand_syntax", "$expand:9"),
        ("$expand=" + "A($expand=" * 65 + "A" + ")" * 65, "expand_syntax", "$expand:641"),
        ("$expand=" + "/".join("A" * 65), "expand_syntax", "$expand:0"),
        ("$expand=A($filter=a gtt 5)", "filter_syntax", "$expand:12"),
        ("$expand=A($expand=B($top=-1))", "option_value", "$expand:17"),
        ("$expand=A($top=1;$top=2)", "option_twice", "$expand:14"),
        ("$expand=A(top=1)", "option_nested", "$expand:6"),
        ("$expand=A($resultFormat=CSV)", "option_nested", "$expand:16"),
        ("$expand=A($apply=x)", "option_nested", "$expand:9"),
        ("$expand=A($skiptoken=x)", "option_nested", "$expand:13"),
        ("$filter=a%zz", "encoding", "query:9"),
        ("$filter=a%f", "encoding", "query:9"),
        ("x=1&$filter='%ff'", "encoding", "query:4"),
        ("$filter='%00'", "encoding", "query:0"),
        ("$filter='\ud800'", "encoding", None),
        (b"$filter='\xff'", "encoding", None),
        ("$filter=" + "a" * 20_000, "too_long", None),
        (b"$filter=" + b"a" * 20_000, "too_long", None),
    ],
)
def test_refused_with_code_place_and_hint(query: str | bytes, code: str, place: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_query_string(query)
    assert (caught.value.error_code, caught.value.place) == (code, place)
    assert caught.value.hint
    msgspec.json.encode(caught.value.body())


@pytest.mark.parametrize(
    ("query", "hint"),
    [("$Filter=1", "did you mean '$filter'?"), ("$format=json", None), ("$expand=A($search=x)", None), ("$=1", None)],
)
def test_unknown_dollar_options_are_unsupported(query: str, hint: str | None) -> None:
    # 18-088 §9.3.1: a service answers 501 to an option that it does not support.
    with pytest.raises(UnsupportedOption) as caught:
        parse_query_string(query)
    assert hint is None or caught.value.hint == hint


def test_apply_in_full() -> None:
    options = parse_query_string(
        "$apply=filter(result gt 1 and (p eq 'a)/b'))/groupby((Datastream/id,bucket(phenomenonTime,duration'PT1H') as"
        " hour),aggregate(result with average as m,result with MIN as low,result with last,$count as n))"
    )
    apply = options.apply
    assert apply is not None
    assert isinstance(apply.filter, tree.Binary)
    key, bucket = apply.keys
    assert isinstance(key, tree.Path)
    assert isinstance(bucket, tree.Bucket)
    assert key.segments == ("Datastream", "id")
    assert (bucket.path.segments, bucket.width, bucket.alias) == (("phenomenonTime",), HOUR, "hour")
    assert [(item.path and item.path.segments, item.method, item.alias) for item in apply.aggregates] == [
        (("result",), "mean", "m"),
        (("result",), "min", "low"),
        (("result",), "last", "last"),
        (None, "count", "n"),
    ]


@pytest.mark.parametrize("width", ["duration'PT1H'", "'PT1H'", "PT1H", "DURATION'PT60M'"])
def test_width_of_a_bucket_in_all_its_forms(width: str) -> None:
    apply = parse_query_string(f"$apply=groupby((bucket(phenomenonTime,{width})),aggregate($count))").apply
    assert apply is not None
    bucket = apply.keys[0]
    assert isinstance(bucket, tree.Bucket)
    assert (bucket.width, bucket.alias) == (HOUR, "bucket")
    assert apply.aggregates[0].alias == "count"


def test_apply_in_parts() -> None:
    alone = parse_query_string("$apply=aggregate(result with mean)").apply
    keys = parse_query_string("$apply=groupby((Datastream/id,properties/x))").apply
    filtered = parse_query_string("$apply=filter(result gt 1)/aggregate(result with sum as s)").apply
    assert alone is not None
    assert (alone.filter, alone.keys, alone.aggregates[0].alias) == (None, (), "mean")
    assert keys is not None
    assert (len(keys.keys), keys.aggregates) == (2, ())
    assert filtered is not None
    assert filtered.filter is not None


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "apply_syntax", 0),
        ("filter(a eq 1)", "apply_syntax", 14),
        ("filter(a eq)/aggregate($count)", "apply_syntax", 11),
        ("grouby((a))", "apply_syntax", 0),
        ("groupby(a)", "apply_syntax", 8),
        ("groupby((a),b)", "apply_syntax", 12),
        ("groupby((a))/aggregate($count)", "apply_syntax", 12),
        ("groupby((bucket(a)))", "apply_syntax", 17),
        ("groupby((bucket(a,1)))", "apply_syntax", 18),
        ("groupby((bucket(a,'x')))", "duration_syntax", 18),
        ("groupby((bucket(a,P1M)))", "duration_syntax", 18),
        ("groupby((bucket(a,PT0S)))", "option_value", 18),
        ("groupby((bucket(a,'-PT1H')))", "option_value", 18),
        ("groupby((bucket(a,PT1H) as 1))", "apply_syntax", 27),
        ("aggregate(result)", "apply_syntax", 16),
        ("aggregate(result with)", "apply_syntax", 21),
        ("aggregate(result with meen)", "apply_syntax", 22),
        ("aggregate(result with countdistinct as n)", "apply_syntax", 22),
        ("aggregate(result with max as a/b)", "apply_syntax", 29),
        ("aggregate(result with max,other with max)", "apply_syntax", 26),
        ("groupby((max),aggregate(result with max))", "apply_syntax", 24),
    ],
)
def test_apply_is_refused(text: str, code: str, at: int) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_query_string("$apply=" + quote(text))
    assert (caught.value.error_code, caught.value.place) == (code, f"$apply:{at}")
    assert caught.value.hint


VALID = (
    "$filter=result gt 1 and Datastreams/any(d:d/name eq 'x')&$top=5&$count=true",
    "$expand=Datastreams($select=name;$expand=Observations($filter=result gt 'a;)';$top=2)),Locations",
    "$apply=filter(a eq 1)/groupby((a,bucket(t,duration'PT1H') as h),aggregate(result with mean as m,$count as n))",
    "$select=distinct:name,properties/a&$orderby=result desc,abs(x)&$skip=3&x=%C3%A9",
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 6))
        text = text[:at] + draw(st.text(alphabet="()';,$=&%+ /:-'09aé\0\ud800", max_size=3)) + text[at + cut :]
    return text


@settings(deadline=None, max_examples=400)
@given(mutated() | st.text(max_size=60) | st.binary(max_size=60))
def test_any_query_is_read_or_refused(query: str | bytes) -> None:
    try:
        parse_query_string(query)
    except (BadRequest, UnsupportedOption) as error:
        msgspec.json.encode(error.body())


def test_hostile_queries_take_no_time() -> None:
    nested = "A($expand=" * 60 + "A($filter=a in (" + "(1)," * 900 + "1))" + ")" * 60
    queries = [
        "$expand=" + nested,
        "$expand=" + "A($expand=" * 60 + "A($filter=" + "()" * 7_000 + ")" + ")" * 60,
        "$expand=" + "A($top=1)," * 1_600,
        "$expand=A(" + ";" * 16_000 + ")",
        "$expand=" + "(" * 16_000,
        "$expand=A" + " " * 16_000,
        "$select=" + "a," * 8_000,
        "&" * 16_000,
        "$a&" * 5_000,
        "a&" * 8_000,
        "%" * 16_000,
        "$apply=groupby((" + "a," * 8_000,
        "$orderby=" + "a," * 900 + "a",
    ]
    for query in queries:
        started = time.thread_time()
        with contextlib.suppress(LakouError):
            parse_query_string(query)
        assert time.thread_time() - started < 0.5, query[:30]
