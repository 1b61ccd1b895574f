"""What each allowed action would bring over sending nothing, to the end of the campaign: labels by paired rollouts.

At one random day of each customer every allowed action is tried and nothing is sent afterwards, with the same luck and
in expectation; the label is the difference from `none` (Lagoudakis & Parr 2003, "Reinforcement Learning as
Classification"; Lazaric, Ghavamzadeh & Munos 2010). Not here: who learns from them. n customers, m states, k actions,
D columns of an encoded observation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.expected_reward import expected_reward, morning
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.twins import Decide
from campaignrl.features import FeatureSchema
from campaignrl.specs import World


class RolloutLabels(NamedTuple):
    """Observed states, and what every action would bring there.

    seen: (m, D) encoded observations; gain: (m, k) over `none`, currency; NaN where an action was refused.
    """

    seen: Float32
    gain: Float32


def rollout_labels(
    world: World,
    behave: Decide,
    customers: Int,
    *,
    seed: int,
    generator: np.random.Generator,
    explore: float = 0.1,
    features: FeatureSchema | None = None,
) -> RolloutLabels:
    """Labels at one day of each customer who has a choice then; none at all where nobody ever has one.

    Args:
        world: whose behaviour model is rolled out.
        behave: how customers are met until the day; the states visited are its own.
        customers: (n,) ids, fresh ones for every call.
        seed: of the customers' luck.
        generator: of the days and of what is tried at random.
        explore: share of days on which `behave` gives way to a random allowed action.
        features: what is seen of a state; None: all that the world shows.
    """
    features = features or world.features
    panel, k = Panel(world, customers, seed, threads=1), len(world.catalog)
    when: Int = generator.integers(0, world.horizon, len(panel))
    seen, gain = [np.zeros((0, features.width), np.float32)], [np.zeros((0, k), np.float32)]
    while not panel.done and len(panel):
        rows = panel.reachable()  # to the others only `none` is allowed
        context = panel.observe(rows)
        may = panel.allowed(context, rows)
        asked = np.flatnonzero((when[rows] == panel.day) & (may.sum(axis=1) > 1))
        if len(asked):
            value = _values(panel, rows[asked], may[asked])
            seen.append(context.take(asked).encode(features))
            gain.append(value - value[:, :1])
        panel.step(explored(np.asarray(behave(panel)).astype(np.int16), rows, may, explore, generator))
        panel, when = _still_asked(panel, when)
    return RolloutLabels(np.concatenate(seen), np.concatenate(gain))


def explored(
    action: npt.NDArray[np.int16], rows: Int, may: Bool, explore: float, generator: np.random.Generator
) -> npt.NDArray[np.int16]:
    """(n,) actions, of which a share gives way to a random one of the allowed; may (m, k) of the reachable `rows`."""
    tried = np.flatnonzero(generator.random(len(action))[rows] < explore)
    action[rows[tried]] = np.where(may[tried], generator.random((len(tried), may.shape[1])), -1.0).argmax(axis=1)
    return action


def _still_asked(panel: Panel, when: Int) -> tuple[Panel, Int]:
    """The panel without those whose day is over, once they are half of it: they teach nothing any more."""
    left = np.flatnonzero(when >= panel.day)
    return (panel, when) if 2 * len(left) > len(panel) else (panel.take(left), when[left])


def _values(panel: Panel, rows: Int, may: Bool) -> Float32:
    """(m, k) expected contribution from today to the end, by the action of today; nothing is sent after it."""
    world, p = panel.world, parameters(panel.world)
    which, action = np.nonzero(may)
    branch, total = panel.take(rows[which]), np.zeros(len(which))
    for day in range(panel.day, world.horizon):
        today = action.astype(np.int16) if day == panel.day else np.full(len(which), NONE, dtype=np.int16)
        was = morning(branch.state)
        outcome = branch.step(today)
        total += expected_reward(was, branch.traits, today, outcome, day, p)
    value = np.full(may.shape, np.nan, dtype=np.float32)
    value[which, action] = total
    return value
