"""Multipart bodies and the messages inside them, as lenient on line ends and versions as clients need."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakou.kernel.errors import BadRequest
from lakou.sensorthings import multipart
from lakou.sensorthings.request import Answer


@pytest.mark.parametrize(
    ("header", "mark"),
    [
        ("multipart/mixed; boundary=abc", b"abc"),
        ('multipart/mixed;boundary="a b;c"', b"a b;c"),
        ("multipart/mixed; charset=x; BOUNDARY=abc; y=z", b"abc"),
    ],
)
def test_boundary_of_a_content_type(header: str, mark: bytes) -> None:
    assert multipart.boundary(header) == mark


def test_a_content_type_without_boundary_is_refused() -> None:
    with pytest.raises(BadRequest):
        multipart.boundary("multipart/mixed")


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_parts_are_split_with_any_line_end(end: bytes) -> None:
    lines = [b"preamble", b"--b", b"Content-ID: 1", b"", b"one", b"--b  ", b"", b"two", b"", b"--b--", b"epilogue --b"]
    first, second = multipart.split(end.join(lines), b"b")
    assert (first.header("content-id"), first.body) == ("1", b"one")
    assert (second.headers, second.body) == ({}, b"two" + end)


def test_a_boundary_inside_a_line_is_text() -> None:
    (piece,) = multipart.split(b"--b\r\n\r\nx --b y\r\n--bc\r\n--b--", b"b")
    assert piece.body == b"x --b y\r\n--bc"


@pytest.mark.parametrize("body", [b"", b"nothing", b"--other\r\n\r\nx\r\n--other--", b"--b--"])
def test_a_body_without_parts_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        multipart.split(body, b"b")


@settings(max_examples=200, deadline=None)
@given(body=st.lists(st.sampled_from([b"--b", b"--b--", b"\r\n", b"\n", b"x", b":", b" "]), max_size=12).map(b"".join))
def test_any_body_is_split_or_refused(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert multipart.split(body, b"b")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"GET Things(1)", ("GET", "Things(1)", {}, b"")),
        (b"get /sta/v1.1/Things HTTP/1.1\r\nHost: x\r\n\r\n", ("GET", "/sta/v1.1/Things", {b"host": b"x"}, b"")),
        (b"\r\nPOST Things\r\nContent-Type: a/b\r\n\r\n{}\r\n", ("POST", "Things", {b"content-type": b"a/b"}, b"{}")),
        (b"GET Things?$filter=name eq 'x' HTTP/1.1\n\n", ("GET", "Things?$filter=name%20eq%20'x'", {}, b"")),
        ("GET Things('é')".encode(), ("GET", "Things('é')", {}, b"")),
    ],
)
def test_a_request_is_read(raw: bytes, expected: tuple[object, ...]) -> None:
    assert multipart.http_request(raw) == expected


@pytest.mark.parametrize("raw", [b"", b"GET", b"\xff\xfe x", b"HTTP/1.1"])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        multipart.http_request(raw)


def test_answers_are_joined_and_split_again() -> None:
    answer = Answer(201, [(b"location", b"http://x/Things(1)"), (b"server-timing", b"read;dur=1")], b'{"a":1}')
    body = multipart.join([multipart.http_response("7", answer), multipart.http_response(None, answer)], "m")
    first, second = multipart.split(body, b"m")
    assert (first.header("content-id"), second.header("content-id")) == ("7", "")
    assert first.body.startswith(b"HTTP/1.1 201 Created\r\nLocation: http://x/Things(1)\r\nContent-Length: 7")
    assert b"Server-Timing" not in first.body
