"""The one-decision environment against the panel stepped by hand, and batches on several calendars at once."""

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from campaignrl.envs.bandit import BanditEnv, BanditVectorEnv
from campaignrl.envs.panel import Panel
from campaignrl.envs.vector import LifecycleVectorEnv
from campaignrl.errors import UsageError
from campaignrl.specs.world import load_world


def by_hand(world, n, seed, action, first=0):
    """(reward, cost, observation) of one decision and an outcome window, straight from the panel."""
    panel = Panel(world, np.arange(first, first + n), seed)
    reward, cost = np.zeros(n), np.zeros(n)
    for day in range(world.outcome_days):
        outcome = panel.step(action if day == 0 else np.zeros_like(action))
        reward += outcome.reward
        cost += outcome.cost
    return reward, cost, panel.observe().encode()


def test_the_reward_is_the_contribution_over_the_window_with_nothing_further_sent(small_world):
    env = BanditVectorEnv(200, small_world, threads=1)
    _, infos = env.reset(seed=3)
    action = infos["action_mask"].cumsum(axis=1).argmax(axis=1)  # the last action allowed to each
    assert len(np.unique(action)) > 2
    observation, reward, terminated, truncated, infos = env.step(action)
    expected, cost, final = by_hand(small_world, 200, 3, action)
    assert reward == pytest.approx(expected, rel=1e-12)
    assert np.array_equal(infos["cost"], cost)
    assert np.array_equal(infos["final_obs"], final)
    assert terminated.all()
    assert not truncated.any()
    assert np.array_equal(observation, Panel(small_world, np.arange(200, 400), 3).observe().encode())


def test_none_earns_what_the_window_brings_by_itself(small_world):
    env = BanditVectorEnv(500, small_world, threads=1)
    env.reset(seed=1)
    reward = env.step(np.zeros(500, dtype=np.int64))[1]
    assert reward.sum() > 0
    assert (reward >= 0).all()


def test_an_action_that_is_not_allowed_is_none_and_flagged(small_world):
    env = BanditVectorEnv(300, small_world, threads=1)
    _, infos = env.reset(seed=1)
    refused = ~infos["action_mask"][:, 1]
    assert 0 < refused.sum() < 300
    _, reward, _, _, infos = env.step(np.ones(300, dtype=np.int64))
    assert np.array_equal(infos["invalid"], refused)
    nothing = by_hand(small_world, 300, 1, np.zeros(300, dtype=np.int64))[0]
    assert reward[refused] == pytest.approx(nothing[refused], rel=1e-12)


def test_one_customer_alone_gets_what_it_gets_in_a_batch(small_world):
    batch, alone = BanditVectorEnv(5, small_world), BanditEnv(small_world)
    _, infos = batch.reset(seed=9)
    action = infos["action_mask"].cumsum(axis=1).argmax(axis=1)
    _, reward, _, _, infos = batch.step(action)
    for i in range(5):
        alone.reset(seed=9, options={"customer": i})
        observation, value, terminated, truncated, info = alone.step(action[i])
        assert (value, terminated, truncated) == (reward[i], True, False)
        assert info["cost"] == infos["cost"][i]
        assert np.array_equal(observation, infos["final_obs"][i])


def test_a_window_longer_than_the_campaign_is_refused(small_world):
    with pytest.raises(UsageError, match="outcome_days = 13 is not at most 12"):
        BanditVectorEnv(2, load_world(small_world, outcome_days=13))


def test_the_number_of_threads_changes_nothing(small_world):
    """More customers than a block holds, so that two threads do share the work."""
    n, answers = 40_000, []
    for threads in (1, 2):
        env = LifecycleVectorEnv(n, small_world, threads=threads)
        first, infos = env.reset(seed=2)
        action = infos["action_mask"].cumsum(axis=1).argmax(axis=1)
        observation, reward, _, _, infos = env.step(action)
        answers.append((first, observation, reward, infos["action_mask"], infos["cost"]))
    assert all(np.array_equal(one, two) for one, two in zip(*answers, strict=True))


# ------------------------------------------------------------------ several calendars at once


