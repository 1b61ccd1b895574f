"""What must hold of a vector environment where episodes end: final observations, autoreset, partial resets.

Not here: the other checks, and running them (vector_checks.py).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from gymnasium.vector import AutoresetMode

from campaignrl.arrays import Array
from campaignrl.envs.rollout_checks import SEED, Env, Rollout, Single, episode, same, start, wrong
from campaignrl.errors import Problem


def final_obs(env: Env, single: Single | None) -> Iterator[Problem]:
    """At an end the last observation is given, and is what one customer alone would see."""
    played, taken = episode(env)
    last, ended = played[-1], played[-1].ended
    final = last.observation
    if env.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP:
        if "final_obs" not in last.infos or not np.array_equal(last.infos.get("_final_obs", []), ended):
            yield wrong("final_obs", sorted(last.infos), "final_obs with _final_obs where an episode ended")
            return
        final = last.infos["final_obs"]
    for i in np.flatnonzero(ended)[[0, -1]] if single is not None else []:
        assert single is not None
        single.reset(seed=SEED, options={"customer": int(i)})
        for action in taken:
            alone, reward, *_ = single.step(action[i])
        if not np.array_equal(np.asarray(final[i]), alone) or last.reward is None or last.reward[i] != reward:
            yield wrong("final_obs", f"place {i}: not what the customer alone sees and earns", "the same")


def autoreset(env: Env) -> Iterator[Problem]:
    """After an end: a new episode at once, a call that only resets, or a refusal, by the mode."""
    mode = env.metadata["autoreset_mode"]
    played, taken = episode(env)
    if mode == AutoresetMode.SAME_STEP:
        if same(played[-1].observation[played[-1].ended], played[-1].infos["final_obs"][played[-1].ended]):
            yield wrong("autoreset", "the final observation returned again", "the first of the next episode")
    elif mode == AutoresetMode.NEXT_STEP:
        yield from _next_step(env, taken)
    else:
        try:
            env.step(taken[0])
        except Exception:  # any refusal will do
            return
        yield wrong("autoreset", "a step after the end answered", "refused until reset")


def _next_step(env: Env, taken: list[Array]) -> Iterator[Problem]:
    """The call after an end: no reward, no flags, and the action of no effect."""
    answers = []
    for action in (taken[0], np.zeros_like(taken[0]), np.full_like(taken[0], env.single_action_space.n - 1)):  # type: ignore[attr-defined]
        played, _ = episode(env, actions=taken)
        after, ended = Rollout(*env.step(action)), played[-1].ended
        answers.append((after.observation[ended], after.infos["action_mask"][ended]))
        if after.reward is None or after.reward[ended].any() or after.ended[ended].any():
            yield wrong("autoreset", "a reward or an end in the call that resets", "reward 0 and both flags False")
            return
    if not (same(answers[0], answers[1]) and same(answers[0], answers[2])):
        yield wrong("autoreset", "the action of the call that resets having an effect", "ignored")


def reset_mask(env: Env) -> Iterator[Problem]:
    """In DISABLED mode a part of the places is reset, and the others go on as if nothing had happened."""
    if env.metadata["autoreset_mode"] != AutoresetMode.DISABLED:
        return
    n = env.num_envs
    played, taken = episode(env)
    for bad in (np.zeros(n, dtype=bool), np.ones(n), np.ones(n + 1, dtype=bool)):
        try:
            env.reset(options={"reset_mask": bad})
        except Exception:  # any refusal will do
            continue
        yield wrong("reset_mask", f"{bad.dtype} of shape {bad.shape}, {int(bad.sum())} True: accepted", "refused")
    chosen = np.arange(n) % 2 == 0
    half = len(taken) // 2  # 0 when an episode has one step: then the part is reset before it
    start(env, SEED)
    for action in taken[:half]:
        env.step(action)
    observation = env.reset(options={"reset_mask": chosen.copy()})[0]
    yield from _part(played[half].observation, observation, chosen)
    after = Rollout(*env.step(np.where(chosen, 0, taken[half]).astype(env.action_space.dtype)))
    expected = played[half + 1]
    stay = ~chosen
    if expected.reward is None or after.reward is None or not same(after.reward[stay], expected.reward[stay]):
        yield wrong("reset_mask", "other rewards for places that were not reset", "as if nothing had happened")
    if not same(after.observation[stay], expected.observation[stay]):
        yield wrong("reset_mask", "other observations for places that were not reset", "as if nothing had happened")


def _part(before: Array, after: Array, chosen: Array) -> Iterator[Problem]:
    if not same(before[~chosen], after[~chosen]):
        yield wrong("reset_mask", "observations of places outside the mask changed", "left alone")
    if same(before[chosen], after[chosen]):
        yield wrong("reset_mask", "observations of places in the mask unchanged", "of a new episode")
