"""Arithmetic on columns, as a mapping writes it: `spend - 0.4 * conversion`.

Parsed once into a checked tree; nothing of Python is admitted but + - * /, numbers and column names.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from campaignrl.arrays import Float
from campaignrl.errors import Problem, SpecError

Value = Callable[[Mapping[str, Float]], Any]

MAX_LENGTH = 1_000  # characters
MAX_DEPTH = 50
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression over `columns`."""

    text: str
    columns: tuple[str, ...]
    _value: Value

    def of(self, columns: Mapping[str, Float]) -> Float:
        """(n,) values; a division by zero gives inf or NaN, which the log's contract then reports by row."""
        with np.errstate(all="ignore"):
            return np.asarray(self._value(columns), dtype=np.float64)


def compile_expression(text: str, where: str) -> Expression:
    """Check `text`; a mistake is a SpecError naming `where`."""
    if len(text) > MAX_LENGTH:
        raise SpecError(Problem(where, "expression", f"{len(text)} characters", f"at most {MAX_LENGTH} characters"))
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise _bad(where, text) from None
    value = _build(tree, where, 0)
    columns = tuple(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))
    if not columns:
        raise SpecError(Problem(where, "expression", text, "about any column", "Name at least one column."))
    return Expression(text, columns, value)


def _build(node: ast.expr, where: str, depth: int) -> Value:
    if depth > MAX_DEPTH:
        raise SpecError(Problem(where, "expression", f"{MAX_DEPTH}+ levels deep", f"at most {MAX_DEPTH} levels deep"))
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        join = OPERATORS[type(node.op)]
        left, right = _build(node.left, where, depth + 1), _build(node.right, where, depth + 1)
        return lambda columns: join(left(columns), right(columns))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _build(node.operand, where, depth + 1)
        return lambda columns: -inner(columns)
    if isinstance(node, ast.Name):
        name = node.id
        return lambda columns: columns[name]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        number = np.float64(node.value)
        return lambda columns: number
    raise _bad(where, ast.unparse(node))


def _bad(where: str, value: str) -> SpecError:
    return SpecError(Problem(where, "expression", value, "columns and numbers joined by + - * / and brackets"))
