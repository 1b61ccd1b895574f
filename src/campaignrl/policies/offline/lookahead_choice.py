"""How far ahead a log can tell: the whole return or the first outcome window, whichever held-out customers prefer.

What an action brings in the first window is told sharply; what it brings in all windows until the campaign ends counts
for more and is told badly. So there are two candidates:

    far       by the sum of all windows, each held back as the evidence of the log advises
    near      by the first window alone: a bandit

`near` is taken where it is worth more than `far` in all windows beyond chance, on customers neither has learned from.
The doubt is `far`'s, because what a policy does every day adds up to more than what one decision of the log shows.

Worth is read off a regression of doubly robust scores (uplift.py) of the whole return on one fold of customers alone.
Plain rewards would not do: where only some actions are allowed to some customers, their regression takes what sets
these customers apart for what the actions do, in the held-out rows as in the others. Rewards of neighbouring decisions
share days, but which action came when was drawn anew each day, so contrasts of actions do not share their errors and
every row counts for itself; what moves all actions alike decides nothing and is not held back. Not here: returns
(returns.py), sums (advantage_regression.py). n rows, k actions, D = 1 + encoded columns, P parts of the return, K
folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl import rng
from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.features import FeatureSchema
from campaignrl.policies.linear_model import RidgeModel, with_intercept
from campaignrl.policies.offline.advantage_regression import RegressionRows, Sums, encoded, fit_parts
from campaignrl.tables.log import DecisionLog

TOGETHER = 1.0  # pseudo-observations that hold back what moves all actions alike
SURE = 0.90  # that `near` is ahead, by Student's t over folds; chosen on a few logs of the bundled worlds
JUDGED = 100_000  # rows on which candidates are compared, at most


class Judged(NamedTuple):
    """Rows of some customers on which candidates are compared."""

    phi: Float32  # (m, D)
    allowed: Bool  # (m, k)
    fold: Int  # (m,)


def near_is_ahead(
    sums: Sequence[Sums],
    scored: Sequence[Sums],
    judged: Judged,
    catalog: Catalog,
    overlap: Sequence[float],
    models: Sequence[RidgeModel],
) -> bool:
    """Whether the first window alone decides better than all of them.

    scored: sums of doubly robust scores of the whole return; models: of each part on all folds, whose penalties stay.
    """
    l2 = fit_parts(scored, catalog, [1.0], None, TOGETHER)[0].l2
    gains = []
    for fold, held in enumerate(scored):
        mine = judged.fold == fold
        others = [each for f, each in enumerate(sums) if f != fold]
        if not mine.any() or not held.stats.count.any():
            continue
        phi, at = judged.phi[mine], np.arange(int(mine.sum()))
        parts = _refit(others, catalog, overlap, models)
        worth = phi @ fit_parts([held], catalog, [1.0], l2, TOGETHER)[0].coefficients
        near, far = (_best(phi @ each, judged.allowed[mine]) for each in (parts[0], sum(parts)))
        gains.append(float((worth[at, near] - worth[at, far]).mean()))
    return beyond_chance(np.array(gains))


def beyond_chance(gains: Float) -> bool:
    """Whether the mean of gains (K,), one a fold, lies above 0 by the one-sided interval of Student's t."""
    if len(gains) < 2:
        return False
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return float(gains.mean()) > float(special.stdtrit(len(gains) - 1, SURE)) * error


def judged_rows(log: DecisionLog, data: RegressionRows, schema: FeatureSchema, seed: int) -> Judged:
    """Rows with a choice of some customers, drawn by id; all where there are not too many."""
    drawn = rng.uniform(rng.customer_keys(log.customers), seed, 0, rng.Purpose.FOLD, k=3)
    some = np.flatnonzero(drawn[log.customer[data.rows]] < JUDGED / len(data.rows))
    some = some if len(some) else np.arange(len(data.rows))
    phi = np.concatenate([with_intercept(X) for _, X in encoded(log, data.rows[some], schema)])
    return Judged(phi, log.allowed(data.rows[some]), data.fold[some])


def part_of(sums: Sums, part: int) -> Sums:
    """One part of the return alone."""
    moments, squares = sums.moments[[part]], sums.squares[[part]]
    return Sums(replace(sums.stats, moment=moments[0], square=squares[0]), moments, squares)


def of_whole_return(sums: Sums) -> Sums:
    """All parts as one reward; its squares cannot be had from sums."""
    moment = sums.moments.sum(axis=0)
    return Sums(replace(sums.stats, moment=moment), moment[None], sums.squares.sum(axis=0)[None])


def _refit(
    sums: Sequence[Sums], catalog: Catalog, overlap: Sequence[float], models: Sequence[RidgeModel]
) -> list[Float32]:
    """(D, k) of each part from these folds, held back as in `models`."""
    found = []
    for part, (shared, model) in enumerate(zip(overlap, models, strict=True)):
        alone = [part_of(each, part) for each in sums]
        found.append(fit_parts(alone, catalog, [shared], model.l2)[0].coefficients)
    return found


def _best(scores: Float32, allowed: Bool) -> Int:
    return np.asarray(np.where(allowed, scores - scores[:, [NONE]], -np.inf).argmax(axis=1))
