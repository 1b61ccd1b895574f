"""The linear bandits: `lin_ts`, `lin_ucb`, `lin_epsilon`, on coefficients shared by offer and channel.

`lin_ts`: Thompson sampling (Thompson 1933, Biometrika 25; linear form: Agrawal & Goyal 2013, ICML). At every
update S coefficient vectors are drawn from the posterior and kept. An action's probability is the share of those
draws in which it is the best of the allowed ones: exact, for it is what is sampled from. `lin_ucb`: the best by
mean plus alpha posterior standard deviations (Li, Chu, Langford & Schapire 2010, WWW). `lin_epsilon`: the best by
mean. All over a floor of uniform exploration. Not here: how they learn (linear_base.py). n rows, k actions,
D = 1 + encoded columns, S draws.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.bandits.draw_votes import scoring_layout, vote_shares
from campaignrl.policies.bandits.linear_base import Factorised, WatchfulConfig
from campaignrl.policies.bandits.vote_scores import fast_draws
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of
from campaignrl.policies.linear_model import RidgeModel, marginal_covariances, widths
from campaignrl.specs import Spec


class LinTSConfig(WatchfulConfig):
    """Settings of `lin_ts`.

    draws: posterior draws, so probabilities come in steps of 1 / draws; greedy: the best by posterior mean instead
    of draws; the rest as in linear_base.py.
    """

    draws: int = Field(default=64, ge=1, le=255)  # votes are counted in bytes
    greedy: bool = False


class LinUCBConfig(WatchfulConfig):
    """alpha: posterior standard deviations added to the mean; 1 is too sure of itself.

    The rest as in linear_base.py.
    """

    alpha: float = Field(default=2.0, ge=0.0)


class LinEpsilonConfig(WatchfulConfig):
    """explore: the epsilon, higher than elsewhere because nothing else explores; the rest as in linear_base.py."""

    explore: float = Field(default=0.1, ge=0.0, le=1.0)


class LinTS(Factorised):
    """Thompson sampling on the factorised ridge."""

    kind: ClassVar[str] = "lin_ts"
    Config: ClassVar[type[Spec]] = LinTSConfig

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Means and draws."""
        return {"coefficients": ("F32", (D, k)), "draws": ("F32", (0 if config.greedy else config.draws, D, k))}

    def _fit(self, model: RidgeModel) -> Tensors:
        generator = rng.generator(self.config.seed, rng.Purpose.POSTERIOR)
        draws = model.draw(0 if self.config.greedy else self.config.draws, generator)
        return {"coefficients": model.coefficients, "draws": draws}

    def _adopt(self, fitted: Tensors) -> None:
        super()._adopt(fitted)
        self._by_action = scoring_layout(fitted["draws"])
        self._fast = fast_draws(self._by_action)

    @property
    def any_shape(self) -> bool:
        """Votes do not depend on the batch, means do."""
        return not self.config.greedy

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        if self.config.greedy:
            return best_of(self._means(phi), allowed)
        return vote_shares(self._by_action, phi, allowed, self._fast)


class LinUCB(Factorised):
    """The best by an upper confidence bound."""

    kind: ClassVar[str] = "lin_ucb"
    Config: ClassVar[type[Spec]] = LinUCBConfig

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Means, and the posterior covariance of each action's coefficients."""
        return {"coefficients": ("F32", (D, k)), "covariance": ("F32", (k, D, D))}

    def _fit(self, model: RidgeModel) -> Tensors:
        # Before the first row all are alike; the prior would only favour actions made of more blocks.
        covariance = model.sigma2 * self.is_trained * marginal_covariances(model.posterior)
        return {"coefficients": model.coefficients, "covariance": covariance.astype(np.float32)}

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        bound = widths(self._fitted["covariance"], phi)
        bound *= np.float32(self.config.alpha)
        bound += self._means(phi).T
        return best_of(bound.T, allowed)


class LinEpsilon(Factorised):
    """The best by the mean, and now and then anything."""

    kind: ClassVar[str] = "lin_epsilon"
    Config: ClassVar[type[Spec]] = LinEpsilonConfig

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        return best_of(self._means(phi), allowed)
