"""A table of rules, first match first: what a marketing team does without learning.

Each rule has a condition over the features and a list of actions, the preferred one first. A customer gets
the first allowed action of the first rule that holds and has one; nobody else is contacted. Not here: the
language of conditions (specs/conditions.py), consent and caps (guard/).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int, Int64
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.choice import certainly, with_floor
from campaignrl.policies.fixed.simple import Untrained
from campaignrl.specs import Condition, Spec, compile_condition


class Rule(Spec):
    """when: a condition, empty for everybody; send: action names, the preferred one first."""

    when: str = ""
    send: tuple[str, ...] = Field(min_length=1)


class RulesConfig(Spec):
    """rule: the table; only_if: a condition every send must meet; explore: share of uniform mixed in."""

    rule: tuple[Rule, ...] = Field(min_length=1)
    only_if: str = ""
    explore: float = Field(default=0.0, ge=0.0, le=1.0)


class RulesPolicy(Untrained):
    """Business as usual: a table by segment and stage."""

    kind: ClassVar[str] = "rules"
    Config: ClassVar[type[Spec]] = RulesConfig
    config: RulesConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: RulesConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        problems = [*_unknown_actions(config, catalog, name)]
        tests: list[Condition | None] = []
        for text, where in _conditions(config, name):
            try:
                tests.append(compile_condition(text, schema, where) if text else None)
            except SpecError as wrong:
                problems += wrong.problems
        if problems:
            raise SpecError(problems)
        self._only_if, *self._when = tests
        self._send = [[catalog.id_of(action) for action in rule.send] for rule in config.rule]
        self.schema = _used(schema, config)

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): certain, but for the explored share."""
        return with_floor(certainly(self._choose(context, allowed), allowed), allowed, self.config.explore)

    def certain_action(self, context: Context, allowed: Bool) -> Int | None:
        """(n,) the first allowed action of the first rule that holds; None where some share explores."""
        return self._choose(context, allowed) if self.config.explore == 0.0 else None

    def _choose(self, context: Context, allowed: Bool) -> Int64:
        seen, may = context.to_schema(self.schema), np.ascontiguousarray(allowed.T)
        action = np.full(len(allowed), NONE)
        open_rows = _holds(self._only_if, seen, len(allowed))
        for when, send in zip(self._when, self._send, strict=True):
            matches = open_rows & _holds(when, seen, len(allowed))
            for a in send:
                taken = matches & may[a]
                np.copyto(action, a, where=taken)
                matches ^= taken
                open_rows ^= taken
        return action


def _holds(condition: Condition | None, context: Context, n: int) -> Bool:
    return np.ones(n, dtype=bool) if condition is None else condition.holds(context)


def _conditions(config: RulesConfig, name: str) -> Iterator[tuple[str, str]]:
    yield config.only_if, f"policy {name}: only_if"
    for i, rule in enumerate(config.rule, start=1):
        yield rule.when, f"policy {name}: rule {i}"


def _unknown_actions(config: RulesConfig, catalog: Catalog, name: str) -> Iterator[Problem]:
    for i, rule in enumerate(config.rule, start=1):
        for action in rule.send:
            if action not in catalog.names:
                where, fix = f"policy {name}: rule {i}", nearest(action, catalog.names)
                yield Problem(where, "send", action, "an action of the catalog", fix)


def _used(schema: FeatureSchema, config: RulesConfig) -> FeatureSchema:
    """Only what the conditions read: a table without the other features will do."""
    texts = [text for text, _ in _conditions(config, "") if text]
    names = {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return FeatureSchema(tuple(feature for feature in schema.features if feature.name in names))
