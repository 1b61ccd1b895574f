"""The stable-baselines3 face: the same lives as the other faces, and masks that learners obey."""

import importlib.util
import sys

import numpy as np
import pytest

import campaignrl
from campaignrl.errors import MissingExtra, UsageError

pytest.importorskip("sb3_contrib", reason="needs the extra `rl`")

import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import DQN
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor, VecNormalize

from campaignrl.envs import sb3
from campaignrl.envs.bandit import BanditEnv
from campaignrl.envs.single import LifecycleEnv
from campaignrl.envs.vector import LifecycleVectorEnv

torch.set_num_threads(1)
N = 12


def played(env, steps, seed=4):
    """Observations, rewards, dones and infos of random allowed actions, and the actions."""
    chance = np.random.default_rng(1)
    env.seed(seed)
    observations, rest, actions = [env.reset()], [], []
    for _ in range(steps):
        mask = get_action_masks(env).reshape(env.num_envs, -1)
        actions.append(np.argmax(chance.random(mask.shape) * mask, axis=1))
        observation, *others = env.step(actions[-1])
        observations.append(observation)
        rest.append(others)
    return np.array(observations), rest, actions


def test_all_faces_give_the_same_trajectory(small_world):
    """SB3, vector and single, over one episode and into the next: observation, reward, end, mask."""
    days = small_world.horizon + 3
    observations, rest, actions = played(sb3.lifecycle(small_world, N), days)
    vector = LifecycleVectorEnv(N, small_world)
    singles = [LifecycleEnv(small_world) for _ in range(N)]
    seen, _ = vector.reset(seed=4)
    alone = [env.reset(seed=4, options={"customer": i})[0] for i, env in enumerate(singles)]
    for day in range(days):
        assert np.array_equal(observations[day], seen)
        assert np.array_equal(seen, np.array(alone))
        seen, reward, terminated, _, infos = vector.step(actions[day])
        assert np.array_equal(rest[day][0], reward.astype(np.float32))
        assert rest[day][0].dtype == np.float32
        assert np.array_equal(rest[day][1], terminated)
        for i, env in enumerate(singles):
            alone[i], value, end, _, info = env.step(actions[day][i])
            assert (value, end) == (reward[i], terminated[i])
            if end:
                assert np.array_equal(rest[day][2][i]["terminal_observation"], alone[i])
                alone[i], info = env.reset(options={"customer": N + i})
            assert np.array_equal(info["action_mask"], infos["action_mask"][i])


def test_a_dummy_vec_env_of_single_ones_says_the_same(small_world):
    """The form of stable-baselines3's own VecEnv: types, shapes, keys of an ended episode."""
    ours = sb3.lifecycle(small_world, 2)
    theirs = DummyVecEnv([lambda: LifecycleEnv(small_world)] * 2)
    _, a, _ = played(ours, small_world.horizon)
    _, b, _ = played(theirs, small_world.horizon)
    for mine, other in zip(a[-1][:2], b[-1][:2], strict=True):
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
    assert mine.all()
    for info in a[-1][2]:
        assert {"terminal_observation", "TimeLimit.truncated"} <= info.keys()
        assert info["TimeLimit.truncated"] is False
    assert (ours.observation_space, ours.action_space) == (theirs.observation_space, theirs.action_space)


def test_dicts_are_built_for_ended_episodes_only(small_world):
    _, rest, _ = played(sb3.lifecycle(small_world, N), small_world.horizon)
    for _, done, infos in rest:
        assert len(infos) == N
        assert len({id(info) for info in infos}) == (N if done.all() else 1)
    assert not any(rest[0][2])


def test_a_refused_action_is_told_and_nobody_else_is(small_world):
    env = sb3.lifecycle(small_world, 200)
    env.reset()
    refused = ~env.action_masks()[:, 3]
    assert 0 < refused.sum() < 200
    infos = env.step(np.full(200, 3))[3]
    assert [info.get("invalid", False) for info in infos] == refused.tolist()


def test_masks_belong_to_the_observation_returned_also_after_an_end(small_world):
    env, vector = sb3.lifecycle(small_world, N), LifecycleVectorEnv(N, small_world)
    assert is_masking_supported(env)
    env.reset()
    _, infos = vector.reset()
    for _ in range(small_world.horizon + 2):
        masks = env.env_method("action_masks")
        assert len(masks) == 1
        assert np.array_equal(masks[0], infos["action_mask"])
        assert np.array_equal(env.env_method("action_masks", indices=[2, 5]), infos["action_mask"][[2, 5]])
        action = np.array([row.nonzero()[0][-1] for row in infos["action_mask"]])
        env.step(action)
        infos = vector.step(action)[4]


