"""The reduced state of a customer: used caps x fatigue x expected price x usable offer, and how each moves in a day.

Two roundings of prices. Honest: a move that ends between two points is shared between them. Optimistic: it ends at the
higher price, so that values can only be too high. Caps are counted in fixed blocks of their window instead of sliding
ones, which allows everything that the sliding ones allow. Axes C, F, R, L.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Float32, Int
from campaignrl.dynamics import NO_OFFER, Parameters, State, days_with
from campaignrl.effects import Fatigue, FatigueEffect, ReferencePriceEffect
from campaignrl.guard import rules_of
from campaignrl.specs import Cap, World

AXIS_C, AXIS_F, AXIS_R = 1, 2, 3  # of values (types, C, F, R, ...)


class Size(NamedTuple):
    """How fine the lattice is; an axis of which the world knows no effect has one point."""

    fatigue: int = 8
    prices: int = 13
    caps: int = 16  # at most this many combinations of used caps; narrower caps are dropped first


class Move(NamedTuple):
    """Where each point of an axis goes: to `low`, and with weight `share` to `high`."""

    low: Int
    high: Int
    share: Float32

    def __call__(self, values: Array, axis: int) -> Array:
        """Values at the points gone to, for every point of `axis`."""
        if not self.share.any():
            return np.take(values, self.low, axis=axis)
        shape = [1] * values.ndim
        shape[axis] = -1
        share = self.share.reshape(shape)
        return np.take(values, self.low, axis=axis) * (1 - share) + np.take(values, self.high, axis=axis) * share


class PriceMoves(NamedTuple):
    """How the expected price moves over a day.

    Honest: each move holds the day's recovery. Optimistic: the recovery of a whole block of days is made at its start,
    and what is seen or paid within it counts as if the block were over; so no price is ever below the true one, and it
    is rounded up once a block instead of once a day.
    """

    recovery: Move  # over a day without a price; optimistic: over the days of a block
    seen: tuple[Move, ...]  # (o,) with each offer seen
    paid: tuple[Move, ...]  # (o + 1,) with its price paid; the last one is the full price
    every: int  # days of a block


@dataclass(frozen=True)
class Lattice:
    """Points of each axis and the moves between them; index -1 of a list of moves is "no offer" or "no send"."""

    live_offer: Int  # (L,) NO_OFFER first
    live_days: Int  # (L,)
    after: Int  # (L,) the next day's point, not redeemed
    first: Int  # (o + 1,) the next day's point of an offer seen today and not redeemed
    prices: Float32  # (R,) ascending to 1
    fatigue: Float32  # (F,) ascending from 0
    used: Int  # (C, caps)
    caps: tuple[tuple[int | None, Cap], ...]
    price: PriceMoves
    fatigue_moves: tuple[Move, ...]  # (c + 1,) over one day with a send on each channel; the last one without

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Points of C, F, R, L."""
        return len(self.used), len(self.fatigue), len(self.prices), len(self.live_offer)

    def cap_move(self, day: int, channel: int | None) -> tuple[Int, npt.NDArray[np.bool_]]:
        """((C,) the point of the next day, (C,) whether the caps let it happen); channel None: no send."""
        after, fits = self.used.copy(), np.ones(len(self.used), dtype=bool)
        for j, (scope, cap) in enumerate(self.caps):
            if channel is not None and scope in (None, channel):
                after[:, j] += 1
                fits &= after[:, j] <= cap.at_most
            if (day + 1) % cap.per_days == 0:
                after[:, j] = 0
        most = np.array([cap.at_most for _, cap in self.caps], dtype=np.int64)
        if not self.caps:
            return np.zeros(1, dtype=np.int64), fits
        return np.ravel_multi_index(tuple(np.minimum(after, most).T), tuple(most + 1)), fits

    def place(self, state: State, day: int) -> tuple[Int, Int, Int, Int]:
        """The nearest point (C, F, R, L) of customers in the full model; each (n,)."""
        n = len(state.alive)
        counts = []
        for scope, cap in self.caps:
            bits = np.bitwise_or.reduce(state.sent, axis=0) if scope is None else state.sent[scope]
            counts.append(np.minimum(days_with(bits, day % cap.per_days + 1), cap.at_most).astype(np.int64))
        c = np.ravel_multi_index(tuple(counts), tuple(k.at_most + 1 for _, k in self.caps)) if counts else np.zeros(n)
        index = np.zeros((int(self.live_offer.max()) + 2, int(self.live_days.max()) + 1), dtype=np.int64)
        index[self.live_offer, self.live_days] = np.arange(len(self.live_offer))
        held = np.where(state.live_offer == NO_OFFER, 0, index[state.live_offer, state.live_days])
        return (
            c.astype(np.int64),
            nearest(self.fatigue, state.stock("fatigue")),
            nearest(self.prices, state.stock("expected_price")),
            held,
        )


