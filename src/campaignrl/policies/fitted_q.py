"""`fitted_q`: the action after which a customer brings most until the campaign ends, learned from trajectories.

What a decision changes is learned part by part of the return (returns.py): the first outcome window, the second, the
next two and so on, each regressed by itself on what the baseline leaves (contrasts.py). Their sum is Q of the logging
policy (fitted Monte Carlo returns: Sutton & Barto 2018, 5 and 9). Far parts are mostly chance, so whether customers are
told apart by them, by the first window alone, or not at all is chosen on held-out customers (horizon.py): looking ahead
ends where the evidence does. The best allowed action by Q is at least as good as the log (policy improvement);
`train` with more rounds goes on from there. Not here: the conservative form (cql.py).

Bootstrapping on the value of the next context instead (Ernst, Geurts & Wehenkel 2005, JMLR 6) was measured and left
out: what a coupon does to a customer's expected price is not in the context, so it is lost at the first step, while
the return itself holds it.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from pydantic import Field

from campaignrl.policies.base import Tensors
from campaignrl.policies.contrasts import Taught, out_of_fold, overlap_of
from campaignrl.policies.horizon import Horizon, first_part, judged_rows, of_whole_return
from campaignrl.policies.learning import fixed_penalty
from campaignrl.policies.offline import FromLogs, OfflineConfig
from campaignrl.policies.returns import later_rows, return_parts
from campaignrl.policies.ridge import Float32, RidgeModel
from campaignrl.policies.uplift import scored_sums
from campaignrl.specs.toml import Spec
from campaignrl.tables.decisions import DecisionLog

MAX_WEIGHT = 100.0  # 1 / propensity is cut there, in the scores by which candidates are judged


class FittedQConfig(OfflineConfig):
    """windows: outcome windows looked ahead, at most; 1 is a bandit. The rest as in offline.py."""

    windows: int = Field(default=64, ge=1, le=1000)


class FittedReturns(NamedTuple):
    """What was learned, and from what."""

    taught: Taught  # rewards: (m, P) parts of the return
    near: RidgeModel  # of the first window
    coefficients: Float32  # (D, k)


class FittedQ(FromLogs):
    """Greedy on fitted returns."""

    kind: ClassVar[str] = "fitted_q"
    Config: ClassVar[type[Spec]] = FittedQConfig
    config: FittedQConfig
    looks: str = "near"  # which of the candidates of horizon.py was taken

    def _learn(self, log: DecisionLog) -> Tensors:
        return {"coefficients": self._returns(log).coefficients}

    def _returns(self, log: DecisionLog) -> FittedReturns:
        """What the log tells of returns, as far ahead and as finely as it can."""
        taught = self._taught(log, return_parts(log, later_rows(log), self.config.windows))
        sums = self._sums(log, taught)
        near = self._models(log, [first_part(each) for each in sums])[0]
        if taught.rewards.shape[1] == 1:
            return FittedReturns(taught, near, near.coefficients)
        whole = taught._replace(rewards=taught.rewards.sum(axis=1, keepdims=True))
        q = out_of_fold([of_whole_return(each) for each in sums], self.catalog, overlap_of(log), near.l2)
        scored = scored_sums(log, whole, self.schema, q, MAX_WEIGHT)
        horizon = Horizon(sums, scored, self.catalog, overlap_of(log), near, fixed_penalty(self.config.l2))
        chosen = horizon.choose(judged_rows(log, taught, self.schema, self.config.seed))
        self.looks = chosen.name
        return FittedReturns(taught, near, chosen.coefficients)
