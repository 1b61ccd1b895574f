"""Statistics of tags at their edges: a month's length, the first moment of a window, what counts as a discount."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from campaignrl.profiles.store.build import build_profiles
from campaignrl.profiles.tags.tag_set import TagSet
from campaignrl.toml import check

DAY = date(2026, 3, 31)
MONTH = 30.4375  # days, a twelfth of 365.25


def value_of(phrase, rows, **keys):
    """The statistic of one customer with these events (moment, kind, other columns)."""
    tags = check(
        TagSet, {"name": "t", "tags": {"t": {"level": "value", "kind": "statistic", "of": phrase, **keys}}}, "t"
    )
    events = pd.DataFrame([{"customer_id": "a", "ts": pd.Timestamp(ts), "kind": kind, **row} for ts, kind, row in rows])
    people = pd.DataFrame({"customer_id": ["a"]})
    return build_profiles(events, people, tags, DAY).frame["t"].iloc[0]


def orders(*moments, **row):
    return [(ts, "order", {"amount": 30.0, **row}) for ts in moments]


@pytest.mark.parametrize(
    ("first", "months"), [("2025-03-31", 365 / MONTH), ("2026-01-30", 60 / MONTH), ("2026-02-28 12:00", 30.5 / MONTH)]
)
def test_a_month_is_a_twelfth_of_a_year(first, months):
    bought = orders(first, "2026-03-01")
    assert value_of("orders a month", bought) == pytest.approx(2 / months, rel=1e-6)
    assert value_of("spend a month", bought) == pytest.approx(60 / months, rel=1e-6)


@pytest.mark.parametrize("first", ["2026-03-30", "2026-03-02", "2026-03-01"])
def test_a_first_month_counts_as_a_whole_one(first):
    assert value_of("orders a month", orders(first)) == 1.0


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        ("2026-03-02 00:00:00", 1),  # 30 days: today and the 29 before, so from the 2nd of March
        ("2026-03-01 23:59:59.999999", 0),
        ("2026-03-30 23:59:59.999999", 1),
        ("2026-03-31 00:00:00", 0),  # of today nothing has happened yet
    ],
)
def test_an_event_on_the_edge_of_a_window(moment, counts):
    rows = [*orders(moment), *orders("2026-01-05")]  # an earlier one: that there are orders at all is known
    assert value_of("number of orders", rows, days=30) == counts


def test_a_window_of_one_day_is_today_which_has_not_happened():
    assert value_of("number of orders", orders("2026-03-30 12:00"), days=1) == 0
    assert value_of("number of orders", orders("2026-03-30 00:00"), days=2) == 1
    assert value_of("number of orders", orders("2026-03-29 23:59"), days=2) == 0


@pytest.mark.parametrize(
    ("row", "share"),
    [
        ({"offer": "perk", "discount": 0.0}, 1.0),  # an offer without a discount
        ({"offer": None, "discount": 5.0}, 1.0),  # a discount without an offer
        ({"offer": "c10", "discount": 5.0}, 1.0),
        ({"offer": None, "discount": 0.0}, 0.0),
        ({"offer": None, "discount": 0.01}, 1.0),
    ],
)
def test_an_order_on_discount_used_an_offer_or_cost_less(row, share):
    rows = [("2026-03-20", "order", {"amount": 30.0, **row}), ("2026-03-21", "order", {"amount": 30.0, **row})]
    rows.append(("2026-03-22", "order", {"amount": 30.0, "offer": "c10", "discount": 5.0}))  # discounts are exported
    assert value_of("share of orders on discount", rows) == pytest.approx((2 * share + 1) / 3)


@pytest.mark.parametrize("levels", [3, 8, 9, 40])
def test_the_favourite_is_the_first_by_name_of_the_most_frequent_however_many_levels_there_are(levels):
    chance = np.random.default_rng(levels)
    customer, level = (chance.integers(most, size=2_000) for most in (200, levels))
    events = pd.DataFrame({"customer_id": customer.astype(str), "ts": pd.Timestamp("2026-03-01"), "kind": "order"})
    events["category"] = pd.Series(level).map("c{:02d}".format).where(customer > 3, None)
    tag = {"level": "value", "kind": "statistic", "of": "favourite category"}
    frame = build_profiles(events, None, check(TagSet, {"name": "t", "tags": {"t": tag}}, "t"), DAY).frame
    counts = events.groupby(["customer_id", "category"]).size().sort_index()
    expected = counts.groupby("customer_id").idxmax().map(lambda found: found[1])
    assert frame.set_index("customer_id")["t"].dropna().to_dict() == expected.to_dict()
