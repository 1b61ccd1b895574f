"""Evaluation of whole logs: laws, inputs, faults, and the truth of a small study."""

import importlib
import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.actions import Catalog
from campaignrl.errors import CampaignError, DataError, SupportError, UnknownName, UsageError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.data.target_policy import read_probabilities
from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.ope.methods.registry import USUAL
from campaignrl.ope.methods.result import FIGURES
from campaignrl.ope.nuisance.cross_fitting import CrossFitted, folds_of
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log
from campaignrl.tables.logs import read_log

CATALOG = Catalog.from_names(["mail@email", "coupon@email", "coupon@sms"])
K = len(CATALOG)
SCHEMA = FeatureSchema((Feature(name="recency", high=30.0), Feature(name="tag", levels=("a", "b"))))
TARGET = np.array([0.1, 0.2, 0.6, 0.1])


def rate(recency, tag):
    """(n, K) conversion of every action."""
    base = np.array([0.05, 0.10, 0.20, 0.15]) * np.where(tag == 0, 1.0, 2.0)[:, None]
    return base * (1.0 - recency / 60.0)[:, None]


def make_log(n=2000, seed=0, rows=1, eligible=False, **changes):
    """A log of `rows` decisions for each customer; the logging policy depends on the tag."""
    rng = np.random.default_rng(seed)
    customer = np.repeat(np.arange(-(-n // rows)), rows)[:n]
    recency, tag = rng.uniform(0, 30, n), rng.integers(0, 2, n)
    p = np.where(tag[:, None] == 0, [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4])
    mask = np.ones((n, K), dtype=bool)
    if eligible:
        mask[:, 1:] = rng.random((n, K - 1)) < 0.7
    p = p * mask / (p * mask).sum(axis=1, keepdims=True)
    action = np.minimum((p.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1), K - 1)
    reward = (rng.random(n) < rate(recency, tag)[np.arange(n), action]).astype(float)
    fields = {
        "catalog": CATALOG,
        "customers": np.array([f"C-{i:06d}" for i in range(customer[-1] + 1)], dtype=object),
        "customer": customer,
        "step": np.arange(n) % rows,
        "day": np.zeros(n, dtype=int),
        "context": Context(SCHEMA, {"recency": recency, "tag": tag}),
        "action": action,
        "propensity": p[np.arange(n), action],
        "reward": reward,
        "cost": np.zeros(n, dtype=int),
        "matured": np.ones(n, dtype=bool),
        "eligible": mask if eligible else None,
        "meta": {"policy_id": "by tag", "reward": "conversions"},
    }
    return DecisionLog(**{**fields, **changes})


def within(log, target=TARGET):
    """(n, K) the target, kept within what is eligible."""
    p = np.tile(target, (len(log), 1)) * log.allowed()
    return p / p.sum(axis=1, keepdims=True)


def always(log, action):
    p = np.zeros((len(log), K))
    p[:, action] = 1.0
    return p


class Fixed:
    """A policy that answers with TARGET wherever eligible."""

    kind = "fixed"
    name = "fixed target"
    catalog = CATALOG

    def probabilities(self, context, allowed):
        p = np.tile(TARGET, (len(allowed), 1)) * allowed
        return p / p.sum(axis=1, keepdims=True)

    def settings(self):
        return {}

    def tensors(self):
        return {}


# ---- laws


def test_the_logged_policy_is_worth_its_own_mean():
    log = make_log(rows=4)
    e = evaluate(log, "logged")
    for name, estimate in e.estimates.items():
        close = 0.02 if name in ("dm", "dros") else 1e-12  # what the model or a held-back weight of 1 may miss
        assert estimate.value == pytest.approx(log.reward.mean(), abs=close)
    assert (e.lift, e.lift_ci_low, e.lift_ci_high) == (0.0, 0.0, 0.0)
    assert (e.ess, e.mean_weight, e.off_support_mass, e.verdict) == (2000.0, 1.0, 0.0, "trust")


def test_the_logging_policy_given_as_probabilities_is_worth_the_same():
    log = make_log()
    tag = log.context.columns["tag"][:, None]
    e = evaluate(log, np.where(tag == 0, [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]))
    assert e.estimates["ips"].value == pytest.approx(log.reward.mean())
    assert e.estimates["snips"].value == pytest.approx(log.reward.mean())
    assert e.lift == pytest.approx(0.0, abs=0.02)
    assert e.lift_ci_low <= 0.0 <= e.lift_ci_high


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 3), st.booleans())
def test_snips_stays_inside_the_observed_rewards_and_all_is_finite_or_said(seed, n, rows, eligible):
    log = make_log(n, seed, rows, eligible)
    e = evaluate(log, within(log))
    snips = e.estimates["snips"].value
    assert log.reward.min() - 1e-12 <= snips <= log.reward.max() + 1e-12
    assert e.verdict == "refuse"  # 60 rows are too few for anything
    for estimate in e.estimates.values():
        assert math.isfinite(estimate.value) or "not to be had" in " ".join(e.reasons)
        if estimate.interval == "empirical likelihood":
            assert min(estimate.value, 0.0) <= estimate.ci_low <= estimate.value
            assert estimate.value <= estimate.ci_high <= max(estimate.value, 1.0)


def test_other_action_ids_change_nothing():
    log = make_log(eligible=True)
    q = np.random.default_rng(1).random((len(log), K))
    order = np.array([0, 3, 1, 2])  # new id -> old id
    names = [CATALOG.names[a] for a in order]
    moved = replace(
        log,
        catalog=Catalog.from_names(names),
        action=np.argsort(order)[log.action],
        eligible=log.eligible[:, order],
    )
    before, after = evaluate(log, within(log), q=q), evaluate(moved, within(log)[:, order], q=q[:, order])
    for name in USUAL:
        assert before.estimates[name][:4] == pytest.approx(after.estimates[name][:4], rel=1e-12)


def test_rows_in_another_order_change_nothing():
    log = make_log(rows=3)
    order = np.random.default_rng(5).permutation(len(log))
    before, after = evaluate(log, within(log)), evaluate(log.take(order), within(log)[order])
    for name in USUAL:
        assert before.estimates[name][:4] == pytest.approx(after.estimates[name][:4], rel=1e-6)


def test_every_customer_twice_under_the_same_name_narrows_nothing():
    log = make_log(1500)
    twice = log.take(np.repeat(np.arange(1500), 2))
    once, e = evaluate(log, within(log)), evaluate(twice, within(twice))
    assert (e.customers, e.n) == (1500, 3000)
    for name in ("ips", "snips", "ips_clip"):
        assert e.estimates[name].std_error == pytest.approx(once.estimates[name].std_error)
    assert e.estimates["dr"].std_error == pytest.approx(once.estimates["dr"].std_error, rel=0.01)
    # the row that may have been missed is now one of a customer's two: all that the interval may lose
    assert e.lift_ci_high - e.lift_ci_low >= 0.94 * (once.lift_ci_high - once.lift_ci_low)


def test_blocks_are_invisible(monkeypatch):
    log = make_log(3000, eligible=True)
    whole = evaluate(log, Fixed())
    monkeypatch.setattr(importlib.import_module("campaignrl.ope.data.blocks"), "BLOCK", 700)
    parts = evaluate(log, Fixed())
    for name in USUAL:
        assert parts.estimates[name][:4] == pytest.approx(whole.estimates[name][:4], rel=1e-6)


def test_a_mixture_is_between_its_parts():
    log = make_log()
    full, half = evaluate(log, within(log)), evaluate(log, within(log), mix=0.5)
    logged = log.reward.mean()
    for name in ("ips", "dr", "dm"):
        base = evaluate(log, "logged").estimates[name].value
        assert half.estimates[name].value == pytest.approx((full.estimates[name].value + base) / 2)
    assert half.lift == pytest.approx(full.lift / 2)
    assert half.estimates["dr"].value == pytest.approx(logged + half.lift)
    assert half.ess > full.ess


def test_comparison_is_antisymmetric_and_agrees_with_the_lift():
    log = make_log(rows=2)
    a, b = within(log), always(log, 1)
    forth, back = compare_on_log(log, a, b), compare_on_log(log, b, a)
    assert forth.value == pytest.approx(-back.value)
    assert (forth.ci_low, forth.ci_high) == pytest.approx((-back.ci_high, -back.ci_low), rel=1e-4)
    assert compare_on_log(log, a, "logged").value == pytest.approx(evaluate(log, a).lift)
    assert evaluate(log, a, reference=b).lift == pytest.approx(forth.value)


def test_pairing_narrows_the_difference():
    log = make_log(4000)
    near = 0.9 * within(log) + 0.1 * always(log, 2)
    paired = compare_on_log(log, near, within(log))
    alone = evaluate(log, near).estimates["dr"]
    assert paired.ci_high - paired.ci_low < 0.3 * (alone.ci_high - alone.ci_low)


# ---- truth


@pytest.mark.slow
def test_the_truth_is_inside_the_interval_as_often_as_stated():
    held = dict.fromkeys(("ips", "snips", "dr", "sndr"), 0)
    runs = 100
    truth = (rate(*_grid()) @ TARGET).mean()
    for seed in range(runs):
        log = make_log(1200, seed, rows=3)
        e = evaluate(log, within(log), estimators=tuple(held))
        for name in held:
            held[name] += e.estimates[name].ci_low <= truth <= e.estimates[name].ci_high
    assert all(count / runs >= 0.88 for count in held.values()), held  # 0.95 less three standard errors


def _grid():
    recency = np.tile(np.linspace(0.0, 30.0, 3001), 2)
    return recency, np.repeat([0, 1], 3001)


def test_the_model_helps():
    log = make_log(6000)
    e = evaluate(log, within(log))
    assert e.estimates["dr"].std_error < e.estimates["ips"].std_error
    truth = (rate(*_grid()) @ TARGET).mean()
    assert e.estimates["dm"].value == pytest.approx(truth, abs=0.02)


# ---- reward model


def test_no_customer_is_predicted_by_a_model_that_saw_them():
    log = make_log(600, rows=3)
    model = CrossFitted(log, (0.0, 1.0), 5, 0)
    folds = {(c, f) for c, f in zip(log.customer.tolist(), model.fold.tolist(), strict=True)}
    assert len(folds) == 200  # one fold each
    first = log.customer == 0
    spoilt = replace(log, reward=np.where(first, 1.0 - log.reward, log.reward))
    other = CrossFitted(spoilt, (0.0, 1.0), 5, 0)
    rows = slice(0, 600)
    assert np.array_equal(model.predict(rows)[first], other.predict(rows)[first])
    assert not np.array_equal(model.predict(rows)[~first], other.predict(rows)[~first])


def test_folds_follow_the_customer_and_not_the_log():
    names = np.array([f"C{i}" for i in range(5000)], dtype=object)
    fold = folds_of(names, 5, 3)
    assert np.array_equal(folds_of(names[::-1], 5, 3)[::-1], fold)
    assert not np.array_equal(folds_of(names, 5, 4), fold)
    assert np.abs(np.bincount(fold, minlength=5) - 1000).max() < 120  # four standard deviations


def test_predictions_stay_in_the_reward_range():
    log = make_log(200)
    q = CrossFitted(log, (0.1, 0.2), 5, 0).predict(slice(0, 200))
    assert (q.dtype, q.shape) == (np.float32, (200, K))
    assert np.float32(0.1) <= q.min() <= q.max() <= np.float32(0.2)


# ---- what can be given


def test_policy_array_frame_and_file_agree(tmp_path):
    log = make_log(400, eligible=True)
    frame = pd.DataFrame(within(log), columns=list(CATALOG.names))
    frame.insert(0, "decision_id", log.decision_id)
    frame = frame.sample(frac=1.0, random_state=0)  # any order
    frame.to_parquet(tmp_path / "p.parquet")
    expected = evaluate(log, Fixed()).to_dict()
    for given_ in (within(log), frame, tmp_path / "p.parquet"):
        found = evaluate(log, given_).to_dict()
        assert found["estimates"] == expected["estimates"]
    assert expected["policy"] == "fixed target"


def test_policies_by_name():
    log = make_log(400)
    assert evaluate(log, "always:coupon@sms").estimates["ips"] == evaluate(log, always(log, 3)).estimates["ips"]
    with pytest.raises(UnknownName, match="coupon@sms"):
        evaluate(log, "always:cupon@sms")


def test_an_action_without_a_column_has_no_probability():
    log = make_log(5)
    p = read_probabilities(pd.DataFrame({"decision_id": log.decision_id, "mail@email": 1.0}), log)
    assert p.tolist() == [[0.0, 1.0, 0.0, 0.0]] * 5


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.drop(columns="decision_id"), "decision_id"),
        (lambda f: f.rename(columns={"coupon@sms": "cupon@sms"}), "Did you mean 'coupon@sms'"),
        (lambda f: f.iloc[:-2], "2 decisions of the log lack a row"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "there once"),
        (lambda f: f.assign(**{"none": "much"}), "numbers"),
        (lambda f: f.assign(**{"none": 0.5}), "adding up to 1"),
        (lambda f: f.assign(**{"none": np.nan}), "adding up to 1"),
        (lambda f: f.assign(**{"none": -0.5, "mail@email": 0.8}), "no part below 0|adding up to 1"),
    ],
)
def test_wrong_frames_are_named(spoil, words):
    log = make_log(20)
    frame = pd.DataFrame(within(log), columns=list(CATALOG.names))
    frame["decision_id"] = log.decision_id
    with pytest.raises(DataError, match=words):
        evaluate(log, spoil(frame))


