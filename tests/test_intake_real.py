"""The real data sets come in by their mappings, and give the figures that are published of them."""

import datetime as dt
from pathlib import Path

import pytest

from campaignrl.profiles.intake.intake import intake

MAPPINGS = Path(__file__).resolve().parents[1] / "experiments" / "mappings"


@pytest.fixture
def take(shared_data, tmp_path):
    def read(name):
        folder = shared_data / name
        if not folder.is_dir():
            pytest.skip(f"{name} is not beside this checkout")
        result = intake(MAPPINGS / f"{name}.toml", folder, tmp_path / name, dt.datetime(2026, 1, 1))
        assert all(c.lost == 0 for c in result.counts.values())
        return result

    return read


def test_cdnow(take):
    events = take("cdnow").events
    assert (len(events), events["customer_id"].nunique(), int(events["value"].sum())) == (6919, 2357, 16479)
    assert events["amount"].sum() == pytest.approx(244_091.94, abs=0.005)
    assert "0001" in set(events["customer_id"])


def test_online_retail(take):
    result = take("online_retail")
    counts = result.counts["invoices"]
    assert (counts.rows, counts.rejected) == (525_461, 107_927)  # rows without a customer, as published
    orders = result.events[result.events["kind"] == "order"]
    per_customer = orders.groupby("customer_id").size()
    assert per_customer.mean() == pytest.approx(4.45, abs=0.005)
    assert per_customer.median() == 2
    assert (per_customer > 1).mean() == pytest.approx(0.671, abs=0.0005)
    assert orders["amount"].median() == pytest.approx(303.5, rel=0.01)  # ours is without repeated rows


@pytest.mark.slow
def test_starbucks(take):
    result = take("starbucks")
    kinds = result.events["kind"].value_counts().to_dict()
    assert kinds == {"order": 98_577, "sent": 53_795, "opened": 40_853, "redeemed": 23_663}
    assert result.events.loc[result.events["kind"] != "order", "channel"].notna().all()
    assert len(result.attributes) == 12_000
    spend = result.events.loc[result.events["kind"] == "order", "amount"].sum() / 12_000
    assert spend == pytest.approx(104.70, abs=0.005)


def test_complete_journey(take):
    result = take("completejourney")
    orders = result.events[result.events["kind"] == "order"]
    assert (len(orders), orders["customer_id"].nunique()) == (155_848, 2469)
    assert orders["amount"].mean() == pytest.approx(29.49, abs=0.005)
    assert orders["amount"].median() == pytest.approx(17.50, abs=0.005)
    assert len(result.attributes) == 801


def test_telco_churn(take):
    customers = take("telco_churn").attributes
    assert len(customers) == 7043
    assert int(customers["churned"].sum()) == 1869
    assert int(customers["total_charges"].isna().sum()) == 11
