"""The figures a marketing team steers by, from simulated campaigns, each with a unit and a 95 % interval.

Not here: how the intervals are made (ratio_intervals.py), what the figures look like on a page (wording.py, html.py),
estimates from logs (ope/). n customers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from campaignrl.arrays import Float
from campaignrl.campaign import Campaign
from campaignrl.errors import Problem, UsageError
from campaignrl.report.facts.ratio_intervals import UNKNOWN, per_customer, ratio, share
from campaignrl.specs import Segment, World
from campaignrl.true_value import Value

NONE = "none"  # the policy that never sends


class Kpi(NamedTuple):
    """One figure: what it is called, its unit, what it means, and how large it is."""

    id: str
    name: str
    unit: str  # "share" is a fraction in [0, 1]; money says its currency
    meaning: str
    value: Value  # NaN where it cannot be had


def kpis(campaign: Campaign, none: Campaign | None = None) -> tuple[Kpi, ...]:
    """All figures of a campaign; `none` is the same customers and seed with nothing sent, for what is extra."""
    if none is not None:
        check_same_customers((campaign, none))
    currency = campaign.world.money.currency
    return tuple(Kpi(m.id, m.name, m.unit.format(currency=currency), m.meaning, m.of(campaign, none)) for m in MEASURES)


def kpi_frame(campaigns: Sequence[Campaign]) -> pd.DataFrame:
    """One row per policy and figure; the campaign named `none`, if among them, is what the extra is over."""
    none = find(campaigns, NONE)
    rows = [
        {"policy": c.policy, "kpi": k.id, "name": k.name, "unit": k.unit, **k.value._asdict(), "meaning": k.meaning}
        for c in campaigns
        for k in kpis(c, none)
    ]
    return pd.DataFrame(rows)


def find(campaigns: Sequence[Campaign], policy: str) -> Campaign | None:
    """The campaign of a policy by its name."""
    return next((c for c in campaigns if c.policy == policy), None)


def check_same_customers(campaigns: Sequence[Campaign]) -> None:
    """UsageError unless the campaigns differ in nothing but the policy."""
    first = campaigns[0]
    for c in campaigns[1:]:
        if c.world != first.world or c.seed != first.seed or not np.array_equal(c.segment, first.segment):
            theirs = f"world {c.world.name}, seed {c.seed}, {len(c.segment)} customers"
            ours = f"world {first.world.name}, seed {first.seed} and the {len(first.segment)} customers"
            raise UsageError(Problem(f"campaign of {c.policy}", "played in", theirs, f"{ours} of {first.policy}"))


def top_segment(world: World) -> int:
    """The code of `high_value`, or of the segment with the highest expected margin a day where none is called so."""

    def margin(segment: Segment) -> float:
        return segment.purchase.rate * segment.basket.mean * segment.basket.margin

    names = list(world.segments)
    best = "high_value" if "high_value" in names else max(names, key=lambda name: margin(world.segments[name]))
    return names.index(best)


def marketing(campaign: Campaign) -> Float:
    """(n,) what was spent on each customer: sends and discounts, currency."""
    return campaign.totals["cost"] + campaign.totals["discount"]


def anyway_share(campaign: Campaign, none: Campaign) -> Float:
    """(n,) share of each customer's redeemed orders that no extra order stands against; 0 where none was redeemed.

    An order is extra where the customer has more orders than with nothing sent. From totals, so a lower bound: an
    extra order counts as a redeemed one.
    """
    redeemed = campaign.totals["redeemed"]
    extra = np.maximum(campaign.totals["bought"] - none.totals["bought"], 0.0)
    result: Float = np.maximum(redeemed - extra, 0.0) / np.maximum(redeemed, 1.0)
    return result


def gain_by_day(campaign: Campaign, none: Campaign) -> tuple[Float, Float]:
    """(T,) cumulated gain per customer over sending nothing, and (T,) half its 95 % interval, pointwise.

    Groups of customers stand in for customers (random groups, Wolter 2007, chapter 2): t with groups - 1 degrees.
    """
    gain = np.cumsum(campaign.reward_by_group - none.reward_by_group, axis=0)
    customers, groups = len(campaign.segment), gain.shape[1]
    mean: Float = gain.sum(axis=1) / customers
    if groups < 2:
        return mean, np.full(len(mean), np.nan)
    size = np.bincount(np.arange(customers) % groups)
    variance = ((gain - mean[:, None] * size) ** 2).sum(axis=1) * groups / (groups - 1)
    half: Float = -special.stdtrit(groups - 1, 0.025) * np.sqrt(variance) / customers
    return mean, half


def _conversion(c: Campaign, none: Campaign | None) -> Value:
    return share((c.totals["bought"] > 0).astype(float), np.ones(len(c.segment)))


def _orders_per_100_sends(c: Campaign, none: Campaign | None) -> Value:
    return _times(ratio(c.totals["bought"], c.totals["sent"]), 100.0)


def _extra_orders(c: Campaign, none: Campaign | None) -> Value:
    if none is None:
        return UNKNOWN
    return _times(ratio(c.totals["bought"] - none.totals["bought"], c.totals["sent"]), 100.0)


def _cost_per_new_customer(c: Campaign, none: Campaign | None) -> Value:
    never = c.orders_before == 0
    return ratio(marketing(c) * never, (never & (c.totals["bought"] > 0)).astype(float))


def _repurchase(c: Campaign, none: Campaign | None) -> Value:
    bought = c.totals["bought"] > 0
    return share((bought & (c.orders_before + c.totals["bought"] >= 2)).astype(float), bought.astype(float))


def _retention(c: Campaign, none: Campaign | None) -> Value:
    high = c.active["start"] & (c.segment == top_segment(c.world))
    return share((high & c.active["end"]).astype(float), high.astype(float))


def _gain(c: Campaign, none: Campaign | None) -> Value:
    return UNKNOWN if none is None else per_customer(c.value - none.value)


def _return_on_marketing(c: Campaign, none: Campaign | None) -> Value:
    spent = marketing(c)
    return UNKNOWN if none is None else ratio(c.totals["margin"] - none.totals["margin"] - spent, spent)


def _discount_anyway(c: Campaign, none: Campaign | None) -> Value:
    discount = c.totals["discount"]
    return UNKNOWN if none is None else share(discount * anyway_share(c, none), discount)


def _times(value: Value, factor: float) -> Value:
    return Value(*(factor * part for part in value))


class _Measure(NamedTuple):
    id: str
    name: str
    unit: str
    meaning: str
    of: Callable[[Campaign, Campaign | None], Value]


MEASURES = (
    _Measure(
        "contribution",
        "Contribution (customer value over the campaign)",
        "{currency} per customer",
        "Margin of the orders, less discounts, sends and the value of lost permissions.",
        lambda c, none: per_customer(c.value),
    ),
    _Measure(
        "gain",
        "Gain over sending nothing",
        "{currency} per customer",
        "Contribution beyond what the same customers bring when nothing is sent.",
        _gain,
    ),
    _Measure(
        "roi",
        "Return on marketing (ROI)",
        "share",
        "Extra margin over sending nothing, less what sends and discounts cost, per unit of that cost.",
        _return_on_marketing,
    ),
    _Measure(
        "marketing",
        "Marketing cost",
        "{currency} per customer",
        "Sends and discounts.",
        lambda c, none: per_customer(marketing(c)),
    ),
    _Measure(
        "discount_anyway",
        "Discount on orders that come anyway, at least",
        "share",
        "Part of the discounts that brought no extra order, customer by customer against sending nothing; approximate.",
        _discount_anyway,
    ),
    _Measure("conversion", "Conversion", "share", "Customers with at least one order in the campaign.", _conversion),
    _Measure(
        "repurchase",
        "Repurchase rate",
        "share",
        "Of those who ordered in the campaign, who had ordered before or ordered more than once.",
        _repurchase,
    ),
    _Measure(
        "retention_high_value",
        "Retention of high-value customers",
        "share",
        "Of the truly high-value customers who were active at the start, who still are at the end; "
        "only the simulator knows.",
        _retention,
    ),
    _Measure(
        "cac",
        "Cost per new customer (CAC)",
        "{currency} per new customer",
        "Sends to and discounts for those who had never ordered, per first order won from them.",
        _cost_per_new_customer,
    ),
    _Measure(
        "sends",
        "Sends",
        "per customer",
        "Messages sent over the campaign.",
        lambda c, none: per_customer(c.totals["sent"]),
    ),
    _Measure(
        "ctr",
        "Click rate (CTR)",
        "share",
        "Clicks per delivered message.",
        lambda c, none: share(c.totals["clicked"], c.totals["delivered"]),
    ),
    _Measure(
        "cost_per_reach",
        "Cost per reach",
        "{currency} per delivered message",
        "Price of the sends, per message that arrived.",
        lambda c, none: ratio(c.totals["cost"], c.totals["delivered"]),
    ),
    _Measure(
        "orders_per_100_sends",
        "Orders per 100 sends",
        "orders",
        "All orders, also those that come anyway.",
        _orders_per_100_sends,
    ),
    _Measure(
        "extra_orders_per_100_sends",
        "Extra orders per 100 sends",
        "orders",
        "Orders beyond those that come when nothing is sent.",
        _extra_orders,
    ),
    _Measure(
        "unsubscribes",
        "Unsubscribes",
        "per 1,000 sends",
        "Permissions lost; each costs every later message on that channel.",
        lambda c, none: _times(share(c.totals["unsubscribed"], c.totals["sent"]), 1000.0),
    ),
)
