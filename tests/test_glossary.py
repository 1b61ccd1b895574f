"""The glossary and the code say the same: every term has its place, and its place exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "campaignrl"
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| term")
]


def defined(path):
    """Names that a module defines, assigns, or re-exports."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_term_has_a_meaning_a_place_and_its_chinese(row):
    assert len(row) == 4, row
    _, meaning, where, chinese = row
    assert len(meaning.split()) >= 4
    assert re.search(r"[\u4e00-\u9fff]|BTYD|Q|RFM", chinese)
    path, _, name = where.strip("`").partition(":")
    assert (SOURCE / path).exists(), f"{path} is not there"
    assert not name or name in defined(SOURCE / path), f"{path} holds no {name}"


def test_terms_stand_once_and_in_order():
    terms = [row[0] for row in ROWS]
    assert len(terms) == len(set(terms))
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        names = [line.split("|")[1].strip().casefold() for line in section.splitlines() if line.startswith("| ")][1:]
        assert names == sorted(names), "alphabetical within a section"


# Private words that stood here once, and the field's word that replaced them. They must not come back.
REPLACED = {
    "kinds.py": "registry.py",
    "toll.py": "shadow_prices.py",
    "together.py": "shrinkage.py",
    "untouched.py": "untreated_cohorts.py",
    "matching.py": "method_of_simulated_moments.py",
    "played.py": "rollout_checks.py",
    "held.py": "offer_validity.py",
    "course.py": "run_options.py",
    "joined.py": "merge_logs.py",
}


@pytest.mark.parametrize("word", [word for word in REPLACED if word.endswith(".py")])
def test_private_words_do_not_come_back(word):
    assert not list(SOURCE.rglob(word)), f"say {REPLACED[word]}"
