"""Bandit estimators: each the value of a policy and every row's influence on it.

Here: pure functions of row arrays. Not here: weights (weights.py), the reward model (reward_model.py),
standard errors and intervals (intervals.py), which are sums of the influences by customer.

n rows; weight: (n,) pi_e(a|x) / p, with pi_e the valued policy and p the logged propensity; reward: (n,);
predicted: (n,) the model's q(x, a) of the logged action; expected: (n,) sum over a of pi_e(a|x) q(x, a).
Values are in the unit of the reward, per decision.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]


class Point(NamedTuple):
    """An estimate, and by how much each row moves it: value - truth ~ mean(influence); influences sum to 0."""

    value: float
    influence: Float  # (n,)


def dm(expected: Float) -> Point:
    """Direct method: what the reward model expects (Beygelzimer & Langford 2009). As biased as the model."""
    return _mean_of(expected)


def ips(weight: Float, reward: Float) -> Point:
    """Inverse propensity score: mean of w r (Horvitz & Thompson 1952). Unbiased where the log has support."""
    return _mean_of(weight * reward)


def ips_clip(weight: Float, reward: Float, clip: float) -> Point:
    """IPS with weights cut at `clip` (Ionides 2008). Biased down for rewards >= 0."""
    return _mean_of(np.minimum(weight, clip) * reward)


def snips(weight: Float, reward: Float) -> Point:
    """Self-normalised IPS: sum(w r) / sum(w) (Swaminathan & Joachims 2015). Stays inside the observed rewards."""
    return _ratio_of(weight * reward, weight)


def dr(weight: Float, reward: Float, predicted: Float, expected: Float) -> Point:
    """Doubly robust: model, plus weighted residuals (Dudik, Langford & Li 2011)."""
    return _mean_of(expected + weight * (reward - predicted))


def sndr(weight: Float, reward: Float, predicted: Float, expected: Float) -> Point:
    """Self-normalised DR: the residual part is divided by the mean weight (Thomas & Brunskill 2016)."""
    model, residual = _mean_of(expected), _ratio_of(weight * (reward - predicted), weight)
    return Point(model.value + residual.value, model.influence + residual.influence)


def dros(weight: Float, reward: Float, predicted: Float, expected: Float, shrink: float) -> Point:
    """DR with optimistic shrinkage: w becomes shrink w / (w^2 + shrink) (Su et al. 2020). 0: dm, infinite: dr."""
    return dr(shrink * weight / (weight * weight + shrink), reward, predicted, expected)


def switch_dr(weight: Float, reward: Float, predicted: Float, expected: Float, threshold: float) -> Point:
    """DR that leaves rows with a weight above `threshold` to the model (Wang, Agarwal & Dudik 2017)."""
    return dr(np.where(weight <= threshold, weight, 0.0), reward, predicted, expected)


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
