"""Intervals of what whole episodes earn, and of differences of it: t or percentile bootstrap over customers.

An episode is a customer, so both work on trajectories. Betting and anytime-valid intervals need a bound, and that of
a product of T weights is so wide that they would say nothing; empirical likelihood is of single decisions. Not here:
the estimators (registry.py), the verb (evaluate.py). N trajectories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Rows
from campaignrl.ope.episodes.registry import NO_INTERVAL, SEQUENTIAL, WHERE_REFUSED, Episodes
from campaignrl.ope.estimators import sequential
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    NOT_TO_BE_HAD,
    RESAMPLES,
    Clusters,
    Estimate,
    Point,
    clustered_t,
    percentile_interval,
)
from campaignrl.ope.methods import BOOTSTRAP, BY_NAME, T
from campaignrl.rng import Purpose, generator

EPISODE_INTERVALS = (T, BOOTSTRAP)
WITHOUT = (NO_INTERVAL, WHERE_REFUSED)
Statistic = Callable[[Rows | None], Point]  # the estimate from these trajectories, or from all of them


class IntervalOptions(NamedTuple):
    """How intervals are made; the same seed draws the same customers for every estimator."""

    interval: str = T
    alpha: float = 0.05
    seed: int = 0


def mean_point(values: npt.NDArray[np.float64]) -> Point:
    """A mean as an estimate: (N,) values."""
    mean = float(values.mean())
    return Point(mean, values - mean)


def estimated(name: str, episodes: Episodes, way: IntervalOptions) -> Estimate:
    """An estimator's answer with its interval; models stay as they were fitted on all customers."""
    made_by = episodes.interval(name)
    if made_by in WITHOUT:
        return _without_interval(episodes.of(name)(None).value, made_by)
    how = made_by if way.interval == T else BY_NAME[BOOTSTRAP].made_by
    made = _with_interval(episodes.of(SEQUENTIAL[name].spread_of or name), len(episodes.reward), way, how)
    return made if SEQUENTIAL[name].spread_of is None else _with_value(made, episodes.of(name)(None).value)


def lift_by(name: str, ours: Episodes, theirs: Episodes | None, way: IntervalOptions) -> Estimate:
    """What one policy earns over another by an estimator; theirs: None is the logged one, whose own mean needs none."""

    def of(by: str) -> Estimate:
        return difference(ours.of(by), logged(ours) if theirs is None else theirs.of(by), way, len(ours.reward))

    made, spread = of(name), SEQUENTIAL[name].spread_of
    why = next((how for each in (ours, theirs) if each is not None and (how := each.interval(name)) in WITHOUT), None)
    if why is not None:
        return _without_interval(made.value, why)
    return made if spread is None else _with_value(of(spread), made.value)


def logged(episodes: Episodes) -> Statistic:
    """The mean return of the customers themselves."""
    own = sequential.returns(episodes.reward, episodes.discount)
    return lambda rows: mean_point(own if rows is None else own[rows])


def _without_interval(value: float, why: str) -> Estimate:
    return Estimate(value, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, why)


def _with_value(made: Estimate, value: float) -> Estimate:
    """Another value, in an interval stretched to it."""
    return made._replace(value=value, ci_low=min(made.ci_low, value), ci_high=max(made.ci_high, value))


def difference(a: Statistic, b: Statistic, way: IntervalOptions, customers: int) -> Estimate:
    """First less second, from the same customers."""

    def apart(rows: Rows | None) -> Point:
        first, second = a(rows), b(rows)
        return Point(first.value - second.value, first.influence - second.influence)

    return _with_interval(apart, customers, way, CLUSTERED_T if way.interval == T else BY_NAME[BOOTSTRAP].made_by)


def _with_interval(valued: Statistic, customers: int, way: IntervalOptions, how: str) -> Estimate:
    clusters = Clusters(np.arange(customers))
    made = clustered_t(valued(None), clusters, way.alpha, how)
    if way.interval == T:
        return made
    chance = generator(way.seed, Purpose.RESAMPLE)
    low, high = percentile_interval(lambda rows: valued(rows).value, clusters, way.alpha, chance, RESAMPLES)
    return made._replace(ci_low=low, ci_high=high)
