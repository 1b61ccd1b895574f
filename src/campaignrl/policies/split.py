"""Several policies at once, each with its own customers: a share of them by a stable hash.

Nobody's policy hangs on who else is there, on the order, or on when they came; a share that grows keeps whom it had,
where it is the last. Not here: which policies and what shares (loop/arms/), tests of them (suites/abtest/). n
customers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Int64, UInt64
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.policies.base import Policy, Tensors, stated_gains
from campaignrl.policies.content_hash import policy_hash
from campaignrl.rng import Purpose, uniform


def arm_numbers(keys: UInt64, salt: str, shares: tuple[float, ...]) -> Int64:
    """(n,) number of each customer's share, the same for ever. keys: of `rng.customer_keys`."""
    code = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=7).digest(), "little")
    ends = np.cumsum(shares)[:-1]
    return np.searchsorted(ends, uniform(keys, code, 0, Purpose.TRIAL), side="right").astype(np.int64)


@dataclass(frozen=True)
class Split:
    """Policies for one catalog, and the share of the customers of each.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.policies import Split
        >>> both = [crl.load_policy(name, "coupon_trap") for name in ("none", "uniform")]
        >>> Split(tuple(both), (0.9, 0.1), "spring").name
        'none and uniform'
    """

    policies: tuple[Policy, ...]
    shares: tuple[float, ...]
    salt: str
    kind: ClassVar[str] = "split"

    @property
    def name(self) -> str:
        """Of them all."""
        return " and ".join(one.name for one in self.policies)

    @property
    def catalog(self) -> Catalog:
        """Of the first; a run requires that they all have it."""
        return self.policies[0].catalog

    def of(self, keys: UInt64) -> Int64:
        """(n,) which of the policies decides for each customer."""
        return arm_numbers(keys, self.salt, self.shares)

    def probabilities_of(self, keys: UInt64, context: Context, allowed: Bool) -> Float:
        """(n, k) each customer's by the own policy."""
        found, arm = np.zeros(allowed.shape), self.of(keys)
        for number, one in enumerate(self.policies):
            rows = np.flatnonzero(arm == number)
            if len(rows):
                found[rows] = one.probabilities(context.take(rows), allowed[rows])
        return found

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """Nobody can say without knowing whose rows these are."""
        fix = "Ask its parts, each for its own customers."
        raise UsageError(Problem("policy", "name", self.name, "one policy", fix))

    def gains_of(self, keys: UInt64, context: Context) -> Float:
        """(n, k) expected gains by the own policy; NaN where it states none."""
        found, arm = np.full((len(keys), len(self.catalog)), np.nan), self.of(keys)
        for number, one in enumerate(self.policies):
            rows = np.flatnonzero(arm == number)
            gains = stated_gains(one, context.take(rows)) if len(rows) else None
            if gains is not None:
                found[rows] = gains
        return found

    def settings(self) -> dict[str, Any]:
        """What tells one split from another."""
        return {"salt": self.salt, "shares": list(self.shares), "policies": [policy_hash(p) for p in self.policies]}

    def tensors(self) -> Tensors:
        """None of its own."""
        return {}


def parts_of(policy: Policy) -> tuple[Policy, ...]:
    """The policies of a split; any other is its own only part."""
    return policy.policies if isinstance(policy, Split) else (policy,)
