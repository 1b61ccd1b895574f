"""Which customers a search finds: three answers a customer, yes, no and unknown.

Unknown is never equal to anything, nor unequal, nor less: a comparison with an unknown tag is unknown, and so is its
`not` (Kleene's logic, as SQL has it); only `is unknown` asks for it. Found is who the answer is yes for. Here: names,
kinds and levels against a table, and the answers. Not here: reading the text (expression.py). n customers.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Bool
from campaignrl.errors import nearest
from campaignrl.profiles.table.columns import kind_of
from campaignrl.profiles.table.expression import (
    Compare,
    Holds,
    Join,
    Name,
    Node,
    Not,
    OneOf,
    Operand,
    Unknown,
    Value,
    mistake,
    parse,
)
from campaignrl.profiles.table.profile_file import Facts
from campaignrl.tables import ID

DAY = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?$")
MOST_NEAR = 5_000  # levels that a mistyped one is held against
SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
KINDS = {"number": "a number", "yes_no": "yes or no", "category": "a text in quotes", "date": "a day, '2026-01-31'"}


class Found(NamedTuple):
    """The answer for each customer. notes: texts that nobody has, with the nearest that somebody has."""

    yes: Bool  # (n,)
    unknown: Bool  # (n,) neither yes nor no
    notes: tuple[str, ...] = ()

    @property
    def customers(self) -> int:
        """Customers that are found."""
        return int(self.yes.sum())


class _Answer(NamedTuple):
    yes: Bool
    no: Bool


class _Column(NamedTuple):
    values: Any  # (n,)
    kind: str
    known: Bool


def search(profiles: pd.DataFrame, text: str, facts: Facts | None = None) -> Found:
    """The customers of a profiles table that `text` holds for.

    facts: what the file says of its tags; a level that a tag can never have is then an error, not an empty answer.
    A mistake in the text, an unknown tag or a comparison of unlike kinds is a UsageError that shows the place.

    >>> table = pd.DataFrame({"customer_id": ["a", "b", "c"], "stage": ["new", "loyal", None], "spend": [9, 700, 800]})
    >>> search(table, "stage == 'loyal' and spend > 500").yes.tolist()
    [False, True, False]
    >>> search(table, "not stage == 'loyal'").unknown.tolist()
    [False, False, True]
    """
    asked = _Search(profiles, text, (facts or {}).get("tags", {}))
    answer = asked.answer(parse(text))
    return Found(answer.yes, ~(answer.yes | answer.no), tuple(asked.notes))


class _Search:
    """One search over one table; columns are made ready once."""

    def __init__(self, profiles: pd.DataFrame, text: str, tags: Mapping[str, Any]) -> None:
        self.table, self.text, self.tags = profiles, text, tags
        self.columns: dict[str, _Column] = {}
        self.notes: list[str] = []

    def answer(self, node: Node) -> _Answer:
        match node:
            case Join(word, parts):
                answers = [self.answer(part) for part in parts]
                yes = reduce(np.logical_and if word == "and" else np.logical_or, [a.yes for a in answers])
                no = reduce(np.logical_or if word == "and" else np.logical_and, [a.no for a in answers])
                return _Answer(yes, no)
            case Not(part):
                inner = self.answer(part)
                return _Answer(inner.no, inner.yes)
            case Unknown(name):
                known = self.column(name).known
                return _Answer(~known, known)
            case Holds(name):
                return self.compare(Compare(name, "==", Value(True, name.at)), alone=True)
            case OneOf(name, values):
                hits = [self.compare(Compare(name, "==", value)) for value in values]
                return _Answer(
                    reduce(np.logical_or, [h.yes for h in hits]), reduce(np.logical_and, [h.no for h in hits])
                )
            case Compare():
                return self.compare(node)

    def compare(self, node: Compare, alone: bool = False) -> _Answer:
        left, sign, right = node
        if isinstance(left, Value):  # 500 < spend
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
            left, sign, right = right, turned, left
        if isinstance(left, Value):
            raise mistake(self.text, left.at, str(left.value), "a tag, on one side of the comparison")
        first = self.column(left)
        if isinstance(right, Name):
            second = self.column(right, right=True)
            self.check_pair(first, second, sign, right)
            other, known = second.values, first.known & second.known
        else:
            other, known = self.value(left, first, sign, right, alone), first.known
        met = np.zeros(len(known), dtype=bool)
        chosen = other[known] if isinstance(right, Name) else other
        met[known] = np.asarray(SIGNS[sign](first.values[known], chosen), dtype=bool)
        return _Answer(met, known & ~met)

    def column(self, name: Name, right: bool = False) -> _Column:
        if name.name not in self.columns:
            present = [str(c) for c in self.table.columns]
            if name.name not in present:
                fix = nearest(name.name, present) or f"Tags: {', '.join(c for c in present if c != ID)[:300]}."
                fix = f"A text stands in quotes: '{name.name}'." if right else fix
                raise mistake(self.text, name.at, name.name, "a tag of this table", fix)
            self.columns[name.name] = _column(self.table[name.name])
        return self.columns[name.name]

    def check_pair(self, first: _Column, second: _Column, sign: str, right: Name) -> None:
        alike = first.kind == second.kind or {first.kind, second.kind} == {"number", "yes_no"}
        if not alike or (first.kind == "category" and sign not in ("==", "!=")):
            allowed = (
                f"compared with {KINDS[first.kind]}, as the tag before it is" if not alike else "compared by == !="
            )
            raise mistake(self.text, right.at, right.name, allowed)

    def value(self, name: Name, column: _Column, sign: str, right: Operand, alone: bool) -> Any:
        assert isinstance(right, Value)
        value, kind = right.value, column.kind
        if kind in ("number", "yes_no") and isinstance(value, bool | float):
            fair = kind == "yes_no" or not isinstance(value, bool)
            if fair:
                return column.values.dtype.type(value)  # 0.2 of single precision is 0.2
        if isinstance(value, str) and kind == "date" and DAY.match(value):
            try:
                return np.datetime64(value.replace(" ", "T"))
            except ValueError:
                pass
        if isinstance(value, str) and kind == "category":
            if sign in ("==", "!="):
                self.check_level(name, column, value, right)
                return value
            if DAY.match(value):
                return value
            raise mistake(self.text, right.at, value, "compared by == != or `in`, as texts are")
        allowed = "a yes/no tag, which can stand alone" if alone else f"{KINDS[kind]}, as {name.name} is"
        raise mistake(self.text, right.at, name.name if alone else str(value), allowed)

    def check_level(self, name: Name, column: _Column, value: str, right: Value) -> None:
        known = column.values[column.known]
        if (known == value).any():
            return
        levels = self.tags.get(name.name, {}).get("levels") or ()
        if levels and value not in levels:
            fix = nearest(value, levels) or f"Known: {', '.join(levels)}."
            raise mistake(self.text, right.at, value, f"a level of {name.name}", fix)
        near = nearest(value, map(str, pd.unique(known)[:MOST_NEAR]))
        self.notes.append(f"nobody has {name.name} = {value!r}. {near}".rstrip())


def _column(series: pd.Series[Any]) -> _Column:
    kind = kind_of(series) or "category"
    known = series.notna().to_numpy()
    if kind == "category":
        values = series.astype(object).where(series.notna(), "").astype(str).to_numpy(dtype=object)
        return _Column(values, kind, known & (values != ""))
    if kind == "date":
        plain = (
            series if getattr(series.dtype, "tz", None) is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
        )
        return _Column(plain.to_numpy().astype("datetime64[us]"), kind, known)
    single = series.dtype == np.float32
    numbers = series.to_numpy(dtype=np.float32 if single else np.float64, na_value=np.nan)
    return _Column(numbers, kind, known & ~np.isnan(numbers))
