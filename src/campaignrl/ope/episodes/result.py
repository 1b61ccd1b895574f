"""The answer of a sequential evaluation, and how it differs from that of single decisions when shown.

Not here: how it is made (evaluate.py), tables and HTML (result.py), the picture of the curve (report/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from campaignrl.ope.episodes.support_horizon import Step
from campaignrl.ope.methods import Evaluation


@dataclass(frozen=True, kw_only=True, repr=False)
class EpisodeEvaluation(Evaluation):
    """What a policy would earn per customer over `horizon` steps; figures that cannot be had are NaN.

    ess, max_weight_share and mean_weight are those of the last step; `curve` has them for every step.
    """

    horizon: int
    discount: float  # of each further step
    lasting: int  # first steps the log can follow the policy
    lift_by: str  # the estimator behind the lift
    quantiles: tuple[tuple[float, float], ...]  # (share, return of an episode that this share does not exceed)
    worst_tenth: float  # mean return of the worst tenth of episodes (CVaR)
    curve: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where a figure cannot be had; the curve as one object a step."""
        facts = super().to_dict()
        facts["curve"] = [dict(zip(Step._fields, step, strict=True)) for step in facts["curve"]]
        return facts

    @property
    def per(self) -> str:
        """What a value is of."""
        return f"per customer over {self.horizon} steps"

    def _heading(self) -> str:
        rows = f"{self.n:,} decisions of {self.customers:,} customers"
        faded = f" (discounted by {self.discount:g} a step)" if self.discount < 1.0 else ""
        return f"{self.policy}: {self.reward}, {self.per}{faded}, from {rows}, logged by {self.log_policy}"

    def _notes(self) -> list[str]:
        shown = {1, *range(5, self.horizon, 5), self.lasting, self.lasting + 1, self.horizon}
        by_step = "  ".join(f"{s.step}: {s.ess:,.0f}" for s in self.curve if s.step in shown)
        by_step = f"effective sample size by step   {by_step}" if self.curve else "no step can be followed"
        return [by_step, *super()._notes()]
