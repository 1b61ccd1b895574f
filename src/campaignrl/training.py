"""The verb that teaches a learner, from a decision log or in a world.

Here: who provides the experience. Not here: how a policy learns (policies/), how good it is (ope/).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from campaignrl.campaign import Progress, simulate
from campaignrl.errors import Problem, SupportError, UsageError
from campaignrl.policies import Learner, Policy, PolicyReference, load_policy
from campaignrl.policies.deep import RunOptions, TrainingCallback, WorldLearner, kept_in_the_end, warm_started
from campaignrl.specs import World, WorldReference, load_world
from campaignrl.tables import read_log
from campaignrl.tables.files import SUFFIXES
from campaignrl.tables.log import FACT, CustomerSketch, DecisionLog, sketch_of

CUSTOMERS = 20_000  # of a round, where neither the call nor the learner says
Source = WorldReference | DecisionLog  # or the file of a log


def train(
    policy: PolicyReference,
    source: Source,
    *,
    customers: int | None = None,
    rounds: int | None = None,
    steps: int | None = None,
    explore: PolicyReference = "uniform",
    seed: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    watch: TrainingCallback | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    tensorboard: str | Path | None = None,
    warm_start: PolicyReference | None = None,
) -> Policy:
    """Teach a learner from a log, or in a world.

    From a log: one update with its matured rows. In a world, by a learner from logs (lin_ts): `rounds` campaigns of
    new customers each, the first played by `explore`, the later ones by the learner itself, with an update after
    each. In a world, by a learner that acts there itself (maskable_ppo, rollout): as many customer-days.

    Args:
        policy: a learner by kind, spec, bundle (which goes on learning) or object; an object itself is taught.
        source: a DecisionLog or the file of one (.parquet, .csv), or a world: World, name, TOML path or dict.
        customers: of each round in a world. None: 20,000, or what the learner's settings say (rollout).
        rounds: campaigns in a world. None: 1, or what the learner's settings say (rollout).
        steps: customer-days in a world, instead of customers x rounds x horizon.
        explore: who plays the first round.
        seed: of every draw.
        threads: of the engine; for a learner that acts itself, of torch (1 unless given).
        progress: called as (done, in all).
        watch: sees each point of the learning curve of a learner that acts itself.
        checkpoint: of the same, a file that always holds the last whole state.
        resume: go on from it.
        tensorboard: a folder for the events of a learner that acts itself.
        warm_start: a bundle of `rollout` that a deep learner begins from; it ends as what it began from unless it is
            shown to be better on fresh customers.

    Returns:
        Policy: the trained policy.

    Raises:
        UnknownName: no learner, world or file goes by that name.
        UsageError: the policy learns nothing, or words do not fit the way it learns.
        SupportError: no outcome of the log is known yet.
        MissingExtra: a deep learner needs torch and stable-baselines3: pip install 'campaignrl[rl]'.

    Example:
        >>> import campaignrl as crl
        >>> log = crl.simulate("coupon_trap", "uniform", customers=200, seed=7)
        >>> crl.train("lin_ts", log)
        Policy lin_ts: 7 actions, trained
    """
    source = _opened(source)
    found = ready_learner(policy, source, seed)
    customers = getattr(found, "usual_customers", CUSTOMERS) if customers is None else customers
    rounds = getattr(found, "usual_rounds", 1) if rounds is None else rounds
    if isinstance(found, WorldLearner):
        world, file = _world_of(source, found), _path(checkpoint)
        days = customers * rounds * world.horizon if steps is None else steps
        words = RunOptions(days, threads or 1, progress, watch, file, resume, _path(tensorboard), rounds)
        if warm_start is not None:
            return _from_start(found, load_policy(warm_start, world), world, words)
        train_in(found, world, words)
        return found
    _refuse_given(found, warm_start=None if warm_start is None else str(warm_start))
    _refuse_given(found, watch=watch, checkpoint=checkpoint, resume=resume or None, tensorboard=tensorboard)
    if isinstance(source, DecisionLog):
        _refuse_given(found, steps=steps)
        if not source.matured.any():  # or a bundle would say that it is trained, and nobody has taught it
            raise SupportError(
                f"none of the log's {len(source):,} decisions has a known outcome yet; learn from it later."
            )
        found.update(source)
        _remember(found, source)
        return found
    world = load_world(source)
    each = customers if steps is None else -(-steps // (world.horizon * rounds))
    playing: PolicyReference = explore
    for number in range(rounds):
        ids = np.arange(number * each, (number + 1) * each)  # each round meets new customers
        found.update(simulate(world, playing, customers=ids, seed=seed, threads=threads, progress=progress))
        playing = found
    return found


def _remember(learner: Learner, log: DecisionLog) -> None:
    """Note whom it has learned from, now and before, so that `evaluate` knows its own rows."""
    before, sketch = dict(getattr(learner, "trained_on", {})), sketch_of(log)
    if FACT in before:
        sketch = sketch.joined(CustomerSketch.from_dict(before[FACT], "bundle"))
    vars(learner)["trained_on"] = {**before, FACT: sketch.to_dict()}


def train_in(learner: WorldLearner, world: World, options: RunOptions) -> None:
    """Teach a learner that acts in a world itself. The checkpoint stays, for the caller to delete."""
    if options.steps < 1:
        raise UsageError(Problem("train", "steps", options.steps, "at least 1"))
    if options.checkpoint is not None and options.checkpoint.exists() and not options.resume:
        fix = "Give --resume (resume=True) to go on from it, or delete it to begin anew."
        raise UsageError(Problem("train", "checkpoint", str(options.checkpoint), "a new file", fix))
    learner.learn(world, options)


def _from_start(learner: WorldLearner, start: Policy, world: World, options: RunOptions) -> Policy:
    """A deep learner taught from where another policy stands; what it was given is changed in place."""
    found = warm_started(learner, start, world)
    train_in(found, world, options)
    ended = kept_in_the_end(found, start, world)
    vars(learner).update(vars(found))
    over = f"{ended.over.mean:+.4g} [{ended.over.low:+.4g}, {ended.over.high:+.4g}] {world.money.currency} a customer"
    vars(learner)["facts"] = {"warm_start": start.name, "kept": ended.kept, "over_start": list(ended.over)}
    vars(learner)["told"] = [f"kept: {ended.kept}; trained over start: {over}"]
    return learner


def ready_learner(policy: PolicyReference, source: Source, seed: int = 0) -> Learner | WorldLearner:
    """The learner for the catalog and features of `source`; a policy that learns nothing is a UsageError."""
    found = load_policy(policy, _opened(source), seed=seed)
    if not isinstance(found, Learner | WorldLearner):
        fix = "Learners: lin_ts, dr_greedy, maskable_ppo ... A fixed policy needs no training."
        raise UsageError(Problem("train", "policy", found.name, "a policy that learns", fix))
    return found


def _opened(source: Source) -> World | DecisionLog:
    """The log or the world that a reference names; a file is a log by its suffix."""
    if isinstance(source, DecisionLog):
        return source
    is_log = isinstance(source, str | Path) and str(source).endswith(SUFFIXES)
    return read_log(str(source)) if is_log else load_world(source)


def _world_of(source: Source, learner: Policy) -> World:
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
