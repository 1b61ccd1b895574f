"""How far ahead, and how finely, a log can tell: three ways of deciding, of which held-out customers choose one.

What an action brings in the first outcome window is told sharply; what it brings in all windows until the campaign ends
counts for more and is told badly. So there are three candidates, from the plainest on:

    average   the same ranking of actions for everybody, by all windows
    near      customer by customer, by the first window: a bandit
    far       customer by customer, by all windows

`near` replaces `average` where it is worth more by one standard error (Breiman et al. 1984), `far` the better of them
where it is beyond chance: what far windows say of single customers holds for the logging policy's own future, not for
that of a policy which is far from it, so it must be worth the risk. Worth is counted in all windows and read off a
regression of doubly robust scores on held-out customers alone, so what a candidate owes to luck in its own rows, or to
rows in which only some actions were allowed, counts for nothing.

Every row counts for itself: rewards of neighbouring decisions share days, but which action came when was drawn anew
each day, so contrasts of actions do not share their errors. What moves all actions alike decides nothing and is not
held back. For the average the columns are centred, so that what all customers have in common is told from what tells
them apart. Not here: returns (returns.py), sums (contrasts.py), scores (uplift.py).
n rows, k actions, D = 1 + encoded columns, P parts of the return, K folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import stats

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Bool
from campaignrl.policies.contrasts import Float, Int, Sums, Taught, encoded, fit_parts
from campaignrl.policies.ridge import Float32, RidgeModel, with_intercept
from campaignrl.tables.decisions import DecisionLog

TOGETHER = 1.0  # pseudo-observations that hold back what moves all actions alike
STANDARD_ERROR = 1.0  # by which `near` must be ahead
SURE = 0.975  # that `far` is ahead, by Student's t over folds
JUDGED = 100_000  # rows on which candidates are compared, at most
NEARLY_CONSTANT = 1e-6  # variance of an encoded column


class Judged(NamedTuple):
    """Rows of some customers on which candidates are compared."""

    phi: Float32  # (m, D)
    allowed: Bool  # (m, k)
    fold: Int  # (m,)


class Candidate(NamedTuple):
    """A way of deciding."""

    name: str
    coefficients: Float32  # (D, k), less those of `none`


class Horizon:
    """The candidates that a log's sums allow, and the choice among them."""

    def __init__(
        self,
        sums: Sequence[Sums],
        scored: Sequence[Sums],
        catalog: Catalog,
        overlap: float,
        near: RidgeModel,
        l2: float | None,
    ) -> None:
        """scored: of doubly robust scores of the whole return; near: the first window's own regression.

        l2: of the other regressions, None: by the evidence of each part.
        """
        self._sums, self._catalog, self._overlap, self._near_l2 = sums, catalog, overlap, near.l2
        self._basis = centring(sums)
        self._centred = [in_basis(each, self._basis) for each in sums]
        self._l2 = penalties(sums, catalog, l2)
        self._l2_centred = penalties(self._centred, catalog, l2)
        self._scored, self._l2_scored = scored, penalties(scored, catalog, l2)

    def choose(self, judged: Judged) -> Candidate:
        """The candidate to decide by."""
        worth = [self._worth(fold, judged) for fold in range(len(self._sums))]
        candidates = self._candidates(range(len(self._sums)))
        return candidates[furthest(np.array([each for each in worth if each is not None]))]

    def _worth(self, fold: int, judged: Judged) -> Float | None:
        """(3,) mean worth over nothing sent on rows of one fold, by a regression on that fold alone."""
        mine = judged.fold == fold
        others = [f for f in range(len(self._sums)) if f != fold]
        if not mine.any() or not self._sums[fold].stats.count.any():
            return None
        phi, at = judged.phi[mine], np.arange(int(mine.sum()))
        held = phi @ whole_return([self._scored[fold]], self._catalog, self._l2_scored)
        taken = [_best(phi @ each.coefficients, judged.allowed[mine]) for each in self._candidates(others)]
        return np.array([held[at, actions].mean() for actions in taken])

    def _candidates(self, folds: Sequence[int]) -> list[Candidate]:
        """The three ways, learned from these folds."""
        first = [first_part(self._sums[f]) for f in folds]
        near = fit_parts(first, self._catalog, [self._overlap], self._near_l2)[0].coefficients
        for_all = whole_return([self._centred[f] for f in folds], self._catalog, self._l2_centred)
        for_all[1:] = 0.0
        far = whole_return([self._sums[f] for f in folds], self._catalog, self._l2)
        return [
            Candidate("average", np.asarray(self._basis @ for_all, dtype=np.float32)),
            Candidate("near", near - near[:, [NONE]]),
            Candidate("far", far.astype(np.float32)),
        ]


