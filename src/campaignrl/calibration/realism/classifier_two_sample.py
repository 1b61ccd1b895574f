"""Can a classifier tell real customers from simulated ones? The area under its ROC curve, cross-validated.

One half: no better than a coin. Not here: the other figures of realism (scorecard.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float
from campaignrl.calibration.realism.summaries import CustomerSummaries

FOLDS = 5
MOST = 20_000  # customers of either kind


def classifier_auc(real: CustomerSummaries, simulated: Sequence[CustomerSummaries]) -> float:
    """Out-of-fold AUC of gradient boosting on count, spend, mean value, recency and age; nan for tiny samples."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import, and few verbs need it
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    mine = traits(real)[:MOST]
    theirs = np.concatenate([traits(b) for b in simulated])
    theirs = theirs[:: max(len(theirs) // max(min(len(mine), MOST), 1), 1)][: len(mine)]  # as many, from all samples
    if min(len(mine), len(theirs)) < 10 * FOLDS:
        return float("nan")
    X = np.concatenate([mine, theirs])
    y = np.repeat([1, 0], [len(mine), len(theirs)])
    model = HistGradientBoostingClassifier(max_iter=100, max_leaf_nodes=15, min_samples_leaf=50, random_state=0)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    with threadpool_limits(1):  # so little data that threads only wait for each other
        score = cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, score))


def traits(b: CustomerSummaries) -> Float:
    """(n, 5) what is known of each customer at the end of the window."""
    mean = np.divide(b.spend, b.counts, out=np.full(len(b.spend), np.nan), where=b.counts > 0)
    return np.column_stack([np.log1p(b.counts), np.log1p(b.spend), np.log(np.maximum(mean, 1e-2)), b.recency, b.age])
