"""Whether it pays to treat customers differently: the answer in one sentence, from intervals alone.

The question of every campaign with a few actions: do policies that choose by customer beat the best action for all?
Here: the sentence. Not here: the lifts (evaluate.py, `compare_on_log`), which policies were tried (the caller).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from campaignrl.actions import NONE_NAME
from campaignrl.ope.comparison.equivalence import Conclusion, conclusion_of_best, interval
from campaignrl.ope.intervals import Estimate

# A lift of less than a quarter of what the best single action gains for sure is "almost nothing": the step from no
# campaign to a campaign then matters at least four times as much as the step to a personalised one.
MATTERS = 0.25


class Finding(NamedTuple):
    """The answer; `margin` is the lift below which it would be almost nothing, in the unit of the reward."""

    conclusion: Conclusion
    margin: float
    text: str


def personalising(lifts: Mapping[str, Estimate], best: str, gain: Estimate) -> Finding:
    """What the lifts of personalised policies over the single action `best` allow one to say.

    lifts: by policy, with intervals that hold together (see `conclusion_of_best`); NaN where the log cannot tell.
    gain: of `best` over none. Its lower end sets the margin, so a log too small to show that the campaign works
    at all never shows that personalising is worth nothing.
    """
    margin = MATTERS * gain.ci_low if gain.ci_low > 0.0 else 0.0
    found = conclusion_of_best(lifts.values(), margin)
    text = f"{_SENTENCES[found](lifts, best, margin)}."
    if best != NONE_NAME:
        text = f"{text[:-1]}, while {best} itself gains {interval(gain)} over none."
    alike = [name for name, lift in lifts.items() if lift.ci_low == lift.ci_high == 0.0]
    if alike and found in (Conclusion.SAME, Conclusion.UNKNOWN):
        text += f" {_listed(alike)} would treat everybody alike."
    return Finding(found, margin, text)


def _better(lifts: Mapping[str, Estimate], best: str, margin: float) -> str:
    name = max((name for name in lifts if lifts[name].ci_low > 0.0), key=lambda name: lifts[name].value)
    return f"Personalising pays: {name} earns {interval(lifts[name])} over {best}"


def _worse(lifts: Mapping[str, Estimate], best: str, margin: float) -> str:
    name = max(lifts, key=lambda name: lifts[name].value)
    return f"Personalising harms here: even {name} earns {interval(lifts[name])} over {best}"


def _same(lifts: Mapping[str, Estimate], best: str, margin: float) -> str:
    name = max(lifts, key=lambda name: lifts[name].ci_high)
    most = f"at most {lifts[name].ci_high:+.3g} over {best}" if lifts[name].ci_high > 0.0 else f"no more than {best}"
    return f"Personalising gains almost nothing here: {most} ({name} {interval(lifts[name])})"


def _unknown(lifts: Mapping[str, Estimate], best: str, margin: float) -> str:
    silent = [name for name, lift in lifts.items() if math.isnan(lift.ci_high)]
    if silent:
        return f"This log cannot tell whether personalising pays: it says too little about {_listed(silent)}"
    name = max(lifts, key=lambda name: lifts[name].ci_high)
    bar = f" (up to {margin:.3g} would be almost nothing)" if margin > 0.0 else ""
    return f"This log cannot tell whether personalising pays: {name} earns {interval(lifts[name])} over {best}{bar}"


def _listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


_SENTENCES = {
    Conclusion.BETTER: _better,
    Conclusion.WORSE: _worse,
    Conclusion.SAME: _same,
    Conclusion.UNKNOWN: _unknown,
}
