"""Is a world still like what new exports say? Orders and revenue of the last days, against what it expects of them.

Customers are taken as they stood when those days began: by how long ago they last ordered. For each such group the
world says, under the policy that decides, how many orders and how much revenue come; weighted by the real groups, that
is what the days should have brought. Where the world has a calendar of dates, those days are played as busy as they
were, and time since an order is counted in average days, as the world counts what was before its day 0. Both sides have
an interval over customers. Not here: whole scorecards of a calibrated world (scorecard.py), what follows from a
difference (loop/).
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from campaignrl.arrays import Float, Int, Objects
from campaignrl.choices import actions_of_day
from campaignrl.effects import Event, Season, season_factors
from campaignrl.envs import Panel
from campaignrl.policies import Policy, one_blas_thread
from campaignrl.specs import World
from campaignrl.tables import ID

EDGES = (7, 14, 30, 60, 90)  # days since the last order; beyond, or never: one group
FEWEST = 30  # orders in the window, below which nothing is said
WINDOWS = 4  # of the world's time, one after the other, each played by the same customers
LEVEL = 0.05


class Difference(NamedTuple):
    """Real over expected, less one, with its interval."""

    value: float
    low: float
    high: float

    def beyond(self, most: float) -> bool:
        """Whether the whole interval lies further than `most` from nothing."""
        return self.low > most or self.high < -most

    def __str__(self) -> str:
        return f"{self.value:+.1%} [{self.low:+.1%}, {self.high:+.1%}]"


class Held(NamedTuple):
    """Differences of the last `days` days; None where there are too few orders to say."""

    days: int
    customers: int
    real_orders: int
    orders: Difference | None
    revenue: Difference | None


class Calendar(NamedTuple):
    """How busy the days in question and those before them were."""

    days: Float  # (d,) factors of the days
    before: Float  # (b,) of the days before them, the nearest first

    def since(self, recency: Float) -> Float:
        """(n,) average days of so many days before the first one; what lies further back is taken for average."""
        edges, passed = np.arange(len(self.before) + 1.0), np.concatenate([[0.0], np.cumsum(self.before)])
        inside = np.minimum(recency, edges[-1])
        result: Float = np.interp(inside, edges, passed) + (recency - inside)
        return np.where(np.isinf(recency), np.inf, result)


def calendar_of(world: World, end: datetime.date, days: int) -> Calendar | None:
    """Of the `days` before `end`; None where the world's calendar has no dates."""
    season = world.season
    if season is None or season.day_zero is None:
        return None
    began = (end - season.day_zero).days - days
    reach = max([0, *(began - event.day for event in season.events)])
    factors = season_factors(season.starting(began - reach), reach + days).astype(np.float64)
    return Calendar(factors[reach:], factors[:reach][::-1])


class _Groups(NamedTuple):
    """By group of customers: how many, mean and variance of each figure (2, g): orders, revenue."""

    many: Float
    mean: Float
    variance: Float


