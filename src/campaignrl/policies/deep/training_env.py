"""The environment that deep learners learn in: a world's customers, with rewards made fit to learn from.

The margin of a day is nearly all luck: one customer in thirty buys, and most would have bought anyway. So the reward is
what the customer brings over a twin with the same luck who is sent nothing. Whatever the twin brings does not depend on
what is sent today, so expectations of policy gradients and the order of action values stay what they were, and most of
the noise is gone (a baseline that depends on the input process: Mao et al. 2019, ICLR). Twins exist in simulated worlds
only; nothing but their reward is used. Not here: the rewards' scale by world (policies/*.toml), the learners
(trainer.py).
"""

from __future__ import annotations

from typing import NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space

from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.envs import LifecycleVectorEnv, Panel
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
        super().__init__(num_envs, world, seed, first_customer, threads=1)
        self._twins, self._scale, self._show_mask = twins, scale, show_mask
        self._twin: Panel | None = None
        self._earned = Earned(0.0, 0.0)
        if show_mask:
            width = world.features.width + len(world.catalog)
            self.single_observation_space = gymnasium.spaces.Box(0.0, 1.0, (width,), np.float32)
            self.observation_space = batch_space(self.single_observation_space, num_envs)

    def take_earned(self) -> Earned:
        """What customers and twins have brought since this was last asked."""
        earned, self._earned = self._earned, Earned(0.0, 0.0)
        return earned

    def _meet(self, starting: Bool, first: int | None = None) -> None:
        super()._meet(starting, first)
        self._twin = self.panel.take(np.arange(len(self.panel))) if self._twins else None

    def _live(self, action: Int) -> tuple[Float, Float]:
        reward, cost = super()._live(action)
        twin = np.zeros_like(reward)
        if self._twin is not None:
            twin[:] = self._twin.step(np.zeros_like(action)).reward
        self._earned = Earned(self._earned.ours + float(reward.sum()), self._earned.twins + float(twin.sum()))
        return (reward - twin) / self._scale, cost

    def _look(self) -> Float32:
        seen = super()._look()
        if not self._show_mask:
            return seen
        return np.concatenate([seen, self._mask.astype(np.float32)], axis=1)
