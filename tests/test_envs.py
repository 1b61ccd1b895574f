"""The gymnasium faces: their checkers are content, and single, vector and panel tell the same story."""

import doctest
import inspect
import re

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import campaignrl  # noqa: F401  makes the ids known
from campaignrl.envs.bandit import BanditEnv, BanditVectorEnv
from campaignrl.envs.panel import Panel
from campaignrl.envs.rollout_checks import same
from campaignrl.envs.single import LifecycleEnv
from campaignrl.envs.vector import LifecycleVectorEnv
from campaignrl.errors import UsageError
from campaignrl.specs.world import load_world

ID = "campaignrl/Lifecycle-v0"
N = 8


def plan(world, day, n=N, first=0):
    """A fixed plan that also tries what is not allowed; (n,)."""
    return (np.arange(first, first + n) * 5 + day * 3) % len(world.catalog)


def played(envs, world, days, seed=None):
    """What a vector environment answers to the plan: (observation, mask), then one answer a step."""
    observation, infos = envs.reset(seed=seed)
    answers = [(observation.copy(), infos["action_mask"].copy())]
    for day in range(days):
        step = envs.step(plan(world, day % world.horizon, envs.num_envs))
        answers.append(step)
    return answers


# ---- the checkers of others


def test_gymnasium_s_checker_is_content():
    env = gymnasium.make(ID)
    check_env(env.unwrapped)
    env.close()


def test_gymnasium_s_checker_is_content_with_another_world(small_world):
    check_env(gymnasium.make(ID, world=small_world, seed=3).unwrapped)


def test_stable_baselines_checker_is_content(small_world):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env as check_for_sb3

    check_for_sb3(gymnasium.make(ID, world=small_world).unwrapped)


def test_make_vec_gives_the_native_vector_environment(small_world):
    envs = gymnasium.make_vec(ID, num_envs=5, world=small_world, seed=2)
    assert isinstance(envs.unwrapped, LifecycleVectorEnv)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, infos = envs.reset(seed=1)
    assert observation in envs.observation_space
    assert infos["action_mask"].shape == (5, len(small_world.catalog))
    envs.close()


def test_make_finds_the_single_environment_and_a_world_by_name():
    env = gymnasium.make(ID, world="ecommerce")
    assert isinstance(env.unwrapped, LifecycleEnv)
    assert env.action_space.n == len(load_world("ecommerce").catalog)
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    assert (type(reward), type(terminated), truncated) == (float, bool, False)


# ---- one story


def test_single_vector_and_panel_tell_the_same_story(small_world):
    envs = LifecycleVectorEnv(N, small_world, seed=4)
    vector = played(envs, small_world, small_world.horizon)
    panel = Panel(small_world, N, seed=4)
    singles = [LifecycleEnv(small_world, seed=4) for _ in range(N)]
    starts = [env.reset(options={"customer": i}) for i, env in enumerate(singles)]
    assert np.array_equal(np.array([s[0] for s in starts]), vector[0][0])
    assert np.array_equal(np.array([s[1]["action_mask"] for s in starts]), vector[0][1])
    for day in range(small_world.horizon):
        observation, reward, ended, truncated, infos = vector[day + 1]
        context = panel.observe()
        mask, action = panel.allowed(context), plan(small_world, day)
        invalid = ~mask[np.arange(N), action]
        outcome = panel.step(np.where(invalid, 0, action))
        alone = [env.step(a) for env, a in zip(singles, action, strict=True)]
        assert np.array_equal(infos["invalid"], invalid)
        assert np.array_equal(reward, outcome.reward.astype(float))
        assert np.array_equal(infos["cost"], outcome.cost.astype(float))
        assert reward.tolist() == [a[1] for a in alone]
        assert infos["cost"].tolist() == [a[4]["cost"] for a in alone]
        assert invalid.tolist() == [a[4]["invalid"] for a in alone]
        assert ended.tolist() == [a[2] for a in alone] == [day == small_world.horizon - 1] * N
        assert not truncated.any()
        seen = infos["final_obs"] if ended.all() else observation
        assert np.array_equal(np.array([a[0] for a in alone]), seen)
        assert np.array_equal(panel.observe().encode(), seen)
    assert sum(int(a[4]["invalid"].sum()) for a in vector[1:]) > 0


def test_the_same_seed_gives_the_same_episode_and_another_seed_another(small_world):
    envs = LifecycleVectorEnv(N, small_world)
    first, again, other = (played(envs, small_world, 12, seed=s) for s in (7, 7, 8))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first[1:], other[1:], strict=True))


