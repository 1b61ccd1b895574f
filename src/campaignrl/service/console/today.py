"""The first page: sends, spend against budget, expected against seen, alerts.

Not here: the plan of the morning (plan.py), the checks (monitor/).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from markupsafe import Markup

from campaignrl.ledger import Ledger
from campaignrl.monitor import UNKNOWN, Check, Health, sentence
from campaignrl.report.pages import day_line, rate_picture
from campaignrl.service.api import service_of
from campaignrl.service.console.inside import ask
from campaignrl.service.console.language import catalogue, language_of, said
from campaignrl.service.console.live import figures_of
from campaignrl.service.console.page import shown, signed_in
from campaignrl.service.console.session import Visitor
from campaignrl.service.console.watch import Watch

DAYS = 28
SEEN = ("outcomes", "order", "margin")


@signed_in
async def today(request: Request, visitor: Visitor) -> Response:
    """The page."""
    watch: Watch = request.app.state.watch
    plan = await ask(request, visitor, "GET", "/v1/plan")
    ready = await ask(request, visitor, "GET", "/readyz")
    health = await asyncio.to_thread(watch.newest)
    days = await asyncio.to_thread(days_of, watch)
    minor = service_of(request).settings.world.money.minor_per_unit
    figures = figures_of(plan.facts, minor)
    sends = sorted(plan.facts["sends"], key=lambda one: -one["sends"])
    return shown(
        request,
        visitor,
        "today",
        plan=plan.facts,
        figures=figures,
        used=_share(plan.facts, minor),
        sends=sends,
        most=max((one["sends"] for one in sends), default=1),
        minor=minor,
        wrong=ready.facts.get("wrong", []),
        health=health,
        alarms=[] if health is None else [alarm(language_of(request), one) for one in health.alarms],
        pictures=[] if health is None else _pictures(health, language_of(request)),
        days=_lines(days, language_of(request)),
    )


def alarm(language: str, check: Check) -> str:
    """What a check says, in a language."""
    words, figures = catalogue()[language], dict(check.figures)
    if "name" in figures:
        figures["name"] = check_name(language, str(figures["name"]))
    return sentence(f"says.{check.code.replace('.', '_')}", figures, words)


def check_name(language: str, name: str) -> str:
    """What the monitor calls a check: `open@sms`, `feed order`, `feature age`. Names that come from data stay."""
    kind, _, of = name.partition(" ")
    if of and kind in ("feed", "feature"):
        return said(language, f"check.{kind}", name=check_name(language, of) if kind == "feed" else of)
    rate, _, channel = name.partition("@")
    told = catalogue()[language].get(f"check.{rate.replace(' ', '_')}", rate)
    return said(language, "check.on_channel", name=told, channel=channel) if channel else told


def days_of(watch: Watch) -> list[tuple[str, int, float]]:
    """(day, sends, cost in currency) of the last days of the ledger."""
    place = watch.ledger
    if place is None:
        return []
    ledger, found = Ledger.open(place), defaultdict[str, list[int]](lambda: [0, 0])
    for run in ledger.runs():
        found[run["day"]][0] += run["sends"]
        found[run["day"]][1] += run["cost_minor"]
    rows = [(day, many, cost / ledger.minor_per_unit) for day, (many, cost) in sorted(found.items())]
    return rows[-DAYS:]


def _lines(days: list[tuple[str, int, float]], language: str) -> list[tuple[str, Markup]]:
    """Pictures of sends and money by day."""
    if len(days) < 2:
        return []
    names = [day for day, _, _ in days]
    columns = (("today.sends_by_day", [float(n) for _, n, _ in days]), ("today.cost_by_day", [c for _, _, c in days]))
    return [(key, day_line(values, label=said(language, key), names=names)) for key, values in columns]


def _pictures(health: Health, language: str) -> list[tuple[str, str, str, Markup]]:
    """(name, state, sentence, picture) of what came against what was expected."""
    found = {one.name: one for one in health.checks if one.rate is not None and one.state != UNKNOWN}
    rows = [found[name] for name in SEEN if name in found]
    return [(one.name, one.state, alarm(language, one), rate_picture(one, alarm(language, one))) for one in rows]


def _share(plan: dict[str, Any], minor: int) -> float | None:
    """Of today's money what is spent, in [0, 1]; None without a limit."""
    left = plan["left"]["money"]
    if left is None:
        return None
    spent = sum(one["cost_minor"] for one in plan["sends"]) / minor
    return min(1.0, spent / (spent + left)) if spent + left > 0 else 0.0
