"""`square_cb`: inverse gap weighting (Abe & Long 1999; SquareCB: Foster & Rakhlin 2020, ICML).

With predicted rewards y(x, a), the best allowed action b and m allowed actions,

    p(a) = 1 / (m + gamma (y(b) - y(a))) for a != b,    p(b) = 1 - the sum of the others:

every action keeps a chance that falls with how much worse it looks. gamma = gamma_scale n^gamma_power after n rows;
gaps are in units of the noise, so that gamma_scale means the same for cents and for clicks (3 is about the 10 that
is usual for clicks at a rate of a tenth). Not here: the
regression (linear_base.py). n rows, k actions.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.bandits.linear_base import Factorised, WatchfulConfig
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.linear_model import RidgeModel
from campaignrl.specs import Spec


class SquareCBConfig(WatchfulConfig):
    """gamma_scale, gamma_power: how fast exploration ends; explore: none is needed; the rest as in linear_base.py."""

    gamma_scale: float = Field(default=3.0, gt=0.0)
    gamma_power: float = Field(default=0.5, ge=0.0, le=1.0)
    explore: float = Field(default=0.0, ge=0.0, le=1.0)


class SquareCB(Factorised):
    """Every action by how much worse it looks than the best."""

    kind: ClassVar[str] = "square_cb"
    Config: ClassVar[type[Spec]] = SquareCBConfig

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Means, and gamma over the noise."""
        return {"coefficients": ("F32", (D, k)), "sharpness": ("F64", (1,))}

    def _fit(self, model: RidgeModel) -> Tensors:
        rows = self._sums.total["count"].sum()
        gamma = self.config.gamma_scale * rows**self.config.gamma_power
        return {"coefficients": model.coefficients, "sharpness": np.array([gamma / np.sqrt(model.sigma2)])}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        return inverse_gap(self._means(phi).astype(np.float64), allowed, self._fitted["sharpness"][0])


def inverse_gap(scores: Float, allowed: Bool, gamma: float) -> Float:
    """(n, k) probabilities from predicted rewards (n, k); the first of equally good actions is the best one."""
    rows = np.arange(len(scores))
    masked = np.where(allowed, scores, -np.inf)
    best = masked.argmax(axis=1)
    gap = np.where(allowed, masked[rows, best][:, None] - scores, 0.0)
    p = np.where(allowed, 1.0 / (allowed.sum(axis=1, keepdims=True) + gamma * gap), 0.0)
    p[rows, best] = 0.0
    p[rows, best] = np.maximum(1.0 - p.sum(axis=1), 0.0)  # at least 1 / m; rounding may pass 0 where it is all there is
    return np.asarray(p)