def penalties(sums: Sequence[Sums], catalog: Catalog, l2: float | None) -> list[float]:
    """By part, pseudo-observations; l2: the same for all parts, None: by the evidence of each."""
    return [model.l2 for model in fit_parts(sums, catalog, [1.0] * len(sums[0].moments), l2, TOGETHER)]


def whole_return(sums: Sequence[Sums], catalog: Catalog, l2: Sequence[float]) -> Float:
    """(D, k) of all parts together over `none`, each held back by its own penalty."""
    total = np.zeros((sums[0].moments.shape[2], len(catalog)))
    for each in sorted(set(l2)):  # parts held back alike share their factors
        alike = [p for p, its in enumerate(l2) if its == each]
        some = [Sums(s.stats, s.moments[alike], s.squares[alike]) for s in sums]
        for model in fit_parts(some, catalog, [1.0] * len(alike), each, TOGETHER):
            total += model.coefficients
    return total - total[:, [NONE]]


def furthest(worth: Float) -> int:
    """Place of the candidate to take. worth: (K, 3) by fold, of `average`, `near` and `far`."""
    if worth.ndim != 2 or len(worth) < 2:
        return 0
    held = 0
    for each, errors in ((1, STANDARD_ERROR), (2, float(stats.t.ppf(SURE, len(worth) - 1)))):
        gain = worth[:, each] - worth[:, held]
        if gain.mean() > errors * gain.std(ddof=1) / np.sqrt(len(gain)):
            held = each
    return held


def of_whole_return(sums: Sums) -> Sums:
    """All parts as one reward; only its moments can be had from sums."""
    moment = sums.moments.sum(axis=0)
    return Sums(replace(sums.stats, moment=moment), moment[None], sums.squares.sum(axis=0)[None])


def judged_rows(log: DecisionLog, taught: Taught, schema: FeatureSchema, seed: int) -> Judged:
    """Rows with a choice of some customers, drawn by id; all where there are not too many."""
    drawn = rng.uniform(rng.customer_keys(log.customers), seed, 0, rng.Purpose.FOLD, k=3)
    some = np.flatnonzero(drawn[log.customer[taught.rows]] < JUDGED / len(taught.rows))
    some = some if len(some) else np.arange(len(taught.rows))
    phi = np.concatenate([with_intercept(X) for _, X in encoded(log, taught.rows[some], schema)])
    return Judged(phi, log.allowed(taught.rows[some]), taught.fold[some])


def first_part(sums: Sums) -> Sums:
    """Of the return, the first window alone."""
    return Sums(sums.stats, sums.moments[:1], sums.squares[:1])


def centring(sums: Sequence[Sums]) -> Float:
    """(D, D) basis: columns of phi @ basis have mean 0 and variance 1; basis @ coefficients are those of phi."""
    gram = sum(each.stats.gram.sum(axis=0) for each in sums)
    mean = gram[0] / max(gram[0, 0], 1.0)
    variance = np.diag(gram) / max(gram[0, 0], 1.0) - mean**2
    spread = np.where(variance > NEARLY_CONSTANT, np.sqrt(np.maximum(variance, NEARLY_CONSTANT)), 1.0)
    basis = np.eye(len(mean))
    basis[0, 1:] = -mean[1:]
    spread[0] = 1.0
    return np.asarray(basis / spread)


def in_basis(sums: Sums, basis: Float) -> Sums:
    """The same rows with phi @ basis in place of phi."""
    old = sums.stats
    gram, moment = basis.T @ old.gram @ basis, old.moment @ basis
    return Sums(replace(old, gram=gram, moment=moment), sums.moments @ basis, sums.squares)


def _best(scores: Float32, allowed: Bool) -> Int:
    return np.asarray(np.where(allowed, scores, -np.inf).argmax(axis=1))
