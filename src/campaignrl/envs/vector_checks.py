"""What must hold of a vector environment, looked for by playing it: the checks that gymnasium's checker leaves out.

`check_vector_env(env)` raises with every finding at once; `findings(env)` lists them. The checks know gymnasium's
interface and our `action_mask` and `invalid`, and nothing of worlds. `reset_mask`, and the comparison with a single
environment, take places apart: they do not hold where a budget ties customers together. Not here: single environments
(`gymnasium.utils.env_checker`).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from campaignrl.arrays import Array
from campaignrl.envs.episode_end_checks import autoreset, final_obs, reset_mask
from campaignrl.envs.rollout_checks import (
    LONGEST,
    SEED,
    Env,
    Rollout,
    Single,
    episode,
    masked_actions,
    same,
    start,
    wrong,
)
from campaignrl.errors import CampaignError, Problem
from campaignrl.rng import Purpose, generator

CHECKS = (
    "spaces",
    "arrays",
    "infos",
    "masks",
    "invalid",
    "final_obs",
    "autoreset",
    "reset_mask",
    "aliasing",
    "seed",
    "pickling",
)


def check_vector_env(env: Env, single: Single | None = None) -> None:
    """Raise a CampaignError that lists everything wrong with `env`.

    single: the same world for one customer, for which `reset(seed, options={"customer": i})` meets the customer of
    place i; its last observation is compared with `final_obs`. None leaves that comparison out.
    """
    problems = findings(env, single)
    if problems:
        raise CampaignError(problems)


def findings(env: Env, single: Single | None = None, only: Collection[str] = CHECKS) -> list[Problem]:
    """One Problem for each thing that is wrong, named by its check; a check that cannot run fails."""
    problems: list[Problem] = []
    for name in only:
        try:
            problems += list(_RUN[name](env, single))
        except Exception as failed:  # whatever a broken environment raises is a finding
            problems.append(wrong(name, f"{type(failed).__name__}: {failed}", "an answer"))
    return problems


def _spaces(env: Env) -> Iterator[Problem]:
    """The batched spaces are n of the single ones, and the autoreset mode is stated."""
    for name in ("observation", "action"):
        batched = getattr(env, f"{name}_space")
        if batched != batch_space(getattr(env, f"single_{name}_space"), env.num_envs):
            yield wrong("spaces", f"{name}_space {batched}", f"n of single_{name}_space")
    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        yield wrong("spaces", f"metadata['autoreset_mode'] {mode!r}", "an AutoresetMode")


def _arrays(env: Env) -> Iterator[Problem]:
    """Observations lie in their space; rewards are floats of one kind, flags are bools, (n,) each."""
    played, _ = episode(env)
    outside = [t for t, p in enumerate(played) if not env.observation_space.contains(p.observation)]
    if outside:
        shown = played[outside[0]].observation
        yield wrong("arrays", f"observation of call {outside[0]}: {shown.dtype} {shown.shape}", "in observation_space")
    for name in ("reward", "terminated", "truncated"):
        values = [np.asarray(getattr(p, name)) for p in played[1:]]
        kinds = sorted({f"{v.dtype} of shape {v.shape}" for v in values})
        right = values[0].dtype.kind == ("f" if name == "reward" else "b") and values[0].shape == (env.num_envs,)
        if len(kinds) > 1 or not right:
            yield wrong("arrays", f"{name}: {', '.join(kinds)}", f"one kind of array of shape ({env.num_envs},)")


def _infos(env: Env) -> Iterator[Problem]:
    """Every key k has n values and a bool array _k (n,) beside it, also in `final_info`."""
    played, _ = episode(env)
    found = {text for p in played for text in _unpaired(p.infos, env.num_envs)}
    for text in sorted(found):
        yield wrong("infos", text, "an array of n values beside a bool array _key of shape (n,)")


def _unpaired(infos: dict[str, Any], n: int) -> Iterator[str]:
    for key, value in infos.items():
        if key.startswith("_"):
            if key[1:] not in infos:
                yield key
            continue
        there = infos.get(f"_{key}")
        if not isinstance(there, np.ndarray) or there.dtype != np.bool_ or there.shape != (n,):
            yield key
        elif isinstance(value, dict):
            yield from (f"{key}.{inner}" for inner in _unpaired(value, n))
        elif np.shape(value)[:1] != (n,):
            yield key


def _masks(env: Env) -> Iterator[Problem]:
    """The mask has a column an action, allows `none` always, and is the same by info and by method."""
    k = int(env.single_action_space.n)  # type: ignore[attr-defined]
    played = start(env, SEED)
    chance = generator(SEED, Purpose.ACTION)
    for _ in range(LONGEST):
        mask = np.asarray(played.infos.get("action_mask"))
        if mask.dtype != np.bool_ or mask.shape != (env.num_envs, k):
            yield wrong("masks", f"{mask.dtype} of shape {mask.shape}", f"bool of shape ({env.num_envs}, {k})")
            return
        if not mask[:, 0].all():
            yield wrong("masks", "action 0 not allowed", "allowed for everybody, always")
            return
        if not np.array_equal(mask, env.unwrapped.action_masks()):  # type: ignore[attr-defined]
            yield wrong("masks", "action_masks() differing from infos['action_mask']", "the mask of this observation")
            return
        if played.ended.any():
            return
        played = Rollout(*env.step(masked_actions(env, mask, chance)))


def _invalid(env: Env) -> Iterator[Problem]:
    """Actions under the mask are never flagged invalid; others always are, and change nothing but the flag."""
    played, taken = episode(env)
    flagged = [t for t, p in enumerate(played[1:]) if p.infos["invalid"].any()]
    if flagged:
        yield wrong("invalid", f"step {flagged[0]}: an allowed action flagged", "flagged outside the mask only")
    for t in range(len(taken)):
        refused = ~played[t].infos["action_mask"]
        if refused.any():
            yield from _refused(env, taken[:t], refused)
            return


def _refused(env: Env, taken: list[Array], refused: Array) -> Iterator[Problem]:
    """After these actions, one outside the mask where there is one, against `none` in its place."""
    answers = []
    for last in (np.where(refused.any(axis=1), refused.argmax(axis=1), 0), np.zeros(len(refused), dtype=np.int64)):
        start(env, SEED)
        for action in taken:
            env.step(action)
        answers.append(Rollout(*env.step(last.astype(env.action_space.dtype))))
    if not np.array_equal(answers[0].infos["invalid"], refused.any(axis=1)):
        yield wrong("invalid", "an action outside the mask not flagged", "flagged in infos['invalid']")
    if not same(answers[0][:4], answers[1][:4]):
        yield wrong("invalid", "an action outside the mask having an effect", "treated as action 0")


def _aliasing(env: Env) -> Iterator[Problem]:
    """What a call returned does not change later, and may be written on without effect."""
    expected, taken = episode(env)
    before = start(env, SEED)
    for t, action in enumerate(taken):
        kept = pickle.dumps(before)
        after = Rollout(*env.step(action))
        if pickle.dumps(before) != kept:
            yield wrong("aliasing", f"arrays of call {t} changed by the next", "left alone")
            break
        before = after
    before = start(env, SEED)
    for t, action in enumerate(taken):
        _scribble(before)
        before = Rollout(*env.step(action))
        if not same(before, expected[t + 1]):
            yield wrong("aliasing", f"call {t + 1} changed by writing on what the one before returned", "unaffected")
            break


def _scribble(played: Rollout) -> None:
    for array in (*played[:4], *_leaves(played.infos)):
        if isinstance(array, np.ndarray) and array.flags.writeable and array.dtype != object:
            array[...] = ~array if array.dtype == np.bool_ else 77


def _leaves(infos: dict[str, Any]) -> Iterator[Any]:
    for value in infos.values():
        yield from _leaves(value) if isinstance(value, dict) else (value,)


def _seed(env: Env) -> Iterator[Problem]:
    """The same seed and actions give the same arrays; another seed others; no seed the next episode."""
    played, taken = episode(env)
    again, _ = episode(env, actions=taken)
    if not same(played, again):
        yield wrong("seed", "the same seed and actions giving other arrays", "the same, bit for bit")
    if same(start(env, SEED).observation, start(env, SEED + 1).observation):
        yield wrong("seed", "another seed giving the same observation", "another")
    first = start(env, SEED).observation
    if same(first, start(env, None).observation):
        yield wrong("seed", "a reset without seed giving the first episode again", "the next episode")


def _pickling(env: Env) -> Iterator[Problem]:
    """A copy through pickle in mid-episode goes on as the original does."""
    _, taken = episode(env)
    half = len(taken) // 2
    start(env, SEED)
    for action in taken[:half]:
        env.step(action)
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301  bytes we have just made, as a worker process gets them
    if not same(Rollout(*copy.step(taken[half])), Rollout(*env.step(taken[half]))):
        yield wrong("pickling", "a copy that goes on differently", "the same")


_RUN: dict[str, Callable[[Env, Single | None], Iterator[Problem]]] = {
    "spaces": lambda env, _: _spaces(env),
    "arrays": lambda env, _: _arrays(env),
    "infos": lambda env, _: _infos(env),
    "masks": lambda env, _: _masks(env),
    "invalid": lambda env, _: _invalid(env),
    "final_obs": final_obs,
    "autoreset": lambda env, _: autoreset(env),
    "reset_mask": lambda env, _: reset_mask(env),
    "aliasing": lambda env, _: _aliasing(env),
    "seed": lambda env, _: _seed(env),
    "pickling": lambda env, _: _pickling(env),
}
