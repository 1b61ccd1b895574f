"""On fresh customers of a world, paired: the same customers with the same luck.

Whole campaigns in expectation, so that a few thousand customers tell; budget and capacity are kept. Not here: which
baselines there are (policies/baselines.py), what is made of the gains (policies/standing.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.envs.truth import live
from campaignrl.policies import NOTHING, Policy, Standing, baselines_of, exploring, one_blas_thread, paired_gain
from campaignrl.specs import World
from campaignrl.true_value import acting

FIRST_ID = 1 << 43  # of customers that no training and no evaluation of ours meets
CHOSEN_ON = 2  # times fewer customers than are played, on whom the best fixed action is chosen


def prove_in_world(policy: Policy, world: World, customers: int, seed: int, explore: float, alpha: float) -> Standing:
    """How `policy` stands on so many fresh customers, against the baselines of the world.

    explore: share that all of them draw at random but for who sends nothing, so that drawing is held against nobody;
    alpha: chance that an interval misses.
    """
    few = max(customers // CHOSEN_ON, 1)
    ids = FIRST_ID + np.arange(customers)
    with one_blas_thread():
        usual = baselines_of(world, customers=FIRST_ID + customers + np.arange(few), seed=seed)
        against = {name: one if name == NOTHING else exploring(one, explore) for name, one in usual.items()}
        ours, theirs = (
            [live(world, acting(one, world), customers=ids, seed=seed, expects=True)["expected"] for one in some]
            for some in ([policy], against.values())
        )
    over = {name: paired_gain(ours[0], values, alpha) for name, values in zip(against, theirs, strict=True)}
    unit = f"{world.money.currency} a customer"
    return Standing.of(f"world {world.name}, {customers:,} fresh customers", unit, over)