def lives(world, seed, customer, actions):
    """Observations and rewards of one customer alone under these actions."""
    env = LifecycleVectorEnv(1, world, threads=1, autoreset_mode=AutoresetMode.DISABLED)
    observations = [env.reset(seed=seed, options={"customer": customer})[0][0]]
    rewards = []
    for action in actions:
        observation, reward, *_ = env.step(np.array([action]))
        observations.append(observation[0])
        rewards.append(reward[0])
    return np.array(observations), np.array(rewards)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_random_partial_resets_leave_everybody_to_their_own_life(mode, small_world):
    chance, n, steps = np.random.default_rng(4), 9, 40
    env = LifecycleVectorEnv(n, small_world, threads=1, autoreset_mode=mode)
    observation, _ = env.reset(seed=6)
    customer, following = np.arange(n), n
    seen = [[row] for row in observation]
    earned, acted = [[] for _ in range(n)], [[] for _ in range(n)]
    finished = []
    ended = np.zeros(n, dtype=bool)

    def begin(places, rows):
        nonlocal following
        for i in places:
            finished.append((customer[i], seen[i], earned[i], acted[i]))
            customer[i], following = following, following + 1
            seen[i], earned[i], acted[i] = [rows[i]], [], []

    for _ in range(steps):
        mask = (ended & (mode == AutoresetMode.DISABLED)) | (chance.random(n) < 0.05)
        if mask.any():
            observation, _ = env.reset(options={"reset_mask": mask})
            begin(np.flatnonzero(mask), observation)
            ended = ended & ~mask
        action = chance.integers(0, env.single_action_space.n, n)
        resting = ended if mode == AutoresetMode.NEXT_STEP else np.zeros(n, dtype=bool)
        observation, reward, ended, _, infos = env.step(action)
        begin(np.flatnonzero(resting), observation)
        last = infos.get("final_obs", observation)
        for i in np.flatnonzero(~resting):
            seen[i].append(last[i])
            earned[i].append(reward[i])
            acted[i].append(action[i])
        if mode == AutoresetMode.SAME_STEP:
            begin(np.flatnonzero(ended), observation)
    finished += zip(customer, seen, earned, acted, strict=True)
    assert len({len(e) for _, _, e, _ in finished}) > 4  # episodes of many lengths: the calendars did part
    for who, observations, rewards, actions in finished:
        expected, contribution = lives(small_world, 6, int(who), actions)
        assert np.array_equal(np.array(observations), expected)
        assert np.array_equal(np.array(rewards), contribution)


def test_a_partial_reset_with_a_seed_gives_its_places_what_a_whole_reset_gives_them(small_world):
    env = LifecycleVectorEnv(6, small_world, threads=1, autoreset_mode=AutoresetMode.DISABLED)
    whole, _ = env.reset(seed=8)
    env.reset(seed=2)
    other, _ = env.reset(seed=2)
    mask = np.array([True, False, True, False, False, True])
    part, infos = env.reset(seed=8, options={"reset_mask": mask})
    assert np.array_equal(part[mask], whole[mask])
    assert np.array_equal(part[~mask], other[~mask])
    assert np.array_equal(infos["action_mask"], env.action_masks())


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ([True, False, True], "list"),
        (np.array([1, 0, 1]), "int64 of shape"),
        (np.array([True, False]), "bool of shape"),
        (np.zeros(3, dtype=bool), "all False"),
    ],
)
def test_a_reset_mask_that_is_none_is_refused(mask, said, small_world):
    env = LifecycleVectorEnv(3, small_world)
    env.reset(seed=0)
    with pytest.raises(UsageError, match=said):
        env.reset(options={"reset_mask": mask})


def test_the_first_reset_is_of_everybody(small_world):
    env = LifecycleVectorEnv(2, small_world)
    with pytest.raises(UsageError, match="all True in the first reset"):
        env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(UsageError, match="call reset"):
        env.step(np.array([0, 0]))


@pytest.mark.parametrize("customer", [-1, 1.5, "7", True])
def test_a_customer_is_a_whole_number(customer, small_world):
    with pytest.raises(UsageError, match="a customer's number"):
        LifecycleVectorEnv(2, small_world).reset(options={"customer": customer})
