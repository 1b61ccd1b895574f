"""What each allowed action is expected to bring over sending nothing, to the end of the campaign: labels without luck.

From the true state, as the greedy oracle sees it: what may be opened and clicked today is summed exactly, and the days
to the end are followed at their mean, nothing else being sent. Beside a rollout (rollout_labels.py) such a label costs
a ninth and has no noise; what it leaves out is what a send that stays unopened does to later days, which is mostly a
matter of the channel. Who learns from it sees the observation alone. n customers, m states, k actions, D columns of an
encoded observation.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Int
from campaignrl.dynamics import Parameters
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import Effect
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.oracles.greedy_oracle import action_gains
from campaignrl.envs.truth.rollout_labels import RolloutLabels, explored
from campaignrl.envs.truth.twins import Decide
from campaignrl.features import FeatureSchema
from campaignrl.specs import World

DAYS = 12  # of the campaign on which these customers are looked at, all on the same


def can_be_expected(p: Parameters) -> bool:
    """Whether every effect of the world says what a day does to its stocks on average."""
    return all(not e.spec.stocks or type(e).live_mean is not Effect.live_mean for e in p.effects)


def expected_labels(
    world: World,
    behave: Decide,
    customers: Int,
    *,
    seed: int,
    generator: np.random.Generator,
    explore: float = 0.1,
    share: float = 0.5,
    features: FeatureSchema | None = None,
) -> RolloutLabels:
    """Labels on `DAYS` days drawn for all of these customers, of a share of those who have a choice then.

    Args:
        world: whose behaviour model is followed; see `can_be_expected`.
        behave: how customers are met until then; the states visited are its own.
        customers: (n,) ids, fresh ones for every call.
        seed: of the customers' luck.
        generator: of the days, of who is looked at, and of what is tried at random.
        explore: share of days on which `behave` gives way to a random allowed action.
        share: of those who have a choice on such a day, who are looked at.
        features: what is seen of a state; None: all that the world shows.
    """
    features = features or world.features
    panel, p, k = Panel(world, customers, seed, threads=1), parameters(world), len(world.catalog)
    when = np.sort(generator.choice(world.horizon, min(DAYS, world.horizon), replace=False))
    seen, gain = [np.zeros((0, features.width), np.float32)], [np.zeros((0, k), np.float32)]
    while len(panel) and panel.day <= when[-1]:
        rows = panel.reachable()  # to the others only `none` is allowed
        context = panel.observe(rows)
        may = panel.allowed(context, rows)
        if panel.day in when:
            asked = np.flatnonzero((may.sum(axis=1) > 1) & (generator.random(len(rows)) < share))
            some = panel.take(rows[asked])
            value = action_gains(world, some.traits, some.state, panel.day, p, may[asked], days=world.horizon)
            seen.append(context.take(asked).encode(features))
            gain.append(np.where(may[asked], value, np.float32(np.nan)))
        action = np.asarray(behave(panel)).astype(np.int16)
        panel.step(explored(action, rows, may, explore, generator))
    return RolloutLabels(np.concatenate(seen), np.concatenate(gain))
