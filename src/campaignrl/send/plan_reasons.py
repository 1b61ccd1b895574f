"""Why each customer gets what a plan by value gives it, in a marketer's words.

Not here: words where sends are drawn and served by lot (reasons.py), the plan (value_plan.py). n customers, k actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float32, Int64, Objects
from campaignrl.guard import MONEY
from campaignrl.send.draw import Drawn
from campaignrl.send.value_plan import Planned


class Wanted(NamedTuple):
    """What would bring a customer's most, if nothing were scarce; scarce: (k,) what keeps each action from it."""

    action: Int64  # (n,)
    scarce: list[str]


def plan_reasons(catalog: Catalog, drawn: Drawn, planned: Planned) -> tuple[Objects, Objects]:
    """(n,) reasons and (n,) what was refused: by rules, and last by what is scarce."""
    wanted = _wanted(catalog, drawn.eligible, planned)
    options = drawn.eligible.sum(axis=1)
    kinds = np.stack([options, planned.action, wanted.action, planned.explores], axis=1)
    found, which = np.unique(kinds, axis=0, return_inverse=True)
    texts = np.array([_words(catalog, wanted.scarce, *(int(x) for x in kind)) for kind in found], dtype=object)
    reasons, blocked = texts[which.ravel()], drawn.blocked.copy()
    for i in np.flatnonzero(options == 1):
        reasons[i] = f"nothing may be sent: {drawn.blocked[i]}"
    without = (planned.action == NONE) & (wanted.action != NONE) & ~planned.explores
    for i in np.flatnonzero(without):
        blocked[i] = "; ".join(filter(None, (blocked[i], wanted.scarce[wanted.action[i]])))
    return reasons, blocked


def _wanted(catalog: Catalog, eligible: Bool, planned: Planned) -> Wanted:
    best = np.empty(len(eligible), dtype=np.int64)
    gains: Float32 = planned.gains
    for start in range(0, len(best), 65_536):
        rows = slice(start, start + 65_536)
        best[rows] = np.where(eligible[rows], gains[rows], -np.inf).argmax(axis=1)
    return Wanted(best, [_scarce(catalog, planned.plan.prices, a) for a in range(len(catalog))])


def _scarce(catalog: Catalog, prices: dict[str, float], action: int) -> str:
    """Which limit weighs most on an action."""
    if action == NONE:
        return ""
    channel = catalog.channels[catalog.channel_of[action]].name
    offer = catalog.offers[catalog.offer_of[action]].name
    weigh = {
        "no money": prices.get(MONEY, 0.0) * int(catalog.cost_of[action]),
        f"no capacity: {channel}": prices.get(channel, 0.0),
        f"no stock: {offer}": prices.get(f"stock of {offer}", 0.0),
    }
    return max(weigh, key=lambda why: weigh[why])


def _words(catalog: Catalog, scarce: list[str], options: int, action: int, wanted: int, explores: int) -> str:
    """Of one kind of decision."""
    allowed = f"of {options} allowed"
    if explores:
        return f"exploring: drawn by lot, one {allowed}"
    if action == wanted:
        return f"best {allowed}" if action != NONE else f"nothing pays here: best {allowed}"
    best = catalog.names[wanted]
    if action == NONE:
        return f"{scarce[wanted]}: {best} would pay here, but others pay more"
    return f"best for the plan {allowed}: {best} would bring more here, but others more still ({scarce[wanted]})"
