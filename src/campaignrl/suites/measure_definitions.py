"""Every figure of a benchmark, defined once: formula, unit, source, and which way is better.

A run keeps quantities: means per customer of what is counted (orders, sends, margin ...), of all customers and of each
segment. A measure is a formula of a run's quantities and of its twin's, the same customers with the same luck who were
sent nothing; so the same formula serves all customers and each segment. Not here: how quantities are taken from a
campaign (measure.py), intervals over customers of the same figures (report/facts/kpi.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from campaignrl.errors import nearest

Quantities = Mapping[str, float]  # by name, means per customer
Formula = Callable[[Quantities, Quantities], float]

CONTRIBUTION = "contribution"  # the measure that gates unless a suite says more


class Measure(NamedTuple):
    """One figure of a run."""

    id: str
    unit: str  # "share" is a fraction; "money" the world's currency
    formula: str
    better: int  # 1: more is better; -1: less; 0: neither by itself
    of: Formula
    source: str = "accounting identity"


def _over(numerator: str, denominator: str, times: float = 1.0) -> Formula:
    return lambda own, twin: times * _ratio(own[numerator], own[denominator])


def _mean(name: str) -> Formula:
    return lambda own, twin: own[name]


def _extra(name: str) -> Formula:
    return lambda own, twin: own[name] - twin[name]


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else math.nan


def _spent(own: Quantities) -> float:
    return own["cost"] + own["discount"]


def _roi(own: Quantities, twin: Quantities) -> float:
    return _ratio(own["margin"] - twin["margin"] - _spent(own), _spent(own))


_FARRIS = "Farris et al. 2010, Marketing Metrics"

_ALL = (
    Measure(
        CONTRIBUTION, "money per customer", "margin - discounts - sends - value of lost permissions", 1, _mean("reward")
    ),
    Measure("gain", "money per customer", "contribution - contribution of the twin", 1, _extra("reward")),
    Measure("extra_margin", "money per customer", "margin - margin of the twin", 1, _extra("margin")),
    Measure("clv", "money per customer", "contribution + expected margin of the year after, nothing sent (latent)", 1,
            lambda own, twin: own["reward"] + own.get("year_after", math.nan),
            "Pareto/NBD rates, Schmittlein et al. 1987"),
    Measure("revenue", "money per customer", "orders at full price", 0, _mean("revenue")),
    Measure("discount", "money per customer", "discounts given", 0, _mean("discount")),
    Measure("cost", "money per customer", "price of the sends", 0, _mean("cost")),
    Measure("marketing", "money per customer", "sends + discounts", 0, lambda own, twin: _spent(own)),
    Measure("roi", "share", "(extra margin - marketing) / marketing", 1, _roi, _FARRIS),
    Measure("sends", "per customer", "messages sent", 0, _mean("sent")),
    Measure("orders", "per customer", "orders", 1, _mean("bought")),
    Measure("conversion", "share", "customers who ordered / customers", 1, _mean("buyers")),
    Measure("ctr", "share", "clicks / delivered messages", 1, _over("clicked", "delivered"), _FARRIS),
    Measure("cost_per_reach", "money per message", "price of the sends / delivered messages", -1,
            _over("cost", "delivered"), _FARRIS),
    Measure("cac", "money per new customer", "(sends to + discounts for never-buyers) / first orders", -1,
            _over("marketing_new", "new_buyers"), _FARRIS),
    Measure("repurchase", "share", "who ordered again / who ordered", 1, _over("repeat_buyers", "buyers"), _FARRIS),
    Measure("retention", "share", "active at the end / active at the start (latent)", 1,
            _over("active_end", "active_start"), _FARRIS),
    Measure("retention_top", "share", "the same, of the fifth with the most orders before the campaign (latent)", 1,
            _over("top_end", "top_start"), _FARRIS),
    Measure("satisfaction", "log-odds", "mean above the level at the end (latent)", 1,
            lambda own, twin: own.get("satisfaction", math.nan),
            "RecSim long-term satisfaction, Ie et al. 2019"),
    Measure("unsubscribes", "per 1,000 sends", "1,000 x permissions lost / sends", -1,
            _over("unsubscribed", "sent", 1000.0)),
    Measure("opt_outs", "per 100 customers", "100 x permissions lost / customers", -1,
            lambda own, twin: 100.0 * own["unsubscribed"]),
    Measure("contact_pressure", "per active customer and week", "7 x sends / customers active at the start / days", -1,
            lambda own, twin: 7.0 * _ratio(own["sent"], own["active_start"]) / own["days"]),
    Measure("discount_depth", "share", "discounts / revenue at full price", -1, _over("discount", "revenue"), _FARRIS),
    Measure("orders_per_100_sends", "orders", "100 x orders / sends", 1, _over("bought", "sent", 100.0)),
    Measure("extra_orders_per_100_sends", "orders", "100 x (orders - orders of the twin) / sends", 1,
            lambda own, twin: 100.0 * _ratio(own["bought"] - twin["bought"], own["sent"])),
    Measure("budget_use", "share", "price of the sends / the world's budget", 0, _over("cost", "budget")),
    Measure("regret", "money per customer", "contribution of the suite's best policy in this world - contribution", -1,
            lambda own, twin: own.get("best", math.nan) - own["reward"], "Lai & Robbins 1985"),
    Measure("ceiling_share", "share", "gain / gain of the observable ceiling, where the suite states one", 1,
            lambda own, twin: _ratio(own["reward"] - twin["reward"], own.get("ceiling", math.nan)),
            "experiments/observable_ceiling.py"),
)  # fmt: skip

MEASURES: Mapping[str, Measure] = MappingProxyType({measure.id: measure for measure in _ALL})


GATED: Mapping[str, Measure] = MappingProxyType({m.id: m for m in _ALL if m.better})  # those that may have a margin


def measure_fix(name: str) -> str:
    """What to write instead of a measure that nobody knows or that has no better."""
    return nearest(name, GATED) or f"Measures that can gate: {', '.join(GATED)}."


# Of the sends by one channel, or of one offer: from sends, cost and answers per customer of all.
OF_SENDS: Mapping[str, Measure] = MappingProxyType({
    m.id: m
    for m in (
        Measure("sends", "per customer", "messages sent", 0, _mean("sent")),
        Measure("cost", "money per customer", "price of the sends", 0, _mean("cost")),
        MEASURES["ctr"],
        MEASURES["cost_per_reach"],
        MEASURES["unsubscribes"],
    )
})  # fmt: skip


def measured_sends(own: Quantities) -> dict[str, float | None]:
    """The measures of the sends by a channel or of an offer; None where it cannot be had."""
    found = {name: measure.of(own, own) for name, measure in OF_SENDS.items()}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def measures_table() -> str:
    """Every measure as a table in Markdown, as docs/gate.md shows it."""
    better = {1: "more", -1: "less", 0: "-"}
    rows = [f"| {m.id} | {m.unit} | {m.formula} | {better[m.better]} | {m.source} |" for m in MEASURES.values()]
    return "\n".join(["| measure | unit | formula | better | source |", "|---|---|---|---|---|", *rows])


def measured(own: Quantities, twin: Quantities) -> dict[str, float | None]:
    """Every measure by its id; None where it cannot be had, such as a rate of sends where nothing was sent."""
    found = {name: measure.of(own, twin) for name, measure in MEASURES.items()}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
