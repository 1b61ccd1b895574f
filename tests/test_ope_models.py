"""Reward models by name, propensities that are estimated, and weights held back by a number the log picks."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import textbook_bounds as bounds
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.actions import Catalog
from campaignrl.errors import SupportError, UnknownName, UsageError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.estimators import bandit
from campaignrl.ope.evaluate import compare_on_log, evaluate
from campaignrl.ope.intervals.clustered import Clusters
from campaignrl.ope.methods import shrinkage as tuning
from campaignrl.ope.nuisance.cross_fitting import capped
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities, calibration_gap
from campaignrl.ope.nuisance.reward_models import MODELS, reward_model
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.split import split_by_customer
from campaignrl.tables.logs import read_log

CATALOG = Catalog.from_names(["mail@email", "gift@email", "gift@sms"])
SCHEMA = FeatureSchema((Feature(name="x"), Feature(name="tag", levels=("a", "b"))))
K = len(CATALOG)


def chances(x, tag):
    """(n, 4): the logging policy likes sending to those of high x, gifts more to tag b."""
    odds = np.stack([np.zeros(len(x)), 2 * x - 1, x + tag - 1, tag - 1.5], axis=1)
    p = np.exp(odds)
    return p / p.sum(axis=1, keepdims=True)


def rate(x, tag):
    """(n, 4) conversion: a step in x that no line follows, another for each action."""
    step = (x > 0.5)[:, None] * np.array([0.0, 0.1, 0.5, 0.3])
    return 0.1 + step + 0.1 * tag[:, None]


def make_log(n=3000, seed=0, rows=1, **changes):
    chance = np.random.default_rng(seed)
    x, tag = chance.random(n), chance.integers(0, 2, n)
    p = chances(x, tag)
    action = np.minimum((p.cumsum(axis=1) <= chance.random(n)[:, None]).sum(axis=1), K - 1)
    customer = np.arange(n) // rows
    fields = {
        "catalog": CATALOG,
        "customers": np.array([f"c{i}" for i in range(customer[-1] + 1)], dtype=object),
        "customer": customer,
        "step": np.arange(n) % rows,
        "context": Context(SCHEMA, {"x": x, "tag": tag}),
        "action": action,
        "propensity": p[np.arange(n), action],
        "reward": (chance.random(n) < rate(x, tag)[np.arange(n), action]).astype(float),
        "matured": np.ones(n, dtype=bool),
        **{"day": np.zeros(n, dtype=int), "cost": np.zeros(n, dtype=int)},
        "meta": {"policy_id": "odds"},
    }
    return DecisionLog(**{**fields, **changes})


def unknown_propensities(log):
    share = np.bincount(log.action, minlength=K) / len(log)
    return replace(log, propensity=share[log.action], meta={**log.meta, "propensity_from": "estimate"})


GIFTS = np.tile([0.1, 0.1, 0.4, 0.4], (3000, 1))


# ---- every reward model


@pytest.mark.parametrize("name", MODELS)
def test_no_customer_is_predicted_by_a_model_that_saw_them(name):
    log = make_log(600, rows=3)
    first = log.customer == 0
    spoilt = replace(log, reward=np.where(first, 1.0 - log.reward, log.reward))
    one, other = (reward_model(name, each, (0.0, 1.0), 3, 0).predict(slice(0, 600)) for each in (log, spoilt))
    assert np.array_equal(one[first], other[first])
    assert (one.dtype, one.shape) == (np.float32, (600, K))


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_in_the_units_and_range_of_the_reward(name):
    log = make_log(900)
    plain = reward_model(name, log, (0.0, 1.0), 2, 0).predict(slice(0, 900))
    money = replace(log, reward=20.0 * log.reward - 5.0)
    scaled = reward_model(name, money, (-5.0, 15.0), 2, 0).predict(slice(0, 900))
    assert scaled.min() >= -5.0
    assert scaled.max() <= 15.0
    # the prior of the plain ridge has a unit: noise of one pseudo-observation
    assert scaled == pytest.approx(20.0 * plain - 5.0, abs=1.0 if name == "ridge" else 1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_says_the_same_twice_and_serves_dr(name):
    log = make_log()
    first, second = (evaluate(log, GIFTS, estimators=("dr", "mrdr"), model=name, folds=2) for _ in range(2))
    assert first.estimates == second.estimates
    assert first.reward_model == name
    truth = (GIFTS * rate(log.context.columns["x"], log.context.columns["tag"])).sum(axis=1).mean()
    assert abs(first.estimates["dr"].value - truth) < 4 * first.estimates["dr"].std_error


def test_boosting_sees_the_step_that_lines_do_not():
    log = make_log(6000)
    truth = rate(log.context.columns["x"], log.context.columns["tag"])

    def error(name):
        return np.abs(reward_model(name, log, (0.0, 1.0), 3, 0).predict(slice(0, 6000)) - truth).mean()

    assert error("boosting") < error("logistic")
    assert error("boosting") < error("ridge")


def test_logistic_finds_the_log_odds():
    chance = np.random.default_rng(0)
    n = 40_000
    x, action = chance.random(n), chance.integers(0, K, n)
    odds = np.array([-2.0, -1.0, 0.0, 1.0])[action] + np.array([1.0, 1.0, -1.0, 2.0])[action] * x
    log = make_log(n, action=action, propensity=np.full(n, 0.25), context=Context(SCHEMA, {"x": x, "tag": 0 * action}))
    log = replace(log, reward=(chance.random(n) < 1 / (1 + np.exp(-odds))).astype(float))
    q = reward_model("logistic", log, (0.0, 1.0), 2, 0).predict(slice(0, n))
    true = 1 / (1 + np.exp(-(np.array([-2.0, -1.0, 0.0, 1.0]) + np.array([1.0, 1.0, -1.0, 2.0]) * x[:, None])))
    assert np.abs(q - true).max() < 0.05


def test_rows_beyond_the_cap_are_left_out_by_customer_and_said():
    log = make_log(3000, rows=3)
    chosen = capped(log, 600, 0)
    whole = np.bincount(log.customer[chosen])
    assert set(whole.tolist()) <= {0, 3}
    assert abs(len(chosen) - 600) < 150
    assert np.array_equal(capped(log, 3000, 0), np.arange(3000))
    model = reward_model("boosting", log, (0.0, 1.0), 2, 0, rows=600)
    assert model.rows_used == len(chosen)


def test_the_cap_knows_nothing_of_a_split_by_customer():
    for part in split_by_customer(make_log(4000), 0.5, 0):
        assert abs(len(capped(part, len(part) // 4, 0)) / len(part) - 0.25) < 0.05


def test_weighted_ridge_is_ridge_on_repeated_rows():
    log = make_log(200)
    X, times = log.context.encode(), np.random.default_rng(1).integers(0, 4, 200)
    again = np.repeat(np.arange(200), times)
    weighted, repeated = (RidgeStatistics.zeros(CATALOG, X.shape[1]) for _ in range(2))
    weighted.add(X, log.action, log.reward, times.astype(float))
    repeated.add(X[again], log.action[again], log.reward[again])
    first, second = (fit_ridge(each, CATALOG, 1.0).coefficients for each in (weighted, repeated))
    assert first == pytest.approx(second, abs=1e-5)


def test_rewards_of_many_values_are_no_case_for_logistic():
    log = make_log(100, reward=np.random.default_rng(0).random(100))
    with pytest.raises(UsageError, match="made for rewards of two values only"):
        evaluate(log, "logged", model="logistic")


@pytest.mark.parametrize("words", [{"model": "bosting"}, {"tuning": "slop"}])
def test_mistyped_names_are_answered(words):
    with pytest.raises(UnknownName, match="Did you mean"):
        evaluate(make_log(50), "logged", **words)


# ---- propensities that nobody wrote down


def test_estimated_propensities_are_near_the_true_ones():
    log = make_log(8000)
    model = EstimatedPropensities(log, 5, 0)
    p = model.probabilities(slice(0, 8000))
    assert p.sum(axis=1) == pytest.approx(np.ones(8000))
    assert np.abs(p - chances(log.context.columns["x"], log.context.columns["tag"])).max() < 0.06
    assert model.of_logged() == pytest.approx(p[np.arange(8000), log.action])
    curve = model.calibration()
    assert sum(part.pairs for part in curve) == 8000 * K
    assert sum(part.pairs * part.observed for part in curve) == pytest.approx(8000)
    assert calibration_gap(curve) < 0.02


def test_no_customer_is_in_the_model_of_their_propensities():
    log = make_log(900, rows=3)
    moved = replace(log, action=np.where(log.customer == 0, (log.action + 1) % K, log.action))
    first = log.customer == 0
    one, other = (EstimatedPropensities(each, 3, 0).probabilities(slice(0, 900)) for each in (log, moved))
    assert np.array_equal(one[first], other[first])
    assert not np.array_equal(one[~first], other[~first])


def test_estimates_stay_within_what_was_eligible():
    log = make_log(500)
    eligible = np.random.default_rng(0).random((500, K)) < 0.6
    eligible[np.arange(500), log.action] = True
    p = EstimatedPropensities(replace(log, eligible=eligible), 3, 0).probabilities(slice(0, 500))
    assert (p[~eligible] == 0.0).all()
    assert (p[eligible] > 0.0).all()


def test_one_action_alone_was_certain():
    log = make_log(60, action=np.full(60, 2), propensity=np.ones(60))
    model = EstimatedPropensities(log, 3, 0)
    assert model.of_logged() == pytest.approx(np.ones(60))
    *_, last = model.calibration()  # where certainties lie
    assert (last.predicted, last.observed, last.pairs) == (1.0, 1.0, 60)


def test_the_verdict_says_that_propensities_are_estimated():
    log = make_log()
    known, guessed = evaluate(log, GIFTS), evaluate(unknown_propensities(log), GIFTS)
    assert known.verdict == "trust"
    assert guessed.verdict == "caution"
    assert "the propensities are estimated from the log" in " ".join(guessed.reasons)
    assert known.calibration == ()
    assert len(guessed.calibration) >= 3
    assert guessed.estimates["dr"].value == pytest.approx(known.estimates["dr"].value, abs=0.02)
    told = guessed.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    lift = compare_on_log(unknown_propensities(log), GIFTS, "logged")
    assert lift.value == pytest.approx(guessed.lift)


def test_shares_are_no_propensities():
    """What the estimate is for: nothing is sent to those who would not convert, so by share alone it looks worse."""
    log = make_log(20_000)
    log = replace(log, reward=(log.context.columns["x"] > np.random.default_rng(9).random(20_000)).astype(float))
    target = np.tile([1.0, 0.0, 0.0, 0.0], (20_000, 1))
    truth = log.context.columns["x"].mean()
    found = evaluate(unknown_propensities(log), target, estimators=("ips", "snips"))
    naive = replace(unknown_propensities(log), meta={})
    assert abs(found.estimates["snips"].value - truth) < 0.02
    assert abs(evaluate(naive, target, estimators=("snips",)).estimates["snips"].value - truth) > 0.03


def test_estimated_logging_policy_keeps_known_propensities():
    log = make_log()
    e = evaluate(log, GIFTS, estimators=("ips", "mips_offer"), logging="estimate")
    assert e.estimates["ips"] == evaluate(log, GIFTS, estimators=("ips",)).estimates["ips"]
    assert np.isfinite(e.estimates["mips_offer"].value)
    assert e.logging_policy == "estimated from the log"
    assert len(e.calibration) >= 3


def test_a_mapping_may_leave_propensities_to_be_estimated(tmp_path):
    log = make_log(1500)
    frame = ["x,tag,did,won"] + [
        f"{x:.4f},{'ab'[tag]},{CATALOG.names[a]},{int(r)}"
        for x, tag, a, r in zip(*log.context.columns.values(), log.action, log.reward, strict=True)
    ]
    (tmp_path / "log.csv").write_text("\n".join(frame) + "\n")
    mapping = '[action]\ncolumn = "did"\n[propensity]\nestimate = true\n[reward]\ncolumn = "won"\n'
    (tmp_path / "m.toml").write_text(mapping + '[contexts]\nnumbers = ["x"]\ncategories = ["tag"]\n')
    read = read_log(tmp_path / "log.csv", tmp_path / "m.toml")
    assert read.meta["propensity_from"] == "estimate"
    share = np.bincount(read.action, minlength=K) / 1500
    assert read.propensity == pytest.approx(share[read.action])
    write_log(read, tmp_path / "own.parquet")
    found = [evaluate(each, "uniform") for each in (read, read_log(tmp_path / "own.parquet"))]
    assert "estimated from the log" in " ".join(found[0].reasons)
    assert found[0].estimates == found[1].estimates


def test_whole_episodes_need_known_propensities():
    with pytest.raises(SupportError, match="propensities are not known"):
        evaluate(unknown_propensities(make_log(300, rows=3)), "logged", estimators=("pdis",))


# ---- weights held back


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100.0))
def test_holding_back_never_lifts_a_weight(seed, setting):
    weight = np.random.default_rng(seed).exponential(2.0, 50)
    for hold in (bandit.clipped, bandit.shrunk, bandit.switched):
        held = hold(weight, setting)
        assert (held >= 0.0).all()
        assert (held <= weight + 1e-12).all()
        assert np.array_equal(hold(weight, math.inf), weight)
    assert (bandit.subgaussian(weight, 0.2) <= np.maximum(weight, 1.0) + 1e-12).all()
    assert np.array_equal(bandit.subgaussian(weight, 0.0), weight)


def test_slope_by_hand():
    # widths fall: 1.0, 0.5, 0.1; sqrt 6 - 1 = 1.449. 10.0 and 10.9: 0.9 <= 0.5 + 1.449; 10 and 13: 3 > 0.1 + 1.449
    assert tuning.slope(np.array([10.0, 10.9, 13.0]), np.array([1.0, 0.5, 0.1])) == 1
    assert tuning.slope(np.array([13.0, 10.9, 10.0]), np.array([0.1, 0.5, 1.0])) == 1
    # the third agrees with the first but not with the second: 1.1 > 0.1 + 1.449 x 0.5
    assert tuning.slope(np.array([10.0, 9.9, 11.0]), np.array([1.0, 0.5, 0.1])) == 1
    assert tuning.slope(np.array([10.0, 10.0, 10.0]), np.array([1.0, 0.5, 0.1])) == 2


def test_estimated_mse_by_hand():
    x = np.array([1.0, 3.0, 2.0, 2.0])  # variance of the mean: 2 / (4 x 3)
    point, lost, weight = bandit.dm(x).point(), np.array([0.4, 0.0, 0.0, 0.0]), np.array([2.0, 1.0, 1.0, 0.0])
    noise = math.sqrt(2 * (6 / 4) * math.log(20) / 4) + 2 * 2 * math.log(20) / 12
    found = tuning.estimated_mse(point, Clusters(np.arange(4)), lost, weight)
    assert found == pytest.approx(2 / 12 + (0.1 + noise) ** 2)


@pytest.mark.parametrize("method", tuning.METHODS)
def test_settings_are_reported_and_used(method):
    log = make_log()
    e = evaluate(log, GIFTS, tuning=method)
    assert set(e.settings) == {"ips_clip", "dros", "switch_dr"}
    assert e.settings_from == method
    if method == "fixed":
        assert dict(e.settings) == {"ips_clip": 10.0, "dros": 100.0, "switch_dr": 10.0}
    weight = GIFTS[np.arange(3000), log.action] / log.propensity
    clipped = np.minimum(weight, e.settings["ips_clip"]) * log.reward
    assert e.estimates["ips_clip"].value == pytest.approx(clipped.mean())
    assert json.loads(json.dumps(e.to_dict(), allow_nan=False))["settings_from"] == method


def test_one_customer_leaves_weights_alone():
    log = make_log(30, rows=30)
    assert evaluate(log, GIFTS[:30], tuning="slope").settings["ips_clip"] == math.inf


# ---- textbook bounds


def test_bounds_hold_the_truth_and_shrink():
    chance = np.random.default_rng(0)
    for n in (100, 10_000):
        x = chance.random(n)
        lows = [bounds.hoeffding_lower(x, 1.0, 0.05), bounds.bernstein_lower(x, 1.0, 0.05), bounds.t_lower(x, 0.05)]
        assert all(low < 0.5 for low in lows)
    assert lows[0] > 0.48
    assert lows[1] > 0.48


def test_maximum_likelihood_knows_the_weights_must_average_one():
    # weights 0 and 2 in a ratio of 3 to 1: likelihood restores 1 to 1 where no other weight is possible
    weight, reward = np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.0, 1.0])
    assert bounds.maximum_likelihood_point(weight, reward, 0.0, 2.0) == pytest.approx(1.0)
    assert bounds.maximum_likelihood_point(np.ones(4), reward, 0.0, 5.0) == pytest.approx(0.25)
