"""Small changes of a module, each of which some test should notice.

Changes are made in the syntax tree, so a changed module keeps its line numbers and nothing is written to disk. Not
changed: annotations, docstrings, texts, what is raised (its message), decorators, floors of rounding. Not here: which
tests must notice (table.toml), playing them (run.py).
"""

import ast
import copy
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
TWINS = {"min": "max", "minimum": "maximum", "argmin": "argmax", "any": "all", "cumsum": "cumprod", "floor": "ceil"}
TWINS |= {other: name for name, other in TWINS.items()}
ROUNDING = 1e-6  # smaller floats only keep a division or a comparison from rounding; changing them changes nothing
UNTOUCHED_KEYWORDS = ("strict", "copy", "dtype", "stacklevel")  # a check of our own, or speed
Place = tuple[tuple[str, int | None], ...]


class Mutant(NamedTuple):
    """One change of one file."""

    file: Path
    line: int
    before: str
    after: str
    source: str  # of the module as it is
    path: Place  # of the changed node, from the root of the tree
    node: ast.AST  # that takes its place
    lines: range  # of the statement that holds the change
    at_import: bool  # the change acts when the module is imported, not when a function is called

    @property
    def key(self) -> str:
        """The same for the same changed module."""
        text = f"{self.file.name}{self.source}{self.path}{ast.dump(self.node)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def tree(self) -> ast.Module:
        """Of the changed module."""
        tree = ast.parse(self.source)
        _put(tree, self.path, ast.copy_location(self.node, _at(tree, self.path)))
        return ast.fix_missing_locations(tree)

    @property
    def change(self) -> str:
        """For people, and for the list of equivalent ones."""
        return f"{self.before} -> {self.after}"


def mutants_of(file: Path, sizes: tuple[str, ...] = ()) -> Iterator[Mutant]:
    """Every change of a file. sizes: names of constants that only decide on speed."""
    source = file.read_text(encoding="utf-8")
    tree = ast.parse(source)
    for path, statement, inside in _places(tree, sizes):
        node = _at(tree, path)
        for changed in _changes(node):
            lines = range(statement.lineno, _header_end(statement) + 1)
            yield Mutant(file, node.lineno, _text(node), _text(changed), source, path, changed, lines, not inside)


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split()) or "pass"
    return text if len(text) <= 90 else text[:87] + "..."


def _places(tree: ast.Module, sizes: tuple[str, ...]) -> Iterator[tuple[Place, ast.stmt, bool]]:
    """Places that may be changed: path from the root, statement around it, whether it is in a function's body."""

    def walk(node: ast.AST, path: Place, statement: ast.stmt | None, inside: bool) -> Iterator:
        if isinstance(node, ast.stmt):
            statement = node
        if _untouched(node, inside, sizes):
            return
        if statement is not None and not isinstance(node, ast.Module):
            yield path, statement, inside
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_comment", "type_params"):
                continue
            within = inside or (name == "body" and isinstance(node, ast.FunctionDef | ast.Lambda))
            children = value if isinstance(value, list) else [value]
            for i, child in enumerate(children):
                if isinstance(child, ast.AST):
                    place = (name, i if isinstance(value, list) else None)
                    yield from walk(child, (*path, place), statement, within)

    yield from walk(tree, (), None, False)


def _untouched(node: ast.AST, inside: bool, sizes: tuple[str, ...]) -> bool:
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in UNTOUCHED_KEYWORDS
    if isinstance(node, ast.FunctionDef):
        return node.name in ("__repr__", "_repr_html_", "__str__")
    if isinstance(node, ast.Assign | ast.AnnAssign) and not inside:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        alias = isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
        return alias or any(isinstance(t, ast.Name) and t.id in sizes for t in targets)
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in ("Problem", "cast", "TypeVar")


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may be changed to."""
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            twin = copy.deepcopy(node)
            twin.ops[i] = COMPARISONS[type(op)]()
            yield twin
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC and not _of_texts(node):
        twin = copy.deepcopy(node)
        twin.op = ARITHMETIC[type(node.op)]()
        yield twin
    elif isinstance(node, ast.BoolOp):
        twin = copy.deepcopy(node)
        twin.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield twin
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node.value)
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)
    elif isinstance(node, ast.Slice):
        yield from _other_slices(node)
    if isinstance(node, ast.AugAssign):
        yield ast.Pass()


def _of_texts(node: ast.BinOp | ast.AugAssign) -> bool:
    parts = [node.value] if isinstance(node, ast.AugAssign) else [node.left, node.right]
    return any(
        isinstance(p, ast.JoinedStr) or (isinstance(p, ast.Constant) and isinstance(p.value, str)) for p in parts
    )


def _other_constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float) and value in (0.0, 1.0):
        yield ast.Constant(value + 1.0)
    elif isinstance(value, float) and abs(value) >= ROUNDING:
        yield ast.Constant(value * 1.5)


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in TWINS:
        twin = copy.deepcopy(node)
        if isinstance(twin.func, ast.Name):
            twin.func.id = TWINS[name]
        else:
            twin.func.attr = TWINS[name]
        yield twin


def _other_slices(node: ast.Slice) -> Iterator[ast.AST]:
    """Ends one further; ends that are numbers are changed as numbers."""
    for end in ("lower", "upper"):
        value = getattr(node, end)
        if value is not None and not isinstance(value, ast.Constant | ast.UnaryOp):
            twin = copy.deepcopy(node)
            setattr(twin, end, ast.BinOp(copy.deepcopy(value), ast.Add(), ast.Constant(1)))
            yield twin


def _header_end(statement: ast.stmt) -> int:
    """Last line of a statement without its body."""
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(statement.lineno, body[0].lineno - 1)
    return statement.end_lineno or statement.lineno


def _at(tree: ast.AST, path: Place) -> ast.AST:
    for name, i in path:
        value = getattr(tree, name)
        tree = value if i is None else value[i]
    return tree


def _put(tree: ast.AST, path: Place, new: ast.AST) -> None:
    parent = _at(tree, path[:-1])
    name, i = path[-1]
    if i is None:
        setattr(parent, name, new)
    else:
        getattr(parent, name)[i] = new