def lattice(world: World, p: Parameters, optimistic: bool, size: Size) -> Lattice:
    """The lattice of a world."""
    live = [(NO_OFFER, 0)] + [(o, d) for o, valid in enumerate(p.valid_days[:-1]) for d in range(int(valid))]
    at = {pair: i for i, pair in enumerate(live)}
    first = [at.get((o, int(valid) - 1), 0) for o, valid in enumerate(p.valid_days)]
    prices = np.ones(1) if world.reference_price is None else _prices(p, size.prices)
    tired = fatigue_of(p)
    fatigue = fatigue_points(world, tired, size.fatigue)
    caps = _counted_caps(world, size.caps)
    grids = np.meshgrid(*(np.arange(cap.at_most + 1) for _, cap in caps), indexing="ij")
    added = [*(float(w) for w in tired.units), 0.0]
    return Lattice(
        live_offer=np.array([o for o, _ in live]),
        live_days=np.array([d for _, d in live]),
        after=np.array([at.get((o, d - 1), 0) for o, d in live]),
        first=np.array([*first[:-1], 0]),
        prices=prices.astype(np.float32),
        fatigue=fatigue.astype(np.float32),
        used=np.stack([g.ravel() for g in grids], axis=1) if caps else np.zeros((1, 0), dtype=np.int64),
        caps=caps,
        price=_price_moves(prices, p, optimistic),
        fatigue_moves=tuple(_move(fatigue, fatigue * tired.decay + w, up=False) for w in added),
    )


def _prices(p: Parameters, points: int) -> Array:
    """From the lowest price that can be expected up to the full one."""
    return np.linspace(1.0, 1.0 - float(p.price_cut.max()), points)[::-1]


def _price_moves(prices: Array, p: Parameters, optimistic: bool) -> PriceMoves:
    """How the price expected moves; all stays where it is in a world without one."""
    price = p.effect(ReferencePriceEffect)
    if price is None:
        stays = _move(prices, prices, up=False)
        return PriceMoves(stays, (stays,) * (len(p.price_cut) - 1), (stays,) * len(p.price_cut), 1)
    every = _block(price.decay, len(prices)) if optimistic else 1
    left = price.decay**every  # of a gap to the full price
    rested = 1.0 - left * (1.0 - prices)
    before, ahead = (prices, left) if optimistic else (rested, 1.0)

    def drawn(cut: float, weight: float) -> Move:
        return _move(prices, (1.0 - weight) * before + weight * (1.0 - cut * ahead), up=optimistic)

    cuts, spec = p.price_cut.tolist(), price.spec
    seen = tuple(drawn(cut, spec.seen if cut > 0 else 0.0) for cut in cuts[:-1])  # who sees no cut sees no price
    return PriceMoves(_move(prices, rested, up=optimistic), seen, tuple(drawn(cut, spec.paid) for cut in cuts), every)


def _block(decay: float, points: int) -> int:
    """Days in which the widest gap closes by two points: fewer, and rounding up would close it by itself."""
    closed = min(2.0 / max(points - 1, 1), 0.5)
    return 1 if decay <= 1.0 - closed else math.floor(math.log(1.0 - closed) / math.log(decay))


def fatigue_of(p: Parameters) -> FatigueEffect:
    """The fatigue of a world; of one without, that of contacts that tire nobody."""
    found = p.effect(FatigueEffect)
    if found is not None:
        return found
    rested = np.zeros(len(p.deliver), dtype=np.float32)
    return FatigueEffect(Fatigue(), 0.0, rested, rested)


def fatigue_points(world: World, tired: FatigueEffect, points: int) -> npt.NDArray[np.float64]:
    """0, then geometric up to the most that caps allow."""
    most = stock_most(world, float(tired.units.max()), tired.decay)
    if points < 2 or most <= 0.0 or not tired.matters:
        return np.zeros(1)
    ratio = max(tired.decay, 0.05 ** (1.0 / points))
    return np.array([0.0, *(most * ratio ** np.arange(points - 1))[::-1]])


def stock_most(world: World, unit: float, decay: float) -> float:
    """The most that a stock can reach which each send raises by at most `unit`."""
    daily = unit / (1.0 - decay)
    capped = [
        cap.at_most * unit / (1.0 - decay**cap.per_days) for scope, cap in rules_of(world).caps if scope is None
    ]  # all sends of a window on its last day
    return min([daily, *capped])


def nearest(points: Float32, values: Float32) -> Int:
    """(n,) index of the nearest point."""
    return np.searchsorted((points[1:] + points[:-1]) / 2, values)


def _move(points: Array, to: Array, up: bool) -> Move:
    """To the point above, or shared between it and the one below."""
    exact = 1e-9
    high = np.clip(np.searchsorted(points, to - exact, side="left"), 0, len(points) - 1)
    low = np.clip(np.searchsorted(points, to + exact, side="right") - 1, 0, len(points) - 1)
    if up:
        return Move(high, high, np.zeros(len(points), dtype=np.float32))
    gap = points[high] - points[low]
    share = np.where(gap > 0, np.clip((to - points[low]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0), 0.0)
    return Move(low, high, share.astype(np.float32))


def _counted_caps(world: World, most: int) -> tuple[tuple[int | None, Cap], ...]:
    """The caps that are counted: those on all channels first, as many as fit."""
    kept: list[tuple[int | None, Cap]] = []
    size = 1
    for scope, cap in sorted(rules_of(world).caps, key=lambda c: c[0] is not None):
        if size * (cap.at_most + 1) <= most:
            kept.append((scope, cap))
            size *= cap.at_most + 1
    return tuple(kept)
