"""What a study writes into a page of docs stands between its marks, and one place writes it."""

import ast
from pathlib import Path

import pytest

from campaignrl.suites import read_between, write_between

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "experiments").glob("*.py"))
PAGES = sorted((ROOT / "docs").glob("*.md"))
OWN_FORM = {"bounds_tables", "realism"}  # a whole page around another study's marks; one mark of end for three parts


def test_a_text_takes_the_place_of_the_one_before_and_the_rest_of_the_page_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a table -->\nold\n<!-- a table: end -->\nafter\n")
    write_between(page, "a table", "| new |\n")
    assert page.read_text() == "before\n<!-- a table -->\n| new |\n<!-- a table: end -->\nafter\n"
    assert read_between(page, "a table") == "| new |"
    write_between(page, "a table", "| new |")  # with a last line's end or without
    assert page.read_text() == "before\n<!-- a table -->\n| new |\n<!-- a table: end -->\nafter\n"


def test_a_mark_that_begins_like_another_is_another(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- a -->\n1\n<!-- a: end -->\n<!-- a b -->\n2\n<!-- a b: end -->\n")
    write_between(page, "a", "3")
    assert (read_between(page, "a"), read_between(page, "a b")) == ("3", "2")


def test_without_its_marks_a_page_gets_them_at_its_end(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n")
    assert read_between(page, "new") == ""
    write_between(page, "new", "text")
    assert page.read_text() == "before\n\n<!-- new -->\ntext\n<!-- new: end -->\n"
    page.write_text("before\n<!-- half -->\nafter\n")
    assert read_between(page, "half") == ""
    write_between(page, "half", "text")
    assert page.read_text().startswith("before\n<!-- half -->\nafter\n")  # nothing of it is lost


@pytest.mark.parametrize("path", [path for path in STUDIES if path.stem not in OWN_FORM], ids=lambda path: path.stem)
def test_no_study_writes_marks_of_its_own(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if "<!--" in text], "campaignrl.suites.write_between"


def test_what_stands_there_is_written_again_to_the_same_bytes(tmp_path):
    marks = ("ceiling", "rollout", "rollout trainings", "warm starts", "promises", "full", "levers", "abtests")
    for page in PAGES:
        text, copy = page.read_text(encoding="utf-8"), tmp_path / page.name
        copy.write_text(text, encoding="utf-8")
        for mark in marks:
            if f"<!-- {mark} -->" in text:
                write_between(copy, mark, read_between(copy, mark) + "\n")
        assert copy.read_text(encoding="utf-8") == text
