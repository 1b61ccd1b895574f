"""The planner's own parts by hand: limits as weights, customers in parts, what a budget brings."""

import numpy as np
import pytest

from campaignrl import rng
from campaignrl.actions import Catalog, Channel, Offer
from campaignrl.errors import DataError
from campaignrl.guard import Limits, Planner, allocate, shared_limits
from campaignrl.guard.allocation import Allocation
from campaignrl.guard.dual_prices import bound_at

INF = np.inf
CATALOG = Catalog.product(
    [Offer(name="news"), Offer(name="gift")],
    [Channel(name="sms", cost=2), Channel(name="call", cost=7)],
    [("news", "sms"), ("gift", "sms"), ("gift", "call")],
)  # none, news@sms, gift@sms, gift@call
FREE = Limits(np.array([INF, INF]), INF)


def everybody(n):
    return np.ones((n, 4), dtype=bool), rng.customer_keys(np.arange(n))


def case(n=60, seed=3, kind=np.float64):
    g = np.random.default_rng(seed)
    values = g.normal(0.5, 2.0, (n, 4)).astype(kind)
    allowed, keys = everybody(n)
    allowed[:, 1:] = g.random((n, 3)) < 0.7
    return values, allowed, keys, Limits(np.array([n // 2, n // 10], dtype=float), 2.0 * n)


def test_limits_are_whole_weights_and_those_from_below_have_the_other_sign():
    limits = Limits(np.array([2.9, INF]), 10.5)
    found = shared_limits(
        CATALOG, limits, np.array([INF, 3.0]), {"offer": np.array([0.0, 3.2]), "channel": np.array([1, 0])}
    )
    assert found.names == ("money", "sms", "stock of gift", "at least of gift", "at least of sms")
    assert found.weights.tolist() == [[0, 2, 2, 7], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, -1, -1], [0, -1, -1, 0]]
    assert found.most.tolist() == [10, 2, 3, -4, -1]
    assert shared_limits(CATALOG, FREE).names == ()
    assert shared_limits(CATALOG, FREE).weights.shape == (0, 4)
    assert shared_limits(CATALOG, Limits(np.array([-1.0, -0.5]), -3.0)).most.tolist() == [0, 0, 0]


def test_what_does_not_fit_once_is_no_part_of_the_bound():
    """A call for 7 where there is money for 6: the linear bound alone would count six sevenths of it."""
    may, keys = everybody(1)
    values = np.array([[0.0, 1.0, 0.5, 70.0]])
    plan = allocate(CATALOG, values, may, keys, Limits(np.array([INF, INF]), 6.0))
    assert (plan.action.tolist(), plan.value, plan.cost) == ([1], 1.0, 2)
    assert plan.bound == pytest.approx(1.0)
    assert allocate(CATALOG, values, may, keys, Limits(np.array([INF, INF]), 7.0)).action.tolist() == [3]
    assert allocate(CATALOG, values, may, keys, Limits(np.array([INF, 0.0]), 7.0)).action.tolist() == [1]
    closed = Planner(CATALOG, values, may, keys, shared_limits(CATALOG, Limits(np.array([INF, 0.0]), 7.0)))
    assert closed._gains.tolist() == [[0.0, 1.0, 0.5, -INF]]


def test_a_gap_is_never_below_nothing_and_a_share_of_the_bound():
    def of(value, bound):
        plan = Allocation(np.zeros(0, dtype=np.int64), value, bound, 0, {}, {})
        return plan.gap, plan.relative_gap

    assert of(3.0, 4.0) == (1.0, 0.25)
    assert of(4.0 + 1e-12, 4.0) == (0.0, 0.0)
    assert of(0.0, 0.0) == (0.0, 0.0)
    assert of(-0.5, 0.5) == (1.0, 2.0)


# ---- customers in parts


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(60,), (59, 1), (20, 20, 20), (1, 58, 1), (0, 60), (60, 0)])
def test_customers_who_come_in_parts_get_the_plan_of_all_at_once(sizes, kind):
    values, allowed, keys, limits = case(kind=kind)
    shared = shared_limits(CATALOG, limits)
    ends = np.cumsum(sizes)
    parts = [(values[end - size : end], allowed[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    whole, found = Planner(CATALOG, values, allowed, keys, shared), Planner.of_parts(CATALOG, parts, keys, shared)
    assert found._gains.dtype == kind
    assert np.array_equal(found._gains, whole._gains)
    one, other = whole.plan(), found.plan()
    assert one.action.tolist() == other.action.tolist()
    assert (one.value, one.bound, one.cost, one.prices) == (other.value, other.bound, other.cost, other.prices)


def test_a_single_whole_part_is_held_once(monkeypatch):
    """It may have gigabytes: it is taken as it is, not copied."""
    values, allowed, keys, limits = case()
    rows = []
    empty = np.empty

    def counted(shape, *how, **more):
        rows.append(shape[0] if isinstance(shape, tuple) else shape)
        return empty(shape, *how, **more)

    monkeypatch.setattr(np, "empty", counted)
    Planner.of_parts(CATALOG, [(values, allowed)], keys, shared_limits(CATALOG, limits))
    assert rows.count(60) == 1  # the gains themselves


@pytest.mark.parametrize("sizes", [(30, 29), (59,), (0,), ()])
def test_too_few_customers_in_parts_are_refused(sizes):
    values, allowed, keys, limits = case()
    parts = [(values[:size], allowed[:size]) for size in sizes]
    with pytest.raises(DataError, match=f"customers = {sum(sizes)} is not as many as keys, 60"):
        Planner.of_parts(CATALOG, parts, keys, shared_limits(CATALOG, limits))


def test_too_many_customers_in_parts_are_refused():
    values, allowed, keys, limits = case()
    with pytest.raises(DataError, match="shape of values"):
        Planner.of_parts(CATALOG, [(values, allowed), (values, allowed)], keys, shared_limits(CATALOG, limits))


def test_nobody_in_parts_is_a_plan_for_nobody():
    nobody = np.zeros(0, dtype=np.uint64)
    plan = Planner.of_parts(CATALOG, [], nobody, shared_limits(CATALOG, case()[3])).plan()
    assert (len(plan.action), plan.value, plan.cost) == (0, 0.0, 0)


def test_arrays_that_do_not_fit_are_all_named():
    values, allowed, keys, limits = case()
    with pytest.raises(DataError) as wrong:
        allocate(CATALOG, values[:, :3], allowed[:7], keys, limits)
    assert [problem.field for problem in wrong.value.problems] == ["shape of values", "shape of allowed"]
    values[3:5, 1] = [INF, -INF]
    values[4, 2] = INF
    with pytest.raises(DataError, match="infinite in 2 rows"):
        allocate(CATALOG, values, allowed, keys, limits)


# ---- several budgets


def test_each_point_of_a_curve_is_the_plan_of_its_budget_under_the_lowest_bound_of_all_answers():
    values, allowed, keys, limits = case(200)
    shared = shared_limits(CATALOG, limits)
    planner, budgets = Planner(CATALOG, values, allowed, keys, shared), [0, 50, 133, 300]
    points = planner.curve(budgets)
    assert shared.most[0] == 400  # the limit's own, which a curve leaves as it is
    for budget, point in zip(budgets, points, strict=True):
        plan = planner.plan(budget)
        assert (point.money, point.cost, point.value) == (budget, plan.cost, plan.value)
        assert point.sends == sum(action != 0 for action in plan.action.tolist())
        assert plan.cost <= budget
        most = shared.most.copy()
        most[0] = budget
        assert point.bound == pytest.approx(min(bound_at(taken, most) for taken in planner._demand.found), rel=1e-6)
        assert plan.value <= point.bound <= plan.bound * (1 + 1e-12)
    own = planner.plan()
    assert own.cost <= 400
    assert own.value >= points[-1].value


def test_a_point_that_misses_what_there_shall_be_has_the_bound_of_plans_that_miss_as_much():
    """Three gifts shall be sent at 2 each; with money for one, two are missed, and the bound is that of one gift."""
    may, keys = everybody(4)
    values = np.tile([0.0, 5.0, 1.0, -9.0], (4, 1))
    shared = shared_limits(CATALOG, Limits(np.array([INF, INF]), 8.0), None, {"offer": np.array([0, 3])})
    planner = Planner(CATALOG, values, may, keys, shared)
    short, enough = planner.plan(2), planner.plan(8)
    assert (short.missing, enough.missing) == ({"at least of gift": 2}, {})
    assert (short.value, enough.value) == (1.0, 8.0)
    points = planner.curve([2, 8])
    assert points[0].bound == short.bound
    assert points[0].bound >= 1.0
    assert points[1].bound == pytest.approx(8.0)