def test_mass_outside_the_eligible_names_rows():
    log = make_log(50, eligible=True)
    outside = np.flatnonzero(~log.eligible[:, 2])
    with pytest.raises(DataError, match=f"row.* {outside[0]}.*was not eligible there"):
        evaluate(log, np.tile(TARGET, (50, 1)))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"estimators": ("dr", "snipps")}, UnknownName),
        ({"mix": 0.0}, UsageError),
        ({"alpha": 1.0}, UsageError),
        ({"folds": 1}, UsageError),
        ({"q": np.zeros((3, K))}, DataError),
        ({"reward_range": (0.0, 0.5)}, DataError),
    ],
)
def test_wrong_words_are_refused(arguments, error):
    log = make_log(100)
    with pytest.raises(error) as caught:
        evaluate(log, within(log), **arguments)
    assert isinstance(caught.value, CampaignError)


def test_other_actions_than_the_logs_are_refused():
    other = Fixed()
    other.catalog = Catalog.from_names(["mail@email", "coupon@email", "call@phone"])
    with pytest.raises(DataError, match="call@phone, coupon@sms"):
        evaluate(make_log(100), other)
    with pytest.raises(UsageError, match="policy"):
        evaluate(make_log(100), object())


# ---- logs that cannot answer


def test_a_bad_propensity_never_becomes_a_log():
    log = make_log(30)
    for bad in (0.0, 1.5, -0.1, np.nan):
        with pytest.raises(DataError, match="row 7: propensity"):
            replace(log, propensity=np.where(np.arange(30) == 7, bad, log.propensity))


