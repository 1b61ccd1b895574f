"""What whole episodes would earn: the sequential half of `evaluate`.

A bandit estimator values one decision by the policy in a campaign that another one runs; these value the campaign. So
they answer in the reward of a customer over `horizon` steps, and are asked for apart. Estimators whose weights run out
before the horizon are not to be had; `fqe` and `wdr` go on with the model alone, and the verdict says from which step.
Not here: which estimators there are (registry.py), the verdict's words (support_horizon.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from campaignrl.errors import Problem, SupportError, UsageError, unknown
from campaignrl.ope.data import (
    LOGGED,
    PolicyLike,
    TargetPolicy,
    Trajectories,
    known_steps,
    policy_of_rows,
    target_policy_of,
    why_not_additive,
)
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.episodes.intervals import (
    EPISODE_INTERVALS,
    IntervalOptions,
    estimated,
    lift_by,
)
from campaignrl.ope.episodes.registry import (
    LIFT_PREFERENCE,
    SEQUENTIAL,
    WHERE_REFUSED,
    Episodes,
    Fitting,
    gather_episodes,
)
from campaignrl.ope.episodes.result import EpisodeEvaluation
from campaignrl.ope.episodes.return_distribution import distribution_of
from campaignrl.ope.episodes.support_horizon import judged, lasting_steps
from campaignrl.ope.estimators import sequential
from campaignrl.ope.intervals import NOT_TO_BE_HAD, Estimate, Point
from campaignrl.ope.methods import T
from campaignrl.ope.nuisance import KINDS, Kind, propensities_unknown
from campaignrl.policies import on_one_blas_thread
from campaignrl.tables.log import DecisionLog

SHARES = (0.1, 0.5, 0.9)  # of the quantiles shown
NONE_HAD = Estimate(NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, "none")


@on_one_blas_thread
def evaluate_episodes(
    log: DecisionLog,
    policy: PolicyLike,
    *,
    estimators: Sequence[str] = tuple(SEQUENTIAL),
    reference: PolicyLike = LOGGED,
    horizon: int | None = None,
    discount: float = 1.0,
    mix: float = 1.0,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
    model: str = "ridge",
    interval: str = T,
) -> EpisodeEvaluation:
    """Value `policy` over the first `horizon` steps of every customer (default: of the longest episode).

    discount: of each further step, in (0, 1]. model: what Q is fitted with, "ridge", "contrasts" or
    "boosting". interval: "t" or "bootstrap", over customers, with the models as they are; the rest as in `evaluate`.
    """
    _check_words(estimators, discount, model, interval)
    if propensities_unknown(log):
        raise SupportError("this log's propensities are not known; over whole episodes their errors multiply.")
    fitting = Fitting(cast(Kind, model), folds, seed)
    paths = trajectories(log, horizon)
    target, base = (target_policy_of(policy_of_rows(given, log, None), log) for given in (policy, reference))
    facts = _facts(log, paths, (target, base), discount=discount, mix=mix, alpha=alpha)
    reason = why_not_additive(log) or _unknown_outcomes(log, paths)
    if reason is not None:
        return _refusal(facts, estimators, reason)
    ours = gather_episodes(log, paths, target, estimators, discount=discount, mix=mix, fitting=fitting)
    points = {name: SEQUENTIAL[name].point(ours) for name in estimators if ours.believed(name)}
    way = IntervalOptions(interval, alpha, seed)
    estimates = {name: estimated(name, ours, way) if name in points else NONE_HAD for name in estimators}
    by = next((name for name in LIFT_PREFERENCE if name in points), "none")
    lift = NONE_HAD if by == "none" else _lift(by, ours, _reference(log, paths, base, by, ours, fitting), way)
    verdict, reasons = judged(ours.curve, ours.figures)
    return EpisodeEvaluation(
        **facts,
        **_of_last_step(ours),
        lift=lift.value,
        lift_ci_low=lift.ci_low,
        lift_ci_high=lift.ci_high,
        lift_by=by,
        verdict=verdict,
        reasons=reasons + _missing(estimates, points, ours) + target.notes,
        estimates=estimates,
    )


def _check_words(names: Sequence[str], discount: float, model: str, interval: str) -> None:
    for name in names:
        if name not in SEQUENTIAL:
            raise unknown("sequential estimator", name, SEQUENTIAL)
    problems = [
        Problem("evaluate", field, value, allowed)
        for field, value, allowed, fine in (
            ("discount", discount, "in (0, 1]", 0.0 < discount <= 1.0),
            ("model", model, " or ".join(KINDS), model in KINDS),
        )
        if not fine
    ]
    if interval not in EPISODE_INTERVALS:
        fix = "What a whole episode is worth has no bound of use; the other intervals are of single decisions."
        problems.append(
            Problem("evaluate", f"interval of {', '.join(names)}", interval, " or ".join(EPISODE_INTERVALS), fix)
        )
    if problems:
        raise UsageError(problems)


def _unknown_outcomes(log: DecisionLog, paths: Trajectories) -> str | None:
    """Dropping immature rows would cut episodes short and make them look poor, so nothing is dropped here."""
    known = known_steps(log)
    if paths.steps <= known:
        return None
    way = f"Ask for horizon={known}." if known else "Evaluate it later."
    return f"outcomes from step {known + 1} on are not all known yet. {way}"


def _facts(
    log: DecisionLog,
    paths: Trajectories,
    targets: tuple[TargetPolicy, TargetPolicy],
    *,
    discount: float,
    mix: float,
    alpha: float,
) -> dict[str, Any]:
    """What is known before anything is estimated."""
    name, rewards = targets[0].name, log.reward[paths.row[paths.going_on]]
    return {
        "policy": name if mix >= 1.0 else f"{mix:g} {name} + {1 - mix:g} logged",
        "log_policy": log.policy_id,
        "reference": targets[1].name,
        "reward": str(log.meta.get("reward", "reward")),
        "reward_range": (float(rewards.min()), float(rewards.max())),
        "reward_range_from": "observed",
        "actions_from": log.meta.get("actions_from"),
        "alpha": alpha,
        "n": len(rewards),
        "dropped": 0,
        "customers": len(paths),
        "logged_value": float(sequential.returns(paths.aligned(log.reward, 0.0), discount).mean()),
        "horizon": paths.steps,
        "discount": discount,
    }


def _refusal(facts: dict[str, Any], names: Sequence[str], reason: str) -> EpisodeEvaluation:
    """No figure at all, and why."""
    figures = ("ess", "max_weight_share", "mean_weight", "off_support_mass", "lift", "lift_ci_low", "lift_ci_high")
    return EpisodeEvaluation(
        **{**facts, "logged_value": NOT_TO_BE_HAD, **dict.fromkeys(figures, NOT_TO_BE_HAD)},
        lasting=0,
        quantiles=(),
        worst_tenth=NOT_TO_BE_HAD,
        curve=(),
        lift_by="none",
        verdict="refuse",
        reasons=(reason,),
        estimates=dict.fromkeys(names, NONE_HAD),
    )


def _of_last_step(e: Episodes) -> dict[str, Any]:
    """The curve's end, and the spread of returns where the weights last that far."""
    last, lasting = e.curve[-1], lasting_steps(e.curve)
    spread: dict[str, Any] = {"quantiles": (), "worst_tenth": NOT_TO_BE_HAD}
    if lasting == len(e.curve):
        found = distribution_of(sequential.returns(e.reward, e.discount), e.cumulative[:, -1])
        spread = {"quantiles": tuple((s, found.quantile(s)) for s in SHARES), "worst_tenth": found.cvar(0.1)}
    return {
        "ess": last.ess,
        "max_weight_share": last.max_weight_share,
        "mean_weight": last.mean_weight,
        "off_support_mass": e.figures.off_support,
        "lasting": lasting,
        "curve": e.curve,
        **spread,
    }


