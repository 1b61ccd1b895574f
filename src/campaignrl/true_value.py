"""What a policy is truly worth, which only the simulator knows; the yardstick for every estimate.

Three questions, three answers. `decision_value` and `decision_lift`: one decision by the target, everything else by the
logging policy, which is exactly what a bandit estimator reads off a decision log. `campaign_lift`: a whole campaign
by one policy against one by another, on the same customers with the same luck. `campaign_twins`: the same two lives
order by order, so that what a campaign caused can be told from what would have come anyway. Not here: estimates
(ope/), the best possible value (envs/truth/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl import rng
from campaignrl.arrays import Float, Int
from campaignrl.campaign import Campaign, ready_policy
from campaignrl.choices import actions_of_day, decide_rows
from campaignrl.envs import Panel
from campaignrl.envs.truth import Decide, Twins
from campaignrl.envs.truth.twins import twins
from campaignrl.errors import Problem, UsageError
from campaignrl.policies import PolicyReference
from campaignrl.policies.deep import Memory, memory_for
from campaignrl.rng import Purpose
from campaignrl.specs import World, WorldReference, load_world


class Value(NamedTuple):
    """A mean over customers with its standard error and normal interval."""

    value: float
    std_error: float
    ci_low: float
    ci_high: float


def mean_value(per_customer: Float, alpha: float = 0.05) -> Value:
    """Mean of independent customers' values (n,)."""
    mean, error = float(per_customer.mean()), float(per_customer.std(ddof=1) / np.sqrt(len(per_customer)))
    z = -float(special.ndtri(alpha / 2))
    return Value(mean, error, mean - z * error, mean + z * error)


def ratio_value(numerator: Float, denominator: Float, alpha: float = 0.05) -> Value:
    """Ratio of two means over the same customers (n,), e.g. cost per incremental order; error by the delta method."""
    below = float(denominator.mean())
    if below == 0.0:
        return Value(*[float("nan")] * 4)
    ratio = float(numerator.mean()) / below
    around = mean_value((numerator - ratio * denominator) / below, alpha)
    return Value(ratio, around.std_error, ratio + around.ci_low, ratio + around.ci_high)


def controlled_value(some: Float, control: Float, control_of_all: Float, alpha: float = 0.05) -> Value:
    """Mean over many customers of what is known of some of them, by a control variate known of all (regression).

    some, control: (m,) of the same customers; control_of_all: (n,), theirs among them. The error is that of the mean
    over these n customers, not over a population.
    """
    slope = float(np.cov(some, control)[0, 1] / control.var(ddof=1)) if control.any() else 0.0
    rest = mean_value(some - slope * control, alpha)
    return Value(
        rest.value + slope * float(control_of_all.mean()),
        rest.std_error,
        *(edge + slope * float(control_of_all.mean()) for edge in (rest.ci_low, rest.ci_high)),
    )


def campaign_value(campaign: Campaign) -> Value:
    """Contribution per customer over the campaign."""
    return mean_value(campaign.value)


def campaign_lift(campaign: Campaign, baseline: Campaign) -> Value:
    """Difference per customer between two campaigns on the same customers and seed, paired."""
    return mean_value(campaign.value - baseline.value)


def acting(policy: PolicyReference, world: World) -> Decide:
    """The policy as a way of deciding for a panel, with the draws that a campaign would use."""
    playing = ready_policy(policy, world)
    memory: Memory | None = None

    def decide(panel: Panel) -> Int:
        nonlocal memory
        if panel.day == 0:
            memory = memory_for(playing)
        return actions_of_day(panel, playing, memory)

    return decide


def campaign_twins(
    world: WorldReference,
    policy: PolicyReference,
    baseline: PolicyReference = "none",
    *,
    customers: int | Int = 20_000,
    seed: int = 0,
) -> Twins:
    """Each customer under `policy` and under `baseline`, with the same luck."""
    world = load_world(world)
    return twins(world, acting(policy, world), acting(baseline, world), customers=customers, seed=seed)


def decision_value(
    world: WorldReference,
    target: PolicyReference,
    logging: PolicyReference = "uniform",
    *,
    customers: int = 200_000,
    seed: int = 0,
) -> Value:
    """Value of one decision by `target` where all others are by `logging`, over the world's outcome window.

    Each customer's decision day is drawn evenly from the matured days of a log, so this is the mean over that
    log's rows that IPS and DR estimate, with an error that falls as 1 / sqrt(customers).
    """
    world = load_world(world)
    return mean_value(_one_decision(world, target, logging, customers, seed))


def decision_lift(
    world: WorldReference,
    target: PolicyReference,
    reference: PolicyReference | None = None,
    logging: PolicyReference = "uniform",
    *,
    customers: int = 100_000,
    seed: int = 0,
) -> Value:
    """`decision_value` of `target` less that of `reference` (None: of `logging`), the same customers and luck."""
    return decision_lifts(world, [target], reference, logging, customers=customers, seed=seed)[0]


def decision_lifts(
    world: WorldReference,
    targets: Sequence[PolicyReference],
    reference: PolicyReference | None = None,
    logging: PolicyReference = "uniform",
    *,
    customers: int = 100_000,
    seed: int = 0,
) -> list[Value]:
    """`decision_lift` of several targets over one reference, which is played once."""
    world = load_world(world)
    theirs = _one_decision(world, reference, logging, customers, seed)
    return [mean_value(_one_decision(world, target, logging, customers, seed) - theirs) for target in targets]


def _one_decision(
    world: World, target: PolicyReference | None, logging: PolicyReference, customers: int, seed: int
) -> Float:
    """(n,) reward over the window that begins with each customer's one decision by `target`."""
    if world.outcome_days > world.horizon:
        fix = "Else no decision's outcome window ends within the campaign."
        raise UsageError(Problem(world.name, "outcome_days", world.outcome_days, f"at most {world.horizon}", fix))
    usual = ready_policy(logging, world)
    once = usual if target is None else ready_policy(target, world)
    panel, window = Panel(world, customers, seed), world.outcome_days
    memory, other = memory_for(usual), memory_for(once)
    u = rng.uniform(panel.traits.key, seed, 0, Purpose.RESAMPLE)
    chosen = np.floor(u * (world.horizon - window + 1)).astype(np.int64)
    value = np.zeros(customers)
    while not panel.done:
        day = panel.day
        action = actions_of_day(panel, usual, memory)
        deviates = np.flatnonzero(chosen == day)
        if once is not usual and (len(deviates) or other is not None):
            action[deviates] = decide_rows(panel, once, deviates, other)
        reward = panel.step(action).reward
        value += np.where((chosen <= day) & (day < chosen + window), reward, np.float32(0.0))
    return value
