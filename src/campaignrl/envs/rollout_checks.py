"""Playing an episode of a vector environment and keeping all that it returned; the raw material of its checks.

Not here: what must hold of it (vector_checks.py, episode_end_checks.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from campaignrl.arrays import Array
from campaignrl.errors import Problem
from campaignrl.rng import Purpose, generator

Env = VectorEnv[Any, Any, Any]
Single = gymnasium.Env[Any, Any]

SEED = 20_000  # of the episodes played here
LONGEST = 10_000  # steps; an episode that is not over by then counts as endless


class Rollout(NamedTuple):
    """What one call of `reset` (rewards and flags None) or `step` returned."""

    observation: Array
    reward: Array | None
    terminated: Array | None
    truncated: Array | None
    infos: dict[str, Any]

    @property
    def ended(self) -> Array:
        """(n,) flags of either kind."""
        n = len(self.observation)
        if self.terminated is None or self.truncated is None:
            return np.zeros(n, dtype=bool)
        ended: Array = np.asarray(self.terminated) | np.asarray(self.truncated)
        return ended


def wrong(check: str, value: object, allowed: str) -> Problem:
    """One finding, named by its check."""
    return Problem("vector environment", check, value, allowed)


def masked_actions(env: Env, mask: Array, chance: np.random.Generator) -> Array:
    """(n,) one allowed action each, all equally likely."""
    return np.asarray(np.argmax(chance.random(mask.shape) * mask, axis=1), dtype=env.action_space.dtype)


def episode(env: Env, seed: int = SEED, actions: list[Array] | None = None) -> tuple[list[Rollout], list[Array]]:
    """Reset and steps up to the first call with an end, and the actions taken (given, else drawn under the mask)."""
    chance = generator(seed, Purpose.ACTION)
    taken: list[Array] = []
    played = [start(env, seed)]
    while not played[-1].ended.any():
        if len(taken) == LONGEST:
            raise TimeoutError(f"no episode ended within {LONGEST} steps")
        mask = played[-1].infos["action_mask"]
        taken.append(masked_actions(env, mask, chance) if actions is None else actions[len(taken)])
        played.append(Rollout(*env.step(taken[-1])))
    return played, taken


def start(env: Env, seed: int | None, **options: Any) -> Rollout:
    """What `reset` returned."""
    observation, infos = env.reset(seed=seed, options=options or None)
    return Rollout(observation, None, None, None, infos)


def same(a: Any, b: Any) -> bool:
    """Equal arrays, tuples and nested infos, bit for bit; nan equals nan."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if a is None or b is None:
        return a is b
    x, y = np.asarray(a), np.asarray(b)
    return x.dtype == y.dtype and bool(np.array_equal(x, y, equal_nan=x.dtype.kind == "f"))