def test_threads_change_nothing(small_world):
    one, two = (played(LifecycleVectorEnv(N, small_world, seed=1, threads=t), small_world, 12) for t in (1, 2))
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(one, two, strict=True))


def test_each_episode_meets_the_next_customers(small_world):
    envs = LifecycleVectorEnv(4, small_world, seed=1, first_customer=100)
    wanted = [Panel(small_world, np.arange(100 + e * 4, 104 + e * 4), seed=1).observe().encode() for e in range(3)]
    observation, _ = envs.reset()
    assert np.array_equal(observation, wanted[0])
    for episode in (1, 2):
        for _ in range(small_world.horizon):
            observation, *_ = envs.step(np.zeros(4, dtype=int))
        assert np.array_equal(observation, wanted[episode])
    assert np.array_equal(envs.reset(seed=1)[0], wanted[0])  # a seed starts over
    assert np.array_equal(envs.reset()[0], wanted[1])
    assert np.array_equal(envs.reset(options={"customer": 108})[0], wanted[2])


# ---- the three ways to go on after an end


def test_same_step_shows_the_end_and_the_next_beginning_together(small_world):
    envs = LifecycleVectorEnv(N, small_world, seed=4, autoreset_mode=AutoresetMode.SAME_STEP)
    *_, last = played(envs, small_world, small_world.horizon)
    observation, reward, ended, _, infos = last
    assert ended.all()
    assert infos["_final_obs"].all()
    days_to_go = small_world.features.encoded.index("days_to_go")
    assert (infos["final_obs"][:, days_to_go] == 0).all()
    assert (observation[:, days_to_go] == 1).all()
    next_ones = Panel(small_world, np.arange(N, 2 * N), seed=4)
    assert np.array_equal(observation, next_ones.observe().encode())
    assert np.array_equal(infos["action_mask"], next_ones.allowed(next_ones.observe()))
    assert np.array_equal(envs.action_masks(), infos["action_mask"])
    action = plan(small_world, 0)
    legal = np.where(infos["action_mask"][np.arange(N), action], action, 0)
    assert np.array_equal(envs.step(action)[1], next_ones.step(legal).reward.astype(float))
    assert reward.shape == (N,)


def test_next_step_ignores_one_action_and_earns_nothing(small_world):
    envs = LifecycleVectorEnv(N, small_world, seed=4, autoreset_mode=AutoresetMode.NEXT_STEP)
    same = played(LifecycleVectorEnv(N, small_world, seed=4), small_world, small_world.horizon)
    mine = played(envs, small_world, small_world.horizon)
    assert np.array_equal(mine[-1][0], same[-1][4]["final_obs"])
    assert mine[-1][2].all()
    observation, reward, ended, truncated, _ = envs.step(plan(small_world, 1))
    assert np.array_equal(observation, same[-1][0])
    assert (reward == 0).all()
    assert not ended.any()
    assert not truncated.any()
    later = envs.step(np.zeros(N, dtype=int))
    assert later[2].tolist() == [False] * N


def test_disabled_waits_for_a_reset(small_world):
    envs = LifecycleVectorEnv(N, small_world, seed=4, autoreset_mode=AutoresetMode.DISABLED)
    played(envs, small_world, small_world.horizon)
    with pytest.raises(UsageError, match="reset"):
        envs.step(plan(small_world, 0))
    observation, _ = envs.reset(options={"reset_mask": np.ones(N, dtype=bool)})
    assert np.array_equal(observation, Panel(small_world, np.arange(N, 2 * N), seed=4).observe().encode())
    envs.step(plan(small_world, 0))


def test_a_single_environment_waits_for_a_reset(small_world):
    env = LifecycleEnv(small_world)
    with pytest.raises(UsageError, match="reset"):
        env.step(np.int64(0))
    env.reset(seed=1)
    for _ in range(small_world.horizon):
        ended = env.step(np.int64(0))[2]
    assert ended
    with pytest.raises(UsageError, match="reset"):
        env.step(np.int64(0))
    env.reset()
    assert not env.step(np.int64(0))[2]


# ---- what is returned


