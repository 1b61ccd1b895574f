"""Studies and benchmarks: public names only, one shape, and indexes that list exactly what is in the folders."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from campaignrl.errors import DataError
from campaignrl.suites import kept, run_cells, run_study, study_words

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "campaignrl"
STUDIES = sorted((ROOT / "experiments").glob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
HELD_BY_A_STUDY = {
    *("bounds_tables", "ceiling_models", "full_tables", "learners_tables", "ranking_waves"),
    *("starbucks_campaign", "starbucks_log"),
}
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
    found |= {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    found |= {t for n in tree.body if isinstance(n, ast.Assign | ast.AnnAssign) for t in targets(n)}
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
    whole = [a for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    bound = {a.asname or "campaignrl" for a in whole if a.name.split(".")[0] == "campaignrl"}
    bound |= {name for _, name, _ in imports(path)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in bound:
            private = node.attr.startswith("_") and not node.attr.startswith("__") and node.attr not in NAMED_TUPLE
            assert not private, f"{path.relative_to(ROOT)}:{node.lineno} uses {ast.unparse(node)}"


INDEXES = {  # folder: the names its README lists
    "envs": lambda text: set(re.findall(r"^\| `(\w+)\.toml` \|", text, flags=re.MULTILINE)),
    "policies": lambda text: set(re.findall(r"^\| \[(\w+)\]\(\1\.toml\) \|", text, flags=re.MULTILINE)),
}


@pytest.mark.parametrize("folder", INDEXES)
def test_an_index_lists_every_file_and_nothing_else(folder):
    listed = INDEXES[folder]((ROOT / folder / "README.md").read_text(encoding="utf-8"))
    assert listed == {path.stem for path in (ROOT / folder).glob("*.toml")}


SECTIONS = ("Description", "Segments", "Actions", "Hidden", "Budget, capacity, caps", "Horizon", "Sources")


def test_every_world_is_described_under_the_same_headings():
    text = (ROOT / "envs" / "README.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert parts.keys() == {path.stem for path in (ROOT / "envs").glob("*.toml")}
    for name, part in parts.items():
        assert re.findall(r"^- \*\*([^*]+)\*\*", part, flags=re.MULTILINE) == [*SECTIONS, "Version history"], name
        world = tomllib.loads((ROOT / "envs" / f"{name}.toml").read_text(encoding="utf-8"))
        shares = {segment: f"{round(100 * values['share'])} %" for segment, values in world["segments"].items()}
        assert dict(re.findall(r"(\w+)\s+(\d+\s%)", section(part, "Segments"))) == shares, name
        assert f"{world['horizon']} days" in section(part, "Horizon"), name
        assert all(offer in section(part, "Actions") for offer in world["offers"]), name
        assert all(channel in section(part, "Actions") for channel in world["channels"]), name


def section(part, name):
    """The text of one heading, on one line."""
    return " ".join(part.split(f"- **{name}**: ")[1].split("\n- **")[0].split())


def test_every_kind_of_a_policy_file_is_described_with_settings_it_has():
    text = (ROOT / "policies" / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, flags=re.MULTILINE))
    files = [tomllib.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "policies").glob("*.toml")]
    assert rows.keys() == {file["kind"] for file in files}
    known = {name for file in files for name in file} | set(rows)
    for kind, settings in rows.items():
        assert set(re.findall(r"`(\w+)`", settings)) <= known, kind


@pytest.mark.parametrize("path", WORK_OF_ITS_OWN, ids=named)
def test_a_study_has_the_one_shape_and_stands_in_the_index(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    about, functions = ast.get_docstring(tree), {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    assert f"python experiments/{path.name}" in about, "its docstring shows how it is called"
    assert [a.arg for a in functions["main"].args.args] == ["argv"]
    assert "study_words(__doc__" in text, "the words that studies share"
    assert text.endswith('if __name__ == "__main__":\n    run_study(main)\n')
    assert f"[{path.name}]({path.name})" in (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")


def test_the_index_of_studies_lists_every_script_once():
    text = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\.py\]\(\1\.py\) \|", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in STUDIES)


def test_cells_come_back_in_their_order_and_kept_answers_are_not_made_again(tmp_path):
    assert run_cells(abs, [-3, 2, -1]) == run_cells(abs, [-3, 2, -1], workers=2) == [3, 2, 1]
    path, made = tmp_path / "parts" / "one.json", []
    assert kept(path, lambda: made.append(1) or {"n": 1}) == kept(path, lambda: made.append(1) or {"n": 2}) == {"n": 1}
    assert len(made) == 1
    assert kept(path, lambda: {"n": 3}, fresh=True) == {"n": 3}


def test_a_study_ends_with_its_code_and_tells_our_errors_in_their_words(capsys):
    def refuses():
        raise DataError("log.csv: no rows")

    with pytest.raises(SystemExit) as left:
        run_study(lambda: 1)
    assert left.value.code == 1
    with pytest.raises(SystemExit) as left:
        run_study(refuses)
    assert left.value.code == DataError.exit_code
    assert capsys.readouterr().err == "log.csv: no rows\n"


def test_the_words_that_studies_share():
    asked = study_words("About.", "runs/x", json=True, workers=2).parse_args(["--out", "y", "--json"])
    assert (asked.output, asked.json, asked.workers) == (Path("y"), True, 2)
    assert not hasattr(study_words("About.").parse_args([]), "output")
