"""Bandit estimators: each the value of a policy and every row's influence on it.

Here: pure functions of row arrays. Not here: weights (weights.py), the reward model (cross_fitting.py),
standard errors and intervals (empirical_likelihood.py), which are sums of the influences by customer.

n rows; weight: (n,) pi_e(a|x) / p, with pi_e the valued policy and p the logged propensity; reward: (n,);
predicted: (n,) the model's q(x, a) of the logged action; expected: (n,) sum over a of pi_e(a|x) q(x, a).
Values are in the unit of the reward, per decision.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Float
from campaignrl.ope.intervals import Point


def dm(expected: Float) -> Point:
    """Direct method: what the reward model expects (Beygelzimer & Langford 2009). As biased as the model."""
    return _mean_of(expected)


def ips(weight: Float, reward: Float) -> Point:
    """Inverse propensity score: mean of w r (Horvitz & Thompson 1952). Unbiased where the log has support."""
    return _mean_of(weight * reward)


def ips_clip(weight: Float, reward: Float, clip: float) -> Point:
    """IPS with weights cut at `clip` (Ionides 2008). Biased down for rewards >= 0."""
    return _mean_of(clipped(weight, clip) * reward)


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
    """DR with optimistic shrinkage of the weights (Su et al. 2020). shrink 0: dm, infinite: dr."""
    return dr(shrunk(weight, shrink), reward, predicted, expected)


def switch_dr(weight: Float, reward: Float, predicted: Float, expected: Float, threshold: float) -> Point:
    """DR that leaves rows with a weight above `threshold` to the model (Wang, Agarwal & Dudik 2017)."""
    return dr(switched(weight, threshold), reward, predicted, expected)


def mips(marginal: Float, reward: Float) -> Point:
    """IPS with marginal weights p(e|x, pi_e) / p(e|x, pi_b) of what an action is made of (Saito & Joachims 2022).

    marginal: (n,) of the logged action's offer, say. Unbiased only if the reward depends on the action through e
    alone; the interval does not count what it is off by otherwise.
    """
    return ips(marginal, reward)


def offcem(marginal: Float, reward: Float, predicted: Float, expected: Float) -> Point:
    """DR with marginal weights: the model must only get differences within a cluster right (Saito et al. 2023).

    marginal: (n,) weights of the logged action's cluster; ours are offers.
    """
    return dr(marginal, reward, predicted, expected)


def pseudo_inverse(offer: Float, channel: Float, contact: Float, reward: Float) -> Point:
    """Two-slot pseudo-inverse: mean of r (w_offer + w_channel - w_contact) (Swaminathan et al. 2017).

    offer, channel, contact: (n,) marginal weights, the last of sending at all. Unbiased if offer and channel
    effects add up, and the logging policy draws the channel of a send independently of its offer.
    """
    return ips(offer + channel - contact, reward)


def clipped(weight: Float, largest: float) -> Float:
    """Weights cut at `largest` (Ionides 2008)."""
    return np.minimum(weight, largest)


def shrunk(weight: Float, shrink: float) -> Float:
    """Weights of shrink w / (w^2 + shrink): at most sqrt(shrink) / 2, at w = sqrt(shrink) (Su et al. 2020)."""
    return weight if np.isinf(shrink) else shrink * weight / (weight * weight + shrink)


def switched(weight: Float, threshold: float) -> Float:
    """Weights above `threshold` become 0 (Wang, Agarwal & Dudik 2017)."""
    return np.where(weight <= threshold, weight, 0.0)


def subgaussian(weight: Float, tilt: float) -> Float:
    """Weights of w / (1 - tilt + tilt w), at most 1 / tilt (Metelli, Russo & Restelli 2021)."""
    return weight / (1.0 - tilt + tilt * weight)


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
