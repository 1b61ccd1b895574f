"""Segments by rule: conditions over tags, in the order of their file; the first that holds names the customer.

A rule set is exhaustive by its last name, `rest`. Not here: the language of conditions (specs/conditions.py), grids
of recency, frequency and money (rfm.py).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from campaignrl.arrays import Int64
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.features import Context
from campaignrl.profiles.table import Tag, context_of, require_tags, tags_of
from campaignrl.specs import Condition, Spec, compile_condition
from campaignrl.tables import ID


class Rule(Spec):
    """One segment of a rule set."""

    when: str


class RuleSet(Spec):
    """Rules in order, what the others are called, and the tags the rules read."""

    method: Literal["rules"] = "rules"
    rules: tuple[tuple[str, str], ...]  # name, condition
    rest: str
    tags: tuple[Tag, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Segments in order, `rest` last."""
        return (*(name for name, _ in self.rules), self.rest)

    def codes(self, profiles: pd.DataFrame) -> Int64:
        """(n,) index into `names` of each customer."""
        require_tags(profiles, self.tags)
        context = context_of(profiles, self.tags)
        holds = [c.holds(context) for c in _compiled(self.rules, context)]
        holds.append(np.ones(len(profiles), dtype=bool))
        codes: Int64 = np.argmax(np.array(holds), axis=0).astype(np.int64)
        return codes


def rule_set(profiles: pd.DataFrame, rules: Mapping[str, Rule], rest: str) -> RuleSet:
    """A checked rule set for tables like this one; every mistake of every rule is reported at once."""
    pairs = tuple((name, rule.when) for name, rule in rules.items())
    present = [str(c) for c in profiles.columns if c != ID]
    read = {name: sorted(_names_in(when)) for name, when in pairs}
    problems = [
        Problem(f"[segments.{name}]", "tag", tag, "in the table", nearest(tag, present))
        for name, tags in read.items()
        for tag in tags
        if tag not in present
    ]
    if rest in rules:
        problems.append(Problem("segments", "rest", rest, "a name of its own", "A rule already has it."))
    if problems:
        raise SpecError(problems)
    tags = tags_of(profiles, sorted({tag for tags in read.values() for tag in tags}))
    _compiled(pairs, context_of(profiles, tags))
    return RuleSet(rules=pairs, rest=rest, tags=tags)


def _compiled(rules: tuple[tuple[str, str], ...], context: Context) -> list[Condition]:
    compiled: list[Condition] = []
    problems: list[Problem] = []
    for name, when in rules:
        try:
            compiled.append(compile_condition(when, context.schema, f"[segments.{name}]"))
        except SpecError as wrong:
            problems += wrong.problems
    if problems:
        raise SpecError(problems)
    return compiled


def _names_in(when: str) -> set[str]:
    """Tags a condition names; a condition that cannot be read names none, and is refused when compiled."""
    try:
        return {node.id for node in ast.walk(ast.parse(when, mode="eval")) if isinstance(node, ast.Name)}
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return set()
