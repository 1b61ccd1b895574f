"""Who is kept in the end: a candidate that is shown to bring more than every baseline, else the best shown baseline.

The candidate is chosen on some fresh customers and judged on others, paired: the same customers with the same luck, in
expectation. Not here: the candidates (trainer.py), what every learner is held against once it is trained (proof/).
n customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from campaignrl.arrays import Float, Int
from campaignrl.envs.truth import Decide, live
from campaignrl.policies.base import Policy
from campaignrl.policies.baselines import NOTHING, deciding
from campaignrl.policies.standing import Gain, paired_gain
from campaignrl.specs import World


class Verdict(NamedTuple):
    """accepted: whether the candidate is kept; kept: the name of what is; over: its gain over each baseline."""

    accepted: bool
    kept: str
    over: dict[str, Gain]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"accepted": self.accepted, "kept": self.kept, "over": {n: list(g) for n, g in self.over.items()}}


def best_of(world: World, ways: Mapping[str, Decide], *, customers: Int, seed: int) -> str:
    """The name of the way of deciding that brings most on these customers; the first one of equals."""
    value = {name: _played(world, decide, customers, seed).mean() for name, decide in ways.items()}
    return max(value, key=lambda name: value[name])


def judged(
    world: World, candidate: tuple[str, Decide], against: Mapping[str, Policy], *, customers: Int, seed: int
) -> Verdict:
    """Accept the candidate where the lower end of its gain over every baseline is above 0, else name the baseline.

    That is the one with the highest mean among those whose gain over nothing is shown, and else nothing itself.
    """
    name, decide = candidate
    ours = _played(world, decide, customers, seed)
    theirs = {n: _played(world, deciding(policy), customers, seed) for n, policy in against.items()}
    over = {n: paired_gain(ours, values) for n, values in theirs.items()}
    if all(gain.low > 0.0 for gain in over.values()):
        return Verdict(True, name, over)
    idle = theirs[NOTHING]
    shown = [n for n, values in theirs.items() if n != NOTHING and paired_gain(values, idle).low > 0.0]
    return Verdict(False, max(shown, key=lambda n: theirs[n].mean(), default=NOTHING), over)


def _played(world: World, decide: Decide, customers: Int, seed: int) -> Float:
    return live(world, decide, customers=customers, seed=seed, expects=True)["expected"]
