"""The house: imports point down, nothing goes in circles, files and functions stay readable."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "campaignrl"

# From the ground up; a module imports from its own line or from those above it.
ORDER = (
    ("errors",),
    ("rng",),
    ("actions",),
    ("encoding",),
    ("features",),
    ("specs",),
    ("tables",),
    ("lifecycle",),
    ("dynamics",),
    ("guard",),
    ("envs",),
    ("policies",),
    ("send",),
    ("simulate",),
    ("train",),
    ("true_value",),
    ("calibrate",),
    ("profiles",),
    ("evaluate",),
    ("experiments",),
    ("report",),
    ("service",),
    ("demo",),
    ("cli",),
    ("__main__",),
)
LAYER = {name: i for i, line in enumerate(ORDER) for name in line}

MAX_FILE = 350  # lines
MAX_FUNCTION = 60

FILES = sorted(ROOT.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def module_of(path):
    """`dynamics/advance.py` -> "dynamics.advance"; the package itself is ""."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def for_types_only(tree):
    """The nodes under `if TYPE_CHECKING:`, which never run."""
    guards = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    return {id(inner) for guard in guards for statement in guard.body for inner in ast.walk(statement)}


def imports(path, at_load=False):
    """(module, line) of every campaignrl module that a file imports; at_load: those that run when it is imported."""
    tree = TREES[path]
    skipped = for_types_only(tree)
    if at_load:
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        skipped |= {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == "campaignrl" or name.startswith("campaignrl."):
                yield _nearest_module(name.removeprefix("campaignrl").removeprefix(".")), node.lineno


def _nearest_module(name):
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def test_every_part_of_the_package_has_its_place():
    parts = {module_of(path).split(".")[0] for path in FILES} - {""}
    homeless = sorted(parts - LAYER.keys())
    assert not homeless, f"{homeless} stand in no layer: give them a line in ORDER, as low as they can stand"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    here = module_of(path).split(".")[0]
    if not here:  # the package's own __init__ names everybody
        return
    for module, line in imports(path):
        there = module.split(".")[0]
        if there:
            wrong = LAYER[there] > LAYER[here]
            assert not wrong, (
                f"{path.relative_to(ROOT)}:{line} imports {module}: {there!r} stands above {here!r}; "
                f"move the shared part down to {here!r} or below"
            )


def test_nothing_goes_in_circles():
    graph = defaultdict(set)
    for module, path in MODULES.items():
        graph[module] |= {other for other, _ in imports(path, at_load=True)} - {module, ""}
    done, trail = set(), []

    def visit(module):
        if module in trail:
            raise AssertionError("imports go in a circle: " + " -> ".join([*trail[trail.index(module) :], module]))
        if module not in done:
            trail.append(module)
            for other in sorted(graph[module]):
                visit(other)
            trail.pop()
            done.add(module)

    for module in MODULES:
        visit(module)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE, f"{path.name} has {lines} lines, at most {MAX_FILE}: it does two things"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body  # what is said is not what is done
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= MAX_FUNCTION, f"{path.name}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_say_what_lives_in_them_and_import_absolutely(path):
    tree = TREES[path]
    assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} does not say what lives in it"
    relative = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{path.name}: relative imports in lines {relative}"
    assert not {"utils", "helpers", "manager"} & {path.stem}, f"{path.name}: the name says nothing about what it holds"


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
# The checker of environments hands one to itself and back in memory, as a library's worker process would.
PICKLES_ITS_OWN = {"envs/check.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_data_is_ever_unpickled_or_evaluated(path):
    forbidden = set() if path.relative_to(ROOT).as_posix() in PICKLES_ITS_OWN else FORBIDDEN
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            assert not forbidden & {alias.name.split(".")[0] for alias in node.names}, path
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in forbidden, path
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in {"eval", "exec"}, f"{path.name}:{node.lineno} calls {name}"
            allowing = [k for k in node.keywords if k.arg == "allow_pickle"]
            assert not allowing or ast.unparse(allowing[0].value) == "False", f"{path.name}:{node.lineno}"


def test_chance_is_made_in_one_place():
    """Every draw comes from rng.py, or from a Generator handed down; nobody seeds one of their own."""
    for path in FILES:
        if module_of(path) == "rng":
            continue
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                made = name.startswith(("np.random.", "numpy.random.", "random.")) or name.endswith("default_rng")
                assert not made, f"{path.relative_to(ROOT)}:{node.lineno} calls {name}: ask campaignrl.rng"
