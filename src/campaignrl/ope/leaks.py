"""Has a policy that came as a table of probabilities learned from the very rows it is judged by?

A table says nothing of where it comes from. But what it gains must be seen by a model of customers it was not shown:
if the rows gain where the policy and the lot agree, and no model of the contexts, however flexible, can say so of
customers it has not seen, then the table follows what happened to happen. Here: that comparison, which costs two more
models and is made only where the first one leaves a gap. Not here: policies that say what they learned from
(data/target_policy.py), a learner's log (diagnostics/holdout.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.ope.data import TargetPolicy
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.diagnostics import P_ALARM, Finding, Level
from campaignrl.ope.intervals import p_value_of_gap, std_error
from campaignrl.ope.methods import HEAVY, Evidence, gather
from campaignrl.ope.nuisance import RewardModel, capped, folds_of, reward_model
from campaignrl.tables.log import DecisionLog

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

FLEXIBLE = "boosting"
UNSEEN, ALL = 0.5, 0.7  # shares of the gain that both models must miss for a caution, and for a refusal
ROWS = 20_000  # that a forest is grown on
FOREST: Mapping[str, Any] = MappingProxyType({"n_estimators": 20, "min_samples_leaf": 10, "random_state": 0})


def leaked(log: DecisionLog, target: TargetPolicy, rows: Evidence, folds: int, seed: int) -> tuple[Finding, ...]:
    """Said of a table whose gain only the rows themselves show; nothing of any other policy.

    rows: what the log's rows say about the policy, with the model of the evaluation.
    """
    if not target.given or not _gap(rows):
        return ()
    weight = _as_if_by_lot(log)
    if not rows.predicted.any() and not _gap(_by_action(log, target, rows, folds, weight)):
        return ()  # asked without a model: what means of actions foretell needs no other
    missed, expected, own = np.inf, 0.0, float(rows.reward.mean())
    for make in (  # the cheapest first: what it can see is no leak, and the others are not asked
        lambda: reward_model("ridge", log, rows.reward_range, folds, seed, weight),
        lambda: reward_model(FLEXIBLE, log, rows.reward_range, folds, seed, weight),
        lambda: Forest(log, folds, seed, weight),
    ):
        missed, expected = min((missed, expected), _missed(log, target, rows, make))
        gain = expected + missed - own
        if not missed or missed < UNSEEN * gain:
            return ()
    told = f"these rows say the table earns {expected + missed:.4g}, a model that has not seen them {expected:.4g}"
    fix = "Value it on a fresh log, or on rows that were held back from what made it"
    level = Level.REFUSE if missed >= ALL * gain else Level.CAUTION
    return (Finding(level, f"{told}: it looks as if it has learned from these very rows. {fix}."),)


def _missed(
    log: DecisionLog, target: TargetPolicy, rows: Evidence, make: Callable[[], RewardModel]
) -> tuple[float, float]:
    """What a model misses of the table's value, and what it expects of it."""
    (again,) = gather(log, [target], make(), rows.reward_range)
    return _gap(again), float(again.expected.mean())


def _by_action(log: DecisionLog, target: TargetPolicy, rows: Evidence, folds: int, weight: Float) -> Evidence:
    """The rows with mean rewards of actions for a model, each customer's by the others' rows: a look that costs little.

    Customers are parted by their numbers, which takes no hashing of their names.
    """
    assert target.answer is not None
    k, fold = len(log.catalog), np.asarray(log.customer, dtype=np.intp) % folds
    cell = fold * k + log.action
    earned, count = (np.bincount(cell, x, folds * k).reshape(folds, k) for x in (weight * rows.reward, weight))
    earned, count = earned.sum(axis=0) - earned, count.sum(axis=0) - count
    mean = np.divide(earned, count, out=np.full((folds, k), float(rows.reward.mean())), where=count > 0.0)
    expected = np.empty(len(log))
    for part in blocks(len(log), k):
        of_folds = np.asarray(target.answer(part)) @ mean.T
        expected[part] = of_folds[np.arange(len(of_folds)), fold[part]]
    return rows._replace(predicted=mean.ravel().take(cell), expected=expected)


class Forest:
    """A random forest of the contexts for each action, cross-fitted by customer: it sees what additive trees do not."""

    def __init__(self, log: DecisionLog, folds: int, seed: int, weight: Float) -> None:
        self._log, self._fold = log, folds_of(log.customers, folds, seed)[log.customer]
        chosen = capped(log, ROWS, seed)
        X, action, fold = log.context.take(chosen).encode(), log.action[chosen], self._fold[chosen]
        reward, weight = log.reward[chosen], weight[chosen]
        seen = [[(action == a) & (fold != f) for a in range(len(log.catalog))] for f in range(folds)]
        self._models = [[self._grown(X[m], reward[m], weight[m]) for m in of_fold] for of_fold in seen]

    def _grown(self, X: Array, reward: Float, weight: Float) -> RandomForestRegressor | None:
        from sklearn.ensemble import RandomForestRegressor  # slow to import, and few verbs need it

        if not len(X) or not X.shape[1]:
            return None
        return RandomForestRegressor(**FOREST).fit(X, reward, sample_weight=weight)

    def predict(self, rows: slice) -> Float:
        """(m, k); the mean reward where an action was not seen."""
        X, fold = self._log.context.take(rows).encode(), self._fold[rows]
        q = np.full((len(X), len(self._log.catalog)), float(self._log.reward.mean()))
        for f, models in enumerate(self._models):
            mine = np.flatnonzero(fold == f)
            for a, model in enumerate(models):
                if len(mine) and model is not None:
                    q[mine, a] = model.predict(X[mine])
        return q


def _as_if_by_lot(log: DecisionLog) -> Float:
    """(n,) how many rows each counts for: as if actions had been drawn whoever it was, whatever drove the choice.

    Stabilised weights (Robins, Hernan & Brumback 2000), held back at HEAVY; without them a model takes what drove the
    choice and is not among the contexts, a wave say, for an effect of the action, and misses what honest tables gain.
    """
    share = np.bincount(log.action, minlength=len(log.catalog)) / len(log)
    return np.minimum(share[log.action] / log.propensity, HEAVY)


def _gap(rows: Evidence) -> float:
    """By how much more the rows earn than the model expects; 0 where chance explains it, or they earn less."""
    terms = rows.weight * (rows.reward - rows.predicted)
    gap = float(terms.mean())
    error = std_error(terms - gap, rows.clusters)
    return gap if gap > 0.0 and np.isfinite(error) and p_value_of_gap(gap, 0.0, error) < P_ALARM else 0.0
