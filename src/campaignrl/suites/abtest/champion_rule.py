"""May the challenger take the champion's place this morning? One word for each, and the figures it rests on.

The loop and `abtest read` go by the same reading: intervals that hold at every look, guardrails first, a broken split
voids all. A challenger is promoted where it is shown better and every guardrail is shown to be kept; doubt leaves the
champion where it is. Not here: the reading itself (reading.py), the table (outcomes.py).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from campaignrl.suites.abtest.outcomes import Outcomes, read_outcomes
from campaignrl.suites.abtest.reading import BETTER, BROKEN, GO_ON, HARMED, WORSE, Arm, Guarded, Reading, read_trial
from campaignrl.suites.abtest.trial import Trial

PROMOTE, KEEP, RETIRE, WAIT, VOID = "promote", "keep", "retire", "wait", "void"


class Ruling(NamedTuple):
    """What becomes of one challenger; gain and interval as shares of the champion's mean, NaN where the split is void.

    decision: `promote`: it takes the champion's place. `retire`: shown worse, or a guardrail is breached. `keep`: the
    planned size is reached and nothing is shown, or a guardrail is open: the champion stays. `wait`: go on. `void`: the
    split is broken, no figure means anything.
    """

    challenger: str
    champion: str
    decision: str
    why: str  # the rule in words, as `abtest read` prints it
    gain: float
    ci_low: float
    ci_high: float
    customers: int  # of all arms whose outcome is in
    planned: int
    guardrails: tuple[Guarded, ...]

    @property
    def customers_left(self) -> int:
        """Outcomes until the planned size, where the test ends at the latest."""
        return max(self.planned - self.customers, 0) if self.decision == WAIT else 0

    def days_left(self, outcomes_a_day: float) -> int | None:
        """Whole days until then at so many outcomes a day; None where none come in."""
        if not self.customers_left:
            return 0
        return math.ceil(self.customers_left / outcomes_a_day) if outcomes_a_day > 0.0 else None

    def __str__(self) -> str:
        if self.decision == VOID:
            return f"{self.challenger}: {self.why}"
        gain = f"{self.gain:+.1%} [{self.ci_low:+.1%}, {self.ci_high:+.1%}]"
        return f"{self.challenger} {gain} over {self.champion}: {self.decision} ({self.why})"


def champion_rule(trial: Trial, outcomes: Outcomes | pd.DataFrame | pa.Table | str | Path) -> tuple[Ruling, ...]:
    """A ruling for each challenger of a test, to be asked any morning.

    outcomes: one row a customer whose outcome is final: `customer_id`, the measure, guardrails, covariates, and where
    it is known the `arm` they really were in. UsageError where an arm has fewer than two.
    """
    read = read_trial(trial, outcomes if isinstance(outcomes, Outcomes) else read_outcomes(trial, outcomes))
    return tuple(_ruling(read, arm) for arm in read.arms)


def _ruling(read: Reading, arm: Arm) -> Ruling:
    decision = _decided(arm)
    figures = (math.nan,) * 3 if decision == VOID else (arm.gain, arm.ci_low, arm.ci_high)
    rails = () if decision == VOID else arm.guardrails
    named, size = (arm.name, read.trial.champion), (read.customers, read.trial.customers)
    return Ruling(*named, decision, arm.decision, *figures, *size, rails)


def _decided(arm: Arm) -> str:
    if arm.decision == BROKEN:
        return VOID
    if arm.decision in (HARMED, WORSE):
        return RETIRE
    if arm.decision == BETTER:
        return PROMOTE
    return WAIT if arm.decision.startswith(GO_ON) else KEEP
