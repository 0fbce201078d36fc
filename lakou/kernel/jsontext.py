"""JSON text to plain values and back, strict on what no store can keep.

Decoding refuses what would break a later stage: non-finite numbers, integers beyond 64 bits, U+0000, lone
surrogates, deep nesting, invalid UTF-8. The decoder is msgspec; the tree is walked only when the raw bytes hold
something that could matter, so the usual body costs one decode and one search. Source: RFC 8259, RFC 6901 (places).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.kernel.time import shorten

MIN_INT = -(2**63)
MAX_INT = 2**63 - 1

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_sorted_encoder = msgspec.json.Encoder(order="sorted")

# Only an escaped NUL or 19 digits in a row can yield a value that decodes but is refused. Searching for these with
# bytes methods costs a twentieth of a regular expression.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG_RUN = b"0" * 19
_LONE_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_BYTE_PLACE = re.compile(r"\(byte (\d+)\)")
_BOM = b"\xef\xbb\xbf"


def decode(data: bytes | str, *, max_depth: int = 64) -> Any:
    """The value of a JSON text; integers stay exact, a byte order mark is skipped.

    Raises BadRequest with code `json_syntax`, `json_encoding`, `json_depth`, `json_nul` or `number_range`; the
    place is a JSON pointer where the value is known, else a byte position.
    """
    raw = _to_bytes(data)
    try:
        value = _decoder.decode(raw)
    except UnicodeDecodeError:
        _refuse_encoding()
    except RecursionError:
        _refuse_depth(max_depth, None)
    except msgspec.ValidationError:
        raise BadRequest(
            "a number is out of range", code="number_range", hint="integers fit 64 bits, other numbers are finite"
        ) from None
    except msgspec.DecodeError as error:
        _refuse_syntax(raw, error)
    if raw.count(b"[") + raw.count(b"{") > max_depth:
        _check_depth(value, max_depth)
    if b"\\u0000" in raw or _LONG_RUN in raw.translate(_DIGITS):
        check(value)
    return value


def encode(value: Any) -> bytes:
    """JSON text in UTF-8, without spaces; keys in their order."""
    return _encoder.encode(value)


def canonical(value: Any) -> bytes:
    """JSON text for digests: keys sorted, and numbers that are equal written equally (1.0 as 1, -0.0 as 0)."""
    return _sorted_encoder.encode(_fold_numbers(value))


def check(value: Any) -> None:
    """Refuse a decoded value that holds U+0000, a lone surrogate, a non-finite float or an int beyond 64 bits.

    For values that did not come through `decode`. Raises BadRequest with the JSON pointer as place.
    """
    pending: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())]
    while pending:
        item, path = pending.pop()
        if isinstance(item, str):
            _check_text(item, path)
        elif isinstance(item, bool) or item is None:
            continue
        elif isinstance(item, int):
            if not MIN_INT <= item <= MAX_INT:
                raise BadRequest(
                    "an integer does not fit 64 bits",
                    code="number_range",
                    place=pointer(path),
                    hint="send it as text, or as a number with a fraction or exponent",
                )
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise BadRequest(
                    "a number is not finite", code="number_range", place=pointer(path), hint="use null for no value"
                )
        elif isinstance(item, dict):
            for key, member in item.items():
                _check_text(key, (*path, key))
                pending.append((member, (*path, key)))
        else:
            pending.extend((member, (*path, index)) for index, member in enumerate(item))


def pointer(path: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901) such as `/Datastreams/0/name`; the whole document is the empty text."""
    return "".join("/" + shorten(str(step)).replace("~", "~0").replace("/", "~1") for step in path)


def _to_bytes(data: bytes | str) -> bytes:
    if isinstance(data, str):
        try:
            data = data.encode()
        except UnicodeEncodeError:
            _refuse_encoding()
    return data[3:] if data.startswith(_BOM) else data


def _check_text(text: str, path: tuple[str | int, ...]) -> None:
    if "\0" in text:
        raise BadRequest("a text holds the character U+0000", code="json_nul", place=pointer(path), hint="leave it out")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(
            "a text holds half of a surrogate pair", code="json_encoding", place=pointer(path), hint="send valid UTF-8"
        ) from None


def _check_depth(value: Any, max_depth: int) -> None:
    """Count levels of containers breadth first; most elements are leaves and cost one type test."""
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            _refuse_depth(max_depth, _deep_place(value, max_depth))
        level = [
            member
            for container in level
            for member in (container.values() if type(container) is dict else container)
            if type(member) is list or type(member) is dict
        ]


def _deep_place(value: Any, max_depth: int) -> str:
    """The pointer of the first container at a depth above `max_depth`, cut to its first steps."""
    pending: list[tuple[Any, tuple[str | int, ...]]] = [(value, ())]
    while pending:
        item, path = pending.pop()
        if len(path) >= max_depth:
            return pointer(path[:8]) + "/…"
        steps = item.items() if isinstance(item, dict) else enumerate(item)
        pending.extend((member, (*path, step)) for step, member in steps if isinstance(member, dict | list))
    return ""


def _fold_numbers(value: Any) -> Any:
    if isinstance(value, float):
        # Beyond 2^63 no accepted integer can be equal to it.
        return int(value) if value.is_integer() and abs(value) <= 2.0**63 else value
    if isinstance(value, dict):
        return {key: _fold_numbers(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_fold_numbers(member) for member in value]
    return value


def _refuse_encoding() -> NoReturn:
    raise BadRequest("the JSON text is not valid UTF-8", code="json_encoding", hint="send the body in UTF-8") from None


def _refuse_depth(max_depth: int, place: str | None) -> NoReturn:
    raise BadRequest(
        f"the JSON text is nested deeper than {max_depth} levels", code="json_depth", place=place, hint="flatten it"
    ) from None


def _refuse_syntax(raw: bytes, error: msgspec.DecodeError) -> NoReturn:
    text = str(error)
    # The decoder says "truncated" when a high surrogate's escape is followed by no other escape.
    if "surrogate" in text or ("truncated" in text and _LONE_SURROGATE.search(raw) is not None):
        raise BadRequest(
            "a text holds half of a surrogate pair", code="json_encoding", hint="escape pairs, or send UTF-8"
        ) from None
    found = _BYTE_PLACE.search(text)
    if found is None:
        message, place = "the JSON text is empty or ends too early", None
    else:
        message, place = "the JSON text is malformed", f"byte {found.group(1)}"
    hint = "NaN and Infinity are not JSON: use null" if re.search(rb"\b(NaN|-?Infinity)\b", raw) else "check the syntax"
    raise BadRequest(message, code="json_syntax", place=place, hint=hint) from None
