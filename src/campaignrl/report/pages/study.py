"""A study's page: the answer in a sentence and a picture, then what it rests on; one HTML file that needs no other.

Here: what such a page is made of, and its HTML, for a file and for a notebook. Not here: the pages of particular
studies (benchmark_study.py, told_study.py), the layout (study.html.j2).
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from markupsafe import Markup

from campaignrl.errors import Problem, UsageError
from campaignrl.report.pages.template import style, template
from campaignrl.tables.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 3_000_000  # bytes of a page
BADGES = {"improvement": "trust", "worse": "refuse", "inconclusive": "caution", "equal": "plain"}


class Drawing(NamedTuple):
    """One picture: a figure of ours, or a PNG as it is."""

    of: Figure | bytes
    caption: str
    says: str = ""  # the picture in words, for those who hear it


class Table(NamedTuple):
    """Cells as texts; badges: cells shown as one, by their text."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[int] = ()  # columns of numbers
    folded: bool = False
    badges: Mapping[str, str] = {}


class Part(NamedTuple):
    """One section."""

    title: str
    note: str = ""
    drawings: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()
    text: str = ""  # as a terminal shows it


@dataclass(frozen=True)
class StudyPage:
    """What a study found.

    Attributes:
        title, question: what was asked; answer: a sentence derived from the figures; lead: the one picture beside it.
        parts: what it rests on, section by section; made: how it was made, name by name.

    Example:
        >>> from campaignrl.report.pages import StudyPage
        >>> page = StudyPage("Coupons", "Do they pay?", "No: -3 % [-5, -1].", made={"Seeds": "20"})
        >>> "-3 % [-5, -1]" in page.html()
        True
    """

    title: str
    question: str
    answer: str
    lead: Drawing | None = None
    parts: Sequence[Part] = ()
    made: Mapping[str, str] = field(default_factory=dict)

    def html(self) -> str:
        """The page; the same content gives the same text."""
        return self._text

    @cached_property
    def _text(self) -> str:
        """Made once, for a figure that is drawn again is not the same to the last id."""
        return template("study.html.j2").render(style=style(), page=self, drawing=_Drawn())

    def write(self, path: str | Path) -> None:
        """Write the page, whole or not at all; UsageError where it would be too large to hand on."""
        content = self.html().encode("utf-8", errors="replace")
        if len(content) > LARGEST:
            fix = "Leave out parts or pictures of it."
            raise UsageError(Problem(str(path), "size", len(content), f"at most {LARGEST:,} bytes", fix))
        write_whole(path, partial(_put, content=content))

    def _repr_html_(self) -> str:
        """In a notebook: in a frame, so that its style stays its own."""
        return f'<iframe srcdoc="{html.escape(self.html())}" style="width:100%;height:820px;border:0"></iframe>'


class _Drawn:
    """Pictures as HTML, each with ids of its own."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, drawing: Drawing) -> Markup:
        from campaignrl.report.figures import inline_svg, svg_bytes  # matplotlib is slow to import

        self._count += 1
        caption = f"<figcaption>{html.escape(drawing.caption)}</figcaption>" if drawing.caption else ""
        says = drawing.says or drawing.caption
        if isinstance(drawing.of, bytes):
            data = base64.b64encode(drawing.of).decode("ascii")
            shown = f'<img alt="{html.escape(says)}" src="data:image/png;base64,{data}">'
        else:
            shown = inline_svg(svg_bytes(drawing.of), f"d{self._count}", says)
        return Markup(
            f'<figure>{caption}<div class="wide" tabindex="0">{shown}</div></figure>'
        )  # our own; texts escaped above


def _put(out: BinaryIO, content: bytes) -> None:
    out.write(content)
