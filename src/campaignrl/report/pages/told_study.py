"""The page of any study script: what it printed and drew, its answer first.

The answer is the first line that the study prints with a figure in it, for studies print what they found before the
tables it rests on. Tables in Markdown become tables. Not here: catching what was printed (suites/study.py), the page
(study.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from campaignrl.report.pages.study import Drawing, Part, StudyPage, Table

MOST_PICTURES = 12
PNG = b"\x89PNG\r\n\x1a\n"
_ROW = re.compile(r"^\|.*\|$")
_MARKS = re.compile(r"\*\*|`|^#+ |<!--.*?-->")


def told_page(about: str, told: str, pictures: Sequence[Path], made: Mapping[str, str]) -> StudyPage:
    """about: the study's docstring, whose first line is the question; told: what it printed; pictures: PNG files."""
    question, _, method = about.strip().partition("\n")
    drawn = [Drawing(data, path.stem.replace("_", " ")) for path in pictures if (data := path.read_bytes())[:8] == PNG]
    parts = [part for part in _parts(told) if part.tables or part.text.strip()]
    if drawn[1:]:
        parts.append(Part("Pictures", drawings=drawn[1:MOST_PICTURES]))
    words = " ".join(method.split("\n\n    ")[0].split())
    return StudyPage(_title(question), words, answer_of(told), drawn[0] if drawn else None, parts, made)


def answer_of(told: str) -> str:
    """The first line with a figure that is no row of a table and no bracket of JSON, without its marks."""
    for line in told.splitlines():
        text = _MARKS.sub("", line).strip()
        if any(c.isdigit() for c in text) and not _ROW.match(text) and not text.startswith(("{", "[", '"')):
            return text
    return "What was found stands below."


def _title(question: str) -> str:
    return question.strip().rstrip(".")


def _parts(told: str) -> list[Part]:
    """Sections by heading; within one, tables in Markdown as tables and all else as text."""
    parts, title, block = [], "What was found", list[str]()
    for line in [*told.splitlines(), "# "]:
        if line.startswith("#"):
            parts.append(_part(title, block))
            title, block = line.lstrip("# "), []
        else:
            block.append(line)
    return parts


def _part(title: str, lines: Sequence[str]) -> Part:
    tables, text, rows = [], [], list[list[str]]()
    for line in [*lines, ""]:
        if _ROW.match(line.strip()):
            rows.append([_MARKS.sub("", cell).strip() for cell in line.strip().strip("|").split("|")])
            continue
        if rows:
            tables.append(_table(rows))
            rows = []
        text.append(line)
    return Part(title, tables=tables, text="\n".join(text).strip("\n"))


def _table(rows: Sequence[Sequence[str]]) -> Table:
    head, *body = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]
    wide = max(len(row) for row in [head, *body])
    filled = [[*row, *[""] * (wide - len(row))] for row in [head, *body]]
    return Table("", filled[0], filled[1:])
