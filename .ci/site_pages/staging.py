"""Pages and pictures of the repository as a folder for mkdocs, with links that hold there.

Not here: pages that are generated (api.py, commands.py, keys.py, tables.py).
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OF_THE_PROJECT = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "LICENCES.md")
GENERATED = ("reference", "notebooks")  # folders of pages that are made; what docs/ has there is for the repository
PICTURES = (".svg", ".png", ".yml", ".html")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
NOT_TRANSLATED = '!!! note "本页暂无中文版，以下为英文原文"\n\n'


def sources(chinese: bool = False) -> dict[str, Path]:
    """Page of the site -> its file: docs/, in Chinese docs/zh/ where there is one, and files of the project."""
    english = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    own = {page.removeprefix("zh/"): path for page, path in english.items() if page.startswith("zh/")}
    english = {page: path for page, path in english.items() if page.split("/")[0] not in ("zh", "site", *GENERATED)}
    english |= {name: ROOT / name for name in OF_THE_PROJECT if (ROOT / name).is_file()}
    return english | own if chinese else english


def stage(target: Path, chinese: bool = False) -> list[str]:
    """Write every page and picture under `target`; the pages, as the site names them."""
    pages = sources(chinese)
    where = {path: page for page, path in pages.items()}
    where |= {path: page for page, path in sources().items()}
    for page, path in pages.items():
        text = linked(path.read_text(encoding="utf-8"), path, page, where)
        if chinese and "zh" not in path.relative_to(ROOT).parts:
            text = _below_title(text, NOT_TRANSLATED)
        _write(target / page, text)
    for picture in (p for p in DOCS.rglob("*") if p.suffix in PICTURES and "site" not in p.relative_to(DOCS).parts):
        place = target / _site_path(picture)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, place)
    shutil.copytree(DOCS / "site" / "assets", target / "assets", dirs_exist_ok=True)
    return sorted(pages)


def linked(text: str, path: Path, page: str, where: dict[Path, str]) -> str:
    """`text` with links to pages and pictures as the site has them; a link to any other file is left as its words."""
    parts, end = [], 0
    for fence in FENCED.finditer(text):
        parts += [_links(text[end : fence.start()], path, page, where), fence[0]]
        end = fence.end()
    return "".join([*parts, _links(text[end:], path, page, where)])


def _links(text: str, path: Path, page: str, where: dict[Path, str]) -> str:
    def turned(found: re.Match[str]) -> str:
        mark, words, aim = found.groups()
        name, _, anchor = aim.partition("#")
        if not name or "://" in name or name.startswith("mailto:"):
            return found[0]
        file = (path.parent / name).resolve()
        made = file.parent.parent == DOCS and file.parent.name in GENERATED and file.suffix == ".md"
        words = _links(words, path, page, where) if "](" in words else words
        if made or file in where or (file.suffix in PICTURES and file.is_relative_to(DOCS) and file.is_file()):
            to = where.get(file) or _site_path(file)
            there = os.path.relpath(to, PurePosixPath(page).parent)
            return f"{mark}[{words}]({there}{'#' * bool(anchor)}{anchor})"
        return words if file.exists() else found[0]

    return LINK.sub(turned, text)


def _site_path(file: Path) -> str:
    inside = file.relative_to(DOCS)
    return PurePosixPath(*(part for part in inside.parts if part != "zh")).as_posix()


def _below_title(text: str, note: str) -> str:
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{note}{rest}"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
