"""What a world makes of published figures of the customer base: orders, repurchase, churn, order values; nothing sent.

Two panels: the file as it stands on day 0, for a year; and a cohort whose first order falls on day 0 of a year without
a calendar, for repurchase. Not here: messages (message_rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.calibration.published.measured import Measured
from campaignrl.calibration.published.plays import unguarded
from campaignrl.calibration.published.statistics import jackknife, relative_spread, share, top_tenth
from campaignrl.dynamics import visited
from campaignrl.envs import Panel
from campaignrl.envs.truth import nothing
from campaignrl.specs import World

YEAR = 365  # days
FOLLOWED = 548  # days a cohort is followed: 18 months, as in the data of the published figure
FORTNIGHT = 14  # days: the window in which the spread of spend is published
VISIT_DAYS = 60  # on which visits are drawn: every day of a year would say the same
AT_ONCE = 1e-6  # days before day 0 in which the cohort joined: none


def customer_rows(world: World, customers: int, seed: int) -> Iterator[Measured]:
    """Every figure of the customer base, as they are measured."""
    yield from _consents(world, customers, seed)
    yield from _year(world, customers, seed)
    yield from _cohort(world, customers, seed)


def _consents(world: World, customers: int, seed: int) -> Iterator[Measured]:
    state = Panel(world, customers, seed).state
    for channel, consent in zip(world.channels, state.consent, strict=True):
        yield Measured(f"consent@{channel}", share(consent, np.ones(len(consent))))


def _year(world: World, customers: int, seed: int) -> Iterator[Measured]:
    panel = Panel(unguarded(world, horizon=YEAR), customers, seed)
    n, before = len(panel), panel.state.last_order >= -YEAR  # NaN, of who never ordered, is not
    orders, spend, live_days, everybody = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n)
    fortnight, values = np.zeros(n), []
    visits, on_visits = np.zeros(n), np.zeros(n)
    lived = panel.state.alive.copy()
    while not panel.done:
        day, alive = panel.day, panel.state.alive.copy()
        outcome = panel.step(nothing(panel))
        live_days += alive
        orders += outcome.bought
        spend += outcome.revenue
        values.append(outcome.revenue[outcome.bought])
        if day < FORTNIGHT:
            fortnight += outcome.revenue
        if day < VISIT_DAYS:
            visits += visited(panel.world, panel.traits, alive, outcome, day, seed)
            on_visits += outcome.bought
    yield Measured("orders a live year", share(orders, live_days / YEAR))
    yield Measured("drop-out a year", share(lived & ~panel.state.alive, lived))
    yield Measured("no order last year", share(~before, everybody))
    yield Measured("gone at day 0", share(~lived, everybody))
    yield Measured("orders a visit", share(on_visits, visits))
    yield from _values(np.concatenate(values), spend, fortnight)


def _values(values: Float32, spend: Float, fortnight: Float) -> Iterator[Measured]:
    """values: of single orders, day by day; spend, fortnight: (n,) by customer, of a year and of two weeks."""
    single = values[values > 0].astype(np.float64)
    yield Measured("order value sd/mean", jackknife(relative_spread, single))
    yield Measured("order value sd of log", jackknife(lambda v: float(np.log(v).std()), single))
    yield Measured("top tenth", jackknife(top_tenth, spend[spend > 0]))
    yield Measured("spend sd/mean", jackknife(relative_spread, fortnight))


def _cohort(world: World, customers: int, seed: int) -> Iterator[Measured]:
    """Customers whose first order is that of day 0; repeats are counted from day 1 on."""
    quiet = unguarded(world, horizon=FOLLOWED + 1, season=None)
    panel = Panel(quiet.model_copy(update={"tenure_days": AT_ONCE}), customers, seed)
    panel.state.alive[...] = True
    n = len(panel)
    repeats, second, last = np.zeros(n, dtype=np.int64), np.full(n, np.inf), np.zeros(n)
    panel.step(nothing(panel))
    while not panel.done:
        day = panel.day
        bought = panel.step(nothing(panel)).bought
        second[bought & np.isinf(second)] = day
        last[bought] = day
        if day <= YEAR:
            repeats += bought
    yield from cohort_figures(second, repeats, last)


def cohort_figures(second: Float, repeats: Int64, last: Float) -> Iterator[Measured]:
    """Of n buyers: days from the first order to the second (inf: none), repeats in the year, day of the last order."""
    everybody = np.ones(len(second))

    def within(days: int) -> Bool:
        return np.asarray(second <= days)

    for days in (30, 90, YEAR):
        yield Measured(f"repeat in {days} days", share(within(days), everybody))
    yield Measured("no order next year", share(last <= FOLLOWED - YEAR, everybody))
    yield Measured("one-time buyers", share(~within(YEAR), everybody))
    yield Measured("orders in the first year", share(repeats + 1, everybody))
