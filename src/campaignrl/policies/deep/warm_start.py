"""A deep learner that begins from a network that decides already, and ends at least as good, or as that network.

Here: the learner in the shape of the start, its first weights, and who is kept in the end, by playing on fresh ones.
Not here: the training between (trainer.py), what a start is taught by (policies/rollout/). n customers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float32, Int64
from campaignrl.envs import Panel
from campaignrl.envs.truth import live
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.policies.base import Policy, Tensors
from campaignrl.policies.baselines import deciding
from campaignrl.policies.certified_draws import Layer
from campaignrl.policies.deep.configs import Agent, AgentConfig, DQNConfig
from campaignrl.policies.standing import Gain, paired_gain
from campaignrl.specs import World

SHARPNESS = 10.0  # logits to one unit of what a send is worth, so that the best action is nearly always taken
SLOWER = 0.05  # of the learning rate: what is there already should not be unlearned before the critic has learned
FIRST_ID = (1 << 43) + (1 << 40)  # of customers that no training meets
LOOKED_AT = 500  # customers, for what a send is worth
GREEDY: dict[str, Any] = {"answer": "greedy", "explore": 0.0}
CHOSEN_ON, JUDGED_ON = 4_000, 8_000  # customers


class Ended(NamedTuple):
    """kept: "trained", "trained, best action" or "start"; over: the gain of the better trained one over the start."""

    kept: str
    over: Gain


def warm_started(agent: Policy, start: Policy, world: World) -> Agent:
    """A learner of the same kind, in the shape of the start and with its weights; a start that has none is refused."""
    layers = getattr(start, "layers", None)
    if not layers or getattr(getattr(start, "config", None), "baseline", None) is not None:
        fix = "Take a bundle of rollout or network that decides by its own weights."
        raise UsageError(Problem("train", "warm start", start.name, "a policy that is a network", fix))
    if not isinstance(agent, Agent) or "lstm_hidden_size" in agent.settings():
        fix = "Learners: maskable_ppo, ppo, dqn, qr_dqn."
        raise UsageError(Problem("train", "warm start", agent.name, "of a learner without memory", fix))
    _require_same_inputs(agent, layers)
    hidden = tuple(layer.weight.shape[1] for layer in layers[:-1])
    rate = agent.config.in_world(world.name).learning_rate * SLOWER
    config: AgentConfig = agent.config.in_world(world.name).model_copy(
        update={"hidden": hidden, "activation": "relu", "learning_rate": rate}
    )
    found = type(agent)(agent.catalog, agent.schema, config, agent.name)
    unit = config.reward_scale if isinstance(config, DQNConfig) else worth_of_a_send(start, world) / SHARPNESS
    found.restore(_tensors(layers, 1.0 / unit))
    return found


def kept_in_the_end(agent: Agent, start: Policy, world: World) -> Ended:
    """Give the learner the weights of whoever is better; the start where no trained one is shown to be.

    The better of the trained ways of deciding (as it learned to, or always its best action) is chosen on some fresh
    customers and held against the start on others, paired; only where the lower end of its gain is above 0 is it kept.
    """
    taught, seed = agent.tensors(), agent.config.seed
    greedy = type(agent)(agent.catalog, agent.schema, agent.config.model_copy(update=GREEDY), agent.name)
    greedy.restore(taught)
    ways: dict[str, Agent] = {"trained": agent, "trained, best action": greedy}
    some, others = FIRST_ID + np.arange(CHOSEN_ON), FIRST_ID + CHOSEN_ON + np.arange(JUDGED_ON)

    def played(policy: Policy, ids: Int64) -> Any:
        return live(world, deciding(policy), customers=ids, seed=seed, expects=True)["expected"]

    name = max(ways, key=lambda way: played(ways[way], some).mean())
    over = paired_gain(played(ways[name], others), played(start, others))
    if over.low > 0.0:
        agent.config = ways[name].config
        return Ended(name, over)
    own = start.config  # type: ignore[attr-defined]
    answer = {name: getattr(own, name, GREEDY.get(name, 1.0)) for name in ("answer", "explore", "temperature")}
    agent.config = agent.config.model_copy(update=answer)
    agent.restore(_tensors(start.layers, 1.0))  # type: ignore[attr-defined]
    return Ended("start", over)


def worth_of_a_send(start: Policy, world: World) -> float:
    """Mean score of the best allowed action over `none`, of customers whom the start sends something; 1 if nobody."""
    panel, decide, best = Panel(world, FIRST_ID + np.arange(LOOKED_AT), threads=1), deciding(start), []
    score: Callable[[Context], Float32] = start.scores  # type: ignore[attr-defined]
    while not panel.done:
        context = panel.observe()
        allowed: Bool = panel.allowed(context)
        scores = score(context)
        lead = np.where(allowed, scores, -np.inf).max(axis=1) - scores[:, 0]
        best.append(lead[lead > 0.0])
        panel.step(decide(panel))
    found = np.concatenate(best)
    return float(found.mean()) if len(found) else 1.0


def _tensors(layers: tuple[Layer, ...], scale: float) -> Tensors:
    """By the names that a network has for its parts; the outputs times `scale`."""
    tensors: Tensors = {}
    for i, layer in enumerate(layers):
        times = np.float32(scale if i == len(layers) - 1 else 1.0)
        tensors |= {f"weight_{i}": layer.weight * times, f"bias_{i}": layer.bias * times}
    return tensors


def _require_same_inputs(agent: Agent, layers: tuple[Layer, ...]) -> None:
    wanted = (agent.schema.width, len(agent.catalog))
    found = (layers[0].weight.shape[0], layers[-1].weight.shape[1])
    if found != wanted:
        fix = "Take one that was taught in this world."
        raise UsageError(Problem("train", "warm start", found, f"of {wanted} columns and actions", fix))
