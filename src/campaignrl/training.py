"""The verb that teaches a learner, from a decision log or in a world.

Here: who provides the experience. Not here: how a policy learns (policies/), how good it is (ope/).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campaignrl.campaign import Progress, simulate
from campaignrl.errors import Problem, UsageError
from campaignrl.policies import Learner, Policy, load_policy
from campaignrl.policies.deep import RunOptions, TrainingCallback, WorldLearner
from campaignrl.specs import World, load_world
from campaignrl.tables.log import DecisionLog


def train(
    policy: str | Path | Learner | WorldLearner,
    source: str | Path | World | DecisionLog,
    *,
    customers: int = 20_000,
    rounds: int = 1,
    steps: int | None = None,
    explore: str | Path | Policy = "uniform",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    watch: TrainingCallback | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    tensorboard: str | Path | None = None,
) -> Policy:
    """A learner by name, spec or bundle, taught from a log, or in a world; returns the trained policy.

    From a log: one update with its matured rows. In a world, by a learner from logs (lin_ts): `rounds` campaigns of
    `customers` new customers each, the first played by `explore`, the later ones by the learner itself, with an update
    after each. In a world, by a learner that acts there itself (maskable_ppo): as many customer-days, which `steps`
    states directly; `watch` then sees each point of the learning curve, `checkpoint` is a file that always holds the last whole state,
    from which `resume` goes on, and `tensorboard` a folder for its events.
    """
    found = ready_learner(policy, source, seed)
    if isinstance(found, WorldLearner):
        world, file = _world_of(source, found), _path(checkpoint)
        days = customers * rounds * world.horizon if steps is None else steps
        train_in(found, world, RunOptions(days, threads or 1, progress, watch, file, resume, _path(tensorboard)))
        return found
    _refuse_given(found, watch=watch, checkpoint=checkpoint, resume=resume or None, tensorboard=tensorboard)
    if isinstance(source, DecisionLog):
        _refuse_given(found, steps=steps)
        found.update(source)
        return found
    world = load_world(source)
    each = customers if steps is None else -(-steps // (world.horizon * rounds))
    playing: str | Path | Policy = explore
    for number in range(rounds):
        ids = np.arange(number * each, (number + 1) * each)  # each round meets new customers
        found.update(simulate(world, playing, customers=ids, seed=seed, threads=threads, progress=progress))
        playing = found
    return found


def train_in(learner: WorldLearner, world: World, options: RunOptions) -> None:
    """Teach a learner that acts in a world itself. The checkpoint stays, for the caller to delete."""
    if options.steps < 1:
        raise UsageError(Problem("train", "steps", options.steps, "at least 1"))
    if options.checkpoint is not None and options.checkpoint.exists() and not options.resume:
        fix = "Give --resume (resume=True) to go on from it, or delete it to begin anew."
        raise UsageError(Problem("train", "checkpoint", str(options.checkpoint), "a new file", fix))
    learner.learn(world, options)


def ready_learner(
    policy: str | Path | Learner | WorldLearner, source: str | Path | World | DecisionLog, seed: int = 0
) -> Learner | WorldLearner:
    """The learner for the catalog and features of `source`; a policy that learns nothing is a UsageError."""
    origin = source if isinstance(source, DecisionLog) else load_world(source)
    schema = origin.features if isinstance(origin, World) else origin.context.schema
    found = load_policy(policy, origin.catalog, schema, seed) if isinstance(policy, str | Path) else policy
    if not isinstance(found, Learner | WorldLearner):
        fix = "Learners: lin_ts, dr_greedy, maskable_ppo ... A fixed policy needs no training."
        raise UsageError(Problem("train", "policy", found.name, "a policy that learns", fix))
    return found


def _world_of(source: str | Path | World | DecisionLog, learner: Policy) -> World:
    if isinstance(source, DecisionLog):
        fix = "Give a world, or take a learner that learns from logs: lin_ts, dr_greedy, neural_linear."
        raise UsageError(Problem("train", "policy", learner.name, "one that learns from logs", fix))
    return load_world(source)


def _refuse_given(learner: Policy, **words: object) -> None:
    """A UsageError for words that are meant for learners that act in a world themselves."""
    allowed, fix = "left out", f"{learner.name} learns from logs, in one go."
    problems = [
        Problem("train", name, str(word) if isinstance(word, Path) else word, allowed, fix)
        for name, word in words.items()
        if word is not None
    ]
    if problems:
        raise UsageError(problems)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
