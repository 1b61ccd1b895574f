"""Populations of real tables, judged on the half of the customers that made no part of them."""

import runpy
from pathlib import Path

import pytest

STUDY = Path(__file__).resolve().parents[1] / "experiments" / "population.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["telco_churn", "hillstrom"])
def test_drawn_customers_are_hard_to_tell_from_real_ones(name, shared_data):
    study = runpy.run_path(str(STUDY))
    table = study[name](shared_data)
    figures = study["study"](table.iloc[::2] if name == "hillstrom" else table, "gmm")
    drawn, floor = figures["drawn"], figures["floor"]
    assert floor["auc"] == pytest.approx(0.5, abs=0.04)
    assert drawn["auc"] < 0.68
    assert drawn["marginals"] < floor["marginals"] + 0.015
    assert drawn["worst_marginal"][1] < floor["worst_marginal"][1] + 0.03
    assert drawn["pairs"] < floor["pairs"] + 0.02


def test_a_mean_a_total_and_a_single_order_hang_together(shared_data):
    study = runpy.run_path(str(STUDY))
    table = study["online_retail"](shared_data)
    made = study["fit_population"](table, (table.orders > 3).to_numpy().astype(int), ("few", "many"))
    drawn = made.draw(5000, seed=0)
    assert (drawn.basket_mean - drawn.spend / drawn.orders).abs().max() < 0.0051
    assert (drawn.recency_days <= drawn.tenure_days).all()
    assert (drawn.recency_days == drawn.tenure_days)[drawn.orders == 1].all()
