"""Intervals by the way one asks for instead of the usual one: t, betting, anytime or bootstrap.

The value stays; only its ends change. Each works on customers, whose sums are what is independent. Betting and
anytime need a bounded mean: of w r for ips and snips, of model plus w (r - q) for the doubly robust, whose bounds
follow from those of weights, rewards and predictions. Not here: the usual intervals (registry.py), the ways
themselves (betting.py, confidence_sequences.py, bootstrap.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Rows
from campaignrl.ope.estimators import bandit
from campaignrl.ope.intervals import (
    CLUSTERED_T,
    EMPIRICAL_LIKELIHOOD,
    RESAMPLES,
    Clusters,
    Estimate,
    Point,
    anytime_bounds,
    betting_interval,
    clustered_t,
    percentile_interval,
)
from campaignrl.ope.methods.registry import ESTIMATORS, with_own_weights
from campaignrl.ope.methods.weighted_mean import around, within
from campaignrl.ope.methods.weighted_rows import Evidence, Range
from campaignrl.rng import Purpose, customer_keys, generator
from campaignrl.tables.log import DecisionLog

T, BETTING, ANYTIME, BOOTSTRAP = "t", "betting", "anytime", "bootstrap"
MODEL_ERROR_NOT_COUNTED = ", the model's own error not counted"


PER_ROW = ("reward", "predicted", "weight", "expected", "batch", "pooled")


class Mean(NamedTuple):
    """A quantity as a mean over rows: terms (n,) and what bounds each; `point` if its value is another function."""

    terms: Float
    range: Range
    clusters: Clusters
    value: Callable[[Rows], float]  # of any rows
    point: Point
    weighted: tuple[Float, Float, Range] | None = None  # weights, rewards and their range, where terms are w r


class Orders(NamedTuple):
    """Orders of the C customers that do not follow their outcomes."""

    by_hash: Rows
    by_time: Rows  # of a customer's first decision, ties by hash

    @classmethod
    def of(cls, log: DecisionLog, clusters: Clusters) -> Orders:
        """The orders of a log's customers."""
        key = customer_keys(log.customers[clusters.numbers])
        first = np.full(len(clusters), np.iinfo(np.int64).max)
        np.minimum.at(first, clusters.of_rows(), np.asarray(log.day, dtype=np.int64))
        return cls(np.argsort(key, kind="stable"), np.lexsort((key, first)))


def mean_of(name: str, evidence: Evidence, setting: float | None) -> Mean:
    """What an estimator averages. A self-normalised one is bounded as the one that is not."""
    estimator, e = ESTIMATORS[name], with_own_weights(name, evidence)._replace(marginals=None)

    def value(rows: Rows) -> float:
        kept = e._replace(**{x: getattr(e, x)[rows] for x in PER_ROW if getattr(e, x) is not None})
        return estimator.terms(kept, setting).point().value

    point = estimator.terms(e, setting).point()
    if not estimator.weights:
        return Mean(e.expected, e.predicted_range, e.clusters, value, point)
    weight, weight_range = e.weight, e.weight_range
    if estimator.held is not None:
        number = estimator.held.usual if setting is None else setting
        tops = np.array([w for w in (number, math.sqrt(number)) if w < weight_range[1]] + [weight_range[1]])
        heaviest = float(estimator.held.weight(tops, number).max())  # each holds back most at one of these
        weight, weight_range = estimator.held.weight(weight, number), (0.0, heaviest)
    (least, largest), (q_least, q_largest) = e.reward_range, e.predicted_range
    if not estimator.model:
        weighted = (weight, e.reward, e.reward_range) if weight_range[0] >= 0.0 else None
        terms, bounds = bandit.ips(weight, e.reward).above, _products(weight_range, e.reward_range)
        return Mean(terms, bounds, e.clusters, value, point, weighted)
    residual = _products(weight_range, (least - q_largest, largest - q_least))
    bounds = (q_least + residual[0], q_largest + residual[1])
    return Mean(bandit.dr(weight, e.reward, e.predicted, e.expected).above, bounds, e.clusters, value, point)


def difference_mean(a: Evidence, b: Evidence) -> Mean:
    """Value of a less value of b, doubly robust, as a mean over the rows they share."""
    terms = a.expected - b.expected + (a.weight - b.weight) * (a.reward - a.predicted)
    (least, largest), (q_least, q_largest) = a.reward_range, a.predicted_range
    weights = (a.weight_range[0] - b.weight_range[1], a.weight_range[1] - b.weight_range[0])
    low, high = _products(weights, (least - q_largest, largest - q_least))
    span, value = q_largest - q_least, float(terms.mean())
    point = Point(value, terms - value)
    return Mean(terms, (low - span, high + span), a.clusters, lambda rows: float(terms[rows].mean()), point)


