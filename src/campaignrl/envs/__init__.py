"""Worlds that can be stepped.

panel.py         n customers day by day: the engine (no gymnasium)
cohorts.py       customers who share a calendar, and their places in a batch
vector.py        n customers as a gymnasium VectorEnv
single.py        one customer as a gymnasium Env
bandit.py        one decision a customer, single and vector
sb3.py           the vector environments for stable-baselines3 (extra `rl`); `campaignrl.envs.sb3` loads it when named
vector_checks.py         what must hold of a vector environment
simulation.py         the panel by the hour: sends that queue, wait for the morning, are retried, given up or expire
                 queues.py  servers and waits, sends.py  what they are asked for, response_times.py  when within a day,
                 answers.py, event_log.py  the event log and the load of channels
truth/           what only the simulator knows: twins, oracles, bounds
registration.py  the ids that `gymnasium.make` finds
"""

from importlib import import_module
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    if name != "sb3":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.sb3")
