"""The structure of $expand: items between commas, nested options between semicolons, brackets and quotes respected.

Only the structure is read here; the values go back to `options`, which reads nested options by the same table as
those of the request. Source: OGC 18-088 §9.3.2.1.
"""

from __future__ import annotations

import re
from typing import NoReturn

import msgspec

from lakou.kernel.errors import BadRequest
from lakou.sensorthings.grammar import lexer
from lakou.sensorthings.grammar.lexer import GrammarLimits

_MARKS = re.compile(r"'(?:[^']++|'')*+'|[();,']")
_PATH = re.compile(r"\s*+([^\W\d][\w.@]*+(?:/[\w@$][\w@$.-]*+)*+)\s*+")
_SPACE = re.compile(r"\s*+")
_NAME = re.compile(r"\s*+(\$?[A-Za-z]*+)\s*+(=?)")


class Item(msgspec.Struct, frozen=True):
    """One link to follow: `options` are (name, start, end) with the bounds of the value in the text."""

    path: tuple[str, ...]
    at: int
    options: tuple[tuple[str, int, int], ...]


class ExpandText:
    """One $expand value. Its brackets are matched once, so each nested level costs only its own text.

    Raises BadRequest `expand_syntax` with place for brackets and quotes that do not match or nest too deep.
    """

    def __init__(self, text: str, option: str, limits: GrammarLimits) -> None:
        self.text = text
        self.option = option
        self.limits = limits
        self.closing: dict[int, int] = {}
        self._match_brackets()

    def refuse(self, message: str, at: int, hint: str = "example: Datastreams($select=name;$top=2)") -> NoReturn:
        place = lexer.place(self.option, at)
        raise BadRequest(message, code="expand_syntax", place=place, hint=hint)

    def _match_brackets(self) -> None:
        opened: list[int] = []
        for mark in _MARKS.finditer(self.text):
            sign, at = mark.group(), mark.start()
            if sign == "(":
                opened.append(at)
                if len(opened) > self.limits.depth:
                    self.refuse(f"parentheses are nested deeper than {self.limits.depth} levels", at)
            elif sign == ")":
                if not opened:
                    self.refuse("')' closes nothing", at)
                self.closing[opened.pop()] = at
            elif sign == "'":
                self.refuse("a text has no closing quote", at, "a quote inside a text is doubled: 'l''eau'")
        if opened:
            self.refuse("'(' is never closed", opened[-1])

    def items(self, start: int, end: int) -> list[Item]:
        """The items between two positions: the whole text, or a nested $expand. Raises `expand_syntax`."""
        found: list[Item] = []
        at = start
        while True:
            match = _PATH.match(self.text, at, end)
            if match is None:
                self.refuse("the name of a link is expected", at, "example: Datastreams,Locations")
            path = tuple(match.group(1).split("/"))
            if len(path) > self.limits.depth:
                self.refuse(f"a path has at most {self.limits.depth} steps", match.start(1))
            at = match.end()
            options: tuple[tuple[str, int, int], ...] = ()
            if at in self.closing:
                options = self._nested(at + 1, self.closing[at])
                space = _SPACE.match(self.text, self.closing[at] + 1, end)
                at = space.end() if space is not None else end
            found.append(Item(path, match.start(1), options))
            if at == end:
                return found
            if self.text[at] != ",":
                self.refuse("',' or '(' is expected", at)
            at += 1

    def _nested(self, start: int, end: int) -> tuple[tuple[str, int, int], ...]:
        found = []
        while start < end:
            stop = self._value_end(start, end)
            match = _NAME.match(self.text, start, stop)
            if match is not None and match.group(1) and match.group(2):
                found.append((match.group(1), match.end(), stop))
            elif self.text[start:stop].strip():
                self.refuse("an option is expected, such as $top=1", start)
            start = stop + 1
        if not found:
            self.refuse("the parentheses hold no option", end)
        return tuple(found)

    def _value_end(self, start: int, end: int) -> int:
        """The position of the next `;` that is in no bracket and no quote, or `end`."""
        while (mark := _MARKS.search(self.text, start, end)) is not None:
            sign, at = mark.group(), mark.start()
            if sign == ";":
                return at
            start = self.closing[at] + 1 if sign == "(" else mark.end()
        return end
