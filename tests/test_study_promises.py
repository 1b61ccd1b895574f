"""The study of vendors' promises: each figure by hand, and its table, small."""

import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def study():
    return runpy.run_path(str(ROOT / "experiments" / "promises.py"))


def way(**figures):
    """Two seeds of one way of deciding."""
    usual = {"one": 1.0, "contacts": 10.0, "delivered": 8.0, "cost": 0.8, "spent": 1.0, "contribution": 5.0}
    usual |= {"orders": 1.0, "orders_of_contacted": 0.9, "buyers": 0.5, "again": 0.2, "top_kept": 0.9}
    return {name: np.array([value, value]) * [0.999, 1.001] for name, value in {**usual, **figures}.items()}


@pytest.fixture
def ways():
    return {
        "nothing": way(contacts=0.0, delivered=0.0, cost=0.0, spent=0.0, orders=0.8, buyers=0.4, again=0.15),
        "untargeted": way(cost=1.6, buyers=0.45),
        "policy": way(),
    }


def test_every_promise_by_hand(study, ways):
    rows = {row["promise"].says.split(":")[0]: row for row in study["promises"](ways)}
    conversion = rows["conversion"]
    assert conversion["worded"].mean == pytest.approx(0.5 / 0.45 - 1)
    assert conversion["meant"].mean == pytest.approx(0.5 / 0.4 - 1)
    assert conversion["reached"] is False, "11 % are not 40 %"
    reach = rows["cost per reach"]
    assert reach["worded"].mean == pytest.approx(-0.5)
    assert reach["reached"] is True
    assert reach["meant"].mean == pytest.approx(1.0 / 0.2), "money for each order that was caused"
    assert rows["repurchase"]["meant"].mean == pytest.approx(0.2 / 0.5 - 0.15 / 0.4)
    assert rows["top fifth by spend still customers"]["reached"] is True
    orders = rows["orders per 1,000 contacts"]
    assert orders["worded"].mean == pytest.approx(90.0)
    assert orders["meant"].mean == pytest.approx(20.0)
    assert orders["reached"] is None


def test_no_price_of_an_order_where_none_is_shown_to_be_caused(study, ways):
    ways["policy"] = way(orders=0.8)
    (row,) = [row for row in study["promises"](ways) if row["promise"].says.startswith("cost per reach")]
    assert np.isnan(row["meant"].mean)
    assert study["said"](row["meant"], "money") == "no order shown to be caused"


def test_an_interval_over_seeds_is_student_s_and_of_a_ratio_linearised(study):
    found = study["over_seeds"]([1.0, 2.0, 3.0])
    assert found.mean == pytest.approx(2.0)
    assert found.high - found.mean == pytest.approx(4.3027 / np.sqrt(3), abs=1e-3)
    exact = study["over_seeds"]([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (exact.low, exact.mean, exact.high) == pytest.approx((2.0, 2.0, 2.0))


@pytest.mark.slow
def test_the_section_is_written_and_contacts_are_those_asked_for(study, tmp_path, monkeypatch):
    scope = study["taught"].__globals__
    monkeypatch.setitem(scope, "PILOT", scope["PILOT"][:150])
    little = {"kind": "rollout", "players": 40, "judges": 100, "hidden": [8], "starts": 1, "turns": 0, "epochs": 1}
    monkeypatch.setitem(scope, "POLICY", little)
    page = tmp_path / "results.md"
    page.write_text("before\n<!-- promises -->\nold\n<!-- promises: end -->\nafter\n")
    words = ["--worlds", "coupon_trap", "--contacts", "5", "--seeds", "2", "--customers", "150", "--taught", "300"]
    study["main"]([*words, "-o", str(tmp_path / "runs"), "--docs", str(page)])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "**coupon_trap, 5 contacts asked**" in text
    found = study["cell"]("coupon_trap", (5.0,), 2, 150, 300, tmp_path / "runs" / "parts")[5.0]
    for ours in ("policy", "untargeted"):
        assert abs(found[ours]["contacts"].mean() - 5.0) < 1.0
    assert (found["nothing"]["contacts"] == 0.0).all()
    assert text.count("\n| ") == 1 + len(scope["PROMISES"])
