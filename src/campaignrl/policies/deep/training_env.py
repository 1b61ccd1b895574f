"""The environment that deep learners learn in: a world's customers, with rewards made fit to learn from.

The margin of a day is nearly all luck: one customer in thirty buys, and most would have bought anyway. So the reward is
what the customer brings over a twin with the same luck who is sent nothing. Whatever the twin brings does not depend on
what is sent today, so expectations of policy gradients and the order of action values stay what they were, and most of
the noise is gone (a baseline that depends on the input process: Mao et al. 2019, ICLR). Twins exist in simulated worlds
only; nothing but their reward is used. Not here: the rewards' scale by world (policies/*.toml), the learners
(trainer.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space

from campaignrl.arrays import Array, Float, Float32, Int
from campaignrl.envs import LifecycleVectorEnv
from campaignrl.specs import World


class Earned(NamedTuple):
    """Sums of currency over customer-days."""

    ours: float
    twins: float


class TrainingVectorEnv(LifecycleVectorEnv):
    """`LifecycleVectorEnv` with the reward over a twin's, divided by `scale`; all places begin and end together.

    twins: subtract what a twin who is sent nothing brings the same day. scale: currency units to one unit of reward.
    show_mask: the mask follows the features in the observation, for learners that are not asked for it otherwise.
    """

    def __init__(
        self,
        num_envs: int,
        world: World,
        seed: int = 0,
        first_customer: int = 0,
        *,
        twins: bool = True,
        scale: float = 1.0,
        show_mask: bool = False,
    ) -> None:
        reward = "incremental" if twins else "plain"
        asked: dict[str, Any] = {"reward": reward, "reward_scale": scale, "limits": "none"}
        super().__init__(num_envs, world, seed, first_customer, threads=1, **asked)
        self._show_mask = show_mask
        self._earned = Earned(0.0, 0.0)
        if show_mask:
            width = world.features.width + len(world.catalog)
            self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (width,), np.float32)
            self.observation_space = batch_space(self.single_observation_space, num_envs)

    def take_earned(self) -> Earned:
        """What customers and twins have brought since this was last asked."""
        earned, self._earned = self._earned, Earned(0.0, 0.0)
        return earned

    def _live(self, action: Int) -> tuple[Float, dict[str, Array]]:
        reward, told = super()._live(action)
        ours, twins = told.get("contribution", reward), told.get("twin", np.zeros(1))
        self._earned = Earned(self._earned.ours + float(ours.sum()), self._earned.twins + float(twins.sum()))
        return reward, told

    def _look(self) -> Float32:
        seen = super()._look()
        if not self._show_mask:
            return seen
        return np.concatenate([seen, self._mask.astype(np.float32)], axis=1)
