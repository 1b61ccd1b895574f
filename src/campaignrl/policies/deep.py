"""Training networks in a world with stable-baselines3 and sb3-contrib (extra `rl`); their only import among policies.

Here: the algorithms set up for thousands of customers at once, what our masks change in them, checkpoints, resuming.
Not here: settings (agents.py), rewards (experience.py), torch's arrays as ours (weights.py), deciding (network.py).
Large minibatches and few epochs: updates, not the environment, cost the time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.errors import MissingExtra, Problem, SpecError
from campaignrl.policies.agents import Agent, AgentConfig, DQNConfig, PPOConfig, QRDQNConfig
from campaignrl.policies.base import Tensors, sample
from campaignrl.policies.checkpoints import Checkpoint, identity, load_checkpoint, save_checkpoint
from campaignrl.policies.choice import uniform_over
from campaignrl.policies.course import Course, Milestone
from campaignrl.policies.experience import ExperienceVectorEnv
from campaignrl.policies.network import Layer
from campaignrl.policies.weights import layers_of, named, put, restore_state, state_of, torch_threads
from campaignrl.specs.world import World

try:
    import torch
    from sb3_contrib import QRDQN, MaskablePPO
    from sb3_contrib.qrdqn.policies import QRDQNPolicy, QuantileNetwork
    from stable_baselines3 import DQN, PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.utils import set_random_seed
    from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

    from campaignrl.envs.sb3 import CustomersVecEnv
except ImportError as missing:
    needed = "training a deep learner needs torch, stable-baselines3 and sb3-contrib: pip install 'campaignrl[rl]'"
    raise MissingExtra(needed) from missing

LARGEST = 1e8  # of anything in a network that still learns
REFUSED = -1e8  # value of an action that is not allowed, as sb3-contrib has it for logits


def teach(agent: Agent, world: World, course: Course) -> list[Milestone]:
    """Train `agent` in `world`, give it the weights, and return the curve."""
    config = agent.config.in_world(world.name)
    with torch_threads(course.threads):
        training = Training(agent, config, world, course)
        curve = training.run()
        agent.restore(named(training.layers()))
    return curve


def even_part(rows: int, most: int) -> int:
    """The largest divisor of `rows` that is at most `most`, so that no minibatch is a small remainder."""
    return next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)


class Training:
    """One model in one environment, from its first or its last customer-day to the end."""

    def __init__(self, agent: Agent, config: AgentConfig, world: World, course: Course) -> None:
        self.agent, self.config, self.world, self.course = agent, config, world, course
        self.episode = config.customers * world.horizon  # customer-days of one episode of everybody
        self.steps = -(-course.steps // self.episode) * self.episode
        self.of = identity(agent.kind, config, world, self.steps)
        self.curve: list[Milestone] = []
        kept = course.checkpoint if course.resume else None
        found = load_checkpoint(kept, self.of) if kept is not None and kept.exists() else None
        done = found.counters["num_timesteps"] if found else 0
        self.env = ExperienceVectorEnv(
            config.customers,
            world,
            config.seed,
            done // world.horizon,  # the next customers
            twins=config.baseline == "twin",
            scale=config.reward_scale,
            show_mask=isinstance(config, DQNConfig),
        )
        self.model = MAKERS[agent.kind](config, CustomersVecEnv(self.env), self.steps, _tensorboard(course))
        if found is not None:
            self._restore(found, str(course.checkpoint))
        elif agent.is_trained:
            put(agent.layers, _linears(self.model))

    def run(self) -> list[Milestone]:
        """Learn to the end; returns the curve."""
        begun = self.model.num_timesteps
        if begun < self.steps:
            often = self.config.customers if isinstance(self.config, DQNConfig) else 1  # episodes, or rollouts
            words: dict[str, Any] = {
                "log_interval": often if self.course.tensorboard else None,
                "reset_num_timesteps": begun == 0,
            }
            try:
                self.model.learn(self.steps - begun, callback=_Watching(self), **words)
            except ValueError:  # torch refuses weights that are no numbers in many words
                self._finite_state()
                raise
        return self.curve

    def layers(self) -> list[Layer]:
        """The network that decides, as arrays."""
        return layers_of(_linears(self.model), len(self.world.catalog))

    def checkpoint(self) -> None:
        """Write where the training stands."""
        tensors = self._finite_state()
        if self.course.checkpoint is not None:
            counters = {name: getattr(self.model, name) for name in COUNTERS if hasattr(self.model, name)}
            save_checkpoint(Checkpoint(self.of, counters, self.curve, tensors), self.course.checkpoint)

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


class _Watching(BaseCallback):
    """Seeds each rollout by itself, keeps the curve and the checkpoint, and tells who waits.

    Since a rollout's draws depend on seed and customer-day alone, a training of whole episodes that was interrupted and
    resumed gives the same bytes as one that was not.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self._training = training
        self._last = 0  # customer-days at the last milestone

    def _init_callback(self) -> None:
        self._last = self.num_timesteps = self.model.num_timesteps

    def _on_rollout_start(self) -> None:
        training, done = self._training, self.model.num_timesteps
        if done - self._last >= training.episode:
            self._milestone(done)
            training.checkpoint()
        stream = rng.stream(training.config.seed, done, rng.Purpose.LEARNING)
        set_random_seed(int(stream) % 2**32)

    def _on_step(self) -> bool:
        training = self._training
        if training.course.progress is not None:
            training.course.progress(self.model.num_timesteps, training.steps)
        return not self._stopped

    def _on_training_end(self) -> None:
        if self.model.num_timesteps > self._last and not self._stopped:
            self._milestone(self.model.num_timesteps)
            self._training.checkpoint()

    _stopped = False

    def _milestone(self, done: int) -> None:
        training = self._training
        earned, lives = training.env.take_earned(), (done - self._last) / training.world.horizon
        lift = (earned.ours - earned.twins) / lives if training.config.baseline == "twin" else 0.0
        loss = float(self.model.logger.name_to_value.get("train/loss", 0.0))
        training.curve.append(Milestone(done, earned.ours / lives, lift, loss))
        self._last = done
        watch = training.course.watch
        self._stopped = watch is not None and watch(training.curve[-1]) is False


