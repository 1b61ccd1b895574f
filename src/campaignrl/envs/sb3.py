"""The vector environments as stable-baselines3 wants them: `lifecycle(world, n)` and `bandit(world, n)` (extra `rl`).

stable-baselines3 takes only a VecEnv of its own, and looks at a list of n dicts each step, so this face builds dicts
for ended episodes alone. The only file of envs/ that imports stable_baselines3. Not here: learning (policies/).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32
from campaignrl.envs.bandit import BanditVectorEnv
from campaignrl.envs.vector import CustomersVectorEnv, LifecycleVectorEnv
from campaignrl.errors import MissingExtra, Problem, UsageError
from campaignrl.specs import World

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as missing:
    needed = "campaignrl.envs.sb3 needs stable-baselines3: pip install 'campaignrl[rl]'"
    raise MissingExtra(needed) from missing

Infos = list[dict[str, Any]]
Indices = int | Iterable[int] | None

MASKS = "action_masks"  # the method that sb3-contrib asks a maskable environment for


def lifecycle(
    world: str | World,
    num_envs: int = 1,
    *,
    seed: int = 0,
    first_customer: int = 0,
    threads: int | None = None,
    **options: Any,
) -> CustomersVecEnv:
    """`LifecycleVectorEnv` for stable-baselines3, with action masks for sb3-contrib's MaskablePPO.

    options: as LifecycleVectorEnv has them, e.g. `reward="incremental", reward_scale=10.0`.
    """
    return CustomersVecEnv(LifecycleVectorEnv(num_envs, world, seed, first_customer, threads, **options))


def bandit(
    world: str | World,
    num_envs: int = 1,
    *,
    seed: int = 0,
    first_customer: int = 0,
    threads: int | None = None,
    **options: Any,
) -> CustomersVecEnv:
    """`BanditVectorEnv` for stable-baselines3. options: as LifecycleVectorEnv has them."""
    return CustomersVecEnv(BanditVectorEnv(num_envs, world, seed, first_customer, threads, **options))


class CustomersVecEnv(VecEnv):
    """A same-step vector environment behind the interface of stable-baselines3; same customers, same lives.

    Differences of form only: rewards are float32, `seed` is one number for all places (customers differ by id), and
    `infos[i]` holds `terminal_observation` when the episode of place i has just ended and `invalid` when its action
    was outside the mask; else it is one empty dict that all share.
    """

    def __init__(self, env: CustomersVectorEnv) -> None:
        self.env = env  # first: the parent's constructor already asks for an attribute of it
        self._actions: npt.NDArray[Any] = np.zeros(env.num_envs, dtype=np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def action_masks(self) -> Bool:
        """(n, k) what the guard allows for the observation last returned."""
        return self.env.action_masks()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The seed of the next reset, for all places; None: the next customers of the last seed."""
        self._seeds = [seed] * self.num_envs
        return self._seeds

    def reset(self) -> Float32:
        """Observation of new customers; uses up what `seed` and `set_options` said."""
        if any(options != self._options[0] for options in self._options):
            raise UsageError(Problem("reset", "options", "differing", "the same for all places"))
        observation, _ = self.env.reset(seed=self._seeds[0], options=self._options[0])
        self.reset_infos = [{}] * self.num_envs
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Float32, Float32, Bool, Infos]:
        """One decision for every customer."""
        observation, reward, ended, _, infos = self.env.step(self._actions)
        return observation, reward.astype(np.float32), ended, _info_dicts(ended, infos)

    def close(self) -> None:
        """Nothing is held open."""
        self.env.close()

    def has_attr(self, attr_name: str) -> bool:
        """Whether the environment has it; without building a list of n."""
        return hasattr(self.env, attr_name)

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The one value, for every place asked for."""
        return [getattr(self.env, attr_name)] * len(self._places(indices))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set it for all places: they are one environment."""
        if len(self._places(indices)) != self.num_envs:
            raise UsageError(Problem("set_attr", "indices", indices, "all places", "They are one environment."))
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """`action_masks` only. For all places a list of one (n, k) array: n small ones cost more than the step."""
        if method_name != MASKS:
            raise UsageError(Problem("env_method", "method_name", method_name, repr(MASKS)))
        masks = self.env.action_masks()
        return [masks] if indices is None else list(masks[self._places(indices)])

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """Never."""
        return [False] * len(self._places(indices))

    def _places(self, indices: Indices) -> list[int]:
        return list(self._get_indices(indices))


def _info_dicts(ended: Bool, infos: dict[str, Any]) -> Infos:
    """One dict a place, of which only those of ended episodes are their own."""
    nothing: dict[str, Any] = {}
    refused = {"invalid": True}
    invalid = infos["invalid"]
    dicts = [nothing] * len(ended)
    for i in np.flatnonzero(invalid & ~ended):
        dicts[i] = refused
    for i in np.flatnonzero(ended):
        dicts[i] = {
            "terminal_observation": infos["final_obs"][i],
            "TimeLimit.truncated": False,
            "invalid": bool(invalid[i]),
        }
    return dicts
