"""What an evaluation works with, and why an estimator has no answer from it.

Here: matured rows, propensities that can be used, the reward's range and its model; the words for a figure that is
missing. Not here: the order of things and the answer (evaluate.py), whether the figures that can be had are to be
trusted (verdict.py). n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Int
from campaignrl.errors import DataError, Problem, SupportError
from campaignrl.ope.data import PolicyLike, TargetPolicy, policy_of_rows
from campaignrl.ope.estimators import weights
from campaignrl.ope.intervals import Estimate
from campaignrl.ope.methods.registry import ESTIMATORS, with_own_weights
from campaignrl.ope.methods.weighted_rows import Evidence, Range, gather
from campaignrl.ope.nuisance import (
    NO_LOGGERS,
    NOT_KNOWN,
    EstimatedPropensities,
    GivenPredictions,
    RewardModel,
    pooled_factor,
    propensities_unknown,
    reward_model,
    wants_estimate,
)
from campaignrl.ope.nuisance.logging_policy import logging_policy
from campaignrl.policies import allowed_counts
from campaignrl.tables.log import DecisionLog

DEPENDENT = "the logging policy does not draw a send's channel independently of its offer"

Predictions = npt.NDArray[Any] | None


def matured(
    log: DecisionLog, policies: tuple[PolicyLike, PolicyLike], q: Predictions
) -> tuple[DecisionLog, tuple[PolicyLike, PolicyLike], Predictions, int]:
    """The rows whose outcome is known, what was given for them, and how many rows were left out."""
    kept = None if log.matured.all() else np.flatnonzero(log.matured)
    rows = len(log) if kept is None else len(kept)
    if not rows:
        raise SupportError(f"none of the log's {len(log):,} decisions has a known outcome yet; evaluate it later.")
    a, b = (policy_of_rows(policy, log, kept) for policy in policies)
    if q is not None:
        GivenPredictions(q, log)  # its shape is that of the whole log
        q = q if kept is None else q[kept]
    return log if kept is None else log.take(kept), (a, b), q, len(log) - rows


def logging_of_matured(logging: PolicyLike | None, log: DecisionLog) -> PolicyLike | None:
    """The logging policy as it was given, for the rows that are kept."""
    kept = None if log.matured.all() else np.flatnonzero(log.matured)
    return None if logging is None else policy_of_rows(logging, log, kept)


def propensities(
    log: DecisionLog, logging: PolicyLike | None, estimators: Sequence[str], folds: int, seed: int
) -> tuple[DecisionLog, EstimatedPropensities | None, TargetPolicy | None]:
    """The log with propensities that can be used, their estimate where there is one, and the logging policy.

    Propensities that the log holds are kept, even where those of other actions are estimated.
    """
    estimated = EstimatedPropensities(log, folds, seed) if wants_estimate(logging, log) else None
    if estimated is not None and propensities_unknown(log):
        log = replace(log, propensity=estimated.of_logged())
    wanted = any(ESTIMATORS[name].marginal for name in estimators)
    return log, estimated, logging_policy(logging, log, estimated) if wanted else None


def fitted_model(log: DecisionLog, q: Predictions, bounds: Range, folds: int, seed: int, model: str) -> RewardModel:
    """The named model, cross-fitted, unless the caller brought predictions."""
    return reward_model(model, log, bounds, folds, seed) if q is None else GivenPredictions(q, log)


def model_description(fitted: RewardModel | None, model: str, n: int) -> str:
    """The model's name, and on how many rows it was fitted where that is not all."""
    if fitted is None or isinstance(fitted, GivenPredictions):
        return "" if fitted is None else "given"
    rows = getattr(fitted, "rows_used", n)
    return model if rows == n else f"{model}, fitted on {rows:,} of {n:,} rows"


def mrdr_rows(
    log: DecisionLog, evidence: Evidence, target: TargetPolicy, bounds: Range, folds: int, seed: int, model: str
) -> Evidence:
    """The evidence with a model fitted for mrdr: a row counts by what its error costs (Farajtabar et al. 2018)."""
    cost = evidence.weight * (1.0 - log.propensity) / log.propensity
    if not cost.any():  # nothing to weigh by: certain actions, or no row that speaks
        return evidence
    fitted = reward_model(model, log, bounds, folds, seed, cost / cost.mean())
    return gather(log, [target], fitted, bounds)[0]


