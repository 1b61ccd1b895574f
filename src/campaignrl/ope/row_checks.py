"""Checks that look at rows of a log, and what they found: whatever the figures of all rows cannot show.

Which rows are looked at is said before the policy is asked, so that it is asked once. Here: their order. Not here: the
checks (diagnostics/), checks of figures (diagnostics/verdict.py).
"""

from __future__ import annotations

from typing import NamedTuple

from campaignrl.arrays import Float32, Rows
from campaignrl.ope.data import LogSample, TargetPolicy, noted, sampled_of_kept
from campaignrl.ope.diagnostics import Finding, Level, balance, findings_of_facts, outlier, repeats
from campaignrl.ope.estimators import bandit
from campaignrl.ope.leaks import leaked
from campaignrl.ope.methods import Evidence
from campaignrl.tables.log import DecisionLog


class RowChecks(NamedTuple):
    """What was agreed before the policy is asked."""

    at: Rows  # of the rows that are kept, those looked at
    target: TargetPolicy  # to be asked in place of the policy
    wanted: Float32 | None  # filled as it answers

    @classmethod
    def of(cls, log: DecisionLog, target: TargetPolicy) -> RowChecks:
        """Of the whole log, immature rows included, and the policy that is valued on the others."""
        at = sampled_of_kept(log.matured)
        return cls(at, *noted(target, at, len(log.catalog)))

    def found(self, used: DecisionLog, rows: Evidence, folds: int, seed: int) -> tuple[Finding, ...]:
        """What is wrong with the rows, once the policy has answered. used: the rows that are kept."""
        sample = LogSample.of(used, self.at, used.customer[self.at], self.wanted)
        terms = bandit.dr(rows.weight, rows.reward, rows.predicted, rows.expected).above
        of_rows = (*repeats(sample), *outlier(used, terms), *leaked(used, self.target, rows, folds, seed))
        return (*self._own_rows(), *balance(sample, used.catalog.names), *of_rows, *findings_of_facts(used.meta))

    def _own_rows(self) -> tuple[Finding, ...]:
        if not self.target.own_rows:
            return ()
        fix = "Value it on a fresh log, or train it on one part of `split_by_customer` and value it on the other"
        text = "this policy has learned from these very rows, on which any learner looks good"
        return (Finding(Level.REFUSE, f"{text}. {fix}."),)
