"""The clock as an environment: the campaign of `simulate_hours`, decision by decision."""

import doctest

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from campaignrl.campaign import decide_day, ready_policy, simulate_hours
from campaignrl.envs.clock.face import ClockEnv, ClockVectorEnv
from campaignrl.envs.vector import LifecycleVectorEnv
from campaignrl.envs.vector_checks import CHECKS, findings
from campaignrl.errors import UsageError
from campaignrl.specs.world import load_world

ID = "campaignrl/Clock-v0"
N = 600


@pytest.fixture(scope="module")
def bank():
    """A bank with too few calls, nights that are quiet, retries, and a budget that is short."""
    spec = load_world("bank").model_dump(exclude_unset=True)
    call = {"sends_per_day_per_1000_customers": 40.0, "minutes_per_send": 6.0, "service": "exponential"}
    spec["channels"]["call"] |= {"capacity": call, "retry": {"at_most": 2, "after_hours": 2.0}, "patience_hours": 60.0}
    quiet = {"quiet_hours": {"from_hour": 21.0, "to_hour": 9.0}}
    guard = spec["guard"] | quiet | {"budget": {"amount_per_1000_customers": 4_000.0}}
    return load_world("bank", channels=spec["channels"], guard=guard, horizon=14)


def at_random(mask, chance):
    return np.argmax(chance.random(mask.shape) * mask, axis=1)


def test_a_policy_brings_and_costs_what_it_does_by_the_hour(bank):
    """Customer by customer; there is always enough money for one send of each kind, so no mask changes a choice."""
    hours = simulate_hours(bank, "uniform", customers=N, seed=4)
    env, policy = ClockVectorEnv(N, bank), ready_policy("uniform", bank)
    env.reset(seed=4)
    reward, cost = np.zeros(N), np.zeros(N)
    for _ in range(bank.horizon):
        _, today, ended, _, infos = env.step(decide_day(env.panel, policy).action)
        reward += today
        cost += infos["cost"]
    assert ended.all()
    assert reward.tolist() == hours.totals["reward"].tolist()
    assert cost.tolist() == hours.totals["cost"].tolist()
    assert (hours.events["event"] == "waited").any()


def test_who_has_a_send_on_its_way_is_not_due_and_sees_it(bank):
    env, chance = ClockVectorEnv(N, bank), np.random.default_rng(0)
    observation, infos = env.reset(seed=4)
    on_its_way, wait = (env.features.encoded.index(name) for name in ("on_its_way", "wait_call"))
    assert not observation[:, on_its_way].any()
    assert not observation[:, wait].any()
    call = env.world.catalog.channel_of == list(env.world.channels).index("call")
    most = 0
    for _ in range(bank.horizon - 1):
        wanted = infos["action_mask"] & (call | (np.arange(len(call)) == 0))
        observation, _, _, _, infos = env.step(at_random(wanted, chance))
        busy = observation[:, on_its_way] == 1
        assert not infos["action_mask"][busy, 1:].any()
        assert infos["action_mask"][:, 0].all()
        assert observation in env.observation_space
        most = max(most, int(busy.sum()))
    assert most > 5
    assert observation[0, wait] > 0


def test_never_more_is_spent_than_was_released(bank):
    env, chance, spent = ClockVectorEnv(N, bank), np.random.default_rng(0), 0.0
    _, infos = env.reset(seed=4)
    for day in range(bank.horizon):
        _, _, _, _, infos = env.step(at_random(infos["action_mask"], chance))
        spent += infos["cost"].sum()
        assert spent <= 4.0 * N * (day + 1) / bank.horizon + 1e-3
    assert spent > 0.2 * 4.0 * N


def test_an_hour_moves_when_sends_leave(bank):
    answers = {}
    for hour in (None, 10.0, 22.0):
        env, chance = ClockVectorEnv(N, bank, hour=hour), np.random.default_rng(0)
        _, infos = env.reset(seed=4)
        action = at_random(infos["action_mask"], chance)
        answers[hour] = env.step(action)[4]["cost"].sum()
    assert answers[10.0] > 0
    assert answers[22.0] == 0  # at night nothing leaves: held until the morning
    with pytest.raises(UsageError, match="an hour from 0"):
        ClockVectorEnv(2, bank, hour=24.0)


def test_a_slot_of_the_action_goes_before_the_hour_of_the_face(tables):
    """At night nothing leaves: the slot of the day does, on the day of the decision."""
    slots = {"noon": {"hours": [11, 13]}, "night": {"hours": [22, 24]}}
    guard = {**tables.get("guard", {}), "quiet_hours": {"from_hour": 21.0, "to_hour": 9.0}}
    world = load_world({**tables, "slots": slots, "guard": guard})
    sent = {}
    for slot in slots:
        env = ClockVectorEnv(300, world, hour=22.5)
        _, infos = env.reset(seed=1)
        mine = [name.endswith(f"/{slot}") or name == "none" for name in world.catalog.names]
        sent[slot] = env.step(at_random(infos["action_mask"] & mine, np.random.default_rng(0)))[4]["cost"].sum()
    assert sent["noon"] > 0
    assert sent["night"] == 0


def test_without_queues_it_is_the_daily_face(small_world):
    """Same lives, same rewards, where the world has no budget, capacity, retry or quiet hours."""
    clock, daily, chance = (
        ClockVectorEnv(50, small_world),
        LifecycleVectorEnv(50, small_world),
        np.random.default_rng(0),
    )
    _, infos = clock.reset(seed=2)
    daily.reset(seed=2)
    for _ in range(2 * small_world.horizon):
        action = at_random(infos["action_mask"], chance)
        seen, reward, ended, _, infos = clock.step(action)
        plain = daily.step(action)
        assert np.array_equal(reward, plain[1])
        assert np.array_equal(ended, plain[2])
        assert np.array_equal(seen[:, : small_world.features.width], plain[0])
        assert np.array_equal(infos["action_mask"], plain[4]["action_mask"])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_checks_that_do_not_take_customers_apart_are_clean(mode, bank):
    """Who shares queues cannot begin alone, and a clock in the middle of its hours is no message between processes."""
    env = ClockVectorEnv(60, bank, autoreset_mode=mode)
    assert findings(env, None, [name for name in CHECKS if name not in ("reset_mask", "pickling")]) == []


def test_part_of_those_who_share_queues_cannot_begin_anew(bank):
    env = ClockVectorEnv(4, bank, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=1)
    with pytest.raises(UsageError, match="share their queues"):
        env.reset(options={"reset_mask": np.array([True, False, False, True])})


def test_gymnasium_makes_both_forms(bank):
    envs = gymnasium.make_vec(ID, num_envs=3, world=bank, hour=11.0)
    assert isinstance(envs.unwrapped, ClockVectorEnv)
    env = gymnasium.make(ID, world=bank)
    assert isinstance(env.unwrapped, ClockEnv)
    observation, info = env.reset(seed=1)
    assert observation in env.observation_space
    assert info["action_mask"][0] == 1


def test_the_example_runs():
    runner = doctest.DocTestRunner()
    found = doctest.DocTestFinder(recurse=False).find(ClockVectorEnv, "ClockVectorEnv", globs={})
    assert all(runner.run(test).failed == 0 for test in found)
