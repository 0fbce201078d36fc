"""Tokens to the tree of an expression: $filter, $orderby and the filters inside $expand and $apply.

A Pratt parser: one table of binding powers, one function for what starts an operand, one loop for what follows it.
The tree's height is capped and chains of and/or are balanced, so that whoever walks it may recurse safely. Source:
OGC 18-088 §9.3.3.5, tables 22 and 23; OData 4.01 §5.1.1 (precedence, lambda, in).
"""

from __future__ import annotations

from typing import NoReturn

from lakou.kernel.errors import BadRequest
from lakou.kernel.time import shorten
from lakou.sensorthings.grammar import lexer, literals, tree
from lakou.sensorthings.grammar.lexer import DEFAULT_LIMITS, END, MARK, NAME, GrammarLimits, Token

# Unary operators bind above all of these. Their own power: `-` takes one operand; see `_negation` for `not`.
POWERS = {
    "or": 1, "and": 2, "eq": 3, "ne": 3, "gt": 4, "ge": 4, "lt": 4, "le": 4, "in": 4,
    "add": 5, "sub": 5, "mul": 6, "div": 6, "mod": 6,
}  # fmt: skip
_COMPARISON = 3
_UNARY = 7
_DIRECTIONS = ("asc", "desc")
_RELATIONS = ("before", "after", "meets", "during", "overlaps", "starts", "finishes")


def parse_expression(
    text: str, option: str = "$filter", limits: GrammarLimits = DEFAULT_LIMITS, base: int = 0
) -> tree.Expression:
    """The tree of one expression; `base` is added to every position.

    Raises BadRequest `filter_syntax`, `time_syntax`, `number_range` or `too_long`, with a place like `$filter:12`.
    """
    parser = Parser(lexer.tokenize(text, option, limits, base), option, limits)
    node = parser.expression()
    parser.expect_end()
    return node


def parse_orderby(
    text: str, option: str = "$orderby", limits: GrammarLimits = DEFAULT_LIMITS, base: int = 0
) -> tuple[tree.OrderBy, ...]:
    """`result desc,phenomenonTime` to its terms in order (18-088 §9.3.3.1). Raises as `parse_expression`."""
    parser = Parser(lexer.tokenize(text, option, limits, base), option, limits)
    terms = []
    while True:
        node = parser.expression()
        word = parser.current
        descending = word.kind == NAME and word.text.lower() == "desc"
        if word.kind == NAME and word.text.lower() in _DIRECTIONS:
            parser.advance()
        terms.append(tree.OrderBy(node, descending))
        if not parser.take(","):
            parser.expect_end((*POWERS, *_DIRECTIONS))
            return tuple(terms)


