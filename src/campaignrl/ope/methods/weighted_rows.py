"""What a log's rows say about one policy: five numbers a row, gathered in one pass over blocks.

Never are (n, k) arrays held: a block's probabilities and predictions are reduced to row numbers at once.
Not here: estimators over these rows (bandit.py), which estimators there are (registry.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int
from campaignrl.ope.data import TargetPolicy
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.estimators import MarginalGathering, Marginals, mixed, most_wanted, off_support, weight_bound
from campaignrl.ope.intervals import Clusters
from campaignrl.ope.nuisance import RewardModel
from campaignrl.tables.log import DecisionLog

Range = tuple[float, float]


class Evidence(NamedTuple):
    """n rows as one policy sees them; arrays (n,), rewards in the log's unit."""

    reward: Float
    predicted: Float  # model's q of the logged action; 0 without a model
    weight: Float
    expected: Float  # model's value of the policy in that row; 0 without a model
    clusters: Clusters
    off_support: float  # mean mass on what the log cannot speak of
    weight_range: Range
    reward_range: Range
    predicted_range: Range
    marginals: Marginals | None = None  # None: not asked for, or the logging policy is not known that far
    logged: bool = False  # the policy is the logging policy itself
    batch: Int | None = None  # wave, else day, from 0: in which a logger did not change; None: not asked for
    pooled: Float | None = None  # own propensity over that of all loggers together; None: not known, or not asked for

    def mixed(self, share: float) -> Evidence:
        """The evidence on the policy that follows this one with probability `share`, else the logged one.

        What the logged policy expects is the prediction of what it did: unbiased, and it needs no more of it.
        """
        low, high = (mixed(np.array(self.weight_range), share)).tolist()
        expected = (1.0 - share) * self.predicted + share * self.expected
        return self._replace(
            weight=mixed(self.weight, share),
            expected=expected,
            off_support=share * self.off_support,
            weight_range=(low, high),
            marginals=None if self.marginals is None else self.marginals.mixed(share),
        )


class _Gathering:
    """One target's row numbers while blocks pass by."""

    def __init__(self, target: TargetPolicy, log: DecisionLog, marginals: bool) -> None:
        n, k = len(log), len(log.catalog)
        self.marginals = MarginalGathering(log) if marginals else None
        self.target, self.log = target, log
        self.weight, self.expected, self.off = np.ones(n), np.zeros(n), np.zeros(n)
        self.most_wanted = np.zeros(k)
        self.untried = np.bincount(log.action, minlength=k) == 0

    def take(self, rows: slice, q: npt.NDArray[Any] | None, predicted: Float, logging: npt.NDArray[Any] | None) -> None:
        if self.target.answer is None:  # the logging policy: see Evidence.mixed
            self.expected[rows] = predicted
            return
        p, propensity = self.target.probabilities(self.log, rows), self.log.propensity[rows]
        chosen = p[np.arange(len(p)), self.log.action[rows]].astype(np.float64)
        self.weight[rows] = chosen / propensity
        self.off[rows] = off_support(p, chosen, self.untried, propensity)
        if self.marginals is not None and logging is not None:
            self.marginals.take(rows, p, logging)
        np.maximum(self.most_wanted, most_wanted(p), out=self.most_wanted)
        if q is not None:
            self.expected[rows] = np.einsum("ij,ij->i", p, q)

    def weight_range(self) -> Range:
        if self.target.answer is None:
            return 1.0, 1.0
        floor = self.log.meta.get("propensity_floor")
        bound = weight_bound(self.most_wanted, self.log.action, self.log.propensity, floor)
        return 0.0, max(bound, float(self.weight.max()))


def gather(
    log: DecisionLog,
    targets: Sequence[TargetPolicy],
    model: RewardModel | None,
    reward_range: Range,
    logging: TargetPolicy | None = None,
) -> list[Evidence]:
    """Evidence on each target from the same rows and the same model; with marginal weights if `logging` is given."""
    parts = [_Gathering(target, log, logging is not None) for target in targets]
    predicted, least, largest = np.zeros(len(log)), [0.0], [0.0]
    for rows in blocks(len(log), len(log.catalog)):
        q = None if model is None else model.predict(rows)
        if q is not None:
            predicted[rows] = q[np.arange(len(q)), log.action[rows]]
            least.append(float(q.min()))
            largest.append(float(q.max()))
        logged = None if logging is None else logging.probabilities(log, rows)
        for part in parts:
            part.take(rows, q, predicted[rows], logged)
    clusters = Clusters(log.customer)
    reward = log.reward.astype(np.float64)
    predicted_range = (min(least[1:], default=0.0), max(largest[1:], default=0.0))
    return [
        Evidence(
            reward, predicted, part.weight, part.expected, clusters, float(part.off.mean()),
            part.weight_range(), reward_range, predicted_range,
            None if part.marginals is None else part.marginals.result(), part.target.answer is None,
        )
        for part in parts
    ]  # fmt: skip
