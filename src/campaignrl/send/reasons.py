"""Why each customer gets what it gets, in a marketer's words: by lot, and by a plan of value.

Not here: the decisions (draw.py, limits.py, value_plan.py), what speaks for one customer's offer (explain.py).
n customers, k actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int, Int64, Objects
from campaignrl.guard import MONEY, Limits
from campaignrl.send.draw import Drawn
from campaignrl.send.limits import Served
from campaignrl.send.value_plan import Planned


def reasons_of(catalog: Catalog, drawn: Drawn, served: Served, limits: Limits, weighed: Bool) -> Objects:
    """(n,) one text each: what was chosen among how many, or which rule, or the lack of money, left nothing.

    weighed: (n,) whether who decided chose by what actions bring; only then nothing that is sent does not pay.
    """
    options = drawn.eligible.sum(axis=1)
    texts = _chosen(drawn.action, drawn.propensity, drawn.is_best, options, weighed)
    texts[options == 1] = [f"nothing may be sent: {rules}" for rules in drawn.blocked[options == 1]]
    lost = ((served.no_capacity, _full_channel), (_sold_out(served), _no_stock), (served.no_money, _no_money))
    for hit, why in lost:
        if not hit.any():
            continue
        chosen = drawn.action[hit]
        said = {int(action): why(catalog, int(action), limits) for action in np.unique(chosen)}
        texts[hit] = [said[action] for action in chosen.tolist()]
    return texts


def blocked_of(catalog: Catalog, drawn: Drawn, served: Served) -> Objects:
    """(n,) every rule that refused something, "; " between them; a full channel, stock and spent money last."""
    texts, no_stock = drawn.blocked.copy(), _sold_out(served)
    for i in np.flatnonzero(served.no_capacity | no_stock | served.no_money):
        channel = catalog.channels[catalog.channel_of[drawn.action[i]]].name
        offer = catalog.offers[catalog.offer_of[drawn.action[i]]].name
        why = f"no capacity: {channel}" if served.no_capacity[i] else "no money"
        why = f"no stock: {offer}" if no_stock[i] else why
        texts[i] = "; ".join(filter(None, (texts[i], why)))
    return texts


def _sold_out(served: Served) -> Bool:
    return np.zeros(len(served.action), dtype=bool) if served.no_stock is None else served.no_stock


def _chosen(action: Int, propensity: Float, best: Bool, options: Int, weighed: Bool) -> Objects:
    """Of a draw that was free: the best of what was allowed, or a trial."""
    texts = np.empty(len(action), dtype=object)
    told = (cells.tolist() for cells in (action != NONE, propensity, best, options, weighed))  # numpy's write slower
    texts[:] = list(map(_words, *told))
    return texts


def _words(sends: bool, chance: float, best: bool, among: int, weighed: bool) -> str:
    """Of one draw. Ties are all the best."""
    of = f"of {among} allowed" + ("" if chance == 1.0 else f", probability {chance:.3f}")
    if best:
        nothing = "nothing pays here" if weighed else "nothing is its choice here"
        return f"best {of}" if sends else f"{nothing}: best {of}"
    return f"exploring: one {of}" if sends else f"exploring what comes of nothing: one {of}"


LOT = ", and the lot fell to others"


def _full_channel(catalog: Catalog, action: int, limits: Limits) -> str:
    of = catalog.channel_of[action]
    said = f"no capacity: {catalog.names[action]} was chosen, {catalog.channels[of].name}"
    return f"{said} is full{LOT}" if limits.sends[of] >= 1 else f"{said} has no room for this run"


def _no_stock(catalog: Catalog, action: int, limits: Limits) -> str:
    offer = catalog.offers[catalog.offer_of[action]].name
    return f"no stock: {catalog.names[action]} was chosen, no {offer} is left{LOT}"


def _no_money(catalog: Catalog, action: int, limits: Limits) -> str:
    said = f"no money: {catalog.names[action]} was chosen,"
    enough = catalog.cost_of[action] <= limits.money
    return f"{said} the budget of this run is spent{LOT}" if enough else f"{said} this run has no money for it"


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
    texts = np.array([_planned_words(catalog, wanted, *(int(x) for x in kind)) for kind in found], dtype=object)
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


def _planned_words(catalog: Catalog, of: Wanted, options: int, action: int, wanted: int, explores: int) -> str:
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
