"""Resource paths: keys, encodings, errors with places, and any path at all."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar.path import parse_path


@pytest.mark.parametrize(
    ("raw", "segments"),
    [
        ("", []),
        ("/", []),
        ("Things", [("Things", None)]),
        ("/Things/", [("Things", None)]),
        ("Things(1)/Datastreams(2)/Observations", [("Things", 1), ("Datastreams", 2), ("Observations", None)]),
        ("Things(1)/Locations/$ref", [("Things", 1), ("Locations", None), ("$ref", None)]),
        ("Observations(1)/result/$value", [("Observations", 1), ("result", None), ("$value", None)]),
        ("Datastreams/$count", [("Datastreams", None), ("$count", None)]),
        ("Things(1)/properties/a/b%20c", [("Things", 1), ("properties", None), ("a", None), ("b c", None)]),
        ("Things(1)/properties/%C3%A9/0", [("Things", 1), ("properties", None), ("é", None), ("0", None)]),
        ("Things('x')/name", [("Things", "x"), ("name", None)]),
        ("Things(%27x%27)", [("Things", "x")]),
        ("Things('l''eau')", [("Things", "l'eau")]),
        ("Things('a/b%2Fc''/d')/name", [("Things", "a/b/c'/d"), ("name", None)]),
        ("Things('')", [("Things", "")]),
        ("Things('1+1')", [("Things", "1+1")]),
        ("Things(-1)", [("Things", -1)]),
        ("Things(9223372036854775807)", [("Things", 2**63 - 1)]),
        ("Things(9223372036854775808)", [("Things", "9223372036854775808")]),
        ("CreateObservations", [("CreateObservations", None)]),
        (b"Things('\xc3\xa9')", [("Things", "é")]),
    ],
)
def test_path_is_read(raw: str | bytes, segments: list[tuple[str, int | str | None]]) -> None:
    assert [(segment.name, segment.key) for segment in parse_path(raw).segments] == segments


def test_positions_count_from_the_raw_path() -> None:
    assert [segment.at for segment in parse_path("/Things('a%2F/b')/name").segments] == [1, 18]


@pytest.mark.parametrize(
    ("raw", "code", "place"),
    [
        ("//", "path_syntax", "path:1"),
        ("Things//name", "path_syntax", "path:7"),
        ("Things(1)//", "path_syntax", "path:10"),
        ("Things/./name", "path_syntax", "path:7"),
        ("Things/../name", "path_syntax", "path:7"),
        ("Things/%2e%2e/name", "path_syntax", "path:7"),
        ("Things()", "path_syntax", "path:7"),
        ("Things(id=1)", "path_syntax", "path:7"),
        ("Things(a)", "path_syntax", "path:7"),
        ("Things(1.5)", "path_syntax", "path:7"),
        ("Things(٣)", "path_syntax", "path:7"),
        ("Things('x)", "path_syntax", "path:7"),
        ("Things('x''')y')", "path_syntax", "path:7"),
        ("Things(1", "path_syntax", "path:0"),
        ("Things1)", "path_syntax", "path:0"),
        ("Things(1)x", "path_syntax", "path:0"),
        ("(1)", "path_syntax", "path:0"),
        ("Things(1)(2)", "path_syntax", "path:7"),
        ("/".join(["a"] * 65), "path_syntax", "path:128"),
        ("a/Things%00", "encoding", "path:2"),
        ("Things%ff", "encoding", "path:0"),
        ("Things%zz", "encoding", "path:6"),
        ("Things\0", "encoding", "path:6"),
        ("Things('\ud800')", "encoding", None),
        (b"\xff", "encoding", None),
        ("a" * 16_385, "too_long", None),
    ],
)
def test_path_is_refused_with_place_and_hint(raw: str | bytes, code: str, place: str | None) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_path(raw)
    assert (caught.value.error_code, caught.value.place) == (code, place)
    assert caught.value.hint
    msgspec.json.encode(caught.value.body())


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="Things()'1/.%20éaf=$\0\ud800", max_size=40) | st.text(max_size=40) | st.binary(max_size=40))
def test_any_path_is_read_or_refused(raw: str | bytes) -> None:
    try:
        parse_path(raw)
    except BadRequest as error:
        msgspec.json.encode(error.body())


def test_hostile_paths_end_soon() -> None:
    """Five seconds tell a path that explodes (hours) from one that is read once (milliseconds)."""
    for raw in ("/" * 16_000, "a('/" * 4_000, "a('" + "/" * 16_000, "a(" * 8_000, "%41%" * 4_000, "a('" + "''" * 8_000):
        started = time.perf_counter()
        with pytest.raises(BadRequest):
            parse_path(raw)
        assert time.perf_counter() - started < 5, raw[:10]
