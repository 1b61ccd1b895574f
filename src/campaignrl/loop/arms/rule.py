"""The rule by which a challenger becomes champion, stays one, or is sent away: that of an A/B test.

A step of a trial is a test (suites/abtest/) on the customers who were known when it began, all watched from its first
day to its last; it may be read every morning. Only the last step of the ramp can promote. Here: pure functions of what
customers brought. Not here: where that is kept (trial.py), the test itself.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from campaignrl.arrays import Int64
from campaignrl.ledger import SUMS
from campaignrl.loop.folder import TrialSpec
from campaignrl.specs import check
from campaignrl.suites.abtest import (
    BETTER,
    BROKEN,
    HARMED,
    WORSE,
    Guardrail,
    Outcomes,
    Reading,
    Trial,
    arms_of,
    read_trial,
)

Move = Literal["go on", "next step", "promote", "settle", "roll back", "stay"]
CHAMPION, CHALLENGER = "champion", "challenger"
MEASURE, *_ = SUMS


class Verdict(NamedTuple):
    """What a morning's reading leads to, and the words for it."""

    move: Move
    said: str


def planned_step(spec: TrialSpec, step: int, salt: str, cohort: pd.DataFrame) -> Trial:
    """The test of a step of a trial. cohort: customer_id and what is known of them beforehand, numbers."""
    share, last = spec.steps[step].share, step == len(spec.ramp) - 1
    rails = [
        Guardrail(column="unsubscribed", better=-1, margin=spec.more_unsubscribes),
        Guardrail(column="spend", better=-1, margin=spec.more_spend),
        Guardrail(column="margin", better=1, margin=spec.less_margin),
    ]
    words = {
        "name": salt,
        "salt": salt,
        "arms": {CHAMPION: 1.0 - share, CHALLENGER: share},
        "measure": MEASURE,
        "covariates": [name for name in cohort.columns if name != "customer_id"],
        "guardrails": rails,
        "looks": "late",
        "alpha": 2.0 * spec.alpha / (1 if last else len(spec.steps)),  # in both directions; other steps only send away
        "effect": 0.1,  # of no reading
        "mean": 1.0,  # nobody knows what they will bring; shares are of what the champion's do
        "std": 1.0,
        "customers": max(len(cohort), 4),
    }
    return check(Trial, words, "trial")


def read_step(
    trial: Trial,
    cohort: pd.DataFrame,
    sums: pd.DataFrame,
    seen: float,
    crossed: int = 0,
    arm: Int64 | None = None,
) -> Reading:
    """A step's test as it stands.

    sums: of `customer_sums`; who is not in it brought nothing; seen: of its days; arm: (n,) `arms_of` the cohort, where
    it is known already.
    """
    ids = cohort["customer_id"].to_numpy(dtype=object)
    brought = sums.reindex(ids).fillna(0.0)
    rails = [rail.column for rail in trial.guardrails]
    outcomes = Outcomes(
        arms_of(trial, ids) if arm is None else arm,
        brought[trial.measure].to_numpy(dtype=np.float64),
        cohort[list(trial.covariates)].to_numpy(dtype=np.float64),
        brought[rails].to_numpy(dtype=np.float64),
        crossed,
    )
    return read_trial(trial, outcomes, seen=min(seen, 1.0))


def verdict(spec: TrialSpec, step: int, reading: Reading, days: int) -> Verdict:
    """What follows from a reading of step `step` after so many of its days."""
    arm, last, most = reading.arms[0], len(spec.ramp) - 1, spec.steps[step].days
    said = f"{arm.gain:+.1%} [{arm.ci_low:+.1%}, {arm.ci_high:+.1%}] over the champion, day {days} of {most}"
    if arm.decision in (BROKEN, HARMED, WORSE):
        rails = ", ".join(rail.column for rail in arm.guardrails if rail.state == "breached")
        why = {BROKEN: "its customers are not those it should have", HARMED: f"harm: {rails}", WORSE: "it loses"}
        return Verdict("roll back", f"{said}: {why[arm.decision]}")
    if step == last and arm.decision.startswith(BETTER):
        return Verdict("promote", f"{said}: better")
    if days < most:
        return Verdict("go on", said)
    if step > last:
        return Verdict("settle", f"{said}: no harm was seen")
    return Verdict("next step" if step < last else "stay", f"{said}: " + ("no harm" if step < last else "not shown"))


def too_few(spec: TrialSpec, step: int, salt: str, cohort: pd.DataFrame) -> bool:
    """Whether an arm would have nobody to compare."""
    arm = arms_of(planned_step(spec, step, salt, cohort), cohort["customer_id"].to_numpy(dtype=object))
    return int(np.bincount(arm, minlength=2).min()) < 2