def test_half_precision_propensities_are_noticed():
    log = make_log()
    p = np.random.default_rng(0).uniform(0.1, 1.0, len(log))
    assert "16-bit" not in " ".join(evaluate(replace(log, propensity=p), within(log)).reasons)
    rounded = p.astype(np.float16).astype(np.float64)
    assert "16-bit" in " ".join(evaluate(replace(log, propensity=rounded), within(log)).reasons)


def test_immature_rows_are_left_out_and_counted():
    log = make_log(1000)
    late = replace(log, matured=np.arange(1000) < 600, reward=np.where(np.arange(1000) < 600, log.reward, 9.0))
    e = evaluate(late, within(late), q=np.zeros((1000, K)))
    assert (e.n, e.dropped, e.logged_value) == (600, 400, log.reward[:600].mean())
    assert any("40% of the rows are left out" in reason for reason in e.reasons)
    assert e.estimates["ips"] == evaluate(log.take(slice(0, 600)), within(log)[:600]).estimates["ips"]
    with pytest.raises(SupportError, match="none of the log's 1,000 decisions"):
        evaluate(replace(log, matured=np.zeros(1000, dtype=bool)), "logged")


def test_an_action_that_was_never_tried_is_refused_with_bounds():
    log = make_log(4000)
    kept = log.take(np.flatnonzero(log.action != 3))
    e = evaluate(kept, np.tile([0.4, 0.2, 0.2, 0.2], (len(kept), 1)))
    assert e.off_support_mass == pytest.approx(0.2)
    assert e.verdict == "refuse"
    assert "20% of what this policy would do was never tried" in " ".join(e.reasons)
    alone = evaluate(kept, always(kept, 3))
    assert (alone.ess, alone.off_support_mass) == (0.0, 1.0)
    assert math.isnan(alone.estimates["ips"].value)
    assert alone.to_dict()["estimates"]["snips"]["value"] is None
    assert math.isfinite(alone.estimates["dm"].value)
    assert "ips, ips_clip, snips, dr, sndr, dros, switch_dr: not to be had" in " ".join(alone.reasons)
    assert alone.to_dict()["lift"] is None


