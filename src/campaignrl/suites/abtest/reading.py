"""What a test says now, and whether to stop: the split, the guardrails, then the measure.

Intervals of a test with `looks = "any time"` or "late" hold at every look up to the planned size at once; those of a
test with one look are read at the planned size and not before. Guardrails are always read at any time, and what was
known beforehand is taken out of their noise too. Not here: the differences (cuped.py), the table (outcomes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from campaignrl.errors import UsageError
from campaignrl.ope.intervals import FIRST, horizon_multiple, late_multiple
from campaignrl.suites.abtest.cuped import Difference, differences
from campaignrl.suites.abtest.outcomes import Outcomes
from campaignrl.suites.abtest.split_check import ALARM, split_p_value
from campaignrl.suites.abtest.trial import Guardrail, Trial

CROSSED = 0.001  # share of customers in another arm than theirs above which a split is broken

BETTER, WORSE, NOT_SHOWN = "stop: better", "stop: worse", "stop: nothing shown"
BROKEN, HARMED, GO_ON = "stop: the split is broken", "stop: a guardrail is breached", "go on"


class Guarded(NamedTuple):
    """A guardrail: harm as a share of the champion's mean, positive is worse."""

    column: str
    harm: float
    ci_low: float
    ci_high: float
    margin: float

    @property
    def state(self) -> str:
        """breached, kept, or open."""
        return "breached" if self.ci_low > self.margin else "kept" if self.ci_high <= self.margin else "open"


class Arm(NamedTuple):
    """A challenger against the champion; gain and interval as shares of the champion's mean."""

    name: str
    customers: int
    mean: float
    gain: float
    ci_low: float
    ci_high: float
    variance_saved: float
    decision: str
    guardrails: tuple[Guarded, ...]


@dataclass(frozen=True)
class Reading:
    """What a test says at one moment.

    Attributes:
        trial: the test; customers: whose outcome is in; split_p: p value of the planned shares, valid at every look.
        crossed: customers in another arm than the one the hash gives them.
        champion: mean of the champion's measure; arms: one for each challenger.
        exit_code: 1 where the split is broken or a guardrail breached, else 0.
    """

    trial: Trial
    customers: int
    counts: dict[str, int]
    split_p: float
    crossed: int
    champion: float
    arms: tuple[Arm, ...]

    @property
    def split_is_broken(self) -> bool:
        """Whether differences mean nothing: shares beyond chance, or customers in other arms than their own."""
        return self.split_p <= ALARM or self.crossed > CROSSED * self.customers

    @property
    def exit_code(self) -> int:
        """For scripts."""
        return int(any(arm.decision in (BROKEN, HARMED) for arm in self.arms))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        void: dict[str, Any] = dict.fromkeys(("gain", "ci_low", "ci_high")) if self.split_is_broken else {}
        arms = [
            {**arm._asdict(), "guardrails": [{**g._asdict(), "state": g.state} for g in arm.guardrails], **void}
            for arm in self.arms
        ]
        split = {"p_value": self.split_p, "crossed": self.crossed, "broken": self.split_is_broken}
        facts = {"test": self.trial.name, "customers": self.customers, "planned": self.trial.customers}
        return {**facts, "counts": self.counts, "split": split, "champion_mean": self.champion, "arms": arms}

    def __str__(self) -> str:
        trial, shares = self.trial, ", ".join(f"{name} {many:,}" for name, many in self.counts.items())
        said = "broken" if self.split_is_broken else "as planned"
        lines = [
            f"{trial.name}: {self.customers:,} of {trial.customers:,} planned customers ({shares}); "
            f"split {said} (p {self.split_p:.3g}, {self.crossed} in another arm)"
        ]
        for arm in self.arms:
            if self.split_is_broken:  # no figure of it means anything
                lines.append(f"{arm.name} against {trial.champion}: {arm.decision}")
                continue
            saved = f", covariates save {arm.variance_saved:.0%} of the variance" if trial.covariates else ""
            lines.append(
                f"{arm.name} against {trial.champion}: {trial.measure} {arm.gain:+.1%} [{arm.ci_low:+.1%}, "
                f"{arm.ci_high:+.1%}] ({trial.looks}{saved}): {arm.decision}"
            )
            lines += [
                f"  guardrail {g.column}: harm {g.harm:+.1%} [{g.ci_low:+.1%}, {g.ci_high:+.1%}], allowed "
                f"{g.margin:.1%}: {g.state}"
                for g in arm.guardrails
            ]
        return "\n".join(lines)