def expected_of(
    world: World, policy: Policy, days: int, customers: int, seed: int = 0, calendar: Calendar | None = None
) -> _Groups:
    """What the world expects of `days` days by group of customers, under `policy`."""
    windows = max(min(WINDOWS, world.horizon // days), 1)
    played = world if calendar is None else _as_busy(world, calendar, windows)
    panel = Panel(played, customers, seed)
    group, figures = [], []
    with one_blas_thread():
        for window in range(windows):
            if window and world.joined_by_order:  # nobody joins later, and who has just joined is among the recent
                panel = Panel(played, customers * window + np.arange(customers), seed)
            seen = panel.observe()
            never = np.asarray(seen.columns["orders"], dtype=np.float64) == 0
            recency = np.asarray(seen.columns["recency_days"], dtype=np.float64)
            if calendar is not None:
                again = np.tile(calendar.days, panel.day // days)[::-1]
                recency = Calendar(calendar.days, again).since(recency)
            group.append(_group(np.where(never, np.inf, recency)))
            sums = np.zeros((2, customers))
            for _ in range(min(days, world.horizon - panel.day)):
                outcome = panel.step(actions_of_day(panel, policy))
                sums += np.stack([outcome.bought, outcome.revenue])
            figures.append(sums)
    return _by_group(np.concatenate(group), np.concatenate(figures, axis=1))


def _as_busy(world: World, calendar: Calendar, windows: int) -> World:
    """The world with these days in each of its windows."""
    days = [
        Event(name=f"day {day}", day=day, factor=float(factor))
        for day, factor in enumerate(np.tile(calendar.days, windows))
    ]
    return world.model_copy(update={"season": Season(events=days)})


def hold(
    expected: _Groups,
    orders: pd.DataFrame,
    customers: Objects,
    end: pd.Timestamp,
    days: int,
    calendar: Calendar | None = None,
    begun: bool = False,
) -> Held:
    """Real orders of the days before `end` against what was expected.

    orders: customer_id, ts, amount, all that are known; customers: (n,) ids of all who are. begun: leave out who first
    ordered in these days, where nobody comes later in the world (`joined_by_order`).
    """
    start = end - pd.Timedelta(days=days)
    place = pd.Index(customers)
    before, inside = orders[orders["ts"] < start], orders[(orders["ts"] >= start) & (orders["ts"] < end)]
    last = before.groupby(ID)["ts"].max()
    place = place[place.isin(last.index)] if begun else place
    last = last.reindex(place)
    recency = ((start - last).dt.total_seconds() / 86_400).fillna(np.inf).to_numpy(dtype=np.float64)
    recency = recency if calendar is None else calendar.since(recency)
    of = place.get_indexer(pd.Index(inside[ID]))
    known = of >= 0
    sums = np.stack(
        [
            np.bincount(of[known], minlength=len(place)).astype(np.float64),
            np.bincount(of[known], weights=inside["amount"].to_numpy(dtype=np.float64)[known], minlength=len(place)),
        ]
    )
    many = int(sums[0].sum())
    if many < FEWEST:
        return Held(days, len(place), many, None, None)
    found = [_difference(expected, _group(recency), sums, figure) for figure in (0, 1)]
    return Held(days, len(place), many, *found)


def _group(recency: Float) -> Int:
    return np.searchsorted(np.array(EDGES, dtype=np.float64), recency, side="left")


def _by_group(group: Int, figures: Float) -> _Groups:
    """figures: (2, n)."""
    g = len(EDGES) + 1
    many = np.bincount(group, minlength=g).astype(np.float64)
    below = np.maximum(many, 1.0)
    mean = np.stack([np.bincount(group, weights=one, minlength=g) / below for one in figures])
    squares = np.stack([np.bincount(group, weights=one**2, minlength=g) / below for one in figures])
    return _Groups(many, mean, np.maximum(squares - mean**2, 0.0))


def _difference(expected: _Groups, group: Int, sums: Float, figure: int) -> Difference | None:
    """By the delta method, on the scale of logarithms; None where the world never met such customers."""
    real = np.bincount(group, minlength=len(EDGES) + 1).astype(np.float64)
    known = expected.many > 1  # groups that the world has; the others are left out on both sides
    inside = known[group]
    theirs = float((real[known] * expected.mean[figure][known]).sum())
    ours = float(sums[figure][inside].sum())
    if theirs <= 0.0 or ours <= 0.0:
        return None
    spread = float(sums[figure][inside].var()) * inside.sum()
    luck = float((real[known] ** 2 * expected.variance[figure][known] / expected.many[known]).sum())
    error = np.sqrt(spread / ours**2 + luck / theirs**2)
    half, middle = -float(special.ndtri(LEVEL / 2)) * error, np.log(ours / theirs)
    return Difference(*(float(np.expm1(middle + by)) for by in (0.0, -half, half)))
