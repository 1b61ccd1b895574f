"""The plan of a run on one page: what will be sent, to how many, what it costs, who gets nothing, what changed.

Made from the figures of send/plans/plan.py alone; the same plan gives the same text. Not here: those figures, the page
as it is laid out (plan.html.j2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from campaignrl.guard import MONEY
from campaignrl.report.pages.template import style, template
from campaignrl.send import AT_LEAST, Plan

SHOWN = 15  # rows of a table; the rest are summed up


class Row(NamedTuple):
    """A line with a bar. part: in [0, 1]; tells: beside it."""

    name: str
    many: str
    part: float
    tells: str = ""


def plan_page(plan: Plan) -> str:
    """The page as text."""
    used = {cell.channel for cell in plan.cells}
    channels = [channel for channel in plan.channels if channel in used]
    return template("plan.html.j2").render(
        style=style(),
        plan=plan,
        lead=lead(plan),
        figures=_figures(plan),
        certificate=_certificate(plan),
        channels=channels,
        grid=_grid(plan, channels),
        offers=_rows([(f"{cell.offer}@{cell.channel}", cell.sends) for cell in plan.cells], plan.sends),
        nothing=_rows(plan.nothing, plan.customers - plan.sends),
        blocked=_rows(plan.blocked, plan.customers),
        changes=[] if plan.change is None else _changes(plan),
    )


def lead(plan: Plan) -> str:
    """The first sentence: how many get something, for how much of what."""
    if not plan.sends:
        return f"Nothing is sent to any of {plan.customers:,} customers."
    of = "" if plan.budget is None else f" of {plan.money(plan.budget)} that may be spent"
    brings = "" if plan.gain is None else f" Expected over sending nothing: {plan.gain:,.2f} {plan.gain_unit}."
    return f"{plan.sends:,} of {plan.customers:,} customers get something, for {plan.money(plan.cost)}{of}.{brings}"


def _figures(plan: Plan) -> list[Row]:
    """What is used up of what may be used."""
    rows = [
        Row("customers with a send", f"{plan.sends:,}", _part(plan.sends, plan.customers), f"of {plan.customers:,}")
    ]
    if plan.budget is not None:
        of = f"of {plan.money(plan.budget)}"
        rows.append(Row("budget of this run", plan.money(plan.cost), _part(plan.cost, plan.budget), of))
    for channel, sends, most in plan.capacity:
        rows.append(Row(f"capacity of {channel}", f"{sends:,}", _part(sends, most), f"of {most:,}"))
    for name, sends, asked in plan.least:
        rows.append(Row(f"at least of {name}", f"{sends:,}", _part(sends, asked), f"of {asked:,} asked for"))
    return rows


def _certificate(plan: Plan) -> str:
    """What no plan can exceed, and what one more of what is scarce would bring; "" where the lot served."""
    made = plan.certificate
    if made is None:
        return ""
    unit = {MONEY: (plan.minor_per_unit, f"{plan.currency} of budget")}  # of money the price is of a minor unit
    scarce = [
        f"one more {unit.get(name, (1, f'of {name}'))[1]} {price * unit.get(name, (1, ''))[0]:,.2f}"
        for name, price in made.prices.items()
        if price > 0 and not name.startswith(AT_LEAST)
    ]
    asked = [
        f"one send less of {name.removeprefix(AT_LEAST)} would bring {price:,.2f}"
        for name, price in made.prices.items()
        if price > 0 and name.startswith(AT_LEAST)
    ]
    least = f" Its least shares cost something: {', '.join(asked)}." if asked else ""
    more = f" What is scarce would bring: {', '.join(scarce)}." if scarce else " Nothing is scarce."
    gap = f"{100 * made.relative_gap:.2f} %" if made.relative_gap >= 1e-4 else "less than 0.01 %"
    most = f"{made.value:,.2f} of at most {made.bound:,.2f} {plan.gain_unit}"
    return f"Allocated by value: {most}, {gap} from the best.{more}{least}"


def _grid(plan: Plan, channels: Sequence[str]) -> list[tuple[str, str, list[tuple[str, float]]]]:
    """(segment, customers, (sends, share of its customers) by channel) of every segment."""
    sends: Counter[tuple[str, str]] = Counter()
    for cell in plan.cells:
        sends[cell.segment, cell.channel] += cell.sends
    found = []
    for segment, customers, _ in plan.segments:
        row = [(sends[segment, channel], _part(sends[segment, channel], customers)) for channel in channels]
        found.append((segment, f"{customers:,}", [(f"{many:,}" if many else "", part) for many, part in row]))
    return found


def _rows(counts: Sequence[tuple[str, int]], whole: int) -> list[Row]:
    """The largest counts with their share of `whole`, names summed; the rest in one line."""
    summed: Counter[str] = Counter()
    for name, many in counts:
        summed[name] += many
    ranked = sorted(summed.items(), key=lambda item: (-item[1], item[0]))
    rows = [Row(name, f"{many:,}", _part(many, whole), _percent(many, whole)) for name, many in ranked[:SHOWN]]
    rest = ranked[SHOWN:]
    if rest:
        many = sum(count for _, count in rest)
        rows.append(Row(f"{len(rest)} others", f"{many:,}", _part(many, whole), _percent(many, whole)))
    return rows


def _changes(plan: Plan) -> list[tuple[str, str, str, str]]:
    """(action, then, now, difference) of every action in either plan."""
    assert plan.change is not None
    rows = plan.change.by_action[:SHOWN]
    return [(name, f"{then:,}", f"{now:,}", f"{now - then:+,}") for name, then, now in rows]


def _part(part: int, whole: int) -> float:
    return min(part / whole, 1.0) if whole else 0.0


def _percent(part: int, whole: int) -> str:
    percent = 100.0 * part / whole if whole else 0.0
    return "under 0.1 %" if 0 < percent < 0.1 else f"{percent:.1f} %"
