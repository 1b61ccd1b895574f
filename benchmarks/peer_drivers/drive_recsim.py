"""RecSim (Ie et al. 2019): its three environments, 20 candidates, slates of 2, random slates drawn beforehand."""

import random

from pace import report
from stand_in import stand_in_for

stand_in_for("tensorflow", "dopamine", "gin.tf")  # used by its learners and for writing metrics

from recsim.environments import interest_evolution, interest_exploration, long_term_satisfaction  # noqa: E402

CONFIG = {"num_candidates": 20, "slate_size": 2, "resample_documents": True, "seed": 0}


def play_of(environment):
    """A player of one environment."""
    env = environment.create_environment(CONFIG)
    env.reset()
    chance = random.Random(0)
    slates = [chance.sample(range(CONFIG["num_candidates"]), CONFIG["slate_size"]) for _ in range(997)]

    def play(count: int) -> None:
        for i in range(count):
            *_, done, _ = env.step(slates[i % 997])
            if done:
                env.reset()

    return play


report(
    {
        module.__name__.rpartition(".")[2]: play_of(module)
        for module in (interest_evolution, interest_exploration, long_term_satisfaction)
    }
)
