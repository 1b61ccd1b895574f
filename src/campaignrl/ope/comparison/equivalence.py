"""What the interval of a difference lets one say, and the difference between the values of two logs.

Words follow figures here: a conclusion is a function of intervals and of the size that would matter. Not here:
differences on the same rows (evaluate.py, `compare_on_log`), whether a log can answer at all (verdict.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

from campaignrl.ope.intervals import Estimate

TWO_LOGS = "two logs, MOVER"


class Conclusion(StrEnum):
    """What an interval says of a difference."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "about the same"
    UNKNOWN = "cannot tell"


def conclude(difference: Estimate, margin: float = 0.0) -> Conclusion:
    """Better or worse if the interval leaves 0 out; about the same if it lies within a margin that is above 0.

    So an interval that holds 0 never means "the same" by itself: a small log would then prove anything equal.
    """
    low, high = difference.ci_low, difference.ci_high
    if math.isnan(low) or math.isnan(high):
        return Conclusion.UNKNOWN
    if low > 0.0:
        return Conclusion.BETTER
    if high < 0.0:
        return Conclusion.WORSE
    return Conclusion.SAME if margin > 0.0 and -margin <= low and high <= margin else Conclusion.UNKNOWN


def conclusion_of_best(differences: Iterable[Estimate], margin: float = 0.0) -> Conclusion:
    """What may be said of the best of several candidates, each less the same reference.

    Better if one is; worse if all are; about the same if none can be better by more than `margin`. The intervals
    must hold together: give each the level 1 - alpha / m (Bonferroni), or the best of m passes by chance.
    """
    found = list(differences)
    conclusions = [conclude(each, margin) for each in found]
    if Conclusion.BETTER in conclusions:
        return Conclusion.BETTER
    if conclusions and all(each is Conclusion.WORSE for each in conclusions):
        return Conclusion.WORSE
    bounded = margin > 0.0 and conclusions and all(each.ci_high <= margin for each in found)  # NaN is not bounded
    return Conclusion.SAME if bounded else Conclusion.UNKNOWN


def independent_difference(a: Estimate, b: Estimate) -> Estimate:
    """Value of `a` less that of `b`, from two logs that share no customer; both intervals of the same level.

    The interval joins the two given ones, whatever made them and however skew they are: "method of variance
    estimates recovery" (Zou & Donner 2008, Statistics in Medicine 27:1693; Newcombe 1998 for two proportions).
    """
    value = a.value - b.value
    low = value - math.hypot(a.value - a.ci_low, b.ci_high - b.value)
    high = value + math.hypot(a.ci_high - a.value, b.value - b.ci_low)
    return Estimate(value, math.hypot(a.std_error, b.std_error), low, high, TWO_LOGS)


def interval(estimate: Estimate) -> str:
    """A difference in words: +0.0123 [-0.0045, +0.0291]."""
    if math.isnan(estimate.ci_low):
        return "a figure not to be had"
    return f"{estimate.value:+.3g} [{estimate.ci_low:+.3g}, {estimate.ci_high:+.3g}]"
