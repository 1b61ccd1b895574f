"""Checks that look at rows of a log, and what they found: whatever the figures of all rows cannot show.

Which rows are looked at is said before the policy is asked, so that it is asked once. Here: their order. Not here: the
checks (diagnostics/), checks of figures (diagnostics/verdict.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Float, Float32, Rows
from campaignrl.ope.data import LogSample, TargetPolicy, noted, sampled_of_kept
from campaignrl.ope.diagnostics import (
    LOOKED_AT,
    MOST_ROWS,
    Finding,
    Level,
    Sensitivity,
    Sides,
    balance,
    few_events,
    findings_of_facts,
    findings_of_hardly_tried,
    findings_of_never_tried,
    hardly_tried,
    never_tried,
    outlier,
    over_time,
    repeats,
    robust_figures,
    sensitivity,
)
from campaignrl.ope.estimators import bandit
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.leaks import leaked
from campaignrl.ope.methods import Evidence
from campaignrl.tables.log import DecisionLog

Pair = tuple[Evidence, Evidence]


class Found(NamedTuple):
    """What checks say, and further fields of the answer."""

    findings: tuple[Finding, ...]
    beside: dict[str, Any]
    hardly_tried: float = 0.0


def of_sample(
    sample: LogSample, rows: int, names: Sequence[str], meta: Mapping[str, Any], logged: bool, mix: float
) -> Found:
    """What the rows of a sample say, in memory and in passing alike.

    rows: of the whole log; names: (k,); meta: the log's facts; logged: the reference is the logged policy; mix: how
    often the policy is followed, and the logged one otherwise.
    """
    days, parts, hardly = over_time(sample, names, logged), never_tried(sample, names), mix * hardly_tried(sample)
    said = (*balance(sample, names), *repeats(sample), *days.findings, *findings_of_never_tried(parts))
    said += (*few_events(sample, rows), *findings_of_hardly_tried(hardly))
    return Found((*said, *findings_of_facts(meta)), {"over_time": days.stretches, "never_tried": parts}, hardly)


def _gain(policy: Evidence, reference: Evidence, at: Rows) -> Float:
    """(3, m) weights, terms and residuals of the lift at some rows."""
    apart, residual = policy.weight[at] - reference.weight[at], policy.reward[at] - policy.predicted[at]
    return np.stack([residual, 1.0 + apart, policy.expected[at] - reference.expected[at] + apart * residual])


class RowChecks(NamedTuple):
    """What was agreed before the policy is asked."""

    at: Rows  # of the rows that are kept, those looked at
    target: TargetPolicy  # to be asked in place of the policy
    wanted: Float32 | None  # filled as it answers
    robust: bool = False  # robust figures are asked for, whatever is found
    alpha: float = 0.05  # of their intervals

    @classmethod
    def of(cls, log: DecisionLog, target: TargetPolicy, robust: bool = False, alpha: float = 0.05) -> RowChecks:
        """Of the whole log, immature rows included, and the policy that is valued on the others."""
        at = sampled_of_kept(log.matured)
        return cls(at, *noted(target, at, len(log.catalog)), robust, alpha)

    def found(self, used: DecisionLog, pair: Pair, lift: Estimate, mix: float, folds: int, seed: int) -> Found:
        """What is wrong with the rows, once the policy has answered, and what is told beside the estimates.

        used: the rows that are kept; pair: what they say of the policy and of its reference.
        """
        rows, reference = pair
        sample = LogSample.of(used, self.at, used.customer[self.at], self.wanted)
        sample = sample._replace(gain=_gain(rows.mixed(mix) if mix < 1.0 else rows, reference, self.at))
        terms = bandit.dr(rows.weight, rows.reward, rows.predicted, rows.expected).above
        alone = outlier(used, terms)
        of_rows = (*alone, *leaked(used, self.target, rows, folds, seed))
        beside = {}
        if alone or self.robust:
            mixed = rows.mixed(mix) if mix < 1.0 else rows
            beside = {"robust": robust_figures(mixed.weight, mixed.reward, mixed.clusters, self.alpha)}
        found = of_sample(sample, len(used), used.catalog.names, used.meta, reference.logged, mix)
        bias = self._hidden_bias(used, pair, lift, mix)
        findings = (*self._own_rows(), *of_rows, *found.findings)
        return Found(findings, {**found.beside, **beside, "sensitivity": bias}, found.hardly_tried)

    def _hidden_bias(self, used: DecisionLog, pair: Pair, lift: Estimate, mix: float) -> Sensitivity:
        """How far the propensities may be off."""
        policy, reference = pair
        if self.target.answer is None:  # the logged policy is worth the rows' mean, whatever its propensities are
            return Sensitivity(np.nan, np.nan, 0)
        residual = policy.reward - policy.predicted
        other = None if reference.logged else reference.weight

        def sides(rows: slice | Rows) -> Sides:
            there = None if other is None else other[rows]
            return Sides.of(policy.weight[rows], there, used.propensity[rows], residual[rows], mix)

        at = self.at[:: -(-len(self.at) // LOOKED_AT)]
        whole = sides(slice(None, None, -(-len(used) // MOST_ROWS)))
        some = whole if len(at) == len(used) else sides(at)
        return sensitivity(lift.value, (lift.ci_low, lift.ci_high), whole, some)

    def _own_rows(self) -> tuple[Finding, ...]:
        if not self.target.own_rows:
            return ()
        fix = "Value it on a fresh log, or train it on one part of `split_by_customer` and value it on the other"
        text = "this policy has learned from these very rows, on which any learner looks good"
        return (Finding(Level.REFUSE, f"{text}. {fix}."),)
