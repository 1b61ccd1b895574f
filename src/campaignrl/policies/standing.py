"""How a policy stands against sending nothing, business as usual and the best fixed action: the record in its bundle.

Here: the record, what in it is in doubt, and reading it back, for `decide` and whatever else uses a policy. Not here:
playing or estimating the comparison (proof/).
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.policies.base import Policy
from campaignrl.policies.baselines import NOTHING, USUAL

ALPHA = 0.05  # chance that an interval misses, where nobody asks for another
Z = 1.959964  # of a two-sided 95 % interval
PROOF = "proof"  # of the facts about a policy's training
MARGIN = 0.1  # of a baseline's gain over nothing: a policy must be shown to lose less than this against it
SKIPPED = "It was not held against sending nothing when it was trained (--no-proof)."


class Gain(NamedTuple):
    """Mean difference with its interval, of 95 % unless another was asked for, in the unit of the record."""

    mean: float
    low: float
    high: float

    def said(self, unit: str) -> str:
        """In words, such as +0.42 CNY a customer [+0.11, +0.74]."""
        return f"{self.mean:+.4g} {unit} [{self.low:+.4g}, {self.high:+.4g}]"


def paired_gain(ours: Float, theirs: Float, alpha: float = ALPHA) -> Gain:
    """Of values (n,) of the same customers under two ways of deciding; a normal interval that misses with `alpha`."""
    over, z = ours - theirs, Z if alpha == ALPHA else NormalDist().inv_cdf(1.0 - alpha / 2.0)
    mean, half = float(over.mean()), z * float(over.std(ddof=1)) / float(np.sqrt(len(over)))
    return Gain(mean, mean - half, mean + half)


class Standing(NamedTuple):
    """What came of the comparison.

    on: what it was made on; unit: of the gains; over: by the baseline's name; verdict: whether a log can answer at all,
    "" in a world; doubts: a sentence for each thing that is not shown; none: the policy may be used.
    """

    on: str
    unit: str
    over: Mapping[str, Gain]
    verdict: str = ""
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, on: str, unit: str, over: Mapping[str, Gain], verdict: str = "", why: tuple[str, ...] = ()) -> Standing:
        """With the doubts that follow from the gains; why: further ones, such as that the log cannot answer."""
        return cls(on, unit, over, verdict, (*why, *doubts(over, unit)))

    @property
    def is_better(self) -> bool:
        """Shown to bring more than nothing, and not less than the other baselines by more than the margin."""
        return not self.doubts

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, for the facts of a bundle."""
        over = {name: [_plain(figure) for figure in gain] for name, gain in self.over.items()}
        return {"on": self.on, "unit": self.unit, "over": over, "verdict": self.verdict, "doubts": list(self.doubts)}


def doubts(over: Mapping[str, Gain], unit: str) -> tuple[str, ...]:
    """What gains over the baselines do not show: more than nothing, and no less than the others but for the margin.

    A baseline's own gain over nothing is the difference of ours over the two.
    """
    said = []
    for name, gain in over.items():
        if name == NOTHING:
            if not gain.low > 0.0:
                said.append(f"It is not shown to bring more than sending nothing: {gain.said(unit)}.")
            continue
        theirs = over[NOTHING].mean - gain.mean if NOTHING in over else 0.0
        if not gain.low >= -MARGIN * max(theirs, 0.0):
            other = name if name == USUAL else f"the {name}"
            said.append(
                f"It is not shown to lose less than {MARGIN:.0%} of the gain of {other} against it: {gain.said(unit)}."
            )
    return tuple(said)


def doubts_of(policy: Policy) -> tuple[str, ...]:
    """What the bundle that a policy came from says is not shown; nothing of one that is of no bundle, or an old one.

    Example:
        >>> import campaignrl as crl
        >>> from campaignrl.policies import doubts_of
        >>> doubts_of(crl.load_policy("none", "coupon_trap"))
        ()
    """
    facts = getattr(policy, "trained_on", {}).get(PROOF)
    if not isinstance(facts, Mapping):
        return ()
    said = facts.get("doubts", ())
    return tuple(text for text in said if isinstance(text, str)) if isinstance(said, list | tuple) else ()


def skipped() -> dict[str, Any]:
    """The record of a policy that nobody has held against anything."""
    return {"on": "", "unit": "", "over": {}, "verdict": "", "doubts": [SKIPPED]}


def _plain(figure: float) -> float | None:
    return float(figure) if abs(figure) < float("inf") else None
