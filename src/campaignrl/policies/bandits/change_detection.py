"""How much of what was learned before still speaks of what comes in, by how well it foretells it.

New rows are held against what older ones foretell of them, at full weight and at less (power priors: Ibrahim & Chen
2000, Statistical Science 15; a forgetting factor chosen by predictive likelihood: Raftery, Karny & Ettler 2010,
Technometrics 52). Where nothing changed, all of the past foretells best and all of it is kept; where it did, less of it
does, and the rest is forgotten at once. Not here: the sums (forgetting.py), the model (linear_model/). k actions.
"""

from __future__ import annotations

import math

from campaignrl.actions import Catalog
from campaignrl.policies.linear_model import RidgeModel, RidgeStatistics, fit_ridge

SHARES = (1.0, 0.5, 0.2, 0.05, 0.0)  # of the past that may be kept
ENOUGH = 2.0  # times as many rows as the new ones must the past have: one update does not say how updates differ
STRONG = math.log(20.0)  # of a Bayes factor: "strong" evidence (Kass & Raftery 1995, JASA 90)


def share_to_keep(past: RidgeStatistics, new: RidgeStatistics, catalog: Catalog, l2: float) -> float:
    """The share of `past` that foretells `new` best; 1 unless another does so by strong evidence.

    past, new: sums over older and newer rows; l2: the penalty, pseudo-observations.

    Examples:
        >>> import numpy as np
        >>> import campaignrl as crl
        >>> catalog = crl.load_world("coupon_trap").catalog
        >>> def rows(n, reward):
        ...     stats = RidgeStatistics.zeros(catalog, 1)
        ...     rewards = np.resize([reward - 1.0, reward + 1.0], n)
        ...     stats.add(np.zeros((n, 1), np.float32), np.ones(n, np.int64), rewards)
        ...     return stats
        >>> [share_to_keep(rows(400, 2.0), rows(200, after), catalog, 1.0) for after in (2.1, 1.5, 0.0)]
        [1.0, 0.05, 0.0]
    """
    if past.count.sum() < ENOUGH * new.count.sum():
        return 1.0
    noise = fit_ridge(new, catalog, l2).sigma2
    told = {share: _foretold(past, new, share, catalog, l2, noise) for share in SHARES}
    best = max(SHARES, key=lambda share: told[share])
    return best if told[best] - told[1.0] > STRONG else 1.0


def _foretold(
    past: RidgeStatistics, new: RidgeStatistics, share: float, catalog: Catalog, l2: float, noise: float
) -> float:
    """Log density of the new rewards, given so much of the past; up to a constant of the new rows.

    noise: variance of a reward, the same for every share: else less of the past would foretell better wherever the
    noise alone is another one, as it is once a learner has chosen other actions.
    """
    kept = RidgeStatistics.from_tensors({name: share * sums for name, sums in past.tensors().items()})
    with_new, without = (
        _log_marginal(fit_ridge(stats, catalog, l2), float(stats.count.sum()), noise) for stats in (kept + new, kept)
    )
    return with_new - without


def _log_marginal(model: RidgeModel, n: float, noise: float) -> float:
    """Log marginal likelihood of n rows at a given noise variance, without the constant of each row."""
    residual = model.sigma2 * (n + 1.0) - 1.0  # as `fit_ridge` says it
    return model.log_evidence + 0.5 * n * math.log(model.sigma2) - 0.5 * residual / noise
