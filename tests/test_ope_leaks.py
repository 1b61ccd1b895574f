"""A policy given as a table that has learned from the rows it is judged by is found out; an honest one is not."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor
from tests.test_ope_balance import NAMES, drawn, log_of, softmax

from campaignrl.ope import leaks
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.methods.weighted_rows import gather

N = 4_000


def tree_table(X, action, reward, rows):
    """(n, k) the best action by trees of ten rows a leaf, grown on `rows` alone."""
    q = [
        DecisionTreeRegressor(min_samples_leaf=10, random_state=0)
        .fit(X[rows & (action == a)], reward[rows & (action == a)])
        .predict(X)
        for a in range(4)
    ]
    table = np.zeros((len(X), 4))
    table[np.arange(len(X)), np.argmax(q, axis=0)] = 1.0
    return table


@pytest.fixture(scope="module")
def nothing_works():
    """A log drawn by lot in which no action does anything."""
    rng = np.random.default_rng(0)
    X, action = rng.normal(size=(N, 3)), rng.integers(0, 4, N)
    return X, action, (rng.random(N) < 0.15).astype(float)


def test_a_table_learned_on_the_same_rows_is_refused_with_the_way_out(nothing_works):
    X, action, reward = nothing_works
    log = log_of(X, action, np.full(N, 0.25), reward)
    answer = evaluate(log, tree_table(X, action, reward, np.ones(N, bool)))
    assert answer.lift > 0.1
    assert answer.verdict == "refuse"
    assert any("learned from these very rows" in reason and "fresh log" in reason for reason in answer.reasons)


def test_asked_without_a_model_the_same_table_is_refused_and_an_honest_one_costs_no_ridge(nothing_works, monkeypatch):
    """Means of actions, each customer's by the others' rows, explain what any honest table earns here, and not that."""
    X, action, reward = nothing_works
    log = log_of(X, action, np.full(N, 0.25), reward)
    table = tree_table(X, action, reward, np.ones(N, bool))
    assert any("learned from these very rows" in reason for reason in evaluate(log, table, estimators=("ips",)).reasons)
    weight, fold = np.full(N, 1.0), log.customer % 5
    target, rows = target_policy_of(table, log), gather(log, [target_policy_of(table, log)], None, (0.0, 1.0))[0]
    found = leaks._by_action(log, target, rows, 5, weight)
    for row in (0, 17, N - 1):
        others = [reward[(fold != fold[row]) & (action == a)].mean() for a in range(4)]
        assert found.predicted[row] == pytest.approx(others[action[row]])
        assert found.expected[row] == pytest.approx(table[row] @ others)
    monkeypatch.setattr(leaks, "reward_model", None)  # to call it is an error
    assert evaluate(log, np.full((N, 4), 0.25), estimators=("ips",)).verdict == "trust"


def test_the_same_table_on_rows_it_has_not_seen_is_no_leak(nothing_works):
    X, action, reward = nothing_works
    seen = np.arange(N) < N // 2
    table = tree_table(X, action, reward, seen)
    kept = ~seen
    log = log_of(X[kept], action[kept], np.full(kept.sum(), 0.25), reward[kept])
    assert not any("learned from" in reason for reason in evaluate(log, table[kept]).reasons)


def test_a_gain_that_is_true_is_believed_though_a_line_cannot_follow_it():
    """The best action depends on the product of two contexts, which the ridge model does not see."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, 2))
    action = rng.integers(0, 2, N)
    right = (X[:, 0] * X[:, 1] > 0).astype(int)
    reward = rng.random(N) < np.where(action == right, 0.6, 0.2)
    log = log_of(X, action, np.full(N, 0.5), reward, NAMES[:2])
    table = np.zeros((N, 2))
    table[np.arange(N), right] = 1.0
    answer = evaluate(log, table)
    assert answer.estimates["dr"].value - answer.estimates["dm"].value > 0.1
    assert answer.verdict == "trust", answer.reasons


def test_a_driver_that_is_no_context_makes_no_leak_if_the_propensities_are_right():
    """One wave sends nine of ten, the other one of ten, and customers of the second buy three times as often."""
    rng = np.random.default_rng(2)
    wave = np.arange(N) // (N // 2)
    p = np.where(wave == 0, 0.9, 0.1)
    action = (rng.random(N) < p).astype(int)
    reward = rng.random(N) < np.where(wave == 0, 0.05, 0.20) + 0.02 * action
    log = log_of(rng.normal(size=(N, 1)), action, np.where(action == 1, p, 1 - p), reward, NAMES[:2], wave=wave)
    answer = evaluate(log, np.tile([0.0, 1.0], (N, 1)))
    assert not any("learned from" in reason for reason in answer.reasons)


def test_a_table_made_from_what_was_done_has_weights_that_are_too_large():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 2))
    P = 0.8 * softmax(X @ rng.normal(size=(2, 4))) + 0.05
    action = drawn(P, rng)
    rows = np.arange(N)
    reward = (rng.random(N) < 0.3).astype(float)
    table = P.copy()
    table[reward > 0] = 0.0
    table[rows[reward > 0], action[reward > 0]] = 1.0
    answer = evaluate(log_of(X, action, P[rows, action], reward), table)
    assert answer.verdict == "refuse"
    assert any("this policy has seen what was done here" in reason for reason in answer.reasons)


def test_honest_tables_are_left_alone():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1_500, 2))
        P = 0.8 * softmax(X @ rng.normal(size=(2, 4))) + 0.05
        action = drawn(P, rng)
        rows = np.arange(1_500)
        chance = 1 / (1 + np.exp(1.5 - np.sin(2 * X @ rng.normal(size=(2, 4)))))
        log = log_of(X, action, P[rows, action], rng.random(1_500) < chance[rows, action])
        reasons = evaluate(log, softmax(2 * X @ rng.normal(size=(2, 4)))).reasons
        alarms += any("learned from" in reason for reason in reasons)
    assert alarms <= 1
