"""The linear bandits: `lin_ts`, `lin_ucb`, `lin_epsilon`, on coefficients shared by offer and channel.

`lin_ts`: Thompson sampling (Thompson 1933, Biometrika 25; linear form: Agrawal & Goyal 2013, ICML). At every
update S coefficient vectors are drawn from the posterior and kept. An action's probability is the share of those
draws in which it is the best of the allowed ones: exact, for it is what is sampled from. `lin_ucb`: the best by
mean plus alpha posterior standard deviations (Li, Chu, Langford & Schapire 2010, WWW). `lin_epsilon`: the best by
mean. All over a floor of uniform exploration. Not here: how they learn (linear_base.py). n rows, k actions,
D = 1 + encoded columns, S draws.
"""

from __future__ import annotations

from math import gcd
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.bandits.linear_base import Factorised, FactorisedConfig
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of
from campaignrl.policies.linear_model import RidgeModel, marginal_covariances, widths
from campaignrl.policies.row_products import even_dtype
from campaignrl.specs import Spec

SCORES_AT_ONCE = 400_000  # of all draws and actions; 1.6 MB
DRAWS_AT_ONCE = 32  # compared at once: the best scores of 256 rows by 32 draws stay in the first-level cache


class LinTSConfig(FactorisedConfig):
    """Settings of `lin_ts`.

    draws: posterior draws, so probabilities come in steps of 1 / draws; greedy: the best by posterior mean instead
    of draws; the rest as in linear_base.py.
    """

    draws: int = Field(default=64, ge=1, le=255)  # votes are counted in bytes
    greedy: bool = False


class LinUCBConfig(FactorisedConfig):
    """alpha: posterior standard deviations added to the mean; 1 is too sure of itself.

    The rest as in linear_base.py.
    """

    alpha: float = Field(default=2.0, ge=0.0)


class LinEpsilonConfig(FactorisedConfig):
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

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        if self.config.greedy:
            return best_of(self._means(phi), allowed)
        return vote_shares(self._by_action, phi, allowed)


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


def vote_shares(coefficients: Float32, phi: Float32, allowed: Bool) -> Float:
    """(n, k) share of draws in which each allowed action is best; arguments as in `winning_draws`."""
    votes = winning_draws(coefficients, phi, allowed).T.astype(np.float64)
    votes /= votes.sum(axis=0)
    return votes.T


def scoring_layout(draws: Float32) -> Float32:
    """(S, D, k) draws as (S, k, D), laid out in memory as `winning_draws` reads them."""
    return np.ascontiguousarray(draws.transpose(2, 0, 1)).transpose(1, 0, 2)


def winning_draws(coefficients: Float32, phi: Float32, allowed: Bool) -> npt.NDArray[np.uint8]:
    """(n, k) draws in which each allowed action has the highest score; a tie counts for each of its actions.

    coefficients: (S, k, D), S <= 255; phi: (n, D). A row with nothing allowed has no votes.
    """
    S, k, D = coefficients.shape
    dtype = even_dtype()
    stacked = np.ascontiguousarray(coefficients.transpose(1, 0, 2), dtype=dtype).reshape(k * S, D)
    # As many rows at once as leave the scores of all draws in the second-level cache, a power of two.
    rows = max(32, min(512, 1 << int(np.log2(SCORES_AT_ONCE / (k * S)))))
    votes, may = np.empty((k, len(phi)), dtype=np.uint8), np.ascontiguousarray(allowed.T)
    barred = np.flatnonzero(~may.all(axis=1))
    score = np.empty(k * S * min(rows, len(phi)), dtype=dtype)
    wins = np.empty(score.shape, dtype=np.bool_)
    for start in range(0, len(phi), rows):
        x = phi[start : start + rows].T.astype(dtype, copy=False)
        here, won = (scratch[: k * S * x.shape[1]].reshape(k, S, -1) for scratch in (score, wins))
        # Actions outside, draws, rows inside: every step is one pass over contiguous memory, and one large product.
        np.matmul(stacked, x, out=here.reshape(k * S, -1))
        for action in barred:
            here[action] += np.where(may[action, start : start + rows], dtype(0.0), dtype(-np.inf))
        for some in (slice(s, s + DRAWS_AT_ONCE) for s in range(0, S, DRAWS_AT_ONCE)):
            np.equal(here[:, some], here[:, some].max(axis=0), out=won[:, some])
        few = won.view(np.uint8).reshape(k, gcd(S, 8), -1, x.shape[1])  # summed in two steps, twice as fast as in one
        np.add.reduce(np.add.reduce(few, axis=1, dtype=np.uint8), axis=1, out=votes[:, start : start + rows])
    if len(barred):
        votes *= may
    return votes.T
