"""RecoGym (Rohde et al. 2018): version 1, random recommendations drawn beforehand; a step is one bandit event.

The organic views between two bandit events belong to the step, as its own `step` has it.
"""

import random

import scipy
from pace import report
from stand_in import stand_in_for

stand_in_for("torch", "tensorflow", "pystan")  # used by its agents
if not hasattr(scipy, "rand"):
    scipy.rand = random.random  # one of its agents imports the name, which scipy no longer has

from recogym import env_1_args  # noqa: E402
from recogym.envs.reco_env_v1 import RecoEnv1  # noqa: E402


def play_of(products: int):
    """A player of one environment with so many products."""
    env = RecoEnv1()
    env.init_gym({**env_1_args, "random_seed": 0, "num_products": products})
    chance, user = random.Random(0), 0
    items = [chance.randrange(products) for _ in range(997)]

    def next_user() -> None:
        nonlocal user
        done = True
        while done:
            user += 1
            env.reset(user)
            *_, done, _ = env.step(None)

    next_user()

    def play(count: int) -> None:
        for i in range(count):
            *_, done, _ = env.step(items[i % 997])
            if done:
                next_user()

    return play


report({f"v1, {products} products": play_of(products) for products in (10, 100)})
