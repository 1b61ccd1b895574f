"""What a unit of ad-stock, satisfaction, intent or stockpile is worth: the stocks that the lattice leaves out.

They enter the reduced model at a price: whatever raises a stock is paid at once for all that the stock will do later,
to a customer who buys at the full price. Good enough for a plan; a bound needs more (linear_stocks.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float32
from campaignrl.dynamics import Parameters
from campaignrl.effects import (
    AdStock,
    AdStockEffect,
    ClickIntentEffect,
    SatisfactionEffect,
    StockpileEffect,
    contentment,
    hill,
)
from campaignrl.envs.truth.oracles.reduced_state import stock_most
from campaignrl.specs import World

GRID = 2000  # points at which the curves are looked at


class Effects(NamedTuple):
    """Log-hazard of buying per unit of each stock, and what is left of it after a day."""

    adstock: float
    satisfaction: float
    intent: float
    stockpile: float  # log-hazard taken away per unit
    decay: tuple[float, float, float, float]


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
    slopes = (e.adstock, e.satisfaction, e.intent, e.stockpile)
    return Prices(*(reach * np.float32(s) + np.float32(d) * v for s, d, v in zip(slopes, e.decay, later, strict=True)))


def effects(world: World, p: Parameters) -> Effects:
    """The effects of a world's stocks."""
    seen, trust, stocked, clicks = (
        p.effect(AdStockEffect),
        p.effect(SatisfactionEffect),
        p.effect(StockpileEffect),
        clicks_of(p),
    )
    adstock = satisfaction = 0.0
    if seen is not None and seen.spec.effect > 0.0:
        adstock = _slope_of_hill(seen.spec, stock_most(world, float(seen.units.max()), seen.decay))
    if trust is not None:
        by_sends = stock_most(world, float(trust.gained.max()), trust.decay)
        highest = by_sends + trust.spec.order / (1.0 - trust.decay)
        satisfaction = _slope_of_contentment(highest, trust.spec.level) * trust.spec.purchase
    intent = clicks.spec.click_lift if clicks.lasts else 0.0
    stockpile = 0.0 if stocked is None else stocked.spec.effect
    left = [0.0 if effect is None else effect.decay for effect in (seen, trust, clicks, stocked)]
    return Effects(adstock, satisfaction, intent, stockpile, (left[0], left[1], left[2], left[3]))


def clicks_of(p: Parameters) -> ClickIntentEffect:
    """The effect of opens and clicks that every world has."""
    found = p.effect(ClickIntentEffect)
    assert found is not None
    return found


def intent_of_a_click(p: Parameters) -> float:
    """Units of intent that a click leaves for the next day."""
    clicks = clicks_of(p)
    return (1.0 - clicks.spec.same_day) * (1.0 - clicks.decay)


def _slope_of_hill(adstock: AdStock, highest: float) -> float:
    """Log-hazard per unit of a line above the effect, but for a tenth of it near 0, up to the highest stock."""
    z = np.linspace(highest / GRID, max(highest, 1e-6), GRID, dtype=np.float32)
    curve = hill(z, adstock).astype(np.float64)
    return float(np.max((curve - 0.1 * curve[-1]) / z) * 1.001) * adstock.effect


def _slope_of_contentment(highest: float, level: float) -> float:
    """Slope of a line from 0 above the curve, up to the highest satisfaction."""
    s = np.linspace(highest / GRID, max(highest, 1e-6), GRID, dtype=np.float32)
    curve = contentment(s, level).astype(np.float64)
    return float(np.max(curve / s) * 1.001)
