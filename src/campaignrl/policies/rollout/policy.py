"""`rollout`: a network of what every action brings over nothing, less prices, or the baseline that was not beaten.

Approximate policy iteration from counterfactual rollouts with common random numbers (Lagoudakis & Parr 2003; Lazaric,
Ghavamzadeh & Munos 2010; Bertsekas 2019, "Reinforcement Learning and Optimal Control"), then a simulation-based search
over prices. Here: settings, and deciding. Not here: learning, which is loaded when `learn` is called (trainer.py).
n rows, k actions.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.errors import Problem, SpecError
from campaignrl.features import Context, FeatureSchema
from campaignrl.policies.base import Policy, Shapes, Shown, Tensors, certain_action
from campaignrl.policies.choice import require_choice
from campaignrl.policies.deep import CurvePoint, Layer, NetworkConfig, NetworkPolicy, RunOptions, Width
from campaignrl.policies.registry import policy_class
from campaignrl.policies.rollout.labelling import PLAYED, Labels
from campaignrl.specs import Spec, World, check

FALLBACKS = ("none", "always", "rules")  # kinds of the baselines


class RolloutConfig(Spec):
    """Settings of `rollout`.

    hidden: widths of the network; explore: floor, as a share of uniform over what is allowed; customers: of each round,
    where the call does not say; rounds: of labels, each on the states of the policy so far; epochs, batch_size,
    learning_rate, weight_decay: of each fit; players: customers who play whole campaigns for every price that is tried;
    turns: through all prices; starts: of the search; judges: further customers on whom the policy must be shown to
    bring more than every baseline; labels: `expected`, from the true state and without luck, or `played`, by paired
    rollouts, as in a world with an effect that does not say what a day does on average; seed: of customers, luck and
    weights; baseline: what decides instead where it was not (set by the training: a spec of `none`, `always` or
    `rules`).
    """

    hidden: Annotated[tuple[Width, ...], Field(min_length=1, max_length=4)] = (128, 128)
    explore: float = Field(default=0.0, ge=0.0, le=1.0)
    customers: int = Field(default=40_000, ge=1)
    rounds: int = Field(default=3, ge=1, le=20)
    epochs: int = Field(default=12, ge=1)
    batch_size: int = Field(default=2_048, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0.0)
    weight_decay: float = Field(default=1e-5, ge=0.0)
    players: int = Field(default=4_000, ge=8)
    turns: int = Field(default=3, ge=0, le=10)
    starts: int = Field(default=2, ge=1, le=3)
    judges: int = Field(default=20_000, ge=8)
    labels: Labels = PLAYED
    seed: int = Field(default=0, ge=0)
    baseline: Mapping[str, Any] | None = None


class RolloutPolicy(Shown):
    """Sends what brings most over nothing, if that is worth its price; a network of zeros has learned nothing yet.

    facts: what the training found, plain JSON; told: the same in words. Both are empty for a policy from a file.
    """

    kind: ClassVar[str] = "rollout"
    score_unit: ClassVar[str] = "reward to the end, less prices"
    Config: ClassVar[type[Spec]] = RolloutConfig

    def __init__(self, catalog: Catalog, schema: FeatureSchema, config: RolloutConfig, name: str) -> None:
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name
        self._network = NetworkPolicy(catalog, schema, _network_config(config), name)
        self._fallback = self._built(config.baseline)
        self.curve: list[CurvePoint] = []
        self.facts: dict[str, Any] = {}
        self.told: list[str] = []

    def probabilities(self, context: Context, allowed: Bool) -> Float:
        """(n, k): all on the best, over the floor."""
        return (self._fallback or self._network).probabilities(context, allowed)

    def certain_action(self, context: Context, allowed: Bool) -> Int | None:
        """(n,) the best action; None where some share explores, or two are equally good."""
        if self._fallback is not None:
            return certain_action(self._fallback, context, allowed)
        if self.config.explore > 0.0:
            return None
        require_choice(allowed)
        scores = np.where(allowed, self._network.scores(context), -np.inf)
        best = scores.argmax(axis=1)
        ties = (scores == scores[np.arange(len(best)), best][:, None]).sum(axis=1) > 1
        return None if ties.any() else best

    def scores(self, context: Context) -> Float32:
        """(n, k) what each action brings over `none` to the end of the campaign, less its price, currency."""
        return self._network.scores(context)

    def at_price(self, price: float, minor_per_unit: int = 100) -> Self:
        """The same policy where each unit of money must bring so much more than itself; nothing is learned anew.

        For a budget other than the one it was taught under: taught without one, it serves every budget at some price. A
        baseline that a training left knows no price.
        """
        if not self._network.is_trained:
            return copy.copy(self)
        tensors, last = dict(self._network.tensors()), f"bias_{len(self.layers) - 1}"
        costs = self.catalog.cost_of / minor_per_unit
        return self.with_network(tensors | {last: (tensors[last] - max(price, 0.0) * costs).astype(np.float32)})

    def priced_for(self, world: World, players: int = 4_000, turns: int = 2) -> Self:
        """The same policy at the prices that bring most in `world`, under its budget and capacities.

        Nothing is learned anew: so many customers play whole campaigns, `turns` times through all prices. A baseline
        that a training left knows no price.
        """
        if self._fallback is not None or not self._network.is_trained:
            return copy.copy(self)
        search = import_module("campaignrl.policies.rollout.budget_search").priced_for
        found: Self = search(self, world, players, turns)
        return found

    def with_network(self, tensors: Tensors) -> Self:
        """The same policy with other weights."""
        other = copy.copy(self)
        other._network = NetworkPolicy(self.catalog, self.schema, _network_config(self.config), self.name)
        other._network.restore(tensors)
        return other

    def learn(self, world: World, options: RunOptions) -> None:
        """Learn in `world`; the first round is met by what it has learned before, if anything."""
        import_module("campaignrl.policies.rollout.trainer").train_rollout(self, world, options)

    def keep(self, tensors: Tensors, baseline: Mapping[str, Any] | None) -> None:
        """Decide by this network from now on, or by the baseline where there is one."""
        self._network.restore(tensors)
        self.config = self.config.model_copy(update={"baseline": baseline})
        self._fallback = self._built(baseline)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The network as it decides, prices among its weights."""
        return self._network.layers

    @property
    def usual_customers(self) -> int:
        """Of each round, where the call does not say."""
        return self.config.customers

    @property
    def usual_rounds(self) -> int:
        """Where the call does not say."""
        return self.config.rounds

    @property
    def is_trained(self) -> bool:
        """Has weights, or a baseline that a training has left."""
        return self._fallback is not None or self._network.is_trained

    def settings(self) -> dict[str, Any]:
        """The settings as plain JSON types; `played` goes without saying, as in bundles of before."""
        settings: dict[str, Any] = self.config.model_dump(mode="json")
        if self.config.labels == PLAYED:
            del settings["labels"]
        return settings

    @classmethod
    def shapes(cls, catalog: Catalog, schema: FeatureSchema, config: RolloutConfig) -> Shapes:
        """What `tensors` holds."""
        return NetworkPolicy.shapes(catalog, schema, _network_config(config))

    def tensors(self) -> Tensors:
        """Weights and biases by layer."""
        return self._network.tensors()

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self._network.restore(tensors)

    def _built(self, baseline: Mapping[str, Any] | None) -> Policy | None:
        if baseline is None:
            return None
        settings = {key: value for key, value in baseline.items() if key != "kind"}
        kind = str(baseline.get("kind"))
        if kind not in FALLBACKS:
            raise SpecError(Problem(f"policy {self.name}", "baseline", kind, f"one of {', '.join(FALLBACKS)}"))
        found = policy_class(kind)
        return found(self.catalog, self.schema, check(found.Config, settings, f"policy {self.name}: baseline"), kind)


def _network_config(config: RolloutConfig) -> NetworkConfig:
    """Every hidden layer is a unit wider: the time left is handed through, since prices change with it (prices.py)."""
    return NetworkConfig(hidden=tuple(width + 1 for width in config.hidden), answer="greedy", explore=config.explore)
