"""Arithmetic on columns, as a mapping writes it: `spend - 0.4 * conversion`, `20 * (bought == "yes")`.

Parsed once into a checked tree; nothing of Python is admitted but + - * /, one comparison at a time (true is 1, false
is 0), numbers, column names, and texts that a column is compared with.
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

Value = Callable[[Mapping[str, Any]], Any]

MAX_LENGTH = 1_000  # characters
MAX_DEPTH = 50
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression over `columns`, of which `texts` are compared with texts."""

    text: str
    columns: tuple[str, ...]
    _value: Value
    texts: tuple[str, ...] = ()

    def of(self, columns: Mapping[str, Any]) -> Float:
        """(n,) values. columns: (n,) numbers by name, and of `texts` texts, "" where missing.

        A division by zero gives inf or NaN, which the log's contract then reports by row.
        """
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
    texts = dict.fromkeys(name for node in ast.walk(tree) if (name := _compared_with_text(node)) is not None)
    counted = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    both = [name for name in texts if counted.count(name) > _text_uses(tree, name)]
    if both:
        raise SpecError(Problem(where, "expression", text, f"about {both[0]} as a text or as a number, not as both"))
    return Expression(text, columns, value, tuple(texts))


def _compared_with_text(node: ast.AST) -> str | None:
    """The column that a comparison holds against a text."""
    if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.NotEq)):
        return None
    right = node.comparators[0]
    texts = isinstance(right, ast.Constant) and isinstance(right.value, str)
    return node.left.id if texts and isinstance(node.left, ast.Name) else None


def _text_uses(tree: ast.AST, name: str) -> int:
    return sum(_compared_with_text(node) == name for node in ast.walk(tree))


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
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        return _comparison(node, where, depth)
    raise _bad(where, ast.unparse(node))


def _comparison(node: ast.Compare, where: str, depth: int) -> Value:
    """1 or 0; NaN where a side is missing, for what is unknown is neither."""
    name, right = _compared_with_text(node), node.comparators[0]
    same = COMPARISONS[type(node.ops[0])]
    if name is not None and isinstance(right, ast.Constant):
        word = str(right.value).strip()
        return lambda columns: np.where(columns[name] == "", np.nan, same(columns[name], word))
    one, other = _build(node.left, where, depth + 1), _build(right, where, depth + 1)

    def value(columns: Mapping[str, Any]) -> Any:
        a, b = np.asarray(one(columns), dtype=np.float64), np.asarray(other(columns), dtype=np.float64)
        return np.where(np.isnan(a) | np.isnan(b), np.nan, same(a, b))

    return value


def _bad(where: str, value: str) -> SpecError:
    return SpecError(Problem(where, "expression", value, "columns and numbers joined by + - * / and brackets"))