def _lift(name: str, ours: Episodes, theirs: Episodes | None, way: IntervalOptions) -> Estimate:
    believed = theirs is None or theirs.believed(name)
    return lift_by(name, ours, theirs, way) if believed else NONE_HAD


def _reference(
    log: DecisionLog, paths: Trajectories, target: TargetPolicy, name: str, ours: Episodes, fitting: Fitting
) -> Episodes | None:
    """What the trajectories say of the reference; None: it is the logged policy, whose own mean return is known."""
    if target.answer is None:
        return None
    return gather_episodes(log, paths, target, (name,), discount=ours.discount, fitting=fitting)


def _missing(estimates: dict[str, Estimate], points: dict[str, Point], ours: Episodes) -> tuple[str, ...]:
    """Why figures are null, or have no interval."""
    nulls = [name for name in estimates if name not in points]
    alone = [name for name, made in estimates.items() if made.interval == WHERE_REFUSED]
    steps, said = f"{len(ours.curve)} step{'s' * (len(ours.curve) != 1)}", []
    if nulls:
        said.append(f"{', '.join(nulls)}: not to be had over {steps}, the weights run out before.")
    if alone:
        who = f"{', '.join(alone)} ha{'s' if len(alone) == 1 else 've'} no interval"
        said.append(f"{who}: one from a log that is refused would hold the truth less often than it says.")
    return tuple(said)
