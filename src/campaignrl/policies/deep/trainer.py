"""Training networks in a world with stable-baselines3 and sb3-contrib (extra `rl`): from a learner to its weights.

Here: one training from its first customer-day to its last, the curve, checkpoints, resuming. Not here: the algorithms
(sb3_models.py), settings (configs.py, recurrent_ppo.py), rewards (training_env.py), torch's arrays as ours
(weight_export.py), deciding (numpy_network.py).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from campaignrl import rng
from campaignrl.errors import MissingExtra, Problem, SpecError, UsageError
from campaignrl.policies.base import Tensors
from campaignrl.policies.deep.checkpoints import Checkpoint, identity, load_checkpoint, save_checkpoint
from campaignrl.policies.deep.configs import NEEDED, Agent, AgentConfig
from campaignrl.policies.deep.run_options import CurvePoint, RunOptions
from campaignrl.policies.deep.training_env import TrainingVectorEnv
from campaignrl.specs import World

try:
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.utils import set_random_seed

    from campaignrl.envs.sb3 import CustomersVecEnv
    from campaignrl.policies.deep.sb3_models import SEES_MASK, make_model
    from campaignrl.policies.deep.weight_export import put_network, restore_state, state_of, tensors_of, torch_threads
except ImportError as missing:
    raise MissingExtra(NEEDED) from missing

LARGEST = 1e8  # of anything in a network that still learns


def train_agent(agent: Agent, world: World, options: RunOptions) -> list[CurvePoint]:
    """Train `agent` in `world`, give it the weights, and return the curve."""
    config = agent.config.in_world(world.name)
    with torch_threads(options.threads):
        training = Training(agent, config, world, options)
        curve = training.run()
        agent.restore(training.tensors())
    return curve


class Training:
    """One model in one environment, from its first or its last customer-day to the end."""

    def __init__(self, agent: Agent, config: AgentConfig, world: World, options: RunOptions) -> None:
        self.agent, self.config, self.world, self.options = agent, config, world, options
        self.episode = config.customers * world.horizon  # customer-days of one episode of everybody
        self.steps = -(-options.steps // self.episode) * self.episode
        self.of = identity(agent.kind, config, world, self.steps)
        self.curve: list[CurvePoint] = []
        kept = options.checkpoint if options.resume else None
        found = load_checkpoint(kept, self.of) if kept is not None and kept.exists() else None
        done = found.counters["num_timesteps"] if found else 0
        self.env = TrainingVectorEnv(
            config.customers,
            world,
            config.seed,
            done // world.horizon,  # the next customers
            twins=config.baseline == "twin",
            scale=config.reward_scale,
            show_mask=agent.kind in SEES_MASK,
        )
        self.model = make_model(agent.kind, config, CustomersVecEnv(self.env), self.steps, _tensorboard(options))
        if found is not None:
            self._restore(found, str(options.checkpoint))
        elif agent.is_trained:
            put_network(agent.tensors(), self.model.policy)

    def run(self) -> list[CurvePoint]:
        """Learn to the end; returns the curve."""
        begun = self.model.num_timesteps
        if begun < self.steps:
            words: dict[str, Any] = {"reset_num_timesteps": begun == 0, "tb_log_name": self.agent.kind}
            try:  # the library's own logging is left out: it misses the last update
                self.model.learn(self.steps - begun, callback=_CurveCallback(self), log_interval=None, **words)
                self.model.logger.close()
            except ValueError:  # torch refuses weights that are no numbers in many words
                self._finite_state()
                raise
        return self.curve

    def tensors(self) -> Tensors:
        """The network that decides, by the names of the policy that it becomes."""
        return tensors_of(self.model.policy, len(self.world.catalog))

    def checkpoint(self) -> None:
        """Write where the training stands."""
        tensors = self._finite_state()
        if self.options.checkpoint is not None:
            counters = {name: getattr(self.model, name) for name in COUNTERS if hasattr(self.model, name)}
            save_checkpoint(Checkpoint(self.of, counters, self.curve, tensors), self.options.checkpoint)

    def _finite_state(self) -> Tensors:
        """Weights and the optimiser's sums; a network that has gone astray is an error."""
        tensors = state_of(self.model.policy)
        if not all(np.isfinite(array).all() and np.abs(array).max(initial=0) < LARGEST for array in tensors.values()):
            fix = "The network has gone astray. Lower it, or raise reward_scale."
            rate = self.config.learning_rate
            raise SpecError(Problem(f"policy {self.agent.name}", "learning_rate", rate, "small enough", fix))
        return tensors

    def _restore(self, found: Checkpoint, where: str) -> None:
        restore_state(self.model.policy, found.tensors, where)
        for name, value in found.counters.items():
            if name in COUNTERS and hasattr(self.model, name):
                setattr(self.model, name, value)
        self.curve.extend(found.curve)


COUNTERS = ("num_timesteps", "_n_updates", "_n_calls")


class _CurveCallback(BaseCallback):
    """Seeds each rollout by itself, keeps the curve and the checkpoint, and tells who waits.

    Since a rollout's draws depend on seed and customer-day alone, a training of whole episodes that was interrupted and
    resumed gives the same bytes as one that was not.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training
        self._last = 0  # customer-days at the last point of the curve

    def _init_callback(self) -> None:
        self._last = self.num_timesteps = self.model.num_timesteps

    def _on_rollout_start(self) -> None:
        training, done = self._training, self.model.num_timesteps
        if done - self._last >= training.episode:
            self._add_to_curve(done)
            training.checkpoint()
        stream = rng.stream(training.config.seed, done, rng.Purpose.LEARNING)
        set_random_seed(int(stream) % 2**32)

    def _on_step(self) -> bool:
        training = self._training
        if training.options.progress is not None:
            training.options.progress(self.model.num_timesteps, training.steps)
        return not self._stopped

    def _on_training_end(self) -> None:
        if self.model.num_timesteps > self._last and not self._stopped:
            self._add_to_curve(self.model.num_timesteps)
            self._training.checkpoint()

    _stopped = False

    def _add_to_curve(self, done: int) -> None:
        training = self._training
        earned, lives = training.env.take_earned(), (done - self._last) / training.world.horizon
        lift = (earned.ours - earned.twins) / lives if training.config.baseline == "twin" else 0.0
        loss = float(self.model.logger.name_to_value.get("train/loss", 0.0))
        training.curve.append(CurvePoint(done, earned.ours / lives, lift, loss))
        if training.options.tensorboard is not None:
            self.logger.record("campaign/value", training.curve[-1].value)
            self.logger.record("campaign/lift", lift)
            self.logger.dump(done)
        self._last = done
        callback = training.options.callback
        self._stopped = callback is not None and callback(training.curve[-1]) is False


def _tensorboard(options: RunOptions) -> str | None:
    if options.tensorboard is None:
        return None
    if find_spec("tensorboard") is None:
        raise MissingExtra("events for TensorBoard need it: pip install tensorboard")
    try:
        options.tensorboard.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        said = f"a folder that can be written ({wrong.strerror})"
        raise UsageError(Problem("train", "tensorboard", str(options.tensorboard), said)) from None
    return str(options.tensorboard)
