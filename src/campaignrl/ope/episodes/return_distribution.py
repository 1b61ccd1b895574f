"""The distribution of an episode's return under another policy: quantiles and the mean of its worst part.

From the self-normalised cumulative distribution (Chandak et al. 2021, "Universal off-policy evaluation"; Huang et al.
2021). Plain weights give a curve that ends at the mean weight and not at 1 (0.853 on a log of 300 trajectories): its
quantiles and CVaR are then off, and its mean is not that of any estimator. Divided by the sum of weights it ends at 1,
and its mean is `sntis`. Not here: weights (sequential.py). N trajectories.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.errors import Problem, SupportError, UsageError


class Distribution(NamedTuple):
    """A step function: `reached[i]` is the chance of a return of at most `value[i]`; values rise, the last is 1."""

    value: Float
    reached: Float

    @property
    def mean(self) -> float:
        """The mean return."""
        return float(self.value @ np.diff(self.reached, prepend=0.0))

    def quantile(self, share: float) -> float:
        """The least return that a `share` of episodes does not exceed."""
        _check_share(share)
        # rounding of the cumulated weights must not push a share of, say, 0.3 past the step that ends there
        return float(self.value[np.searchsorted(self.reached, share - 1e-12)])

    def cvar(self, share: float) -> float:
        """Mean return of the worst `share` of episodes (conditional value at risk; Rockafellar & Uryasev 2000)."""
        _check_share(share)
        mass = np.diff(np.minimum(self.reached, share), prepend=0.0)
        return float(self.value @ mass / share)


def distribution_of(outcome: Float, weight: Float) -> Distribution:
    """The self-normalised cumulative distribution of outcome (N,) by weight (N,) >= 0."""
    total = float(weight.sum())
    if not total > 0.0:
        raise SupportError("no trajectory of the log speaks for this policy, so its returns have no distribution.")
    value, place = np.unique(outcome, return_inverse=True)
    reached = np.cumsum(np.bincount(place, weight, len(value))) / total
    reached[-1] = 1.0
    return Distribution(value, reached)


def _check_share(share: float) -> None:
    if not 0.0 < share <= 1.0:
        raise UsageError(Problem("distribution", "share", share, "in (0, 1]"))
