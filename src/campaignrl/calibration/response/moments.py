"""Which figures of a campaign move which numbers of a world.

Each moment is a figure that real and simulated rows both have, its target from the real ones, and the one number of the
world that moves it most. Segments' figures are pooled first, so that what is luck does not become a trait. Not here:
solving for the numbers (method_of_simulated_moments.py), numbers with a closed form (base_rates.py, draft.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float
from campaignrl.calibration.response.campaign_rows import Campaign
from campaignrl.calibration.response.clustered_statistics import NOTHING, Figure, Scale, lift, rate, weights
from campaignrl.calibration.response.funnel_regression import fit_logistic
from campaignrl.calibration.response.shrinkage import pooled, traits_design

Path = tuple[str, ...]

MOST_ROWS = 200_000  # of one regression
MANY = 30  # orders with nothing sent, by segment, that say enough by themselves
RESTED = 0.1  # standard deviation of the fatigue stock below which its effect cannot be seen


class View:
    """A campaign with what its figures are made of.

    added, decay: what a send adds to the fatigue stock by channel, and the share that stays for a day; by_spend: an
    offer's effect is on spend instead of on the number of orders.
    """

    def __init__(self, campaign: Campaign, added: Mapping[str, float], decay: float, by_spend: bool = False) -> None:
        self.by_spend = by_spend
        self.campaign, self.rows = campaign, campaign.rows
        self.weight, self._added, self._decay = weights(campaign), added, decay
        catalog, action = campaign.catalog, campaign.rows.action
        self.offers = [offer.name for offer in catalog.offers]
        self.channels = [channel.name for channel in catalog.channels]
        self.offer, self.channel = catalog.offer_of[action], catalog.channel_of[action]
        self.sent = action > 0

    def by(self, channel: str | None = None, offer: str | None = None, segment: str | None = None) -> Bool:
        """(n,) the sends on this channel, of this offer, to this segment."""
        mine = self.sent.copy()
        if channel is not None:
            mine &= self.channel == self.channels.index(channel)
        if offer is not None:
            mine &= self.offer == self.offers.index(offer)
        if segment is not None:
            mine &= self.of(segment)
        return mine

    def of(self, segment: str) -> Bool:
        """(n,) the rows of this segment."""
        mine: Bool = self.rows.segment == self.campaign.segments.index(segment)
        return mine

    def none(self, offer: str | None = None, segment: str | None = None) -> Bool:
        """(n,) the rows with nothing sent, of customers who might have got this offer."""
        mine = ~self.sent
        if offer is not None and self.campaign.eligible is not None:
            mine &= self.campaign.eligible[:, self.campaign.catalog.offer_of == self.offers.index(offer)].any(axis=1)
        return mine & self.of(segment) if segment is not None else mine

    def used(self, offer: str, given: str | None) -> Figure:
        """Share of those who saw the offer and ordered soon after who used it, log-odds."""
        return self.share(self.by(offer=offer) & (self.rows.orders > 0), "redeemed", given)

    def share(self, mine: Bool, step: str, given: str | None, scale: Scale = "logit") -> Figure:
        """How often a step of the funnel follows the one before it."""
        if given is not None:
            mine = mine & (getattr(self.rows, given) == 1.0)
        return rate(mine, getattr(self.rows, step), self.rows.customer, self.weight, scale)

    def orders(self, mine: Bool) -> Figure:
        """Orders a day, in logs."""
        return self._a_day(mine, self.rows.orders)

    def spend(self, mine: Bool) -> Figure:
        """Spend a day, in logs."""
        return self._a_day(mine, self.rows.spend)

    def _a_day(self, mine: Bool, outcome: Float) -> Figure:
        mine = mine & ~np.isnan(self.rows.days)
        return rate(mine, outcome, self.rows.customer, self.weight, "log", self.rows.days)

    def lift(self, treated: Bool, none: Bool) -> Figure:
        """Log of how many times as many orders (as much spend) follow as with nothing sent."""
        outcome = self.rows.spend if self.by_spend else self.rows.orders
        return lift(treated, none, outcome, self.rows.customer, self.weight, self.rows.days)

    @cached_property
    def fatigue(self) -> Float:
        """(n,) stock of sends before each decision."""
        rows = self.rows
        new = np.r_[True, rows.customer[1:] != rows.customer[:-1]] if len(rows) else np.zeros(0, dtype=bool)
        place = np.arange(len(rows)) - np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))
        of_channel = np.array([*(self._added.get(name, 1.0) for name in self.channels), 0.0])
        added, stock = of_channel[self.channel], np.zeros(len(rows))
        for k in range(1, int(place.max(initial=0)) + 1):
            now = np.flatnonzero(place == k)
            kept = self._decay ** (rows.day[now] - rows.day[now - 1])
            # What was sent on a day is in full in the stock of the next (dynamics/memory.py).
            stock[now] = stock[now - 1] * kept + added[now - 1] * kept / self._decay
        return stock

    def wear(self, step: str, given: str | None) -> Figure:
        """Log-odds of a step per unit of fatigue, across all channels."""
        outcome = getattr(self.rows, step)
        mine = self.sent & ~np.isnan(outcome)
        if given is not None:
            mine &= getattr(self.rows, given) == 1.0
        rows = np.flatnonzero(mine)
        rows = rows[:: max(1, -(-len(rows) // MOST_ROWS))]
        y, stock = outcome[rows], self.fatigue[rows]
        if len(rows) < 50 or min(y.sum(), len(y) - y.sum()) < 20 or stock.std() < RESTED:
            return NOTHING
        of_channel = (self.channel[rows, None] == np.unique(self.channel[rows])[1:]).astype(float)
        fit = fit_logistic(np.column_stack([stock, of_channel]), y, self.weight[rows], self.rows.customer[rows])
        return Figure(float(fit.coefficients[1]), float(fit.se[1]), len(rows), float(y.sum()))


@dataclass(frozen=True)
class Moment:
    """A figure, its target, and the numbers that move it: one path, or several that move together."""

    paths: tuple[Path, ...]
    scale: Scale  # of the numbers
    low: float
    high: float
    ask: Callable[[View], Figure]
    target: Figure
    by: str
    effect: bool = False  # moves orders rather than the funnel
    shared: bool = False  # moves many other figures as well, whose numbers are less certain by that
    early: bool = False  # solved before the others, which then tell its parts apart


class Recorded(NamedTuple):
    """Which steps a log holds, and what each is a share of."""

    delivered: bool
    opened: bool
    clicked: bool
    unsubscribed: bool
    redeemed: bool
    visited: bool

    @property
    def received(self) -> str | None:
        """What opening is a share of: of what was delivered, or of all sends."""
        return "delivered" if self.delivered else None


def recorded(campaign: Campaign) -> Recorded:
    """A step counts as recorded when it was seen to happen."""
    return Recorded(*(bool(np.nansum(getattr(campaign.rows, name)) > 0) for name in Recorded._fields))


def all_moments(view: View, tables: Mapping[str, Any], base_known: bool) -> list[Moment]:
    """Every moment that the real rows can give. base_known: order rates come from untreated histories instead."""
    steps = recorded(view.campaign)
    found = [*_funnel(view, steps), *_affinities(view, steps), *_wear(view, steps), *_visits(view, steps)]
    if not base_known:
        found += _rates(view)
    found += _effects(view, tables)
    if steps.redeemed:
        found += _redeems(view, "opened" if steps.opened else steps.received)
    return [m for m in found if np.isfinite(m.target.value) and np.isfinite(m.target.se)]


def _moment(view: View, paths: Path | tuple[Path, ...], scale: Scale, low: float, high: float, by: str, ask: Any,
            effect: bool = False, early: bool = False, shared: bool = False) -> Moment:  # fmt: skip
    many = paths if paths and isinstance(paths[0], tuple) else (paths,)
    return Moment(many, scale, low, high, ask, ask(view), by, effect, shared, early)  # type: ignore[arg-type]


def _funnel(view: View, steps: Recorded) -> Iterator[Moment]:
    """Delivery, opens and clicks of each channel, and how many leave it."""
    for c in view.channels:

        def mine(v: View, c: str = c) -> Bool:
            return v.by(channel=c)

        reach, rates = ("channels", c, "reach"), (1e-4, 0.9995)
        if steps.delivered:
            yield _moment(view, (*reach, "deliver"), "logit", *rates, "share of sends delivered",
                          lambda v, m=mine: v.share(m(v), "delivered", None), early=True)  # fmt: skip
        if steps.opened:
            yield _moment(view, (*reach, "open"), "logit", *rates, "share opened",
                          lambda v, m=mine: v.share(m(v), "opened", steps.received), early=True)  # fmt: skip
        if steps.clicked:
            given = "opened" if steps.opened else steps.received
            yield _moment(view, (*reach, "click"), "logit", *rates, "share clicked",
                          lambda v, m=mine, g=given: v.share(m(v), "clicked", g), early=True)  # fmt: skip
        elif steps.visited and not steps.opened:
            yield _moment(view, (*reach, "click"), "logit", *rates, "visits beyond those with nothing sent",
                          lambda v, m=mine: v.share(m(v), "visited", None), early=True)  # fmt: skip
        if steps.unsubscribed:
            yield _moment(view, ("channels", c, "unsubscribe", "base"), "logit", 1e-6, 0.5, "share that leaves",
                          lambda v, m=mine: v.share(m(v), "unsubscribed", steps.received), early=True)  # fmt: skip


def _affinities(view: View, steps: Recorded) -> list[Moment]:
    """How a segment differs from the others in opening a channel; or, where only visits are known, an offer."""
    found: list[Moment] = []
    if len(view.campaign.segments) < 2:
        return found
    if steps.opened:
        for c in view.channels:
            cells = [
                _moment(view, ("segments", s, "affinity", c), "identity", -3.0, 3.0, "share opened, by segment, pooled",
                        lambda v, c=c, s=s: v.share(v.by(c, None, s), "opened", steps.received))
                for s in view.campaign.segments
            ]  # fmt: skip
            found += _pooled(view, cells, "logit")
    elif steps.visited:
        for o in view.offers:
            cells = [
                _moment(view, ("segments", s, "taste", o), "identity", -3.0, 3.0,
                        "visits after the offer, by segment, pooled",
                        lambda v, o=o, s=s: v.share(v.by(None, o, s), "visited", None))
                for s in view.campaign.segments
            ]  # fmt: skip
            found += _pooled(view, cells, "logit")
    return found


def _wear(view: View, steps: Recorded) -> Iterator[Moment]:
    if steps.opened:
        yield _moment(view, ("fatigue", "open"), "identity", 0.0, 2.0, "opens by sends of the days before",
                      lambda v: _negative(v.wear("opened", steps.received)), early=True, shared=True)  # fmt: skip
    if steps.unsubscribed:
        paths = tuple(("channels", c, "unsubscribe", "per_fatigue") for c in view.channels)
        yield _moment(view, paths, "identity", 0.0, 3.0, "leaving by sends of the days before",
                      lambda v: v.wear("unsubscribed", steps.received), early=True, shared=True)  # fmt: skip


def _negative(figure: Figure) -> Figure:
    return figure._replace(value=-figure.value)


def _visits(view: View, steps: Recorded) -> list[Moment]:
    if not steps.visited:
        return []
    cells = [
        _moment(view, ("segments", s, "visits"), "log", 1e-4, 5.0, "visits with nothing sent, pooled",
                lambda v, s=s: v.share(v.none(segment=s), "visited", None), early=True)
        for s in view.campaign.segments
    ]  # fmt: skip
    return _pooled(view, cells, "logit")


def _rates(view: View) -> list[Moment]:
    """Orders with nothing sent; where those are too few, all orders: the replay holds what was sent, too."""
    seen = [view.orders(view.none(segment=s)).events for s in view.campaign.segments]
    alone = min(seen) >= MANY
    by = "orders a day with nothing sent, pooled" if alone else "orders a day in all arms, pooled"
    cells = [
        _moment(view, ("segments", s, "purchase", "rate"), "log", 1e-7, 2.0, by,
                lambda v, s=s: v.orders(v.none(segment=s) if alone else v.of(s)))
        for s in view.campaign.segments
    ]  # fmt: skip
    found = _pooled(view, cells, "log")
    if view.by_spend:
        found += [
            _moment(view, ("segments", s, "basket", "mean"), "log", 1e-3, 1e6, "spend a day with nothing sent",
                    lambda v, s=s: v.spend(v.none(segment=s)))
            for s in view.campaign.segments
        ]  # fmt: skip
    return found


def _effects(view: View, tables: Mapping[str, Any]) -> Iterator[Moment]:
    """What an offer adds to orders. The price effect stands for the most frequent discount, segment by segment."""
    cuts = {o: _cut(tables, o) for o in view.offers}
    sends = {o: int(view.by(offer=o).sum()) for o in view.offers}
    priced = [o for o in view.offers if cuts[o] > 0 and sends[o]]
    reference = max(priced, key=lambda o: sends[o]) if priced else None
    for o in view.offers:
        if o == reference:
            continue
        yield _moment(view, ("offers", o, "appeal"), "identity", -4.0, 6.0, "orders against nothing sent",
                      lambda v, o=o: v.lift(v.by(offer=o), v.none(offer=o)), effect=True)  # fmt: skip
    if reference is not None:
        cells = [
            _moment(view, ("segments", s, "price_sensitivity", "mean"), "identity", 0.005, 3.0,
                    f"orders after {reference} against nothing sent, pooled",
                    lambda v, o=reference, s=s: v.lift(v.by(offer=o, segment=s), v.none(o, s)), effect=True)
            for s in view.campaign.segments
        ]  # fmt: skip
        yield from _pooled(view, cells)


def _cut(tables: Mapping[str, Any], offer: str) -> float:
    found = tables["offers"][offer]
    return float(found.get("discount", 0.0)) + float(found.get("feels_like", 0.0))


def _redeems(view: View, given: str | None) -> Iterator[Moment]:
    for o in view.offers:
        yield _moment(view, ("offers", o, "redeem"), "logit", 1e-3, 0.999, "share of orders soon after that use it",
                      lambda v, o=o: v.used(o, given), effect=True)  # fmt: skip


def _pooled(view: View, cells: list[Moment], scale: Scale | None = None) -> list[Moment]:
    """The same moments with targets drawn together; scale: of rates."""
    if len(cells) < 2:
        return cells
    parts = view.campaign.parts
    targets = pooled([cell.target for cell in cells], scale, None if parts is None else traits_design(parts))
    return [replace(cell, target=target) for cell, target in zip(cells, targets, strict=True)]
