"""Sends at their borders: the last piece of a stock, rows that may be stale, the largest budget, times of day."""

import datetime
from types import SimpleNamespace

import numpy as np
import pytest

from campaignrl.errors import DataError, UsageError
from campaignrl.guard import Limits
from campaignrl.send.facts import clock_time, morning_of, require_few_stale
from campaignrl.send.limits import _problems, _share_of_a_day
from campaignrl.send.plans.prices import Prices, read_prices
from campaignrl.specs.world import load_world

DAY = datetime.date(2026, 11, 21)


def test_an_offer_of_which_less_than_a_piece_is_left_is_sold_out(small_world):
    limits = Limits(np.full(len(small_world.channels), np.inf), np.inf, np.array([0.0, 0.5, 1.0, 2.0]))
    assert morning_of(DAY, None, limits, small_world).sold_out.tolist() == [True, True, False, False]
    assert morning_of(DAY, None, limits._replace(stock=None), small_world).sold_out is None


def test_a_time_of_day_has_no_zone():
    assert clock_time("09:30") == datetime.time(9, 30)
    assert clock_time(None) is None
    assert clock_time(datetime.time(7)) == datetime.time(7)
    for wrong in ("9", "25:00", "09:30+01:00", "", "noon"):
        with pytest.raises(UsageError, match=r"Write it as 09:30\."):
            clock_time(wrong)


@pytest.mark.parametrize(("share", "fine", "too_many"), [(None, 50, 51), (0.25, 25, 26), (0.0, 0, 1), (1.0, 100, None)])
def test_so_many_rows_may_be_stale_and_no_more(share, fine, too_many):
    world = SimpleNamespace(guard=SimpleNamespace(max_stale_share=share, max_age_days=3))
    require_few_stale(fine, 100, world, DAY)
    if too_many is not None:
        with pytest.raises(DataError, match=f"in {too_many} of 100 rows"):
            require_few_stale(too_many, 100, world, DAY)


def test_a_budget_is_from_nothing_to_what_is_exact(small_world):
    largest = 2.0**53 / small_world.money.minor_per_unit
    for fine in (None, 0.0, 0.01, 3.5, largest):
        assert _problems(small_world, fine, {}) == []
    for wrong in (-0.01, largest * 1.0001, np.inf, -np.inf, np.nan, 0.001):
        (problem,) = _problems(small_world, wrong, {})
        assert problem.field == "budget"
    assert _problems(small_world, 0.019, {})[0].fix == "Write 0.01."
    for most, wrong in ((0, False), (7, False), (2.0, False), (-1, True), (2.5, True), (-0.5, True)):
        assert bool(_problems(small_world, None, {"push": most})) is wrong


def test_a_day_s_share_of_a_stock_is_whole_pieces():
    spec = load_world("tight_budget").model_dump(exclude_unset=True)
    for offer in spec["offers"].values():
        offer["stock"] = 2 * spec["horizon"] + spec["horizon"] - 1
    world = load_world({**spec, "name": "stocked"})
    assert set(_share_of_a_day(world, 100).stock.tolist()) == {2.0}


def test_prices_without_a_share_explore_nothing_and_a_broken_file_says_why(tmp_path):
    assert Prices.from_dict({"prices": {"money": 1}}, "x") == Prices({"money": 1.0}, 0.0)
    assert Prices.from_dict({"plan_by_value": {"prices": {}, "explore": 0.5}}, "x") == Prices({}, 0.5)
    for wrong in (None, 3, [], {}, {"prices": []}, {"prices": {"money": "1"}}, {"prices": {}, "explore": True}):
        with pytest.raises(UsageError, match="prices"):
            Prices.from_dict(wrong, "x")
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(UsageError, match="JSON that can be read: Expecting"):
        read_prices(tmp_path / "p.json")
