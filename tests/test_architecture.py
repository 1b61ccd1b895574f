"""The map of the house is right: what it names is where it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "campaignrl"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = re.findall(r"`([\w/]+\.py)` \(`(\w+)`\)", PAGE)


@pytest.mark.parametrize(("path", "name"), PLACES)
def test_what_one_looks_for_is_there(path, name):
    assert re.search(rf"\b{name}", (SOURCE / path).read_text(encoding="utf-8")), f"{path} does not hold {name}"


def test_every_part_of_the_package_stands_in_the_map():
    table = PAGE.split("## Where is it?")[0]
    parts = {p.name + "/" for p in SOURCE.iterdir() if (p / "__init__.py").exists()}
    parts |= {p.stem for p in SOURCE.glob("*.py") if not p.name.startswith("_")}
    missing = sorted(part for part in parts - {"registration"} if f"`{part}`" not in table)
    assert not missing


def test_the_readme_leads_there():
    assert "docs/architecture.md" in (ROOT / "README.md").read_text(encoding="utf-8")