def reward_range_of(log: DecisionLog, given: Range | None) -> tuple[Range, str]:
    """What a reward can be, and how that is known."""
    least, largest = float(log.reward.min()), float(log.reward.max())
    known = given if given is not None else log.meta.get("reward_range")
    if known is None:
        binary = bool(((log.reward == 0.0) | (log.reward == 1.0)).all())
        return ((0.0, 1.0), "0 or 1") if binary else ((least, largest), "observed")
    bounds = (float(known[0]), float(known[1]))
    if not bounds[0] <= least <= largest <= bounds[1]:
        raise DataError(Problem("evaluate", "reward_range", bounds, f"around all rewards, {least:g} to {largest:g}"))
    return bounds, "given" if given is not None else "the log's facts"


def certain_share(log: DecisionLog) -> float:
    """Share of rows whose action was certain, of those where another was eligible."""
    choice = np.ones(len(log), dtype=bool) if log.eligible is None else allowed_counts(log.eligible) > 1
    rows = int(choice.sum())
    return float((log.propensity[choice] >= weights.CERTAIN).sum() / rows) if rows else 0.0


def with_loggers(rows: Sequence[Evidence], log: DecisionLog, estimators: Sequence[str]) -> list[Evidence]:
    """The evidence with what estimators want of loggers: propensities of all together, and their batches."""
    wanted = [ESTIMATORS[name] for name in estimators]
    factor = pooled_factor(log) if any(each.pooled for each in wanted) else None
    batch: Int | None = None
    if any(each.batches for each in wanted):
        batch = np.unique(log.day if log.wave is None else log.wave, return_inverse=True)[1]
    return [each._replace(pooled=factor, batch=batch) for each in rows]


def no_information(evidence: Evidence, certain: float) -> bool:
    """Whether weighting says nothing: no row speaks, or a deterministic log is asked about something else."""
    return not evidence.weight.any() or (certain == 1.0 and evidence.off_support > 1e-9)


def unavailable(estimators: Sequence[str], evidence: Evidence) -> dict[str, str]:
    """Estimators that this log has no answer for, and why."""
    marginal = [name for name in estimators if ESTIMATORS[name].marginal is not None]
    pooled = [name for name in estimators if ESTIMATORS[name].pooled and evidence.pooled is None]
    without = dict.fromkeys(pooled, NO_LOGGERS)
    if evidence.marginals is None:
        return without | dict.fromkeys(marginal, NOT_KNOWN)
    dependent = "pi" in marginal and not evidence.marginals.independent
    return without | ({"pi": DEPENDENT} if dependent else {})


def outside_logging_support(estimators: Sequence[str], evidence: Evidence) -> tuple[str, ...]:
    """What estimators on offers or channels cannot see: a policy doing what the logging policy would not do there."""
    shares: dict[str, float] = {}
    if evidence.marginals is not None:
        shares = {
            n: with_own_weights(n, evidence).off_support for n in estimators if ESTIMATORS[n].marginal is not None
        }
    return tuple(
        f"{name}: {share:.2%} of what this policy would do is nothing the logging policy might have done there."
        for name, share in shares.items()
        if share > 1e-9
    )


def reasons_missing(estimates: Mapping[str, Estimate], without: Mapping[str, str]) -> tuple[str, ...]:
    """Why figures are null."""
    known = tuple(
        f"{', '.join(name for name, reason in without.items() if reason == why)}: not to be had, {why}."
        for why in dict.fromkeys(without.values())
    )
    return known + _speechless({name: e for name, e in estimates.items() if name not in without})


def _speechless(estimates: Mapping[str, Estimate]) -> tuple[str, ...]:
    nulls = [name for name, e in estimates.items() if np.isnan(e.value)]
    reasons = (f"{', '.join(nulls)}: not to be had, no row or only certain actions speak.",) if nulls else ()
    errors = any(np.isnan(e.std_error) and not np.isnan(e.value) for e in estimates.values())
    return (*reasons, "std. errors: not to be had from one customer.") if errors else reasons
