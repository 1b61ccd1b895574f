"""Why each customer gets what it gets, in a marketer's words.

Not here: the decisions (draw.py, limits.py), what speaks for one customer's offer (explain.py). n customers.
"""

from __future__ import annotations

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Int, Objects
from campaignrl.guard import Limits
from campaignrl.send.draw import Drawn
from campaignrl.send.limits import Served


def reasons_of(catalog: Catalog, drawn: Drawn, served: Served, limits: Limits) -> Objects:
    """(n,) one text each: what was chosen among how many, or which rule, or the lack of money, left nothing."""
    options = drawn.eligible.sum(axis=1)
    texts = _chosen(drawn.action, drawn.propensity, drawn.is_best, options)
    for i in np.flatnonzero(options == 1):
        texts[i] = f"nothing may be sent: {drawn.blocked[i]}"
    lost = ((served.no_capacity, _full_channel), (_sold_out(served), _no_stock), (served.no_money, _no_money))
    for hit, why in lost:
        for i in np.flatnonzero(hit):
            texts[i] = why(catalog, int(drawn.action[i]), limits)
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


def _chosen(action: Int, propensity: Float, best: Bool, options: Int) -> Objects:
    """Of a draw that was free: the best of what was allowed, or a trial."""
    texts = np.empty(len(action), dtype=object)
    texts[:] = [
        _words(sends, chance, top, among)
        for sends, chance, top, among in zip(action != NONE, propensity, best, options, strict=True)
    ]
    return texts


def _words(sends: bool, chance: float, best: bool, among: int) -> str:
    """Of one draw. Ties are all the best."""
    of = f"of {among} allowed" + ("" if chance == 1.0 else f", probability {chance:.3f}")
    if best:
        return f"best {of}" if sends else f"nothing pays here: best {of}"
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
