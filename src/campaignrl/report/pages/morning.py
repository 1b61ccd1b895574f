"""The page of a morning: what would be sent, what it waits for, what to look at, what each station did.

Not here: the plan itself (plan.py), the stations (loop/).
"""

from __future__ import annotations

from collections.abc import Sequence

from campaignrl.report.pages.plan import lead
from campaignrl.report.pages.template import style, template
from campaignrl.send import Plan


def morning_page(
    name: str,
    plan: Plan,
    stations: Sequence[tuple[str, str, float]],
    *,
    alerts: Sequence[str] = (),
    waits_for: str = "",
    plan_link: str = "",
) -> str:
    """The page as text.

    Args:
        name: of the campaign.
        plan: of the day.
        stations: (name, what it did, seconds) of each.
        alerts: the gravest first.
        waits_for: the command that releases the plan; "" where nothing is waited for.
        plan_link: to the page of the plan, relative.
    """
    return template("morning.html.j2").render(
        style=style(),
        name=name,
        day=plan.day,
        lead=lead(plan),
        stations=stations,
        alerts=alerts,
        waits_for=waits_for,
        plan_link=plan_link,
    )