def _linears(model: Any) -> list[Any]:
    """The affine layers of the network that decides, in order."""
    policy = model.policy
    if hasattr(policy, "action_net"):
        modules = [*policy.mlp_extractor.policy_net, policy.action_net]
    else:
        modules = policy.q_net.q_net if hasattr(policy, "q_net") else policy.quantile_net.quantile_net
    return [module for module in modules if isinstance(module, torch.nn.Linear)]


def _ppo(kind: Any) -> Callable[..., Any]:
    def make(config: PPOConfig, env: CustomersVecEnv, steps: int, tensorboard: str | None) -> Any:
        model = kind(
            "MlpPolicy",
            env,
            n_steps=env.env.world.horizon,
            batch_size=even_part(config.customers * env.env.world.horizon, config.batch),
            n_epochs=config.epochs,
            clip_range=config.clip,
            gae_lambda=config.gae_lambda,
            ent_coef=config.entropy,
            vf_coef=config.value_weight,
            policy_kwargs=_architecture(config, {"pi": list(config.hidden), "vf": list(config.hidden)}),
            **_shared(config, tensorboard),
        )
        with torch.no_grad():
            model.policy.action_net.bias[0] += config.none_bias
        return model

    return make


def _dqn(kind: Any, policy: Any) -> Callable[..., Any]:
    def make(config: DQNConfig, env: CustomersVecEnv, steps: int, tensorboard: str | None) -> Any:
        settings = _architecture(config, list(config.hidden))
        settings |= {"features_extractor_class": _WithoutMask}
        settings["features_extractor_kwargs"] = {"columns": env.env.world.features.width}
        if isinstance(config, QRDQNConfig):
            settings["n_quantiles"] = config.quantiles
        return kind(
            policy,
            env,
            buffer_size=config.buffer,
            learning_starts=config.waiting,
            batch_size=config.batch,
            train_freq=config.every,
            gradient_steps=config.gradient_steps,
            n_steps=config.steps_ahead,
            target_update_interval=max(config.target_every, config.customers),
            exploration_initial_eps=config.explore_first,
            exploration_final_eps=config.explore_last,
            exploration_fraction=config.explore_until,
            policy_kwargs=settings,
            **_shared(config, tensorboard),
        )

    return make


