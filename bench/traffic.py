"""What the loader sends: endless streams of ready HTTP/1.1 requests, cheap enough to leave the server the machine.

Times only go up and no Observation is sent twice, so nothing is a replay. Bodies of data arrays are made from a
template in which only the seconds change. Ids are integers here and may be texts at a peer (18-088 §7.2).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

ROOT = "/sta/v1.1"
Id = int | str
# As long as "2026-01-01T00:00:00", so that a body keeps its length.
_SECOND = b"@" * 19
_PER_SECOND = 1_000


class Posts(msgspec.Struct, frozen=True, tag=True):
    """One Observation a request to `Datastreams(id)/Observations`, over `streams` in turn.

    `start` is the first phenomenonTime in seconds from 1970; it goes up by one each turn.
    """

    streams: list[Id]
    start: int


class Arrays(msgspec.Struct, frozen=True, tag=True):
    """`rows` Observations a request to `CreateObservations`, of so many Datastreams `together`, within a second.

    Requests go over the Datastreams in turn, each with times after those of the one before. One Datastream a request
    is the backlog of a logger, many are the buffer of a gateway.
    """

    streams: list[Id]
    start: int
    rows: int
    together: int = 1


class Gets(msgspec.Struct, frozen=True, tag=True):
    """GET of each target in turn; targets are below the service root and percent-encoded."""

    targets: list[str]


Traffic = Posts | Arrays | Gets


class Wire(msgspec.Struct, frozen=True):
    """How a service is reached: the path of its root, and the value of Authorization if it wants one."""

    host: str
    root: str = ROOT
    authorization: str | None = None

    def head(self) -> str:
        """The header lines of every request."""
        lines = f"host: {self.host}\r\n"
        return lines if self.authorization is None else f"{lines}authorization: {self.authorization}\r\n"


def requests(traffic: Traffic, wire: Wire) -> Iterator[bytes]:
    """Requests without end for one service."""
    match traffic:
        case Posts():
            return _posts(traffic, wire)
        case Arrays():
            return _arrays(traffic, wire)
        case Gets():
            return itertools.cycle(
                f"GET {wire.root}/{target.lstrip('/')} HTTP/1.1\r\n{wire.head()}\r\n".encode()
                for target in traffic.targets
            )


def second(of: int) -> str:
    """An instant in seconds from 1970 as ISO 8601 without fraction and zone."""
    return datetime.fromtimestamp(of, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def in_path(id_: Id) -> str:
    """An id as it stands between the brackets of a path, percent-encoded."""
    if isinstance(id_, int):
        return str(id_)
    return "'" + quote(id_.replace("'", "''"), safe="-._~'") + "'"


def _posts(traffic: Posts, wire: Wire) -> Iterator[bytes]:
    lines = [
        f"POST {wire.root}/Datastreams({in_path(id_)})/Observations HTTP/1.1\r\n{wire.head()}"
        "content-type: application/json\r\ncontent-length: "
        for id_ in traffic.streams
    ]
    for turn in itertools.count():
        opening = f'{{"phenomenonTime":"{second(traffic.start + turn)}Z","result":'
        for n, line in enumerate(lines):
            body = f"{opening}{(n * 7 + turn) % 1000 / 10}}}"
            yield f"{line}{len(body)}\r\n\r\n{body}".encode()


def _arrays(traffic: Arrays, wire: Wire) -> Iterator[bytes]:
    head = (
        f"POST {wire.root}/CreateObservations HTTP/1.1\r\n{wire.head()}content-type: application/json\r\n"
        "content-length: "
    ).encode()
    each = traffic.rows // traffic.together
    seconds = -(-each // _PER_SECOND)
    pieces = [_piece(min(_PER_SECOND, each - n * _PER_SECOND)) for n in range(seconds)]
    openings = itertools.cycle(
        b'{"Datastream":{"@iot.id":%b},"components":["phenomenonTime","result"],"dataArray@iot.count":%d,"dataArray":['
        % (msgspec.json.encode(id_), each)
        for id_ in traffic.streams
    )
    for start in itertools.count(traffic.start, seconds):
        rows = b",".join(p.replace(_SECOND, second(start + n).encode()) for n, p in enumerate(pieces)) + b"]}"
        groups = b",".join([next(openings) + rows for _ in range(traffic.together)])
        yield b"%b%d\r\n\r\n[%b]" % (head, len(groups) + 2, groups)


def _piece(rows: int) -> bytes:
    """Rows of one second, a millisecond apart, with the second left open."""
    return b",".join(
        b'["%b.%03dZ",%b]' % (_SECOND, n * (_PER_SECOND // max(rows, 1) or 1), str(n * 7 % 1000 / 10).encode())
        for n in range(rows)
    )
