"""JSON text: strict reading with a place for each refusal, and the canonical form for digests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel import jsontext
from lakou.kernel.errors import BadRequest


@pytest.mark.parametrize(
    ("data", "code", "place"),
    [
        (b"", "json_syntax", None),
        (b'{"a":1,}', "json_syntax", "byte 7"),
        (b"[1] x", "json_syntax", "byte 4"),
        (b"NaN", "json_syntax", "byte 0"),
        (b"[-Infinity]", "json_syntax", "byte 2"),
        (b'"\x01"', "json_syntax", "byte 1"),
        (b'"a\x00b"', "json_syntax", "byte 2"),
        (b'"\xff"', "json_encoding", None),
        (b'"\xed\xa0\x80"', "json_encoding", None),
        (b'"\\ud800"', "json_encoding", None),
        (b'"\\ud800x"', "json_encoding", None),
        (b'"\\udc00"', "json_encoding", None),
        ("\ud800", "json_encoding", None),
        (b'{"a":[1,"x\\u0000"]}', "json_nul", "/a/1"),
        (b'{"a":{"b\\u0000":1}}', "json_nul", "/a/b\ufffd"),
        (b'{"a/b":{"c~":[12345678901234567890]}}', "number_range", "/a~1b/c~0/0"),
        (b"9223372036854775808", "number_range", ""),
        (b"-9223372036854775809", "number_range", ""),
        (b"1e400", "number_range", None),
        (b"[1" + b"0" * 5000 + b"]", "number_range", None),
        (b"[1" + b"0" * 400 + b".0]", "number_range", None),
        (b"[" * 65 + b"]" * 65, "json_depth", "/0/0/0/0/0/0/0/0/…"),
        (b"[" * 100_000, "json_depth", None),
        (b'{"a":' * 100_000, "json_depth", None),
    ],
)
def test_refused_with_code_and_place(data: bytes | str, code: str, place: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        jsontext.decode(data)
    error = caught.value
    assert error.error_code == code
    if place is not None and not place.startswith("byte"):
        assert error.place == place
    if place is not None and place.startswith("byte"):
        assert (error.place or "").startswith("byte ")
    assert error.hint
    json.dumps(error.body()).encode()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"[" * 64 + b"]" * 64, None),
        (b"\xef\xbb\xbf[1]", [1]),
        ("\ufeff[1]", [1]),
        (b'"\\ud83c\\udf0a"', "\U0001f30a"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"1e-400", 0.0),
        (b"9007199254740993", 9007199254740993),
    ],
)
def test_read(data: bytes | str, value: Any) -> None:
    decoded = jsontext.decode(data)
    assert value is None or decoded == value


def test_many_shallow_rows_are_not_deep() -> None:
    rows = [[index, {"a": [index]}] for index in range(5_000)]
    assert jsontext.decode(json.dumps(rows)) == rows


def test_depth_is_a_parameter() -> None:
    assert jsontext.decode(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(BadRequest):
        jsontext.decode(b"[[[1]]]", max_depth=2)


def test_brackets_in_texts_do_not_hide_depth() -> None:
    deep = b'["]",' * 70 + b"1" + b', "["]' * 70
    with pytest.raises(BadRequest) as caught:
        jsontext.decode(deep)
    assert caught.value.error_code == "json_depth"


@pytest.mark.parametrize("value", [float("inf"), [float("nan")], {"a": "\0"}, {"a": "\ud800"}, {"\0": 1}, [2**63]])
def test_values_from_elsewhere_are_checked(value: Any) -> None:
    with pytest.raises(BadRequest):
        jsontext.check(value)


def test_encode_keeps_order_and_writes_utf8() -> None:
    assert jsontext.encode({"b": "é", "a": 28.804000000000002}) == '{"b":"é","a":28.804000000000002}'.encode()


def test_canonical_folds_what_is_equal() -> None:
    first = {"b": [1, 0, 2.5], "a": {"y": True, "x": None}}
    second = {"a": {"x": None, "y": True}, "b": [1.0, -0.0, 2.5]}
    assert jsontext.canonical(first) == jsontext.canonical(second) == b'{"a":{"x":null,"y":true},"b":[1,0,2.5]}'


def test_canonical_tells_apart_what_differs() -> None:
    texts = [
        jsontext.canonical(value) for value in (1, "1", True, [1], None, 1.5, 9007199254740993, 9007199254740992.0)
    ]
    assert len(set(texts)) == len(texts)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
def test_written_values_read_back(value: Any) -> None:
    assert jsontext.decode(jsontext.encode(value)) == value
    assert jsontext.decode(json.dumps(value)) == value
    assert jsontext.canonical(jsontext.decode(jsontext.canonical(value))) == jsontext.canonical(value)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud0e+-.1 8Nt\ud800é\0', max_size=60))
def test_any_input_is_read_or_refused(data: bytes | str) -> None:
    try:
        jsontext.check(jsontext.decode(data))
    except BadRequest as error:
        json.dumps(error.body()).encode()
