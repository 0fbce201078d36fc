"""Text of an option to tokens: the one regular expression that all parsers of this package read through.

A whole property path is one token, so is a whole time or interval. The caps on bytes and tokens are applied here,
before any parsing. Source: OGC 18-088 §9.3.3.5 (filter literals), OData 4.01 ABNF (quotes, names).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.kernel.time import shorten


class GrammarLimits(msgspec.Struct, frozen=True):
    """Caps on one URL path or query: bytes of text, tokens of an expression, depth of the tree (DESIGN §4)."""

    bytes: int = 16_384
    tokens: int = 2_000
    depth: int = 64


DEFAULT_LIMITS = GrammarLimits()


class Token(msgspec.Struct, frozen=True, gc=False):
    """`kind` is one of NAME, NUMBER, STRING, TYPED, TIME, DATE, CLOCK, MARK, END; `at` counts from the option."""

    kind: str
    text: str
    at: int


NAME, NUMBER, STRING, TYPED, TIME, DATE, CLOCK, MARK, BAD, END = (
    "name", "number", "string", "typed", "time", "date", "clock", "mark", "bad", "end",
)  # fmt: skip

# Quantifiers are possessive (`++`, `*+`): a hostile text can never make the expression backtrack.
_QUOTED = r"'(?:[^']++|'')*+'"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
# A `+` sent bare in a URL arrives as a space; after a time, digits can only be the offset.
_INSTANT = rf"{_DAY}[Tt]{_CLOCK}(?:[Zz]|[+ -][0-9]{{2}}(?::?[0-9]{{2}})?(?![0-9:]))?"
_PERIOD = r"[+-]?P(?=[0-9T])[0-9DTHMSW.,]++"
_INDEXES = r"(?:\[[0-9]{1,9}\])*+"
_PATH = rf"[@$]?[^\W\d][\w@.]*+{_INDEXES}(?:/[\w@$][\w@$.-]*+{_INDEXES})*+"

_TOKEN = re.compile(
    rf"""\s*+(?:
      (?P<name>(?!P[0-9T][^/]*+/{_DAY}[Tt]){_PATH}(?!'))
    | (?P<time>{_INSTANT}(?:/(?:{_INSTANT}|{_PERIOD}))?|{_PERIOD}/{_INSTANT})
    | (?P<date>{_DAY}(?![0-9]))
    | (?P<clock>{_CLOCK})
    | (?P<number>-?[0-9]++(?:\.[0-9]++)?(?:[eE](?:[+-]|[ ](?=[0-9]))?[0-9]++)?)
    | (?P<string>{_QUOTED})
    | (?P<typed>[A-Za-z]++{_QUOTED})
    | (?P<mark>[(),:/*-])
    | (?P<bad>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_PATH_ALONE = re.compile(_PATH)
_INDEX = re.compile(r"\[(\d+)\]")


def tokenize(text: str, option: str, limits: GrammarLimits, base: int = 0) -> list[Token]:
    """The tokens of `text` with an END at last; positions start at `base`.

    Raises BadRequest `filter_syntax` with the place of a character that fits nowhere, `too_long` above a cap.
    """
    check_length(text, option, limits)
    tokens: list[Token] = []
    append = tokens.append
    body = text.rstrip()
    for found in islice(_TOKEN.finditer(body), limits.tokens + 1):
        kind = found.lastgroup or BAD
        word = found[kind]
        token = Token(kind, word, found.end() - len(word) + base)
        if kind == BAD:
            raise _refuse_character(token, option)
        append(token)
    if len(tokens) > limits.tokens:
        raise BadRequest(
            f"{option} has more than {limits.tokens} words and signs",
            code="too_long",
            place=place(option, tokens[-1].at),
            hint="split the request, or use in (…)",
        )
    append(Token(END, "", len(body) + base))
    return tokens


def check_length(text: str, what: str, limits: GrammarLimits) -> None:
    """Refuse text above the cap of bytes, and text that is not valid Unicode or holds U+0000."""
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise BadRequest(f"{what} is not valid UTF-8", code="encoding", hint="percent-encode UTF-8") from None
    if size > limits.bytes:
        raise BadRequest(f"{what} is longer than {limits.bytes} bytes", code="too_long", hint="use POST to $batch")
    if "\0" in text:
        raise BadRequest(
            f"{what} holds the character U+0000", code="encoding", place=place(what, text.index("\0")), hint="remove it"
        )


def split_path(text: str) -> tuple[str | int, ...]:
    """`a/b[0]/c` to ("a", "b", 0, "c"): names, and array indexes as int."""
    if "[" not in text:
        return tuple(text.split("/"))
    segments: list[str | int] = []
    for step in text.split("/"):
        name, bracket, rest = step.partition("[")
        segments.append(name)
        segments.extend(int(index) for index in _INDEX.findall(bracket + rest))
    return tuple(segments)


def is_path(text: str) -> bool:
    """True when the whole text is one property path."""
    return _PATH_ALONE.fullmatch(text) is not None


def unquote(text: str) -> str:
    """A quoted string without its quotes, doubled quotes folded."""
    return text[1:-1].replace("''", "'")


def place(option: str, at: int) -> str:
    """`$filter:12`: the option and the position in its decoded value, from 0."""
    return f"{option}:{at}"


def guess(word: str, known: Iterable[str]) -> str | None:
    """A "did you mean" for an unknown word, or None."""
    close = difflib.get_close_matches(word[:40].lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else None


def _refuse_character(token: Token, option: str) -> BadRequest:
    if token.text == "'":
        message, hint = "a text has no closing quote", "close it with '; a quote inside a text is doubled: 'l''eau'"
    elif token.text == '"':
        message, hint = "texts are written in single quotes", "write 'text' in place of \"text\""
    elif token.text in "=<>!&|+%":
        message, hint = f"'{token.text}' is not an operator", "use eq ne gt ge lt le and or not add sub mul div mod"
    else:
        message, hint = f"'{shorten(token.text)}' is not expected here", "texts are written in single quotes"
    return BadRequest(message, code="filter_syntax", place=place(option, token.at), hint=hint)