def test_a_certain_log_answers_for_itself_and_nothing_else():
    log = make_log(2000)
    certain = replace(log, propensity=np.ones(2000))
    own = np.zeros((2000, K))
    own[np.arange(2000), certain.action] = 1.0
    assert evaluate(certain, own).verdict == "trust"
    e = evaluate(certain, always(certain, 1))
    assert e.verdict == "refuse"
    assert math.isnan(e.estimates["dr"].value)
    assert math.isfinite(e.estimates["dm"].value)
    assert "every logged action was certain" in " ".join(e.reasons)


def test_wrong_propensities_are_found():
    log = make_log(4000)
    e = evaluate(replace(log, propensity=np.minimum(log.propensity * 1.6, 1.0)), within(log))
    assert e.verdict == "refuse"
    assert "propensities or the eligible sets do not belong to this log" in " ".join(e.reasons)


def test_too_few_rows_name_no_winner_but_a_way_out():
    log = make_log(3000)
    rare = replace(log, propensity=np.where(log.action == 3, 0.0005, log.propensity))
    e = evaluate(rare, always(rare, 3), mix=1.0)
    assert e.verdict == "refuse"
    few = evaluate(make_log(150), within(make_log(150)))
    assert few.verdict == "refuse"
    assert "What would help" in few.reasons[-1]


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5])
def test_equal_rewards(value):
    log = make_log(2000, reward=np.full(2000, value))
    e = evaluate(log, within(log))
    assert e.estimates["snips"].value == pytest.approx(value)
    assert e.estimates["dr"].value == pytest.approx(value, abs=1e-6)
    assert e.verdict == "caution"
    assert "every reward is the same" in " ".join(e.reasons)


