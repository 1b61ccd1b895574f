"""The language of searches: text -> a tree of comparisons, and/or/not; nothing is ever run.

    stage == 'loyal' and (spend > 500 or not city in ['Paris', 'Rome'])
    10 <= recency_days < 30        favourite is unknown        vip        first_order >= '2026-01-01'

Words: and, or, not, in, is, unknown, yes, no, in any case of letters. A tag whose name is no plain word stands in
backquotes: `days since sign-up`. Texts stand in single or double quotes. Here: text -> tree, with the place of every
mistake. Not here: what a name means and who is found (search.py); the conditions of tag sets and worlds
(specs/conditions.py), which decide two-valued.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from campaignrl.errors import Problem, UsageError, nearest

WHERE = "--where"
LONGEST = 4_000  # characters
DEEPEST = 50  # brackets and nots within each other
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
WORDS = ("and", "or", "not", "in", "is", "unknown", "yes", "no")
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w))
    |(?P<text>'[^']*'|"[^"]*")|(?P<name>`[^`]+`|[^\W\d]\w*(?:\.\w+)*)
    |(?P<sign><=|>=|==|!=|<>|=|<|>|\(|\)|\[|\]|,|&&|\|\||!))""",
    re.VERBOSE,
)


class Name(NamedTuple):
    """A tag."""

    name: str
    at: int  # place in the text, for messages


class Value(NamedTuple):
    """A number, a text, or yes and no."""

    value: float | str | bool
    at: int


Operand = Name | Value


class Compare(NamedTuple):
    """left sign right; sign is one of COMPARISONS."""

    left: Operand
    sign: str
    right: Operand


class OneOf(NamedTuple):
    """name in [values]."""

    name: Name
    values: tuple[Value, ...]


class Unknown(NamedTuple):
    """name is unknown."""

    name: Name


class Holds(NamedTuple):
    """A yes/no tag by itself."""

    name: Name


class Not(NamedTuple):
    """not part."""

    part: Node


class Join(NamedTuple):
    """All parts (`and`) or any of them (`or`)."""

    word: str
    parts: tuple[Node, ...]


Node = Compare | OneOf | Unknown | Holds | Not | Join


class _Token(NamedTuple):
    kind: str  # number, text, name, sign, word or end
    text: str
    at: int


def parse(text: str) -> Node:
    """The tree of a search, or a UsageError that shows the place."""
    if len(text) > LONGEST:
        raise UsageError(Problem(WHERE, "search", f"{len(text)} characters", f"at most {LONGEST} characters"))
    reader = _Reader(text)
    node = reader.either(0)
    if reader.next.kind != "end":
        raise reader.wrong("`and` or `or`, or the end")
    return node


def mistake(text: str, at: int, found: str, allowed: str, fix: str = "") -> UsageError:
    """An error with the text and a mark under the place."""
    start = max(0, at - 50)
    shown = text[start : at + 30].replace("\n", " ")
    return UsageError(f"{Problem(WHERE, 'search', found, allowed, fix)}\n  {shown}\n  {' ' * (at - start)}^")


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            here = at + len(text[at:]) - len(text[at:].lstrip())
            fix = "A text needs its closing quote." if text[here] in "'\"`" else ""
            raise mistake(text, here, text[here : here + 12], "a tag, a number, a 'text' or a sign", fix)
        kind, word = found.lastgroup, found[found.lastgroup]
        if kind == "name" and word.lower() in WORDS:
            kind, word = "word", word.lower()
        yield _Token(kind, word, found.start(found.lastgroup))
        at = found.end()
    yield _Token("end", "", len(text))


class _Reader:
    """A reader of tokens by descent: or, and, not, then brackets or one comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.next
        self.place += token.kind != "end"
        return token

    def word(self, *texts: str) -> bool:
        """Whether the next token is one of these words or signs; then it is taken."""
        if self.next.kind in ("word", "sign") and self.next.text in texts:
            self.place += 1
            return True
        return False

    def wrong(self, allowed: str, fix: str = "") -> UsageError:
        token = self.next
        if token.kind == "sign" and token.text in ("&&", "||", "!"):
            fix = "Write `and`, `or`, `not`."
        return mistake(self.text, token.at, token.text or "(the end)", allowed, fix)

    def either(self, depth: int) -> Node:
        parts = [self.both(depth)]
        while self.word("or"):
            parts.append(self.both(depth))
        return parts[0] if len(parts) == 1 else Join("or", tuple(parts))

    def both(self, depth: int) -> Node:
        parts = [self.one(depth)]
        while self.word("and"):
            parts.append(self.one(depth))
        return parts[0] if len(parts) == 1 else Join("and", tuple(parts))

    def one(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.wrong(f"at most {DEEPEST} brackets and nots within each other")
        if self.word("not"):
            return Not(self.one(depth + 1))
        if self.word("("):
            inner = self.either(depth + 1)
            if not self.word(")"):
                raise self.wrong("the closing bracket `)`, or `and`, `or`")
            return inner
        return self.comparison()

    def comparison(self) -> Node:
        left = self.operand()
        if isinstance(left, Name):
            if self.word("is"):
                negated = self.word("not")
                if not self.word("unknown"):
                    raise self.wrong("`unknown`", "Write == to compare with a value.")
                return Not(Unknown(left)) if negated else Unknown(left)
            negated = self.word("not")
            if self.word("in"):
                inside = OneOf(left, self.values())
                return Not(inside) if negated else inside
            if negated:
                raise self.wrong("`in` after `not`")
            if not self.signs():
                return Holds(left)
        parts: list[Node] = []
        while self.signs():
            sign = self.take().text
            sign = {"=": "==", "<>": "!="}.get(sign, sign)
            right = self.operand()
            parts.append(Compare(left, sign, right))
            left = right  # 1 < x < 5
        if not parts:
            raise self.wrong("a comparison: < <= > >= == !=")
        return parts[0] if len(parts) == 1 else Join("and", tuple(parts))

    def signs(self) -> bool:
        return self.next.kind == "sign" and self.next.text in (*COMPARISONS, "=", "<>")

    def operand(self) -> Operand:
        token = self.next
        if token.kind == "name":
            self.take()
            return Name(token.text.strip("`"), token.at)
        return self.value()

    def value(self) -> Value:
        token = self.next
        if token.kind == "number":
            self.take()
            return Value(float(token.text), token.at)
        if token.kind == "text":
            self.take()
            return Value(token.text[1:-1], token.at)
        if self.word("yes", "no"):
            return Value(token.text == "yes", token.at)
        fix = "Nothing equals unknown; write `is unknown`." if token.text == "unknown" else ""
        fix = fix or (nearest(token.text, WORDS) if token.kind == "name" else "")
        quote = f"Text stands in quotes: '{token.text}'." if token.kind == "name" else ""
        raise self.wrong("a tag or a value", fix or quote)

    def values(self) -> tuple[Value, ...]:
        closing = {"[": "]", "(": ")"}.get(self.next.text)
        if closing is None:
            raise self.wrong("a list, such as ['a', 'b']")
        self.take()
        found = [self.value()]
        while self.word(","):
            if self.next.text == closing:
                break
            found.append(self.value())
        if not self.word(closing):
            raise self.wrong(f"`,` or the closing `{closing}`")
        return tuple(found)
