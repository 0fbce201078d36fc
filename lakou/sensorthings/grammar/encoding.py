"""From the wire to text: size, UTF-8 and percent-encoding of a URL's path and query (RFC 3986 §2.1)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar import lexer
from lakou.sensorthings.grammar.lexer import GrammarLimits

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_wire(raw: str | bytes, what: str, limits: GrammarLimits) -> str:
    """The raw text of a path or query, still percent-encoded.

    Raises BadRequest `too_long` above the cap, `encoding` for bytes that are not UTF-8 and incomplete triplets.
    """
    if isinstance(raw, bytes):
        if len(raw) > limits.bytes:
            raise BadRequest(f"{what} is longer than {limits.bytes} bytes", code="too_long", hint="use POST to $batch")
        try:
            raw = raw.decode()
        except UnicodeDecodeError:
            raise BadRequest(f"{what} is not valid UTF-8", code="encoding", hint="percent-encode UTF-8") from None
    lexer.check_length(raw, what, limits)
    broken = _BAD_PERCENT.search(raw)
    if broken is not None:
        message = f"{what} has a '%' without two hexadecimal digits"
        place = lexer.place(what, broken.start())
        raise BadRequest(message, code="encoding", place=place, hint="write % itself as %25")
    return raw


def decode(text: str, what: str, at: int, *, plus_is_space: bool) -> str:
    """A percent-decoded part of text that `check_wire` has seen; `at` is its position there.

    Raises BadRequest `encoding` when the bytes are not UTF-8 or hold U+0000.
    """
    if plus_is_space:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    try:
        decoded = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        problem = "bytes that are not UTF-8"
    else:
        if "\0" not in decoded:
            return decoded
        problem = "the character U+0000"
    place = lexer.place(what, at)
    raise BadRequest(f"{what} holds {problem}", code="encoding", place=place, hint="percent-encode UTF-8")
