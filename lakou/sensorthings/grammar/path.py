"""A resource path below the service root to its segments: `Things(1)/Datastreams(2)/Observations/$ref`.

Names are not checked against the model; keys and encoding are. Source: OGC 18-088 §9.2, OData 4.01 part 2 §4.3.
"""

from __future__ import annotations

import re

from lakou.kernel.errors import BadRequest
from lakou.kernel.jsontext import MAX_INT, MIN_INT
from lakou.kernel.time import shorten
from lakou.sensorthings.grammar import lexer, tree
from lakou.sensorthings.grammar.encoding import check_wire, decode
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS, GrammarLimits

_KEYED = re.compile(r"([^\W\d]\w*)\((.*)\)", re.DOTALL)
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_QUOTED = re.compile(r"'(?:[^']++|'')*+'")
_OPEN_KEY = re.compile(r"[^\W\d]\w*\('")


def parse_path(raw_path: str | bytes, limits: GrammarLimits = DEFAULT_LIMITS) -> tree.ResourcePath:
    """The segments of a percent-encoded path; a leading and one trailing slash are allowed.

    A key is an int within 64 bits, else text (quoted, or digits that no id can have). `at` counts from the raw path.
    Raises BadRequest `path_syntax`, `encoding` or `too_long`.
    """
    text = check_wire(raw_path, "path", limits)
    start = 1 if text.startswith("/") else 0
    if len(text) == start:
        return tree.ResourcePath(())
    end = len(text) - 1 if text.endswith("/") else len(text)
    segments: list[tree.Segment] = []
    at = start
    pieces = text[start:end].split("/")
    index = 0
    while index < len(pieces):
        first = index
        piece = decode(pieces[index], "path", at, plus_is_space=False)
        # A slash inside a quoted key belongs to the key.
        if _OPEN_KEY.match(piece):
            while piece.count("'") % 2 and index + 1 < len(pieces):
                index += 1
                piece += "/" + decode(pieces[index], "path", at, plus_is_space=False)
        segments.append(_segment(piece, at))
        if len(segments) > limits.depth:
            raise _refusal(f"the path has more than {limits.depth} steps", at)
        at += sum(len(part) + 1 for part in pieces[first : index + 1])
        index += 1
    return tree.ResourcePath(tuple(segments))


def _segment(text: str, at: int) -> tree.Segment:
    if not text:
        raise _refusal("the path has an empty step", at, "write one slash between steps")
    if text in (".", ".."):
        raise _refusal(f"the path has a step '{text}'", at, "write the path from the service root")
    if "(" not in text and ")" not in text:
        return tree.Segment(text, None, at)
    found = _KEYED.fullmatch(text)
    if found is None:
        raise _refusal(f"'{shorten(text)}' is not a name with a key", at)
    return tree.Segment(found[1], _key(found[2], at + len(found[1]) + 1), at)


def _key(text: str, at: int) -> int | str:
    if _INTEGER.fullmatch(text):
        number = int(text)
        return number if MIN_INT <= number <= MAX_INT else text
    if _QUOTED.fullmatch(text):
        return lexer.unquote(text)
    if not text:
        raise _refusal("the key is missing", at)
    if "=" in text:
        raise _refusal("a key is given without its name", at)
    if "'" in text:
        raise _refusal("a text key has no closing quote", at, "a quote inside a key is doubled: Things('l''eau')")
    raise _refusal(f"'{shorten(text)}' is not a key", at, "a whole number, or a text in single quotes: Things('a')")


def _refusal(message: str, at: int, hint: str = "example: Things(1)/Datastreams") -> BadRequest:
    return BadRequest(message, code="path_syntax", place=lexer.place("path", at), hint=hint)
