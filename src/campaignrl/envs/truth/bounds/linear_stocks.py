"""The stocks of the optimistic model: two numbers that move linearly and stand for three that bend.

pull: coming intent and ad-stock together, as the share by which they at most raise the purchase hazard.
trust: satisfaction itself, in log-odds; its effects are replaced by lines above them.
Each day has a least and a highest value that can have been reached by then; they are the points of the axis. Stockpiles
only take away from the hazard and are left out. Not here: what the stocks are worth (optimistic_model.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.dynamics import Parameters
from campaignrl.effects import AdStockEffect, SatisfactionEffect, contentment, hill
from campaignrl.envs.truth.oracles import clicks_of, intent_of_a_click, stock_most
from campaignrl.specs import World

FINE = 4000


class Points(NamedTuple):
    """The points of both axes on one day, and the lines at them."""

    pull: Float  # (W,) share added to the purchase hazard
    trust: Float  # (S,) log-odds
    bought: Float  # (S,) share added to the purchase hazard
    calm: Float  # (S,) log of the drop-out hazard taken away
    content: Float  # (S,) log-odds of unsubscribing taken away

    def pull_share(self, values: Float) -> Float:
        """Where values lie between the two points of pull: 0 is the first, 1 the second."""
        return _share(self.pull, values)

    def trust_share(self, values: Float) -> Float:
        """Likewise for trust."""
        return _share(self.trust, values)


def _share(points: Float, values: Float) -> Float:
    width = points[-1] - points[0]
    return np.zeros_like(values) if width <= 0.0 else (values - points[0]) / width


@dataclass(frozen=True)
class Stocks:
    """How pull and trust move, and what they do at most."""

    idle: float  # share added to the purchase hazard in any case
    pull_decay: float
    trust_decay: float
    opened: Float  # (c,) pull added by an open
    clicked: float  # pull added by a click
    order: float  # trust added by an order
    gained: Float  # (o,) trust added by opening each offer
    bought: tuple[float, float]  # (at 0, per unit of trust) share added to the purchase hazard
    calm: tuple[float, float]  # likewise, log of the drop-out hazard taken away
    content: tuple[float, float]  # likewise, log-odds of unsubscribing taken away
    pull: Float  # (T + 1,) most that can be reached by each day
    least: Float  # (T + 1,) of trust
    most: Float  # (T + 1,)

    @property
    def pull_points(self) -> int:
        """Points of the axis: one where nothing pulls."""
        return 2 if self.pull.any() else 1

    @property
    def trust_points(self) -> int:
        """Points of the axis: one where satisfaction is switched off."""
        return 2 if self.most.any() or self.least.any() else 1

    def at(self, day: int) -> Points:
        """The points of a day."""
        pull = np.array([0.0, self.pull[day]])[: self.pull_points]
        trust = np.array([self.least[day], self.most[day]])[-self.trust_points :]
        return Points(pull, trust, *(at + slope * trust for at, slope in (self.bought, self.calm, self.content)))


def linear_stocks(world: World, p: Parameters, usual: float = 0.0) -> Stocks:
    """The stocks of a world. usual: the ad-stock at which the line above its effect comes closest to it."""
    days = world.horizon + 1
    idle, slope, factor = _seen(world, p, usual)
    clicked = _intended(world, p) * factor
    seen, trust = p.effect(AdStockEffect), p.effect(SatisfactionEffect)
    opened = np.zeros(len(p.deliver)) if seen is None else seen.units.astype(np.float64) * slope
    left = 0.0 if seen is None else seen.decay
    decay = max(left * (slope > 0.0), clicks_of(p).decay * (clicked > 0.0))
    step = float(opened.max()) + clicked
    pull, highest = np.zeros(days), stock_most(world, step, decay)
    for day in range(1, days):
        pull[day] = min(decay * pull[day - 1] + step, highest)
    if trust is None:
        zero, none, gained = np.zeros(days), (0.0, 0.0), np.zeros(len(p.discount) - 1)
        return Stocks(idle, decay, 0.0, opened, clicked, 0.0, gained, none, none, none, pull, zero, zero)
    effect, (least, most) = trust.spec, _reached(world, trust, days)
    z, at_level = np.linspace(least.min(), max(float(most.max()), 1e-6), FINE), effect.level * (1.0 - effect.level)
    curve = contentment(z.astype(np.float32), effect.level).astype(np.float64)
    bought = _line_above(z, np.expm1(effect.purchase * curve), effect.purchase * at_level)
    calm = _line_above(z, effect.drop_out * curve, effect.drop_out * at_level)
    content = _line_above(z, effect.unsubscribe * curve, effect.unsubscribe * at_level)
    gained = trust.gained[:-1].astype(np.float64)
    return Stocks(
        idle, decay, trust.decay, opened, clicked, effect.order, gained, bought, calm, content, pull, least, most
    )


def _seen(world: World, p: Parameters, usual: float) -> tuple[float, float, float]:
    """Ad-stock as a share added to the hazard: (at 0, per unit) of a line above it, and the most it multiplies with."""
    seen = p.effect(AdStockEffect)
    highest = 0.0 if seen is None else stock_most(world, float(seen.units.max()), seen.decay)
    if seen is None or seen.spec.effect <= 0.0 or highest <= 0.0:
        return 0.0, 0.0, 1.0
    z = np.linspace(highest / FINE, highest, FINE)
    factor = np.exp(seen.spec.effect * hill(z.astype(np.float32), seen.spec).astype(np.float64))
    return *_tangent(z, factor - 1.0, usual), float(factor.max())


def _intended(world: World, p: Parameters) -> float:
    """The share that the intent of one click at most adds to the hazard of the next day: a chord above exp."""
    clicks = clicks_of(p)
    unit, lift = intent_of_a_click(p) if clicks.lasts else 0.0, clicks.spec.click_lift
    most = lift * stock_most(world, unit, clicks.decay)
    return lift * unit * float(np.expm1(most) / most) if most > 0.0 else 0.0


def _reached(world: World, trust: SatisfactionEffect, days: int) -> tuple[Float, Float]:
    """(least, most) satisfaction by day."""
    spec, decay = trust.spec, trust.decay
    least, most = np.zeros(days), np.zeros(days)
    gain, loss = float(trust.gained.max()), max(spec.ignored, spec.undelivered)
    by_sends = stock_most(world, gain, decay)
    lowest, highest = stock_most(world, loss, decay), by_sends
    highest += spec.order / (1.0 - decay)
    for day in range(1, days):
        least[day] = max(decay * least[day - 1] - loss, -lowest)
        most[day] = min(decay * most[day - 1] + gain + spec.order, highest)
    return least, most


def _tangent(z: Float, curve: Float, near: float) -> tuple[float, float]:
    """(at 0, slope) of a line on or above a curve that starts at 0, close to it at `near`."""
    at = float(np.interp(near, z, curve)) if near > 0.0 else 0.0
    free = max(0.0, at - near * float(np.interp(near, z, np.gradient(curve, z)))) if near > 0.0 else 0.0
    return free, float(np.max((curve - free) / z)) * 1.0001


def _line_above(z: Float, curve: Float, slope: float) -> tuple[float, float]:
    """(at 0, slope) of the lowest line with this slope that lies above the curve."""
    return max(0.0, float(np.max(curve - slope * z))), slope
