"""Whole episodes by hand: how far a log lasts, at every threshold; fitted Q and ratios of states by plain loops."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from test_ope_log import K, make_log
from tests.test_ope_sequential_log import chain, wanted

import campaignrl as crl
from campaignrl.errors import DataError, UsageError
from campaignrl.ope.data.states import states
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.episodes.evaluate import _facts, _refusal, _unknown_outcomes, evaluate_episodes
from campaignrl.ope.episodes.intervals import IntervalOptions, difference, mean_point
from campaignrl.ope.episodes.return_distribution import distribution_of
from campaignrl.ope.episodes.support_horizon import EpisodeFigures, Step, _end, curve_of, judged, lasting_steps
from campaignrl.ope.estimators import effective_sample_size, sequential
from campaignrl.ope.intervals.clustered import Clusters, clustered_t
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.ope.nuisance.density_ratios import state_ratios
from campaignrl.ope.nuisance.fqe import Behaviour, _bounded, _usable, fitted_q
from campaignrl.ope.nuisance.logging_policy import logging_policy, propensities_unknown, wants_estimate
from campaignrl.ope.nuisance.propensity_model import (
    PENALTY,
    CalibrationBin,
    EstimatedPropensities,
    Multinomial,
    calibration_gap,
    floor_of,
)
from campaignrl.ope.nuisance.q_models import JointRidge

STEP = Step(1, 1.0, 5000, 2000.0, math.nan, 0.001, 1.0)
SOUND = EpisodeFigures(customers=5000, off_support=0.0, mean_weight=1.0, mean_weight_p=0.5, ended=0.0, model_asked=True)


# ---- how far a log lasts


def test_the_curve_is_of_customers_who_had_a_choice():
    chance = np.random.default_rng(0)
    W, marginal = chance.lognormal(0, 0.4, (30, 3)), chance.lognormal(0, 0.3, (30, 3))
    going, choice = chance.random((30, 3)) < 0.8, chance.random((30, 3)) < 0.3
    choice[:, 0] = False
    curve = curve_of(W, marginal, going, choice)
    for t, step in enumerate(curve):
        here = choice[:, : t + 1].any(axis=1)
        count = here.sum()
        here = here if count else np.ones(30, dtype=bool)
        assert (step.step, step.choosing) == (t + 1, count)
        assert step.going_on == pytest.approx(going[:, t].mean())
        assert step.ess == pytest.approx(effective_sample_size(W[here, t]))
        assert step.ess_marginal == pytest.approx(effective_sample_size(marginal[here, t]))
        assert step.max_weight_share == pytest.approx(W[here, t].max() / W[here, t].sum())
        assert step.mean_weight == pytest.approx(W[here, t].mean())
    assert math.isnan(curve_of(W, None, going, choice)[0].ess_marginal)


@pytest.mark.parametrize(
    ("changes", "lasts"),
    [
        ({"ess": 100.0, "mean_weight": 1.0}, True),
        ({"ess": 99.9}, False),
        ({"ess": 40.0, "choosing": 40}, True),
        ({"ess": 39.9, "choosing": 40}, False),
        ({"ess": 1.0, "choosing": 0}, True),
        ({"ess": 0.9, "choosing": 0}, False),
        ({"max_weight_share": 0.2}, True),
        ({"max_weight_share": 0.201}, False),
        ({"mean_weight": 0.9001}, True),
        ({"mean_weight": 0.8999}, False),
        ({"mean_weight": 1.0999}, True),
        ({"mean_weight": 1.1001}, False),
        ({"ess": 400.0, "mean_weight": 1.0 - 3.29 / 20}, True),
        ({"ess": 400.0, "mean_weight": 1.0 - 3.31 / 20}, False),
        ({"ess": math.nan}, False),
    ],
)
def test_a_step_lasts_up_to_its_thresholds(changes, lasts):
    curve = (STEP, STEP._replace(step=2, **changes), STEP._replace(step=3))
    assert lasting_steps(curve) == (3 if lasts else 1)


def test_ratios_of_states_ask_for_their_own_size_alone():
    curve = (STEP._replace(ess_marginal=100.0, ess=1.0, max_weight_share=0.9), STEP._replace(step=2, ess_marginal=99.0))
    assert lasting_steps(curve, marginal=True) == 1
    assert lasting_steps(curve) == 0
    assert lasting_steps(()) == 0


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "trust", ""),
        ({"customers": 50}, "trust", ""),
        ({"customers": 49}, "caution", "only 49 customers: too few to tell how customers differ."),
        ({"customers": 30}, "caution", "only 30 customers"),
        ({"customers": 29}, "refuse", "only 29 customers"),
        ({"mean_weight": 1.5, "mean_weight_p": 0.001}, "trust", ""),
        ({"mean_weight": 1.05, "mean_weight_p": 0.0009}, "caution", "a decision is 1.050 where it should be 1"),
        ({"mean_weight": 0.89, "mean_weight_p": 0.0009}, "refuse", "a decision is 0.890"),
        ({"off_support": 1e-9}, "trust", ""),
        ({"off_support": 0.01}, "caution", "1.00% of what this policy would do was never tried"),
        ({"off_support": 0.0101}, "refuse", "1.01%"),
        ({"ended": 0.2}, "trust", ""),
        ({"ended": 0.21}, "caution", "21% of the episodes are over before the horizon"),
        ({"learned_from": 0.5}, "caution", "about 50% of these customers"),
    ],
)
def test_verdicts_of_episodes_at_their_thresholds(changes, verdict, text):
    found, reasons = judged((STEP,), SOUND._replace(**changes))
    assert found == verdict
    assert text in " ".join(reasons)
    assert bool(reasons) is bool(text)


@pytest.mark.parametrize(
    ("last", "verdict", "text"),
    [
        ({"ess": 1000.0, "max_weight_share": 0.05}, "trust", ""),
        (
            {"ess": 999.0},
            "caution",
            "about 999 of 5,000 customers carry the last of 2 steps (at least 1,000 are wanted).",
        ),
        ({"max_weight_share": 0.051}, "caution", "about 2,000 of 5,000 customers carry the last of 2 steps"),
        (
            {"ess": 9.96},
            "refuse",
            "at step 2 of 2 the effective sample size is 10.0 of 5,000 customers with a choice: the log can follow "
            "this policy up to horizon=1. From step 2 on fqe and wdr lean on the model alone.",
        ),
        (
            {"ess": 0.0},
            "refuse",
            "at step 2 of 2 none of 5,000 customers with a choice still does what the policy would",
        ),
        (
            {"mean_weight": 0.5},
            "refuse",
            "at step 2 of 2 the weights add up to 50% of what they should: those on the policy's way are missing",
        ),
    ],
)
def test_where_a_log_runs_out_in_words(last, verdict, text):
    found, reasons = judged((STEP, STEP._replace(step=2, **last)), SOUND)
    assert found == verdict
    assert text in " ".join(reasons)
    if verdict == "refuse":
        _, reasons = judged((STEP._replace(**last), STEP._replace(step=2)), SOUND._replace(model_asked=False))
        assert "for no step; ask about a policy closer to the logged one." in reasons[0]
        assert "lean on the model" not in reasons[0]
    assert "is 10 of" in _end(STEP._replace(ess=10.0, max_weight_share=0.3), 3)
    assert "sample size is" in _end(STEP._replace(ess=100.0, max_weight_share=0.21), 3)
    assert "add up to" in _end(STEP._replace(ess=100.0, max_weight_share=0.2), 3)


# ---- returns


def test_quantiles_and_the_worst_part_of_returns():
    found = distribution_of(np.array([3.0, 1.0, 2.0, 1.0]), np.array([1.0, 1.0, 2.0, 1.0]))
    assert found.value.tolist() == [1.0, 2.0, 3.0]
    assert found.reached == pytest.approx([0.4, 0.8, 1.0])
    assert found.mean == pytest.approx(1.8)
    assert [found.quantile(s) for s in (0.1, 0.4, 0.41, 0.8, 0.81, 1.0)] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert found.cvar(1.0) == pytest.approx(1.8)
    assert found.cvar(0.4) == pytest.approx(1.0)
    assert found.cvar(0.6) == pytest.approx((0.4 + 0.2 * 2) / 0.6)
    for share in (0.0, -0.1, 1.01):
        with pytest.raises(UsageError, match="share"):
            found.cvar(share)


def test_a_difference_of_episodes_is_paired_by_customer():
    a, b = np.random.default_rng(0).normal(size=(2, 40))
    made = difference(
        lambda rows: mean_point(a if rows is None else a[rows]),
        lambda rows: mean_point(b if rows is None else b[rows]),
        IntervalOptions("t", 0.1, 0),
        40,
    )
    assert made[:4] == pytest.approx(clustered_t(mean_point(a - b), Clusters(np.arange(40)), 0.1)[:4])
    assert made.interval == "customer t"
    drawn = difference(
        lambda rows: mean_point(a if rows is None else a[rows]),
        lambda rows: mean_point(b if rows is None else b[rows]),
        IntervalOptions("bootstrap", 0.1, 0),
        40,
    )
    assert drawn.interval == "bootstrap over customers"
    assert drawn[:2] == made[:2]
    assert drawn[2:4] != made[2:4]


def test_figures_of_the_last_step():
    log = make_log(600, rows=2, day=np.tile([0, 9], 300))
    found = evaluate_episodes(log, "logged", discount=0.5)
    returns = log.reward[::2] + 0.5 * log.reward[1::2]
    assert found.logged_value == pytest.approx(returns.mean())
    assert (found.horizon, found.discount, found.n, found.customers, found.lasting) == (2, 0.5, 600, 300, 2)
    assert [share for share, _ in found.quantiles] == [0.1, 0.5, 0.9]
    assert [value for _, value in found.quantiles] == [
        distribution_of(returns, np.ones(300)).quantile(s) for s in (0.1, 0.5, 0.9)
    ]
    assert found.worst_tenth == pytest.approx(distribution_of(returns, np.ones(300)).cvar(0.1))
    assert (found.lift, found.lift_by) == (pytest.approx(0.0, abs=1e-12), "wdr")
    assert found.estimates["pdis"].value == pytest.approx(returns.mean())
    for words in ({"discount": 0.0}, {"discount": 1.01}, {"model": "forest"}, {"interval": "betting"}):
        with pytest.raises(UsageError, match=next(iter(words))):
            evaluate_episodes(log, "logged", **words)


# ---- fitted Q


def test_what_a_policy_is_worth_at_a_row():
    q = np.random.default_rng(0).random((5, K)).astype(np.float32)
    action, p = np.array([0, 1, 2, 3, 1]), np.random.default_rng(1).dirichlet(np.ones(K), 9).astype(np.float32)
    rows = np.array([8, 0, 3, 5, 2])
    logged = q[np.arange(5), action]
    assert Behaviour(None).value(q, action, rows) == pytest.approx(logged)
    wanted = (p[rows] * q).sum(axis=1)
    assert Behaviour(p).value(q, action, rows) == pytest.approx(wanted)
    assert Behaviour(p, 0.25).value(q, action, rows) == pytest.approx(0.25 * wanted + 0.75 * logged)


def test_q_stays_within_what_the_steps_to_go_can_earn():
    q = np.array([[-9.0, 0.5, 9.0]], dtype=np.float32)
    assert _bounded(q.copy(), (-1.0, 2.0), 1.5).tolist() == [[-1.5, 0.5, 3.0]]


def test_rows_that_may_be_learned_from():
    log = make_log(12, rows=3)
    log = replace(log, matured=np.arange(12) != 4)
    following = np.where(np.arange(12) % 3 < 2, np.arange(12) + 1, -1)
    learn = np.arange(3, 12)
    assert _usable(learn, log, following, 1, 2).tolist() == [7, 10]
    assert _usable(learn, log, following, None, 1).tolist() == [3, 5, 6, 7, 8, 9, 10, 11]
    assert _usable(learn, log, following, None, 2).tolist() == [3, 6, 7, 9, 10]  # the last step is cut off there
    short = replace(log, step=np.where(np.arange(12) >= 9, 0, log.step), customer=log.customer)
    ended = following.copy()
    ended[9] = -1
    assert 9 in _usable(learn, short, ended, None, 2).tolist()  # an episode that was shorter has ended


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("discount", [1.0, 0.7])
def test_q_is_fitted_backwards_from_the_last_step(apart, discount):
    log = make_log(900, rows=3, day=np.tile([0, 5, 9], 300))
    paths, folds, seed = trajectories(log), 3, 2
    p = np.tile(np.float32([0.1, 0.2, 0.6, 0.1]), (900, 1))
    found = fitted_q(log, paths, Behaviour(p), discount=discount, folds=folds, seed=seed, apart=apart)
    X, fold = states(log), folds_of(log.customers, folds, seed)[log.customer]
    for f in range(folds):
        learn, value, room = np.flatnonzero(fold != f), np.zeros(900), 0.0
        regression = JointRidge(X, log)
        for t in (2, 1, 0):
            room = 1.0 + discount * room
            rows = learn[log.step[learn] == t] if apart else learn
            if not apart and t < 2:
                rows = rows[log.step[rows] < 2]
            follows = np.where(log.step[rows] < 2, rows + 1, 0)
            target = log.reward[rows] + discount * np.where(log.step[rows] < 2, value[follows], 0.0)
            model = regression.fit(rows, target, 3 - t)
            held = np.flatnonzero((fold == f) & (log.step == t))
            q = np.clip(model(held), 0.0, room)
            at = log.customer[held]
            assert found.predicted[at, t] == pytest.approx(q[np.arange(len(held)), log.action[held]], abs=1e-5)
            assert found.expected[at, t] == pytest.approx((p[held] * q).sum(axis=1), abs=1e-5)
            needed = learn[log.step[learn] == t] if apart else learn
            value[needed] = (p[needed] * np.clip(model(needed), 0.0, room)).sum(axis=1)


def test_ratios_of_states_are_odds_of_a_classifier_of_the_other_folds():
    log = make_log(600, rows=3, day=np.tile([0, 5, 9], 200))
    paths, folds, seed = trajectories(log), 3, 1
    weight = np.random.default_rng(0).lognormal(-0.1, 0.5, (200, 3))
    found = state_ratios(log, paths, weight, folds, seed)
    X, fold = states(log), folds_of(log.customers, folds, seed)
    assert (found[:, 0] == 1).all()
    for t in (1, 2):
        carried, rows = found[:, t - 1] * weight[:, t - 1], paths.row[:, t]
        odds = np.empty(200)
        for f in range(folds):
            learn, held = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
            w = carried[learn] * (len(learn) / carried[learn].sum())
            model = LogisticRegression(C=1.0, max_iter=200)
            both = np.concatenate([X[rows[learn]], X[rows[learn]]])
            model.fit(both, np.repeat([0, 1], len(learn)), sample_weight=np.concatenate([np.ones(len(learn)), w]))
            odds[held] = np.exp(np.clip(model.decision_function(X[rows[held]]), -math.log(100), math.log(100)))
        assert found[:, t] == pytest.approx(odds * carried.mean() / odds.mean(), rel=1e-4)
    same = state_ratios(log, paths, np.ones((200, 3)), folds, seed)
    assert (same == 1).all()
    shorter = log.take(np.flatnonzero((log.customer != 5) | (log.step < 1)))
    ended = state_ratios(shorter, trajectories(shorter), weight, folds, seed)
    assert ended[5, 1:] == pytest.approx([weight[5, 0], weight[5, 0] * weight[5, 1]])


def test_estimators_of_episodes_agree_with_their_pure_functions():
    log = make_log(600, rows=2, day=np.tile([0, 9], 300))
    p = np.tile([0.25, 0.25, 0.3, 0.2], (600, 1))
    found = evaluate_episodes(log, p, estimators=("pdis", "wpdis"), discount=0.5)
    w = (p[np.arange(600), log.action] / log.propensity).reshape(300, 2)
    r = log.reward.reshape(300, 2)
    assert found.estimates["pdis"].value == pytest.approx(sequential.pdis(w, r, 0.5).value)
    assert found.estimates["wpdis"].value == pytest.approx(sequential.wpdis(w, r, 0.5).value)
    assert found.ess == pytest.approx(effective_sample_size(w.prod(axis=1)))
    half = evaluate_episodes(log, p, estimators=("pdis",), mix=0.5)
    assert half.estimates["pdis"].value == pytest.approx(sequential.pdis(0.5 + 0.5 * w, r).value)
    assert half.policy == "0.5 given probabilities + 0.5 logged"
    assert found.policy == "given probabilities"


# ---- propensities


def test_a_multinomial_model_knows_what_it_has_not_seen():
    X, action = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3
    action = np.where(action == 1, 3, action)  # of four actions the second never occurs
    model = Multinomial(X, action, 4)
    fitted = LogisticRegression(max_iter=300, C=PENALTY).fit(X, action).predict_proba(X)
    share = np.bincount(action, minlength=4) / 60
    wanted = np.tile(share, (60, 1)) * (1 / 61)
    wanted[:, [0, 2, 3]] += (1 - 1 / 61) * fitted
    assert model.probabilities(X) == pytest.approx(wanted)
    assert Multinomial(X, np.ones(60, dtype=int), 4).probabilities(X[:2]).tolist() == [[0, 1, 0, 0]] * 2
    assert Multinomial(X[:1], action[:1], 4).probabilities(X[:1])[0].sum() == 1.0
    assert Multinomial(X[:, :0], action, 4).probabilities(X[:1, :0])[0] == pytest.approx(share)
    assert not Multinomial(X[:0], action[:0], 4).probabilities(X[:1]).any()


def test_an_action_that_was_never_taken_has_a_chance_whose_inverse_is_a_number():
    log = make_log(300, rows=2)
    log = replace(log, action=np.where(log.action == 2, 1, log.action))
    found = EstimatedPropensities(log, 3, 1)
    never = found.probabilities(slice(0, 300))[:, 2]
    assert (never > 0.0).all()
    assert (never < 1e-290).all()
    assert np.isfinite(1.0 / never).all()


def test_estimated_propensities_are_of_models_that_have_not_seen_the_customer():
    log = make_log(300, rows=2, eligible=True)
    found = EstimatedPropensities(log, 3, 1)
    fold, X = folds_of(log.customers, 3, 1)[log.customer], found.features.take(slice(0, 300))
    wanted = np.zeros((300, K))
    for f in range(3):
        wanted[fold == f] = Multinomial(X[fold != f], log.action[fold != f], K).probabilities(X[fold == f])
    wanted = np.maximum(wanted, floor_of(300, K))
    wanted *= log.eligible
    wanted /= wanted.sum(axis=1, keepdims=True)
    assert found.probabilities(slice(0, 300)) == pytest.approx(wanted)
    assert found.of_logged() == pytest.approx(wanted[np.arange(300), log.action])
    assert found.rows_used == 300
    for bins in (10, 4):
        curve = {}
        for i in range(300):
            for a in np.flatnonzero(log.eligible[i]):
                curve.setdefault(min(int(wanted[i, a] * bins), bins - 1), []).append((wanted[i, a], log.action[i] == a))
        parts = found.calibration() if bins == 10 else found.calibration(bins)
        assert [b.pairs for b in parts] == [len(curve[b]) for b in sorted(curve)]
        for part, b in zip(parts, sorted(curve), strict=True):
            assert part[:2] == pytest.approx(np.mean(curve[b], axis=0))
    gap = calibration_gap((CalibrationBin(0.2, 0.3, 10), CalibrationBin(0.8, 0.7, 30)))
    assert gap == pytest.approx(0.1)
    assert calibration_gap((CalibrationBin(0.2, 0.3, 10), CalibrationBin(0.8, 0.8, 30))) == pytest.approx(0.025)


def test_a_logging_policy_that_the_propensities_show():
    log = make_log(60, eligible=True)
    uniform = replace(log, propensity=1.0 / log.eligible.sum(axis=1))
    found = logging_policy(None, uniform, None)
    assert found.name == "uniform, as the propensities show"
    assert found.answer(slice(3, 9)) == pytest.approx((log.eligible / log.eligible.sum(axis=1, keepdims=True))[3:9])
    for off, near in ((0.9e-9, True), (2e-9, False)):
        moved = replace(uniform, propensity=uniform.propensity * (1 + off * (np.arange(60) == 7)))
        assert (logging_policy(None, moved, None) is not None) is near
    design = np.array([0.4, 0.3, 0.2, 0.1])
    fixed = replace(make_log(60), propensity=design[make_log(60).action])
    by_action = logging_policy(None, fixed, None)
    assert by_action.name == "by action, as the propensities show"
    assert by_action.answer(slice(0, 2)) == pytest.approx(np.tile(design, (2, 1)))
    for off, near in ((0.9e-6, True), (-0.9e-6, True), (1.2e-6, False), (-1.2e-6, False)):  # of their sum
        moved = replace(fixed, propensity=fixed.propensity * (1 + off))
        assert (logging_policy(None, moved, None) is not None) is near
    barred = replace(
        fixed,
        eligible=np.where(np.arange(60)[:, None] == fixed.action.argmin(), np.eye(4, dtype=bool)[fixed.action], True),
    )
    assert logging_policy(None, barred, None) is None
    given = np.tile(design, (60, 1))
    assert logging_policy(given, fixed, None).name == "given probabilities"
    for off, near in ((0.9e-3, True), (1.1e-3, False)):
        moved = replace(fixed, propensity=fixed.propensity * (1 + off * (np.arange(60) == 7)))
        if near:
            logging_policy(given, moved, None)
        else:
            with pytest.raises(DataError, match="row 7"):
                logging_policy(given, moved, None)
    estimated = EstimatedPropensities(log, 3, 0)
    assert logging_policy(None, uniform, estimated).name == "estimated from the log"
    assert [wants_estimate(g, log) for g in (None, "estimate", "logged")] == [False, True, False]
    unknown = replace(log, meta={"propensity_from": "estimate"})
    assert wants_estimate(None, unknown)
    assert (propensities_unknown(unknown), propensities_unknown(log)) == (True, False)


def test_trees_have_the_settings_that_the_docs_name():
    """Sixty trees of at most fifteen leaves of fifty rows, the action one category."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    from campaignrl.ope.nuisance.q_models import Boosting

    log = make_log(1500)
    X, rows = states(log), np.arange(1400)
    target = log.reward + X[:, 0]
    found = Boosting(X, log).fit(rows, target[rows], 1)(np.arange(1400, 1500))
    model = HistGradientBoostingRegressor(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=50, categorical_features=[X.shape[1]], random_state=0
    )
    model.fit(np.column_stack([X[rows], log.action[rows]]), target[rows])
    wanted = [model.predict(np.column_stack([X[1400:], np.full(100, a)])) for a in range(K)]
    assert found == pytest.approx(np.stack(wanted, axis=1), rel=1e-6)


