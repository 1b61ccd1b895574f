"""What a unit of ad-stock, satisfaction, intent or stockpile is worth: the stocks that the lattice leaves out.

They enter the reduced model at a price: whatever raises a stock is paid at once for all that the stock will do later.
The prices of the optimistic model are at least what a unit can ever bring, so that values stay upper bounds; those
of the honest model are what it brings to a customer who buys at the full price.

Why the optimistic ones are high enough. Let phi be the log-hazard that the stocks add. It is at most
`base + slope @ stocks` and at most `most`; exp is convex, so exp(phi) <= exp(base) (1 + kappa slope @ stocks). A day
then brings at most `reach` per unit more, the largest over all states and actions of hazard x what an order is worth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.dynamics.parameters import Parameters
from campaignrl.dynamics.purchase import hill
from campaignrl.dynamics.satisfaction import contentment
from campaignrl.envs.truth.lattice import stock_most
from campaignrl.specs.effects import AdStock
from campaignrl.specs.world import World

Float32 = npt.NDArray[np.float32]

GRID = 2000  # points at which the curves are looked at


class Effects(NamedTuple):
    """Log-hazard of buying per unit of each stock, what is left of it after a day, and what is certain of them."""

    adstock: float
    satisfaction: float
    intent: float
    stockpile: float  # log-hazard taken away per unit
    decay: tuple[float, float, float, float]
    base: float  # log-hazard added in any case; optimistic only
    kappa: float  # factor by which exp(phi) outgrows phi; optimistic only
    content: float  # satisfaction above its level that lowers drop-out and unsubscribing; optimistic only


class Prices(NamedTuple):
    """What one unit more of each stock is worth from a day on; (types,) currency."""

    adstock: Float32
    satisfaction: Float32
    intent: Float32
    stockpile: Float32  # cost


def no_prices(n: int) -> Prices:
    """After the last day nothing is worth anything."""
    return Prices(*(np.zeros(n, dtype=np.float32) for _ in Prices._fields))


def prices_before(later: Prices, reach: Float32, e: Effects) -> Prices:
    """The prices of a day from those of the next. reach: (types,) value of the orders that one unit of phi brings."""
    unit = reach * np.float32(e.kappa)
    slopes = (e.adstock, e.satisfaction, e.intent, e.stockpile)
    return Prices(*(unit * np.float32(s) + np.float32(d) * v for s, d, v in zip(slopes, e.decay, later, strict=True)))


def effects(world: World, p: Parameters, optimistic: bool) -> Effects:
    """The effects of a world's stocks."""
    adstock = satisfaction = intent = stockpile = base = most = content = 0.0
    if p.adstock is not None and p.adstock.effect > 0.0:
        highest = stock_most(world, float(p.adstock_weight.max()), p.adstock_decay)
        free, slope, top = _line_above_hill(p.adstock, highest)
        adstock, base, most = slope * p.adstock.effect, free * p.adstock.effect, top * p.adstock.effect
    if p.satisfaction is not None:
        by_sends = stock_most(world, float(p.satisfying.max()), p.satisfaction_decay)
        highest = by_sends + p.satisfaction.order / (1.0 - p.satisfaction_decay)
        slope, content = _line_above_contentment(highest, p)
        satisfaction, most = slope * p.satisfaction.purchase, most + content * p.satisfaction.purchase
    if p.click_today < 1.0:
        intent = p.click_lift
        most += intent * stock_most(world, intent_of_a_click(p), p.intent_decay)
    if p.stockpile is not None and not optimistic:
        stockpile = p.stockpile.effect
    decay = (p.adstock_decay, p.satisfaction_decay, p.intent_decay, p.stockpile_decay)
    if not optimistic:
        return Effects(adstock, satisfaction, intent, stockpile, decay, 0.0, 1.0, 0.0)
    kappa = float(np.expm1(most) / most) if most > 0.0 else 1.0
    return Effects(adstock, satisfaction, intent, stockpile, decay, base, kappa, content)


def intent_of_a_click(p: Parameters) -> float:
    """Units of intent that a click leaves for the next day."""
    return (1.0 - p.click_today) * (1.0 - p.intent_decay)


def _line_above_hill(adstock: AdStock, highest: float) -> tuple[float, float, float]:
    """(at 0, slope) of a line above the Hill curve up to the highest stock, and the curve's value there."""
    z = np.linspace(highest / GRID, max(highest, 1e-6), GRID, dtype=np.float32)
    curve = hill(z, adstock).astype(np.float64)
    free = 0.1 * float(curve[-1])
    return free, float(np.max((curve - free) / z) * 1.001), float(curve[-1])


def _line_above_contentment(highest: float, p: Parameters) -> tuple[float, float]:
    """(slope of a line from 0 above the curve, its value at the highest)."""
    s = np.linspace(highest / GRID, max(highest, 1e-6), GRID, dtype=np.float32)
    curve = contentment(s, p).astype(np.float64)
    return float(np.max(curve / s) * 1.001), float(curve[-1])
