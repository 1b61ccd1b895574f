"""The verb that teaches a learner, from a decision log or in a world.

Here: who provides the experience. Not here: how a policy learns (policies/), how good it is (evaluate/).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campaignrl.errors import Problem, UsageError
from campaignrl.policies.base import Learner, Policy
from campaignrl.policies.catalog import load_policy
from campaignrl.simulate import Progress, simulate
from campaignrl.specs.world import World, load_world
from campaignrl.tables.decisions import DecisionLog


def train(
    policy: str | Path | Learner,
    source: str | Path | World | DecisionLog,
    *,
    customers: int = 20_000,
    rounds: int = 1,
    explore: str | Path | Policy = "uniform",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Learner:
    """A learner by name, spec or bundle, taught from a log, or in a world; returns the trained policy.

    From a log: one update with its matured rows. In a world: `rounds` campaigns of `customers` new customers each,
    the first played by `explore`, the later ones by the learner itself, with an update after each.
    """
    if isinstance(source, DecisionLog):
        learner = ready_learner(policy, source)
        learner.update(source)
        return learner
    world = load_world(source)
    learner = ready_learner(policy, world)
    playing: str | Path | Policy = explore
    for number in range(rounds):
        ids = np.arange(number * customers, (number + 1) * customers)  # each round meets new customers
        learner.update(simulate(world, playing, customers=ids, seed=seed, threads=threads, progress=progress))
        playing = learner
    return learner


def ready_learner(policy: str | Path | Learner, source: World | DecisionLog) -> Learner:
    """The learner for the catalog and features of `source`; a policy that learns nothing is a UsageError."""
    catalog = source.catalog
    schema = source.features if isinstance(source, World) else source.context.schema
    found = load_policy(policy, catalog, schema) if isinstance(policy, str | Path) else policy
    if not isinstance(found, Learner):
        fix = "Learners: lin_ts, dr_greedy. A fixed policy needs no training."
        raise UsageError(Problem("train", "policy", found.name, "a policy that learns", fix))
    return found