def test_a_log_of_a_bundled_policy_knows_its_logging_policy():
    log = crl.simulate("coupon_trap", "rules_coupon_trap", customers=40, seed=1)
    found = logging_policy(None, log, None)
    assert found.name == log.policy_id == "rules_coupon_trap"
    rows = np.arange(len(log))
    assert found.answer(slice(0, len(log)))[rows, log.action] == pytest.approx(log.propensity, rel=1e-3)
    other = replace(log, propensity=np.where(rows == rows[-1], log.propensity / 2, log.propensity))
    assert logging_policy(None, other, None) is None
    assert logging_policy(None, replace(log, meta={**log.meta, "policy_id": "nobody"}), None) is None


def test_the_penalty_is_chosen_anew_every_tenth_step_and_kept_in_between(monkeypatch):
    from campaignrl.ope.nuisance import q_models

    asked = []
    usual = q_models._Ridges.coefficients

    def look(self, target, choose):
        asked.append(choose)
        return usual(self, target, choose)

    monkeypatch.setattr(q_models._Ridges, "coefficients", look)
    log = make_log(200, eligible=True)
    X, rows = states(log), np.arange(200)
    for kind in (q_models.JointRidge, q_models.ContrastRidge):
        asked.clear()
        regression = kind(X, log)
        for steps in (1, 9, 10, 11, 20):
            regression.fit(rows, log.reward, steps)
        assert asked == [False, False, True, False, True]


