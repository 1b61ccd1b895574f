"""How much each signal counts: learned on an earlier period, whose outcome is known, and used on the next one.

The pairs of a period are labelled by what its customers had to do with in it; boosted trees give each pair its chance.
Nothing of the period itself is in the signals. Not here: the signals (signals.py), who is asked (recommender.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.profiles.items.interactions import Interactions
from campaignrl.profiles.items.signals import SIGNALS, Signals

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

LEARNERS = 1_000  # customers whose pairs are learned from
TREES = dict(max_iter=120, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=100, early_stopping=False)
FEWEST = 30  # customers with an outcome, below which nothing is learned and history decides
CHUNK = 250  # customers at a time


class Ranking(NamedTuple):
    """trees: None where too little is known to learn from; then own history, customers alike and popularity decide."""

    trees: HistGradientBoostingClassifier | None
    learned_from: int  # customers

    def scores(self, signals: Float32) -> Float:
        """(r,) larger is better; a chance where it was learned."""
        if self.trees is not None:
            with threadpool_limits(limits=1):
                chance: Float = self.trees.predict_proba(signals)[:, 1]
            return chance
        column = {name: signals[:, j].astype(np.float64) for j, name in enumerate(SIGNALS)}
        return column["early"] + column["alike"] + 1e-3 * column["popular_late"] + 1e-6 * column["popular"]


def learn(signals: Signals, after: Interactions, chance: np.random.Generator) -> Ranking:
    """Weights from what customers had to do with `after` the day of the signals."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few verbs need it

    k = len(after.items)
    active = np.unique(after.customer)
    known = active[signals.visits[active] > 0]
    if len(known) < FEWEST:
        return Ranking(None, len(known))
    if len(known) > LEARNERS:
        known = np.sort(chance.choice(known, LEARNERS, replace=False))
    hits = np.unique(after.customer * k + after.item)
    columns, labels = [], []
    for part in np.array_split(known, -(-len(known) // CHUNK)):
        customer, item, values = signals.pairs(part)
        columns.append(values)
        labels.append(among(customer * k + item, hits))
    x, y = np.concatenate(columns), np.concatenate(labels)
    if not y.any() or y.all():
        return Ranking(None, len(known))
    with threadpool_limits(limits=1):
        trees = HistGradientBoostingClassifier(**TREES, random_state=int(chance.integers(2**31))).fit(x, y)
    return Ranking(trees, len(known))


def among(keys: Int64, ascending: Int64) -> Bool:
    """(r,) whether each key is one of some ascending ones."""
    if not len(ascending):
        return np.zeros(len(keys), dtype=bool)
    at = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    found: Bool = ascending[at] == keys
    return found
