"""The algorithms of stable-baselines3 and sb3-contrib (extra `rl`), set up for thousands of customers at once.

Here: one maker a kind of learner, what our masks change in those that know none, a faster pass of the recurrent one.
Large minibatches and few epochs: updates, not the environment, cost the time. Not here: settings (configs.py,
recurrent_ppo.py), a training (trainer.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.errors import MissingExtra
from campaignrl.policies.base import sample
from campaignrl.policies.choice import uniform_over
from campaignrl.policies.deep.configs import NEEDED, AgentConfig, DQNConfig, PPOConfig, QRDQNConfig
from campaignrl.policies.deep.recurrent_ppo import RecurrentPPOConfig

try:
    import torch
    from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
    from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
    from sb3_contrib.qrdqn.policies import QRDQNPolicy, QuantileNetwork
    from stable_baselines3 import DQN, PPO
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, MlpExtractor
    from stable_baselines3.dqn.policies import DQNPolicy, QNetwork

    from campaignrl.envs.sb3 import CustomersVecEnv
except ImportError as missing:
    raise MissingExtra(NEEDED) from missing

REFUSED = -1e8  # value or logit of an action that is not allowed, as sb3-contrib has it for logits
SEES_MASK = ("dqn", "qr_dqn", "recurrent_ppo")  # are not told the mask otherwise than in the observation


def make_model(kind: str, config: AgentConfig, env: CustomersVecEnv, steps: int, tensorboard: str | None) -> Any:
    """A model of stable-baselines3 with the settings of ours."""
    return MAKERS[kind](config, env, steps, tensorboard)


def even_part(rows: int, most: int) -> int:
    """The largest divisor of `rows` that is at most `most`, so that no minibatch is a small remainder."""
    return next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)


def _ppo(kind: Any, policy: Any = "MlpPolicy") -> Callable[..., Any]:
    def make(config: PPOConfig, env: CustomersVecEnv, steps: int, tensorboard: str | None) -> Any:
        settings = _architecture(config, {"pi": list(config.hidden), "vf": list(config.hidden)})
        if isinstance(config, RecurrentPPOConfig):
            settings |= _with_mask(env, _KeepsMask)
            settings |= {"lstm_hidden_size": config.lstm_hidden_size, "shared_lstm": config.critic == "shared"}
            settings["enable_critic_lstm"] = config.critic == "own"
        model = kind(
            policy,
            env,
            n_steps=env.env.world.horizon,
            batch_size=even_part(config.customers * env.env.world.horizon, config.batch_size),
            n_epochs=config.n_epochs,
            clip_range=config.clip_range,
            gae_lambda=config.gae_lambda,
            ent_coef=config.ent_coef,
            vf_coef=config.vf_coef,
            policy_kwargs=settings,
            **_shared(config, tensorboard),
        )
        with torch.no_grad():
            model.policy.action_net.bias[0] += config.none_bias
        return model

    return make


def _dqn(kind: Any, policy: Any) -> Callable[..., Any]:
    def make(config: DQNConfig, env: CustomersVecEnv, steps: int, tensorboard: str | None) -> Any:
        settings = _architecture(config, list(config.hidden)) | _with_mask(env, _WithoutMask)
        if isinstance(config, QRDQNConfig):
            settings["n_quantiles"] = config.n_quantiles
        return kind(
            policy,
            env,
            buffer_size=config.buffer_size,
            learning_starts=config.learning_starts,
            batch_size=config.batch_size,
            train_freq=config.train_freq,
            gradient_steps=config.gradient_steps,
            n_steps=config.n_steps,
            target_update_interval=max(config.target_update_interval, config.customers),
            exploration_initial_eps=config.exploration_initial_eps,
            exploration_final_eps=config.exploration_final_eps,
            exploration_fraction=config.exploration_fraction,
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


def _with_mask(env: CustomersVecEnv, extractor: Any) -> dict[str, Any]:
    columns = env.env.world.features.width
    return {"features_extractor_class": extractor, "features_extractor_kwargs": {"columns": columns}}


class _WithoutMask(BaseFeaturesExtractor):
    """The features of an observation that has the mask behind them."""

    def __init__(self, observation_space: Any, columns: int) -> None:
        super().__init__(observation_space, columns)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, D + k) -> (n, D)."""
        return observations[:, : self.features_dim]


def _refused(observations: torch.Tensor, k: int) -> torch.Tensor:
    return observations[:, -k:] < 0.5


class _KeepsMask(_WithoutMask):
    """The same, and says what was refused in the observation that was looked at last."""

    refused: torch.Tensor

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(n, D + k) -> (n, D)."""
        self.refused = observations[:, self.features_dim :] < 0.5
        return super().forward(observations)


class _MaskedRecurrentPolicy(RecurrentActorCriticPolicy):
    """Chooses among what is allowed, while it acts and while it learns, and reads a whole sequence in one pass.

    The layers after the memory read the features as well, so that it need not hold what today's row says.
    """

    def _build_mlp_extractor(self) -> None:
        inputs, device = self.lstm_output_dim + self.features_dim, self.device
        self.mlp_extractor = MlpExtractor(inputs, self.net_arch, self.activation_fn, device)

    def _get_action_dist_from_latent(self, latent_pi: torch.Tensor) -> Any:
        logits = self.action_net(latent_pi).masked_fill(self.features_extractor.refused, REFUSED)
        return self.action_dist.proba_distribution(action_logits=logits)

    @staticmethod
    def _process_sequence(features: Any, lstm_states: Any, episode_starts: Any, lstm: Any) -> Any:
        """(n, D) -> (n, H + D): as the parent's, which goes day by day where an episode begins; and the features.

        The buffer cuts sequences where episodes begin, so only the state before the first day need be forgotten.
        """
        h, c = lstm_states
        sequences = features.reshape((h.shape[1], -1, lstm.input_size)).swapaxes(0, 1)
        kept = 1.0 - episode_starts.reshape((h.shape[1], -1))[:, 0].view(1, -1, 1)
        output, states = lstm(sequences, (kept * h, kept * c))
        return torch.cat([torch.flatten(output.transpose(0, 1), start_dim=0, end_dim=1), features], dim=1), states


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


MAKERS: Mapping[str, Callable[..., Any]] = {
    "ppo": _ppo(PPO),
    "maskable_ppo": _ppo(MaskablePPO),
    "recurrent_ppo": _ppo(RecurrentPPO, _MaskedRecurrentPolicy),
    "dqn": _dqn(_MaskedDQN, _MaskedDQNPolicy),
    "qr_dqn": _dqn(_MaskedQRDQN, _MaskedQRDQNPolicy),
}
