"""The structure of the source as figures: files and their sizes by package, imports, cycles, comments, docstrings.

    python benchmarks/structure.py [--src src/campaignrl]

Counted as text and syntax; nothing is imported. A package's own files, those of its sub-packages apart. Imports are of
our own modules, a module named twice counted once. Docstrings: share of public functions, classes and modules with one.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import tokenize
from pathlib import Path


def module_of(path: Path, root: Path) -> str:
    """`ope/evaluate.py` -> "ope.evaluate"."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(tree: ast.Module, known: set[str], root: str) -> set[str]:
    """Our own modules that a file imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(root):
            base = (node.module or "").removeprefix(root).lstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                found.add(full if full in known else base)
    return found


def comment_lines(text: str) -> int:
    """Lines that hold a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return len({t.start[0] for t in tokens if t.type == tokenize.COMMENT})


def documented(tree: ast.Module) -> tuple[int, int]:
    """Public definitions with a docstring, and all of them, the module included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [n for n in ast.walk(tree) if isinstance(n, kinds) and not n.name.startswith("_")]
    return sum(ast.get_docstring(n) is not None for n in [tree, *public]), 1 + len(public)


def cycles(graph: dict[str, set[str]]) -> int:
    """Modules that can reach themselves."""

    def reaches(start: str) -> bool:
        seen: set[str] = set()
        ahead = list(graph[start])
        while ahead:
            module = ahead.pop()
            if module == start:
                return True
            if module not in seen:
                seen.add(module)
                ahead += graph.get(module, set())
        return False

    return sum(reaches(module) for module in graph)


def main() -> None:
    """Print a row a package, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, default=Path(__file__).resolve().parents[1] / "src" / "campaignrl")
    root = parser.parse_args().src
    files = {module_of(p, root): p for p in sorted(root.rglob("*.py"))}
    texts = {name: p.read_text(encoding="utf-8") for name, p in files.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    own = {name: imports_of(tree, set(files), root.name) for name, tree in trees.items()}
    plain = {name: others - {name} for name, others in own.items() if files[name].name != "__init__.py"}
    graph = {name: {o for o in others if o in plain} for name, others in plain.items()}
    packages: dict[str, list[str]] = {}
    for name in plain:
        packages.setdefault(name.rpartition(".")[0], []).append(name)
    print(f"{'package':<26}{'files':>6}{'median':>8}{'largest':>9}{'imports':>9}{'comments':>10}{'docstrings':>12}")
    for package, names in [*sorted(packages.items()), ("all", list(plain))]:
        lines = [texts[name].count("\n") for name in names]
        said, all_of = (sum(x) for x in zip(*(documented(trees[name]) for name in names), strict=True))
        comments = sum(comment_lines(texts[name]) for name in names) / max(sum(lines), 1)
        each = statistics.mean(len(plain[name]) for name in names)
        median, largest = statistics.median(lines), max(lines)
        row = f"{package or '(top)':<26}{len(names):>6}{median:>8.0f}{largest:>9}{each:>9.1f}"
        print(f"{row}{comments:>10.1%}{said / all_of:>12.0%}")
    print(f"modules in a cycle of imports: {cycles(graph)}")


if __name__ == "__main__":
    main()
