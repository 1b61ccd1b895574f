""".ci/data_sets.py: what is there is told from what is missing and what was changed."""

from pathlib import Path

import data_sets
import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_a_folder_without_them_says_where_they_are(tmp_path, capsys):
    assert data_sets.main(tmp_path) == 1
    said = capsys.readouterr().out
    assert all(name in said and data.source in said for name, data in data_sets.SETS.items())


def test_a_file_that_was_changed_is_named(tmp_path):
    name, data = next(iter(data_sets.SETS.items()))
    for file in data.files:
        path = tmp_path / name / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"something else")
    assert data_sets.state(tmp_path, name).count("is another file") == len(data.files)


def test_those_beside_this_checkout_are_as_expected(shared_data):
    assert {name: data_sets.state(shared_data, name) for name in data_sets.SETS} == dict.fromkeys(
        data_sets.SETS, "as expected"
    )


@pytest.mark.parametrize("name", data_sets.SETS)
def test_what_studies_read_is_on_the_list(name):
    assert data_sets.SETS[name].files
    studies = [*(ROOT / "experiments").rglob("*"), *(ROOT / "tests").glob("*.py"), *(ROOT / "docs").glob("*.md")]
    texts = (
        p.read_text(encoding="utf-8")
        for p in studies
        if p.suffix in (".py", ".toml", ".md") and p.name != "data_sets.py"
    )
    assert any(name in text for text in texts)
