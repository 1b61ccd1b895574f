"""What is Chinese says what the English says: no page missing, no command or block that differs, the same headings."""

import re
from pathlib import Path

import pytest
from site_pages.navigation import TRANSLATED

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
PAIRS = {page: (DOCS / page, DOCS / "zh" / page) for page in TRANSLATED}
PAIRS["README.md"] = (ROOT / "README.md", ROOT / "README.zh.md")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMES = {"# campaignrl", "## MaskablePPO"}  # headings that are names
INLINE = re.compile(r"`(campaignrl [^`]+|make \w+)`")


def blocks(text):
    return [found[0] for found in FENCE.finditer(text)]


def outline(text):
    """Levels of headings, rows of tables, items of lists and pictures, in order."""
    lines = FENCE.sub("", text).splitlines()
    marks = (re.match(r"(#+ |\||[-*] |\d+\. |!\[)", line) for line in lines)
    return [mark[1] for mark in marks if mark]


@pytest.mark.parametrize("page", PAIRS)
def test_a_chinese_page_has_the_same_blocks(page, request):
    english, chinese = PAIRS[page]
    wanted, text = blocks(english.read_text(encoding="utf-8")), chinese.read_text(encoding="utf-8")
    if request.config.getoption("--refresh-docs"):
        fresh = iter(wanted)
        text = FENCE.sub(lambda old: next(fresh, old[0]), text)
        chinese.write_text(text, encoding="utf-8")
    assert blocks(text) == wanted


@pytest.mark.parametrize("page", PAIRS)
def test_a_chinese_page_is_built_as_the_english_one(page):
    english, chinese = (path.read_text(encoding="utf-8") for path in PAIRS[page])
    assert outline(chinese) == outline(english)
    assert sorted(set(INLINE.findall(chinese))) == sorted(set(INLINE.findall(english)))


@pytest.mark.parametrize("page", PAIRS)
def test_a_chinese_page_is_chinese(page):
    """But for names, commands and code: every paragraph has Chinese in it."""
    text = FENCE.sub("", PAIRS[page][1].read_text(encoding="utf-8"))
    paragraphs = [p for p in re.split(r"\n\s*\n", text) if re.search(r"[A-Za-z]{4}", re.sub(r"`[^`]*`|\(.*?\)", "", p))]
    assert [p for p in paragraphs if not CHINESE.search(p) and p not in NAMES] == []


def test_no_chinese_page_is_alone_and_none_of_those_promised_is_missing():
    there = {path.relative_to(DOCS / "zh").as_posix() for path in (DOCS / "zh").rglob("*.md")}
    assert there == set(TRANSLATED)


def test_every_tutorial_and_guide_is_promised_in_chinese():
    pages = {p.relative_to(DOCS).as_posix() for folder in ("tutorials", "how-to") for p in (DOCS / folder).glob("*.md")}
    assert pages <= set(TRANSLATED)
