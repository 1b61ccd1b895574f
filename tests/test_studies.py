"""Studies and benchmarks: public names only, one shape, and indexes that list exactly what is in the folders."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "campaignrl"
STUDIES = sorted((ROOT / "experiments").glob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
HELD_BY_A_STUDY = {"bounds_tables", "learners_tables", "ranking_waves", "starbucks_campaign", "starbucks_log"}
NAMED_TUPLE = {"_make", "_replace", "_asdict", "_fields"}  # public in spite of their names
WORK_OF_ITS_OWN = [path for path in STUDIES if path.stem not in HELD_BY_A_STUDY]


def named(path):
    return path.stem


def exported(package):
    """The names that a package's `__init__` offers: re-exports, what it hands out on demand, and its own modules."""
    folder = SOURCE.joinpath(*package.split(".")[1:])
    if not folder.is_dir():  # a module that no package holds is its own front door
        tree = ast.parse(folder.with_suffix(".py").read_text(encoding="utf-8"))
        defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        names = {t for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign) for t in targets(n)}
        return {name for name in defined | names if not name.startswith("_")}
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    found = {a.asname for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names if a.asname}
    return {name for name in found if not name.startswith("_")} | {path.stem for path in folder.glob("[a-z]*")}


def targets(node):
    parts = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)]


def imports(path):
    """(module, name, line) of what a script takes from campaignrl; name is "" where the module itself is imported."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "campaignrl":
            yield from ((node.module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((a.name, "", node.lineno) for a in node.names if a.name.split(".")[0] == "campaignrl")


@pytest.mark.parametrize("path", [*STUDIES, *BENCHMARKS], ids=named)
def test_scripts_take_public_names_from_front_doors(path):
    for module, name, line in imports(path):
        where = f"{path.relative_to(ROOT)}:{line}"
        folder = SOURCE.joinpath(*module.split(".")[1:])
        assert folder.is_dir() or module.count(".") == 1, f"{where} reaches into {module}: import from its package"
        if name:
            assert name in exported(module), f"{where}: {module} does not offer {name}; re-export it in its __init__"


@pytest.mark.parametrize("path", [*STUDIES, *BENCHMARKS], ids=named)
def test_scripts_use_nothing_private(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bound = {a.asname or a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    bound |= {name for _, name, _ in imports(path)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            private = node.attr.startswith("_") and not node.attr.startswith("__") and node.attr not in NAMED_TUPLE
            assert not private, f"{path.relative_to(ROOT)}:{node.lineno} uses {ast.unparse(node)}"
