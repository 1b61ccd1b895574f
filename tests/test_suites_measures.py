"""Measures: by hand, as the report's figures of the same campaigns, and what must hold between parts and the whole."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from campaignrl.campaign import run_campaign
from campaignrl.report.facts.kpi import kpis
from campaignrl.specs.world import load_world
from campaignrl.suites.measure import evaluation_ids, figures
from campaignrl.suites.measure_definitions import GATED, MEASURES, measured, measured_sends, measures_table
from campaignrl.suites.plan import Run
from campaignrl.suites.run import benchmark
from campaignrl.suites.suite import Gate, PolicyUse, Suite


@pytest.fixture(scope="module")
def campaigns():
    world = load_world("ecommerce", horizon=30)
    return {policy: run_campaign(world, policy, customers=evaluation_ids(600), seed=3) for policy in ("none", "rules")}


@pytest.fixture(scope="module")
def quantities(campaigns):
    return {name: figures(one, Run("ecommerce", name, 3)) for name, one in campaigns.items()}


def test_measures_by_hand():
    """Two sends and one click for 0.4, one order of 10 with margin 4 and 1 off, where the twin brought margin 1."""
    twin = {"reward": 1.0, "margin": 1.0, "bought": 0.5, "satisfaction": 0.0}
    own = {"reward": 2.6, "margin": 4.0, "revenue": 10.0, "discount": 1.0, "cost": 0.4, "sent": 2.0, "delivered": 1.6}
    own |= {"clicked": 0.4, "unsubscribed": 0.02, "bought": 1.0, "buyers": 0.8, "new_buyers": 0.1, "repeat_buyers": 0.2}
    own |= {"year_after": 5.0}
    own |= {"marketing_new": 0.3, "active_start": 0.5, "active_end": 0.4, "top_start": 0.2, "top_end": 0.2}
    found = measured({**own, "days": 14.0, "budget": 0.8, "best": 3.0, "ceiling": 3.2}, twin)
    by_hand = {
        "contribution": 2.6,
        "gain": 1.6,
        "extra_margin": 3.0,
        "clv": 7.6,
        "marketing": 1.4,
        "roi": (3.0 - 1.4) / 1.4,
        "conversion": 0.8,
        "ctr": 0.25,
        "cost_per_reach": 0.25,
        "cac": 3.0,
        "repurchase": 0.25,
        "retention": 0.8,
        "retention_top": 1.0,
        "satisfaction": None,  # this campaign's is not known
        "unsubscribes": 10.0,
        "opt_outs": 2.0,
        "contact_pressure": 2.0,
        "discount_depth": 0.1,
        "orders_per_100_sends": 50.0,
        "extra_orders_per_100_sends": 25.0,
        "budget_use": 0.5,
        "regret": 0.4,
        "ceiling_share": 0.5,
    }
    assert {name: found[name] for name in by_hand} == pytest.approx(by_hand)
    assert set(MEASURES) - set(by_hand) == {"revenue", "discount", "cost", "sends", "orders"}


def test_each_measure_is_the_figure_of_the_report(campaigns, quantities):
    found = measured(quantities["rules"].quantities, quantities["none"].quantities)
    shown = {kpi.id: kpi.value.value for kpi in kpis(campaigns["rules"], campaigns["none"])}
    shared = found.keys() & shown.keys()
    assert len(shared) >= 12
    assert {name: found[name] for name in shared} == pytest.approx({name: shown[name] for name in shared})


def test_segments_add_up_to_all_customers(campaigns, quantities):
    own, segment = quantities["rules"], campaigns["rules"].segment
    shares = {name: (segment == code).mean() for code, name in enumerate(campaigns["rules"].world.segments)}
    for name in ("reward", "sent", "bought", "active_end", "cost"):
        whole = sum(shares[part] * of[name] for part, of in own.segments.items())
        assert whole == pytest.approx(own.quantities[name])


def test_satisfaction_falls_with_sends_that_do_not_please(campaigns, quantities):
    none, rules = (quantities[name].quantities["satisfaction"] for name in ("none", "rules"))
    assert math.isfinite(none)
    assert none != rules


def test_a_world_without_satisfaction_has_none():
    campaign = run_campaign(load_world("coupon_trap", horizon=5), "uniform", customers=evaluation_ids(20))
    own = figures(campaign, Run("coupon_trap", "uniform", 0)).quantities
    assert measured(own, own)["satisfaction"] is None


@pytest.fixture(scope="module")
def results():
    uses = [PolicyUse(use="uniform"), PolicyUse(use="rules", spread=0.02)]
    gate = Gate(margins={"opt_outs": 0.1})
    suite = Suite(
        worlds=["ecommerce"], policy=uses, seeds=2, customers=200, horizon=10, compare=gate, ceilings={"ecommerce": 4.0}
    )
    return benchmark(suite)


def test_channels_and_offers_share_the_sends_and_their_price(results):
    for row in results.rows:
        for parts in (row.channels, row.offers):
            for what in ("sends", "cost"):
                assert sum(part[what] for part in parts.values()) == pytest.approx(row.measures[what])


def test_measures_of_sends_by_hand():
    """Four sends of a channel for 0.8, three delivered, one click."""
    found = measured_sends({"sent": 4.0, "cost": 0.8, "delivered": 3.0, "clicked": 1.0, "unsubscribed": 0.002})
    by_hand = {"sends": 4.0, "cost": 0.8, "ctr": 1 / 3, "cost_per_reach": 0.8 / 3, "unsubscribes": 0.5}
    assert found == pytest.approx(by_hand)
    none = dict.fromkeys(("sent", "cost", "delivered", "clicked", "unsubscribed"), 0.0)
    assert measured_sends(none) == {
        "sends": 0.0,
        "cost": 0.0,
        "ctr": None,
        "cost_per_reach": None,
        "unsubscribes": None,
    }


def test_clicks_and_opt_outs_of_channels_and_offers_add_up_to_those_of_all(results):
    for row in results.rows:
        delivered = row.measures["cost"] / row.measures["cost_per_reach"] if row.measures["cost_per_reach"] else 0.0
        for parts in (row.channels, row.offers):
            reached = {name: of["cost"] / of["cost_per_reach"] for name, of in parts.items() if of["cost_per_reach"]}
            clicks = sum(reached[name] * parts[name]["ctr"] for name in reached)
            free = [name for name, of in parts.items() if of["sends"] and not of["cost_per_reach"]]
            if not free and delivered:
                assert sum(reached.values()) == pytest.approx(delivered)
                assert clicks == pytest.approx(row.measures["ctr"] * delivered)
            lost = sum(of["sends"] * (of["unsubscribes"] or 0.0) / 1000.0 for of in parts.values())
            assert 100.0 * lost == pytest.approx(row.measures["opt_outs"])


def test_weeks_and_profiles_add_up_to_the_campaign(results, campaigns):
    for row in results.rows:
        assert sum(row.weeks["sends"]) == pytest.approx(row.measures["sends"])
        assert sum(row.weeks["contribution"]) == pytest.approx(row.measures["contribution"])
        assert len(row.weeks["sends"]) == 2  # of ten days
        for name, of in row.profile.items():
            assert sum(of.values()) == pytest.approx(row.segments[name]["sends"])


def test_the_year_after_is_what_a_year_of_nothing_brings():
    """The closed form against a campaign that simply goes on for a year, in a world without seasons."""
    ids = evaluation_ids(8_000)
    short, long = (
        run_campaign(load_world("coupon_trap", horizon=days), "none", customers=ids, seed=4) for days in (10, 375)
    )
    later = long.totals["margin"] - short.totals["margin"]
    error = later.std() / len(later) ** 0.5
    assert short.year_after.mean() == pytest.approx(later.mean(), abs=4 * error)
    assert error < 0.04 * later.mean()
    assert (short.year_after[~short.active["end"]] == 0.0).all()


def test_the_docs_table_is_that_of_the_code():
    page = (Path(__file__).parents[1] / "docs" / "gate.md").read_text(encoding="utf-8")
    assert measures_table() in page, "docs/gate.md: paste what measures_table() gives"


def test_a_policy_may_differ_by_world_and_by_what_it_is_taught_on():
    uses = [
        PolicyUse(use="rules", by_world={"bank": "rules_bank"}),
        PolicyUse(use="lin_ts", label="few", customers=200),
        PolicyUse(use="lin_ts", label="many"),
    ]
    suite = Suite(worlds=["ecommerce", "bank"], policy=uses)
    assert [suite.reference(world, "rules") for world in ("ecommerce", "bank")] == ["rules", "rules_bank"]
    assert suite.reference("bank", "none") == "none"
    assert suite.curves == {"lin_ts": {"few": 200, "many": 5_000}}
    with pytest.raises(ValueError, match="by_world"):
        Suite(worlds=["bank"], policy=[PolicyUse(use="rules", by_world={"bnak": "rules"})])


def test_regret_is_to_the_suite_s_best_policy_and_never_below_nothing_on_average(results):
    means = {name: np.mean(list(results.values("ecommerce", name).values())) for name in results.suite.policies}
    best = max(means, key=means.get)
    assert set(results.values("ecommerce", best, "regret").values()) == {0.0}
    for name, mean in means.items():
        regret = np.mean(list(results.values("ecommerce", name, "regret").values()))
        assert regret == pytest.approx(means[best] - mean)
        assert regret >= 0.0
    row = results.rows[-1]
    assert row.measures["ceiling_share"] == pytest.approx(row.measures["gain"] / 4.0)


def test_a_results_file_says_what_its_measures_are(results):
    content = json.loads(results.to_json())
    assert content["measures"].keys() == MEASURES.keys() == content["rows"][0]["measures"].keys()
    assert content["measures"]["roi"]["formula"] == "(extra margin - marketing) / marketing"
    assert all(len(facts["formula"]) > 5 for facts in content["measures"].values())


def test_the_first_line_says_what_can_be_detected(results):
    # Margin 1 % + (t(1 - 0.05 / 2 / 4, 1) + t(0.9, 1)) x 2 % / sqrt(2): two policies, two measures that gate.
    first = str(results).splitlines()[0]
    assert results.detectable == {
        "uniform": None,
        "rules": pytest.approx(0.01 + (50.92 + 3.078) * 0.02 / 2**0.5, abs=1e-4),
    }
    assert "rules 77.4%; not known for uniform (no `spread`)" in first


def test_a_measure_that_cannot_gate_is_told():
    for name in ("sends", "opt_uots"):
        with pytest.raises(ValueError, match="margins"):
            Suite(worlds=["bank"], policy=[PolicyUse(use="rules")], compare=Gate(margins={name: 0.1}))
    with pytest.raises(ValueError, match="ceilings"):
        Suite(worlds=["bank"], policy=[PolicyUse(use="rules")], ceilings={"bnak": 1.0})
    assert {"contribution", "opt_outs"} < GATED.keys()
