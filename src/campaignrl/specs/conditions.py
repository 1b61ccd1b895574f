"""Conditions in TOML: `stage in ['at_risk', 'dormant'] or segment == 'price_sensitive'`.

A condition is parsed once into a checked tree over the feature schema, then answered for many customers at
a time. Names, levels and types are checked at load, and nothing else of Python is admitted: no calls, no
attributes, no arithmetic. A missing value satisfies no comparison (deny by default); `not` of it still does
what `not` does, so write rules in the positive.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool
from campaignrl.errors import Problem, SpecError, nearest
from campaignrl.features import Context, Feature, FeatureSchema

Test = Callable[[Context], Bool]

MAX_LENGTH = 2_000  # characters; a longer rule is a table, not a condition
MAX_DEPTH = 30
FEW = 3  # runs of levels; more of them are looked up in a table
LARGEST = 1e30  # a larger number is a slip, and would not fit single precision

_NUMERIC: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition; call `holds(context)` for (n,) booleans."""

    text: str
    test: Test

    def holds(self, context: Context) -> Bool:
        """(n,) True where the condition is met."""
        return self.test(context)


def compile_condition(text: str, schema: FeatureSchema, where: str) -> Condition:
    """Check `text` against `schema`; every mistake is a SpecError naming `where`."""
    if len(text) > MAX_LENGTH:
        raise SpecError(Problem(where, "condition", f"{len(text)} characters", f"at most {MAX_LENGTH} characters"))
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise _bad(where, text, "a condition such as \"stage == 'dormant' and recency_days > 30\"") from None
    return Condition(text, _build(tree, schema, where, 0))


def _build(node: ast.expr, schema: FeatureSchema, where: str, depth: int) -> Test:
    if depth > MAX_DEPTH:
        raise _bad(where, f"{MAX_DEPTH}+ levels deep", f"at most {MAX_DEPTH} levels deep")
    if isinstance(node, ast.BoolOp):
        parts = [_build(value, schema, where, depth + 1) for value in node.values]
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return lambda context: reduce(join, (part(context) for part in parts))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _build(node.operand, schema, where, depth + 1)
        return lambda context: ~inner(context)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.left, ast.Name):
        return _comparison(node.left.id, node.ops[0], node.comparators[0], schema, where)
    raise _bad(where, _source(node), "a comparison of a feature, or `and`, `or`, `not` of such")


def _comparison(name: str, op: ast.cmpop, right: ast.expr, schema: FeatureSchema, where: str) -> Test:
    if name not in schema.names:
        raise SpecError(Problem(where, "feature", name, "a known feature", nearest(name, schema.names)))
    try:
        value = ast.literal_eval(right)
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise _bad(where, _source(right), "a literal number, text or list") from None
    feature = schema[name]
    return _of_category(feature, op, value, where) if feature.levels else _of_number(feature, op, value, where)


def _of_category(feature: Feature, op: ast.cmpop, value: object, where: str) -> Test:
    wanted = list(value) if isinstance(value, list | tuple) else [value]
    if not isinstance(op, ast.In | ast.NotIn if isinstance(value, list | tuple) else ast.Eq | ast.NotEq):
        raise _bad(where, f"{feature.name} {type(op).__name__} {value!r}", "==, !=, or `in` / `not in` with a list")
    for level in wanted:
        if level not in feature.levels:
            fix = nearest(str(level), feature.levels) or f"Known: {', '.join(feature.levels)}."
            raise SpecError(Problem(where, feature.name, level, f"a known {feature.name}", fix))
    codes = np.array([feature.levels.index(str(level)) for level in wanted], dtype=np.int64)
    others = np.setdiff1d(np.arange(len(feature.levels)), codes)  # UNKNOWN is in neither
    holds = np.zeros(len(feature.levels) + 1, dtype=bool)  # the last row answers for UNKNOWN
    holds[others if isinstance(op, ast.NotEq | ast.NotIn) else codes] = True
    ends = np.flatnonzero(np.diff(holds, prepend=False, append=False)).tolist()
    runs = list(zip(ends[::2], ends[1::2], strict=True))  # of codes that hold; an end is past the last one
    if len(runs) > FEW:
        return lambda context: np.asarray(holds.take(context.columns[feature.name], mode="wrap"))
    return lambda context: _in_runs(context.columns[feature.name], runs)


def _in_runs(codes: npt.NDArray[Any], runs: list[tuple[int, int]]) -> Bool:
    """(n,) whether each code lies in one of a few runs, which is faster than looking it up in a table."""
    parts = [codes == start if stop == start + 1 else (codes >= start) & (codes < stop) for start, stop in runs]
    return reduce(np.logical_or, parts) if parts else np.zeros(len(codes), dtype=bool)


def _of_number(feature: Feature, op: ast.cmpop, value: object, where: str) -> Test:
    compare = _NUMERIC.get(type(op))
    if compare is None or isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(where, f"{feature.name} {type(op).__name__} {value!r}", "a number compared by < <= > >= == !=")
    if not abs(value) <= LARGEST:
        raise _bad(where, f"{feature.name} {type(op).__name__} {value!r}", f"a number up to {LARGEST:g} in size")
    limit = np.float32(value)

    def test(context: Context) -> Bool:
        # Single precision on both sides: a share of 0.2 is 0.2, simulated (float32) or from a file (float64).
        column = np.asarray(context.columns[feature.name], dtype=np.float32)
        met = np.asarray(compare(column, limit))  # never by a missing value, but for !=
        return met & ~np.isnan(column) if compare is operator.ne else met

    return test


def _source(node: ast.expr) -> str:
    try:
        return ast.unparse(node)
    except RecursionError:
        return "a deeply nested expression"


def _bad(where: str, value: object, allowed: str) -> SpecError:
    return SpecError(Problem(where, "condition", value, allowed))