def test_steps_have_models_of_their_own_where_each_has_rows_enough(monkeypatch):
    from campaignrl.ope.nuisance import fqe

    log = make_log(90, rows=3).take(np.flatnonzero(np.arange(90) < 88))  # 30, 29 and 29 rows of the three steps
    for each, apart in ((7, True), (8, False)):  # times four actions
        monkeypatch.setattr(fqe, "APART", each)
        assert fqe._rows_for_each_step(log, trajectories(log)) is apart


# ---- facts of an answer


def test_what_is_known_before_anything_is_estimated():
    log = chain(n=60, ends=0.4)
    paths = trajectories(log)
    names = SimpleNamespace(name="mine"), SimpleNamespace(name="logged")
    found = _facts(log, paths, names, discount=0.9, mix=1.0, alpha=0.1)
    earned = np.zeros(60)
    np.add.at(earned, log.customer, log.reward * 0.9**log.step)
    assert found["logged_value"] == pytest.approx(earned.mean())
    assert (found["n"], found["customers"], found["horizon"], found["dropped"]) == (len(log), 60, paths.steps, 0)
    assert found["reward_range"] == (log.reward.min(), log.reward.max())
    assert (found["policy"], found["reference"], found["reward"]) == ("mine", "logged", "reward")
    assert _facts(log, paths, names, discount=0.9, mix=0.6, alpha=0.1)["policy"] == "0.6 mine + 0.4 logged"
    short = trajectories(log, 1)
    first = _facts(log, short, names, discount=0.9, mix=1.0, alpha=0.1)
    assert (first["n"], first["logged_value"]) == (60, pytest.approx(log.reward[log.step == 0].mean()))


