"""Questions about two or more policies on the same rows: which is better, for whom, at what cost, at what risk.

All are differences paired by customer, so what a customer would have bought anyway cancels. Not here: the difference
of two policies on all rows (evaluate.py, `compare_on_log`), words for intervals (equivalence.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from campaignrl.arrays import Float
from campaignrl.errors import Problem, UsageError, unknown
from campaignrl.ope.comparison.equivalence import Conclusion, conclude
from campaignrl.ope.data import LOGGED, PolicyLike, policy_of_rows, target_policy_of
from campaignrl.ope.intervals import NOT_TO_BE_HAD, Clusters, Estimate
from campaignrl.ope.methods import (
    Evidence,
    Range,
    certain_share,
    difference,
    fitted_model,
    gather,
    matured,
    no_information,
    propensities,
    reward_range_of,
)
from campaignrl.policies import on_one_blas_thread
from campaignrl.tables import read_log
from campaignrl.tables.log import DecisionLog

BONFERRONI, HOLM, NO_CORRECTION = "bonferroni", "holm", "none"
FIELLER = "Fieller"
BANDS = 4  # a number is cut at its quartiles
HALVINGS = 40
NARROW = 0.9999  # level of an interval that is hardly more than a point
ABSENT = Estimate(NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, NOT_TO_BE_HAD, "none")


class Comparison(NamedTuple):
    """One policy less the reference."""

    policy: str
    difference: Estimate  # simultaneous: all intervals hold together with 1 - alpha
    p_value: float  # of no difference, by itself
    adjusted_p: float  # for the number of policies compared
    conclusion: Conclusion


class Part(NamedTuple):
    """The lift among some rows."""

    part: str
    n: int
    customers: int
    lift: Estimate


class Rows(NamedTuple):
    """The rows whose outcome is known, and what they say about each policy."""

    log: DecisionLog
    evidence: list[Evidence]

    @classmethod
    def of(
        cls,
        log: DecisionLog,
        policies: Sequence[PolicyLike],
        *,
        model: str = "ridge",
        reward_range: Range | None = None,
        folds: int = 5,
        seed: int = 0,
    ) -> Rows:
        """One model and one pass over the rows for all policies."""
        used, _, _, _ = matured(log, (LOGGED, LOGGED), None)
        kept = None if len(used) == len(log) else np.flatnonzero(log.matured)
        given = [policy_of_rows(policy, log, kept) for policy in policies]
        bounds, _ = reward_range_of(used, reward_range)
        used, _, _ = propensities(used, None, (), folds, seed)
        fitted = fitted_model(used, None, bounds, folds, seed, model)
        return cls(used, gather(used, [target_policy_of(policy, used) for policy in given], fitted, bounds))

    def silent(self) -> bool:
        """Whether the rows say nothing about one of the policies."""
        certain = certain_share(self.log)
        return any(no_information(each, certain) for each in self.evidence)


@on_one_blas_thread
def compare_many_on_log(
    log: DecisionLog | str | Path,
    policies: Mapping[str, PolicyLike],
    reference: PolicyLike = LOGGED,
    *,
    correction: str = BONFERRONI,
    alpha: float = 0.05,
    **words: Any,
) -> tuple[Comparison, ...]:
    """Many policies on one log: each less the reference, so that the best of many does not win by chance.

    Args:
        log: a DecisionLog of n rows, or the file of one.
        policies: by the name they go by in the answer, each in any form that `evaluate` takes.
        reference: what each is set against.
        correction: bonferroni, or holm, which finds at least as many differences; its intervals are Bonferroni's, as
            the step-down test has none of its own. none: each as if it were the only one.
        alpha: all intervals hold together with 1 - alpha.
        words: model, reward_range, folds and seed, as `evaluate` takes them.

    Returns:
        tuple: for each policy its difference per decision with interval, p values, and how it bears on the reference.

    Raises:
        UnknownName: no correction, policy or file goes by that name.
        UsageError: there is no policy to compare.

    Source:
        Holm 1979 (the step-down test).

    Example:
        >>> import campaignrl as crl
        >>> log = crl.simulate("coupon_trap", "uniform", customers=200, seed=7)
        >>> found = crl.compare_many_on_log(log, {"nothing": "none", "content": "always:content@email"})
        >>> [one.policy for one in found]
        ['nothing', 'content']
    """
    log = log if isinstance(log, DecisionLog) else read_log(log)
    if correction not in (BONFERRONI, HOLM, NO_CORRECTION):
        raise unknown("correction", correction, (BONFERRONI, HOLM, NO_CORRECTION))
    if not policies:
        raise UsageError(Problem("compare", "policies", "none", "at least one"))
    rows = Rows.of(log, [*policies.values(), reference], **words)
    *candidates, base = rows.evidence
    level = alpha if correction == NO_CORRECTION else alpha / len(candidates)
    certain = certain_share(rows.log)
    found = [
        ABSENT if no_information(each, certain) or no_information(base, certain) else difference(each, base, level)
        for each in candidates
    ]
    p = [
        1.0 if made is ABSENT else p_value(lambda a, each=each: difference(each, base, a)[2:4])  # type: ignore[misc]
        for each, made in zip(candidates, found, strict=True)
    ]
    adjusted = p if correction == NO_CORRECTION else (holm if correction == HOLM else bonferroni)(p)
    return tuple(
        Comparison(name, made, p_value_, fair, _conclusion(made, fair, alpha))
        for name, made, p_value_, fair in zip(policies, found, p, adjusted, strict=True)
    )


def _conclusion(made: Estimate, adjusted_p: float, alpha: float) -> Conclusion:
    if adjusted_p < alpha:
        return Conclusion.BETTER if made.value > 0.0 else Conclusion.WORSE
    return conclude(made)


def p_value(interval_at: Callable[[float], tuple[float, float]], null: float = 0.0) -> float:
    """The least alpha whose interval leaves out `null`: the test that goes with any kind of interval.

    1e-12 or below is given as 1e-12; 1 where even the narrowest interval holds it.
    """

    def out(alpha: float) -> bool:
        low, high = interval_at(alpha)
        return not low <= null <= high

    lowest, highest = -12.0, math.log10(1.0 - 1e-9)
    # An interval with almost no room may be lost to rounding and hold everything: one with a little more decides too.
    if not out(10.0**highest) and not out(NARROW):
        return 1.0
    if out(10.0**lowest):
        return float(10.0**lowest)
    for _ in range(HALVINGS):
        middle = (lowest + highest) / 2
        lowest, highest = (lowest, middle) if out(10.0**middle) else (middle, highest)
    return float(10.0**highest)


def bonferroni(p: Sequence[float]) -> list[float]:
    """P values times their number, at most 1."""
    return [min(1.0, len(p) * each) for each in p]


def holm(p: Sequence[float]) -> list[float]:
    """Step-down adjusted p values (Holm 1979): the i-th smallest times m - i + 1, never falling, at most 1."""
    order, adjusted, reached = np.argsort(p, kind="stable"), np.ones(len(p)), 0.0
    for rank, i in enumerate(order.tolist()):
        reached = max(reached, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = reached
    return [float(each) for each in adjusted]


def probability_of_harm(log: DecisionLog, a: PolicyLike, b: PolicyLike = LOGGED, **words: Any) -> float:
    """How far the log supports that `a` earns less than `b`: 0.5 where it says nothing, NaN where it is blind.

    The confidence that the lift is below 0, read off the interval at every level (a confidence distribution; Xie
    & Singh 2013), so it is as right for rare conversions as the interval is.
    """
    return harm_of(Rows.of(log, [a, b], **words))


def harm_of(rows: Rows) -> float:
    """`probability_of_harm` of the first policy against the second."""
    if rows.silent():
        return NOT_TO_BE_HAD
    first, second = rows.evidence
    half = p_value(lambda alpha: difference(first, second, alpha)[2:4]) / 2
    value = difference(first, second, 0.5).value
    if value == 0.0:
        return 0.5
    return half if value > 0.0 else 1.0 - half


def lift_by(
    log: DecisionLog, a: PolicyLike, by: str, b: PolicyLike = LOGGED, *, alpha: float = 0.05, **words: Any
) -> tuple[Part, ...]:
    """The lift of `a` over `b` among the rows of each wave, or of each level or quartile of a feature.

    The intervals hold together with 1 - alpha; the lifts, weighted by rows, add up to that of all rows.
    """
    return lift_among(Rows.of(log, [a, b], **words), by, alpha)


def lift_among(rows: Rows, by: str, alpha: float = 0.05) -> tuple[Part, ...]:
    """`lift_by` of the first policy over the second."""
    labels, of_row = parts_of(rows.log, by)
    there = [i for i in range(len(labels)) if (of_row == i).any()]
    silent, found = rows.silent(), []
    for i in there:
        some = np.flatnonzero(of_row == i)
        first, second = (_among(each, rows.log, some) for each in rows.evidence)
        few = silent or len(first.clusters) < 2
        lift = ABSENT if few else difference(first, second, alpha / len(there))
        found.append(Part(labels[i], len(some), len(first.clusters), lift))
    return tuple(found)


def parts_of(log: DecisionLog, by: str) -> tuple[list[str], npt.NDArray[np.intp]]:
    """Labels of the parts, and which one each row belongs to (n,)."""
    if by == "wave":
        if log.wave is None:
            raise UsageError(Problem("lift by", "wave", "absent", "told by this log", "Give a feature instead."))
        values, of_row = np.unique(log.wave, return_inverse=True)
        return [f"wave {value}" for value in values], of_row
    features = {feature.name: feature for feature in log.context.schema.features}
    if by not in features:
        raise unknown("feature", by, ["wave", *features])
    column = np.asarray(log.context.columns[by])
    levels = features[by].levels
    if levels:
        code = column.astype(np.intp)
        return [*levels, "unknown"], np.where(code >= 0, code, len(levels))
    return _bands(column.astype(np.float64))


def _bands(column: Float) -> tuple[list[str], npt.NDArray[np.intp]]:
    known = column[~np.isnan(column)]
    edges = np.unique(np.quantile(known, np.arange(BANDS + 1) / BANDS)) if len(known) else np.zeros(1)
    if len(edges) < 2:
        edges = np.repeat(edges, 2)
    labels = [f"{low:.4g} to {high:.4g}" for low, high in itertools.pairwise(edges.tolist())]
    band = np.searchsorted(edges[1:-1], column, side="left")
    return [*labels, "unknown"], np.where(np.isnan(column), len(labels), band)


def _among(evidence: Evidence, log: DecisionLog, rows: npt.NDArray[np.intp]) -> Evidence:
    kept = {x: getattr(evidence, x)[rows] for x in ("reward", "predicted", "weight", "expected")}
    return evidence._replace(**kept, clusters=Clusters(log.customer[rows]), marginals=None, batch=None, pooled=None)


def cost_per_incremental(
    log: DecisionLog, a: PolicyLike, b: PolicyLike = LOGGED, *, alpha: float = 0.05, **words: Any
) -> Estimate:
    """What one more unit of reward costs by `a` rather than `b`: extra cost over extra reward, in minor units.

    With conversions as reward: cost per incremental conversion. The upper end is infinite where the extra reward
    may be 0 or less.
    """
    return cost_of(Rows.of(log, [a, b], **words), alpha)


def cost_of(rows: Rows, alpha: float = 0.05) -> Estimate:
    """`cost_per_incremental` of the first policy over the second."""
    if rows.silent():
        return ABSENT
    first, second = rows.evidence
    apart = first.weight - second.weight
    extra = first.expected - second.expected + apart * (first.reward - first.predicted)
    return ratio(apart * rows.log.cost, extra, first.clusters, alpha)


def ratio(above: Float, below: Float, clusters: Clusters, alpha: float) -> Estimate:
    """Mean of `above` over mean of `below`, both (n,), with Fieller's interval (1954) over customers.

    All ratios r for which the mean of above - r below is not told from 0. Where `below` itself is not told from a
    number above 0 these have no upper end, and no lower one either.
    """
    top, bottom = clusters.scaled(above), clusters.scaled(below)
    count = len(top)
    if count < 2 or bottom.mean() <= 0.0:
        return ABSENT._replace(interval=FIELLER)
    t = -float(special.stdtrit(count - 1, alpha / 2))
    (v_top, v_both), (_, v_bottom) = np.cov(top, bottom) / count
    y, x = float(top.mean()), float(bottom.mean())
    square, linear, constant = x * x - t * t * v_bottom, x * y - t * t * v_both, y * y - t * t * v_top
    error = math.sqrt(max(v_top - 2 * (y / x) * v_both + (y / x) ** 2 * v_bottom, 0.0)) / x
    if square <= 0.0:
        return Estimate(y / x, error, -math.inf, math.inf, FIELLER)
    half = math.sqrt(max(linear * linear - square * constant, 0.0))
    return Estimate(y / x, error, (linear - half) / square, (linear + half) / square, FIELLER)


def part_table(parts: Sequence[Part]) -> str:
    """One line a part: rows, customers, lift and its interval."""
    width = max([len(part.part) for part in parts], default=0)
    lines = [f"{'':<{width}}{'decisions':>12}{'customers':>12}  lift"]
    for part in parts:
        e = part.lift
        said = "-" if math.isnan(e.value) else f"{e.value:+.4g} [{e.ci_low:+.4g}, {e.ci_high:+.4g}]"
        lines.append(f"{part.part:<{width}}{part.n:>12,}{part.customers:>12,}  {said}")
    return "\n".join(lines)
