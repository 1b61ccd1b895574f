"""SCOPE-RL's recgym (Kiyohara et al. 2023): the bare class without gym's checks; random items drawn beforehand."""

import random

from pace import report
from recgym import RECEnv

ITEMS = 5  # its default


def play_of(env):
    """A player; the environment starts anew by itself at an end."""
    env.reset(seed=0)
    chance = random.Random(0)
    items = [chance.randrange(ITEMS) for _ in range(997)]

    def play(count: int) -> None:
        for i in range(count):
            env.step(items[i % 997])

    return play


report({"recgym": play_of(RECEnv(n_items=ITEMS, random_state=0))})