def test_every_answer_is_of_the_promised_kind(small_world):
    envs = LifecycleVectorEnv(N, small_world, seed=0)
    for step in played(envs, small_world, 2 * small_world.horizon)[1:]:
        observation, reward, ended, truncated, infos = step
        assert observation in envs.observation_space
        assert (reward.dtype, ended.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert all(infos[f"_{key}"].shape == (N,) for key in infos if not key.startswith("_"))
        assert infos["action_mask"].dtype == bool
        assert infos["action_mask"][:, 0].all()
        assert np.isfinite(reward).all()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_what_was_returned_never_changes_afterwards(small_world, mode):
    envs = LifecycleVectorEnv(N, small_world, seed=0, autoreset_mode=mode)
    kept = []

    def keep(value):
        if isinstance(value, np.ndarray):
            kept.append((value, value.copy()))
        elif isinstance(value, dict):
            for inner in value.values():
                keep(inner)

    for part in envs.reset():
        keep(part)
    keep(envs.action_masks())
    for day in range(small_world.horizon):
        for part in envs.step(plan(small_world, day)):
            keep(part)
    envs.reset(seed=9)
    assert all(np.array_equal(value, copy) for value, copy in kept)


def test_writing_into_what_was_returned_harms_nobody(small_world):
    clean = played(LifecycleVectorEnv(N, small_world, seed=0), small_world, 5)
    envs = LifecycleVectorEnv(N, small_world, seed=0)
    observation, infos = envs.reset()
    for day in range(5):
        observation[:] = 9
        infos["action_mask"][:] = True
        envs.action_masks()[:] = False
        observation, reward, ended, truncated, infos = envs.step(plan(small_world, day))
        assert np.array_equal(observation, clean[day + 1][0])
        assert np.array_equal(reward, clean[day + 1][1])
        reward[:], ended[:], truncated[:] = 5, True, True


# ---- actions


def test_an_action_the_guard_refuses_is_none_and_flagged(small_world):
    refused, sent = LifecycleVectorEnv(200, small_world, seed=1), LifecycleVectorEnv(200, small_world, seed=1)
    mask = refused.reset()[1]["action_mask"]
    sent.reset()
    action = np.where(mask.all(axis=1), 0, np.argmin(mask, axis=1))  # something refused, wherever anything is
    assert (action > 0).any()
    step, none = refused.step(action), sent.step(np.zeros(200, dtype=int))
    assert np.array_equal(step[4]["invalid"], action > 0)
    assert not none[4]["invalid"].any()
    assert np.array_equal(step[1], none[1])
    assert np.array_equal(step[0], none[0])
    assert (step[4]["cost"] == 0).all()


def test_sampling_under_the_mask_is_never_flagged(small_world):
    env = LifecycleEnv(small_world, seed=2)
    _, info = env.reset(seed=5)
    env.action_space.seed(5)
    for _ in range(3 * small_world.horizon):
        _, _, ended, _, info = env.step(env.action_space.sample(info["action_mask"]))
        assert not info["invalid"]
        assert np.array_equal(env.action_masks(), info["action_mask"].astype(bool))
        if ended:
            _, info = env.reset()


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ([-1, 0, 0], "an action id from 0 to 5"),
        ([0, 6, 0], "6 is not an action id"),
        ([0, 0], "shape"),
        ([0.0, 1.0, 0.0], "whole numbers"),
        ([[0, 0, 0]], "shape"),
    ],
)
def test_what_is_no_action_is_refused_and_nobody_lives_a_day(small_world, actions, words):
    envs = LifecycleVectorEnv(3, small_world, seed=0)
    envs.reset()
    with pytest.raises(UsageError, match=words):
        envs.step(np.array(actions))
    assert envs.panel.day == 0


def test_a_step_before_a_reset_is_refused(small_world):
    with pytest.raises(UsageError, match="reset"):
        LifecycleVectorEnv(3, small_world).step(np.zeros(3, dtype=int))


SECTIONS = ("Description", "Action Space", "Observation Space", "Rewards", "Starting State", "Episode End", "Arguments")


@pytest.mark.parametrize("kind", [LifecycleVectorEnv, LifecycleEnv, BanditVectorEnv, BanditEnv])
def test_the_docstrings_have_gymnasiums_sections(kind):
    """As Gymnasium's own environments: the same headings, in the same order, each with something under it."""
    text = inspect.getdoc(kind) or ""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == (*SECTIONS, "Version History")
    assert all(len(part.split()) >= 2 for part in parts[2::2])


@pytest.mark.parametrize("kind", [LifecycleVectorEnv, LifecycleEnv])
def test_the_examples_in_the_docstrings_run(kind):
    runner = doctest.DocTestRunner()
    found = doctest.DocTestFinder(recurse=False).find(kind, kind.__name__, globs={})
    assert sum(len(test.examples) for test in found) >= 3
    assert all(runner.run(test).failed == 0 for test in found)


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint64"])
def test_actions_may_be_whole_numbers_of_any_kind(small_world, kind):
    answers = []
    for dtype in (kind, "int64"):
        env = LifecycleVectorEnv(12, small_world)
        env.reset(seed=1)
        answers.append(env.step((np.arange(12) % len(small_world.catalog)).astype(dtype)))
    assert same(tuple(answers[0]), tuple(answers[1]))
