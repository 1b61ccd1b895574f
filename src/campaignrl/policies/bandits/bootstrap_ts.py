"""`bootstrap_ts`: an ensemble of ridge regressions, each on its own resample of the rows, as draws of a posterior.

Member s counts every row Poisson(1) times (online bootstrap: Oza & Russell 2001, AISTATS; as Thompson sampling:
Eckles & Kaptein 2014; Osband & Van Roy 2015). The counts are hashed from seed, customer, step and member, so they do
not depend on batches or on the order of rows, and halves of a log teach what the whole does. Each member also learns
only the difference to a draw of its own from the prior (Osband, Aslanides & Cassirer 2018, NeurIPS), so that members
disagree where there is no data at all. Unlike `lin_ts` it needs no belief about the noise: heavy tails and unequal
noise show in how members differ. Not here: the regression (ridge.py). S members, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field
from scipy import special

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64, UInt64
from campaignrl.features import FeatureSchema
from campaignrl.policies.bandits.draw_votes import scoring_layout, vote_shares
from campaignrl.policies.bandits.forgetting import DriftingSums
from campaignrl.policies.bandits.linear_base import Factorised, FactorisedConfig
from campaignrl.policies.bandits.vote_scores import fast_draws
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.learner_settings import fixed_penalty, require_catalog, training_rows
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

COUNTS = special.pdtr(np.arange(12), 1.0)  # a count of 12 or more has a chance of 8e-10


class BootstrapTSConfig(FactorisedConfig):
    """members: of the ensemble, so probabilities come in steps of 1 / members; the rest as in linear_base.py."""

    members: int = Field(default=16, ge=2, le=64)
    window: int = Field(default=0, ge=0, le=0)  # a window would hold every member's sums of every update


class BootstrapTS(Factorised):
    """Thompson sampling by a bootstrapped ensemble."""

    kind: ClassVar[str] = "bootstrap_ts"
    Config: ClassVar[type[Spec]] = BootstrapTSConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: BootstrapTSConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        zeros = RidgeStatistics.zeros(catalog, schema.width)
        prior = fit_ridge(zeros, catalog, 1.0)
        self._prior = prior.draw(config.members, rng.generator(config.seed, rng.Purpose.POSTERIOR)).astype(np.float64)
        self._sums = DriftingSums(_stacked([zeros] * config.members), config.forget)
        self._adopt(self._ensemble())

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        k, D, S = len(catalog), schema.width + 1, config.members
        sums: Shapes = {"gram": ("F64", (S, k, D, D)), "moment": ("F64", (S, k, D)), "square": ("F64", (S, k))}
        return sums | {"count": ("F64", (S, k))} | cls.fitted_shapes(config, D, k)

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """Their mean, and the members."""
        return {"coefficients": ("F32", (D, k)), "draws": ("F32", (config.members, D, k))}

    def update(self, log: DecisionLog) -> None:
        """Learn from the rows of `log` whose outcomes are known."""
        require_catalog(log, self.catalog, self.name)
        parts = [RidgeStatistics.zeros(self.catalog, self.schema.width) for _ in range(self.config.members)]
        keys, changed = row_keys(log), False
        for block in training_rows(log, self.schema, self.config):
            changed = True
            for member, part in enumerate(parts):
                counts = poisson_counts(keys[block.rows], self.config.seed, member)
                used = counts > 0.0
                weight = counts[used] if block.weight is None else (counts * block.weight)[used]
                part.add(block.X[used], block.action[used], block.reward[used], weight)
        if changed:
            self._sums.take_in(_stacked(parts))
            self._adopt(self._ensemble())

    def _ensemble(self) -> Tensors:
        """Every member's fit to what its own prior draw leaves; one penalty and one noise level for all."""
        total, S = self._sums.total, self.config.members
        average = RidgeStatistics.from_tensors({name: a.mean(axis=0) for name, a in total.items()})
        whole = fit_ridge(average, self.catalog, fixed_penalty(self.config.l2) if average.count.any() else 1.0)
        prior = self._prior * np.sqrt(whole.sigma2 / whole.l2)
        draws = np.empty_like(prior, dtype=np.float32)
        for s in range(S):
            own = RidgeStatistics.from_tensors({name: a[s] for name, a in total.items()})
            own.moment -= np.einsum("kde,ek->kd", own.gram, prior[s])
            draws[s] = prior[s] + fit_ridge(own, self.catalog, whole.l2).posterior.mean().T
        return {"coefficients": whole.coefficients, "draws": draws}

    def _adopt(self, fitted: Tensors) -> None:
        super()._adopt(fitted)
        self._by_action = scoring_layout(fitted["draws"])
        self._fast = fast_draws(self._by_action)

    @property
    def any_shape(self) -> bool:
        """Votes do not depend on the batch."""
        return True

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        return vote_shares(self._by_action, phi, allowed, self._fast)


def row_keys(log: DecisionLog) -> UInt64:
    """(n,) a key for every decision, by customer and step."""
    step = np.asarray(log.step).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return rng.mix(rng.customer_keys(log.customers)[log.customer] + step)


def poisson_counts(keys: UInt64, seed: int, member: int) -> Float:
    """(n,) how often a member counts each row, Poisson with mean 1."""
    u = rng.uniform(keys, seed, 0, rng.Purpose.RESAMPLE, member)
    counts: Int64 = np.searchsorted(COUNTS, u, side="right")
    return counts.astype(np.float64)


def _stacked(parts: list[RidgeStatistics]) -> Tensors:
    return {name: np.stack([part.tensors()[name] for part in parts]) for name in parts[0].tensors()}
