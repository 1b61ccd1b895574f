"""n customers as one native gymnasium VectorEnv: a thin face over the panel.

Not here: what happens to a customer (dynamics/), what is allowed (guard/). Every customer has the same horizon, so
all episodes end on the same day; the next episode meets the next n customers.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from campaignrl.actions import NONE
from campaignrl.envs.panel import Panel
from campaignrl.errors import Problem, UsageError
from campaignrl.specs.world import World, load_world

Float32 = npt.NDArray[np.float32]
Int = npt.NDArray[np.integer[Any]]
Bool = npt.NDArray[np.bool_]


def observation_space(world: World) -> gymnasium.spaces.Box:
    """The encoded features: (D,) float32 in [0, 1]."""
    return gymnasium.spaces.Box(0.0, 1.0, (world.features.width,), np.float32)


class LifecycleVectorEnv(VectorEnv[Float32, Int, Bool]):
    """Customers of a world, one decision a day each, until the horizon.

    Decision: one action of the catalog per customer and day. Observation: (n, D) float32, the world's features
    encoded to [0, 1]. Actions: Discrete(k), 0 is `none`; `infos["action_mask"]` (n, k) says what the guard allows,
    and an action outside it is treated as `none` and flagged in `infos["invalid"]`. Reward: contribution of the
    day in currency. End: `terminated` after the last day, with the time to go in the observation; never truncated.
    Hidden: rates, price sensitivity, fatigue, and whether a customer has dropped out.

    customer ids start at `first_customer`; each episode takes the next n. The life of customer i under the same
    actions is the same as in `LifecycleEnv` and in a simulation with the same seed.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        num_envs: int = 1,
        world: str | World = "ecommerce",
        seed: int = 0,
        first_customer: int = 0,
        threads: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        render_mode: str | None = None,
    ) -> None:
        self.metadata = {**type(self).metadata, "autoreset_mode": AutoresetMode(autoreset_mode)}
        self.world, self.num_envs, self.render_mode = load_world(world), num_envs, render_mode
        self._seed, self._first, self._next, self._threads = seed, first_customer, first_customer, threads
        self.single_observation_space = observation_space(self.world)
        self.single_action_space = gymnasium.spaces.Discrete(len(self.world.catalog))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._panel: Panel | None = None
        self._mask: Bool = np.zeros((num_envs, len(self.world.catalog)), dtype=bool)
        self._ended = False

    @property
    def panel(self) -> Panel:
        """The customers of the current episode."""
        if self._panel is None:
            raise UsageError("call reset() before step()")
        return self._panel

    def action_masks(self) -> Bool:
        """(n, k) what the guard allows now."""
        return self._mask.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Start with customers `first_customer ...` of `seed` (None: the next n customers of the last seed).

        options: `{"customer": i}` starts with customer i. All customers share one calendar, so a `reset_mask`
        (DISABLED mode) must name them all.
        """
        super().reset(seed=seed)
        options = options or {}
        if not np.all(options.get("reset_mask", True)):
            raise UsageError(Problem("reset", "reset_mask", "partly False", "all True", "All episodes end together."))
        if seed is not None:
            self._seed, self._next = seed, self._first
        self._next = int(options.get("customer", self._next))
        return self._start()

    def step(self, actions: Int) -> tuple[Float32, npt.NDArray[np.float64], Bool, Bool, dict[str, Any]]:  # type: ignore[override]
        """One day for every customer."""
        none = np.zeros(self.num_envs, dtype=bool)
        if self._panel is None or (self._ended and self.metadata["autoreset_mode"] == AutoresetMode.DISABLED):
            raise UsageError("the episode is over, or has not begun: call reset() first")
        mode = self.metadata["autoreset_mode"]
        if self._ended and mode == AutoresetMode.NEXT_STEP:  # this call only starts the next episode
            observation, infos = self._start()
            return observation, np.zeros(self.num_envs), none, none.copy(), infos
        action = self._checked(actions)
        invalid = ~self._mask[np.arange(self.num_envs), action]
        outcome = self.panel.step(np.where(invalid, NONE, action))
        ended = np.full(self.num_envs, self.panel.done)
        observation, infos = self._look()
        if self.panel.done and mode == AutoresetMode.SAME_STEP:
            final = observation
            observation, infos = self._start()
            infos |= {"final_obs": final, "_final_obs": ended.copy()}
        else:
            self._ended = self.panel.done
        infos |= {"invalid": invalid, "_invalid": ~none, "cost": outcome.cost.astype(np.float64), "_cost": ~none}
        return observation, outcome.reward.astype(np.float64), ended, none, infos

    def _checked(self, actions: Int) -> Int:
        """The actions, if they are ids of the catalog, one a customer; anything else is a slip of the caller."""
        action = np.asarray(actions)
        k = len(self.world.catalog)
        if action.shape != (self.num_envs,) or action.dtype.kind not in "iu":
            given = f"{action.dtype} of shape {action.shape}"
            raise UsageError(Problem("step", "actions", given, f"whole numbers of shape ({self.num_envs},)"))
        outside = (action < 0) | (action >= k)
        if outside.any():
            raise UsageError(Problem("step", "actions", int(action[outside][0]), f"an action id from 0 to {k - 1}"))
        return action

    def _start(self) -> tuple[Float32, dict[str, Any]]:
        ids = np.arange(self._next, self._next + self.num_envs)
        self._next += self.num_envs
        self._ended = False
        self._panel = Panel(self.world, ids, self._seed, self._threads)
        return self._look()

    def _look(self) -> tuple[Float32, dict[str, Any]]:
        context = self.panel.observe()
        self._mask = self.panel.allowed(context)
        everywhere = np.ones(self.num_envs, dtype=bool)
        return context.encode(), {"action_mask": self._mask.copy(), "_action_mask": everywhere}
