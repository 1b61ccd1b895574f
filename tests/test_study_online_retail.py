"""The Online Retail study: nothing of the judged quarter is used, the world is a world, every miss has its reason."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from campaignrl.specs.world import load_world

PATH = Path(__file__).resolve().parents[1] / "experiments" / "online_retail.py"


def script():
    found = importlib.util.spec_from_file_location("online_retail_study", PATH)
    module = importlib.util.module_from_spec(found)
    sys.modules["online_retail_study"] = module
    found.loader.exec_module(module)
    return module


STUDY = script()


@pytest.fixture(scope="module")
def data(shared_data):
    path = shared_data / "online_retail" / "online_retail_2009_2010.parquet"
    if not path.is_file():
        pytest.skip("Online Retail II is not beside this checkout")
    return STUDY.read_invoices(path)


@pytest.fixture(scope="module")
def found(data):
    return STUDY.study(data, 0, 3, False)


def test_every_row_of_the_file_is_an_order_or_has_a_reason(data):
    assert data.left_out["repeated"] == 6865
    assert len(data.events) == 19213
    assert len(data.ids) == data.events["customer_id"].nunique() == 4312
    assert data.events["customer_id"].str.fullmatch(r"\d{5}").all()
    assert (data.events["amount"] > 0).all()
    assert len(data.profiles) == (data.purchases.first <= STUDY.LAST_SEEN).sum()


@pytest.mark.slow
def test_the_world_of_the_judged_customers_knows_nothing_of_their_last_quarter(data, found):
    """Their later orders are taken away: the world stays the same to the last digit."""
    judged = set(found.of)
    later = data.events["customer_id"].isin(judged) & (data.events["ts"] >= STUDY.SEEN + pd.Timedelta(days=1))
    keep = data.events[~later]
    days = (keep["ts"].dt.normalize() - STUDY.DAY_ZERO).dt.days
    assert later.sum() > 1000
    ids, purchases = STUDY.purchases_of(keep)
    assert (ids == data.ids).all()
    assert days.max() == STUDY.LAST
    blind = STUDY.Data(data.events, STUDY.profiles_of(keep), ids, purchases, {})  # events: only to be compared with
    baskets = STUDY.baskets_of(data._replace(events=keep, purchases=purchases), STUDY.labels_of(data, 0)[0])
    assert baskets == STUDY.baskets_of(data, STUDY.labels_of(data, 0)[0])
    assert STUDY.study(blind, 0, 1, False).tables == found.tables


@pytest.mark.slow
def test_rows_are_within_their_tolerance_or_say_why(found):
    assert len(found.card.rows) == 13
    assert all(row.why for row in found.card.missed)
    ok = {row.name for row in found.card.rows if row.ok}
    assert {"weekly autocorrelation", "told apart (AUC)"} <= ok


@pytest.mark.slow
def test_the_world_is_a_file_that_says_where_its_numbers_are_from(found, tmp_path):
    STUDY.write_world(found.tables, found.said, tmp_path / "world.toml")
    world = load_world(tmp_path / "world.toml")
    assert sum(s.share for s in world.segments.values()) == pytest.approx(1.0, abs=1e-4)
    assert world.horizon == STUDY.LAST + 1
    fitted = [place for place, said in world.provenance.items() if said.how == "fitted"]
    assert len(fitted) == 7 * len(world.segments)
    assert world.season.weekday[5] < 0.1  # closed on Saturdays
    assert world.season.first_weekday == 1  # 1 December 2009 was a Tuesday


@pytest.mark.slow
def test_the_picture_and_the_segments(found):
    rows = STUDY.by_segment(found)
    assert [name for name, _, _ in rows] == sorted(set(found.segment))
    real = found.card.real.customer_summaries.counts
    weight = np.array([(found.segment == name).mean() for name, _, _ in rows])
    assert weight @ np.array([r for _, r, _ in rows]) == pytest.approx(real.mean())