class Parser:
    """Reads one list of tokens from left to right. `height` is that of the last expression returned."""

    __slots__ = ("current", "depth", "height", "index", "limits", "option", "tokens")

    def __init__(self, tokens: list[Token], option: str, limits: GrammarLimits) -> None:
        self.tokens = tokens
        self.option = option
        self.limits = limits
        self.index = 0
        self.depth = 0
        self.height = 0
        self.current = tokens[0]

    def advance(self) -> Token:
        """The current token; moves to the next. END is never passed."""
        token = self.current
        if token.kind != END:
            self.index = index = self.index + 1
            self.current = self.tokens[index]
        return token

    def take(self, mark: str) -> bool:
        """Moves on when the current token is this mark."""
        if self.current.kind == MARK and self.current.text == mark:
            self.advance()
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take(mark):
            self.refuse(f"'{mark}' is expected")

    def expect_end(self, words: tuple[str, ...] = tuple(POWERS)) -> None:
        token = self.current
        if token.kind == END:
            return
        if token.kind == NAME:
            relation = f"it is a function: {token.text}(a, b)" if token.text in _RELATIONS else None
            hint = relation or lexer.guess(token.text, words)
            self.refuse(f"an operator is expected before '{shorten(token.text)}'", hint)
        if token.text == "/":
            self.refuse("a key or call cannot be followed by a path", "compare the id: Datastream/id eq 1")
        if token.text == ")":
            self.refuse("')' closes nothing")
        self.refuse(f"an operator is expected before '{shorten(token.text)}'")

    def refuse(self, message: str, hint: str | None = None, at: int | None = None) -> NoReturn:
        """Raises `filter_syntax` at the current token, or at `at`."""
        token = self.current
        if at is None:
            at = token.at
            if token.kind == END:
                message += " at the end"
        place = lexer.place(self.option, at)
        raise BadRequest(message, code="filter_syntax", place=place, hint=hint or "example: result gt 20")

    def expression(self, power: int = 0) -> tree.Expression:
        """Everything that binds tighter than `power`."""
        self.depth += 1
        if self.depth > self.limits.depth:
            self.refuse(f"the expression is nested deeper than {self.limits.depth} levels", "split it")
        left = self._operand()
        height = self.height
        while (token := self.current).kind == NAME:
            word = token.text
            binding = POWERS.get(word, 0)
            if binding <= power:
                break
            self.advance()
            if word == "in":
                left = tree.In(left, self._list(), left.at)
            elif binding <= POWERS["and"]:
                left = self._chain(word, left, height, binding)
            else:
                left = tree.Binary(word, left, self.expression(binding), left.at)
            height = self._grow(height)
        self.depth -= 1
        self.height = height
        return left

    def _grow(self, other: int) -> int:
        """The height of a node above one of height `other` and the one parsed last; refuses above the cap."""
        height = max(self.height, other) + 1
        if height > self.limits.depth:
            self.refuse(f"the expression is deeper than {self.limits.depth} levels", "split it, or use in (…)")
        return height

    def _chain(self, word: str, first: tree.Expression, height: int, power: int) -> tree.Expression:
        """`a and b and c and d` as (a and b) and (c and d): 1,000 terms make a tree of height 10."""
        operands = [first, self.expression(power)]
        height = max(height, self.height)
        while self.current.kind == NAME and self.current.text == word:
            self.advance()
            operands.append(self.expression(power))
            height = max(height, self.height)
        # The caller adds one level more.
        self.height = height + (len(operands) - 1).bit_length() - 1
        return _balance(word, operands, 0, len(operands))

    def _operand(self) -> tree.Expression:
        token = self.current
        self.height = 1
        if token.kind == NAME:
            return self._named(token)
        if token.kind == MARK:
            if token.text == "(":
                self.advance()
                node = self.expression()
                self.expect(")")
                return node
            if token.text == "-":
                return self._negative(token)
        if token.kind == END or token.kind == MARK:
            what = "" if token.kind == END else f" in place of '{token.text}'"
            self.refuse(f"a property, value or function is expected{what}")
        self.advance()
        return literals.read(token, self.option)

    def _negative(self, token: Token) -> tree.Expression:
        self.advance()
        operand = self.expression(_UNARY)
        folded = literals.negate(operand, token.at)
        if folded is not None:
            return folded
        self.height = self._grow(0)
        return tree.Negative(operand, token.at)

    def _named(self, token: Token) -> tree.Expression:
        word = token.text
        if word == "not":
            return self._negation(token)
        if word in POWERS:
            self.refuse(f"a property, value or function is expected before '{word}'")
        self.advance()
        if self.current.kind == MARK and self.current.text == "(":
            return self._call(token)
        if word in ("true", "false"):
            return tree.Boolean(word == "true", token.at)
        if word == "null":
            return tree.Null(token.at)
        if word in ("INF", "NaN"):
            self.refuse(f"'{word}' is not a number that can be compared", "use a finite number", token.at)
        return self.path(token)

    def path(self, token: Token) -> tree.Path:
        """The Path of a NAME token. Refuses more segments than the cap of depth."""
        segments = lexer.split_path(token.text)
        if len(segments) > self.limits.depth:
            self.refuse(f"a path has more than {self.limits.depth} steps", at=token.at)
        return tree.Path(segments, token.at)

    def _negation(self, token: Token) -> tree.Expression:
        # `not a eq b` is taken as not (a eq b): for booleans it equals (not a) eq b, and only this reading makes
        # sense of `not result gt 5` (OData 4.01 ABNF, notExpr).
        self.advance()
        operand = self.expression(_COMPARISON - 1)
        self.height = self._grow(0)
        return tree.Not(operand, token.at)

    def _call(self, token: Token) -> tree.Expression:
        name = token.text
        prefix, slash, last = name.rpartition("/")
        if slash:
            if last.lower() == "any":
                return self._any(tree.Path(lexer.split_path(prefix), token.at))
            if last.lower() == "all":
                self.refuse("all() is not known", "write it as not …/any(d: not (…))", token.at)
            self.refuse("a key cannot stand inside an expression", "compare the id: Datastream/id eq 1", token.at)
        self.advance()
        arguments: list[tree.Expression] = []
        height = 0
        if not self.take(")"):
            while True:
                arguments.append(self.expression())
                height = max(height, self.height)
                if not self.take(","):
                    break
            self._close(name)
        self.height = height
        self.height = self._grow(0)
        return tree.Call(name.lower(), tuple(arguments), token.at)

    def _any(self, path: tree.Path) -> tree.Expression:
        self.advance()
        if self.take(")"):
            return tree.Any(path, None, None, path.at)
        variable = self.advance()
        if variable.kind != NAME or not variable.text.isidentifier():
            self.refuse("any() needs a variable", "example: Datastreams/any(d: d/name eq 'x')", variable.at)
        self.expect(":")
        predicate = self.expression()
        self._close("any")
        self.height = self._grow(0)
        return tree.Any(path, variable.text, predicate, path.at)

    def _list(self) -> tuple[tree.Expression, ...]:
        if not self.take("("):
            self.refuse("'in' needs a list in parentheses", "example: id in (1, 2, 3)")
        options = [self.expression()]
        height = self.height
        while self.take(","):
            options.append(self.expression())
            height = max(height, self.height)
        self._close("in")
        self.height = height
        return tuple(options)

    def _close(self, what: str) -> None:
        if not self.take(")"):
            self.refuse(f"',' or ')' is expected in {shorten(what)}(…)", lexer.guess(self.current.text, POWERS))


def _balance(word: str, operands: list[tree.Expression], start: int, end: int) -> tree.Expression:
    if end - start == 1:
        return operands[start]
    middle = (start + end + 1) // 2
    left = _balance(word, operands, start, middle)
    return tree.Binary(word, left, _balance(word, operands, middle, end), left.at)
