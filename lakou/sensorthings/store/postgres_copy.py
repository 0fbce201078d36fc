"""Observations in the binary form of COPY, packed in one go: most rows are one `struct.pack`.

Source: PostgreSQL documentation, COPY, "Binary Format"; timestamptz is microseconds since 2000-01-01 UTC.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lakou.sensorthings.series import Series
from lakou.sensorthings.store.database import OBSERVATION_COLUMNS, TIME_COLUMNS

EPOCH_2000 = 946_684_800_000_000
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"

_COUNT = struct.pack(">h", len(OBSERVATION_COLUMNS))
_int2 = struct.Struct(">ih").pack
_int8 = struct.Struct(">iq").pack
_float8 = struct.Struct(">id").pack
_length = struct.Struct(">i").pack


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _length(len(encoded)) + encoded


_PACKERS: dict[str, Callable[[Any], bytes]] = {
    **dict.fromkeys(("datastream_id", "id", "feature_id", "digest"), lambda value: _int8(8, value)),
    **dict.fromkeys(TIME_COLUMNS, lambda value: _int8(8, value - EPOCH_2000)),
    **dict.fromkeys(("result_text", "result_json", "result_quality", "parameters"), _text),
    "result_type": lambda value: _int2(2, value),
    "result_number": lambda value: _float8(8, value),
    "result_boolean": lambda value: b"\0\0\0\1" + (b"\1" if value else b"\0"),
}
_COLUMNS = tuple(_PACKERS[name] for name in OBSERVATION_COLUMNS)

# The usual row: a time, a number, a digest, and nothing else that may be left out.
_usual = struct.Struct(">h" + "iq" * 3 + "i" * 4 + "ihid" + "i" * 5 + "iqiq").pack
_of_series = struct.Struct(">h" + "iq" * 3 + "i" * 4 + "ihid" + "i" * 5 + "iqid").pack
_FIRST = OBSERVATION_COLUMNS.index("time_end")
_TYPE = OBSERVATION_COLUMNS.index("result_type")
_AFTER = OBSERVATION_COLUMNS.index("result_boolean")
_FEATURE = OBSERVATION_COLUMNS.index("feature_id")
_NONE_FIRST = [None] * (_TYPE - _FIRST)
_NONE_AFTER = [None] * (_FEATURE - _AFTER)


def whole(parts: Iterable[bytes]) -> bytes:
    """Packed rows as the whole input of a binary COPY."""
    return b"".join((_HEAD, *parts, _TAIL))


def packed_series(feature_id: int, ids: range, series: Series) -> bytes:
    """The rows of a series. A number is its own digest: `bits` of it are the same eight bytes."""
    stream_id = series.stream_id
    return b"".join(
        [
            _of_series(
                16, 8, stream_id, 8, start - EPOCH_2000, 8, id_, -1, -1, -1, -1, 2, type_, 8, number,
                -1, -1, -1, -1, -1, 8, feature_id, 8, number + 0.0,
            )
            for start, id_, type_, number in zip(series.times, ids, series.types, series.numbers, strict=True)
        ]
    )  # fmt: skip


def packed(rows: Sequence[list[Any]]) -> list[bytes]:
    """Rows of OBSERVATION_COLUMNS, times in micros since 1970."""
    parts: list[bytes] = []
    for row in rows:
        stream_id, start, id_, *_, number, _, _, _, _, _, feature_id, digest = row
        if (
            number is not None
            and digest is not None
            and row[_FIRST:_TYPE] == _NONE_FIRST
            and row[_AFTER:_FEATURE] == _NONE_AFTER
        ):
            parts.append(
                _usual(
                    16, 8, stream_id, 8, start - EPOCH_2000, 8, id_, -1, -1, -1, -1, 2, row[_TYPE], 8, number,
                    -1, -1, -1, -1, -1, 8, feature_id, 8, digest,
                )
            )  # fmt: skip
        else:
            parts.append(_COUNT)
            parts += [_NULL if v is None else pack(v) for pack, v in zip(_COLUMNS, row, strict=True)]
    return parts
