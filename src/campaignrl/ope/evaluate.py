"""The verb: what a policy would earn, from a log of another policy's decisions.

Immature rows are dropped first and counted. Then one pass over blocks gathers what the rows say
(weighted_rows.py), the estimators answer (registry.py), and the figures are judged (verdict.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from campaignrl.arrays import Rows
from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.ope.data import LOGGED, PolicyLike, target_policy_of
from campaignrl.ope.diagnostics import check_apart, diagnose, holdout_of
from campaignrl.ope.episodes import SEQUENTIAL, evaluate_episodes
from campaignrl.ope.estimated_propensities import with_propensity_error
from campaignrl.ope.figures import figures_of, told
from campaignrl.ope.intervals import EMPIRICAL_LIKELIHOOD, NOT_TO_BE_HAD, Estimate
from campaignrl.ope.methods import (
    AUTO,
    ESTIMATORS,
    FIXED,
    INTERVALS,
    METHODS,
    USUAL,
    Evaluation,
    Evidence,
    Predictions,
    Range,
    T,
    asked,
    certain_share,
    difference,
    difference_with_interval,
    estimate,
    fitted_model,
    gather,
    logging_of_matured,
    matured,
    model_description,
    mrdr_rows,
    no_information,
    outside_logging_support,
    propensities,
    reasons_missing,
    reward_range_of,
    selected,
    setting_of,
    unavailable,
    weight_histogram_of,
    with_interval,
    with_loggers,
    with_own_weights,
)
from campaignrl.ope.nuisance import (
    KINDS,
    MODELS,
    CalibrationBin,
    EstimatedPropensities,
    calibration_gap,
    propensities_unknown,
)
from campaignrl.ope.row_checks import RowChecks
from campaignrl.policies import on_one_blas_thread
from campaignrl.tables import read_log
from campaignrl.tables.log import DecisionLog

__all__ = ["Evaluation", "compare_on_log", "evaluate"]

DEFAULT = USUAL
NONE_HAD = Estimate(NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, "none")


@on_one_blas_thread
def evaluate(
    log: DecisionLog | str | Path,
    policy: PolicyLike,
    *,
    estimators: Sequence[str] = DEFAULT,
    reference: PolicyLike = LOGGED,
    mix: float = 1.0,
    q: Predictions = None,
    model: str = "ridge",
    tuning: str = FIXED,
    logging: PolicyLike | None = None,
    learned_on: DecisionLog | None = None,
    reward_range: Range | None = None,
    interval: str = EMPIRICAL_LIKELIHOOD,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
    horizon: int | None = None,
    discount: float = 1.0,
    robust: bool = False,
) -> Evaluation:
    """What a policy would earn, per decision in the log's unit, from a log of another one, with a verdict.

    The sequential estimators (pdis wpdis sdr wdr fqe drl msis) answer another question, what a whole episode by the
    policy would earn per customer over `horizon` steps, so they are asked for apart; the answer is then an
    EpisodeEvaluation.

    Args:
        log: a DecisionLog of n rows and k actions, or the file of one; of other people's tables, what `read_log` gives.
        policy: a Policy, the name or file of one, probabilities (n, k) as an array, or as a frame or table file by
            decision_id, or "logged".
        estimators: which ones; the usual ones if not given; "auto": the least noisy that agrees with noisier ones.
        reference: what the lift is over, in any form a policy may have.
        mix: value the policy that follows `policy` this often, in (0, 1], and the logged one otherwise.
        q: (n, k) reward predictions; None: `model` is cross-fitted over `folds` of customers.
        model: the reward model: ridge, logistic, boosting, calibrated_ridge ...
        tuning: of what holds heavy weights back: fixed, slope or mse.
        logging: the logging policy's probabilities of every action, in any form a policy may have, or "estimate";
            mips_offer, mips_channel, offcem and pi need them where the log does not show them.
        learned_on: the log that `policy` has learned on; its outcomes and the decisions of `log` must not overlap.
        reward_range: least and largest reward possible; None: the log's own facts, 0 to 1 for rewards of 0 and 1,
            else what was observed.
        interval: empirical likelihood (t where it does not apply), or for all alike t, betting, anytime (also right
            if one stops logging because of what one saw) or bootstrap; of episodes t (the usual) or bootstrap.
        alpha: intervals cover with 1 - alpha.
        folds: of customers, for cross-fitting.
        seed: of the folds, and of a bootstrap.
        horizon: steps of an episode; None: the longest.
        discount: of each further step of an episode, in (0, 1].
        robust: give a winsorised and a log-sum-exp figure, also where no single row decides the value.

    Returns:
        Evaluation: estimates with intervals, the lift over the reference, diagnostics, and trust, caution or refuse.

    Raises:
        UnknownName: no estimator, policy or file goes by that name.
        UsageError: words that do not go together, or out of their range.
        DataError: probabilities that are none, with row numbers.

    Source:
        Dudik, Langford and Li 2011 (doubly robust); Karampatziakis, Langford and Mineiro 2020 (the interval);
        docs/evaluation.md for the others.

    Example:
        >>> import campaignrl as crl
        >>> log = crl.simulate("coupon_trap", "uniform", customers=500, seed=7)
        >>> crl.evaluate(log, "always:content@email").verdict
        'trust'
    """
    log, (names, choice) = _opened(log), asked(estimators)
    _check_words(names, mix, alpha, folds, (model, tuning, interval))
    if learned_on is not None:
        check_apart(learned_on, log)
    tuned, faded = tuning if tuning != FIXED else None, discount if discount != 1.0 else None
    single = _given(q=q, reward_range=reward_range, logging=logging, tuning=tuned, robust=robust or None)
    if _about_episodes(names, single, _given(horizon=horizon, discount=faded)):
        return evaluate_episodes(
            log, policy, estimators=estimators, reference=reference, horizon=horizon, discount=discount, mix=mix,
            alpha=alpha, folds=folds, seed=seed, model=model, interval=T if interval == INTERVALS[0] else interval,
        )  # fmt: skip
    used, both, predictions, dropped = matured(log, (policy, reference), q)
    used, estimated, logged = propensities(used, logging_of_matured(logging, log), names, folds, seed)
    curve, (bounds, bounds_from) = _calibration(estimated), reward_range_of(used, reward_range)
    fitted = fitted_model(used, predictions, bounds, folds, seed, model) if _needs_model(names) else None
    targets = [target_policy_of(given, used) for given in both]
    checks = RowChecks.of(log, targets[0], robust, alpha)
    whole, other = with_loggers(gather(used, [checks.target, targets[1]], fitted, bounds, logged), used, names)
    views = _views(whole, partial(mrdr_rows, used, whole, targets[0], bounds, folds, seed, model), names, mix)
    evidence, certain = _mixed(whole, mix), certain_share(used)
    without, outside = unavailable(names, evidence), outside_logging_support(names, evidence)
    chosen = {name: setting_of(name, view, tuning) for name, view in views.items()}
    took, views = selected(estimators, choice, views, chosen)
    usual = _estimates(views, without, certain, alpha, chosen, checks.at)
    estimates = with_interval(interval, used, views, chosen, usual, alpha, seed)
    lift = _lift(evidence, other, certain, alpha, checks.at)
    lift = difference_with_interval(interval, used, evidence, other, lift, alpha, seed)
    estimates, lift = with_propensity_error(used, estimated, (estimates, lift), views, chosen, (evidence, other), alpha)
    found = checks.found(used, (whole, other), lift, mix, folds, seed)
    facts = (_gap(used, curve), holdout_of(log), targets[0].learned_from)
    figures = figures_of(used, evidence, certain, dropped, chosen, facts)
    verdict, reasons = diagnose(figures._replace(found=found.findings, hardly_tried=found.hardly_tried))
    return Evaluation(
        policy=_mixture_name(targets[0].name, mix),
        log_policy=log.policy_id,
        reference=targets[1].name,
        reward_range=bounds,
        reward_range_from=bounds_from,
        alpha=alpha,
        n=len(used),
        dropped=dropped,
        off_support_mass=evidence.off_support,
        logged_value=float(used.reward.mean()),
        verdict=verdict,
        reasons=(*reasons, *reasons_missing(estimates, without), *outside, *targets[0].notes),
        estimates=estimates,
        settings={name: setting for name in views if (setting := chosen[name]) is not None},
        selection=took,
        settings_from=tuning,
        reward_model=model_description(fitted, model, len(used)),
        logging_policy="" if logged is None else logged.name,
        calibration=curve,
        spread=weight_histogram_of(used, evidence),
        **told(figures, lift, log.meta),
        **found.beside | ({} if estimated is None else {"calibration_by_wave": estimated.by_wave()}),
    )


def _views(rows: Evidence, refit: Callable[[], Evidence], estimators: Sequence[str], mix: float) -> dict[str, Evidence]:
    """The rows as each estimator reads them; one with a reward model of its own reads `refit()`."""
    own = {name for name in estimators if ESTIMATORS[name].own_model}
    refitted = refit() if own else rows
    return {name: _mixed(refitted if name in own else rows, mix) for name in estimators}


def _mixture_name(name: str, mix: float) -> str:
    return name if mix >= 1.0 else f"{mix:g} {name} + {1 - mix:g} logged"


def _needs_model(estimators: Sequence[str]) -> bool:
    return any(ESTIMATORS[name].model for name in estimators)


def _lift(evidence: Evidence, other: Evidence, certain: float, alpha: float, at: Rows) -> Estimate:
    """What the target earns over the reference; nothing where the log is blind."""
    silent = no_information(evidence, certain) or no_information(other, certain)
    return NONE_HAD if silent else difference(evidence, other, alpha, at)


@on_one_blas_thread
def compare_on_log(
    log: DecisionLog | str | Path,
    a: PolicyLike,
    b: PolicyLike,
    *,
    q: Predictions = None,
    model: str = "ridge",
    reward_range: Range | None = None,
    alpha: float = 0.05,
    folds: int = 5,
    seed: int = 0,
) -> Estimate:
    """Value of policy a less that of policy b, doubly robust, on the same rows and paired by customer."""
    log = _opened(log)
    _check_words((), 1.0, alpha, folds)
    used, given, predictions, _ = matured(log, (a, b), q)
    bounds, _ = reward_range_of(used, reward_range)
    used, estimated, _ = propensities(used, None, (), folds, seed)
    fitted = fitted_model(used, predictions, bounds, folds, seed, model)
    first, second = gather(used, [target_policy_of(policy, used) for policy in given], fitted, bounds)
    certain = certain_share(used)
    silent = no_information(first, certain) or no_information(second, certain)
    if silent:
        return NONE_HAD
    estimates: dict[str, Estimate] = {}
    found = (estimates, difference(first, second, alpha))
    return with_propensity_error(used, estimated, found, {}, {}, (first, second), alpha)[1]


def _opened(log: DecisionLog | str | Path) -> DecisionLog:
    """The log itself, or the one in a file of ours."""
    return log if isinstance(log, DecisionLog) else read_log(log)


def _check_words(
    estimators: Sequence[str], mix: float, alpha: float, folds: int, named: tuple[str, str, str] | None = None
) -> None:
    """named: the reward model, the tuning and the interval."""
    for name in estimators:
        if name not in ESTIMATORS and name not in SEQUENTIAL:
            raise unknown("estimator", name, [*ESTIMATORS, *SEQUENTIAL, AUTO])
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
    if named is not None:
        _check_names(*named)


def _check_names(model: str, tuning: str, interval: str) -> None:
    for kind, name, known in (
        ("reward model", model, dict.fromkeys((*MODELS, *KINDS))),
        ("tuning", tuning, METHODS),
        ("interval", interval, INTERVALS),
    ):
        if name not in known:
            raise unknown(kind, name, known)


def _given(**words: object) -> dict[str, bool]:
    return {name: word is not None for name, word in words.items()}


def _about_episodes(
    estimators: Sequence[str], single_only: Mapping[str, bool], episode_only: Mapping[str, bool]
) -> bool:
    """Whether the question is about whole episodes; words of both questions at once are a UsageError.

    single_only, episode_only: whether each word that only one of the questions has was given.
    """
    episodes = [name for name in estimators if name in SEQUENTIAL]
    single = [name for name in estimators if name not in SEQUENTIAL]
    if episodes and single:
        fix = f"{', '.join(single)} value one decision, {', '.join(episodes)} a whole episode: ask for them apart."
        raise UsageError(Problem("evaluate", "estimators", list(estimators), "of one kind", fix))
    fix = "It is for the estimators of single decisions." if episodes else f"It is for {', '.join(SEQUENTIAL)}."
    given = single_only if episodes else episode_only
    problems = [Problem("evaluate", name, "given", "asked for here", fix) for name, there in given.items() if there]
    if problems:
        raise UsageError(problems)
    return bool(episodes)


def _calibration(estimated: EstimatedPropensities | None) -> tuple[CalibrationBin, ...]:
    return () if estimated is None else estimated.calibration()


def _gap(log: DecisionLog, curve: tuple[CalibrationBin, ...]) -> float | None:
    return calibration_gap(curve) if propensities_unknown(log) else None


def _mixed(evidence: Evidence, mix: float) -> Evidence:
    return evidence.mixed(mix) if mix < 1.0 else evidence


def _estimates(
    views: Mapping[str, Evidence],
    without: Mapping[str, str],
    certain: float,
    alpha: float,
    found: Mapping[str, float | None],
    at: Rows,
) -> dict[str, Estimate]:
    return {
        name: NONE_HAD if name in without else _if_possible(name, view, certain, alpha, found[name], at)
        for name, view in views.items()
    }


def _if_possible(
    name: str, evidence: Evidence, certain: float, alpha: float, setting: float | None, at: Rows
) -> Estimate:
    silent = ESTIMATORS[name].weights and no_information(with_own_weights(name, evidence), certain)
    return NONE_HAD if silent else estimate(name, evidence, alpha, setting, at)
