"""Learners that learn by acting in a world: `ppo`, `maskable_ppo`, `dqn`, `qr_dqn`. Each ends as a network in numpy.

Here: their settings, and what they decide once trained. Training needs the extra `rl` and is in trainer.py, which is
loaded when `learn` is called and not before: a trained bundle decides where torch is not installed. Not here: the one
that remembers customers between days (recurrent_ppo.py); these answer from what is known of a customer today, so that a
table of customers is enough to decide, whose features hold the counts of the last weeks.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from campaignrl.actions import Catalog
from campaignrl.features import FeatureSchema
from campaignrl.policies.deep.numpy_network import Answer, NetworkConfig, NetworkPolicy
from campaignrl.policies.deep.run_options import CurvePoint, RunOptions
from campaignrl.specs import Spec, World, check

NEEDED = "training a deep learner needs torch, stable-baselines3 and sb3-contrib: pip install 'campaignrl[rl]'"
FIXED = {  # the same in every world
    *("hidden", "activation", "answer", "temperature", "explore", "lstm_hidden_size", "seed", "worlds"),
}
RENAMED = {  # settings in bundles of before they had the names of stable-baselines3
    "batch": "batch_size",
    "epochs": "n_epochs",
    "clip": "clip_range",
    "entropy": "ent_coef",
    "value_weight": "vf_coef",
    "buffer": "buffer_size",
    "waiting": "learning_starts",
    "every": "train_freq",
    "target_every": "target_update_interval",
    "steps_ahead": "n_steps",
    "explore_first": "exploration_initial_eps",
    "explore_last": "exploration_final_eps",
    "explore_until": "exploration_fraction",
    "quantiles": "n_quantiles",
    "memory": "lstm_hidden_size",
}


class AgentConfig(NetworkConfig):
    """Settings of every learner in a world; those of the network in numpy_network.py.

    What stable-baselines3 has a setting for is called as it is there; hidden and activation are its net_arch and
    activation_fn.

    customers: who live side by side; baseline: `twin` rewards what a customer brings over one with the same luck who is
    sent nothing (training_env.py), `none` the plain margin; reward_scale: currency units to one unit of reward, so that
    values are of the order of one; gamma: discount a day, 1 where the end is known and the time to go is seen;
    learning_rate: falls in a straight line to a tenth; batch_size: rows a gradient step, at most; max_grad_norm: of a
    gradient step; seed: of weights, customers and exploration; worlds: by name of a world, settings that differ there.
    """

    customers: int = Field(default=512, ge=1)
    baseline: Literal["twin", "none"] = "twin"
    reward_scale: float = Field(default=10.0, gt=0.0)
    gamma: float = Field(default=1.0, gt=0.0, le=1.0)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    batch_size: int = Field(default=4096, ge=2)
    max_grad_norm: float = Field(default=0.5, gt=0.0)
    seed: int = Field(default=0, ge=0)
    worlds: Mapping[str, dict[str, Any]] = Field(default_factory=dict)

    @classmethod
    def with_names_of_today(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a bundle, which may be an old one, under the names they have now."""
        found = {RENAMED.get(name, name): value for name, value in settings.items()}
        worlds = found.get("worlds")
        if isinstance(worlds, Mapping):
            found["worlds"] = {
                world: {RENAMED.get(name, name): value for name, value in changes.items()}
                if isinstance(changes, Mapping)
                else changes
                for world, changes in worlds.items()
            }
        return found

    @model_validator(mode="after")
    def _worlds_can_be_applied(self) -> Self:
        for name in self.worlds:
            self.in_world(name)
        return self

    def in_world(self, name: str) -> Self:
        """The settings as they are in one world."""
        changes = self.worlds.get(name)
        if changes is None:
            return self
        allowed = {key: value for key, value in changes.items() if key not in FIXED}
        unknown = {key: value for key, value in changes.items() if key in FIXED}
        plain = {**self.model_dump(), "worlds": {}, **allowed}
        if unknown:  # reported as a key that is not known there
            plain |= {f"worlds.{name}.{key}": value for key, value in unknown.items()}
        return check(type(self), plain, f"[worlds.{name}]")