def _shared(config: AgentConfig, tensorboard: str | None) -> dict[str, Any]:
    rate = config.learning_rate
    return {
        "learning_rate": lambda left: rate * (0.1 + 0.9 * max(left, 0.0)),
        "gamma": config.gamma,
        "max_grad_norm": config.max_grad_norm,
        "seed": config.seed,
        "device": "cpu",
        "tensorboard_log": tensorboard,
    }


def _architecture(config: AgentConfig, widths: Any) -> dict[str, Any]:
    bend = torch.nn.Tanh if config.activation == "tanh" else torch.nn.ReLU
    return {"net_arch": widths, "activation_fn": bend}


class _WithoutMask(BaseFeaturesExtractor):
    """The features of an observation that has the mask behind them."""

    def __init__(self, observation_space: Any, columns: int) -> None:
        super().__init__(observation_space, columns)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, D + k) -> (n, D)."""
        return observations[:, : self.features_dim]


def _refused(observations: torch.Tensor, k: int) -> torch.Tensor:
    return observations[:, -k:] < 0.5


class _MaskedQNetwork(QNetwork):
    """Values of actions that are not allowed are out of reach, in targets too."""

    def forward(self, obs: Any) -> torch.Tensor:
        """(n, D + k) -> (n, k)."""
        return super().forward(obs).masked_fill(_refused(obs, int(self.action_space.n)), REFUSED)


class _MaskedQuantiles(QuantileNetwork):
    """As `_MaskedQNetwork`, for quantiles."""

    def forward(self, obs: Any) -> torch.Tensor:
        """(n, D + k) -> (n, quantiles, k)."""
        return super().forward(obs).masked_fill(_refused(obs, int(self.action_space.n))[:, None, :], REFUSED)


class _MaskedDQNPolicy(DQNPolicy):
    def make_q_net(self) -> QNetwork:
        return _MaskedQNetwork(**self._update_features_extractor(self.net_args, features_extractor=None))


class _MaskedQRDQNPolicy(QRDQNPolicy):
    def make_quantile_net(self) -> QuantileNetwork:
        return _MaskedQuantiles(**self._update_features_extractor(self.net_args, features_extractor=None))


class _OwnExploration:
    """Asks the algorithm for greedy actions only.

    Its own exploration takes one draw of numpy's global state for all customers together, and pays no heed to masks.
    """

    def _sample_action(
        self, learning_starts: int, action_noise: Any = None, n_envs: int = 1
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        model: Any = self
        seen = model._last_obs
        greedy, _ = model.policy.predict(seen, deterministic=True)
        rate = 1.0 if model.num_timesteps < learning_starts else model.exploration_rate
        chance = rng.generator(model.seed, rng.Purpose.LEARNING, 1 + model.num_timesteps)
        allowed = seen[:, -int(model.action_space.n) :] > 0.5
        other = sample(uniform_over(allowed), chance.random(n_envs))
        action = np.where(chance.random(n_envs) < rate, other, greedy)
        return action, action


class _MaskedDQN(_OwnExploration, DQN):
    pass


class _MaskedQRDQN(_OwnExploration, QRDQN):
    pass


MAKERS: dict[str, Callable[..., Any]] = {
    "ppo": _ppo(PPO),
    "maskable_ppo": _ppo(MaskablePPO),
    "dqn": _dqn(_MaskedDQN, _MaskedDQNPolicy),
    "qr_dqn": _dqn(_MaskedQRDQN, _MaskedQRDQNPolicy),
}


def _tensorboard(course: Course) -> str | None:
    if course.tensorboard is None:
        return None
    if find_spec("tensorboard") is None:
        raise MissingExtra("events for TensorBoard need it: pip install tensorboard")
    return str(course.tensorboard)
