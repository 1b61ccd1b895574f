"""The guard to the last unit: money and capacity by hand, at the very boundary, and rules with exact counts."""

import numpy as np
import pytest

from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.features import Context
from campaignrl.guard.budget import Limits, Spending, by_lane, lanes_of, propensity_after, sends_by_offer, throttle
from campaignrl.guard.checks import Facts
from campaignrl.guard.rules import allowed, blocks, reasons, rules_of
from campaignrl.specs.world import World, load_world
from campaignrl.toml import check

CATALOG = Catalog.product(
    [Offer(name="content")],
    [Channel(name="push", cost=1), Channel(name="sms", cost=4)],
    [("content", "push"), ("content", "sms")],
)
NO_CAPACITY = np.array([np.inf, np.inf])


def limited(budget=None, sms=None, horizon=4):
    """The web shop with a budget of so much currency, and so many messages a day, per 1,000 customers."""
    world = load_world("ecommerce", horizon=horizon)
    spec = world.model_dump(exclude_unset=True)
    if budget is not None:
        spec["guard"] = {**spec["guard"], "budget": {"amount_per_1000_customers": budget}}
    if sms is not None:
        spec["channels"]["sms"]["capacity"] = {"sends_per_day_per_1000_customers": sms}
    return type(world).model_validate(spec)


# ---- money, day by day


def test_money_is_released_from_day_0_and_all_of_it_by_the_last_day():
    spending = Spending(limited(30.0), 1000)  # 3,000 minor units over 4 days
    assert [spending.limits(day).money for day in range(4)] == [750, 1500, 2250, 3000]


def test_what_was_spent_is_no_longer_there_and_what_was_not_stays():
    spending = Spending(limited(30.0), 1000)
    spending.book(700)
    spending.book(25)
    assert spending.spent == 725
    assert spending.limits(0).money == 25
    assert spending.limits(1).money == 775


@pytest.mark.parametrize(("customers", "money"), [(1, 3), (250, 750), (333, 999), (2000, 6000)])
def test_budget_grows_with_the_customers_in_whole_minor_units(customers, money):
    assert Spending(limited(30.0), customers).limits(3).money == money


def test_a_day_s_release_is_rounded_down():
    spending = Spending(limited(0.1, horizon=3), 1000)  # 10 minor units over 3 days
    assert [spending.limits(day).money for day in range(3)] == [3, 6, 10]


@pytest.mark.parametrize(("customers", "sends"), [(1000, 5.0), (500, 2.0), (199, 0.0), (200, 1.0), (3000, 15.0)])
def test_capacity_grows_with_the_customers_in_whole_sends(customers, sends):
    world = limited(sms=5.0)
    limits = Spending(world, customers).limits(0)
    assert limits.sends.tolist() == [sends if name == "sms" else np.inf for name in world.channels]
    assert limits.money == np.inf


@pytest.mark.parametrize(
    ("budget", "sms", "is_limited"), [(None, None, False), (30.0, None, True), (None, 5.0, True), (30.0, 5.0, True)]
)
def test_one_limit_is_enough_to_be_limited(budget, sms, is_limited):
    assert Spending(limited(budget, sms), 1000).is_limited is is_limited


# ---- one day


def test_a_budget_that_is_met_exactly_serves_everybody():
    found = throttle(CATALOG, np.array([1, 2, 2]), np.array([0.3, 0.1, 0.2]), Limits(NO_CAPACITY, 9.0))
    assert found.action.tolist() == [1, 2, 2]
    assert found.cost == 9
    assert found.served.tolist() == [1.0, 1.0]


def test_a_budget_met_exactly_by_the_first_sends_serves_exactly_these():
    action, u = np.array([1, 2, 2, 2]), np.array([0.3, 0.1, 0.2, 0.4])  # in order of u: 4, 8, 9, 13
    for money, served in ((8.0, [0, 2, 2, 0]), (8.5, [0, 2, 2, 0]), (9.0, [1, 2, 2, 0]), (3.0, [0, 0, 0, 0])):
        found = throttle(CATALOG, action, u, Limits(NO_CAPACITY, money))
        assert found.action.tolist() == served
        assert found.cost == CATALOG.cost_of[served].sum()
    assert found.served.tolist() == [0.1, 0.1]  # of 3.0: the first in the order is not served


