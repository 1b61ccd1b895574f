"""Allocation by value: bound over the best plan over the plan, limits kept, whatever the order of the rows."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import csr_matrix

from campaignrl import rng
from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.errors import DataError
from campaignrl.guard import Limits, Planner, allocate, dual_prices, integral_plan, shared_limits

INF = np.inf


def catalog_of(offers, channels, pairs=None, costs=None):
    costs = costs or [1, 3, 10, 25][:channels]
    found = [Channel(name=f"c{i}", cost=cost) for i, cost in enumerate(costs)]
    named = [Offer(name=f"o{i}") for i in range(offers)]
    pairs = pairs or [(o.name, c.name) for o in named for c in found]
    return Catalog.product(named, found, pairs)


SMALL = catalog_of(3, 2, [("o0", "c0"), ("o0", "c1"), ("o1", "c0"), ("o1", "c1"), ("o2", "c1")])  # 6 actions
BIG = catalog_of(8, 5, costs=[1, 3, 10, 25, 40])  # 41


def random_case(seed, catalog=SMALL, most=12):
    """Values, eligibility, limits of all kinds; small ones half the time in steps that make ties."""
    g = np.random.default_rng(seed)
    n, k = int(g.integers(1, most + 1)), len(catalog)
    values = g.normal(0.3, 1.0, (n, k)) * g.gamma(1.0, 3.0, (n, 1))
    if seed % 2:
        values = np.round(values)
    allowed = g.random((n, k)) < 0.7
    allowed[:, 0] = True
    sends = np.where(g.random(len(catalog.channels)) < 0.3, INF, g.integers(0, n + 1, len(catalog.channels)))
    stock = np.where(g.random(len(catalog.offers)) < 0.4, INF, g.integers(0, n + 1, len(catalog.offers)))
    money = INF if g.random() < 0.2 else float(g.integers(0, 3 * n + 1))
    return values, allowed, rng.customer_keys(np.arange(n) + 1000 * seed), Limits(sends.astype(float), money), stock


def usage(catalog, action):
    sends = np.bincount(catalog.channel_of[action] + 1, minlength=len(catalog.channels) + 1)[1:]
    offers = np.bincount(catalog.offer_of[action] + 1, minlength=len(catalog.offers) + 1)[1:]
    return int(catalog.cost_of[action].sum()), sends, offers


def assert_kept(catalog, plan, values, allowed, limits, stock):
    cost, sends, offers = usage(catalog, plan.action)
    at = np.arange(len(values))
    assert allowed[at, plan.action].all() or (plan.action[~allowed[at, plan.action]] == 0).all()
    assert cost == plan.cost
    assert cost <= limits.money
    assert (sends <= limits.sends).all()
    assert (offers <= stock).all()
    assert plan.value == pytest.approx((values[at, plan.action] - values[:, 0]).sum(), rel=1e-6, abs=1e-9)


def best_of_all(catalog, values, allowed, limits, stock):
    """The exact best by going through every state of what is used: customers one by one, states pruned to the best."""
    states = {(0,) * (1 + len(catalog.channels) + len(catalog.offers)): 0.0}
    most = np.array([limits.money, *limits.sends, *stock])
    for i in range(len(values)):
        after = dict(states)
        for a in np.flatnonzero(allowed[i])[1:]:
            use = np.zeros(len(most), dtype=int)
            use[0] = catalog.cost_of[a]
            use[1 + catalog.channel_of[a]] = 1
            use[1 + len(catalog.channels) + catalog.offer_of[a]] = 1
            gain = values[i, a] - values[i, 0]
            for state, value in states.items():
                new = tuple(np.add(state, use))
                if (np.array(new) <= most).all() and value + gain > after.get(new, -INF):
                    after[new] = value + gain
        states = after
    return max(states.values())


def enumerated(catalog, values, allowed, limits, stock):
    """The exact best by trying every plan there is: for cases of few customers, to check the other search."""
    best = 0.0
    for plan in itertools.product(*(np.flatnonzero(row) for row in allowed)):
        action = np.array(plan)
        cost, sends, offers = usage(catalog, action)
        if cost <= limits.money and (sends <= limits.sends).all() and (offers <= stock).all():
            best = max(best, float((values[np.arange(len(values)), action] - values[:, 0]).sum()))
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_exact_search_of_these_tests_is_exact(seed):
    values, allowed, _, limits, stock = random_case(seed, most=4)
    exact = best_of_all(SMALL, values, allowed, limits, stock)
    assert exact == pytest.approx(enumerated(SMALL, values, allowed, limits, stock))


@pytest.mark.parametrize("part", range(10))
def test_two_hundred_small_cases_hold_the_exact_best_between_plan_and_bound(part):
    gaps = []
    for seed in range(20 * part, 20 * part + 20):
        values, allowed, keys, limits, stock = random_case(seed)
        plan = allocate(SMALL, values, allowed, keys, limits, stock=stock)
        exact = best_of_all(SMALL, values, allowed, limits, stock)
        assert_kept(SMALL, plan, values, allowed, limits, stock)
        assert plan.value <= exact + 1e-9
        assert exact <= plan.bound + 1e-12 * abs(plan.bound)
        assert plan.value >= plan.bound - plan.gap - 1e-9
        gaps.append((exact - plan.value) / exact if exact else 0.0)
    assert np.mean(gaps) < 0.02  # and the plan is near the best, not only within a gap that may be wide


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(1_000, 10**6), many=st.integers(1, 200), catalog=st.sampled_from([SMALL, BIG]))
def test_no_plan_breaks_a_limit_and_none_is_above_its_bound(seed, many, catalog):
    values, allowed, keys, limits, stock = random_case(seed, catalog, many)
    plan = allocate(catalog, values, allowed, keys, limits, stock=stock)
    assert_kept(catalog, plan, values, allowed, limits, stock)
    assert plan.value <= plan.bound + 1e-9
    assert 0.0 <= plan.relative_gap <= 1.0


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_the_rows_and_the_size_of_the_blocks_change_nothing(seed):
    values, allowed, keys, limits, stock = random_case(seed, BIG, 60)
    plan = allocate(BIG, values, allowed, keys, limits, stock=stock)
    order = np.random.default_rng(seed).permutation(len(keys))
    other = allocate(BIG, values[order], allowed[order], keys[order], limits, stock=stock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dual_prices, "ROWS_AT_A_TIME", 7)
        patch.setattr(integral_plan, "ROWS_AT_A_TIME", 7)
        blocks = allocate(BIG, values, allowed, keys, limits, stock=stock)
    for again, action in ((other, other.action[np.argsort(order)]), (blocks, blocks.action)):
        assert np.array_equal(plan.action, action)
        assert (plan.value, plan.bound, plan.prices) == (again.value, again.bound, again.prices)


def test_many_customers_are_asked_by_samples_and_their_order_changes_nothing():
    values, allowed, keys, limits, stock = big_case(40_000)
    plan = allocate(BIG, values, allowed, keys, limits, stock=stock)
    order = np.random.default_rng(1).permutation(len(keys))
    other = allocate(BIG, values[order], allowed[order], keys[order], limits, stock=stock)
    assert np.array_equal(plan.action[order], other.action)
    assert plan.bound == other.bound
    assert_kept(BIG, plan, values.astype(np.float64), allowed, limits, stock)
    assert plan.relative_gap < 1e-4


def big_case(n, seed=0):
    g = np.random.default_rng(seed)
    values = (g.gamma(1.0, 1.0, (n, 1)) * g.normal(0.1, 0.5, (n, len(BIG)))).astype(np.float32)
    allowed = g.random((n, len(BIG))) < 0.6
    allowed[:, 0] = True
    sends = np.array([0.3, 0.08, 0.03, 0.09, INF]) * n
    stock = np.array([0.02, 0.04, 0.015, 0.06, 0.008, INF, INF, INF]) * n
    return values, allowed, rng.customer_keys(np.arange(n)), Limits(np.floor(sends), float(2 * n)), np.floor(stock)


def more_and_less(limits, stock, g):
    """The same limits with one of them wider, and with one of them tighter."""
    sends, wide = limits.sends.copy(), stock.copy()
    which = int(g.integers(0, 3))
    if which == 0:
        return limits._replace(money=limits.money + float(g.integers(1, 20))), stock
    if which == 1:
        sends[g.integers(0, len(sends))] += 1 + int(g.integers(0, 3))
        return limits._replace(sends=sends), stock
    wide[g.integers(0, len(wide))] += 1
    return limits, wide


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_more_of_anything_never_lowers_the_bound_and_a_new_limit_never_raises_it(seed):
    values, allowed, keys, limits, stock = random_case(seed)
    g = np.random.default_rng(seed + 1)
    bound = allocate(SMALL, values, allowed, keys, limits, stock=stock).bound
    wider, wider_stock = more_and_less(limits, stock, g)
    more = allocate(SMALL, values, allowed, keys, wider, stock=wider_stock).bound
    narrow = allowed.copy()
    narrow[:, 1 + int(g.integers(0, 5))] = False
    sends = limits.sends.copy()
    sends[0] = min(sends[0], float(g.integers(0, 4)))
    room = 1e-7 * (1.0 + abs(bound))  # what a search may leave
    assert more >= bound - room
    assert allocate(SMALL, values, narrow, keys, limits, stock=stock).bound <= bound + room
    assert allocate(SMALL, values, allowed, keys, limits._replace(sends=sends), stock=stock).bound <= bound + room


@pytest.mark.parametrize("seed", range(5))
def test_without_money_nothing_is_sent_that_costs(seed):
    free = Catalog.product(
        [Offer(name="o0")], [Channel(name="free"), Channel(name="paid", cost=2)], [("o0", "free"), ("o0", "paid")]
    )
    g = np.random.default_rng(seed)
    values = np.abs(g.normal(1.0, 1.0, (30, 3)))
    values[:, 0] = 0.0
    limits = Limits(np.array([INF, INF]), 0.0)
    plan = allocate(free, values, np.ones((30, 3), dtype=bool), rng.customer_keys(np.arange(30)), limits)
    assert plan.cost == 0
    assert (plan.action == 1).all()
    assert plan.value == pytest.approx(plan.bound)


def test_by_hand():
    """Four customers, e-mail for 1 and a call for 3, money 5, one call at most.

    Gains by e-mail and call: A 2 and 6, B 2 and 5, C 1 and 5, D loses by either. One call and two e-mails cost 5. The
    call is worth 4 over the e-mail to A and to C, 3 to B: A called, B and C mailed are 9, C called, A and B mailed too,
    B called 8. Without the call at most 5, so no plan brings more than 9.
    """
    catalog = catalog_of(1, 2, costs=[1, 3])
    values = np.array([[0, 2, 6], [0, 2, 5], [0, 1, 5], [0, -1, -1]], dtype=float)
    limits = Limits(np.array([INF, 1.0]), 5.0)
    plan = allocate(catalog, values, np.ones((4, 3), dtype=bool), rng.customer_keys(np.arange(4)), limits)
    assert (plan.value, plan.cost) == (9.0, 5)
    assert plan.action.tolist() in ([2, 1, 1, 0], [1, 1, 2, 0])
    assert plan.bound == pytest.approx(9.0)
    assert plan.prices["c1"] == pytest.approx(4.0 - 2.0 * plan.prices["money"])


def test_nobody_and_nothing_to_gain_are_plans_too():
    catalog = catalog_of(1, 2, costs=[1, 3])
    limits, nobody = Limits(np.array([1.0, 0.0]), 5.0), np.zeros(0, dtype=np.uint64)
    empty = allocate(catalog, np.zeros((0, 3)), np.zeros((0, 3), dtype=bool), nobody, limits)
    assert (len(empty.action), empty.value, empty.cost, empty.relative_gap) == (0, 0.0, 0, 0.0)
    keys, values = rng.customer_keys(np.arange(3)), np.tile([1.0, 1.0, 0.5], (3, 1))
    nothing = allocate(catalog, values, np.ones((3, 3), dtype=bool), keys, limits)
    assert (nothing.action.tolist(), nothing.value, nothing.gap) == ([0, 0, 0], 0.0, 0.0)


def test_equal_customers_share_what_there_is_by_their_keys():
    catalog = catalog_of(1, 2, costs=[1, 3])
    n, values = 1_000, np.tile([0.0, 1.0, 2.0], (1_000, 1))
    keys, limits = rng.customer_keys(np.arange(n)), Limits(np.array([600.0, 200.0]), 900.0)
    plan = allocate(catalog, values, np.ones((n, 3), dtype=bool), keys, limits)
    assert usage(catalog, plan.action)[1].tolist() == [600, 100]  # 600 + 300 of money
    assert plan.value == pytest.approx(plan.bound) == 800.0


def test_a_value_that_is_not_known_is_not_taken_and_an_infinite_one_is_refused():
    catalog = catalog_of(1, 1)
    keys, may = rng.customer_keys(np.arange(2)), np.ones((2, 2), dtype=bool)
    free = Limits(np.array([INF]), INF)
    plan = allocate(catalog, np.array([[0.0, np.nan], [0.0, 1.0]]), may, keys, free)
    assert plan.action.tolist() == [0, 1]
    assert (plan.value, plan.bound) == (1.0, pytest.approx(1.0))
    unknown_nothing = allocate(catalog, np.array([[np.nan, 5.0], [0.0, 1.0]]), may, keys, free)
    assert unknown_nothing.action.tolist() == [0, 1]
    with pytest.raises(DataError, match="infinite in 1 rows"):
        allocate(catalog, np.array([[0.0, INF], [0.0, 1.0]]), may, keys, free)
    with pytest.raises(DataError, match="shape of allowed"):
        allocate(catalog, np.zeros((2, 2)), may[:1], keys, free)


def test_what_there_shall_be_at_least_is_sent_at_the_least_loss():
    catalog = catalog_of(2, 1, costs=[1])
    values = np.array([[0, 5, 1], [0, 5, 4], [0, 5, 3], [0, 5, -2]], dtype=float)
    keys, may = rng.customer_keys(np.arange(4)), np.ones((4, 3), dtype=bool)
    free = Limits(np.array([INF]), 4.0)
    plan = allocate(catalog, values, may, keys, free, at_least={"offer": np.array([0, 2])})
    assert plan.action.tolist() == [1, 2, 2, 1]
    assert (plan.value, plan.missing) == (17.0, {})
    assert list(plan.prices) == ["money", "at least of o1"]  # what nobody asked for is no limit
    assert plan.bound == pytest.approx(17.0)


def test_what_cannot_be_sent_at_least_is_missed_and_said():
    catalog = catalog_of(2, 1, costs=[1])
    values = np.array([[0, 5, 1], [0, 5, 4], [0, 5, 3], [0, 5, -2]], dtype=float)
    keys, may = rng.customer_keys(np.arange(4)), np.ones((4, 3), dtype=bool)
    may[2:, 2] = False
    two = Limits(np.array([INF]), 2.0)
    plan = allocate(catalog, values, may, keys, two, at_least={"offer": np.array([1, 2])})
    assert usage(catalog, plan.action)[0] == 2
    assert sum(plan.missing.values()) == 1
    assert plan.value <= plan.bound + 1e-9


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_least_shares_are_met_where_some_plan_meets_them(seed):
    """Without other limits everybody who may get an offer can, so a share no larger than these must be met."""
    values, allowed, keys, _, _ = random_case(seed)
    free = Limits(np.full(2, INF), INF)
    may = np.array([int(allowed[:, 1:][:, SMALL.offer_of[1:] == o].any(axis=1).sum()) for o in range(3)])
    least = np.array([0, 0, 0])
    least[seed % 3] = may[seed % 3] // 2
    plan = allocate(SMALL, values, allowed, keys, free, at_least={"offer": least})
    assert plan.missing == {}
    assert (usage(SMALL, plan.action)[2] >= least).all()
    assert plan.value <= plan.bound + 1e-9
    without = allocate(SMALL, values, allowed, keys, free)
    assert plan.bound <= without.bound + 1e-6 * (1 + abs(without.bound))


def by_highs(catalog, values, allowed, limits):
    """The exact best by scipy's HiGHS: one binary a customer and action."""
    n, k = values.shape
    gains = np.where(allowed, values - values[:, [0]], -1e3)[:, 1:].ravel()
    found = shared_limits(catalog, limits)
    one_each = csr_matrix((np.ones(n * (k - 1)), (np.repeat(np.arange(n), k - 1), np.arange(n * (k - 1)))))
    shared = csr_matrix(np.tile(found.weights[:, 1:], n))
    rules = [LinearConstraint(one_each, -INF, 1), LinearConstraint(shared, -INF, found.most)]
    solved = milp(-gains, constraints=rules, integrality=1, bounds=(0, 1), options={"mip_rel_gap": 1e-6})
    return -solved.fun


