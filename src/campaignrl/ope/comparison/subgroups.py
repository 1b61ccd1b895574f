"""What is asked beside a policy's value: for whom it is better, how likely it is worse, what the gain costs.

Here: the questions of one policy against one reference, from one pass over the rows, and how the answers read. Not
here: the answers themselves (policies.py), the value of all rows (evaluate.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaignrl.ope.comparison.policies import Part, Rows, cost_of, harm_of, lift_among, part_table
from campaignrl.ope.data import LOGGED, PolicyLike
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods import Range
from campaignrl.tables.log import DecisionLog


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Answers about a policy against a reference; figures that cannot be had are NaN."""

    reference: str
    parts: Mapping[str, tuple[Part, ...]]  # by what was asked for: a feature, or wave
    harm: float | None = None  # probability that it earns less than the reference; None: not asked for
    cost: Estimate | None = None  # minor units a further unit of reward; None: not asked for, or no row cost anything

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where a figure cannot be had."""
        facts: dict[str, Any] = {"lift_by": {name: [_part(p) for p in parts] for name, parts in self.parts.items()}}
        if self.harm is not None:
            facts |= {
                "probability_of_harm": _number(self.harm),
                "cost_per_incremental": None if self.cost is None else _estimate(self.cost),
            }
        return facts

    def __str__(self) -> str:
        shown = [f"lift by {name}, over {self.reference}\n{part_table(parts)}" for name, parts in self.parts.items()]
        if self.harm is not None:
            shown.append(f"probability that it earns less than {self.reference}   {_chance(self.harm)}")
        if self.cost is not None:
            shown.append(f"cost of one more unit of reward   {_price(self.cost)}")
        return "\n\n".join(shown)


def breakdown(
    log: DecisionLog,
    policy: PolicyLike,
    reference: PolicyLike = LOGGED,
    *,
    by: Sequence[str] = (),
    risk: bool = False,
    mix: float = 1.0,
    model: str = "ridge",
    reward_range: Range | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Breakdown:
    """Lift of `policy` over `reference` by each of `by` (features, or "wave"); with `risk`, harm and cost too.

    The intervals of one breakdown hold together with 1 - alpha. mix: as in `evaluate`. Raises UnknownName for a
    name in `by` that the log does not hold.
    """
    rows = Rows.of(log, [policy, reference], model=model, reward_range=reward_range, seed=seed)
    if mix < 1.0:
        rows = rows._replace(evidence=[rows.evidence[0].mixed(mix), rows.evidence[1]])
    return Breakdown(
        reference=reference if isinstance(reference, str) else getattr(reference, "name", "the reference"),
        parts={name: lift_among(rows, name, alpha) for name in by},
        harm=harm_of(rows) if risk else None,
        cost=cost_of(rows, alpha) if risk and rows.log.cost.any() else None,
    )


def _part(part: Part) -> dict[str, Any]:
    return {"part": part.part, "n": part.n, "customers": part.customers, "lift": _estimate(part.lift)}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    facts = estimate._asdict()
    return {name: _number(value) if isinstance(value, float) else value for name, value in facts.items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _price(cost: Estimate) -> str:
    if not math.isfinite(cost.ci_high):
        return "cannot be told: the log does not show that there is more"
    return f"{cost.value:,.4g} [{cost.ci_low:,.4g}, {cost.ci_high:,.4g}] minor units ({cost.interval})"


def _chance(value: float) -> str:
    """A probability in per cent; never one that reads as certain."""
    if math.isnan(value):
        return "-"
    return "below 0.1%" if value < 0.001 else ("above 99.9%" if value > 0.999 else f"{value:.1%}")
