"""The house: imports point down, nothing goes in circles, files and functions stay readable."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src" / "campaignrl"

# From the ground up; a module imports from its own line or from those above it.
ORDER = (
    ("errors",),
    ("display",),
    ("arrays",),
    ("rng",),
    ("actions",),
    ("features",),
    ("quantities", "toml"),
    ("effects",),
    ("specs",),
    ("tables",),
    ("lifecycle",),
    ("dynamics",),
    ("guard",),
    ("envs",),
    ("registration",),
    ("policies",),
    ("ledger",),
    ("send",),
    ("choices",),
    ("recorder",),
    ("campaign",),
    ("training",),
    ("true_value",),
    ("calibration",),
    ("profiles",),
    ("ope",),
    ("proof",),
    ("suites",),
    ("monitor",),
    ("report",),
    ("loop",),
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


def of_every_file(check):
    """One test that looks at every file and tells all that is wrong; a test a file would take a minute to hand out."""

    def look():
        wrong = []
        for path in FILES:
            try:
                check(path)
            except AssertionError as found:
                wrong.append(str(found).partition("\n")[0] or str(path))
        assert not wrong, "\n".join(wrong)

    look.__name__, look.__doc__ = check.__name__, check.__doc__
    return look


def module_of(path):
    """`dynamics/advance.py` -> "dynamics.advance"; the package itself is ""."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def for_types_only(tree):
    """The nodes under `if TYPE_CHECKING:`, which never run."""
    guards = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    return {id(inner) for guard in guards for statement in guard.body for inner in ast.walk(statement)}


def imports(path, at_load=False, types=False):
    """(module, line) of every campaignrl module that a file imports; at_load: those that run when it is imported.

    types: those that only a reader of types needs, too.
    """
    tree = TREES[path]
    skipped = set() if types else for_types_only(tree)
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


def test_every_file_that_is_wrong_is_told():
    def check(path):
        assert path.name != "rng.py", f"{path.name} is wrong"

    with pytest.raises(AssertionError, match=r"^rng\.py is wrong"):
        of_every_file(check)()


def test_every_part_of_the_package_has_its_place():
    parts = {module_of(path).split(".")[0] for path in FILES} - {""}
    homeless = sorted(parts - LAYER.keys())
    assert not homeless, f"{homeless} stand in no layer: give them a line in ORDER, as low as they can stand"


@of_every_file
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
        graph[module] |= {other for other, _ in imports(path, types=True)} - {module, ""}
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


PACKAGES = {module for module, path in MODULES.items() if path.name == "__init__.py"}


def package_of(module):
    """The package whose folder a module's file lies in."""
    return module if module in PACKAGES else module.rpartition(".")[0]


def inside(module, package):
    return package == "" or module == package or module.startswith(package + ".")


def homes():
    """(package, name) -> the module that a package's `__init__` re-exports the name from."""
    found = {}
    for package in PACKAGES:
        for node in TREES[MODULES[package]].body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("campaignrl."):
                for alias in node.names:
                    found[package, alias.asname or alias.name] = node.module.removeprefix("campaignrl.")
    return found


def test_packages_import_each_other_one_way():
    """Also within a package: no folder needs another that needs it, whatever the files."""
    home, graph = homes(), defaultdict(set)
    for module, path in MODULES.items():
        if module in PACKAGES:
            continue
        for node in ast.walk(TREES[path]):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("campaignrl."):
                target = node.module.removeprefix("campaignrl.")
                for alias in node.names:
                    full = f"{target}.{alias.name}"
                    there = full if full in MODULES else home.get((target, alias.name), target)
                    graph[package_of(module)].add(package_of(there))
    done, trail = set(), []

    def visit(package):
        assert package not in trail, "packages need each other: " + " -> ".join([*trail, package])
        if package not in done:
            trail.append(package)
            for other in sorted(graph[package] - {package, ""}):
                visit(other)
            trail.pop()
            done.add(package)

    for package in sorted(PACKAGES - {""}):
        visit(package)


# Loaded only with what they need: torch, stable-baselines3, mlflow. A package that re-exported them would always do.
ON_DEMAND = {
    "envs.sb3",
    "policies.bandits.neural_features",
    "policies.deep.sb3_models",
    "policies.deep.trainer",
    "policies.deep.weight_export",
    "suites.export.mlflow_store",
}


@of_every_file
def test_packages_are_entered_by_their_front_door(path):
    """Another package's names come from its `__init__`, which says what others may use."""
    here = module_of(path)
    if path == ROOT / "__init__.py":
        return
    for node in ast.walk(TREES[path]):
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("campaignrl.")):
            continue
        target = node.module.removeprefix("campaignrl.")
        package = target.rpartition(".")[0]
        if target in PACKAGES or target in ON_DEMAND or inside(package_of(here), package):
            continue
        for alias in node.names:
            own_name = alias.name == target.rpartition(".")[2]  # re-exported, it would hide its module
            assert own_name, f"{path.name}:{node.lineno}: import {alias.name} from campaignrl.{package}"


@pytest.mark.parametrize("package", sorted(PACKAGES - {""}))
def test_a_packages_docstring_is_its_map(package):
    """Every file and folder of a package stands in the docstring of its `__init__`, and nothing else does."""
    path = MODULES[package]
    said = set(re.findall(r"^\s*(\w+(?:\.py|/))", ast.get_docstring(TREES[path]) or "", re.MULTILINE))
    files = {p.name for p in path.parent.glob("*.py")} - {"__init__.py"}
    folders = {f"{p.parent.name}/" for p in path.parent.glob("*/__init__.py")}
    assert said == files | folders


MOST_FILES = 16  # of one package, its `__init__` apart


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_is_a_room_one_can_look_over(package):
    files = [p for p in MODULES[package].parent.glob("*.py") if p.name != "__init__.py"]
    assert len(files) <= MOST_FILES, f"{package} holds {len(files)} files: split it"


@of_every_file
def test_files_and_functions_stay_readable(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_FILE, f"{path.name} has {lines} lines, at most {MAX_FILE}: it does two things"
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body  # what is said is not what is done
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= MAX_FUNCTION, f"{path.name}:{node.lineno} {node.name} has {length} lines"


@of_every_file
def test_files_say_what_lives_in_them_and_import_absolutely(path):
    tree = TREES[path]
    assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} does not say what lives in it"
    relative = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    assert not relative, f"{path.name}: relative imports in lines {relative}"
    assert not {"utils", "helpers", "manager"} & {path.stem}, f"{path.name}: the name says nothing about what it holds"


FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
# The checker of environments hands one to itself and back in memory, as a library's worker process would.
PICKLES_ITS_OWN = {"envs/vector_checks.py"}


@of_every_file
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
