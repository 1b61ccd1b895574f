"""Twins: what was caused and what would have come anyway, customer by customer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.campaign import run_campaign
from campaignrl.dynamics.advance import Outcome
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.twins import always, live, nothing, twins
from campaignrl.specs.world import load_world
from campaignrl.true_value import acting, campaign_twins, controlled_value, mean_value, ratio_value

MONEY = ("reward", "margin", "discount", "cost")


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(1, 60))
def test_the_twin_of_nothing_sent_under_none_is_itself(small_world, seed, n):
    found = campaign_twins(small_world, "none", "none", customers=n, seed=seed)
    for name in Outcome._fields:
        assert (found.incremental(name) == 0.0).all()
    assert (found.cannibalised == 0.0).all()
    assert (live(small_world, nothing, customers=n, seed=seed)["reward"] == found.ours["reward"]).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), action=st.integers(1, 5))
def test_the_parts_of_the_reward_add_up_and_cost_is_never_negative(small_world, seed, action):
    for decide in (acting("uniform", small_world), always(action)):
        found = live(small_world, decide, customers=80, seed=seed)
        lost = small_world.money.unsubscribe * found["unsubscribed"]
        parts = found["margin"] - found["discount"] - found["cost"] - lost
        np.testing.assert_allclose(found["reward"], parts, atol=1e-4)
        assert (found["cost"] >= 0.0).all()
        assert (found["discount"] >= 0.0).all()
        assert found["sent"].sum() > 0


def test_a_customer_who_is_sent_nothing_is_its_own_twin(small_world):
    found = campaign_twins(small_world, "uniform", customers=3000, seed=3)
    untouched = found.ours["sent"] == 0
    assert 0 < untouched.sum() < len(untouched)
    assert (found.incremental()[untouched] == 0.0).all()
    assert (found.incremental()[~untouched] != 0.0).any()


def test_a_discount_is_cannibalised_where_the_twin_orders_on_the_same_day(small_world):
    coupon, n = small_world.catalog.id_of("coupon20@sms"), 400
    found = twins(small_world, always(coupon), customers=n, seed=5)
    discount, orders = np.zeros(n), np.zeros(n)
    with_coupon, without = Panel(small_world, n, 5), Panel(small_world, n, 5)
    while not without.done:
        may = with_coupon.allowed(with_coupon.observe())[:, coupon]
        ours, theirs = with_coupon.step(np.where(may, coupon, 0)), without.step(np.zeros(n, dtype=int))
        for i in range(n):
            if ours.redeemed[i] and theirs.bought[i]:
                discount[i] += ours.discount[i]
                orders[i] += 1
    np.testing.assert_allclose(found.cannibalised, discount, rtol=1e-6)
    assert (found.cannibalised_orders == orders).all()
    assert 0 < orders.sum() < found.ours["redeemed"].sum()
    assert (found.cannibalised <= found.ours["discount"] + 1e-6).all()


def test_lives_are_campaigns(small_world):
    decide = acting("uniform", small_world)
    campaign = run_campaign(small_world, "uniform", customers=300, seed=8)
    found = live(small_world, decide, customers=300, seed=8)
    for name in MONEY:
        np.testing.assert_array_equal(found[name], campaign.totals[name])


def test_lives_keep_to_the_budget(small_world):
    tight = load_world(
        small_world, guard={**small_world.guard.model_dump(), "budget": {"amount_per_1000_customers": 2}}
    )
    spent = live(tight, acting("uniform", tight), customers=1000, seed=8)["cost"].sum()
    free = live(small_world, acting("uniform", small_world), customers=1000, seed=8)["cost"].sum()
    assert 1.0 < spent <= 2.0 + 1e-6 < free
    campaign = run_campaign(tight, "uniform", customers=1000, seed=8)
    assert campaign.totals["cost"].sum() == pytest.approx(spent)


def test_a_ratio_by_hand():
    cost, orders = np.array([1.0, 3.0, 2.0, 6.0]), np.array([1.0, 0.0, 1.0, 2.0])
    found = ratio_value(cost, orders)
    assert found.value == 3.0
    assert found.std_error == pytest.approx(np.std([-2, 3, -1, 0], ddof=1) / 2.0)  # (cost - 3 orders) / mean orders 1
    assert found.ci_low == pytest.approx(3.0 - 1.959964 * found.std_error)
    assert np.isnan(ratio_value(cost, np.zeros(4))).all()


def test_what_a_control_explains_leaves_no_error():
    control = np.array([1.0, 2.0, 4.0, 5.0])
    everybody = np.array([1.0, 2.0, 4.0, 5.0, 9.0, 9.0])
    exact = controlled_value(3.0 * control + 1.0, control, everybody)
    assert exact.value == pytest.approx(3.0 * 5.0 + 1.0)
    assert exact.std_error == pytest.approx(0.0, abs=1e-12)
    assert controlled_value(control, np.zeros(4), np.zeros(6)) == mean_value(control)  # nothing to learn from
