"""Every run of a suite, in the order of the report, and what it will be able to detect, before anything runs.

Touches no disk, draws nothing. Not here: what was detected in the end (compare.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from campaignrl.suites.statistics import SURE, detectable_difference
from campaignrl.suites.suite import NONE, Gate, Suite

ALPHA = 0.05  # of a comparison of all rows together


class Run(NamedTuple):
    """One policy in one world with one seed."""

    world: str
    policy: str
    seed: int

    @property
    def id(self) -> str:
        """For people."""
        return f"{self.world}/{self.policy}/{self.seed}"


def plan(suite: Suite) -> tuple[Run, ...]:
    """All runs; `none` comes first in each world, for every gain is measured from it."""
    return tuple(
        Run(world, policy, seed) for world in suite.world_of for policy in suite.policies for seed in range(suite.seeds)
    )


class Sizes(Protocol):
    """What a sentence about a plan needs to know of a suite."""

    @property
    def seeds(self) -> int:
        """How many."""

    @property
    def compare(self) -> Gate:
        """The margins."""


def planned_detectable(suite: Suite, alpha: float = ALPHA) -> dict[str, float | None]:
    """By policy: the loss of contribution that `compare` calls a regression with a chance of SURE, a share.

    Margin + (t(1 - alpha / 2 / rows) + t(SURE)) x spread / sqrt(seeds), the rows of the suite sharing alpha. None
    where the suite does not state a spread, or where one seed says nothing.
    """
    rows = len(suite.worlds) * len(suite.spreads) * (1 + len(suite.compare.margins))
    return {
        policy: None
        if spread is None or suite.seeds < 2
        else suite.compare.margin + detectable_difference(spread, suite.seeds, alpha / max(rows, 1), SURE)
        for policy, spread in suite.spreads.items()
    }


def planned_sentence(detectable: Mapping[str, float | None], suite: Sizes) -> str:
    """For the first line of what a benchmark says; "" where nothing can be planned."""
    known = {policy: least for policy, least in detectable.items() if least is not None}
    if not known:
        return ""
    each = ", ".join(f"{policy} {least:.1%}" for policy, least in known.items())
    unknown = [policy for policy in detectable if policy not in known and policy != NONE]
    rest = f"; not known for {', '.join(unknown)} (no `spread`)" if unknown else ""
    return (
        f"With {suite.seeds} seeds, `compare` calls these losses a regression in {SURE:.0%} of cases "
        f"(margin {suite.compare.margin:.1%} allowed): {each}{rest}."
    )
