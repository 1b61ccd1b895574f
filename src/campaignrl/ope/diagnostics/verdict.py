"""Whether the log can answer at all: trust, caution or refuse, with reasons in plain words.

Each check looks at a few figures and either is silent or gives a finding; the worst finding is the verdict.
Thresholds and why they are where they are stand here. Not here: the figures themselves (weights.py).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from campaignrl.ope.diagnostics.holdout import Holdout


class Level(IntEnum):
    """How bad a finding is. A note changes no verdict; it says why a figure is missing."""

    NOTE = 0
    CAUTION = 1
    REFUSE = 2


class Finding(NamedTuple):
    """One thing a reader should know before using the figures."""

    level: Level
    text: str


class Figures(NamedTuple):
    """What the checks look at."""

    n: int  # matured rows
    customers: int
    ess: float
    max_weight_share: float
    max_customer_share: float
    mean_weight: float
    mean_weight_p: float
    off_support: float
    outcomes: int  # rows that speak for the policy and have a reward other than 0
    one_reward: bool  # every reward is the same
    dropped_share: float  # of all rows, immature
    certain_share: float  # of rows whose action was certain though others were eligible
    clipped_mass: float
    half_precision: bool
    disagreement_p: float  # snips against dr; 1 where one is missing
    snips: float
    dr: float
    supported_value: float  # mean w r: what the supported part of the policy earns
    reward_range: tuple[float, float]
    mix: tuple[float, float] | None
    calibration_gap: float | None = None  # of estimated propensities; None: they are known
    holdout: Holdout | None = None  # None: none was planned, or the log does not say
    learned_from: float = 0.0  # about which share of these customers the policy has learned from
    hardly_tried: float = 0.0  # of what the policy would do, the share that the log hardly had a chance to show
    found: tuple[Finding, ...] = ()  # by checks that look at rows: balance.py and others


# With 100 effective rows and a conversion of 2 % two conversions speak; below that the interval is the prior.
# From 1,000 on the interval of a 2 % rate is about +-0.9 points, which is what campaigns differ by.
ESS_REFUSE, ESS_CAUTION = 100, 1_000
# One row above 5 % of the weight moves an estimate by more than most differences of interest; above 20 % it is it.
SHARE_CAUTION, SHARE_REFUSE = 0.05, 0.20
# Intervals are made of sums over customers, whose spread needs some tens of them (Cameron & Miller 2015: 50).
CUSTOMERS_REFUSE, CUSTOMERS_CAUTION = 30, 50
# A true log strays this far once in a thousand. Ten points off 1 is more than any lift that would be believed.
P_ALARM, MEAN_WEIGHT_REFUSE = 0.001, 0.10
# Untried mass shifts the value by up to mass x reward range, whatever the sample size.
OFF_SUPPORT_REFUSE = 0.01
# So much of a mean weight below 1 is explained by what was hardly tried: what had a little more room rarely came.
EXPLAINS = 2.0
FEW_OUTCOMES = 30  # below this the spread of an outcome is itself hardly known
DROPPED_CAUTION = 0.20  # a fifth of the rows left out: what is left is older customers and older days
CLIPPED_CAUTION = 0.05  # of the weight cut away: ips_clip is then low by about as much


def diagnose(figures: Figures) -> tuple[str, tuple[str, ...]]:
    """The verdict and its reasons, worst first; a way out follows a refusal."""
    findings = [*figures.found, *(finding for check in CHECKS if (finding := check(figures)) is not None)]
    blind = _certain(figures) if _all_certain(figures) else None  # why all the rest is as it is
    findings.sort(key=lambda finding: (finding != blind, -finding.level))
    worst = max((finding.level for finding in findings), default=Level.NOTE)
    reasons = [finding.text for finding in findings]
    if worst is Level.REFUSE:
        reasons.append(_way_out(figures))
    return {Level.NOTE: "trust", Level.CAUTION: "caution", Level.REFUSE: "refuse"}[worst], tuple(reasons)


def _effective_rows(f: Figures) -> Finding | None:
    if f.ess >= ESS_CAUTION:
        return None
    level, bar = (Level.REFUSE, ESS_REFUSE) if f.ess < ESS_REFUSE else (Level.CAUTION, ESS_CAUTION)
    if f.ess == 0.0:
        return Finding(level, f"none of {f.n:,} rows speaks for this policy: it never does what was logged.")
    speaks = f"about {_count(f.ess)} of {f.n:,} rows carry the estimate"
    return Finding(level, f"{speaks} (effective sample size {_count(f.ess)}; at least {bar:,} are wanted).")


def _heaviest(f: Figures) -> Finding | None:
    if f.ess == 0.0:
        return None  # said already
    row = f.max_weight_share > SHARE_CAUTION
    share, what = (f.max_weight_share, "row") if row else (f.max_customer_share, "customer")
    if share <= SHARE_CAUTION:
        return None
    return Finding(
        Level.REFUSE if share > SHARE_REFUSE else Level.CAUTION, f"one {what} holds {share:.0%} of the weight."
    )


def _customers(f: Figures) -> Finding | None:
    if f.customers >= CUSTOMERS_CAUTION:
        return None
    level = Level.REFUSE if f.customers < CUSTOMERS_REFUSE else Level.CAUTION
    return Finding(
        level, f"only {f.customers} customer{'s' * (f.customers != 1)}: too few to tell how customers differ."
    )


def _mean_weight(f: Figures) -> Finding | None:
    if f.mean_weight_p >= P_ALARM or f.ess == 0.0 or f.mean_weight < 1.0 <= f.mean_weight + EXPLAINS * f.hardly_tried:
        return None
    level = Level.REFUSE if abs(f.mean_weight - 1.0) > MEAN_WEIGHT_REFUSE else Level.CAUTION
    cause = "the propensities or the eligible sets do not belong to this log"
    if f.mean_weight < 1.0:
        cause += ", or much of what this policy would do was never tried"
    return Finding(level, f"the mean weight is {f.mean_weight:.3f} where it should be 1: {cause}.")


def worst_and_best(supported: float, off_support: float, reward_range: tuple[float, float]) -> tuple[float, float]:
    """Bounds of a value of which a mass of `off_support` was never tried (Sachdeva, Su & Joachims 2020).

    supported: what the rest earns, mean of w r; whatever was not tried earns the least or the largest reward.
    """
    least, largest = reward_range
    return supported + off_support * least, supported + off_support * largest


def _support(f: Figures) -> Finding | None:
    if f.off_support <= 1e-9:
        return None
    low, high = worst_and_best(f.supported_value, f.off_support, f.reward_range)
    level = Level.REFUSE if f.off_support > OFF_SUPPORT_REFUSE else Level.CAUTION
    text = f"{_share(f.off_support)} of what this policy would do was never tried in this log"
    return Finding(level, f"{text}; whatever that earns, the value may be anything from {low:.4g} to {high:.4g}.")


def _holdout(f: Figures) -> Finding | None:
    if f.holdout is None:
        return None
    planned, observed, p_value, contacted = f.holdout
    if contacted:
        who = f"{contacted:,} customers who were to be held out were contacted"
        return Finding(Level.CAUTION, f"{who}: the holdout shows nothing about doing nothing.")
    if p_value >= P_ALARM:
        return None
    text = f"{_share(observed)} of the customers are held out where {_share(planned)} were planned (p < {P_ALARM:g})"
    return Finding(Level.CAUTION, f"{text}: customers are missing from this log, and not by chance.")


def _all_certain(f: Figures) -> bool:
    """Whether nothing was left to chance, and the policy would do something else."""
    return f.certain_share == 1.0 and f.off_support > 1e-9


def _certain(f: Figures) -> Finding | None:
    if f.off_support <= 1e-9 or f.certain_share == 0.0:
        return None
    if _all_certain(f):
        blind = "every logged action was certain (propensity 1), so weighting cannot value another policy"
        return Finding(Level.REFUSE, f"{blind}: only dm, the model's guess, can be had.")
    share = _share(f.certain_share)
    return Finding(Level.CAUTION, f"{share} of the logged actions were certain: nothing else was tried there.")


def _outcomes(f: Figures) -> Finding | None:
    if f.one_reward:
        return Finding(Level.CAUTION, "every reward is the same: there is nothing to tell policies apart by.")
    if f.outcomes >= FEW_OUTCOMES:
        return None
    rows = f"{f.outcomes} row{'s' * (f.outcomes != 1)} with a reward other than 0"
    return Finding(Level.CAUTION, f"only {rows} {'speak' if f.outcomes != 1 else 'speaks'} for this policy.")


def _dropped(f: Figures) -> Finding | None:
    if f.dropped_share <= DROPPED_CAUTION:
        return None
    return Finding(
        Level.CAUTION, f"{f.dropped_share:.0%} of the rows are left out because their outcome is not known yet."
    )


def _clipped(f: Figures) -> Finding | None:
    if f.clipped_mass <= CLIPPED_CAUTION:
        return None
    return Finding(Level.NOTE, f"ips_clip leaves out {f.clipped_mass:.0%} of the weight, so it is biased towards 0.")


def _rounded(f: Figures) -> Finding | None:
    if not f.half_precision:
        return None
    return Finding(
        Level.CAUTION, "the propensities look rounded to 16-bit floats; small ones are then off by percents."
    )


def _estimated(f: Figures) -> Finding | None:
    if f.calibration_gap is None:
        return None
    text = f"the propensities are estimated from the log (off by {_share(f.calibration_gap)} on average); whatever"
    return Finding(Level.CAUTION, f"{text} drove the choice and is not among the contexts biases every estimate.")


def _learned_from(f: Figures) -> Finding | None:
    return None if f.learned_from <= 0.0 else learned_from(f.learned_from)


def learned_from(share: float) -> Finding:
    """Said of a policy that has seen the outcomes it is judged by."""
    who = "these very customers" if share == 1.0 else f"about {_share(share)} of these customers"
    fix = "it may look better here than it is. Value it on customers it has not seen, or on later decisions"
    return Finding(Level.CAUTION, f"this policy has learned from {who}: {fix}.")


def _disagreement(f: Figures) -> Finding | None:
    # What was hardly tried the model guesses and snips leaves out: they differ, and nothing is wrong.
    if f.disagreement_p >= P_ALARM or f.hardly_tried > OFF_SUPPORT_REFUSE:
        return None
    figures = f"with the model the value is {f.dr:.4g}, without it {f.snips:.4g}"
    return Finding(Level.CAUTION, f"{figures}, and chance does not explain that: check the propensities.")


CHECKS: tuple[Callable[[Figures], Finding | None], ...] = (
    _effective_rows,
    _heaviest,
    _support,
    _certain,
    _customers,
    _mean_weight,
    _outcomes,
    _disagreement,
    _learned_from,
    _holdout,
    _dropped,
    _rounded,
    _estimated,
    _clipped,
)


# Of a log without any chance in it no other policy can be valued, nor a mixture of one: the way out is another log.
DRAWN = (
    "What would help: a log whose policy left something to chance. In a world, `campaignrl simulate --explore 0.05` "
    "writes one by the same policy; for sends, give the policy `explore = 0.05` in its settings, or plan by value with "
    "`campaignrl decide --allocate value --explore 0.05`"
)


def _way_out(f: Figures) -> str:
    if _all_certain(f):
        return f"{DRAWN}."
    explore = "What would help: log with at least 1 % exploration on every action"
    if f.mix is None:
        return f"{explore}."
    share, ess = f.mix
    closer = f"`--mix {share:g}` would have an effective sample size of about {_count(ess)}"
    return f"{explore}, or ask about a policy closer to the logged one ({closer})."


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _share(value: float) -> str:
    """A share in per cent with digits that fit its size: 40%, 3.25%, 0.0012%."""
    return f"{value:.0%}" if value >= 0.1 else f"{100 * value:.3g}%"
