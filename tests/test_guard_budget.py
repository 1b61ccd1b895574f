"""Budget and capacity: never exceeded at any prefix, propensities exact, money in whole minor units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.campaign import run_campaign, simulate
from campaignrl.errors import SpecError
from campaignrl.guard.budget import Limits, Spending, propensity_after, throttle
from campaignrl.specs.world import load_world

CATALOG = Catalog.product(
    [Offer(name="content")],
    [Channel(name="push", cost=1), Channel(name="sms", cost=4)],
    [("content", "push"), ("content", "sms")],
)
EVERYTHING = Limits(np.array([np.inf, np.inf]), np.inf)


def test_without_limits_everybody_is_served() -> None:
    action = np.array([0, 1, 2, 2])
    found = throttle(CATALOG, action, np.array([0.1, 0.9, 0.5, 0.7]), EVERYTHING)
    assert (found.action == action).all()
    assert found.cost == 9
    assert (found.served == 1.0).all()


def test_a_channel_serves_the_first_in_the_drawn_order() -> None:
    u = np.array([0.9, 0.2, 0.6, 0.1])
    found = throttle(CATALOG, np.array([2, 2, 2, 1]), u, Limits(np.array([np.inf, 2.0]), np.inf))
    assert found.action.tolist() == [0, 2, 2, 1]
    assert found.served.tolist() == [1.0, 0.9]


def test_the_budget_stops_before_the_first_send_it_cannot_pay() -> None:
    u = np.array([0.9, 0.2, 0.6, 0.1])
    found = throttle(CATALOG, np.array([1, 2, 2, 2]), u, Limits(np.array([np.inf, np.inf]), 9.0))
    assert found.action.tolist() == [0, 2, 0, 2]
    assert found.cost == 8


@given(st.integers(0, 2**31), st.integers(0, 60), st.integers(0, 40))
def test_never_over_capacity_or_money(seed: int, money: int, capacity: int) -> None:
    chance = np.random.default_rng(seed)
    action, u = chance.integers(0, 3, 50), chance.random(50)
    found = throttle(CATALOG, action, u, Limits(np.array([np.inf, float(capacity)]), float(money)))
    assert found.cost == CATALOG.cost_of[found.action].sum() <= money
    assert (found.action == 2).sum() <= capacity
    assert ((found.action == action) | (found.action == 0)).all()


def test_propensities_after_serving_match_repeated_draws() -> None:
    chance = np.random.default_rng(3)
    n, rounds = 4, 40_000
    p = np.array([[0.2, 0.3, 0.5]] * n)
    taken = np.zeros((n, 3))
    stated = np.zeros((n, 3))
    for _ in range(rounds):
        action = (chance.random(n)[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
        found = throttle(CATALOG, action, chance.random(n), Limits(np.array([np.inf, 1.0]), np.inf))
        taken[np.arange(n), found.action] += 1.0
        for a in range(3):
            ids = np.full(n, a)
            stated[:, a] += propensity_after(p[:, a], p[:, 1:], p[:, 0], ids, CATALOG, found.served)
    # The cut of a row that is not served is that of the whole day, not of the others: of order 1 / n, here 4.
    assert stated.sum(axis=1) / rounds == pytest.approx(np.ones(n))
    assert taken[:, 1] / rounds == pytest.approx(stated[:, 1] / rounds, abs=0.01)


def test_a_campaign_never_spends_more_than_was_released() -> None:
    world = load_world("ecommerce", horizon=12)
    spec = world.model_dump(exclude_unset=True)
    spec["guard"] = {**spec["guard"], "budget": {"amount_per_1000_customers": 30.0}}
    spec["channels"]["sms"]["capacity"] = {"sends_per_day_per_1000_customers": 5.0}
    limited = type(world).model_validate(spec)
    log = simulate(limited, "uniform", customers=1_000, seed=3)
    by_day = np.bincount(log.day, weights=log.cost, minlength=12)
    released = 3_000 * (np.arange(12) + 1) // 12
    assert (np.cumsum(by_day) <= released).all()
    sms = limited.catalog.channel_of[log.action] == list(limited.channels).index("sms")
    assert np.bincount(log.day[sms], minlength=12).max() <= 5
    assert ((log.propensity > 0) & (log.propensity <= 1)).all()
    free = run_campaign(world, "uniform", customers=1_000, seed=3)
    assert by_day.sum() / 100 < free.totals["cost"].sum()


def test_weights_against_the_throttled_log_have_mean_one() -> None:
    world = load_world("ecommerce", horizon=15)
    spec = world.model_dump(exclude_unset=True)
    spec["guard"] = {**spec["guard"], "budget": {"amount_per_1000_customers": 60.0}}
    log = simulate(type(world).model_validate(spec), "uniform", customers=4_000, seed=5)
    weight = (log.action == 0) / log.propensity  # of the policy that always sends nothing
    error = weight.std() / np.sqrt(4_000)
    assert weight.mean() == pytest.approx(1.0, abs=4 * error)


def test_a_campaign_never_sends_more_than_its_stock_and_weights_have_mean_one() -> None:
    spec = load_world("ecommerce", horizon=15).model_dump(exclude_unset=True)
    spec["offers"]["coupon20"]["stock"] = 900
    world = load_world(spec)
    log = simulate(world, "uniform", customers=4_000, seed=5)
    coupon = world.catalog.offer_of[log.action] == list(world.offers).index("coupon20")
    assert coupon.sum() == 900
    by_day = np.bincount(log.day[coupon], minlength=15)
    assert by_day.nonzero()[0].max() < 14  # gone before the end
    assert run_campaign(world, "uniform", customers=4_000, seed=5).totals["sent"].sum() == (log.action > 0).sum()
    weight = (log.action == 0) / log.propensity
    assert weight.mean() == pytest.approx(1.0, abs=4 * weight.std() / np.sqrt(4_000))
    p = log.eligible / log.eligible.sum(axis=1, keepdims=True)
    early = coupon & (log.day < by_day.nonzero()[0].max())  # while there is enough for all
    assert np.allclose(log.propensity[early], p[early, log.action[early]], rtol=1e-12)
    last = coupon & (log.day == by_day.nonzero()[0].max())
    assert (log.propensity[last] < p[last, log.action[last]]).all()


def test_spending_without_limits_says_so() -> None:
    assert not Spending(load_world("ecommerce"), 100).is_limited


def test_capacity_without_its_unit_is_refused() -> None:
    spec = load_world("ecommerce").model_dump(exclude_unset=True)
    spec["channels"]["sms"]["capacity"] = {"sends": 5}
    with pytest.raises(SpecError, match="sends_per_day_per_1000_customers"):
        load_world(load_world("ecommerce"), channels=spec["channels"])


def test_there_is_room_for_a_send_that_takes_exactly_what_is_left() -> None:
    world = load_world("tight_budget")
    spending = Spending(world, 1_000)
    texts, calls = world.catalog.id_of("news@sms"), world.catalog.id_of("advice@call")
    released = int(spending.limits(0).money)
    spending.book(released - 8)
    assert spending.room(world.catalog, 0)[[0, texts, calls]].tolist() == [True, True, False]
    spending.book(1)
    assert spending.room(world.catalog, 0)[[0, texts]].tolist() == [True, False]


def test_there_is_room_on_a_channel_for_its_last_send() -> None:
    bank = load_world("bank")
    place, channel = next((i, c) for i, c in enumerate(bank.channels.values()) if c.capacity is not None)
    a_thousand = channel.capacity.sends_per_day_per_1000_customers
    on = bank.catalog.channel_of == place
    for customers, room in ((-(-1000 // a_thousand), True), (999 // a_thousand, False)):
        assert Spending(bank, customers).limits(0).sends[place] == int(room)
        assert (Spending(bank, customers).room(bank.catalog, 0)[on] == room).all()
