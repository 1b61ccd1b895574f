"""Chances and money of the optimistic model at its points, raised where straight lines would lie below them.

Not here: the recursion (optimistic_model.py). m customers, k actions, c channels, o offers; F, R as in
reduced_state.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Array, Float, Float32
from campaignrl.dynamics import Parameters, response
from campaignrl.effects import SatisfactionEffect
from campaignrl.envs.truth.bounds.piecewise_linear_bounds import raised
from campaignrl.envs.truth.oracles import Lattice, Types, fatigue_of

FASTEST = 0.5  # drop-outs per day that tables follow
BENDS = -0.5  # log-odds of unsubscribing that tables follow


class Tables(NamedTuple):
    """Chances and money of these customers at the points."""

    hazard: Float32  # (m, R, o + 1) orders per day, season and stocks apart
    lift: Float32  # (m, R, o + 1) factor in it on the customer's own rate
    survival: Float32  # (m, F, o + 1) at no trust; F: tomorrow's
    calmed: tuple[Float32, Float32]  # (m, F, o + 1) least and most survival gained per unit of log-hazard taken away
    opened: Float32  # (k, m, F)
    opened_dead: Float32  # (k, m, F)
    clicked: Float32  # (k, m)
    left: Float32  # (c, F) permissions lost per send at no trust, at least
    trusted: tuple[Float32, Float32]  # (c, F) least and most of them saved per unit of contentment
    today: Float32  # (m, o + 1) an order's margin less what is redeemed
    ignored: Float32  # (c,) trust lost by a send that is not opened, at least


def tables(types: Types, lat: Lattice, fatigue: Float, p: Parameters) -> Tables:
    """The tables of these customers. fatigue: (F,) points."""
    traits = types.traits
    taste = p.taste[traits.segment][:, None, :]
    gain = p.price_cut[None, :]
    for effect in p.effects:
        gain = effect.felt_cut(gain, {"expected_price": lat.prices[:, None]})
    lift = p.appeal + taste + np.float32(10.0) * traits.sensitivity[:, None, None] * gain
    k, given = len(p.offer_of), traits.basket[:, None] * p.discount + p.face_value
    opened, dead = (_opened(types, alive, fatigue, p) for alive in (True, False))
    clicked = np.zeros((k, len(traits.rate)), dtype=np.float32)
    for a in range(1, k):
        clicked[a] = response.click_probability(p.channel_of[a], p.taste[traits.segment, p.offer_of[a]], p)
    survival, calmed = _survival(types, fatigue, p)
    left, trusted = _left(fatigue, p)
    return Tables(
        hazard=(traits.rate[:, None, None] * np.exp(lift)).astype(np.float32),
        lift=np.exp(lift).astype(np.float32),
        survival=survival,
        calmed=calmed,
        opened=opened,
        opened_dead=dead,
        clicked=clicked,
        left=left,
        trusted=trusted,
        today=(traits.basket * p.margin[traits.segment])[:, None] - p.redeem * given,
        ignored=_ignored(opened, p),
    )


def _survival(types: Types, fatigue: Float, p: Parameters) -> tuple[Float32, tuple[Float32, Float32]]:
    """(m, F, o + 1) chance to be alive tomorrow, and its slope in log-hazard taken away: lines above it.

    exp(-drop exp(-x)) bends downwards in x while drop < 1; a drop-out so fast that it may not is taken as none.
    """
    tired = fatigue_of(p)
    rate, kept = types.traits.drop_rate[:, None, None].astype(np.float64), p.retention[:, None]

    def drop(f: Float) -> Float:
        log = tired.drop_out(np.zeros(f.shape, dtype=np.float32), {"fatigue": f.astype(np.float32)})
        fast = rate * np.exp(log - kept)
        return np.where(fast > FASTEST, 0.0, fast)

    survival = np.swapaxes(raised(lambda f: np.exp(-drop(f)), fatigue), 1, 2).astype(np.float32)
    least, most = _both(lambda f: drop(f) * np.exp(-drop(f)), fatigue)
    return survival, (np.swapaxes(least, 1, 2), np.swapaxes(most, 1, 2))


def _opened(types: Types, alive: bool, fatigue: Float, p: Parameters) -> Float32:
    """(k, m, F) chance that a send is delivered and opened."""
    traits, found = types.traits, np.zeros((len(p.offer_of), len(types.traits.rate), len(fatigue)), dtype=np.float32)
    for a in range(1, len(p.offer_of)):
        c, taste = p.channel_of[a], p.taste[traits.segment, p.offer_of[a]][:, None]
        affinity = traits.affinity[c][:, None]

        def curve(f: Float, c: Any = c, affinity: Float32 = affinity, taste: Float32 = taste) -> Array:
            stocks = {"fatigue": f[None].astype(np.float32)}
            return response.open_probability(c, affinity, taste, stocks, np.array(alive), p)

        found[a] = p.deliver[c] * raised(curve, fatigue)
    return found


def _left(fatigue: Float, p: Parameters) -> tuple[Float32, tuple[Float32, Float32]]:
    """(c, F) permissions lost per send, a line below, and least and most of its slope in log-odds taken away."""
    deliver, channel = p.deliver[:, None].astype(np.float64), np.arange(len(p.deliver))[:, None]

    def chance(f: Float) -> Array:
        leaving = fatigue_of(p).unsubscribing(p.unsubscribe_logit[:, None], {"fatigue": f.astype(np.float32)}, channel)
        return response.sigmoid(np.minimum(leaving, BENDS))

    least, _ = _both(lambda f: deliver * chance(f), fatigue)
    return least, _both(lambda f: deliver * chance(f) * (1.0 - chance(f)), fatigue)


def _both(curve: Callable[[Float], Array], points: Float) -> tuple[Float32, Float32]:
    """Values at the points whose straight lines lie below the curve, and such whose lines lie above it."""
    below, above = -raised(lambda f: -curve(f), points), raised(curve, points)
    return below.astype(np.float32), above.astype(np.float32)


def _ignored(opened: Float32, p: Parameters) -> Float32:
    """(c,) least mean trust lost, given that a send was not opened, over all actions, customers and fatigue."""
    lost = np.zeros(len(p.deliver), dtype=np.float32)
    trust = p.effect(SatisfactionEffect)
    if trust is None:
        return lost
    for c, deliver in enumerate(p.deliver):
        rows = np.flatnonzero(p.channel_of == c)
        if len(rows):
            most = np.minimum(opened[rows].max(), deliver)
            arrived, never = (deliver - most) / max(1.0 - most, 1e-9), 1.0 - deliver
            # opened or not: arrived and unread is the rarer the more open; never arrived weighs by 1 / (1 - opened)
            lost[c] = max(0.0, arrived * trust.spec.ignored + never * trust.spec.undelivered)
    return lost
