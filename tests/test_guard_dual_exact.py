"""Parts of the plan by value that a whole plan would forgive: each by hand."""

import numpy as np
import pytest

from campaignrl.guard import dual_prices
from campaignrl.guard.dual_prices import INFLATION, Demand, Lowest, Taken, _lowest_of_cuts, _tightest, bound_at
from campaignrl.guard.integral_plan import _needed


def demand_of(*gains, weights=((0, 1),)):
    return Demand(np.array(gains, dtype=np.float64), np.array(weights, dtype=np.int64))


def taken_at(price, surplus, *counts):
    return Taken(np.array([price]), surplus, np.array(counts))


def test_a_bound_is_rounded_up_by_surplus_and_worth_of_the_limits():
    bound = bound_at(taken_at(2.0, 3.0, 0, 0), np.array([5]))
    assert bound == 13.0 + INFLATION * 13.0
    assert bound > 13.0


@pytest.mark.parametrize(("gains", "largest"), [([0.0, -5.0], 5.0), ([0.0, 0.5], 0.5), ([0.0, -np.inf], None)])
def test_the_size_of_gains_counts_losses_and_no_barred_action(gains, largest):
    found = demand_of(gains).largest
    assert found == largest if largest else 0.0 < found < 1e-6


def test_the_tightest_cut_is_the_one_that_promises_most_surplus_at_these_prices():
    demand = demand_of([0.0, 4.0])
    low, high = taken_at(0.0, 4.0, 0, 1), taken_at(8.0, 1.0, 1, 0)
    demand.found += [high, low]
    # At price 2 the answer at 0 says 4 - 2 = 2, that at 8 says 1; at price 3.5 it is .5 and 1.
    assert _tightest(demand, np.array([2.0])) == [low, high]
    assert _tightest(demand, np.array([3.5])) == [high, low]
    steep = taken_at(6.0, 0.5, 1, 1)  # 0.5 + 4 at price 2
    demand.found.append(steep)
    assert _tightest(demand, np.array([2.0])) == [steep, low, high]


def test_no_price_is_looked_for_above_the_highest():
    demand, cut = demand_of([0.0, 4.0]), taken_at(0.0, 4.0, 0, 1)
    found = _lowest_of_cuts(demand, [cut], np.zeros(1), np.array([0.9]), np.array([0.5]), np.array([8.0]))
    assert found.point == pytest.approx([1.0])
    assert not found.at_edge.any()


def test_a_price_of_nothing_is_no_edge_that_holds_a_search_back():
    demand, cut = demand_of([0.0, 4.0]), taken_at(0.0, 4.0, 0, 1)
    found = _lowest_of_cuts(demand, [cut], np.array([9]), np.array([0.1]), np.array([0.5]), np.array([8.0]))
    assert found.point == pytest.approx([0.0])
    assert not found.at_edge.any()


def test_only_those_who_ask_for_what_must_be_sent_are_served_first():
    demand = demand_of([0.0, 1.0, 9.0], [0.0, 1.0, 9.0], [0.0, 1.0, 9.0], weights=((0, -1, 0),))
    asked, margin, keys = np.array([2, 1, 0]), np.array([8.0, 0.5, 7.0]), np.arange(3, dtype=np.uint64)
    assert _needed(demand, asked, margin, np.array([-1]), keys).tolist() == [False, True, False]


@pytest.mark.parametrize("many", [1, 7, 5_000])
def test_what_customers_keep_is_summed_in_whole_numbers_that_hold_it_whatever_the_prices(many):
    """At prices of two limits from below, 3 units each, an action that gains 1 leaves 13 at a price of 2."""
    demand = demand_of(*[[0.0, 1.0]] * many, weights=((0, -3), (0, -3)))
    for price, kept in ((2.0, 13.0), (200.0, 1_201.0), (2e9, 12e9 + 1)):
        found = demand.at(np.array([price, price]))
        assert found.surplus == pytest.approx(kept * many, rel=1e-12)
        assert found.surplus >= kept * many
        assert found.counts.tolist() == [0, many]


