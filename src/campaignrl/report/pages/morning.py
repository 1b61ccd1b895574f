"""The page of a morning: what would be sent, what it waits for, what to look at, what each station did.

What it waits for may change after the morning, and is said anew on the page that is there. Not here: the plan itself
(plan.py), the stations (loop/).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from campaignrl.report.pages.plan import lead
from campaignrl.report.pages.template import style, template
from campaignrl.send import Plan

BADGES = {"waits for": "caution", "released": "trust", "halted": "refuse"}
STANDING = re.compile(r'<p class="note" id="standing" data-day="([0-9-]+)">.*?</p>', re.DOTALL)


class Standing(NamedTuple):
    """What stands between a plan and its sends: `waits for` a command, `released`, or `halted`, by whom and when."""

    word: str
    said: str
    is_command: bool = True


def morning_page(
    name: str,
    plan: Plan,
    stations: Sequence[tuple[str, str, float]],
    *,
    standing: Standing,
    alerts: Sequence[str] = (),
    plan_link: str = "",
) -> str:
    """The page as text.

    Args:
        name: of the campaign.
        plan: of the day.
        stations: (name, what it did, seconds) of each.
        standing: what is waited for, or who released or halted it.
        alerts: the gravest first.
        plan_link: to the page of the plan, relative.
    """
    return template("morning.html.j2").render(
        style=style(),
        name=name,
        day=plan.day,
        lead=lead(plan),
        stations=stations,
        alerts=alerts,
        standing=_paragraph(standing, str(plan.day)),
        plan_link=plan_link,
    )


def day_of_page(page: str) -> datetime.date | None:
    """The day of a page of a morning; None where it does not say what is waited for."""
    found = STANDING.search(page)
    return datetime.date.fromisoformat(found[1]) if found else None


def restated(page: str, standing: Standing) -> str:
    """The page of a morning with another word on what is waited for."""
    return STANDING.sub(lambda found: str(_paragraph(standing, found[1])), page, count=1)


def _paragraph(standing: Standing, day: str) -> Markup:
    said = Markup("<code>{}</code>" if standing.is_command else "{}").format(standing.said)
    start = Markup('<p class="note" id="standing" data-day="{}"><span class="badge {}">{}</span> {}</p>')
    return start.format(day, BADGES[standing.word], standing.word, said)
