"""How an object of ours shows itself: a line in a terminal, a small table in a notebook.

Names come from other people's files, so a line stays one line and HTML is escaped, whatever they hold. Not here:
pages and pictures (report/), tables of the command line (cli/terminal/console.py).
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def one_line(text: str) -> str:
    """The text on one line: line breaks and other characters that do not print become their escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def html_table(
    heading: str, head: Sequence[str] = (), rows: Iterable[Sequence[str]] = (), notes: Sequence[str] = ()
) -> str:
    """A heading, a table and notes as HTML, every text escaped. head: names of the columns, none: no head."""
    lines = [_cells("th", head)] if head else []
    lines += [_cells("td", row) for row in rows]
    table = f"<table>{''.join(lines)}</table>" if lines else ""
    listed = f"<ul>{''.join(f'<li>{_safe(note)}</li>' for note in notes)}</ul>" if notes else ""
    return f"<div><p>{_safe(heading)}</p>{table}{listed}</div>"


def _cells(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{_safe(cell)}</{tag}>" for cell in cells) + "</tr>"


def _safe(text: str) -> str:
    return html.escape(one_line(text))
