"""How far into an episode a log can follow another policy: effective sample size by step, and the verdict on it.

Every step multiplies a trajectory's weight once more, so the trajectories that still resemble the valued policy thin
out. Customers who never had a choice keep their weight of 1 whatever the policy: the curve leaves them out, or they
would hide that nobody else is left. Here: the curve, the step where it runs out, the findings in words. Not here: the
verdict on single decisions (verdict.py, whose thresholds these are), estimators (sequential.py). N trajectories, T
steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float
from campaignrl.ope.diagnostics import (
    CUSTOMERS_CAUTION,
    CUSTOMERS_REFUSE,
    ESS_CAUTION,
    ESS_REFUSE,
    MEAN_WEIGHT_REFUSE,
    OFF_SUPPORT_REFUSE,
    P_ALARM,
    SHARE_CAUTION,
    SHARE_REFUSE,
    Finding,
    Level,
    learned_from,
)
from campaignrl.ope.estimators import effective_sample_size, max_weight_share

REFUSED = "refuse"  # the verdict
# Effective customers in a policy's states from which on they tell how wrong a model is: with 165 to 197 of 2,000 the
# interval held in 87 % of 60 logs over five steps and 15 of 20 over thirty, with a thousand in 90 to 95 %.
TOLD = 200
FAR = 3.3  # standard errors of a mean weight, about 1 / sqrt(effective size): once in a thousand by chance
ENDED_CAUTION = 0.20  # of episodes over before the horizon: whether they ended or were cut off, the log does not say


class Step(NamedTuple):
    """One step of the curve; step counts from 1, as a reader does."""

    step: int
    going_on: float  # share of episodes that still decide
    choosing: int  # customers for whom more than one action was possible up to here; the figures below are theirs
    ess: float
    ess_marginal: float  # of rho_t w_t (estimator msis); NaN where it was not asked for
    max_weight_share: float
    mean_weight: float  # of the cumulated weights


class EpisodeFigures(NamedTuple):
    """What the findings look at, apart from the curve."""

    customers: int
    off_support: float  # mean mass per decision on what the log cannot speak of
    mean_weight: float  # of single decisions; 1 if propensities and masks are right
    mean_weight_p: float
    ended: float  # share of episodes over before the horizon
    model_asked: bool  # an estimator that leans on the model is among those asked for
    learned_from: float = 0.0  # about which share of these customers the policy has learned from
    drl_lasting: int | None = None  # first steps for which drl can be had; None: not asked
    told: int | None = None  # first steps for which the log says how wrong the model is


def curve_of(cumulative: Float, marginal: Float | None, going_on: Bool, choice: Bool) -> tuple[Step, ...]:
    """The curve of cumulative weights (N, T) and, if any, marginal ones (N, T).

    choice: (N, T) whether the logging policy could have done something else at that step.
    """
    steps, chosen = [], np.logical_or.accumulate(choice, axis=1)
    for t in range(cumulative.shape[1]):
        here = chosen[:, t]
        W = cumulative[here, t]
        count = int(here.sum())
        if not count:  # nobody had a choice: everybody speaks, for any policy
            W, here = cumulative[:, t], np.ones(len(cumulative), dtype=bool)
        ess_marginal = float("nan") if marginal is None else effective_sample_size(marginal[here, t])
        size, share, mean = effective_sample_size(W), max_weight_share(W), float(W.mean())
        steps.append(Step(t + 1, float(going_on[:, t].mean()), count, size, ess_marginal, share, mean))
    return tuple(steps)


def lasting_steps(curve: Iterable[Step], marginal: bool = False, least: float = ESS_REFUSE) -> int:
    """How many first steps have enough effective customers, none the answer by itself, and all of the weight.

    least: effective customers at least.

    A mean weight far below 1 tells that those who went the policy's way are missing, and that others are left.
    """
    steps = list(curve)
    for s in steps:
        ess = s.ess_marginal if marginal else s.ess
        by_chance = FAR / math.sqrt(max(ess, 1.0))
        strayed = abs(s.mean_weight - 1.0) > max(MEAN_WEIGHT_REFUSE, by_chance)
        heavy = s.max_weight_share > SHARE_REFUSE or strayed
        if not ess >= min(least, max(s.choosing, 1)) or (heavy and not marginal):
            return s.step - 1
    return len(steps)


def judged(curve: tuple[Step, ...], figures: EpisodeFigures) -> tuple[str, tuple[str, ...]]:
    """Trust, caution or refuse, with reasons, worst first."""
    found = [_reach(curve, figures), _customers(figures), _weights(figures), _support(figures), _ended(figures)]
    found += [_model(curve, figures)]
    found += [learned_from(figures.learned_from)] if figures.learned_from > 0.0 else []
    findings = sorted((f for f in found if f is not None), key=lambda finding: -finding.level)
    worst = max((f.level for f in findings), default=Level.NOTE)
    verdict = {Level.NOTE: "trust", Level.CAUTION: "caution", Level.REFUSE: REFUSED}[worst]
    return verdict, tuple(f.text for f in findings)


def _reach(curve: tuple[Step, ...], figures: EpisodeFigures) -> Finding | None:
    T, lasting, last = len(curve), lasting_steps(curve), curve[-1]
    if lasting == T:
        if last.ess >= ESS_CAUTION and last.max_weight_share <= SHARE_CAUTION:
            return None
        size = f"about {last.ess:,.0f} of {figures.customers:,} customers carry the last of {T} steps"
        return Finding(Level.CAUTION, f"{size} (at least {ESS_CAUTION:,} are wanted).")
    alone = f" From step {lasting + 1} on fqe and wdr lean on the model alone." if figures.model_asked else ""
    answerable = f"up to horizon={lasting}" if lasting else "for no step; ask about a policy closer to the logged one"
    return Finding(Level.REFUSE, f"{_end(curve[lasting], T)}: the log can follow this policy {answerable}.{alone}")


def _end(out: Step, T: int) -> str:
    """What is wrong at the first step that is out of reach."""
    at = f"at step {out.step} of {T}"
    if out.ess == 0.0:
        return f"{at} none of {out.choosing:,} customers with a choice still does what the policy would"
    if out.ess >= ESS_REFUSE and out.max_weight_share <= SHARE_REFUSE:
        missing = "those on the policy's way are missing"
        return f"{at} the weights add up to {out.mean_weight:.0%} of what they should: {missing}"
    size = f"{out.ess:,.0f}" if out.ess >= 10 else f"{out.ess:.1f}"
    return f"{at} the effective sample size is {size} of {out.choosing:,} customers with a choice"


def _customers(figures: EpisodeFigures) -> Finding | None:
    if figures.customers >= CUSTOMERS_CAUTION:
        return None
    level = Level.REFUSE if figures.customers < CUSTOMERS_REFUSE else Level.CAUTION
    return Finding(level, f"only {figures.customers} customers: too few to tell how customers differ.")


def _weights(figures: EpisodeFigures) -> Finding | None:
    if figures.mean_weight_p >= P_ALARM:
        return None
    level = Level.REFUSE if abs(figures.mean_weight - 1.0) > MEAN_WEIGHT_REFUSE else Level.CAUTION
    cause = "the propensities or the eligible sets do not belong to this log"
    return Finding(level, f"the mean weight of a decision is {figures.mean_weight:.3f} where it should be 1: {cause}.")


def _model(curve: tuple[Step, ...], figures: EpisodeFigures) -> Finding | None:
    """Said where fqe was asked for and nothing tells how wrong its model is: a value without an interval."""
    if figures.told is None or figures.told == len(curve):
        return None
    out = f"too few customers are in the states this policy would bring about (from step {figures.told + 1} on)"
    return Finding(Level.CAUTION, f"{out} to tell how wrong the model is: fqe has no interval.")


def _support(figures: EpisodeFigures) -> Finding | None:
    if figures.off_support <= 1e-9:
        return None
    level = Level.REFUSE if figures.off_support > OFF_SUPPORT_REFUSE else Level.CAUTION
    return Finding(level, f"{figures.off_support:.2%} of what this policy would do was never tried in this log.")


def _ended(figures: EpisodeFigures) -> Finding | None:
    if figures.ended <= ENDED_CAUTION:
        return None
    text = f"{figures.ended:.0%} of the episodes are over before the horizon and are taken to earn nothing after"
    return Finding(Level.CAUTION, f"{text}; a smaller horizon= is safer if the log merely stops there.")