def test_attributes_are_those_of_the_one_environment(small_world):
    env = sb3.lifecycle(small_world, 3)
    assert env.get_attr("world") == [small_world] * 3
    assert env.get_attr("render_mode", indices=1) == [None]
    assert env.has_attr("action_masks")
    assert not env.has_attr("no_such_thing")
    with pytest.raises(AttributeError):
        env.get_attr("no_such_thing")
    env.set_attr("nickname", "shop")
    assert env.get_attr("nickname", indices=[0]) == ["shop"]
    assert env.env_is_wrapped(VecMonitor) == [False] * 3
    with pytest.raises(UsageError, match="one environment"):
        env.set_attr("nickname", "x", indices=[0])
    with pytest.raises(UsageError, match="'action_masks'"):
        env.env_method("render")
    env.close()


def test_a_seed_and_options_are_for_the_next_reset_alone(small_world):
    env = sb3.lifecycle(small_world, 4, seed=2, first_customer=10)
    assert env.seed(7) == [7] * 4
    first = env.reset()
    following = env.reset()
    assert not np.array_equal(first, following)
    env.seed(7)
    assert np.array_equal(env.reset(), first)
    env.set_options({"customer": 14})
    assert np.array_equal(env.reset(), following)
    env.set_options([{"customer": i} for i in range(4)])
    with pytest.raises(UsageError, match="the same for all places"):
        env.reset()


def test_episode_returns_by_vec_monitor(small_world):
    env = VecMonitor(sb3.lifecycle(small_world, N))
    _, rest, _ = played(env, small_world.horizon)
    total = np.sum([reward for reward, _, _ in rest], axis=0)
    episodes = [info["episode"] for info in rest[-1][2]]
    assert [e["r"] for e in episodes] == pytest.approx(total.tolist(), rel=1e-5)
    assert {e["l"] for e in episodes} == {small_world.horizon}


@pytest.mark.parametrize("kind", [LifecycleEnv, BanditEnv])
def test_the_checker_of_stable_baselines3_is_clean(kind, small_world):
    check_env(kind(small_world), warn=True)  # a warning would be an error here


def masked_ppo(env, n_steps, steps):
    """A MaskablePPO that has learned for so many steps, and the actions it chose outside the mask."""
    invalid = 0

    def count(local, _):
        nonlocal invalid
        invalid += sum(info.get("invalid", False) for info in local["infos"])
        return True

    model = MaskablePPO(
        "MlpPolicy",
        env,
        n_steps=n_steps,
        batch_size=512,
        n_epochs=2,
        seed=3,
        device="cpu",
        gamma=1.0,
        policy_kwargs={"net_arch": [32]},
    )
    return model.learn(steps, callback=count), invalid


def test_maskable_ppo_learns_and_never_chooses_what_is_not_allowed(small_world):
    env = VecNormalize(VecMonitor(sb3.lifecycle(small_world, 256)), norm_obs=False)
    model, invalid = masked_ppo(env, small_world.horizon, 20_000)
    assert model.num_timesteps >= 20_000
    assert invalid == 0
    assert len(model.ep_info_buffer) == 100
    mean, _ = evaluate_policy(model, VecMonitor(sb3.lifecycle(small_world, 50, seed=9)), n_eval_episodes=50)
    assert np.isfinite(mean)


def test_dqn_without_masks_learns_from_true_ends(small_world):
    env = sb3.lifecycle(small_world, 64)
    settings = {"learning_starts": 500, "train_freq": 4, "gradient_steps": 4, "buffer_size": 40_000}
    model = DQN("MlpPolicy", env, seed=3, device="cpu", **settings)
    untrained = [p.detach().clone() for p in model.q_net.parameters()]
    model.learn(20_000)
    assert model.num_timesteps >= 20_000
    assert not any(torch.equal(p, q) for p, q in zip(model.q_net.parameters(), untrained, strict=True))
    memory, filled = model.replay_buffer, slice(model.replay_buffer.pos)
    days_to_go = small_world.features.encoded.index("days_to_go")
    last = memory.next_observations[filled][..., days_to_go] == 0
    assert np.array_equal(memory.dones[filled] == 1, last)  # the observation stored is the terminal one, not the next
    assert last.mean() == pytest.approx(1 / small_world.horizon, rel=0.1)
    assert memory.timeouts[filled].max() == 0


def test_the_bandit_learns_as_well(small_world):
    model, invalid = masked_ppo(sb3.bandit(small_world, 512), 4, 4_000)
    assert (model.num_timesteps >= 4_000, invalid) == (True, 0)


@pytest.mark.slow
def test_maskable_ppo_on_the_bundled_world():
    model, invalid = masked_ppo(sb3.lifecycle("ecommerce", 1024), 90, 400_000)
    assert (model.num_timesteps >= 400_000, invalid) == (True, 0)


def test_named_from_the_package_without_an_import(monkeypatch):
    monkeypatch.delattr(campaignrl.envs, "sb3")
    assert campaignrl.envs.sb3.lifecycle is sb3.lifecycle
    with pytest.raises(AttributeError, match="no attribute 'sb4'"):
        campaignrl.envs.sb4  # noqa: B018


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env", None)
    spec = importlib.util.spec_from_file_location("bare_sb3", sb3.__file__)
    with pytest.raises(MissingExtra, match=r"pip install 'campaignrl\[rl\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
