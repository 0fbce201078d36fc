"""$apply: an optional filter, then groupby with keys and time buckets, then aggregates.

A subset of OData Data Aggregation 4.0 §3 (filter, groupby, aggregate), with `bucket(path,width)` as one more kind of
key: time cut into slots of fixed width from the Unix epoch. What a method or path means is checked by the plan.
"""

from __future__ import annotations

import re
from typing import NoReturn

from lakou.kernel import time
from lakou.kernel.errors import BadRequest
from lakou.kernel.time import shorten
from lakou.sensorthings.grammar import lexer, tree
from lakou.sensorthings.grammar.expression import Parser
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS, NAME, STRING, TYPED, GrammarLimits

METHODS = ("min", "max", "mean", "sum", "count", "first", "last")
_SYNONYMS = {"average": "mean", "avg": "mean"}
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_EXAMPLE = "example: groupby((bucket(phenomenonTime,duration'PT1H') as hour),aggregate(result with mean as mean))"


def parse_apply(text: str, option: str = "$apply", limits: GrammarLimits = DEFAULT_LIMITS, base: int = 0) -> tree.Apply:
    """`[filter(…)/]groupby((keys…)[,aggregate(…)])` or `[filter(…)/]aggregate(…)` to its tree.

    Raises BadRequest `apply_syntax` or `option_value`, and those of `parse_expression` inside filter(…).
    """
    return _ApplyParser(lexer.tokenize(text, option, limits, base), option, limits).apply()


class _ApplyParser(Parser):
    __slots__ = ()

    def apply(self) -> tree.Apply:
        condition = None
        if self._word("filter"):
            self.expect("(")
            condition = self.expression()
            self.expect(")")
            self.expect("/")
        if self._word("groupby"):
            self.expect("(")
            keys = self._keys()
            aggregates = self._aggregates() if self.take(",") else ()
            self.expect(")")
        elif self.current.text == "aggregate":
            keys = ()
            aggregates = self._aggregates()
        else:
            hint = lexer.guess(self.current.text, ("filter", "groupby", "aggregate")) or _EXAMPLE
            self.refuse("filter, groupby or aggregate is expected", hint)
        if self.current.kind != lexer.END:
            self.refuse("nothing more is expected after the aggregates", _EXAMPLE)
        self._check_names(keys, aggregates)
        return tree.Apply(condition, keys, aggregates)

    def refuse(self, message: str, hint: str | None = None, at: int | None = None) -> NoReturn:
        try:
            super().refuse(message, hint or _EXAMPLE, at)
        except BadRequest as error:
            raise BadRequest(error.message, place=error.place, hint=error.hint, code="apply_syntax") from None

    def _word(self, word: str) -> bool:
        """Moves on when the current token is this word."""
        if self.current.kind == NAME and self.current.text == word:
            self.advance()
            return True
        return False

    def _path(self) -> tree.Path:
        if self.current.kind != NAME:
            self.refuse("the name of a property is expected")
        return self.path(self.advance())

    def _alias(self) -> str | None:
        if not self._word("as"):
            return None
        token = self.current
        if token.kind != NAME or _ALIAS.fullmatch(token.text) is None:
            self.refuse("a name of letters, digits and _ is expected after 'as'")
        return self.advance().text

    def _keys(self) -> tuple[tree.Path | tree.Bucket, ...]:
        self.expect("(")
        keys: list[tree.Path | tree.Bucket] = []
        while True:
            keys.append(self._bucket() if self.current.text == "bucket" else self._path())
            if not self.take(","):
                break
        self.expect(")")
        return tuple(keys)

    def _bucket(self) -> tree.Bucket:
        start = self.advance().at
        self.expect("(")
        path = self._path()
        self.expect(",")
        width = self._width()
        self.expect(")")
        return tree.Bucket(path, width, self._alias() or "bucket", start)

    def _width(self) -> int:
        token = self.current
        text = token.text
        if token.kind == TYPED and text.lower().startswith("duration'"):
            text = lexer.unquote(text[len("duration") :])
        elif token.kind == STRING:
            text = lexer.unquote(text)
        elif token.kind != NAME:
            self.refuse("the width of a bucket is a duration", "example: duration'PT1H'")
        place = lexer.place(self.option, token.at)
        try:
            width = time.parse_duration(text)
        except BadRequest as error:
            raise BadRequest(error.message, place=place, hint=error.hint, code=error.error_code) from None
        if width <= 0:
            raise BadRequest("a bucket's width is above zero", place=place, hint="PT1H", code="option_value")
        self.advance()
        return width

    def _aggregates(self) -> tuple[tree.Aggregate, ...]:
        if not self._word("aggregate"):
            self.refuse("aggregate(…) is expected")
        self.expect("(")
        found = [self._aggregate()]
        while self.take(","):
            found.append(self._aggregate())
        self.expect(")")
        return tuple(found)

    def _aggregate(self) -> tree.Aggregate:
        path = self._path()
        if path.segments == ("$count",):
            return tree.Aggregate(None, "count", self._alias() or "count", path.at)
        if not self._word("with"):
            self.refuse("'with' and a method are expected", f"result with mean as mean; methods: {', '.join(METHODS)}")
        token = self.current
        method = token.text.lower()
        method = _SYNONYMS.get(method, method)
        if method not in METHODS:
            hint = lexer.guess(method, METHODS) or f"one of {', '.join(METHODS)}"
            if method == "countdistinct":
                hint = "group by the property and count the groups"
            self.refuse(f"the method '{shorten(token.text)}' is not known", hint)
        self.advance()
        return tree.Aggregate(path, method, self._alias() or method, path.at)

    def _check_names(self, keys: tuple[tree.Path | tree.Bucket, ...], aggregates: tuple[tree.Aggregate, ...]) -> None:
        """Two columns of the answer cannot have one name."""
        seen: set[str] = set()
        for item in (*keys, *aggregates):
            name = "/".join(map(str, item.segments)) if isinstance(item, tree.Path) else item.alias
            if name in seen:
                self.refuse(f"two columns are named '{shorten(name)}'", "name them apart with 'as'", item.at)
            seen.add(name)
