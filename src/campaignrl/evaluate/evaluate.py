"""The verb: what a policy would earn, from a log of another policy's decisions.

Immature rows are dropped first and counted. Then one pass over blocks gathers what the rows say
(evidence.py), the estimators answer (estimators.py), and the figures are judged (diagnose.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from campaignrl.errors import DataError, Problem, SupportError, UsageError, unknown
from campaignrl.evaluate import weights
from campaignrl.evaluate.diagnose import ESS_CAUTION, Figures, diagnose
from campaignrl.evaluate.episodes import evaluate_episodes
from campaignrl.evaluate.estimators import ESTIMATORS, HEAVY, difference, estimate
from campaignrl.evaluate.evidence import Evidence, Range, gather
from campaignrl.evaluate.intervals import NOT_TO_BE_HAD, Estimate, std_error
from campaignrl.evaluate.result import Evaluation
from campaignrl.evaluate.reward_model import CrossFitted, GivenPredictions, RewardModel
from campaignrl.evaluate.sequential_estimators import SEQUENTIAL
from campaignrl.evaluate.targets import LOGGED, Given, of_kept_rows, target_of
from campaignrl.tables.decisions import DecisionLog

__all__ = ["Evaluation", "compare_on_log", "evaluate"]

Predictions = npt.NDArray[Any] | None

DEFAULT = tuple(ESTIMATORS)
NONE_HAD = Estimate(NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, "none")


def evaluate(
    log: DecisionLog,
    policy: Given,
    *,
    estimators: Sequence[str] = DEFAULT,
    reference: Given = LOGGED,
    mix: float = 1.0,
    q: Predictions = None,
    reward_range: Range | None = None,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
    horizon: int | None = None,
    discount: float = 1.0,
) -> Evaluation:
    """Value `policy` on `log`, per decision in the log's unit, with intervals and a verdict.

    policy: a Policy, the name or file of one, probabilities as an (n, k) array or as a frame or table file by
    decision_id, or "logged". reference: what the lift is over. mix: value the policy that follows `policy` this
    often and the logged one otherwise. q: (n, k) reward predictions, else a ridge is cross-fitted over `folds` of
    customers. reward_range: least and largest reward possible, else the log's own facts, 0 to 1 for rewards of
    0 and 1, else what was observed.

    The sequential estimators (pdis wpdis sdr wdr fqe msis) answer another question, what a whole episode by the
    policy would earn per customer over `horizon` steps (default: the longest), so they are asked for apart; discount:
    of each further step. The answer is then an EpisodeEvaluation.
    """
    _check_words(estimators, mix, alpha, folds)
    if _about_episodes(estimators, horizon, discount, q, reward_range):
        return evaluate_episodes(
            log, policy, estimators=estimators, reference=reference, horizon=horizon, discount=discount, mix=mix,
            alpha=alpha, folds=folds, seed=seed,
        )  # fmt: skip
    used, (target, base), predictions, dropped = _matured(log, (policy, reference), q)
    bounds, bounds_from = _reward_range(used, reward_range)
    modelled = any(ESTIMATORS[name].model for name in estimators)
    model = _reward_model(used, predictions, bounds, folds, seed) if modelled else None
    targets = [target_of(given, used) for given in (target, base)]
    evidence, other = gather(used, targets, model, bounds)
    evidence = evidence.mixed(mix) if mix < 1.0 else evidence

    certain = _certain_share(used)
    estimates = {name: _if_possible(name, evidence, certain, alpha) for name in estimators}
    lift = NONE_HAD if _blind(evidence, certain) or _blind(other, certain) else difference(evidence, other, alpha)
    figures = _figures(used, evidence, certain, dropped)
    verdict, reasons = diagnose(figures)
    return Evaluation(
        policy=targets[0].name if mix >= 1.0 else f"{mix:g} {targets[0].name} + {1 - mix:g} logged",
        log_policy=log.policy_id,
        reference=targets[1].name,
        reward=str(log.meta.get("reward", "reward")),
        reward_range=bounds,
        reward_range_from=bounds_from,
        actions_from=log.meta.get("actions_from"),
        alpha=alpha,
        n=len(used),
        dropped=dropped,
        customers=figures.customers,
        ess=figures.ess,
        max_weight_share=figures.max_weight_share,
        mean_weight=figures.mean_weight,
        off_support_mass=evidence.off_support,
        logged_value=float(used.reward.mean()),
        lift=lift.value,
        lift_ci_low=lift.ci_low,
        lift_ci_high=lift.ci_high,
        verdict=verdict,
        reasons=reasons + _missing(estimates),
        estimates=estimates,
    )


def compare_on_log(
    log: DecisionLog,
    a: Given,
    b: Given,
    *,
    q: Predictions = None,
    reward_range: Range | None = None,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
) -> Estimate:
    """Value of policy a less that of policy b, doubly robust, on the same rows and paired by customer."""
    _check_words((), 1.0, alpha, folds)
    used, given, predictions, _ = _matured(log, (a, b), q)
    bounds, _ = _reward_range(used, reward_range)
    model = _reward_model(used, predictions, bounds, folds, seed)
    first, second = gather(used, [target_of(policy, used) for policy in given], model, bounds)
    certain = _certain_share(used)
    blind = _blind(first, certain) or _blind(second, certain)
    return NONE_HAD if blind else difference(first, second, alpha)


def _check_words(estimators: Sequence[str], mix: float, alpha: float, folds: int) -> None:
    for name in estimators:
        if name not in ESTIMATORS and name not in SEQUENTIAL:
            raise unknown("estimator", name, [*ESTIMATORS, *SEQUENTIAL])
    problems = [
        Problem("evaluate", name, value, allowed)
        for name, value, allowed, fine in (
            ("mix", mix, "in (0, 1]", 0.0 < mix <= 1.0),
            ("alpha", alpha, "in (0, 1)", 0.0 < alpha < 1.0),
            ("folds", folds, "at least 2", folds >= 2),
        )
        if not fine
    ]
    if problems:
        raise UsageError(problems)


def _about_episodes(
    estimators: Sequence[str], horizon: int | None, discount: float, q: Predictions, reward_range: Range | None
) -> bool:
    """Whether the question is about whole episodes; words of both questions at once are a UsageError."""
    episodes = [name for name in estimators if name in SEQUENTIAL]
    single = [name for name in estimators if name not in SEQUENTIAL]
    if episodes and single:
        fix = f"{', '.join(single)} value one decision, {', '.join(episodes)} a whole episode: ask for them apart."
        raise UsageError(Problem("evaluate", "estimators", list(estimators), "of one kind", fix))
    fix = "It is for the estimators of single decisions." if episodes else f"It is for {', '.join(SEQUENTIAL)}."
    given = {"q": q is not None, "reward_range": reward_range is not None}
    if not episodes:
        given = {"horizon": horizon is not None, "discount": discount != 1.0}
    problems = [Problem("evaluate", name, "given", "asked for here", fix) for name, there in given.items() if there]
    if problems:
        raise UsageError(problems)
    return bool(episodes)


def _matured(
    log: DecisionLog, policies: tuple[Given, Given], q: Predictions
) -> tuple[DecisionLog, tuple[Given, Given], Predictions, int]:
    """The rows whose outcome is known, what was given for them, and how many rows were left out."""
    kept = None if log.matured.all() else np.flatnonzero(log.matured)
    rows = len(log) if kept is None else len(kept)
    if not rows:
        raise SupportError(f"none of the log's {len(log):,} decisions has a known outcome yet; evaluate it later.")
    a, b = (of_kept_rows(policy, log, kept) for policy in policies)
    if q is not None:
        GivenPredictions(q, log)  # its shape is that of the whole log
        q = q if kept is None else q[kept]
    return log if kept is None else log.take(kept), (a, b), q, len(log) - rows


def _reward_model(log: DecisionLog, q: Predictions, bounds: Range, folds: int, seed: int) -> RewardModel:
    return CrossFitted(log, bounds, folds, seed) if q is None else GivenPredictions(q, log)


def _reward_range(log: DecisionLog, given: Range | None) -> tuple[Range, str]:
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


def _certain_share(log: DecisionLog) -> float:
    """Share of rows whose action was certain, of those where another was eligible."""
    choice = np.ones(len(log), dtype=bool) if log.eligible is None else log.eligible.sum(axis=1) > 1
    rows = int(choice.sum())
    return float((log.propensity[choice] >= weights.CERTAIN).sum() / rows) if rows else 0.0


def _blind(evidence: Evidence, certain: float) -> bool:
    """Whether weighting says nothing: no row speaks, or a deterministic log is asked about something else."""
    return not evidence.weight.any() or (certain == 1.0 and evidence.off_support > 1e-9)


def _if_possible(name: str, evidence: Evidence, certain: float, alpha: float) -> Estimate:
    return NONE_HAD if ESTIMATORS[name].weights and _blind(evidence, certain) else estimate(name, evidence, alpha)


def _missing(estimates: dict[str, Estimate]) -> tuple[str, ...]:
    """Why figures are null."""
    nulls = [name for name, e in estimates.items() if np.isnan(e.value)]
    reasons = (f"{', '.join(nulls)}: not to be had, no row or only certain actions speak.",) if nulls else ()
    errors = any(np.isnan(e.std_error) and not np.isnan(e.value) for e in estimates.values())
    return (*reasons, "std. errors: not to be had from one customer.") if errors else reasons


def _figures(log: DecisionLog, evidence: Evidence, certain: float, dropped: int) -> Figures:
    w, r, clusters = evidence.weight, evidence.reward, evidence.clusters
    snips, dr = (ESTIMATORS[name].point(evidence) for name in ("snips", "dr"))
    apart = std_error(snips.influence - dr.influence, clusters)
    z = abs(snips.value - dr.value) / apart if apart > 0.0 else 0.0
    return Figures(
        n=len(w),
        customers=len(clusters),
        ess=weights.effective_sample_size(w),
        max_weight_share=weights.max_weight_share(w),
        max_customer_share=weights.max_weight_share(clusters.sums(w)),
        mean_weight=float(w.mean()),
        mean_weight_p=weights.mean_weight_p_value(w, clusters, evidence.weight_range),
        off_support=evidence.off_support,
        outcomes=int(((w > 0.0) & (r != 0.0)).sum()),
        one_reward=bool((r == r[0]).all()),
        dropped_share=dropped / (dropped + len(w)),
        certain_share=certain,
        clipped_mass=float(np.maximum(w - HEAVY, 0.0).mean()),
        half_precision=weights.rounded_to_half_precision(log.propensity),
        disagreement_p=float(2 * stats.norm.sf(z)),
        snips=snips.value,
        dr=dr.value,
        supported_value=float(np.mean(w * r)),
        reward_range=evidence.reward_range,
        mix=weights.closest_mix(w, min(ESS_CAUTION, len(w) / 2)),
    )
