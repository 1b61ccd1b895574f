"""What a sender knows of each customer beside the world's features: to be seen in environments that were asked for it.

  offer      which offer is live, and for how many days
  contacts   sends by channel in the window of every cap
  calendar   factors of the calendar on orders, today and on the days to come
  spend      what this campaign has spent on the customer: cost of sends, discounts granted
  budget     what is left of the wave's budget, and of what has been released of it so far

Counts, dates and amounts of one's own acts only, nothing latent. They belong to environments alone: logs, tables and
bundles hold the world's features (specs/world_features.py). Not here: filling those (dynamics/observe.py). n customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Float32
from campaignrl.dynamics import days_with
from campaignrl.envs.options import Options
from campaignrl.envs.panel import Panel
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.guard import Spending, cap_windows
from campaignrl.specs import World

AHEAD = 7  # days of the calendar, today among them
MOST_SPENT = 10_000.0  # currency; what is above is seen as this much

Column = npt.NDArray[Any]


class Books(NamedTuple):
    """What an environment writes down of its customers; each (n,)."""

    cost: Float  # of sends so far, currency
    granted: Float  # discounts and face values so far, currency
    due: npt.NDArray[np.bool_]  # whether they may be sent something today
    quiet: npt.NDArray[np.int64]  # days since they last were due

    @classmethod
    def opened(cls, n: int) -> Books:
        """On day 0: nothing spent, everybody due."""
        return cls(np.zeros(n), np.zeros(n), np.ones(n, dtype=bool), np.zeros(n, dtype=np.int64))


class KnownFeatures:
    """The further features of an environment: what they are, and their columns."""

    def __init__(self, world: World, options: Options) -> None:
        self._world, self._sights = world, options.sights
        self._windows = _windows(world)
        self._calendar = _calendar(world)
        self._prices = tuple(price.name for price in options.prices if price.varies)
        self._priced = np.array([price.varies for price in options.prices], dtype=bool)
        shown = tuple(f for name in self._sights for f in getattr(self, f"_{name}_features")())
        self.schema = FeatureSchema((*shown, *(price.feature for price in options.prices if price.varies)))

    def encoded(self, panel: Panel, books: Books, ledger: Spending | None, rates: Float) -> Float32:
        """(n, d) numbers from 0 to 1, in the order of the schema. rates: (p, n) prices in force."""
        columns = {
            feature: column
            for name in self._sights
            for feature, column in getattr(self, f"_{name}_columns")(panel, books, ledger)
        }
        columns |= {f"price_{name}": rate for name, rate in zip(self._prices, rates[self._priced], strict=True)}
        return Context(self.schema, columns, count=len(panel)).encode()

    def _offer_features(self) -> Iterator[Feature]:
        longest = max(1, *(offer.valid_days for offer in self._world.offers.values()))
        yield Feature(name="offer_held", levels=tuple(self._world.offers), meaning="the offer that is still usable")
        yield Feature(name="offer_days", unit="days", high=float(longest), meaning="days that it is still usable")

    def _offer_columns(self, panel: Panel, books: Books, ledger: Spending | None) -> Iterator[tuple[str, Column]]:
        yield "offer_held", panel.state.live_offer  # -1, for none, is no level
        yield "offer_days", panel.state.live_days.astype(np.float32)

    def _contacts_features(self) -> Iterator[Feature]:
        for channel, days in self._windows:
            meaning = f"sends by {channel} in the {days} days that end today"
            yield Feature(name=_contacts(channel, days), unit="count", high=float(days), meaning=meaning)

    def _contacts_columns(self, panel: Panel, books: Books, ledger: Spending | None) -> Iterator[tuple[str, Column]]:
        channels = list(self._world.channels)
        for channel, days in self._windows:
            sent = panel.state.sent[channels.index(channel)]
            yield _contacts(channel, days), days_with(sent, days).astype(np.float32)

    def _calendar_features(self) -> Iterator[Feature]:
        high = float(max(self._calendar.max(), 1.0))
        for ahead in range(AHEAD):
            when = "today" if not ahead else f"{ahead} days from today"
            yield Feature(name=f"calendar_{ahead}", unit="factor", high=high, meaning=f"calendar's on orders, {when}")

    def _calendar_columns(self, panel: Panel, books: Books, ledger: Spending | None) -> Iterator[tuple[str, Column]]:
        for ahead in range(AHEAD):
            yield f"calendar_{ahead}", np.full(len(panel), self._calendar[panel.day + ahead])

    def _spend_features(self) -> Iterator[Feature]:
        for name, meaning in (("cost_so_far", "of sends in this campaign"), ("granted_so_far", "discounts in it")):
            yield Feature(name=name, unit="currency", high=MOST_SPENT, log=True, meaning=meaning)

    def _spend_columns(self, panel: Panel, books: Books, ledger: Spending | None) -> Iterator[tuple[str, Column]]:
        yield "cost_so_far", books.cost
        yield "granted_so_far", books.granted

    def _budget_features(self) -> Iterator[Feature]:
        yield Feature(name="budget_left", unit="share", meaning="of the wave's budget, not yet spent")
        yield Feature(name="released_left", unit="share", meaning="of the wave's budget, released and not yet spent")

    def _budget_columns(self, panel: Panel, books: Books, ledger: Spending | None) -> Iterator[tuple[str, Column]]:
        whole, left, now = (ledger.budget if ledger else None), 1.0, 1.0
        if ledger is not None and whole is not None:
            of = max(whole, 1)
            left, now = (whole - ledger.spent) / of, ledger.limits(min(panel.day, panel.world.horizon - 1)).money / of
        yield "budget_left", np.full(len(panel), left)
        yield "released_left", np.full(len(panel), now)


def _contacts(channel: str, days: int) -> str:
    return f"contacts_{channel}_{days}d"


def _windows(world: World) -> list[tuple[str, int]]:
    """(channel, days) for every channel and the window of every cap that may close it."""
    caps = cap_windows(world)
    found = [(channel, days) for channel in world.channels for of, days in caps if of in (None, channel)]
    return sorted(dict.fromkeys(found), key=found.index)


def _calendar(world: World) -> Float32:
    """(horizon + AHEAD,) factor of all effects together on orders."""
    factor = np.ones(world.horizon + AHEAD, dtype=np.float32)
    for effect in world.effects(world):
        own = effect.season(len(factor))
        if own is not None:
            factor *= own
    return factor