class PPOConfig(AgentConfig):
    """Settings of `maskable_ppo`, and of `ppo` but for the answer.

    n_epochs: over each rollout; clip_range: of the probability ratio; gae_lambda: 1 sums rewards to the end of the
    episode, less leans on the learned value; ent_coef: reward for staying undecided; vf_coef: of the value's loss;
    none_bias: logits `none` begins ahead by, since sending everything to everybody is a poor place to begin from.
    """

    answer: Answer = "softmax"
    explore: float = Field(default=0.0, ge=0.0, le=1.0)  # a softmax leaves nothing out
    n_epochs: int = Field(default=4, ge=1)
    clip_range: float = Field(default=0.2, gt=0.0)
    gae_lambda: float = Field(default=0.95, ge=0.0, le=1.0)
    ent_coef: float = Field(default=0.0, ge=0.0)
    vf_coef: float = Field(default=0.5, ge=0.0)
    none_bias: float = Field(default=3.0, ge=0.0)


class PlainPPOConfig(PPOConfig):
    """As PPOConfig; a refused choice is `none`, as it is in the environment it learns in."""

    answer: Answer = "refused_to_none"


class DQNConfig(AgentConfig):
    """Settings of `dqn`.

    buffer_size: customer-days kept to learn from; learning_starts: customer-days before the first gradient step;
    train_freq: days between learning, with so many gradient_steps each time; target_update_interval: customer-days
    between copies to the target network; n_steps: days of rewards summed before the target's value;
    exploration_initial_eps, exploration_final_eps: share of uniform choices at the start, and from
    `exploration_fraction` (a share of the training) on.
    """

    answer: Answer = "greedy"
    gamma: float = Field(default=0.99, gt=0.0, le=1.0)
    max_grad_norm: float = Field(default=10.0, gt=0.0)
    buffer_size: int = Field(default=400_000, ge=1_000)
    learning_starts: int = Field(default=50_000, ge=0)
    train_freq: int = Field(default=2, ge=1)
    gradient_steps: int = Field(default=2, ge=1)
    target_update_interval: int = Field(default=20_000, ge=1)
    n_steps: int = Field(default=1, ge=1)
    exploration_initial_eps: float = Field(default=1.0, ge=0.0, le=1.0)
    exploration_final_eps: float = Field(default=0.1, ge=0.0, le=1.0)
    exploration_fraction: float = Field(default=0.5, gt=0.0, le=1.0)


class QRDQNConfig(DQNConfig):
    """n_quantiles: of the distribution of returns; the policy keeps their mean."""

    n_quantiles: int = Field(default=16, ge=2, le=200)


class Agent(NetworkPolicy):
    """A network that learns by acting in a world."""

    config: AgentConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: AgentConfig, name: str) -> None:
        super().__init__(catalog, schema, config, name)
        self.curve: list[CurvePoint] = []

    def learn(self, world: World, options: RunOptions) -> None:
        """Learn in `world`, from the weights it has if it has any."""
        self.curve = import_module("campaignrl.policies.deep.trainer").train_agent(self, world, options)


class PPO(Agent):
    """Proximal policy optimisation (Schulman et al. 2017), which is not told what is allowed."""

    kind: ClassVar[str] = "ppo"
    Config: ClassVar[type[Spec]] = PlainPPOConfig


class MaskablePPO(Agent):
    """PPO whose choice is among what is allowed only (Huang & Ontanon 2022, FLAIRS)."""

    kind: ClassVar[str] = "maskable_ppo"
    Config: ClassVar[type[Spec]] = PPOConfig


class DQN(Agent):
    """Deep Q-learning (Mnih et al. 2015, Nature 518), values and targets over allowed actions only."""

    kind: ClassVar[str] = "dqn"
    Config: ClassVar[type[Spec]] = DQNConfig


class QRDQN(Agent):
    """Quantile-regression DQN (Dabney et al. 2018, AAAI), values and targets over allowed actions only."""

    kind: ClassVar[str] = "qr_dqn"
    Config: ClassVar[type[Spec]] = QRDQNConfig
