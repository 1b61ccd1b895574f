"""`budgeted`: value less a price on what a send costs; the price makes a budget last, and can change any day.

Two heads are learned from a log: what each action brings over nothing (as in uplift.py) and what it costs. An action is
worth value - price x cost, the Lagrangian of a budget that ties customers together (weakly coupled decisions: Hawkins
2003; Adelman & Mersereau 2008; with one policy for every price as in BCORLE, Zhang et al. 2021, NeurIPS). A price of 0
spends wherever a send pays; at price p every unit of money must bring 1 + p. The price for a budget is found by
bisection on the contexts of a log or of a wave, so a new budget needs no training. Not here: refusing what is over the
budget, which is enforced whatever the price (guard/budget.py). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Shapes, Tensors
from campaignrl.policies.choice import best_of
from campaignrl.policies.learner_settings import fixed_penalty
from campaignrl.policies.linear_model import RidgeModel
from campaignrl.policies.offline.advantage_regression import Sums, fit_parts
from campaignrl.policies.offline.lookahead_choice import TOGETHER
from campaignrl.policies.offline.replay_learner import ReplayConfig
from campaignrl.policies.offline.uplift import DRUplift, DRUpliftConfig
from campaignrl.policies.row_products import row_product
from campaignrl.tables.log import DecisionLog

HIGHEST = 1e6  # a price at which nothing that costs anything is sent
HALVINGS = 60
COST_L2 = 0.01  # pseudo-observations: what a send costs hardly varies
SAMPLE = 200_000  # rows of a log on which the price is found


class BudgetedConfig(DRUpliftConfig):
    """Settings of `budgeted`.

    price: of a unit of money, on top of its cost; spend_per_decision: currency to be spent per decision on average,
    from which the price is found when a log is learned from (not given: it stays). The rest as in uplift.py.
    """

    price: float = Field(default=0.0, ge=0.0, le=HIGHEST)
    spend_per_decision: float | None = Field(default=None, ge=0.0)


class Budgeted(DRUplift):
    """Greedy on value less price x cost."""

    kind: ClassVar[str] = "budgeted"
    Config: ClassVar[type[ReplayConfig]] = BudgetedConfig
    config: BudgetedConfig
    SUMS: ClassVar[tuple[str, ...]] = ("rewards", "scored", "costs")

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: BudgetedConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        self._fitted["price"] = np.array([config.price], dtype=np.float32)

    @classmethod
    def fitted_shapes(cls, catalog: Catalog, schema: FeatureSchema, config: Any) -> Shapes:
        """Both heads, and the price in use."""
        head = ("F32", (schema.width + 1, len(catalog)))
        return {"coefficients": head, "costs": head, "price": ("F32", (1,))}

    @property
    def price(self) -> float:
        """Of a unit of money, on top of its cost."""
        return float(self._fitted["price"][0])

    def at_price(self, price: float) -> Self:
        """The same policy at another price; nothing is learned anew."""
        other = copy.copy(self)
        other._fitted = {**self._fitted, "price": np.array([min(max(price, 0.0), HIGHEST)], dtype=np.float32)}
        return other

    def spend(self, context: Context, allowed: Bool) -> float:
        """Expected cost of one decision, currency, on these contexts at the price in use."""
        costs = row_product(self._phi(context), self._fitted["costs"]).astype(np.float64)
        return float(np.sum(self.probabilities(context, allowed) * costs) / max(len(allowed), 1))

    def price_for(self, context: Context, allowed: Bool, spend_per_decision: float) -> float:
        """The least price at which a decision on these contexts costs at most `spend_per_decision` on average."""
        low, high = 0.0, HIGHEST
        if self.at_price(low).spend(context, allowed) <= spend_per_decision:
            return low
        for _ in range(HALVINGS):
            middle = np.sqrt((1.0 + low) * (1.0 + high)) - 1.0  # prices matter by their ratio
            if self.at_price(middle).spend(context, allowed) <= spend_per_decision:
                high = middle
            else:
                low = middle
            if high - low <= 1e-3 * (1.0 + low):
                break
        return float(high)

    def _learn(self, log: DecisionLog) -> Tensors:
        gains = super()._learn(log)["coefficients"]
        per_unit = float(log.meta.get("minor_per_unit", 1.0))
        paid = self._regression_rows(log, log.cost[:, None] / per_unit, baseline=False)
        costs = fit_parts(self._sums(log, paid, "costs"), self.catalog, [1.0], COST_L2)[0]
        self._fitted = {**self._fitted, "coefficients": gains, "costs": costs.coefficients}
        if self.config.spend_per_decision is None:
            return self._fitted
        step = max(1, int(log.matured.sum()) // SAMPLE)
        some = np.flatnonzero(log.matured)[::step]
        price = self.price_for(log.context.take(some), log.allowed(some), self.config.spend_per_decision)
        return {**self._fitted, "price": np.array([price], dtype=np.float32)}

    def _models(self, log: DecisionLog, sums: list[Sums], windows: Sequence[int] = (1,)) -> list[RidgeModel]:
        """Every row counts for itself, and what moves all sends alike is not held back (see lookahead_choice.py).

        Where money allows few sends a log has few, and evidence must not be thrown away.
        """
        return fit_parts(sums, self.catalog, [1.0] * len(windows), fixed_penalty(self.config.l2), TOGETHER)

    def _shares(self, phi: Float32, allowed: Bool) -> Float:
        cost = row_product(phi, self._fitted["costs"])
        return best_of(self._means(phi) - self._fitted["price"][0] * cost, allowed)
