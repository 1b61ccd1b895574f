"""The reduced state of a customer: used caps x fatigue x expected price x usable offer, and how each moves in a day.

Two roundings of prices. Honest: a move that ends between two points is shared between them. Optimistic: it ends at the
higher price, so that values can only be too high. Caps are counted in fixed blocks of their window instead of sliding
ones, which allows everything that the sliding ones allow. Axes C, F, R, L.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Array, Float32, Int
from campaignrl.dynamics import NO_OFFER, Parameters, State, days_with
from campaignrl.effects import FatigueEffect
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
    price_moves: tuple[Move, ...]  # (o + 1,) towards the price of each offer; the last one towards the full price
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
    prices, kept = np.ones(1), 0.0
    if world.reference_price is not None:
        prices = np.linspace(1.0, 1.0 - float(p.price_cut.max()), size.prices)[::-1]
        kept = world.reference_price.memory
    tired = fatigue_of(p)
    fatigue = fatigue_points(world, tired, size.fatigue)
    caps = _counted_caps(world, size.caps)
    grids = np.meshgrid(*(np.arange(cap.at_most + 1) for _, cap in caps), indexing="ij")
    gone = [kept * prices + (1.0 - kept) * (1.0 - float(cut)) for cut in p.price_cut]
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
        price_moves=tuple(_move(prices, to, up=optimistic) for to in gone),
        fatigue_moves=tuple(_move(fatigue, fatigue * tired.decay + w, up=False) for w in added),
    )


def fatigue_of(p: Parameters) -> FatigueEffect:
    """The fatigue that every world has."""
    found = p.effect(FatigueEffect)
    assert found is not None
    return found


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
        cap.at_most * unit / (1.0 - decay**cap.per_days) for cap in world.guard.caps if cap.channel is None
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
