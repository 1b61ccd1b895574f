"""What environments can be asked for: limits kept, prices seen, other rewards, more to see, other rhythms."""

import itertools
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import campaignrl
from campaignrl.campaign import ready_policy, run_campaign
from campaignrl.choices import decide_day
from campaignrl.envs.bandit import BanditVectorEnv
from campaignrl.envs.panel import Panel
from campaignrl.envs.prices import Price, drawn
from campaignrl.envs.single import LifecycleEnv
from campaignrl.envs.vector import LifecycleVectorEnv
from campaignrl.envs.vector_checks import check_vector_env
from campaignrl.errors import UsageError
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world

ID = "campaignrl/Lifecycle-v0"
EVERYTHING = {
    "observe": "everything",
    "reward": "incremental",
    "reward_scale": 10.0,
    "price": {"money": (0.0, 5.0), "sms": 0.01},
}


def at_random(mask, chance):
    """(n,) an allowed action each, evenly."""
    return np.argmax(chance.random(mask.shape) * mask, axis=1)


def played(env, days, seed=3, chance=0):
    """Answers of random allowed actions: (action, answer of the step) of each."""
    draws = np.random.default_rng(chance)
    _, infos = env.reset(seed=seed)
    answers = []
    for _ in range(days):
        action = at_random(infos["action_mask"], draws)
        answers.append((action, env.step(action)))
        infos = answers[-1][1][4]
    return answers


def replayed(env, answers, seed=3):
    """Answers of another environment to the same actions."""
    env.reset(seed=seed)
    return [env.step(action) for action, _ in answers]


# ---- checkers


@pytest.mark.parametrize(
    "options",
    [
        {"observe": "everything"},
        {"reward": "expected", "reward_scale": 4.0},
        {"reward": "incremental", "step": 5},
        EVERYTHING,
        {"step": "event"},
    ],
    ids=["sight", "expected", "every five days", "all at once", "events"],
)
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_check_of_ours_is_clean_with_options(options, mode, small_world):
    alone = None if options.get("step") == "event" else LifecycleEnv(small_world, **options)
    check_vector_env(LifecycleVectorEnv(6, small_world, autoreset_mode=mode, **options), alone)


@pytest.mark.parametrize("options", [EVERYTHING, {"step": "event"}, {"step": "week"}])
def test_the_checkers_of_others_are_clean_with_options(options, small_world):
    check_env(gymnasium.make(ID, world=small_world, **options).unwrapped)
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env as check_for_sb3

    check_for_sb3(gymnasium.make(ID, world=small_world, **options).unwrapped)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_checks_of_a_wave_that_shares_a_budget_are_clean(mode):
    """But for the one that takes places apart, whom a budget ties together."""
    from campaignrl.envs.vector_checks import CHECKS, findings

    env = LifecycleVectorEnv(300, load_world("tight_budget", horizon=9), autoreset_mode=mode, observe="everything")
    assert findings(env, None, [name for name in CHECKS if name != "reset_mask"]) == []


# ---- limits


