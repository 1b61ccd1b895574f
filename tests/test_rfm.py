"""Order histories from events: by hand, from every kind of source, and never from the future."""

from __future__ import annotations

import datetime

import duckdb
import numpy as np
import pandas as pd
import pytest

from campaignrl.calibration.purchase.rfm import summarise
from campaignrl.errors import DataError, UsageError


def events(*rows):
    """customer, time, kind, amount, value."""
    frame = pd.DataFrame(rows, columns=["customer_id", "ts", "kind", "amount", "value"])
    return frame.assign(
        ts=pd.to_datetime(frame["ts"]), amount=frame["amount"].astype(float), value=frame["value"].astype(float)
    )


SHOP = events(
    ("007", "2026-01-01 09:00", "order", 10.0, None),
    ("007", "2026-01-01 21:00", "order", 5.0, None),  # the same day: one order of 15
    ("007", "2026-01-08 00:00", "order", 20.0, None),
    ("007", "2026-01-15 23:59", "order", 40.0, None),
    ("007", "2026-02-20 00:00", "order", 99.0, None),  # after as_of
    ("1e5", "2026-01-10 12:00", "order", 7.0, None),
    ("1e5", "2026-01-11 12:00", "refund", 7.0, None),
    ("late", "2026-02-20 12:00", "order", 7.0, None),
    ("looks", "2026-01-03 12:00", "visit", None, 3.0),
)


def test_by_hand_in_weeks():
    table = summarise(SHOP, "2026-01-22").set_index("customer_id")
    assert table.index.tolist() == ["007", "1e5"]
    first = table.loc["007"]
    assert (first.x, first.t_x, first["T"], first.orders) == (2, 2.0, 3.0, 3)
    assert (first.mean_amount, first.spend) == (30.0, 75.0)
    once = table.loc["1e5"]
    assert (once.x, once.t_x, once.spend) == (0, 0.0, 7.0)
    assert once["T"] == pytest.approx(12 / 7)
    assert np.isnan(once.mean_amount)


def test_every_order_counts_if_asked():
    table = summarise(SHOP, "2026-01-22 00:00:00", unit_days=1.0, merge_same_day=False).set_index("customer_id")
    first = table.loc["007"]
    assert (first.x, first.orders) == (3, 4)
    assert first.t_x == pytest.approx(14 + (23 + 59 / 60 - 9) / 24)
    assert first["T"] == pytest.approx(21 - 9 / 24)
    assert first.mean_amount == pytest.approx(65 / 3)


def test_a_plain_date_is_its_whole_day():
    for as_of in ("2026-01-15", datetime.date(2026, 1, 15), "2026-01-15 23:59:30"):
        assert summarise(SHOP, as_of).set_index("customer_id").loc["007", "x"] == 2
    assert summarise(SHOP, pd.Timestamp("2026-01-15")).set_index("customer_id").loc["007", "x"] == 1


def test_an_opening_counts_as_the_orders_it_stands_for():
    told = events(
        ("a", "2026-01-01 00:00", "opening", None, None),
        ("a", "2026-01-15 00:00", "opening", 60.0, 3.0),
        ("a", "2026-01-22 00:00", "order", 20.0, None),
        ("b", "2026-01-08 00:00", "opening", 10.0, 1.0),
    )
    table = summarise(told, "2026-01-29").set_index("customer_id")
    assert table.loc["a", ["x", "t_x", "T", "spend"]].tolist() == [3, 3.0, 4.0, 80.0]
    assert table.loc["a", "mean_amount"] == 20.0  # of all orders: the first is known in sum only
    assert table.loc["b", ["x", "t_x", "T"]].tolist() == [0, 0.0, 3.0]


def test_any_source_gives_the_same(tmp_path):
    path = tmp_path / "events.parquet"
    SHOP.to_parquet(path, index=False)
    connection = duckdb.connect()
    tables = [summarise(source, "2026-01-22") for source in (SHOP, path, str(path), connection.from_df(SHOP))]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other, check_dtype=False)


def test_wrong_words_are_refused(tmp_path):
    with pytest.raises(DataError, match="amount"):
        summarise(SHOP.drop(columns="amount"), "2026-01-22")
    with pytest.raises(DataError, match="exists"):
        summarise(tmp_path / "none.parquet", "2026-01-22")
    with pytest.raises(UsageError, match="as_of"):
        summarise(SHOP, "yesterday")
    with pytest.raises(UsageError, match="without a zone"):
        summarise(SHOP, pd.Timestamp("2026-01-22", tz="Asia/Tokyo"))
    with pytest.raises(UsageError, match="unit_days"):
        summarise(SHOP, "2026-01-22", unit_days=0.0)
