"""Figures in words: numbers with as many digits as they deserve, and what they say to a marketer.

Not here: computing the figures (kpi.py, ope/), the page they stand on (html.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from campaignrl.ope.methods import Evaluation
from campaignrl.report.facts.kpi import Kpi
from campaignrl.true_value import Value

NOTHING = "–"
MINUS = "−"

LABELS = {
    "none": "sending nothing",
    "rules": "today's rules",
    "uniform": "random choice",
    "logged": "what was logged",
}

# By verdict: the mark and the words of its badge, and what it means. Marks, so that colour is not needed.
BADGES = {
    "trust": ("✓", "trust", "The log holds enough evidence for this figure."),
    "caution": ("!", "caution", "The figure may be off by more than its interval says."),
    "refuse": ("✕", "refuse", "The log cannot say what this policy would earn."),
}

# Short descriptions of estimators, for people who do not know their names.
ESTIMATOR_WORDS = {
    "winsorised": "weighting, self-normalised, outermost rewards cut",
    "logsumexp": "weighting, large terms held back",
    "dm": "a model's prediction alone",
    "ips": "weighting alone",
    "ips_clip": "weighting, heavy weights cut",
    "snips": "weighting, self-normalised",
    "dr": "model and weighting, doubly robust",
    "sndr": "doubly robust, self-normalised",
    "dros": "doubly robust, weights shrunk",
    "switch_dr": "doubly robust, the model alone where weights are heavy",
}


def label_of(policy: str, labels: Mapping[str, str]) -> str:
    """What people call a policy: as given, else a word for the known ones, else its own name."""
    return labels.get(policy) or LABELS.get(policy) or policy


def number(value: float, decimals: int, sign: bool = False) -> str:
    """Grouped digits with a true minus sign; a dash where there is no figure."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{abs(value):,.{decimals}f}"
    below = value < 0 and any(digit in text for digit in "123456789")
    above = value > 0 and any(digit in text for digit in "123456789")
    return MINUS + text if below else "+" + text if sign and above else text


def decimals_for(spread: float, value: float) -> int:
    """Decimals that show two digits of the uncertainty, or, where there is none, three digits of the value."""
    known = spread if math.isfinite(spread) and spread > 0 else abs(value) / 10
    if not math.isfinite(known) or known == 0:
        return 0
    return min(max(1 - math.floor(math.log10(known)), 0), 6)


def with_interval(low: float, high: float, value: float, sign: bool = False) -> tuple[str, str]:
    """A value and its interval, to the same decimal; ("–", "") where there is no value."""
    if not math.isfinite(value):
        return NOTHING, ""
    decimals = decimals_for((high - low) / 2, value)
    interval = f"[{number(low, decimals, sign)}, {number(high, decimals, sign)}]" if math.isfinite(low) else ""
    return number(value, decimals, sign), interval


def value_text(value: Value, sign: bool = False) -> tuple[str, str]:
    """`with_interval` for a Value."""
    return with_interval(value.ci_low, value.ci_high, value.value, sign)


def kpi_text(kpi: Kpi) -> tuple[str, str]:
    """Value and interval of a figure; shares in per cent."""
    v = kpi.value
    if kpi.unit != "share":
        return with_interval(v.ci_low, v.ci_high, v.value)
    text, interval = with_interval(100 * v.ci_low, 100 * v.ci_high, 100 * v.value)
    return (f"{text} %" if text != NOTHING else text), interval


def difference_sentence(label: str, other: str, lift: Value, unit: str, per: str) -> str:
    """What a difference with its interval says: more, less, or nothing that could be shown.

    unit: of the amount, "" where it has none; per: what it is per.
    """
    low, high = lift.ci_low, lift.ci_high
    if not math.isfinite(low):
        return f"How {label} compares with {other} cannot be said."
    decimals = decimals_for((high - low) / 2, lift.value)
    if low <= 0.0 <= high:
        interval = f"{number(low, decimals, True)} to {number(high, decimals, True)}"
        return f"No difference between {label} and {other} is shown (95 % interval {_joined(interval, unit, per)})."
    near, far = sorted([abs(low), abs(high)])
    amount = _joined(number(abs(lift.value), decimals), unit, "more" if lift.value > 0 else "less", per)
    interval = f"95 % interval {number(near, decimals)} to {number(far, decimals)}"
    return f"{sentence_start(label)} earns {amount} than {other} ({interval})."


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def sentence_start(text: str) -> str:
    """The first letter in capitals, unless it is a name in code (lin_ts, always:coupon)."""
    return text if any(sign in text for sign in "_:@./") else text[:1].upper() + text[1:]


def log_sentence(evaluation: Evaluation, label: str, reference: str, unit: str) -> str:
    """What the log alone says of a policy against its reference; unit: of the reward, may be ""."""
    if evaluation.verdict == "refuse":
        return f"From the log alone it cannot be said what {label} would earn."
    if evaluation.policy == evaluation.reference:
        return f"{sentence_start(label)} is what the others are measured against."
    lift = Value(evaluation.lift, math.nan, evaluation.lift_ci_low, evaluation.lift_ci_high)
    return from_log(difference_sentence(label, reference, lift, unit, evaluation.per))


def from_log(sentence: str) -> str:
    """The sentence, said to come from the log alone."""
    return f"From the log alone: {sentence.replace('No difference', 'no difference', 1)}"


def truth_sentence(low: float, high: float, truth: Value) -> str:
    """Whether the simulator's truth, itself known to some error, lies in the interval read off the log."""
    decimals = decimals_for((high - low) / 2, truth.value)
    text = f"{number(truth.value, decimals)} ± {number(truth.ci_high - truth.value, decimals)}"
    if low <= truth.value <= high:
        place = "inside"
    else:
        place = "at the edge of" if truth.ci_low <= high and truth.ci_high >= low else "outside"
    return f"The simulator knows the true value: {text}, {place} the interval."


def evidence_sentence(evaluation: Evaluation) -> str:
    """The figures behind a verdict, in one line."""
    e = evaluation
    parts = [
        f"{e.n:,} decisions of {e.customers:,} customers",
        f"worth {number(e.ess, 0)} for this policy (effective sample size)",
        f"mean weight {number(e.mean_weight, 3)} (should be 1)",
        f"heaviest row {number(100 * e.max_weight_share, 2)} % of the weight",
        f"never tried {number(100 * e.off_support_mass, 2)} %",
    ]
    return " · ".join(parts)