def test_a_refusal_has_no_figure_at_all():
    log = chain(n=60, ends=0.4)
    names = SimpleNamespace(name="mine"), SimpleNamespace(name="logged")
    facts = _facts(log, trajectories(log), names, discount=1.0, mix=1.0, alpha=0.1)
    found = _refusal(facts, ("pdis", "fqe"), "for a reason")
    assert (found.verdict, found.reasons, found.lift_by) == ("refuse", ("for a reason",), "none")
    assert (found.lasting, found.quantiles, found.curve, found.n) == (0, (), (), len(log))
    figures = (found.logged_value, found.ess, found.mean_weight, found.lift, found.lift_ci_low, found.worst_tenth)
    assert all(math.isnan(one) for one in figures)
    assert list(found.estimates) == ["pdis", "fqe"]
    assert all(math.isnan(one.value) for one in found.estimates.values())


def test_outcomes_must_be_known_up_to_the_horizon():
    log = chain(n=60)
    late = replace(log, matured=log.step < 2)
    assert _unknown_outcomes(late, trajectories(late, 2)) is None
    said = "outcomes from step 3 on are not all known yet. Ask for horizon=2."
    assert _unknown_outcomes(late, trajectories(late, 3)) == said
    refused = evaluate_episodes(late, wanted(late), estimators=("pdis",), horizon=3)
    assert (refused.verdict, refused.reasons[0]) == ("refuse", said)
    none = replace(log, matured=np.zeros(len(log), dtype=bool))
    assert _unknown_outcomes(none, trajectories(none, 1)).endswith(
        "from step 1 on are not all known yet. Evaluate it later."
    )