def test_what_customers_keep_is_rounded_up_to_the_last_of_61_bits():
    """Beside a loss of 1 a gain of 2 ** -62 is half a unit of 2 ** -61, and of three customers the unit is 2 ** -59."""
    tiny = [0.0, -1.0, 2.0**-62]
    for many, unit in ((1, 2.0**-61), (2, 2.0**-60), (3, 2.0**-59), (4, 2.0**-59), (5, 2.0**-58)):
        assert demand_of(*[tiny] * many, weights=((0, 1, 1),)).at(np.zeros(1)).surplus == many * unit


@pytest.mark.parametrize(
    ("many", "asked"), [(16, [16]), (64, [64]), (65, [16, 65]), (1_024, [16, 1_024]), (1_025, [16, 256, 1_025])]
)
def test_few_are_asked_first_where_there_are_more_than_four_times_as_many(many, asked, monkeypatch):
    sizes, limits, search = [], [], dual_prices._search
    monkeypatch.setattr(dual_prices, "FIRST_ROWS", 16)
    monkeypatch.setattr(dual_prices, "_search", lambda *given: (limits.append(given[1].tolist()), search(*given))[1])
    monkeypatch.setattr(
        dual_prices, "Demand", lambda gains, weights: (sizes.append(len(gains)), Demand(gains, weights))[1]
    )
    gains = np.random.default_rng(0).random((many, 2)) * [0.0, 1.0]
    keys = np.random.default_rng(1).permutation(many).astype(np.uint64)
    dual_prices.lowest_bound(gains, np.array([[0, 1]]), np.array([many // 3]), keys)
    assert sizes == asked
    assert limits == [[pytest.approx(many // 3 * size / many)] for size in asked]  # their share of what there is


def test_a_search_that_its_box_holds_back_in_one_price_alone_goes_on():
    """One of three may be sent something worth 1, 2, 3; the second limit is slack, so its price stays at nothing."""
    demand = demand_of([0.0, 1.0], [0.0, 2.0], [0.0, 3.0], weights=((0, 1), (0, 1)))
    found = dual_prices._search(demand, np.array([1, 3]), np.zeros(2), 1e-3, 2e-2)  # a first look promises less
    assert found.bound == pytest.approx(3.0)
    assert 2.0 <= found.prices[0] <= 3.0
    assert found.prices[1] == 0.0


def test_where_no_cut_is_shared_the_best_answer_stands_for_all(monkeypatch):
    def nothing(demand, cuts, *_):
        return Lowest(np.zeros(1), np.inf, np.zeros(len(cuts)), np.zeros(1, dtype=bool))

    monkeypatch.setattr(dual_prices, "_lowest_of_cuts", nothing)
    demand = demand_of([0.0, 4.0], [0.0, 2.0])
    found = dual_prices._search(demand, np.array([1]), np.zeros(1), 0.1, 1e-8)
    assert found.mixed == [demand.found[0]]
    assert found.shares.tolist() == [1.0]


def test_a_search_begins_with_so_many_of_the_tightest_cuts_and_no_more(monkeypatch):
    demand = demand_of([0.0, 4.0])
    demand.found += [taken_at(float(price), 4.0 - price, 0, 1) for price in range(4)]
    assert _tightest(demand, np.zeros(1)) == demand.found  # all say the same here, and keep their order
    monkeypatch.setattr(dual_prices, "CUTS", 2)
    assert _tightest(demand, np.zeros(1)) == demand.found[:2]


@pytest.mark.parametrize(("start", "bound"), [(0.0, 6.0), (5.5, 5.5)])
def test_a_search_goes_on_from_below_and_from_above_where_its_box_holds_it_back(start, bound):
    demand = demand_of([0.0, 1.0], [0.0, 2.0], [0.0, 3.0])
    most, begin = np.array([1]), np.array([start])
    assert bound_at(demand.at(begin), most) == pytest.approx(bound)
    assert dual_prices._search(demand, most, begin, 1e-3, 2e-2).bound == pytest.approx(3.0, rel=0.02)


def test_a_step_that_keeps_its_promise_looks_farther_the_next_time(monkeypatch):
    """From 0 to 2 of at most 6 by looks that begin at a thousandth of it: nine doublings, not hundreds of steps."""
    monkeypatch.setattr(dual_prices, "BOLD", 1.0)
    demand = demand_of([0.0, 1.0], [0.0, 2.0], [0.0, 3.0])
    found = dual_prices._search(demand, np.array([1]), np.zeros(1), 1e-3, 1e-8)
    assert found.bound == pytest.approx(3.0)
    assert len(demand.found) < 20
