"""Every run of a suite, in the order of the report, before anything runs. Touches no disk, draws nothing."""

from __future__ import annotations

from typing import NamedTuple

from campaignrl.suites.suite import Suite


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
