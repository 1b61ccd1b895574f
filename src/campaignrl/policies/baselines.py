"""What every policy is held against: sending nothing, business as usual, the best fixed action.

Business as usual is the table of rules that is bundled for the world, where there is one that fits it. The best fixed
action is chosen by playing whole campaigns, in expectation, on customers of its own. Not here: the comparison
(rollout/acceptance.py, proof/). n customers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Float, Int
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs import Panel, morning
from campaignrl.envs.expected_reward import expected_reward
from campaignrl.envs.truth import Decide, always, live
from campaignrl.errors import CampaignError
from campaignrl.guard import Spending
from campaignrl.policies.base import Policy, certain_action, drawn_action
from campaignrl.policies.loading import build_policy
from campaignrl.rng import Purpose
from campaignrl.specs import World, bundled_files

NOTHING, USUAL, FIXED = "nothing", "business as usual", "best fixed action"
OWN_RULES = {"ecommerce": "rules"}  # the others' are called rules_WORLD
FEW = 8  # times as few customers in the first heat
LEFT = 4  # of the actions, one in so many goes on to the second


def baselines_of(world: World, *, customers: Int, seed: int) -> Mapping[str, Policy]:
    """By name, the policies to be beaten; `USUAL` only where a bundled table of rules fits the world.

    Args:
        world: in which they play.
        customers: (n,) ids to choose the best fixed action on; not to be used for the comparison itself.
        seed: of their luck.
    """
    found = {NOTHING: build_policy({"kind": "none"}, world.catalog, world.features)}
    usual = business_as_usual(world)
    if usual is not None:
        found[USUAL] = usual
    best = best_fixed(world, customers=customers, seed=seed)
    if best is not None:
        action = world.catalog.names[best]
        found[FIXED] = build_policy({"kind": "always", "action": action}, world.catalog, world.features)
    return found


def business_as_usual(world: World) -> Policy | None:
    """The bundled rules of the world; None where there are none, or they are of another catalog."""
    name = OWN_RULES.get(world.name, f"rules_{world.name}")
    if name not in bundled_files("policies"):
        return None
    try:
        return build_policy(name, world.catalog, world.features)
    except CampaignError:  # a world of somebody's own that is called like one of ours
        return None


def best_fixed(world: World, *, customers: Int, seed: int) -> int | None:
    """The action that brings most when it is sent whenever it is allowed; None in a catalog of `none` alone.

    In two heats: all actions on an eighth of the customers, the best quarter of them on all.
    """
    racing = [a for a in range(len(world.catalog)) if a != NONE]
    few = customers[: max(len(customers) // FEW, 1)]
    for ids, go_on in ((few, max(-(-len(racing) // LEFT), 3)), (customers, 1)):
        if len(racing) > go_on:
            value = dict(zip(racing, fixed_values(world, racing, ids, seed).mean(axis=1), strict=True))
            racing = sorted(racing, key=lambda a: (-value[a], a))[:go_on]
    return racing[0] if racing else None


def fixed_values(world: World, actions: Sequence[int], customers: Int, seed: int) -> Float:
    """(a, n) expected contribution of each customer's campaign under each action, sent whenever it is allowed.

    Side by side, the same luck for all; one after the other where a budget or a capacity ties customers together.
    """
    if Spending(world, len(customers)).is_limited:
        return np.stack(
            [live(world, always(a), customers=customers, seed=seed, expects=True)["expected"] for a in actions]
        )
    p, n = parameters(world), len(customers)
    panel = Panel(world, customers, seed, threads=1).take(np.tile(np.arange(n), len(actions)))
    wanted, total = np.repeat(np.asarray(actions, dtype=np.int16), n), np.zeros(n * len(actions))
    for day in range(world.horizon):
        rows = panel.reachable()
        may = panel.allowed(panel.observe(rows), rows)[np.arange(len(rows)), wanted[rows]]
        action = np.full(len(panel), NONE, dtype=np.int16)
        action[rows] = np.where(may, wanted[rows], NONE)
        was = morning(panel.state)
        outcome = panel.step(action)
        total += expected_reward(was, panel.traits, action, outcome, day, p)
    return total.reshape(len(actions), n)


def deciding(policy: Policy) -> Decide:
    """A policy that remembers nothing as a way of deciding for a panel, with the draws that a campaign would use."""

    def decide(panel: Panel) -> Int:
        action, rows = np.full(len(panel), NONE, dtype=np.int64), panel.reachable()
        if len(rows):
            context = panel.observe(rows)
            may = panel.allowed(context, rows)
            sure = certain_action(policy, context, may)
            u = rng.uniform(panel.traits.key[rows], panel.seed, panel.day, Purpose.ACTION)
            action[rows] = drawn_action(policy, context, may, u) if sure is None else sure
        return action

    return decide