@pytest.mark.parametrize("n", [1, 7, 100, 1_500])
def test_a_random_policy_never_spends_more_than_was_released_at_any_prefix(n):
    world = load_world("tight_budget")
    env = gymnasium.make_vec(ID, num_envs=n, world="tight_budget")
    released = [300 * 100 * n // 1000 * (day + 1) // world.horizon for day in range(world.horizon)]
    spent, closed, unserved = 0, 0, 0
    for day, (_, (_, _, _, _, infos)) in enumerate(played(env, world.horizon)):
        spent += int(np.rint(infos["cost"] * 100).sum())
        assert spent <= released[day]
        told = infos.get("final_info", infos)
        closed += not told["action_mask"][:, 1:].any()
        unserved += int(infos["unserved"].sum())
    if n >= 100:  # and it is spent; a few customers may have no permissions
        assert spent > 0.9 * released[-1]
        assert closed or unserved


def test_the_single_face_keeps_a_customers_share():
    env, spent = gymnasium.make(ID, world="tight_budget", seed=2), 0
    for customer in range(20):
        _, info = env.reset(options={"customer": customer})
        env.action_space.seed(customer)
        spent = 0
        for day in range(60):
            _, _, _, _, info = env.step(env.action_space.sample(info["action_mask"]))
            spent += round(info["cost"] * 100)
            assert spent <= 30 * (day + 1) // 60
            assert not info["invalid"]


@pytest.mark.parametrize(
    ("name", "policy"), [("tight_budget", "uniform"), ("bank", "rules_bank"), ("retail", "uniform")]
)
def test_a_wave_is_a_campaign_to_the_last_cent(name, policy):
    """The ledger is the one of `simulate`: the same policy brings and costs each customer the same."""
    world = load_world(name, horizon=30)
    campaign = run_campaign(world, policy, customers=1_200, seed=5)
    env, playing = LifecycleVectorEnv(1_200, world, threads=1), ready_policy(policy, world)
    _, infos = env.reset(seed=5)
    reward, cost = np.zeros(1_200), np.zeros(1_200)
    for _ in range(world.horizon):
        action = decide_day(env.panel, playing).action
        _, today, _, _, infos = env.step(action)
        reward += today
        cost += infos["cost"]
        told = infos.get("final_info", infos)
        assert not (told["invalid"] & told["unserved"]).any()
    assert cost.tolist() == campaign.totals["cost"].tolist()
    assert reward.tolist() == campaign.totals["reward"].tolist()
    assert campaign.totals["cost"].sum() > 0


def test_what_cannot_be_paid_is_closed_and_what_is_not_served_is_told():
    env = LifecycleVectorEnv(2_000, "tight_budget")
    _, infos = env.reset(seed=1)
    sms, call = env.world.catalog.id_of("news@sms"), env.world.catalog.id_of("advice@call")
    wanted = np.where(infos["action_mask"][:, call], call, 0)
    _, _, _, _, infos = env.step(wanted)
    assert infos["cost"].sum() == pytest.approx(9.0)  # 600 for 60 days: 10 a day, six calls
    assert infos["unserved"].sum() == (wanted == call).sum() - 6
    for _ in range(5):
        _, _, _, _, infos = env.step(np.where(infos["action_mask"][:, sms], sms, 0))
        assert infos["cost"].sum() <= 11.0
    free = LifecycleVectorEnv(2_000, "tight_budget", limits="none")
    free.reset(seed=1)
    assert free.step(wanted)[4]["cost"].sum() == pytest.approx(1.5 * (wanted == call).sum())


def test_the_mask_closes_the_channel_that_is_too_dear():
    world = load_world("tight_budget")
    env = LifecycleVectorEnv(40, world)  # 20 cents a day: two texts, no call before the eighth day
    _, infos = env.reset(seed=1)
    dear = world.catalog.cost_of > 20
    assert not infos["action_mask"][:, dear].any()
    assert infos["action_mask"][:, ~dear].any(axis=0).all()
    for _ in range(7):
        _, _, _, _, infos = env.step(np.zeros(40, dtype=int))
    assert infos["action_mask"][:, dear].any()


def test_capacities_are_of_a_wave_and_not_of_one_customer():
    called = load_world("bank").catalog.channel_of == list(load_world("bank").channels).index("call")
    alone = LifecycleEnv("bank", seed=1)
    masks = np.array([alone.reset(options={"customer": i})[1]["action_mask"] for i in range(60)])
    assert masks[:, called].any()
    _, infos = LifecycleVectorEnv(50, "bank").reset(seed=1)  # half a call a day
    assert not infos["action_mask"][:, called].any()
    _, infos = LifecycleVectorEnv(50, "bank", limits="money").reset(seed=1)
    assert infos["action_mask"][:, called].any()


def test_part_of_a_wave_that_begins_anew_has_a_budget_of_its_own():
    env = LifecycleVectorEnv(1_000, "tight_budget", autoreset_mode=AutoresetMode.DISABLED, observe=["budget"])
    chance, half = np.random.default_rng(0), np.arange(1_000) < 500
    _, infos = env.reset(seed=1)
    for _ in range(10):
        _, _, _, _, infos = env.step(at_random(infos["action_mask"], chance))
    observation, infos = env.reset(options={"reset_mask": half})
    left = env.features.encoded.index("budget_left")
    assert (observation[half, left] == 1).all()
    assert observation[~half, left] == pytest.approx(1 - 10 / 60, abs=0.01)
    spent = np.zeros(2)
    for day in range(20):
        _, _, _, _, infos = env.step(at_random(infos["action_mask"], chance))
        spent += [infos["cost"][half].sum(), infos["cost"][~half].sum()]
        assert spent[0] <= 150 * (day + 1) / 60 + 1e-6
        assert spent[1] <= 300 * (day + 11) / 60 + 1e-6 - 49  # the whole wave's, less what it had spent


# ---- prices


def test_prices_are_drawn_for_each_customer_over_the_whole_range():
    env = LifecycleVectorEnv(4_000, "tight_budget", price=(0.5, 8.0), limits="none")
    observation, _ = env.reset(seed=2)
    seen = observation[:, env.features.encoded.index("price_money")]
    price = np.expm1(seen * np.log1p(8.0))
    assert 0.5 <= price.min() < 0.52
    assert 7.9 < price.max() <= 8.0
    assert np.median(np.log1p(price)) == pytest.approx((np.log1p(0.5) + np.log1p(8.0)) / 2, rel=0.05)
    assert np.array_equal(env.reset(seed=2)[0], observation)
    keys = env.panel.traits.key
    again = drawn([Price("money", 0.5, 8.0)], keys[:10], env.panel.seed)
    assert again[0] == pytest.approx(price[:10], rel=1e-5)


def test_a_price_is_taken_off_the_reward_and_changes_no_life(small_world):
    bare = LifecycleVectorEnv(200, small_world)
    priced = LifecycleVectorEnv(200, small_world, price={"money": 2.5, "sms": 0.3})
    answers = played(bare, small_world.horizon)
    by_sms = small_world.catalog.channel_of == list(small_world.channels).index("sms")
    paid = 0.0
    for (action, plain), other in zip(answers, replayed(priced, answers), strict=True):
        wanted = plain[1] - 2.5 * plain[4]["cost"] - 0.3 * by_sms[action]
        np.testing.assert_allclose(other[1], wanted, atol=1e-6)
        assert np.array_equal(other[0], plain[0])  # fixed from the start: nothing to see
        assert np.array_equal(other[4]["contribution"], plain[1])
        paid += float((plain[1] - other[1]).sum())
    assert paid > 0


def test_a_reset_may_set_the_prices_of_the_episodes_to_come(small_world):
    env = LifecycleVectorEnv(50, small_world, price={"money": (0, 5), "sms": (0, 1)})
    columns = [env.features.encoded.index(name) for name in ("price_money", "price_sms")]
    drawn_once, _ = env.reset(seed=1)
    assert len(np.unique(drawn_once[:, columns[0]])) == 50
    observation, _ = env.reset(seed=1, options={"price": 2.0})
    for _ in range(small_world.horizon + 1):
        assert observation[:, columns[0]] == pytest.approx(np.log(3) / np.log(6))
        assert (observation[:, columns[1]] == 0).all()
        observation, *_ = env.step(np.zeros(50, dtype=int))
    observation, _ = env.reset(seed=1, options={"price": {"sms": 1.0}})
    assert (observation[:, columns[1]] == 1).all()
    assert np.array_equal(env.reset(seed=1)[0], drawn_once)
    with pytest.raises(UsageError, match="from 0 to 5"):
        env.reset(options={"price": 6.0})
    with pytest.raises(UsageError, match="among the prices"):
        env.reset(options={"price": {"push": 1.0}})


def taught_with_prices(world, n, high, seed=11):
    """Coefficients (2 D + 2, k) of a regression that saw one random decision, its price and its reward a customer.

    What a decision brings less price x cost is linear in the price for every customer, so features and the price beside
    them will do; the features of a bandit face, and its price, are read from the observation alone.
    """
    env = BanditVectorEnv(n, world, seed, reward="incremental", price=(0.0, high), reward_scale=10.0)
    observation, infos = env.reset()
    action = at_random(infos["action_mask"], np.random.default_rng(seed))
    reward = env.step(action)[1]
    rows = with_price(env, observation, high)
    taught = np.zeros((rows.shape[1], len(world.catalog)))
    for a in range(1, len(world.catalog)):
        mine = rows[action == a]
        ridge = mine.T @ mine + 30.0 * np.eye(rows.shape[1])
        taught[:, a] = np.linalg.solve(ridge, mine.T @ reward[action == a])
    return taught


def with_price(env, observation, high):
    """(n, D + 1) what a linear model looks at: the observation with the price in its unit, and a constant."""
    rows = np.concatenate([observation, np.ones((len(observation), 1))], axis=1).astype(np.float64)
    column = env.features.encoded.index("price_money")
    rows[:, column] = np.expm1(rows[:, column] * np.log1p(high)) / high
    return rows


def served(taught, world, price, high, n=6_000, seed=21, limits="wave"):
    """(n,) expected contribution, and cost, of maximising what was taught at a price; None: of sending nothing."""
    env = LifecycleVectorEnv(n, world, price=(0.0, high), reward="expected", limits=limits)
    observation, infos = env.reset(seed=seed, options={"price": price or 0.0})
    value, cost = np.zeros(n), np.zeros(n)
    for day in range(world.horizon):
        worth = with_price(env, observation, high) @ taught * (price is not None)
        action = np.argmax(np.where(infos["action_mask"], worth, -np.inf), axis=1)
        observation, reward, _, _, infos = env.step(action)
        value += reward + (price or 0.0) * infos["cost"]
        cost += infos["cost"]
        if world.guard.budget is not None and limits != "none":
            assert cost.sum() <= world.guard.budget.amount_per_1000_customers * n / 1000 * (day + 1) / 60 + 1e-6
    return value, cost


def test_one_policy_that_learned_with_the_price_in_its_observation_serves_three_budgets():
    """At the price at which other customers would have cost no more: within each, more gain by more money."""
    high, free = 40.0, load_world("tight_budget")
    taught = taught_with_prices(free, 100_000, high)
    costs = {p: served(taught, free, p, high, 2_000, 31, "none")[1].mean() for p in (0, 1, 2, 3, 4, 5, 8, 12, 20)}
    assert list(costs.values()) == sorted(costs.values(), reverse=True)  # a higher price never costs more
    nothing, _ = served(taught, free, None, high)
    guard, gains = free.model_dump(exclude_unset=True)["guard"], []
    for amount in (30.0, 100.0, 300.0):
        world = load_world("tight_budget", guard={**guard, "budget": {"amount_per_1000_customers": amount}})
        price = next((p for p, cost in costs.items() if cost * 1000 <= amount), high)
        value, cost = served(taught, world, price, high)
        unpriced, _ = served(taught, world, 0.0, high)
        gains.append(value - nothing)
        assert cost.sum() > 0.2 * amount * len(cost) / 1000
        assert (value - unpriced).mean() > 3 * (value - unpriced).std() / np.sqrt(len(value))
    for less, more in itertools.pairwise(gains):
        assert (more - less).mean() > 2 * (more - less).std() / np.sqrt(len(more))
    assert gains[0].mean() > 0


# ---- rewards


def test_the_incremental_reward_is_the_plain_one_less_the_twins_customer_by_customer(small_world):
    plain, none = (LifecycleVectorEnv(300, small_world) for _ in range(2))
    twin = LifecycleVectorEnv(300, small_world, reward="incremental")
    answers = played(plain, 2 * small_world.horizon)  # into a second episode
    none.reset(seed=3)
    for (_, ours), theirs in zip(answers, replayed(twin, answers), strict=True):
        nothing = none.step(np.zeros(300, dtype=int))
        assert (theirs[1] == ours[1] - nothing[1]).all()
        assert (theirs[4]["twin"] == nothing[1]).all()
        assert (theirs[4]["contribution"] == ours[1]).all()
        assert np.array_equal(theirs[0], ours[0])
    assert any(theirs[1].any() for _, theirs in answers)


def test_the_expected_reward_has_the_plain_ones_mean_and_less_noise():
    world = load_world("ecommerce", horizon=30)
    n = 12_000
    plain, expected = (LifecycleVectorEnv(n, world, reward=kind) for kind in ("plain", "expected"))
    answers = played(plain, world.horizon)
    sums, squares = np.zeros((2, n)), np.zeros((2, n))
    for (_, ours), theirs in zip(answers, replayed(expected, answers), strict=True):
        sums += [ours[1], theirs[1]]
        squares += np.square([ours[1], theirs[1]])
        assert (theirs[4]["contribution"] == ours[1]).all()
    difference = sums[1] - sums[0]
    error = difference.std() / np.sqrt(n)
    assert abs(difference.mean()) < 3 * error
    assert squares[1].mean() < 0.25 * squares[0].mean()  # of a day; customers differ as much as before
    assert error < 0.05 * abs(sums[0].mean())  # and the test could have told


def test_who_arrives_is_expected_to_buy_from_that_day_on(tables):
    world = load_world({**tables, "arrivals": {"per_day": 0.07}})
    n = 20_000
    plain, expected = (LifecycleVectorEnv(n, world, reward=kind) for kind in ("plain", "expected"))
    answers = played(plain, world.horizon - 1)
    expected.reset(seed=3)
    arrives, both = expected.panel.traits.arrives, []
    for day, (action, step) in enumerate(answers):
        today = expected.step(action)[1]
        if day:
            both.append(np.array([step[1], today])[:, arrives == day])
    ours, theirs = np.concatenate(both, axis=1)
    difference = theirs - ours
    assert abs(difference.mean()) < 3 * difference.std() / np.sqrt(len(difference))
    assert theirs.mean() > 5 * difference.std() / np.sqrt(len(difference))


def test_an_arrival_is_an_event(tables):
    world = load_world({**tables, "arrivals": {"per_day": 0.05}})
    env = LifecycleVectorEnv(400, world, step="event")
    _, infos = env.reset(seed=3)
    arrives, could = env.panel.traits.arrives, 0
    daily = LifecycleVectorEnv(400, world)
    daily.reset(seed=3)
    for day in range(1, world.horizon):
        _, _, _, _, infos = env.step(np.zeros(400, dtype=int))
        mask = daily.step(np.zeros(400, dtype=int))[4]["action_mask"]
        new = arrives == day
        assert np.array_equal(infos["action_mask"][new], mask[new])
        could += int(mask[new, 1:].any(axis=1).sum())
    assert could > 20


def test_the_scale_divides_every_reward(small_world):
    answers = played(LifecycleVectorEnv(60, small_world, reward="expected", price=1.0), small_world.horizon)
    scaled = LifecycleVectorEnv(60, small_world, reward="expected", price=1.0, reward_scale=8.0)
    for (_, one), eighth in zip(answers, replayed(scaled, answers), strict=True):
        np.testing.assert_array_equal(eighth[1] * 8.0, one[1])


def test_the_bandit_takes_rewards_and_prices_as_well(small_world):
    window = small_world.outcome_days
    answers = played(BanditVectorEnv(80, small_world), 1)
    twin = BanditVectorEnv(80, small_world, reward="incremental", price=3.0)
    (_, ours), theirs = answers[0], replayed(twin, answers)[0]
    panel = Panel(small_world, 80, 3)
    alone = sum(panel.step(np.zeros(80, dtype=int)).reward.astype(float) for _ in range(window))
    np.testing.assert_allclose(theirs[1], ours[1] - alone - 3.0 * ours[4]["cost"], atol=1e-9)
    with pytest.raises(UsageError, match="decides once"):
        BanditVectorEnv(3, small_world, step="week")


# ---- sight


def test_what_is_live_what_was_sent_and_what_was_spent_are_seen(small_world):
    env = LifecycleVectorEnv(400, small_world, observe="everything")
    names, catalog = env.features.encoded, small_world.catalog
    answers = played(env, small_world.horizon - 1)
    observation = answers[-1][1][0]
    column = dict(zip(names, observation.T, strict=True))
    state = env.panel.state
    longest = max(offer.valid_days for offer in small_world.offers.values())
    for i, offer in enumerate(small_world.offers):
        assert np.array_equal(column[f"offer_held={offer}"] == 1, state.live_offer == i)
    np.testing.assert_allclose(column["offer_days"] * longest, state.live_days, atol=1e-5)
    assert (column["offer_live"] == (state.live_offer >= 0)).all()
    assert state.live_days.any()
    sent = np.array([action for action, _ in answers])
    for c, channel in enumerate(small_world.channels):
        for days in {cap.per_days for cap in small_world.guard.caps if cap.channel in (None, channel)}:
            inside = (catalog.channel_of[sent[len(sent) - days + 1 :]] == c).sum(axis=0)
            np.testing.assert_allclose(column[f"contacts_{channel}_{days}d"] * days, inside, atol=1e-4)
    cost = sum(step[4]["cost"] for _, step in answers)
    np.testing.assert_allclose(np.expm1(column["cost_so_far"] * np.log1p(10_000.0)), cost, atol=1e-4)
    assert column["granted_so_far"].any()
    assert "budget_left" not in names  # this world has none


def test_discounts_granted_are_those_of_the_orders(small_world):
    env, panel = LifecycleVectorEnv(500, small_world, observe=["spend"]), Panel(small_world, 500, 3)
    answers = played(env, small_world.horizon - 1)
    granted = sum(panel.step(action).discount.astype(float) for action, _ in answers)
    seen = answers[-1][1][0][:, env.features.encoded.index("granted_so_far")]
    np.testing.assert_allclose(np.expm1(seen * np.log1p(10_000.0)), granted, rtol=1e-4, atol=1e-4)
    assert granted.max() > 0


def test_the_calendar_of_the_coming_days_is_seen():
    from campaignrl.dynamics.parameters import parameters

    world = load_world("ecommerce", horizon=20)
    env = LifecycleVectorEnv(2, world, observe=["calendar"])
    high = env.features["calendar_0"].high
    whole = parameters(load_world("ecommerce", horizon=40)).season
    observation, _ = env.reset(seed=1)
    for day in range(20):
        seen = [observation[0, env.features.encoded.index(f"calendar_{ahead}")] * high for ahead in range(7)]
        assert seen == pytest.approx(whole[day : day + 7].tolist(), rel=1e-5)
        observation, *_ = env.step(np.zeros(2, dtype=int))


@pytest.mark.parametrize("name", bundled_files("envs"))
def test_nothing_latent_is_seen_in_any_world(name):
    """Whatever only the simulator knows is mixed up among customers: they look the same."""
    world = load_world(name, horizon=12)
    env = LifecycleVectorEnv(300, world, observe="everything", price=(0, 5))
    played(env, 9)
    before, mask = env._look(), env.action_masks()
    panel, mixed = env.panel, np.random.default_rng(1).permutation(300)
    for latent in ("segment", "rate", "drop_rate", "sensitivity", "basket", "affinity", "format"):
        trait = getattr(panel.traits, latent)
        trait[...] = trait[..., mixed]
    for latent in (panel.state.alive, panel.state.stocks):
        latent[...] = latent[..., mixed]
    assert np.array_equal(env._look(), before)
    assert np.array_equal(env.action_masks(), mask)
    panel.state.orders[...] = panel.state.orders[mixed]  # what is known would have been noticed
    assert not np.array_equal(env._look(), before)


def test_every_feature_has_its_own_column_and_lies_in_the_space():
    for name in bundled_files("envs"):
        env = LifecycleVectorEnv(200, load_world(name, horizon=10), observe="everything", price=(0, 5))
        assert env.single_observation_space.shape == (env.features.width,)
        assert len(set(env.features.encoded)) == env.features.width
        assert all(env.observation_space.contains(step[0]) for _, step in played(env, 9))
        assert all(feature.meaning for feature in env.features.features)


# ---- rhythm


@pytest.mark.parametrize(("step", "days"), [("week", 7), (5, 5), (1, 1), (500, 500)])
def test_decisions_days_apart_are_the_daily_ones_with_nothing_between(step, days, small_world):
    """Also where the horizon is no multiple: the last stretch is shorter."""
    env, daily = LifecycleVectorEnv(100, small_world, step=step), LifecycleVectorEnv(100, small_world)
    count = -(-small_world.horizon // days)
    answers = played(env, count)
    daily.reset(seed=3)
    passed = 0
    for action, (observation, reward, ended, _, infos) in answers:
        stretch = min(days, small_world.horizon - passed)
        parts = [daily.step(action if i == 0 else np.zeros(100, dtype=int)) for i in range(stretch)]
        passed += stretch
        np.testing.assert_allclose(reward, sum(part[1] for part in parts), atol=1e-9)
        np.testing.assert_allclose(infos["cost"], sum(part[4]["cost"] for part in parts), atol=1e-9)
        assert np.array_equal(observation, parts[-1][0])
        assert np.array_equal(infos["action_mask"], parts[-1][4]["action_mask"])
        assert ended.all() == (passed == small_world.horizon) == ended.any()


def test_a_weekly_budget_is_kept_as_well():
    env, spent, day = LifecycleVectorEnv(800, "tight_budget", step="week"), 0.0, 0
    for _, (_, _, _, _, infos) in played(env, 9):
        spent += infos["cost"].sum()
        assert spent <= 240 * (day + 1) / 60 + 1e-6
        day += 7
    assert spent > 150


def test_on_events_customers_are_asked_when_something_happened_and_once_a_week(small_world):
    world = load_world(small_world, horizon=40)
    env, daily = LifecycleVectorEnv(300, world, step="event"), LifecycleVectorEnv(300, world)
    chance = np.random.default_rng(0)
    _, infos = env.reset(seed=3)
    daily_mask = daily.reset(seed=3)[1]["action_mask"]
    assert np.array_equal(infos["action_mask"], daily_mask)  # on the first day everybody
    quiet, asked = np.zeros(300, dtype=int), 0
    for _ in range(39):
        action = at_random(infos["action_mask"], chance)
        orders, clicks = env.panel.state.orders.copy(), env.panel.state.consent.copy()
        _, reward, _, _, infos = env.step(action)
        answer = daily.step(action)
        assert np.array_equal(reward, answer[1])
        open_ = infos["action_mask"][:, 1:].any(axis=1)
        assert not (infos["action_mask"] & ~answer[4]["action_mask"]).any()
        could = answer[4]["action_mask"][:, 1:].any(axis=1)
        state = env.panel.state
        happened = (state.orders > orders) | (state.opened & np.uint64(1)).astype(bool)
        happened |= (state.consent != clicks).any(axis=0)
        assert open_[happened & could].all()
        quiet = np.where(open_ | ~could, 0, quiet + 1)
        assert quiet.max() < 7
        asked += int((open_ & could).sum()) / max(int(could.sum()), 1)
    assert 0.05 < asked / 39 < 0.8


def test_alone_the_days_without_an_event_pass_at_once(small_world):
    world = load_world(small_world, horizon=60)
    env = LifecycleEnv(world, seed=3, step="event")
    to_go = world.features.encoded.index("days_to_go")
    lengths = []
    for customer in range(30):
        observation, _ = env.reset(options={"customer": customer})
        ended, total, left = False, 0.0, 60
        while not ended:
            observation, reward, ended, _, _ = env.step(np.int64(0))
            now = round(observation[to_go] * 60)
            lengths.append(left - now)
            total, left = total + reward, now
        panel = Panel(world, [customer], 3)
        assert total == pytest.approx(sum(float(panel.step(np.zeros(1, int)).reward[0]) for _ in range(60)), abs=1e-4)
    assert min(lengths) == 1
    assert max(lengths) == 7


# ---- what is asked wrongly, and the rest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reward": "twin"}, "reward = 'twin' is not one of 'plain', 'expected', 'incremental'"),
        ({"reward_scale": 0.0}, "reward_scale = 0.0 is not a number above 0"),
        ({"reward_scale": float("nan")}, "reward_scale"),
        ({"limits": "each"}, "limits = 'each' is not one of 'wave', 'money', 'none'"),
        ({"price": -1.0}, "price of money"),
        ({"price": (3, 1)}, "a pair low, high"),
        ({"price": {"fax": 1.0}}, "money or a channel"),
        ({"price": "free"}, "price of money"),
        ({"observe": "all"}, "observe"),
        ({"observe": ["offer", "fatigue"]}, "observe = 'fatigue'"),
        ({"step": "month"}, "step = 'month' is not one of 'day', 'week', 'event'"),
        ({"step": 0}, "step = 0"),
        ({"step": 2.5}, "step = 2.5"),
        ({"step": True}, "step = True"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_what_can(options, words, small_world):
    with pytest.raises(UsageError) as wrong:
        LifecycleVectorEnv(2, small_world, **options)
    assert words in str(wrong.value)


def test_every_mistake_is_said_at_once(small_world):
    with pytest.raises(UsageError) as wrong:
        LifecycleEnv(small_world, reward="x", step=-1, observe=["y"], price={"z": 1})
    assert len(wrong.value.problems) == 4


def test_a_copy_through_pickle_goes_on_alike():
    env = LifecycleVectorEnv(200, "tight_budget", **EVERYTHING)
    played(env, 5)
    copy = pickle.loads(pickle.dumps(env))  # noqa: S301  our own bytes
    action = at_random(env.action_masks(), np.random.default_rng(2))
    ours, theirs = env.step(action), copy.step(action)
    assert all(np.array_equal(a, b) for a, b in zip(ours[:4], theirs[:4], strict=True))
    assert np.array_equal(ours[4]["unserved"], theirs[4]["unserved"])


def test_threads_change_nothing_with_options():
    one, two = (played(LifecycleVectorEnv(300, "tight_budget", threads=t, **EVERYTHING), 12) for t in (1, 2))
    assert all(
        np.array_equal(a[1][0], b[1][0]) and np.array_equal(a[1][1], b[1][1]) for a, b in zip(one, two, strict=True)
    )


def test_sb3_env_takes_every_option():
    pytest.importorskip("stable_baselines3")
    env = campaignrl.sb3_env("tight_budget", 300, step="week", **EVERYTHING)
    vector = LifecycleVectorEnv(300, "tight_budget", step="week", **EVERYTHING)
    env.seed(3)
    observation, infos = env.reset(), vector.reset(seed=3)[1]
    chance = np.random.default_rng(0)
    for _ in range(9):
        assert np.array_equal(env.action_masks(), infos["action_mask"])
        action = at_random(infos["action_mask"], chance)
        observation, reward, ended, told = env.step(action)
        seen, wanted, _, _, infos = vector.step(action)
        assert np.array_equal(observation, seen)
        assert np.array_equal(reward, wanted.astype(np.float32))
    assert ended.all()
    assert observation in vector.observation_space
    assert all("terminal_observation" in info for info in told)
    env.seed(3)
    env.set_options({"price": 5.0})
    assert (env.reset()[:, vector.features.encoded.index("price_money")] == 1).all()