def test_one_customer():
    log = make_log(500, rows=500)
    e = evaluate(log, within(log))
    assert e.customers == 1
    assert e.verdict == "refuse"
    assert math.isnan(e.estimates["ips"].std_error)
    assert "std. errors: not to be had from one customer." in e.reasons


def test_one_row():
    log = make_log(1)
    assert evaluate(log, within(log)).verdict == "refuse"


def test_a_log_without_contexts_is_evaluated(tmp_path):
    """Nothing is known of anybody, and still the mean by action is."""
    log = replace(make_log(), context=Context(FeatureSchema(()), {}))
    found = evaluate(log, np.full((len(log), K), 1 / K))
    weight = (1 / K) / log.propensity
    assert found.estimates["ips"].value == pytest.approx(float((weight * log.reward).mean()))
    path = tmp_path / "bare.parquet"
    write_log(log, path)
    assert evaluate(read_log(path), "uniform").estimates["dr"] == evaluate(log, "uniform").estimates["dr"]
    streamed = evaluate_stream(path, "uniform").estimates["ips"].value
    assert streamed == pytest.approx(found.estimates["ips"].value, rel=1e-12)


def test_one_arm():
    log = make_log(1000)
    sent = replace(log, action=np.full(1000, 2), propensity=np.ones(1000))
    e = evaluate(sent, always(sent, 2))
    assert e.estimates["ips"].value == sent.reward.mean()
    assert (e.off_support_mass, e.verdict) == (0.0, "trust")


# ---- how it is shown


def test_json_has_the_documented_keys_and_plain_values():
    log = make_log(500)
    told = evaluate(log, within(log)).to_dict()
    assert set(FIGURES) | {"verdict", "reasons", "estimates", "policy", "reward"} <= set(told)
    assert set(told["estimates"]) == set(USUAL)
    for estimate in told["estimates"].values():
        assert list(estimate) == ["value", "std_error", "ci_low", "ci_high", "interval"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_text_names_every_estimator_and_html_escapes():
    log = make_log(500, meta={"policy_id": "<b>rules</b>", "reward": "a & b", "actions_from": "the mapping"})
    e = evaluate(log, within(log))
    text, page = str(e), e._repr_html_()
    assert all(name in text for name in USUAL)
    assert "actions from the mapping" in text
    assert "&lt;b&gt;rules&lt;/b&gt;" in page
    assert "a &amp; b" in page
    assert "<b>" not in page


def test_reward_ranges_are_told_apart():
    log = make_log(200)
    assert evaluate(log, "logged").reward_range_from == "0 or 1"
    money = replace(log, reward=log.reward * 30.0)
    assert (evaluate(money, "logged").reward_range, evaluate(money, "logged").reward_range_from) == (
        (0.0, 30.0),
        "observed",
    )
    assert evaluate(money, "logged", reward_range=(0, 99)).reward_range == (0.0, 99.0)
    known = replace(money, meta={"reward_range": [0, 50]})
    assert evaluate(known, "logged").reward_range_from == "the log's facts"
