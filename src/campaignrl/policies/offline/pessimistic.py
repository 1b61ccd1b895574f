"""`pessimistic`: the best action by what it gains over `none` for certain, the lower end of an interval.

With few rows the highest mean belongs to whichever action was luckiest in the log. Taking mean - width x standard
deviation of the contrast to `none` instead sends only where the log vouches for it (Jin, Yang & Wang 2021, ICML;
Rashidinejad et al. 2021, NeurIPS). Not here: the regression (advantage_regression.py), the posterior
(posterior_width.py). n rows, k actions, D = 1 + encoded columns.
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
from campaignrl.policies.linear_model import Posterior, joint_covariance, widths
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.tables.log import DecisionLog


class PessimisticConfig(ReplayConfig):
    """width: standard deviations taken off; 0 is the plain best mean. The rest as in replay_learner.py."""

    width: float = Field(default=0.25, ge=0.0, le=10.0)


class Pessimistic(ReplayLearner):
    """Greedy on lower bounds of the gain over `none`."""

    kind: ClassVar[str] = "pessimistic"
    Config: ClassVar[type[ReplayConfig]] = PessimisticConfig
    config: PessimisticConfig

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Means, and the covariance of each action's contrast to `none`."""
        k, D = len(catalog), schema.width + 1
        return {"coefficients": ("F32", (D, k)), "covariance": ("F32", (k, D, D))}

    def _learn(self, log: DecisionLog) -> Tensors:
        model = self._models(log, self._sums(log, self._regression_rows(log)))[0]
        covariance = model.sigma2 * contrast_covariances(model.posterior)
        return {"coefficients": model.coefficients, "covariance": covariance.astype(np.float32)}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        means = self._means(phi)
        doubt = widths(self._fitted["covariance"], phi).T
        return best_of(means - means[:, [NONE]] - np.float32(self.config.width) * doubt, allowed)


def contrast_covariances(posterior: Posterior) -> Float:
    """(k, D, D) covariance of beta_a - beta_none, in units of the noise variance; zero for `none`."""
    joint = joint_covariance(posterior)
    own = np.stack([joint[a, :, a, :] for a in range(len(joint))])
    across = joint[:, :, NONE, :]
    covariance: Float = own + own[NONE] - across - across.transpose(0, 2, 1)
    return covariance
