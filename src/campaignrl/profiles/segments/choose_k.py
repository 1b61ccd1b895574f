"""How many segments: a number whose every segment comes out again when the customers are drawn again.

Stability of a segment is the mean Jaccard similarity between it and the segment nearest to it among those of a
bootstrap sample of the customers (Hennig 2007, clusterwise assessment); a number of segments counts where the least
stable of its segments has at least 0.75, which is Hennig's bound of a stable cluster. Among the numbers that count,
the fewest with nearly the best BIC. Where none counts, all customers are one. Not here: the fit (clustering.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float, Int64
from campaignrl.profiles.segments.clustering import Fit, Method, assigned, fit_clusters, log_likelihood, parameters_of
from campaignrl.specs import Spec

MOST_ROWS = 20_000  # customers the clusters are fitted to; the rest are assigned
REFIT_ROWS = 5_000  # customers of one bootstrap sample
REFITS = 20
FIRST_REFITS = 5  # after which a number is given up if ...
HOPELESS = 0.5  # ... a segment has come out again less than this on average
ENOUGH = 0.9  # of the gain in BIC; with many customers the BIC alone never stops adding segments
STABLE = 0.75  # mean Jaccard similarity from which a segment counts as stable


class Candidate(Spec):
    """One number of segments that was tried."""

    k: int
    bic: float  # smaller is better
    stability: float  # of its least stable segment; 1 for a single segment
    smallest: float  # share of the smallest segment
    recurrence: tuple[float, ...] = ()  # (k,) mean Jaccard similarity of each segment, the largest segment first


class Choice(NamedTuple):
    """What was tried, what was taken, and why in a sentence."""

    fit: Fit
    tried: tuple[Candidate, ...]
    why: str
    taken: Candidate


def choose(
    x: Float, method: Method, ks: Sequence[int], full: bool, min_share: float, chance: np.random.Generator
) -> Choice:
    """The fit to the rows x (n, d) with the best number of segments of `ks`."""
    rows = x if len(x) <= MOST_ROWS else x[np.sort(chance.choice(len(x), MOST_ROWS, replace=False))]
    fits = {k: fit_clusters(rows, method, k, full, chance) for k in ks}
    tried = [_candidate(rows, method, fits[k], full, chance) for k in ks]
    fair = [c for c in tried if c.stability >= STABLE and (c.k == 1 or c.smallest >= min_share)]
    if len(tried) == 1:
        best = tried[0]
        why = f"{best.k} segments, as asked for"
        if best.stability < STABLE:
            why += f"; not stable: {_least(best)}"
    else:
        aim = fair[0].bic - ENOUGH * (fair[0].bic - min(c.bic for c in fair))
        best = next(c for c in fair if c.bic <= aim)
        why = (
            f"{best.k} segments: each comes out again when customers are drawn again (Jaccard at least "
            f"{best.stability:.2f}); the fewest such with {ENOUGH:.0%} of the gain in BIC"
        )
        if best.k == 1:
            why = _no_segments(tried, len(fair) > 1)
    if best.smallest < min_share:
        why += f"; the smallest has {100 * best.smallest:.1f} % of the customers"
    return Choice(fits[best.k], tuple(tried), why, best)


def _no_segments(tried: Sequence[Candidate], cuts_recur: bool) -> str:
    if cuts_recur:
        return "no segments: customers can be cut, but a cut describes them no better than one group; --k cuts anyway"
    if len(tried) < 2:
        return "no segments: too few customers that differ"
    nearest = max(tried[1:], key=lambda c: c.stability)
    return f"no stable segments: the nearest is {nearest.k}, where {_least(nearest)}; --k {nearest.k} cuts anyway"


def _least(candidate: Candidate) -> str:
    return f"one segment comes out again with a Jaccard similarity of {candidate.stability:.2f}, not {STABLE}"


def _candidate(x: Float, method: Method, fit: Fit, full: bool, chance: np.random.Generator) -> Candidate:
    k, codes = len(fit.weights), assigned(x, fit)
    bic = parameters_of(fit, full) * np.log(len(x)) - 2.0 * log_likelihood(x, fit)
    smallest = np.bincount(codes, minlength=k).min() / len(x)
    recurs = np.ones(1) if k == 1 else _recurrence(x, codes, method, k, full, chance)
    return Candidate(
        k=k,
        bic=float(bic),
        stability=float(recurs.min()),
        smallest=float(smallest),
        recurrence=tuple(np.round(recurs, 4).tolist()),
    )


def _recurrence(x: Float, codes: Int64, method: Method, k: int, full: bool, chance: np.random.Generator) -> Float:
    """(k,) mean Jaccard similarity of each segment with the nearest one of bootstrap samples."""
    found: list[Float] = []
    for refit in range(REFITS):
        drawn = chance.integers(len(x), size=min(len(x), REFIT_ROWS))
        again = fit_clusters(x[drawn], method, k, full, chance)
        judged = np.unique(drawn)
        found.append(nearest_jaccard(codes[judged], assigned(x[judged], again), k))
        if refit + 1 == FIRST_REFITS and min(map(_mean, np.array(found).T)) < HOPELESS:
            break
    return np.array([_mean(column) for column in np.array(found).T])


def nearest_jaccard(codes: Int64, others: Int64, k: int) -> Float:
    """(k,) of each group of `codes` the largest Jaccard similarity with a group of `others`; NaN for an empty group.

    >>> nearest_jaccard(np.array([0, 0, 0, 1]), np.array([1, 1, 0, 0]), 2)  # {0,1,2} with {0,1}; {3} with {2,3}
    array([0.66666667, 0.5       ])
    """
    both = np.bincount(codes * k + others, minlength=k * k).reshape(k, k).astype(np.float64)
    sizes, other_sizes = both.sum(axis=1), both.sum(axis=0)
    union = sizes[:, None] + other_sizes[None, :] - both
    best: Float = np.max(both / np.maximum(union, 1.0), axis=1)
    return np.where(sizes > 0, best, np.nan)


def _mean(values: Float) -> float:
    """Of those that are there; a segment that no sample held has 0."""
    given = values[~np.isnan(values)]
    return float(given.mean()) if len(given) else 0.0
