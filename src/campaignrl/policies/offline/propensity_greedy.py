"""`propensity_greedy`: write to those likeliest to buy. A baseline that hurts, and the practice of many.

A response model answers "who buys after having been written to", so it finds those who would have bought anyway; the
discount given to them is given away (Radcliffe & Surry 2011, "Real-world uplift modelling"). The send with the highest
chance of a response goes to the customers with the highest chance. Not here: who is changed by it (uplift.py).
n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of
from campaignrl.policies.linear_model import with_intercept
from campaignrl.policies.offline.advantage_regression import encoded
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.tables.log import DecisionLog


class PropensityGreedyConfig(ReplayConfig):
    """response_above: a reward above it is a response; top: share of decisions that get a send, the likeliest first."""

    response_above: float = 0.0
    top: float = Field(default=0.3, gt=0.0, le=1.0)


class PropensityGreedy(ReplayLearner):
    """Greedy on the chance of a response, for those above a cut."""

    kind: ClassVar[str] = "propensity_greedy"
    score_unit: ClassVar[str] = "chance of a response"
    Config: ClassVar[type[ReplayConfig]] = PropensityGreedyConfig
    config: PropensityGreedyConfig

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Chances of a response, and the chance from which on something is sent."""
        return {**ReplayLearner.fitted_shapes(catalog, schema, config), "cut": ("F32", (1,))}

    def _learn(self, log: DecisionLog) -> Tensors:
        response = (log.reward[:, None] > self.config.response_above).astype(np.float64)
        data = self._regression_rows(log, response, baseline=False)
        coefficients, rows = self._models(log, self._sums(log, data))[0].coefficients, data.rows
        best = [
            _best_send(with_intercept(X) @ coefficients, log.allowed(rows[part]))
            for part, X in encoded(log, rows, self.schema)
        ]
        highest = np.concatenate(best)
        cut = np.quantile(highest[np.isfinite(highest)], 1.0 - self.config.top) if np.isfinite(highest).any() else 0.0
        return {"coefficients": coefficients, "cut": np.array([cut], dtype=np.float32)}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        chance = self._means(phi).copy()
        if not self.is_trained:
            return best_of(chance, allowed)
        likely = _best_send(chance, allowed) >= self._fitted["cut"][0]
        chance[:, NONE] = np.where(likely, -np.inf, np.inf)
        sends = allowed & (likely | ~allowed[:, NONE])[:, None]
        sends[:, NONE] = allowed[:, NONE] & ~sends[:, NONE + 1 :].any(axis=1)
        return best_of(np.where(np.isfinite(chance), chance, np.float32(0.0)), sends)


def _best_send(chance: Float32, allowed: Bool) -> Float32:
    """(n,) the highest chance of a response among allowed sends; -inf where none is."""
    sends = allowed.copy()
    sends[:, NONE] = False
    return np.asarray(np.where(sends, chance, -np.inf).max(axis=1))
