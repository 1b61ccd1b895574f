"""The report of a training: its figures against what the policy itself says, its page and picture whole."""

import json
import math

import numpy as np
import pytest

from campaignrl.errors import UsageError
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.deep.run_options import CurvePoint
from campaignrl.policies.loading import build_policy
from campaignrl.report.facts.training import training_facts
from campaignrl.report.figures.training import columns_of, strongest_of
from campaignrl.report.pages.training import page, training_report


@pytest.fixture(scope="module")
def log(shop):
    return shop.log(6000)


@pytest.fixture(scope="module")
def learned(shop, log):
    policy = build_policy({"kind": "lin_ts", "l2": 1.0}, shop.catalog, shop.schema)
    policy.update(log)
    return policy


@pytest.fixture(scope="module")
def facts(learned, log):
    return training_facts(learned, log)


def test_shares_are_the_mean_chances_of_the_policy(facts, learned, log):
    p = learned.probabilities(log.context, log.eligible)
    segment = log.context.columns["segment"]
    assert facts.parts == ("loyal", "price_sensitive", "leisure", "(missing)")
    expected = [p[segment == code].mean(axis=0) for code in (0, 1, 2, -1)]
    np.testing.assert_allclose(facts.shares, expected)
    np.testing.assert_allclose([a.share for a in facts.actions], p.mean(axis=0))


def test_features_of_a_linear_model_are_its_coefficients(facts, learned, log):
    """Effects on the lead over `none`, per standard deviation; levels of a category add to one but for the missing."""
    beta = learned.tensors()["coefficients"][1:]
    spread = log.context.encode(log.context.schema).std(axis=0)
    expected = (beta - beta[:, :1]).T * spread
    np.testing.assert_allclose(facts.effects, expected, atol=0.01)
    assert facts.actions[6].strongest[0][0] == "segment=price_sensitive"
    assert facts.actions[6].strongest[0][1] > 0.1


def test_the_curve_rises_to_what_can_be_had(facts):
    rows, value = [point.rows for point in facts.curve], [point.value for point in facts.curve]
    assert len(rows) == 5
    assert rows == sorted(rows)
    assert facts.curve[-1].low > facts.logged  # it beats the uniform log
    assert value[-1] > value[0] - 0.02
    assert next(d.value for d in facts.diagnostics if d.name == "explained") > 0.1


def test_diagnostics_of_a_uniform_policy_by_hand(shop, log):
    facts = training_facts(build_policy("uniform", shop.catalog, shop.schema), log)
    found = {d.name: d.value for d in facts.diagnostics}
    count = log.eligible.sum(axis=1)
    assert found["choices"] == pytest.approx(count.mean())
    assert found["likeliest"] == pytest.approx((1 / count).mean())
    assert found["least_chance"] == pytest.approx((1 / count)[count > 1].mean())
    assert found["sends"] == pytest.approx((1 - 1 / count).mean())
    assert facts.curve == ()
    assert math.isnan(facts.actions[1].lead)


def test_page_and_picture_are_written_whole(learned, log, tmp_path):
    found = training_report(learned, log, tmp_path / "t.html")
    text = (tmp_path / "t.html").read_text()
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.html", "t.png"]
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert all(name in text for name in ("coupon20@sms", "least_chance", "segment=price_sensitive"))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_same_facts_same_page(learned, log):
    assert page(training_facts(learned, log)) == page(training_facts(learned, log))


def test_names_from_data_are_escaped(shop, log, learned):
    learned.name, kept = "<b>&", learned.name
    try:
        text = page(training_facts(learned, log))
    finally:
        learned.name = kept
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_of_a_world_it_looks_at_fresh_customers(small_world, tmp_path):
    policy = build_policy("gaussian_ts", small_world.catalog, small_world.features)
    found = training_report(policy, small_world, tmp_path / "w.html", customers=60)
    assert found["source"].startswith(f"world {small_world.name}, 60 fresh")
    assert len(found["curve"]) >= 1
    for shares in found["share_by_part"].values():
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-4) or not any(shares.values())


def test_a_learner_that_acted_brings_its_own_curve(learned, log):
    learned.curve = [CurvePoint(1000, 1.0, 0.0, 0.5), CurvePoint(2000, 1.5, 0.0, 0.4)]
    try:
        facts = training_facts(learned, log)
    finally:
        del learned.curve
    assert [(point.rows, point.value) for point in facts.curve] == [(1000, 1.0), (2000, 1.5)]
    assert page(facts)


def test_a_curve_over_twins_leaves_their_luck_out(learned, log):
    """Customers of the second milestone were the luckier ones, not better served."""
    learned.curve = [CurvePoint(1000, 1.0, 0.3, 0.5), CurvePoint(2000, 1.5, 0.2, 0.4)]
    try:
        facts = training_facts(learned, log)
    finally:
        del learned.curve
    assert [point.value for point in facts.curve] == [0.3, 0.2]
    assert "over twins" in facts.curve_unit
    assert page(facts)


def test_a_policy_from_a_bundle_will_do(learned, log, facts, tmp_path):
    again = load_bundle(save_bundle(learned, tmp_path / "p.bundle"))
    assert training_facts(again, log).to_dict() == facts.to_dict()


def test_tables_stay_small(facts):
    names, shares = columns_of(facts)
    assert names == [a.name for a in facts.actions]
    np.testing.assert_allclose(shares, facts.shares)
    actions, features, effects = strongest_of(facts)
    assert effects.shape == (len(actions), len(features)) == (6, len(facts.columns))
    assert "none" not in actions


def test_another_ending_is_refused(learned, log, tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.html"):
        training_report(learned, log, tmp_path / "t.pdf")
