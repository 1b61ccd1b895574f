"""`reg_cb`: optimism over all regressors that predict nearly as well as the best one.

Foster, Agarwal, Dudik, Luo & Schapire (2018, ICML). Near-best are coefficients whose (penalised) sum of squared
errors exceeds the least one by at most Delta = mellowness ln(1 + n) noise variances. What they say of one action is
an interval; for linear regressors it has a closed form, mean +- sqrt(Delta) width, with the width of the posterior:
`lin_ucb` with a radius that grows. Cut to the range of rewards, where one is given. Optimistic (RegCB-opt): the
action whose upper end is highest. Otherwise (elimination): uniform over the actions whose upper end reaches the
highest lower end. Not here: the regression (linear_base.py), the width (posterior_width.py).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.bandits.linear_base import Factorised, WatchfulConfig
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of, uniform_over
from campaignrl.policies.linear_model import RidgeModel, marginal_covariances, widths
from campaignrl.specs import Spec


class RegCBConfig(WatchfulConfig):
    """Settings of `reg_cb`.

    mellowness: excess squared error that is still near-best, per ln(1 + rows), in noise variances; optimistic:
    False for elimination; reward_range: lowest and highest possible reward; the rest as in linear_base.py.
    """

    mellowness: float = Field(default=0.5, ge=0.0)
    optimistic: bool = True
    reward_range: tuple[float, float] | None = None


class RegCB(Factorised):
    """Optimism over near-best regressors."""

    kind: ClassVar[str] = "reg_cb"
    Config: ClassVar[type[Spec]] = RegCBConfig

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Means, and the squared half-width of what near-best regressors say."""
        return {"coefficients": ("F32", (D, k)), "radius": ("F32", (k, D, D))}

    def _fit(self, model: RidgeModel) -> Tensors:
        excess = self.config.mellowness * np.log1p(self._sums.total["count"].sum()) * model.sigma2
        radius = (excess * marginal_covariances(model.posterior)).astype(np.float32)
        return {"coefficients": model.coefficients, "radius": radius}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        mean, half = self._means(phi), widths(self._fitted["radius"], phi).T
        lower, upper = mean - half, mean + half
        if self.config.reward_range is not None:
            lower, upper = (np.clip(end, *self.config.reward_range) for end in (lower, upper))
        if self.config.optimistic:
            return best_of(upper, allowed)
        highest = np.where(allowed, lower, -np.inf).max(axis=1, keepdims=True)
        return uniform_over(allowed & (upper >= highest))
