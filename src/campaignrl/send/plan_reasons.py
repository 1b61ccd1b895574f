"""Why each customer gets what a plan by value gives it, in a marketer's words.

Not here: words where sends are drawn and served by lot (reasons.py), the plan (value_plan.py). n customers, k actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float32, Int64, Objects
from campaignrl.guard import MONEY, Limits
from campaignrl.send.draw import Drawn
from campaignrl.send.value_plan import Planned

AT_LEAST = "at least of "  # before what a plan shall send, among its limits


class Wanted(NamedTuple):
    """What would bring a customer's most, if nothing were scarce.

    scarce: (k,) what keeps each action from it; but: (k,) why, in a clause; asked: (k,) what an action is sent for.
    """

    action: Int64  # (n,)
    scarce: list[str]
    but: list[str]
    asked: list[str]


def plan_reasons(catalog: Catalog, drawn: Drawn, planned: Planned, limits: Limits) -> tuple[Objects, Objects]:
    """(n,) reasons and (n,) what was refused: by rules, and last by what is scarce."""
    wanted = _wanted(catalog, drawn.eligible, planned, limits)
    options = drawn.eligible.sum(axis=1)
    kinds = np.stack([options, planned.action, wanted.action, planned.explores], axis=1)
    found, which = np.unique(kinds, axis=0, return_inverse=True)
    texts = np.array([_words(catalog, wanted, *(int(x) for x in kind)) for kind in found], dtype=object)
    reasons, blocked = texts[which.ravel()], drawn.blocked.copy()
    for i in np.flatnonzero(options == 1):
        reasons[i] = f"nothing may be sent: {drawn.blocked[i]}"
    without = (planned.action == NONE) & (wanted.action != NONE) & ~planned.explores
    for i in np.flatnonzero(without):
        blocked[i] = "; ".join(filter(None, (blocked[i], wanted.scarce[wanted.action[i]])))
    return reasons, blocked


def _wanted(catalog: Catalog, eligible: Bool, planned: Planned, limits: Limits) -> Wanted:
    best = np.empty(len(eligible), dtype=np.int64)
    gains: Float32 = planned.gains
    for start in range(0, len(best), 65_536):
        rows = slice(start, start + 65_536)
        best[rows] = np.where(eligible[rows], gains[rows], -np.inf).argmax(axis=1)
    prices = planned.plan.prices
    scarce = [_scarce(catalog, prices, limits, a) for a in range(len(catalog))]
    asked = [_asked(catalog, prices, a) for a in range(len(catalog))]
    return Wanted(best, [why for why, _ in scarce], [but for _, but in scarce], asked)


def _scarce(catalog: Catalog, prices: dict[str, float], limits: Limits, action: int) -> tuple[str, str]:
    """Which limit weighs most on an action, and in a clause whether there was anything of it at all."""
    if action == NONE:
        return "", ""
    channel = catalog.channels[catalog.channel_of[action]].name
    offer = catalog.offers[catalog.offer_of[action]].name
    if catalog.cost_of[action] > limits.money:
        return "no money", "this run has no money for it"
    if limits.sends[catalog.channel_of[action]] < 1:
        return f"no capacity: {channel}", f"this run has no room on {channel}"
    weigh = {
        "no money": prices.get(MONEY, 0.0) * int(catalog.cost_of[action]),
        f"no capacity: {channel}": prices.get(channel, 0.0),
        f"no stock: {offer}": prices.get(f"stock of {offer}", 0.0),
    }
    return max(weigh, key=lambda why: weigh[why]), "others pay more"


def _asked(catalog: Catalog, prices: dict[str, float], action: int) -> str:
    """What there shall be a least share of, where it weighs for an action; "" where none does."""
    if action == NONE:
        return ""
    names = (catalog.offers[catalog.offer_of[action]].name, catalog.channels[catalog.channel_of[action]].name)
    weigh = {name: price for name in names if (price := prices.get(AT_LEAST + name, 0.0)) > 0.0}
    return max(weigh, key=lambda name: weigh[name]) if weigh else ""


def _words(catalog: Catalog, of: Wanted, options: int, action: int, wanted: int, explores: int) -> str:
    """Of one kind of decision."""
    allowed = f"of {options} allowed"
    if explores:
        return f"exploring: drawn by lot, one {allowed}"
    if action == wanted:
        return f"best {allowed}" if action != NONE else f"nothing pays here: best {allowed}"
    best = catalog.names[wanted]
    if action == NONE:
        return f"{of.scarce[wanted]}: {best} would pay here, but {of.but[wanted]}"
    if wanted == NONE or of.asked[action]:
        more = "nothing pays here" if wanted == NONE else f"{best} would bring more here"
        return (
            f"best for the plan {allowed}: {more}, but {of.asked[action] or 'what is sent'} shall reach its least share"
        )
    return f"best for the plan {allowed}: {best} would bring more here, but others more still ({of.scarce[wanted]})"
