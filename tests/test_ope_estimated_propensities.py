"""Propensities that nobody wrote down: what they are fitted on, and their own error in every interval."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.test_ope_balance import drawn, log_of, softmax

from campaignrl.ope.estimated_propensities import COUNTED, pull, wider
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.intervals import Clusters, Estimate
from campaignrl.ope.methods import ESTIMATORS, Evidence
from campaignrl.ope.nuisance.propensity_error import PropensityError
from campaignrl.ope.nuisance.propensity_features import Columns
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities, floor_of


def unknown(log):
    return replace(log, meta={**log.meta, "propensity_from": "estimate"})


def waves(n=6_000, seed=0):
    """Two waves of 10 % and 90 %; customers of the second buy four times as often, the action adds 0.02."""
    rng = np.random.default_rng(seed)
    wave = np.arange(n) // (n // 2)
    action = (rng.random(n) < np.where(wave == 0, 0.9, 0.1)).astype(int)
    reward = rng.random(n) < np.where(wave == 0, 0.05, 0.20) + 0.02 * action
    return rng.normal(size=(n, 1)), action, reward, wave


def test_waves_and_days_are_among_what_drove_the_choice():
    X, action, reward, wave = waves()
    for columns in ({"wave": wave}, {"day": 30 * wave}):
        log = unknown(log_of(X, action, np.full(len(action), 0.5), reward, ("none", "a@email"), **columns))
        answer = evaluate(log, "always:a@email", reference="always:none")
        assert answer.lift_ci_low < 0.02 < answer.lift_ci_high
        assert answer.verdict == "caution"
        assert not any("than its propensities say" in reason for reason in answer.reasons)


def test_calibration_is_told_by_wave():
    X, action, reward, wave = waves()
    log = unknown(log_of(X, action, np.full(len(action), 0.5), reward, ("none", "a@email"), wave=wave))
    answer = evaluate(log, "always:a@email", estimators=("dr",))
    assert [(part.wave, part.rows) for part in answer.calibration_by_wave] == [(0, 3_000), (1, 3_000)]
    assert all(part.gap < 0.02 for part in answer.calibration_by_wave)
    assert json.loads(json.dumps(answer.to_dict()))["calibration_by_wave"][0].keys() == {
        *("wave", "rows", "gap", "action")
    }
    assert evaluate(replace(log, wave=None), "always:a@email", estimators=("dr",)).calibration_by_wave == ()


def test_squares_are_taken_where_they_make_others_likelier():
    rng = np.random.default_rng(0)
    n = 4_000
    X = rng.normal(size=(n, 2))
    for drive, squared in ((X[:, 0], False), (2 * (X[:, 0] ** 2 - 1), True)):
        p = 1 / (1 + np.exp(-drive))
        action = (rng.random(n) < p).astype(int)
        log = log_of(X, action, np.full(n, 0.5), np.zeros(n), ("none", "a@email"))
        found = EstimatedPropensities(log, 5, 0)
        assert found.features.with_products is squared
        off = np.abs(found.probabilities(slice(0, n))[:, 1] - p)
        assert off.mean() < 0.03


def test_columns_by_hand():
    n = 60
    X = np.arange(n, dtype=float)[:, None]
    log = log_of(
        X, np.zeros(n, int), np.full(n, 0.5), np.zeros(n), ("none", "a@email"), wave=np.arange(n) // 30,
        day=np.arange(n) // 20,
    )  # fmt: skip
    columns = Columns.of(log)
    assert columns.waves.tolist() == [0, 1]
    assert columns.edges.tolist() == [0, 1]
    made = columns.take(slice(None))
    assert made.shape[1] == log.context.schema.width + 2 + 3
    assert made.mean(axis=0) == pytest.approx(0.0, abs=1e-9)
    assert made.std(axis=0) == pytest.approx(1.0)
    d = made.shape[1]
    assert columns.squared().take(slice(0, 5)).shape == (5, columns.squared_width) == (5, d + d * (d + 1) // 2)
    assert columns.squared().take(slice(0, 5))[:, d] == pytest.approx(made[:5, 0] ** 2)


def test_the_floor_by_hand():
    assert floor_of(2_000, 2) == pytest.approx(5 / (np.sqrt(2_000) * np.log(2_000)))
    assert floor_of(2_000, 5) == pytest.approx(floor_of(2_000, 2) / 4)
    assert floor_of(10, 2) == 0.5
    assert floor_of(1, 2) == 0.0


def test_an_action_that_never_came_keeps_a_probability_next_to_nothing():
    rng = np.random.default_rng(0)
    log = log_of(rng.normal(size=(500, 1)), rng.integers(0, 2, 500), np.full(500, 0.5), np.zeros(500))
    p = EstimatedPropensities(log, 5, 0).probabilities(slice(0, 500))
    assert p[:, 2:].max() < 1e-4
    assert p.sum(axis=1) == pytest.approx(1.0)


def test_the_variance_is_that_of_the_delta_method_as_a_bootstrap_has_it():
    """The spread of a value over draws of the coefficients, refitted on new actions of the same contexts."""
    rng = np.random.default_rng(0)
    n = 1_500
    X = rng.normal(size=(n, 2))
    P = softmax(X @ np.array([[0.0, 0.5], [0.0, -0.7]]))
    action = drawn(P, rng)
    log = log_of(X, action, np.full(n, 0.5), np.zeros(n), ("none", "a@email"))
    found = EstimatedPropensities(log, 5, 0)
    push = (1.0 + X[:, 0]) * (action == 1) / n
    told = PropensityError(log, found).variance(push)
    columns, values = found.features.take(slice(None)), []
    for _ in range(300):
        drawn_again = drawn(P, rng)
        p = LogisticRegression(max_iter=300).fit(columns, drawn_again).predict_proba(columns)[np.arange(n), action]
        values.append(float(push @ np.log(p)))
    assert told == pytest.approx(np.var(values), rel=0.25)


def test_what_a_weight_pulls_at_is_the_derivative_of_each_estimate():
    rng = np.random.default_rng(0)
    n = 40
    columns = {name: rng.random(n) for name in ("reward", "predicted", "weight", "expected")}
    rows = Evidence(
        **columns, clusters=Clusters(np.arange(n)), off_support=0.0, weight_range=(0, 9), reward_range=(0, 1),
        predicted_range=(0, 1),
    )  # fmt: skip
    step = 1e-6
    for name in ("ips", "snips", "dr", "sndr", "dm"):
        value = ESTIMATORS[name].terms(rows).point().value
        for i in (0, 7):
            weight = rows.weight.copy()
            weight[i] *= np.exp(-step)
            moved = ESTIMATORS[name].terms(rows._replace(weight=weight)).point().value
            assert pull(name, rows, None)[i] == pytest.approx((value - moved) / step, abs=1e-5), name


def test_wider_by_hand():
    made = Estimate(0.5, 0.1, 0.5 - 0.3, 0.5 + 0.4, "mine")
    z = 1.959964
    found = wider(made, 0.04, 0.05, None)
    assert found.std_error == pytest.approx(np.sqrt(0.01 + 0.04))
    assert found.ci_low == pytest.approx(0.5 - np.sqrt(0.3**2 + z**2 * 0.04))
    assert found.ci_high == pytest.approx(0.5 + np.sqrt(0.4**2 + z**2 * 0.04))
    assert found.interval == "mine" + COUNTED
    narrow = wider(made._replace(ci_low=0.45, ci_high=0.55), 0.04, 0.05, None)
    assert narrow.ci_high == pytest.approx(0.5 + z * np.sqrt(0.01 + 0.04))
    assert wider(made, 0.0, 0.05, None) is made
    nothing = made._replace(value=float("nan"))
    assert wider(nothing, 0.04, 0.05, None) is nothing


def test_known_propensities_are_not_widened():
    X, action, reward, wave = waves(2_000)
    log = log_of(X, action, np.where((wave == 0) == (action == 1), 0.9, 0.1), reward, ("none", "a@email"), wave=wave)
    known = evaluate(log, "always:a@email", logging="estimate")
    assert not any(COUNTED in e.interval for e in known.estimates.values())
    guessed = evaluate(unknown(log), "always:a@email")
    assert [name for name, e in guessed.estimates.items() if COUNTED not in e.interval] == ["dm"]
    low, high = guessed.estimates["dr"].ci_low, guessed.estimates["dr"].ci_high
    assert low <= guessed.estimates["dr"].value <= high


@pytest.mark.slow
def test_intervals_cover_where_squares_drive_the_choice():
    """The logging policy follows x0 squared, the outcome too: a line through x0 sees nothing of it."""
    rng = np.random.default_rng(0)
    n, hits, runs = 1_500, 0, 40
    for _ in range(runs):
        X = rng.normal(size=(n, 2))
        p = 1 / (1 + np.exp(-1.2 * (X[:, 0] ** 2 - 1)))
        action = (rng.random(n) < p).astype(int)
        mu = 1 / (1 + np.exp(1.0 - 0.8 * (X[:, 0] ** 2 - 1)[:, None] - np.array([0.0, 0.4])))
        reward = rng.random(n) < mu[np.arange(n), action]
        log = unknown(log_of(X, action, np.full(n, 0.5), reward, ("none", "a@email")))
        answer = evaluate(log, "always:a@email", reference="always:none", estimators=("dr",))
        hits += answer.lift_ci_low <= float((mu[:, 1] - mu[:, 0]).mean()) <= answer.lift_ci_high
    assert hits >= 0.88 * runs
