"""`fitted_q`: the action after which a customer brings most until the campaign ends, learned from trajectories.

What a decision changes is learned part by part of the return (returns.py): the first outcome window, the second, the
next two and so on, each regressed by itself on what the baseline leaves (advantage_regression.py) and held back as the
log's own evidence advises. Their sum is Q of the logging policy (fitted Monte Carlo returns: Sutton & Barto 2018, 5 and
9). Far parts are mostly chance, so where held-out customers would be served better by the first window alone, it alone
decides (lookahead_choice.py). The best allowed action by Q is at least as good as the log (policy improvement); `train`
with more rounds goes on from there. Not here: the conservative form (cql.py).

Bootstrapping on the value of the next context instead (Ernst, Geurts & Wehenkel 2005, JMLR 6) was measured and left
out: what a coupon does to a customer's expected price is not in the context, so it is lost at the first step, while
the return itself holds it.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from campaignrl.arrays import Float32
from campaignrl.policies.base import Tensors
from campaignrl.policies.linear_model import RidgeModel
from campaignrl.policies.offline.advantage_regression import RegressionRows, out_of_fold, overlap_of
from campaignrl.policies.offline.lookahead_choice import judged_rows, near_is_ahead, of_whole_return
from campaignrl.policies.offline.replay_learner import ReplayConfig, ReplayLearner
from campaignrl.policies.offline.returns import later_rows, return_parts, widths_of
from campaignrl.tables.log import DecisionLog

MAX_WEIGHT = 100.0  # 1 / propensity is cut there, in the scores by which candidates are judged


class FittedQConfig(ReplayConfig):
    """windows: outcome windows looked ahead, at most; 1 is a bandit. The rest as in replay_learner.py."""

    windows: int = Field(default=64, ge=1, le=1000)


class FittedReturns(NamedTuple):
    """What was learned, and from what."""

    data: RegressionRows  # rewards: (m, P) parts of the return
    near: RidgeModel  # of the first window
    coefficients: Float32  # (D, k)


class FittedQ(ReplayLearner):
    """Greedy on fitted returns."""

    kind: ClassVar[str] = "fitted_q"
    Config: ClassVar[type[ReplayConfig]] = FittedQConfig
    config: FittedQConfig
    SUMS: ClassVar[tuple[str, ...]] = ("rewards", "scored")
    sequential: ClassVar[bool] = True  # a log that cannot answer for what it learns is refused (proof/)
    looks: str = "near"  # or "far": which candidate of lookahead_choice.py was taken

    def _learn(self, log: DecisionLog) -> Tensors:
        return {"coefficients": self._returns(log).coefficients}

    def _returns(self, log: DecisionLog) -> FittedReturns:
        """What the log tells of returns, as far ahead as it can."""
        data = self._regression_rows(log, return_parts(log, later_rows(log), self.config.windows))
        sums = self._sums(log, data)
        widths = widths_of(len(sums[0].moments))  # of rows before, too
        models = self._models(log, sums, widths)
        near, far = models[0], np.asarray(sum(model.coefficients for model in models), dtype=np.float32)
        if len(models) == 1:
            return FittedReturns(data, near, near.coefficients)
        whole = data._replace(rewards=data.rewards.sum(axis=1, keepdims=True))
        q = out_of_fold([of_whole_return(each) for each in sums], self.catalog, overlap_of(log), near.l2)
        scored = self._scored_sums(log, whole, q, MAX_WEIGHT)
        judged, overlap = judged_rows(log, data, self.schema, self.config.seed), [overlap_of(log) * w for w in widths]
        self.looks = "near" if near_is_ahead(sums, scored, judged, self.catalog, overlap, models) else "far"
        return FittedReturns(data, near, near.coefficients if self.looks == "near" else far)