def _t(mean: Mean, orders: Orders, alpha: float, seed: int) -> Range:
    return clustered_t(mean.point, mean.clusters, alpha)[2:4]


def _bootstrap(mean: Mean, orders: Orders, alpha: float, seed: int) -> Range:
    return percentile_interval(mean.value, mean.clusters, alpha, generator(seed, Purpose.RESAMPLE), RESAMPLES)


def _betting(mean: Mean, orders: Orders, alpha: float, seed: int) -> Range:
    bounds = customer_bounds(mean.range, mean.clusters)
    return betting_interval(mean.clusters.scaled(mean.terms)[orders.by_hash], alpha, *bounds)


def _anytime(mean: Mean, orders: Orders, alpha: float, seed: int) -> Range:
    bounds, totals = customer_bounds(mean.range, mean.clusters), mean.clusters.scaled(mean.terms)
    if not bounds[1] > bounds[0]:
        return bounds
    weight, reward, reward_range = np.ones(len(totals)), totals, bounds
    if mean.weighted is not None:  # a customer as one row: its weight, and what it earned per weight
        weight, reward_range = mean.clusters.scaled(mean.weighted[0]), mean.weighted[2]
        reward = np.divide(totals, weight, out=np.full(len(totals), reward_range[0]), where=weight > 0.0)
    order, last = orders.by_time, np.array([len(totals) - 1])
    low, high = anytime_bounds(weight[order], reward[order], alpha, reward_range, looks=last)
    return float(low[0]), float(high[0])


class Interval(NamedTuple):
    """One row of the table below."""

    made_by: str  # in words
    ends: Callable[[Mean, Orders, float, int], Range]  # (a mean, orders of its customers, alpha, seed) -> both ends


BY_NAME: Mapping[str, Interval] = MappingProxyType(
    {
        T: Interval(CLUSTERED_T, _t),
        BETTING: Interval("hedged betting", _betting),
        ANYTIME: Interval("anytime-valid", _anytime),
        BOOTSTRAP: Interval("bootstrap over customers", _bootstrap),
    }
)
INTERVALS = (EMPIRICAL_LIKELIHOOD, *BY_NAME)  # the first is that of registry.py


def customer_bounds(row: Range, clusters: Clusters) -> Range:
    """Bounds of a customer's scaled sum (`Clusters.scaled`) from those of a row, for as many rows as anyone has."""
    scale, fewest, most = len(clusters) / clusters.rows, float(clusters.sizes.min()), float(clusters.sizes.max())
    low, high = row
    return scale * min(fewest * low, most * low), scale * max(fewest * high, most * high)


def with_interval(
    interval: str,
    log: DecisionLog,
    views: Mapping[str, Evidence],
    settings: Mapping[str, float | None],
    estimates: Mapping[str, Estimate],
    alpha: float,
    seed: int,
) -> dict[str, Estimate]:
    """The estimates with intervals of another kind; those that could not be had stay so."""
    if interval == EMPIRICAL_LIKELIHOOD or not views:
        return dict(estimates)
    orders = Orders.of(log, next(iter(views.values())).clusters)
    found = dict(estimates)
    for name, made in estimates.items():
        if math.isfinite(made.value):
            mean, possible = mean_of(name, views[name], settings.get(name)), views[name].reward_range
            how = BY_NAME[interval].made_by + ESTIMATORS[name].t_interval.removeprefix(CLUSTERED_T)
            ends = BY_NAME[interval].ends(mean, orders, alpha, seed)
            found[name] = _with_ends(made, ends, possible, how)
    return found


def difference_with_interval(
    interval: str, log: DecisionLog, a: Evidence, b: Evidence, made: Estimate, alpha: float, seed: int
) -> Estimate:
    """A difference with an interval of another kind; none is needed where both do the same in every row."""
    if interval == EMPIRICAL_LIKELIHOOD or not math.isfinite(made.value) or made[:4] == (0.0, 0.0, 0.0, 0.0):
        return made
    span = a.reward_range[1] - a.reward_range[0]
    way = BY_NAME[interval]
    found = way.ends(difference_mean(a, b), Orders.of(log, a.clusters), alpha, seed)
    return _with_ends(made, found, (-span, span), way.made_by)


def _with_ends(made: Estimate, found: Range, possible: Range, how: str) -> Estimate:
    low, high = around(made.value, within(found, possible))
    return made._replace(ci_low=low, ci_high=high, interval=how)


def _products(a: Range, b: Range) -> Range:
    """Least and largest product of a number in each range."""
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)
