"""Links of pages hold in the repository as they are, with their places, as a reader of GitHub follows them.

Not here: links of the built site (test_site.py).
"""

import inspect
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from site_pages import api, commands, keys, tables
from site_pages.staging import FENCED, LINK

from campaignrl.policies import registry

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = {"api": api, "commands": commands, "keys": keys, "tables": tables}


def pages():
    """Every page that is kept, or would be if it were kept now."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a checkout")
    return [path for name in done.stdout.split("\n") if name and (path := ROOT / name).is_file()]


def places(text):
    """Names that GitHub gives to headings, and names given by hand."""
    found, many = set(re.findall(r'<a (?:id|name)="([^"]+)"', text)), {}
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.M):
        words = LINK.sub(lambda link: link[2], heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.add(f"{name}-{many[name]}" if name in many else name)
        many[name] = many.get(name, 0) + 1
    return found


def broken(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    links = [
        aim for _, words, aim in LINK.findall(text) for aim in (aim, *(inner for *_, inner in LINK.findall(words)))
    ]
    wrong = []
    for aim in [*links, *re.findall(r'(?:src|href)="([^"]+)"', text)]:
        name, _, anchor = unquote(aim).partition("#")
        if re.match(r"\w+:", aim):
            continue
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in places(file.read_text("utf-8"))):
            wrong.append(aim)
    return wrong


def test_no_link_of_a_page_is_broken_in_the_repository():
    found = pages()
    assert len(found) >= 70
    assert {page.relative_to(ROOT).as_posix(): wrong for page in found if (wrong := broken(page))} == {}


def test_a_broken_link_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` & c\n\n[x](#a-b--c) [y](#d) [z](gone.md) [![p](p.png)](page.md)\n\n```\n[f](f.md)\n```\n")
    assert broken(page) == ["#d", "gone.md", "p.png"]


@pytest.mark.parametrize("name", REFERENCE)
def test_a_page_of_the_reference_stands_in_the_repository_under_the_same_headings(name):
    """Made in full for the site; in the repository, where its links end, it says where the same is read."""
    kept, made = (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8"), REFERENCE[name].page()
    titles = [re.findall(r"^# .*$", text, re.M) for text in (kept, made)]
    assert titles[0] == titles[1]
    parts = [re.findall(r"^## .*$", text, re.M) for text in (kept, made)]
    assert parts[0] in ([], parts[1])


def test_the_page_of_keys_leads_to_each_model():
    text = (ROOT / "docs" / "reference" / "keys.md").read_text("utf-8")
    sources = [inspect.getsourcefile(model) for _, model in keys.FILES.values()] + [registry.__file__]
    for source in sources:
        assert f"(../../{Path(source).relative_to(ROOT).as_posix()})" in text
