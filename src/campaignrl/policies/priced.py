"""A policy at the prices of a plan: each customer by itself takes what gains most over the price of what is scarce.

A plan by value finds prices of money, channels and stock at which customers, each asked alone, together take about what
there is (Everett 1963, Operations Research 11). With them a customer who asks at noon is decided by the rule of the
morning, and whoever else asks changes nothing. A share explores among all that is allowed, so that the log values other
policies. Not here: the prices (guard/dual_prices.py), what limits leave of the draws (send/limits.py). n customers,
k actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.guard import price_of_actions
from campaignrl.policies.base import REWARD, Policy, Tensors, stated_gains
from campaignrl.policies.choice import certainly, with_floor
from campaignrl.policies.content_hash import policy_hash


@dataclass(eq=False)
class Priced:
    """A policy that states values, the prices (of names as a plan's certificate has them), and the exploring share.

    name: that of the policy, and that it heeds prices; catalog: the policy's own.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.policies import Priced
        >>> log = crl.simulate("tight_budget", "uniform", customers=50, seed=1)
        >>> learned = crl.train("lin_ts", log)
        >>> Priced.of(learned, {"money": 0.02}, explore=0.05).name
        'lin_ts at prices'
    """

    policy: Policy
    prices: Mapping[str, float]
    explore: float
    price: Float  # (k,) of each action, in the unit of gains
    name: str
    catalog: Catalog
    kind: ClassVar[str] = "priced"
    score_unit: ClassVar[str] = REWARD

    @classmethod
    def of(cls, policy: Policy, prices: Mapping[str, float], explore: float = 0.0) -> Priced:
        """The policy at these prices.

        Raises:
            UsageError: it states no values, a price is none or of nothing there is, or the share is none.
        """
        problems = []
        if getattr(policy, "score_unit", None) != REWARD:
            fix = f"Policy {policy.name} states no values: leave the prices out, or let another decide."
            problems.append(Problem("prices", "policy", policy.kind, "a kind that states values", fix))
        if not 0.0 <= explore <= 1.0:
            problems.append(Problem("prices", "explore", explore, "a share of customers, 0 to 1"))
        if problems:
            raise UsageError(problems)
        price = price_of_actions(policy.catalog, prices)
        return cls(policy, dict(prices), float(explore), price, f"{policy.name} at prices", policy.catalog)

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """What the policy learned from."""
        found: Mapping[str, Any] = getattr(self.policy, "trained_on", {})
        return found

    @property
    def is_trained(self) -> bool:
        """Whether the policy has learned, if it learns."""
        return bool(getattr(self.policy, "is_trained", True))

    def scores(self, context: Context) -> Float32:
        """(n, k) what the policy expects of every action, before any price."""
        found: Float32 = self.policy.scores(context)  # type: ignore[attr-defined]
        return found

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k) all on the allowed action of the most gain over its price, the first of equals; over what explores."""
        gains = stated_gains(self.policy, context)
        assert gains is not None
        net = gains.astype(np.float64) - self.price
        net[~allowed | np.isnan(net)] = -np.inf  # what is not known is not taken
        return with_floor(certainly(net.argmax(axis=1), allowed), allowed, self.explore)

    def settings(self) -> dict[str, Any]:
        """What tells it from the policy at other prices."""
        return {"policy": policy_hash(self.policy), "prices": dict(self.prices), "explore": self.explore}

    def tensors(self) -> Tensors:
        """None of its own."""
        return {}
