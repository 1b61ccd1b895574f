"""A price on money: dearer money, fewer and better sends, and a budget that is met without learning anew."""

import numpy as np
import pytest

from campaignrl.campaign import run_campaign, simulate
from campaignrl.errors import SpecError
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.loading import build_policy
from campaignrl.specs.world import load_world


@pytest.fixture(scope="module")
def policy(shop):
    log = shop.log(4000)
    made = build_policy({"kind": "budgeted"}, shop.catalog, shop.schema)
    made.update(log)
    return made


def test_costs_are_learned_as_the_catalog_has_them(policy, shop):
    phi = policy._phi(shop.context(50))
    np.testing.assert_allclose(phi @ policy.tensors()["costs"], np.tile(shop.catalog.cost_of, (50, 1)), atol=0.01)


def test_spending_falls_as_money_gets_dearer(policy, shop):
    context, allowed = shop.context(400), shop.allowed(400)
    spent = [policy.at_price(price).spend(context, allowed) for price in (0.0, 0.01, 0.05, 0.2, 1.0, 100.0)]
    assert (np.diff(spent) <= 1e-9).all()
    assert spent[0] > 0.1
    assert spent[-1] < 0.01 * spent[0] + 1e-9


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_price_found_meets_the_budget(policy, shop, share):
    context, allowed = shop.context(2000), shop.allowed(2000)
    budget = share * policy.spend(context, allowed)
    price = policy.price_for(context, allowed, budget)
    spent = policy.at_price(price).spend(context, allowed)
    assert spent <= budget
    assert policy.at_price(0.9 * price - 0.01).spend(context, allowed) > budget  # and no dearer than need be


def test_a_budget_that_is_ample_costs_nothing(policy, shop):
    assert policy.price_for(shop.context(100), shop.allowed(100), 1e6) == 0.0


def test_another_price_leaves_the_policy_as_it_was(policy, shop):
    before = policy.probabilities(shop.context(50), shop.allowed(50))
    policy.at_price(3.0)
    np.testing.assert_array_equal(policy.probabilities(shop.context(50), shop.allowed(50)), before)
    assert policy.price == 0.0


def test_score_is_value_less_price_times_cost(policy, shop):
    context, allowed = shop.context(300), shop.allowed(300)
    at = policy.at_price(0.07)
    worth = policy.scores(context) - 0.07 * (policy._phi(context) @ policy.tensors()["costs"])
    best = np.where(allowed, worth, -np.inf).argmax(axis=1)
    np.testing.assert_array_equal(at.probabilities(context, allowed).argmax(axis=1), best)


def test_the_price_travels_with_the_bundle(policy, shop, tmp_path):
    path = save_bundle(policy.at_price(0.07), tmp_path / "p.bundle")
    assert load_bundle(path).price == pytest.approx(0.07)


def test_a_negative_price_is_refused(shop):
    with pytest.raises(SpecError, match="price"):
        build_policy({"kind": "budgeted", "price": -1.0}, shop.catalog, shop.schema)


def test_a_log_sets_the_price_when_the_spending_is_given(shop):
    made = build_policy({"kind": "budgeted", "spend_per_decision": 0.05}, shop.catalog, shop.schema)
    log = shop.log(2000)
    made.update(log)
    assert made.price > 0.0
    assert made.spend(log.context, log.eligible) <= 0.06


def test_the_guard_keeps_the_budget_whatever_the_price():
    world = load_world("tight_budget", horizon=14)
    made = build_policy({"kind": "budgeted"}, world.catalog, world.features)
    made.update(simulate(world, "uniform", customers=1500, seed=1))
    for price in (0.0, 5.0):
        campaign = run_campaign(world, made.at_price(price), customers=1000, seed=2)
        assert campaign.totals["cost"].sum() <= world.guard.budget.amount_per_1000_customers + 1e-6