@pytest.mark.parametrize("seed", range(3))
def test_highs_finds_a_value_between_plan_and_bound(seed):
    values, allowed, keys, limits, _ = big_case(300, seed)
    limits = limits._replace(money=300.0)
    plan = allocate(BIG, values, allowed, keys, limits)
    exact = by_highs(BIG, values.astype(np.float64), allowed, limits)
    assert plan.value <= exact * (1 + 1e-5)
    assert exact <= plan.bound * (1 + 1e-6)
    assert plan.value >= 0.99 * exact


def test_the_curve_is_concave_rises_and_starts_at_what_is_free():
    values, allowed, keys, limits, stock = big_case(2_000)
    most = int(values.shape[0] * BIG.cost_of.max())
    planner = Planner(BIG, values, allowed, keys, shared_limits(BIG, limits._replace(money=float(most)), stock))
    unlimited = planner.plan()
    points = planner.curve(np.linspace(0, unlimited.cost, 12).astype(int).tolist())
    bounds, values_ = (np.array([getattr(p, name) for p in points]) for name in ("bound", "value"))
    money = np.array([p.money for p in points], dtype=float)
    slopes = np.diff(bounds) / np.diff(money)
    assert points[0].cost == points[0].value == 0
    assert (slopes >= -1e-9).all()
    assert (np.diff(slopes) <= 1e-9 * slopes[0]).all()
    assert (values_ <= bounds + 1e-9).all()
    assert (bounds[1:] - values_[1:] <= 0.01 * bounds[1:]).all()
    assert all(p.cost <= p.money for p in points)
    assert values_[-1] == pytest.approx(unlimited.value, rel=1e-3)
