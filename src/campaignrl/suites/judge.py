"""A verdict for each world, policy and measure, from the values by seed of a base and a candidate.

Rows share alpha, so all intervals hold together. What may not be set against each other is said, never passed over.
Not here: which values are paired (compare.py), the statistics (statistics/), how the answer is shown (comparison.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.suites.comparison import Compared, Overall
from campaignrl.suites.measure_definitions import CONTRIBUTION, MEASURES
from campaignrl.suites.statistics import (
    INCONCLUSIVE,
    NEW,
    NO_EVIDENCE,
    REGRESSION,
    aggregate,
    paired_difference,
    relative_differences,
    seeds_to_decide,
    verdict,
)


class Pairing(NamedTuple):
    """Values by seed that stand against each other."""

    world: str
    policy: str
    base: dict[int, float]
    candidate: dict[int, float]
    measure: str = CONTRIBUTION

    def arrays(self) -> tuple[Float, Float]:
        """(n,) values of the base and of the candidate, in the order of the seeds."""
        values = np.array([(self.base[seed], self.candidate[seed]) for seed in sorted(self.base)])
        return values[:, 0], values[:, 1]


def judged(pairings: Sequence[Pairing], margins: Mapping[str, float], alpha: float) -> tuple[Compared, ...]:
    """A verdict for each pairing; those with evidence share alpha. margins: loss allowed by measure, a share."""
    reasons = [_lacking(pairing) for pairing in pairings]
    each = alpha / max(reasons.count(""), 1)
    return tuple(
        _judged(pairing, why, margins[pairing.measure], each) for pairing, why in zip(pairings, reasons, strict=True)
    )


def overall(pairings: Sequence[Pairing], alpha: float) -> tuple[Overall, ...]:
    """For each policy and measure that several worlds can be compared in: both aggregates over worlds and seeds."""
    groups: dict[tuple[str, str], list[Float]] = defaultdict(list)
    for pairing in pairings:
        if not _lacking(pairing):
            gained = relative_differences(*pairing.arrays()) * MEASURES[pairing.measure].better
            groups[pairing.policy, pairing.measure].append(gained)
    return tuple(
        Overall(policy=policy, measure=measure, worlds=len(worlds), **aggregate(worlds, alpha)._asdict())
        for (policy, measure), worlds in groups.items()
        if len(worlds) > 1
    )


def _judged(pairing: Pairing, reason: str, margin: float, alpha: float) -> Compared:
    world, policy, measure = pairing.world, pairing.policy, pairing.measure
    if reason:
        word = NEW if not pairing.base and pairing.candidate else NO_EVIDENCE
        seeds = len(pairing.base)
        return Compared(world, policy, measure, seeds=seeds, margin=margin, verdict=word, reason=reason)
    found = paired_difference(*pairing.arrays(), alpha)
    more = MEASURES[measure].better > 0
    low, high = (found.ci_low, found.ci_high) if more else (-found.ci_high, -found.ci_low)
    word = verdict(low, high, margin)
    bound = "lies below" if more else "lies above"
    why = f"the whole interval {bound} {-margin if more else margin:.1%}" if word == REGRESSION else ""
    gain = found.difference if more else -found.difference
    undecided = word == INCONCLUSIVE
    facts = found._asdict()
    higher = facts.pop("probability_higher")
    return Compared(
        world,
        policy,
        measure,
        verdict=word,
        reason=why,
        margin=margin,
        probability_of_improvement=higher if more else 1.0 - higher,
        seeds_if_as_seen=seeds_to_decide(abs(gain + margin), found.spread, alpha) if undecided else None,
        seeds_if_equal=seeds_to_decide(margin, found.spread, alpha) if undecided else None,
        **facts,
    )


def _lacking(pairing: Pairing) -> str:
    """Why there is nothing to judge, or ""."""
    base, candidate = pairing.base, pairing.candidate
    if not base:
        return "the base has no such policy" if candidate else "neither has such rows"
    missing = sorted(base.keys() ^ candidate.keys())
    if missing:
        many = ", ".join(str(seed) for seed in missing[:10]) + (" ..." if len(missing) > 10 else "")
        return f"rows are missing (seed {many})" if candidate else "the candidate has no such policy"
    if len(base) < 2:
        return "one seed says nothing about chance: give at least 2"
    return "the base is worth 0, so no share of it can be had" if sum(base.values()) == 0.0 else ""