def test_the_cut_is_the_first_customer_who_is_not_served():
    action, u = np.array([2, 2, 2, 1]), np.array([0.9, 0.2, 0.6, 0.95])
    for capacity, cut in ((0.0, 0.2), (1.0, 0.6), (2.0, 0.9), (3.0, 1.0)):
        found = throttle(CATALOG, action, u, Limits(np.array([np.inf, capacity]), np.inf))
        assert found.served.tolist() == [1.0, cut]
        assert found.action.tolist() == [*np.where(u[:3] < cut, 2, 0), 1]


def test_the_budget_s_cut_never_raises_a_channel_s():
    action, u = np.array([2, 2, 1, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    found = throttle(CATALOG, action, u, Limits(np.array([np.inf, 1.0]), 5.0))
    assert found.action.tolist() == [2, 0, 1, 0, 0]
    assert found.served.tolist() == [0.4, 0.2]


def test_nothing_sent_costs_nothing_and_cuts_nothing():
    found = throttle(CATALOG, np.array([0, 0]), np.array([0.0, 0.5]), Limits(np.array([0.0, 0.0]), 0.0))
    assert (found.action.tolist(), found.cost, found.served.tolist()) == ([0, 0], 0, [1.0, 1.0])


def test_propensities_after_serving_by_hand():
    by_channel, none = np.array([[0.2, 0.5]] * 3), np.full(3, 0.3)
    chance = propensity_after(
        np.array([0.2, 0.5, 0.3]), by_channel, none, np.array([1, 2, 0]), CATALOG, np.array([0.75, 0.25])
    )
    assert chance == pytest.approx([0.15, 0.125, 0.3 + 0.2 * 0.25 + 0.5 * 0.75], abs=1e-15)


# ---- stock

STOCKED = Catalog.product(
    [Offer(name="content"), Offer(name="coupon")],
    [Channel(name="push", cost=1), Channel(name="sms", cost=4)],
    [("content", "push"), ("coupon", "push"), ("coupon", "sms")],
)


def test_a_stock_s_cut_is_that_of_its_offer_on_every_channel_and_no_other():
    """u of the coupons: .1 sms, .2 push, .4 sms, .5 push; of content: .3 and .6."""
    action, u = np.array([3, 2, 1, 3, 2, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    lanes = lanes_of(STOCKED, np.array([np.inf, 0.0]))
    assert lanes.of.tolist() == [-1, 0, 2, 3]
    assert (lanes.channel.tolist(), lanes.offer.tolist()) == ([0, 1, 0, 1], [-1, -1, 1, 1])
    for stock, cut, served in (
        (0.0, 0.1, [0, 0, 1, 0, 0, 1]),
        (1.0, 0.2, [3, 0, 1, 0, 0, 1]),
        (3.0, 0.5, [3, 2, 1, 3, 0, 1]),
        (4.0, 1.0, [3, 2, 1, 3, 2, 1]),
    ):
        found = throttle(STOCKED, action, u, Limits(NO_CAPACITY, np.inf, np.array([np.inf, stock])))
        assert found.action.tolist() == served
        assert found.served.tolist() == [1.0, 1.0, cut, cut]
        assert found.cost == STOCKED.cost_of[served].sum()


def test_sends_are_counted_for_every_offer_also_where_there_are_none():
    assert sends_by_offer(STOCKED, np.array([0, 1, 1, 0])).tolist() == [2, 0]
    assert sends_by_offer(STOCKED, np.array([0, 3, 2])).tolist() == [0, 2]
    assert sends_by_offer(STOCKED, np.array([0])).tolist() == [0, 0]


def test_capacity_comes_before_stock_and_money_after_it():
    action, u = np.array([3, 3, 2, 2, 1]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    limits = Limits(np.array([np.inf, 1.0]), np.inf, np.array([np.inf, 2.0]))
    found = throttle(STOCKED, action, u, limits)
    assert found.action.tolist() == [3, 0, 2, 0, 1]  # the second sms is full, so its coupon goes to the third
    assert found.served.tolist() == [1.0, 0.2, 0.4, 0.2]
    found = throttle(STOCKED, action, u, limits._replace(money=5.0))
    assert found.action.tolist() == [3, 0, 2, 0, 0]
    assert found.served.tolist() == [0.5, 0.2, 0.4, 0.2]


def test_propensities_of_lanes_by_hand():
    p = np.array([[0.1, 0.2, 0.3, 0.4]] * 4)
    lanes = lanes_of(STOCKED, np.array([np.inf, 1.0]))
    shares = by_lane(p, lanes)
    assert shares.tolist() == [[0.2, 0.0, 0.3, 0.4]] * 4
    cuts, taken = np.array([1.0, 0.5, 0.25, 0.5]), np.arange(4)
    chance = propensity_after(p[taken, taken], shares, p[:, 0], taken, STOCKED, cuts, lanes)
    assert chance == pytest.approx([0.1 + 0.3 * 0.75 + 0.4 * 0.5, 0.2, 0.075, 0.2], abs=1e-15)
    assert chance.sum() == pytest.approx(1.0, abs=1e-15)


def test_stock_is_booked_given_back_and_never_below_nothing():
    spec = load_world("ecommerce").model_dump(exclude_unset=True)
    spec["offers"]["content"]["stock"] = 7
    world = check(World, spec, "stocked")
    spending, offers = Spending(world, 1000), np.eye(len(world.offers), dtype=np.int64)
    content = list(world.offers).index("content")
    assert spending.is_limited
    assert spending.limits(0).stock.tolist() == [7.0 if o == content else np.inf for o in range(len(world.offers))]
    spending.book(0, 6 * offers[content])
    push = world.catalog.id_of("content@push")
    assert spending.room(world.catalog, 5)[push]
    spending.book(0, offers[content])
    assert not spending.room(world.catalog, 5)[push]
    assert spending.room(world.catalog, 5).sum() == (world.catalog.offer_of != content).sum()
    spending.book(0, offers[content])
    assert spending.limits(0).stock[content] == 0
    spending.book(0, -3 * offers[content])
    assert spending.limits(0).stock[content] == 2


# ---- rules


def facts_of(world, n, contacts=0):
    columns = {
        f.name: np.zeros(n, np.int8) if f.levels else np.full(n, f.low, np.float32) for f in world.features.features
    }
    consent = np.ones((len(world.channels), n), dtype=bool)
    seen = np.broadcast_to(contacts, n)
    return Facts(np.zeros(n, bool), None, consent, Context(world.features, columns), lambda channel, days: seen)


def test_a_cap_closes_at_its_number_and_not_one_before():
    world, closed = load_world("ecommerce"), 0
    for cap in world.guard.caps:
        sent = np.array([cap.at_most - 1, cap.at_most, cap.at_most + 1])
        for block in blocks(rules_of(world), facts_of(world, 3, sent)):
            if block.reason.startswith(f"cap: {cap.at_most} in {cap.per_days} days"):
                assert block.refused.tolist() == [False, True, True]
                closed += 1
    assert closed >= len(world.guard.caps)


def test_a_refusal_reaches_its_own_channel_only():
    world = load_world("ecommerce")
    rules, facts = rules_of(world), facts_of(world, len(world.channels))
    facts.consent[:] = ~np.eye(len(world.channels), dtype=bool)  # customer i has no consent for channel i
    free = allowed(rules, facts_of(world, 1))[0]
    mask, why = allowed(rules, facts), reasons(rules, facts)
    for i, name in enumerate(world.channels):
        own = world.catalog.channel_of == i
        assert not mask[i, own].any()
        assert (why[i, own] == f"no consent: {name}").all()
        assert np.array_equal(mask[i, ~own], free[~own])


@pytest.mark.parametrize("n_offers", [5, 6, 7, 14, 15])  # doors: two channels and these offers, eight at a time
def test_each_of_many_conditions_closes_its_own_offer_only(tables, n_offers):
    coupon = tables["offers"]["coupon20"]
    offers = {f"o{i}": {**coupon, "only_if": f"orders >= {i + 1}"} for i in range(n_offers)}
    world = check(World, {**tables, "offers": offers}, "test")
    n = n_offers + 1
    facts = facts_of(world, n)
    facts.context.columns["orders"][:] = np.arange(n)
    facts.consent[1, 0::2] = False
    mask = allowed(rules_of(world), facts)
    why = reasons(rules_of(world), facts)
    for k, action in enumerate(world.catalog.actions):
        if action.offer is None:
            assert mask[:, k].all()
            continue
        may = np.arange(n) > int(action.offer[1:])
        if action.channel == "sms":
            may &= np.arange(n) % 2 == 1
        assert mask[:, k].tolist() == may.tolist()
        assert (why[:, k] == "").tolist() == may.tolist()
