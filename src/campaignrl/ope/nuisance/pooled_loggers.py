"""How likely all loggers of a log together were to do what each row did: the propensity of their average.

A log of several waves, each by a logger of its own, is one log by the mixture of them, whose weights are never larger
(Agarwal, Basu, Schnabel & Joachims 2017, KDD; Kallus, Saito & Uehara 2021, ICML). Where a wave's propensities are those
of a plain design (every eligible action alike, or one probability an action), its logger is known from the log itself.
Not here: the estimator (`balanced` in methods/registry.py), other loggers (logging_policy.py). n rows, k actions.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Bool, Float
from campaignrl.policies import allowed_counts
from campaignrl.tables.log import DecisionLog

SAME = 1e-9  # relative
NO_LOGGERS = (
    "the log has no waves, or a wave's propensities are of no plain design (all eligible actions alike, or one "
    "probability an action)"
)


def pooled_factor(log: DecisionLog) -> Float | None:
    """(n,) a row's propensity over that of all waves' loggers together; None where they cannot be told."""
    if log.wave is None:
        return None
    allowed = log.eligible if log.eligible is not None else np.ones((len(log), len(log.catalog)), dtype=bool)
    together = np.zeros(len(log))
    for wave in np.unique(log.wave):
        mine = log.wave == wave
        p = _of_logged(log, allowed, mine)
        if p is None:
            return None
        together += mine.mean() * p
    return np.asarray(log.propensity / together)


def _of_logged(log: DecisionLog, allowed: Bool, mine: Bool) -> Float | None:
    """(n,) how likely the logger of the rows `mine` would be to do what each row of the log did."""
    alike = 1.0 / allowed_counts(allowed)
    if np.allclose(alike[mine], log.propensity[mine], rtol=SAME, atol=0.0):
        return np.asarray(alike)
    k = len(log.catalog)
    chance = np.zeros(k)
    chance[log.action[mine]] = log.propensity[mine]
    same = np.allclose(chance[log.action[mine]], log.propensity[mine], rtol=SAME, atol=0.0)
    if not same or abs(chance.sum() - 1.0) > 1e-6 or not allowed[:, chance > 0.0].all():
        return None
    return np.asarray(chance[log.action])
