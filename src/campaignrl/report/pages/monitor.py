"""The page of a monitor: what is wrong, what cannot be known, each rate as a line of days with its band.

Not here: the checks (monitor/), the layout (monitor.html.j2).
"""

from __future__ import annotations

import datetime

import numpy as np
from markupsafe import Markup

from campaignrl.ledger import EPOCH
from campaignrl.monitor import ALARM, OK, UNKNOWN, Check, Health, Rate
from campaignrl.report.pages.day_line import day_line
from campaignrl.report.pages.template import charts_style, style, template


def monitor_page(name: str, health: Health) -> str:
    """The page as text. name: of what is looked at."""
    rates = [one for one in health.checks if one.rate is not None and one.state != UNKNOWN]
    return template("monitor.html.j2").render(
        style=style() + charts_style(),
        name=name,
        health=health,
        lead=lead(health),
        rates=[(one, rate_picture(one)) for one in rates],
        others=[one for one in health.checks if one.rate is None and one.state == OK],
        unknown=[one for one in health.checks if one.state == UNKNOWN],
    )


def lead(health: Health) -> str:
    """The first sentence."""
    if health.alarms:
        return f"{len(health.alarms)} of {len(health.checks)} checks are alarms."
    if not health.is_known:
        return "Nothing is known yet: there are too few days to compare."
    judged = sum(one.state == OK for one in health.checks)
    return f"No alarm: {judged} checks are in order, {len(health.checks) - judged} cannot be judged."


def rate_picture(check: Check, label: str = "") -> Markup:
    """The days of a rate; gaps where nothing was tried."""
    rate = check.rate
    assert rate is not None
    if not len(rate.days):
        return Markup("")
    days = np.arange(int(rate.days[0]), int(rate.days[-1]) + 1)
    values = np.full(len(days), np.nan)
    values[rate.days - days[0]] = rate.means
    since = rate.since - int(days[0]) if check.state == ALARM else None
    names = [str(EPOCH + datetime.timedelta(days=int(day))) for day in days]
    return day_line(values.tolist(), label=label or check.says, band=band_of(rate), alarm_from=since, names=names)


def band_of(rate: Rate) -> tuple[float, float] | None:
    """The band, if there is one."""
    return (rate.low, rate.high) if np.isfinite(rate.low) else None
