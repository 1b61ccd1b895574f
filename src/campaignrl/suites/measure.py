"""One run of a benchmark: train the policy if it learns, play it on the evaluation customers, take the figures.

Every policy meets the same customers with the same luck (rng.py), so differences between policies are paired. Not
here: which runs there are (plan.py), how sure a difference is (paired_test.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from campaignrl.campaign import Campaign, run_campaign
from campaignrl.policies import Learner, Policy, is_trained, load_policy, one_blas_thread
from campaignrl.policies.deep import WorldLearner
from campaignrl.specs import Spec, World
from campaignrl.suites.identity import suite_world
from campaignrl.suites.plan import Run
from campaignrl.suites.suite import Label, Suite, Training
from campaignrl.training import train

FIRST_EVALUATED = 1 << 40  # id; training customers count up from 0, so no customer is in both


class Measured(Spec):
    """Figures of one run, each per customer over the campaign; money in the world's currency."""

    world: Label
    policy: Label
    seed: int
    value: float  # contribution: margin - discounts - cost of sends - value of lost permissions
    value_std: float  # between customers; for information, since customers of one seed share the training
    revenue: float
    discount: float
    cost: float
    sends: float
    orders: float
    unsubscribes: float


def measure(suite: Suite, run: Run) -> Measured:
    """Play one run of the plan; the same figures in any process."""
    world = suite_world(suite, suite.world_of[run.world])
    campaign = play(world, suite.policies[run.policy], run.seed, suite.customers, suite.train)
    return figures(campaign, run)


def play(world: World, policy: str | Path | Policy, seed: int, customers: int, training: Training) -> Campaign:
    """A campaign on the evaluation customers; a learner given by reference and untrained is taught first."""
    with one_blas_thread():
        ready = policy if isinstance(policy, Policy) else trained(world, policy, seed, training)
        return run_campaign(world, ready, customers=evaluation_ids(customers), seed=seed, threads=1)


def trained(world: World, reference: str | Path, seed: int, training: Training) -> Policy:
    """The policy, ready to play; the seed keys both its own draws and the customers it is taught on."""
    policy = load_policy(reference, world.catalog, world.features, seed)
    if not isinstance(policy, Learner | WorldLearner) or is_trained(policy):
        return policy
    n, explore = training.customers, training.explore
    rounds = training.rounds if training.rounds > 1 else None  # a learner may have rounds of its own
    return train(policy, world, customers=n, rounds=rounds, explore=explore, seed=seed, threads=1)


def evaluation_ids(customers: int) -> npt.NDArray[np.int64]:
    """Ids (n,) of customers that no training of ours meets."""
    return np.arange(FIRST_EVALUATED, FIRST_EVALUATED + customers, dtype=np.int64)


def figures(campaign: Campaign, run: Run) -> Measured:
    """Means over the customers of a campaign."""
    mean = {name: float(values.mean()) for name, values in campaign.totals.items()}
    return Measured(
        **run._asdict(),
        value=mean["reward"],
        value_std=float(campaign.value.std(ddof=1)),
        revenue=mean["revenue"],
        discount=mean["discount"],
        cost=mean["cost"],
        sends=mean["sent"],
        orders=mean["bought"],
        unsubscribes=mean["unsubscribed"],
    )
