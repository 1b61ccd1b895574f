"""`fitted_q`: the action after which a customer brings most until the campaign ends, learned from trajectories.

What a decision changes is learned part by part of the return (returns.py): the first outcome window, the second, the
next two and so on, each regressed by itself on what the baseline leaves (contrasts.py) and held back as the log's own
evidence advises. Near windows are told apart sharply; far ones count for as much as the log can show and for nothing
where it shows nothing: looking ahead ends where the evidence does. Their sum is Q of the logging policy
(fitted Monte Carlo returns: Sutton & Barto 2018, 5 and 9), and the best allowed action by it is at least as good as
the log (policy improvement); `train` with more rounds goes on from there. Not here: the conservative form (cql.py).

Bootstrapping on the value of the next context instead (Ernst, Geurts & Wehenkel 2005, JMLR 6) was measured and left
out: what a coupon does to a customer's expected price is not in the context, so it is lost at the first step, while
the return itself holds it.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from campaignrl.policies.base import Tensors
from campaignrl.policies.offline import FromLogs, OfflineConfig
from campaignrl.policies.returns import later_rows, return_parts, widths_of
from campaignrl.specs.toml import Spec
from campaignrl.tables.decisions import DecisionLog


class FittedQConfig(OfflineConfig):
    """windows: outcome windows looked ahead, at most; 1 is a bandit. The rest as in offline.py."""

    windows: int = Field(default=64, ge=1, le=1000)


class FittedQ(FromLogs):
    """Greedy on fitted returns."""

    kind: ClassVar[str] = "fitted_q"
    Config: ClassVar[type[Spec]] = FittedQConfig
    config: FittedQConfig

    def _learn(self, log: DecisionLog) -> Tensors:
        parts = return_parts(log, later_rows(log), self.config.windows)
        models = self._models(log, self._sums(log, self._taught(log, parts)), widths_of(parts.shape[1]))
        return {"coefficients": np.asarray(sum(model.coefficients for model in models), dtype=np.float32)}
