"""The report as one HTML page that needs nothing but itself: no network, no script.

Every text from data is escaped by the template; only our own drawings go in as they are. Not here: what the page
says (sections.py, captions.py), its layout (page.html.j2).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from markupsafe import Markup

from campaignrl.report.facts import Gain, ReportContent
from campaignrl.report.pages import sections, style
from campaignrl.report.pages.template import template
from campaignrl.tables.files import write_whole

if TYPE_CHECKING:
    from campaignrl.report.figures import Picture

__all__ = ["Gain", "ReportContent", "page", "write_report"]


def write_report(path: str | Path, content: ReportContent) -> None:
    """Write the page to `path`, whole or not at all."""
    text = page(content).encode("utf-8", errors="replace")

    def write(out: BinaryIO) -> None:
        out.write(text)

    write_whole(path, write)


def page(content: ReportContent) -> str:
    """The page as text; the same content gives the same text."""
    from campaignrl.report.figures import captions as pictures  # matplotlib is slow to import
    from campaignrl.report.figures import evidence_pictures

    shown = pictures.over_days(content)
    return template("page.html.j2").render(
        style=style(),
        content=content,
        reference=_reference(content),
        unit=_unit(content),
        headline=sections.headline(content),
        rows=sections.first_table(content),
        cards=sections.cards(content),
        forest=[_safe(picture) for picture in pictures.forest(content)],
        evidence=[_safe(picture) for picture in evidence_pictures(content)],
        over_days=_safe(shown) if shown is not None else None,
        heatmaps=[_safe(picture) for picture in pictures.heatmaps(content)],
        kpis=sections.kpi_table(content),
        made_of=sections.made_of(content),
        estimators=sections.estimator_tables(content),
    )


def _reference(content: ReportContent) -> str:
    """What the first table measures against, "" where there is nothing to measure against."""
    if content.campaigns:
        return "" if content.reference is None else content.label(content.reference.policy)
    references = {e.reference for e, _ in content.evaluations}
    return " / ".join(content.label(name) for name in sorted(references))


def _unit(content: ReportContent) -> str:
    if content.campaigns:
        return f"{content.currency} per customer, {content.campaigns[0].world.horizon} days"
    if not content.evaluations:
        return ""
    first = content.evaluations[0][0]
    return f"{first.reward}, {first.per}"


def _safe(picture: Picture) -> Picture:
    return picture._replace(svg=Markup(picture.svg))  # made by svg_inline.py, its texts escaped there
