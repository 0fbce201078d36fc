"""What the loader sends: endless streams of ready HTTP/1.1 requests, cheap enough to leave the server the machine.

Times only go up and no Observation is sent twice, so nothing is a replay. Bodies of data arrays are made from a
template in which only the seconds change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

ROOT = "/sta/v1.1"
# As long as "2026-01-01T00:00:00", so that a body keeps its length.
_SECOND = b"@" * 19
_PER_SECOND = 1_000


class Posts(msgspec.Struct, frozen=True, tag=True):
    """One Observation a request to `Datastreams(n)/Observations`, over `streams` ids from `first` on in turn.

    `start` is the first phenomenonTime in seconds from 1970; it goes up by one each turn.
    """

    first: int
    streams: int
    start: int


class Arrays(msgspec.Struct, frozen=True, tag=True):
    """`rows` Observations of one Datastream a request to `CreateObservations`, a millisecond apart.

    Requests go over the Datastreams in turn, each with times after those of the one before.
    """

    first: int
    streams: int
    start: int
    rows: int


class Gets(msgspec.Struct, frozen=True, tag=True):
    """GET of each target in turn; targets are below the service root and percent-encoded."""

    targets: list[str]


Traffic = Posts | Arrays | Gets


def requests(traffic: Traffic, *, host: str, token: str | None) -> Iterator[bytes]:
    """Requests without end for one server."""
    head = f"host: {host}\r\n"
    if token is not None:
        head += f"authorization: Bearer {token}\r\n"
    match traffic:
        case Posts():
            return _posts(traffic, head + "content-type: application/json\r\n")
        case Arrays():
            return _arrays(traffic, (head + "content-type: application/json\r\n").encode())
        case Gets():
            lines = [f"GET {ROOT}/{target.lstrip('/')} HTTP/1.1\r\n{head}\r\n".encode() for target in traffic.targets]
            return itertools.cycle(lines)


def second(of: int) -> str:
    """An instant in seconds from 1970 as ISO 8601 without fraction and zone."""
    return datetime.fromtimestamp(of, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _posts(traffic: Posts, head: str) -> Iterator[bytes]:
    lines = [
        f"POST {ROOT}/Datastreams({traffic.first + n})/Observations HTTP/1.1\r\n{head}content-length: "
        for n in range(traffic.streams)
    ]
    for turn in itertools.count():
        opening = f'{{"phenomenonTime":"{second(traffic.start + turn)}Z","result":'
        for n, line in enumerate(lines):
            body = f"{opening}{(n * 7 + turn) % 1000 / 10}}}"
            yield f"{line}{len(body)}\r\n\r\n{body}".encode()


def _arrays(traffic: Arrays, head: bytes) -> Iterator[bytes]:
    seconds = -(-traffic.rows // _PER_SECOND)
    pieces = [_piece(min(_PER_SECOND, traffic.rows - n * _PER_SECOND)) for n in range(seconds)]
    for number in itertools.count():
        start = traffic.start + number * seconds
        rows = b",".join(p.replace(_SECOND, second(start + n).encode()) for n, p in enumerate(pieces))
        opening = (
            f'[{{"Datastream":{{"@iot.id":{traffic.first + number % traffic.streams}}},'
            f'"components":["phenomenonTime","result"],"dataArray@iot.count":{traffic.rows},"dataArray":['
        ).encode()
        length = str(len(opening) + len(rows) + 3).encode()
        yield b"".join(
                (b"POST ", ROOT.encode(), b"/CreateObservations HTTP/1.1\r\n", head, b"content-length: ", length,
                 b"\r\n\r\n", opening, rows, b"]}]")
            )  # fmt: skip


def _piece(rows: int) -> bytes:
    """Rows of one second, a millisecond apart, with the second left open."""
    return b",".join(
        b'["%b.%03dZ",%b]' % (_SECOND, n * (_PER_SECOND // max(rows, 1) or 1), str(n * 7 % 1000 / 10).encode())
        for n in range(rows)
    )
