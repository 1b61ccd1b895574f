"""Bandit estimators: each the rows whose means are the value of a policy, from which follow value, error and interval.

Here: pure functions of row arrays, and of weights that are held back. Not here: weights (weights.py), the reward
model (cross_fitting.py), which estimators there are (methods/registry.py), standard errors and intervals
(ope/intervals/).

n rows; weight: (n,) pi_e(a|x) / p, with pi_e the valued policy and p the logged propensity; reward: (n,);
predicted: (n,) the model's q(x, a) of the logged action; expected: (n,) sum over a of pi_e(a|x) q(x, a).
Values are in the unit of the reward, per decision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Int
from campaignrl.ope.intervals import Point


class RowTerms(NamedTuple):
    """An estimate as means over rows, mean(base) + mean(above) / mean(below); arrays (n,).

    So a log may be held whole, or read in parts whose sums add up.
    """

    above: Float
    below: Float | None = None  # None: 1
    base: Float | None = None  # None: 0

    def point(self) -> Point:
        """The value, and every row's influence on it; not a number where nothing is below."""
        ratio = _mean_of(self.above) if self.below is None else _ratio_of(self.above, self.below)
        if self.base is None:
            return ratio
        base = _mean_of(self.base)
        return Point(base.value + ratio.value, base.influence + ratio.influence)


def dm(expected: Float) -> RowTerms:
    """Direct method: what the reward model expects (Beygelzimer & Langford 2009). As biased as the model."""
    return RowTerms(expected)


def ips(weight: Float, reward: Float) -> RowTerms:
    """Inverse propensity score: mean of w r (Horvitz & Thompson 1952). Unbiased where the log has support."""
    return RowTerms(weight * reward)


def snips(weight: Float, reward: Float) -> RowTerms:
    """Self-normalised IPS: sum(w r) / sum(w) (Swaminathan & Joachims 2015). Stays inside the observed rewards."""
    return RowTerms(weight * reward, weight)


def dr(weight: Float, reward: Float, predicted: Float, expected: Float) -> RowTerms:
    """Doubly robust: model, plus weighted residuals (Dudik, Langford & Li 2011)."""
    return RowTerms(expected + weight * (reward - predicted))


def sndr(weight: Float, reward: Float, predicted: Float, expected: Float) -> RowTerms:
    """Self-normalised DR: the residual part is divided by the mean weight (Thomas & Brunskill 2016)."""
    return RowTerms(weight * (reward - predicted), weight, expected)


def mr(weight: Float, reward: Float) -> RowTerms:
    """Marginal ratio: mean of w(r) r, where w(r) is the mean weight of rows of such a reward (Taufiq et al. 2023).

    NeurIPS, "Marginal density ratio for off-policy evaluation in contextual bandits". What actions do to the reward
    counts, not what they are. Here w(r) is a mean over rows of neighbouring rewards, about the cube root of n groups.
    """
    _, group = np.unique(reward, return_inverse=True)
    count = np.bincount(group)
    wanted = max(int(np.cbrt(len(reward)) ** 2), 1)  # rows a group
    group = (np.concatenate([[0], np.cumsum(count)[:-1]]) // wanted)[group]  # equal rewards stay together
    group = np.unique(group, return_inverse=True)[1]
    mean = np.bincount(group, weight) / np.bincount(group)
    return RowTerms(mean[group] * reward)


def stabilised(weight: Float, reward: Float, predicted: Float, expected: Float, batch: Int | None) -> RowTerms:
    """DR in which every batch counts by how steady its weights are (Zhan, Hadad, Hirshberg & Athey 2021, KDD).

    For loggers that learned as they went: a batch in which they had all but given up what the policy does is noise, and
    makes a sum that is no longer normal. Rows of batch b count (mean of w^2 in b)^-1/2 times: their StableVar weights.
    batch: (n,) numbers from 0, in each of which the logger did not change; None: it never did.
    """
    terms = expected + weight * (reward - predicted)
    if batch is None:
        return RowTerms(terms)
    square = np.bincount(batch, weight * weight) / np.maximum(np.bincount(batch), 1)
    steady = 1.0 / np.sqrt(np.maximum(square, 1.0))[batch]  # of a mean weight of 1 the mean square is at least 1
    return RowTerms(steady * terms, steady)


def clipped(weight: Float, largest: float) -> Float:
    """Weights cut at `largest` (Ionides 2008). IPS with them is biased down for rewards >= 0."""
    return np.minimum(weight, largest)


def shrunk(weight: Float, shrink: float) -> Float:
    """Weights of shrink w / (w^2 + shrink): at most sqrt(shrink) / 2, at w = sqrt(shrink) (Su et al. 2020).

    With shrink 0, DR is dm; infinite, it is dr.
    """
    return weight if np.isinf(shrink) else shrink * weight / (weight * weight + shrink)


def switched(weight: Float, threshold: float) -> Float:
    """Weights above `threshold` become 0, which leaves their rows to the model (Wang, Agarwal & Dudik 2017)."""
    return np.where(weight <= threshold, weight, 0.0)


def subgaussian(weight: Float, tilt: float) -> Float:
    """Weights of w / (1 - tilt + tilt w), at most 1 / tilt (Metelli, Russo & Restelli 2021)."""
    return weight / (1.0 - tilt + tilt * weight)


def tempered(weight: Float, largest: float) -> Float:
    """`subgaussian` by the largest weight it leaves, so that an infinite one holds nothing back."""
    return subgaussian(weight, 1.0 / largest)


def _mean_of(terms: Float) -> Point:
    value = float(np.mean(terms))
    return Point(value, terms - value)


def _ratio_of(above: Float, below: Float) -> Point:
    """sum(above) / sum(below), with the influence of the delta method; not a number when nothing is below."""
    mean = float(np.mean(below))
    if mean <= 0.0:
        return Point(float("nan"), np.full(len(below), np.nan))
    value = float(np.mean(above)) / mean
    return Point(value, (above - value * below) / mean)
