"""How many segments: a number that comes out again when the customers are drawn again, with nearly the best BIC.

Stability is the mean adjusted Rand index (Hubert & Arabie 1985) between the segments of the customers and those that a
bootstrap sample of them gives the same customers. Not here: the fit itself (clustering.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_rand_score

from campaignrl.arrays import Float
from campaignrl.profiles.segments.clustering import Fit, Method, assigned, fit_clusters, log_likelihood, parameters_of
from campaignrl.specs import Spec

MOST_ROWS = 20_000  # customers the clusters are fitted to; the rest are assigned
REFIT_ROWS = 5_000  # customers of one bootstrap sample
REFITS = 6
ENOUGH = 0.9  # of the gain in BIC; with many customers the BIC alone never stops adding segments
STABLE = 0.75  # mean adjusted Rand index from which a number of segments counts as stable


class Candidate(Spec):
    """One number of segments that was tried."""

    k: int
    bic: float  # smaller is better
    stability: float  # mean adjusted Rand index of the refits; 1 for a single segment
    smallest: float  # share of the smallest segment


class Choice(NamedTuple):
    """What was tried, what was taken, and why in a sentence."""

    fit: Fit
    tried: tuple[Candidate, ...]
    why: str


def choose(
    x: Float, method: Method, ks: Sequence[int], full: bool, min_share: float, chance: np.random.Generator
) -> Choice:
    """The fit to the rows x (n, d) with the best number of segments of `ks`."""
    rows = x if len(x) <= MOST_ROWS else x[np.sort(chance.choice(len(x), MOST_ROWS, replace=False))]
    fits = {k: fit_clusters(rows, method, k, full, chance) for k in ks}
    tried = [_candidate(rows, method, fits[k], full, chance) for k in ks]
    big = [c for c in tried if c.k == 1 or c.smallest >= min_share]
    fair = [c for c in big if c.stability >= STABLE]
    if len(tried) == 1:
        best, why = tried[0], f"{tried[0].k} segments, as asked for"
    elif fair:
        aim = fair[0].bic - ENOUGH * (fair[0].bic - min(c.bic for c in fair))
        best = next(c for c in fair if c.bic <= aim)
        why = (
            f"{best.k} segments: the fewest with {ENOUGH:.0%} of the gain in BIC among the numbers that come out again"
        )
    else:
        best = max(big or tried, key=lambda c: c.stability)
        why = f"{best.k} segments: no number of segments comes out again, this one most nearly: take them with care"
    if best.smallest < min_share:
        why += f"; the smallest has {100 * best.smallest:.1f} % of the customers"
    return Choice(fits[best.k], tuple(tried), why)


def _candidate(x: Float, method: Method, fit: Fit, full: bool, chance: np.random.Generator) -> Candidate:
    k, codes = len(fit.weights), assigned(x, fit)
    bic = parameters_of(fit, full) * np.log(len(x)) - 2.0 * log_likelihood(x, fit)
    smallest = np.bincount(codes, minlength=k).min() / len(x)
    agreement = [1.0]
    if k > 1:
        judged = x[chance.choice(len(x), min(len(x), REFIT_ROWS), replace=False)]
        reference = assigned(judged, fit)
        refits = (_refit(x, method, k, full, chance) for _ in range(REFITS))
        agreement = [adjusted_rand_score(reference, assigned(judged, refit)) for refit in refits]
    return Candidate(k=k, bic=float(bic), stability=float(np.mean(agreement)), smallest=float(smallest))


def _refit(x: Float, method: Method, k: int, full: bool, chance: np.random.Generator) -> Fit:
    drawn = chance.integers(len(x), size=min(len(x), REFIT_ROWS))
    return fit_clusters(x[drawn], method, k, full, chance)
