"""Models that estimates lean on, by hand: boosting and logistic by action, calibration, samples, what is given."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from test_ope_log import CATALOG, K, make_log

from campaignrl.errors import UnknownName, UsageError
from campaignrl.ope.nuisance import reward_models as module
from campaignrl.ope.nuisance.cross_fitting import CrossFitted, GivenPredictions, capped, folds_of
from campaignrl.ope.nuisance.reward_models import Boosting, Calibrated, Linear, Logistic, reward_model
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge
from campaignrl.rng import Purpose, customer_keys, uniform


def drawn(n=900, seed=0):
    """(X, action, rewards of two values, weights)."""
    chance = np.random.default_rng(seed)
    X = chance.normal(size=(n, 3)).astype(np.float32)
    action = chance.integers(0, K, n)
    chances = expit(-0.5 + X[:, 0] + 0.4 * action)
    return X, action, (chance.random(n) < chances) * 1.0, chance.uniform(0.5, 2.0, n)


def test_a_model_of_equal_rewards_is_that_reward():
    X, action, reward, weight = drawn(40)
    for value in (0.0, 0.25, 1.0):
        model = Boosting(CATALOG, X, action, np.full(40, value), weight)
        assert model.predict(X) == pytest.approx(np.full((40, K), value))
    nothing = Boosting(CATALOG, X[:0], action[:0], reward[:0], weight[:0])
    assert nothing.predict(X[:2]).tolist() == np.zeros((2, K)).tolist()
    assert Boosting(CATALOG, X, action, np.full(40, 0.5), np.zeros(40)).predict(X[:1])[0, 0] == 0.0
    fitted = Boosting(CATALOG, X, action, reward, weight)
    assert fitted.predict(X[:0]).shape == (0, K)
    assert fitted.predict(X).dtype == np.float32


def test_boosting_predicts_the_chance_of_each_action_from_its_codes():
    X, action, reward, weight = drawn()
    model = Boosting(CATALOG, X, action, reward, weight)
    q = model.predict(X)
    assert ((q > 0) & (q < 1)).all()
    assert q.mean(axis=0).tolist() == sorted(q.mean(axis=0).tolist())  # the later the action, the likelier
    assert np.corrcoef(q[:, 1], X[:, 0])[0, 1] > 0.7
    values = Boosting(CATALOG, X, action, reward + X[:, 1], weight).predict(X)  # a number: regression
    assert np.corrcoef(values[np.arange(900), action], X[:, 1])[0, 1] > 0.5


def test_a_logistic_model_of_one_action_is_the_penalised_regression():
    """All rows of one action: the prior is on what the action adds to nothing, so it is nearly free of it."""
    X, _, reward, weight = drawn(3000)
    action = np.ones(3000, dtype=int)
    found = Logistic(CATALOG, X, action, reward, weight).predict(X)[:, 1]
    free = LogisticRegression(C=1e6).fit(X, reward, sample_weight=weight).predict_proba(X)[:, 1]
    assert np.abs(found - free).max() < 0.02
    with pytest.raises(UsageError, match="rewards of two values"):
        Logistic(CATALOG, X, action, reward * 0.5, weight)


def test_newton_s_steps_end_where_the_gradient_is_nothing():
    """With a prior that weighs nothing the weighted residuals of each action add up to 0, times 1 and times X."""
    X, action, reward, weight = drawn()
    rows = module._by_action(CATALOG, X, action, reward, weight)
    coefficients = module._logistic(CATALOG, rows, 1e-6, None)
    residual = rows.weight * (rows.reward - expit(rows.log_odds(coefficients)))
    for part in rows.parts:
        assert rows.phi[part].T @ residual[part] == pytest.approx(0.0, abs=0.05)
    odds = rows.log_odds(coefficients)
    wanted = -(rows.weight * np.where(rows.reward > 0, np.log(expit(odds)), np.log(expit(-odds)))).sum()
    assert module._log_loss(coefficients, rows) == pytest.approx(wanted)
    assert module._log_odds(X, coefficients)[np.arange(900), action] == pytest.approx(
        (np.c_[np.ones(900), X] * coefficients[:, action].T).sum(axis=1)
    )
    again = module._logistic(CATALOG, rows, 1e-6, coefficients)
    assert again == pytest.approx(coefficients, abs=1e-3)


def test_rows_by_action_keep_what_belongs_together():
    X, action, reward, weight = drawn(50)
    action[action == 2] = 1  # one that never occurs
    rows = module._by_action(CATALOG, X, action, reward, weight)
    assert [part.stop - part.start for part in rows.parts] == np.bincount(action, minlength=K).tolist()
    order = np.argsort(action, kind="stable")
    assert rows.phi == pytest.approx(np.c_[np.ones(50), X][order])
    assert (rows.reward.tolist(), rows.weight.tolist()) == (reward[order].tolist(), weight[order].tolist())
    found = rows.statistics(rows.reward, rows.weight)
    wanted = RidgeStatistics.zeros(CATALOG, 3)
    wanted.add(X, action, reward, weight)
    for name in ("gram", "moment", "square", "count"):
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-5, abs=1e-5), name


def test_without_a_start_the_log_odds_begin_at_the_smoothed_mean(monkeypatch):
    monkeypatch.setattr(module, "NEWTON_STEPS", 0)
    X, action, reward, weight = drawn(60)
    rows = module._by_action(CATALOG, X, action, reward, weight)
    start = module._logistic(CATALOG, rows, 1.0, None)
    rate = (weight @ reward + 0.5) / (weight.sum() + 1.0)
    assert start[0] == pytest.approx(np.full(K, logit(rate)))
    assert not start[1:].any()


def test_a_sample_s_ridge_is_the_ridge():
    X, action, reward, weight = drawn()
    stats = RidgeStatistics.zeros(CATALOG, 3)
    stats.add(X, action, reward, weight)
    assert Linear(CATALOG, X, action, reward, weight).predict(X) == pytest.approx(
        fit_ridge(stats, CATALOG, l2=None).predict(X)
    )


def test_calibration_is_isotonic_on_customers_the_model_has_not_seen():
    X, action, reward, weight = drawn()
    late = np.arange(900) % 5 == 0
    model = Calibrated(Linear, CATALOG, X, action, reward, weight, late)
    plain = Linear(CATALOG, X[~late], action[~late], reward[~late], weight[~late])
    own = plain.predict(X[late])[np.arange(late.sum()), action[late]].astype(float)
    line = IsotonicRegression(out_of_bounds="clip").fit(own, reward[late], sample_weight=weight[late])
    assert model.predict(X) == pytest.approx(line.predict(plain.predict(X).astype(float).ravel()).reshape(900, K))
    assert model.predict(X[:0]).shape == (0, K)
    never = Calibrated(Linear, CATALOG, X, action, reward, weight, np.zeros(900, dtype=bool))
    assert never.predict(X) == pytest.approx(Linear(CATALOG, X, action, reward, weight).predict(X))
    silent = Calibrated(Linear, CATALOG, X, action, reward, np.where(late, 0.0, weight), late)
    assert silent.predict(X) == pytest.approx(plain.predict(X))


@pytest.mark.parametrize("name", ["calibrated_ridge", "logistic"])
def test_each_fold_is_predicted_by_what_has_not_seen_it(name):
    log, (low, high) = make_log(600, rows=2), (0.0, 1.0)
    found = reward_model(name, log, (low, high), 3, 4)
    fold = folds_of(log.customers, 3, 4)[log.customer]
    X, late = log.context.encode(), (uniform(customer_keys(log.customers), 4, 0, Purpose.FOLD, k=2) < 0.2)[log.customer]
    wanted = np.empty((600, K))
    for f in range(3):
        m = fold != f
        args = (CATALOG, X[m], log.action[m], log.reward[m], np.ones(m.sum()))
        model = Calibrated(Linear, *args, late[m]) if name.startswith("calibrated") else Logistic(*args)
        wanted[fold == f] = np.clip(model.predict(X[fold == f]), 0, 1)
    assert found.predict(slice(0, 600)) == pytest.approx(wanted, abs=1e-5)
    assert found.predict(slice(100, 140)) == pytest.approx(wanted[100:140], abs=1e-5)
    assert found.rows_used == 600


def test_rewards_in_another_range_are_scaled_there_and_back():
    log = make_log(600)
    other = replace(log, reward=log.reward * 4.0 - 1.0)
    usual = reward_model("calibrated_ridge", log, (0.0, 1.0), 3, 0).predict(slice(0, 600))
    found = reward_model("calibrated_ridge", other, (-1.0, 3.0), 3, 0).predict(slice(0, 600))
    assert found == pytest.approx(4.0 * usual - 1.0, abs=1e-4)
    flat = reward_model("calibrated_ridge", replace(log, reward=np.full(600, 2.0)), (2.0, 2.0), 3, 0)
    assert flat.predict(slice(0, 600)) == pytest.approx(np.full((600, K), 2.0))


def test_models_by_name_and_how_many_rows_they_read():
    log = make_log(900, rows=3)
    assert isinstance(reward_model("ridge", log, (0.0, 1.0), 3, 0), CrossFitted)
    some = reward_model("calibrated_ridge", log, (0.0, 1.0), 3, 0, rows=300)
    kept = capped(log, 300, 0)
    assert some.rows_used == len(kept)
    assert 200 < len(kept) < 400
    assert len(np.unique(log.customer[kept])) * 3 == len(kept)  # customers whole
    assert capped(log, 900, 0).tolist() == list(range(900))
    with pytest.raises(UnknownName, match="Did you mean 'boosting'"):
        reward_model("bosting", log, (0.0, 1.0), 3, 0)


def test_predictions_that_are_given_are_checked():
    log = make_log(30)
    q = np.random.default_rng(0).random((30, K))
    assert np.array_equal(GivenPredictions(q, log).predict(slice(3, 9)), q[3:9])
    for wrong in (q[:29], q[:, :3], np.where(q > 0.5, np.nan, q)):
        with pytest.raises(Exception, match="q"):
            GivenPredictions(wrong, log)


def test_the_prior_is_the_one_under_which_a_left_out_fifth_is_likeliest(monkeypatch):
    """Every fifth row is left out; with many rows as many are asked as keep the choice cheap."""
    monkeypatch.setattr(module, "CHOICE_ROWS", 40)
    picked = set()
    for seed in range(6):
        X, action, reward, weight = drawn(130, seed)
        some = np.arange(0, 130, 3)  # 130 // 40
        out = np.arange(len(some)) % 5 == 4
        seen, left = (
            module._by_action(CATALOG, X[m], action[m], reward[m], weight[m]) for m in (some[~out], some[out])
        )
        fits = {l2: module._logistic(CATALOG, seen, l2, None) for l2 in module.L2_GRID}
        best = min(fits, key=lambda l2: module._log_loss(fits[l2], left))
        whole = module._logistic(CATALOG, module._by_action(CATALOG, X, action, reward, weight), best, fits[best])
        found = Logistic(CATALOG, X, action, reward, weight)
        assert found.predict(X) == pytest.approx(expit(module._log_odds(X, whole)), abs=2e-3)
        picked.add(best)
    assert len(picked) > 1


def test_sums_of_a_ridge_by_action_are_those_of_a_loop():
    X, action, reward, weight = drawn(60)
    rows = module._by_action(CATALOG, X, action, reward, weight)
    order = np.argsort(action, kind="stable")
    target, w = np.random.default_rng(1).normal(size=60), weight[order]
    found = rows.statistics(target, w)
    for a in range(K):
        mine = [i for i in range(60) if action[order[i]] == a]
        phi = rows.phi[mine]
        assert found.gram[a] == pytest.approx(
            sum(w[i] * np.outer(f, f) for i, f in zip(mine, phi, strict=True)), rel=1e-4
        )
        assert found.moment[a] == pytest.approx(
            sum(w[i] * target[i] * f for i, f in zip(mine, phi, strict=True)), rel=1e-4
        )
        assert found.square[a] == pytest.approx(sum(w[i] * target[i] ** 2 for i in mine))
        assert found.count[a] == pytest.approx(sum(w[i] for i in mine))
