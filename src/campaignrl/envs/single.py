"""One customer as a gymnasium Env: the vector environment with n = 1, in plain Python numbers."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from campaignrl.arrays import Float32
from campaignrl.envs.vector import CustomersVectorEnv, LifecycleVectorEnv
from campaignrl.specs import World


class CustomerEnv(gymnasium.Env[Float32, np.int64]):
    """What the single environments share: the only place of a vector environment, unpacked."""

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self, kind: type[CustomersVectorEnv], world: str | World, seed: int, render_mode: str | None, **options: Any
    ) -> None:
        self._vector = kind(1, world, seed, threads=1, autoreset_mode=AutoresetMode.DISABLED, **options)
        self.world, self.render_mode = self._vector.world, render_mode
        self.features, self.options = self._vector.features, self._vector.options
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """(k,) what the guard allows now."""
        mask: npt.NDArray[np.bool_] = self._vector.action_masks()[0]
        return mask

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Meet the first customer of `seed` (None: the next customer of the last seed)."""
        super().reset(seed=seed)
        observation, infos = self._vector.reset(seed=seed, options=options)
        return observation[0], {"action_mask": infos["action_mask"][0].astype(np.int8)}

    def step(self, action: np.int64) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """One decision."""
        observation, reward, ended, _, infos = self._vector.step(np.array([action]))
        info = {
            "action_mask": infos["action_mask"][0].astype(np.int8),
            **{name: infos[name][0].item() for name in infos if name[0] != "_" and name != "action_mask"},
        }
        return observation[0], float(reward[0]), bool(ended[0]), False, info


class LifecycleEnv(CustomerEnv):
    """One customer of a world, one decision a day, until the horizon.

    ## Description
    `LifecycleVectorEnv` with n = 1, in plain numbers; the same customer lives the same life in both.

    ## Action Space
    `Discrete(k)`: ids of the world's catalog, 0 is `none`. `info["action_mask"]` (k,) int8 says what the guard allows;
    an action outside it is treated as `none` and flagged in `info["invalid"]`.

    ## Observation Space
    `Box(0, 1, (D,), float32)`: the world's features, encoded, as in `LifecycleVectorEnv`.

    ## Rewards
    Contribution of the day in currency.

    ## Starting State
    `reset(options={"customer": i})` meets customer i; else each episode meets the next one.

    ## Episode End
    `terminated` after the last day of the horizon.

    ## Arguments
    world: a bundled name, a TOML path or a World; seed: of all draws; the options of `LifecycleVectorEnv`, of which
    `limits` is `money` here: a customer's share of the budget is kept, capacities are a matter of many.

    ## Version History
    v0: first version.

    Example:
        >>> import gymnasium, campaignrl
        >>> env = gymnasium.make("campaignrl/Lifecycle-v0", world="no_memory")
        >>> observation, info = env.reset(seed=1)
        >>> observation, reward, terminated, truncated, info = env.step(0)
        >>> terminated, truncated
        (False, False)
    """

    def __init__(
        self,
        world: str | World = "ecommerce",
        seed: int = 0,
        render_mode: str | None = None,
        *,
        limits: str | None = "money",
        **options: Any,
    ) -> None:
        super().__init__(LifecycleVectorEnv, world, seed, render_mode, limits=limits, **options)
