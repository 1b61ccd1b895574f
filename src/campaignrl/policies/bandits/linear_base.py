"""What the linear bandits have in common: reward regressed on context, coefficients shared by offer and channel.

Here: learning from logs into sums, the posterior they imply, deciding in chunks over a floor of exploration, and
what a bundle keeps. Not here: the choice itself, which is all that linear.py, square_cb.py and reg_cb.py add; the
posterior (ridge.py). n rows, k actions, D = 1 + encoded columns, phi = (1, x).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.bandits.change_detection import share_to_keep
from campaignrl.policies.bandits.forgetting import DriftingSums, with_recent
from campaignrl.policies.base import Shapes, Shown, Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.choice import require_choice, with_floor
from campaignrl.policies.chunks import by_encoded_chunks, turned
from campaignrl.policies.learner_settings import LearningConfig, Penalty, fixed_penalty, require_catalog, training_rows
from campaignrl.policies.linear_model import RidgeModel, RidgeStatistics, fit_ridge
from campaignrl.policies.row_products import row_product, settled_product
from campaignrl.specs import Spec
from campaignrl.tables.log import DecisionLog

FEW = 128  # rows that are scored by themselves, as a service's are; more are worth a chunk


class FactorisedConfig(LearningConfig):
    """l2: penalty in pseudo-observations, or "auto" for the best by evidence; the rest as in learner_settings.py."""

    l2: Penalty = Field(default="auto")


class WatchfulConfig(FactorisedConfig):
    """forget: as elsewhere, or "auto", which keeps everything until new rows contradict it (change_detection.py).

    The rest as in `FactorisedConfig`.
    """

    forget: Annotated[float, Field(gt=0.0, le=1.0)] | Literal["auto"] = Field(default=1.0)  # type: ignore[assignment]

    @model_validator(mode="after")
    def _forgets_one_way(self) -> Self:
        if self.forget == "auto" and self.window:
            raise ValueError("one way of forgetting: 'auto' decides itself how much is kept and goes without a window")
        return self


class Factorised(Shown):
    """A learner on the factorised ridge; a kind adds `_shares` and, if its choice needs more than means, `_fit`."""

    kind: ClassVar[str]
    score_unit: ClassVar[str] = "reward"
    Config: ClassVar[type[Spec]]

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: Any, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        forget = 1.0 if config.forget == "auto" else config.forget
        self._sums = DriftingSums(RidgeStatistics.zeros(catalog, schema.width).tensors(), forget, config.window)
        self._adopt(self._fit(self._posterior()))

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k) exact chance of every action, over the floor."""
        require_choice(allowed)
        with one_blas_thread():
            return by_encoded_chunks(self._decide, context, self.schema, allowed, any_shape=self.any_shape)

    def scores(self, context: Context) -> Float32:
        """(n, k) expected reward of every action, by the posterior mean."""
        with one_blas_thread():
            if 0 < len(context) <= FEW and (few := self._means_of_few(context)) is not None:
                return few
            everything = np.ones((len(context), len(self.catalog)), dtype=bool)
            return by_encoded_chunks(lambda phi, _: self._means(phi), context, self.schema, everything)

    def update(self, log: DecisionLog) -> None:
        """Learn from the rows of `log` whose outcomes are known (all whose window has closed, unless set otherwise)."""
        require_catalog(log, self.catalog, self.name)
        part = RidgeStatistics.zeros(self.catalog, self.schema.width)
        for block in training_rows(log, self.schema, self.config):
            part.add(block.X, block.action, block.reward, block.weight)
        if part.count.any():
            self._sums.take_in(part.tensors(), self._share_to_keep(part))
            self._adopt(self._fit(self._posterior()))

    @property
    def any_shape(self) -> bool:
        """Whether `_shares` gives the same answers in batches of any shape."""
        return False

    @property
    def is_trained(self) -> bool:
        """Has seen at least one row."""
        return bool(self._sums.total["count"].any())

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types."""
        settings: dict[str, Any] = self.config.model_dump(mode="json")
        return settings

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """What `tensors` holds."""
        k, D = len(catalog), schema.width + 1
        sums: Shapes = {"gram": ("F64", (k, D, D)), "moment": ("F64", (k, D)), "square": ("F64", (k,))}
        sums["count"] = ("F64", (k,))
        return with_recent(sums, config.window) | cls.fitted_shapes(config, D, k)

    @classmethod
    def fitted_shapes(cls, config: Any, D: int, k: int) -> Shapes:
        """What the choice reads."""
        return {"coefficients": ("F32", (D, k))}

    def tensors(self) -> Tensors:
        """Sums to learn on from, and what the choice reads."""
        return {**self._sums.tensors(), **self._fitted}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._sums.restore(tensors)
        self._adopt({name: tensors[name] for name in self._fitted})

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        """(n, k) chance of every action before the floor."""
        raise NotImplementedError

    def _fit(self, model: RidgeModel) -> Tensors:
        """What the choice reads, from the posterior."""
        return {"coefficients": model.coefficients}

    def _adopt(self, fitted: Tensors) -> None:
        """Decide by `fitted` from now on."""
        self._fitted = fitted

    def _share_to_keep(self, part: RidgeStatistics) -> float | None:
        if self.config.forget != "auto":
            return None
        l2 = fixed_penalty(self.config.l2) or self._posterior().l2
        return share_to_keep(RidgeStatistics.from_tensors(self._sums.total), part, self.catalog, l2)

    def _posterior(self) -> RidgeModel:
        l2 = fixed_penalty(self.config.l2)
        if l2 is None and not self.is_trained:
            l2 = 1.0  # without rows every penalty is as good
        return fit_ridge(RidgeStatistics.from_tensors(self._sums.total), self.catalog, l2)

    def _means(self, phi: Float32) -> Float32:
        return self._stated(row_product(np.ascontiguousarray(phi), self._fitted["coefficients"]))

    def _means_of_few(self, context: Context) -> Float32 | None:
        """The same without rows to fill a chunk up; None where these might tell in the last digit."""
        phi = np.ascontiguousarray(turned(context, self.schema).T)
        product = settled_product(phi, self._fitted["coefficients"])
        return None if product is None else self._stated(product)

    def _stated(self, product: Float32) -> Float32:
        """Rewards from what the coefficients give."""
        return product

    def _decide(self, phi: Float32, allowed: Bool) -> Float:
        return with_floor(self._shares(phi, allowed), allowed, self.config.explore)
