"""What a policy is truly worth, which only the simulator knows; the yardstick for every estimate.

Two questions, two answers. `decision_value`: one decision by the target, everything else by the logging policy:
exactly what a bandit estimator reads off a decision log. `campaign_lift`: the whole campaign by one policy against
the whole campaign by another, on the same customers with the same luck. Not here: estimates from logs (evaluate/).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from campaignrl import rng
from campaignrl.envs.panel import Panel
from campaignrl.policies.base import Policy
from campaignrl.rng import Purpose
from campaignrl.simulate import Campaign, decide_day, ready_policy
from campaignrl.specs.world import World, load_world

Float = npt.NDArray[np.float64]


class Value(NamedTuple):
    """A mean over customers with its standard error and normal interval."""

    value: float
    std_error: float
    ci_low: float
    ci_high: float


def mean_value(per_customer: Float, alpha: float = 0.05) -> Value:
    """Mean of independent customers' values (n,)."""
    mean, error = float(per_customer.mean()), float(per_customer.std(ddof=1) / np.sqrt(len(per_customer)))
    z = float(stats.norm.isf(alpha / 2))
    return Value(mean, error, mean - z * error, mean + z * error)


def campaign_value(campaign: Campaign) -> Value:
    """Contribution per customer over the campaign."""
    return mean_value(campaign.value)


def campaign_lift(campaign: Campaign, baseline: Campaign) -> Value:
    """Difference per customer between two campaigns on the same customers and seed, paired."""
    return mean_value(campaign.value - baseline.value)


def decision_value(
    world: str | Path | World,
    target: str | Path | Policy,
    logging: str | Path | Policy = "uniform",
    *,
    customers: int = 200_000,
    seed: int = 0,
) -> Value:
    """Value of one decision by `target` where all others are by `logging`, over the world's outcome window.

    Each customer's decision day is drawn evenly from the matured days of a log, so this is the mean over that
    log's rows that IPS and DR estimate, with an error that falls as 1 / sqrt(customers).
    """
    world = load_world(world)
    target, logging = ready_policy(target, world), ready_policy(logging, world)
    panel = Panel(world, customers, seed)
    window = world.outcome_days
    u = rng.uniform(panel.traits.key, seed, 0, Purpose.RESAMPLE)
    chosen = np.floor(u * (world.horizon - window + 1)).astype(np.int64)
    value = np.zeros(customers)
    while not panel.done:
        day = panel.day
        action = decide_day(panel, logging).action
        deviates = chosen == day
        action = np.where(deviates, decide_day(panel, target).action, action)
        reward = panel.step(action).reward
        value += np.where((chosen <= day) & (day < chosen + window), reward, np.float32(0.0))
    return mean_value(value)