def read_trial(trial: Trial, outcomes: Outcomes, seen: float | None = None) -> Reading:
    """Read a test. UsageError where an arm has fewer than two customers.

    seen: where all its customers are there from the first day on and are watched for a time, the share of that time
    that has passed; None: customers come one after the other, and those whose outcome is in say how far it is.
    """
    counts = np.bincount(outcomes.arm, minlength=len(trial.arms))
    if counts.min() < 2:
        few = [name for name, many in zip(trial.arms, counts, strict=True) if many < 2]
        raise UsageError(f"test {trial.name}: fewer than two outcomes of {', '.join(few)}: nothing can be read yet.")
    p = split_p_value(counts, np.array(list(trial.arms.values())))
    by_name = dict(zip(trial.arms, counts.tolist(), strict=True))
    broken = p <= ALARM or outcomes.crossed > CROSSED * len(outcomes.arm)
    arms = tuple(_arm(trial, outcomes, number, broken, seen) for number in range(1, len(trial.arms)))
    champion = float(outcomes.measure[outcomes.arm == 0].mean())
    return Reading(trial, len(outcomes.arm), by_name, p, outcomes.crossed, champion, arms)


def _arm(trial: Trial, outcomes: Outcomes, number: int, broken: bool, seen: float | None) -> Arm:
    rows = (outcomes.arm == 0) | (outcomes.arm == number)
    challenger = outcomes.arm[rows] == number
    share = len(challenger) / len(outcomes.arm)
    brought = np.column_stack([outcomes.measure[rows], outcomes.guardrails[rows]])
    found, *harms = differences(brought, challenger, outcomes.covariates[rows])
    planned = trial.customers * share
    at = float(found.customers) if seen is None else seen * planned
    low, high = interval(trial, found, at, planned)
    scale = abs(found.champion) or abs(trial.mean)
    guarded = tuple(
        _guarded(trial, rail, harm, at, planned) for rail, harm in zip(trial.guardrails, harms, strict=True)
    )
    many = len(outcomes.arm) if seen is None else round(seen * trial.customers)
    decision = _decision(trial, low, high, many, guarded, broken)
    name, gain = list(trial.arms)[number], found.value / scale
    return Arm(
        name,
        int(challenger.sum()),
        found.challenger,
        gain,
        low / scale,
        high / scale,
        found.variance_saved,
        decision,
        guarded,
    )


def interval(trial: Trial, found: Difference, at: float, planned: float) -> tuple[float, float]:
    """Of the difference: at every look at once, or at the one look. at, planned: customers of these two arms."""
    if trial.looks == "any time":
        multiple = float(horizon_multiple(at, trial.level, planned))
    elif trial.looks == "late":
        multiple = float(late_multiple(at, trial.level, planned))
    else:
        multiple = float(-special.ndtri(trial.level / 2))
    return found.value - multiple * found.std_error, found.value + multiple * found.std_error


def _guarded(trial: Trial, rail: Guardrail, found: Difference, at: float, planned: float) -> Guarded:
    multiple = float(horizon_multiple(at, trial.level, planned))
    scale = abs(found.champion) or 1.0
    harm, half = -rail.better * found.value / scale, multiple * found.std_error / scale
    return Guarded(rail.column, harm, harm - half, harm + half, rail.margin)


def _decision(trial: Trial, low: float, high: float, customers: int, guarded: tuple[Guarded, ...], broken: bool) -> str:
    """The stop rule: what makes every figure void, what does harm, then what the test is about."""
    if broken:
        return BROKEN
    if customers < FIRST * trial.customers:
        return f"{GO_ON}: too early to read"
    if any(rail.state == "breached" for rail in guarded):
        return HARMED
    full = customers >= trial.customers
    if trial.looks == "once" and not full:
        return f"{GO_ON}: one look, at {trial.customers:,} customers"
    if low > 0.0:
        unsure = [rail.column for rail in guarded if rail.state == "open"]
        if not unsure:
            return BETTER
        known = f"{', '.join(unsure)} not shown to be kept"
        return f"{BETTER}, with {known}" if full else f"{GO_ON}: better so far, with {known}"
    if high < 0.0:
        return WORSE
    return NOT_SHOWN if full else f"{GO_ON}: {trial.customers - customers:,} customers to the planned size"
