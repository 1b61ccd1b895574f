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
from campaignrl.ope.episodes.registry import Episodes
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    MODEL_T,
    RESAMPLES,
    Clusters,
    Estimate,
    Point,
    clustered_t,
    percentile_interval,
)
from campaignrl.ope.methods import BOOTSTRAP, BY_NAME, MODEL_ERROR_NOT_COUNTED, T
from campaignrl.rng import Purpose, generator

EPISODE_INTERVALS = (T, BOOTSTRAP)
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
    how = (
        made_by
        if way.interval == T
        else BY_NAME[BOOTSTRAP].made_by + (MODEL_ERROR_NOT_COUNTED if made_by == MODEL_T else "")
    )
    return _with_interval(episodes.of(name), len(episodes.reward), way, how)


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
