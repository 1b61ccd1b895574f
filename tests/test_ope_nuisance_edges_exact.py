"""Models that an evaluation leans on at their edges: settings, rows that are few or light, chances that are known."""

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.linear_model
from test_ope_edges_exact import evidence_of
from test_ope_estimated_propensities import known
from test_ope_log import CATALOG, SCHEMA, K, make_log
from test_ope_sequential_log import chain

from campaignrl.features import Context
from campaignrl.ope import estimated_propensities
from campaignrl.ope.data.states import states
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.intervals import REGRESSION_T, Estimate
from campaignrl.ope.nuisance import fqe, logging_policy, pooled_loggers, propensity_features, reward_models
from campaignrl.ope.nuisance.cross_fitting import capped
from campaignrl.ope.nuisance.density_ratios import _odds
from campaignrl.ope.nuisance.few_states import few_states
from campaignrl.ope.nuisance.minimax_ratios import _counted, _linear, minimax_ratios
from campaignrl.ope.nuisance.propensity_features import Columns
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities, Multinomial, floor_of
from campaignrl.ope.nuisance.q_models import REFRESH, ContrastRidge, JointRidge, _Ridges
from campaignrl.ope.nuisance.q_models import Boosting as BoostedQ
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.offline import BASELINE_L2, PENALTIES, products
from campaignrl.rng import Purpose, customer_keys, uniform

# ---- regressions of fitted Q


def test_the_evidence_of_a_penalty_is_that_of_a_ridge_of_the_targets_of_now():
    log, chance = make_log(300, rows=2), np.random.default_rng(0)
    X, rows = states(log), np.arange(0, 300, 2)
    ridges = _Ridges(X, log, rows, (0.3, 30.0))
    for scale in (1.0, 0.02):  # of which the latter leaves less than one pseudo-observation
        target = scale * (chance.normal(size=150) + 2.0 * (log.action[rows] == 2))
        found = ridges.coefficients(target, True)
        stats = RidgeStatistics.zeros(CATALOG, X.shape[1])
        stats.add(X[rows], log.action[rows], target)
        wanted = [fit_ridge(stats, CATALOG, l2) for l2 in (0.3, 30.0)]
        assert [ridges._evidence(model) for model in ridges._models] == pytest.approx(
            [model.log_evidence for model in wanted], abs=1e-2
        )
        best = max(wanted, key=lambda model: model.log_evidence)
        assert found == pytest.approx(best.coefficients, abs=1e-4)


@pytest.mark.parametrize("masked", [True, False])
def test_a_baseline_and_contrasts_by_their_equations(masked):
    log, chance = make_log(400, rows=2), np.random.default_rng(1)
    alone, pair = (np.arange(400) % 3 == 0) & masked, (np.arange(400) % 5 == 0) & masked
    eligible = np.ones((400, K), dtype=bool)
    eligible[pair, 2:] = False  # a choice of two is one
    eligible[alone, 1:] = False
    action = np.where(pair & (log.action > 1), 1, np.where(alone, 0, log.action))
    log = replace(log, eligible=eligible if masked else None, action=np.where(alone, 0, action))
    X, width, rows = states(log), log.context.schema.width, np.arange(0, 400, 3)
    Z = np.c_[products(X[:, :width], log.context.schema), X[:, width:], ~alone].astype(np.float64)
    target = X[rows, 0] + 0.5 * (log.action[rows] == 2) + 0.3 * chance.normal(size=len(rows))
    baseline = np.linalg.solve(Z[rows].T @ Z[rows] + BASELINE_L2 * np.eye(Z.shape[1]), Z[rows].T @ target)
    free = ~alone[rows]
    stats = RidgeStatistics.zeros(CATALOG, X.shape[1])
    stats.add(X[rows[free]], log.action[rows[free]], (target - Z[rows] @ baseline)[free])
    model = max((fit_ridge(stats, CATALOG, l2) for l2 in PENALTIES), key=lambda each: each.log_evidence)
    wanted = (Z @ baseline)[:, None] + ~alone[:, None] * (with_intercept(X) @ model.coefficients)
    found = ContrastRidge(X, log).fit(rows, target, REFRESH)(np.arange(400))
    assert found == pytest.approx(wanted, abs=2e-3)


# ---- models of rewards


class Trees:
    """What scikit-learn's are asked for."""

    made = ()

    def __init__(self, **settings):
        self.settings = settings
        type(self).made = self

    def fit(self, X, reward, sample_weight=None):
        self.fitted = X, reward, sample_weight
        return self


class Classifier(Trees):
    def predict_proba(self, X):
        return np.stack([np.zeros(len(X)), X.sum(axis=1)], axis=1)


class Regressor(Trees):
    def predict(self, X):
        return 10.0 * X.sum(axis=1)


@pytest.mark.parametrize(("ones", "stops"), [(49, False), (50, True), (70, True), (71, False)])
def test_trees_are_asked_for_actions_offers_and_channels_and_stop_early_where_both_outcomes_are_many(
    ones, stops, monkeypatch
):
    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingClassifier", Classifier)
    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", Regressor)
    chance = np.random.default_rng(0)
    X, action, weight = chance.random((120, 2)).astype(np.float32), np.arange(120) % K, chance.random(120)
    reward = (np.arange(120) < ones) * 1.0
    codes = np.array([[0, 0, 0], [1, 1, 1], [2, 2, 1], [3, 2, 2]])
    model = reward_models.Boosting(CATALOG, X, action, reward, weight)
    made = Classifier.made
    assert made.settings == {
        **reward_models.TREES, "early_stopping": stops, "max_iter": 300 if stops else 30,
        "categorical_features": [2, 3, 4],
    }  # fmt: skip
    assert made.fitted[0] == pytest.approx(np.c_[X, codes[action]])
    assert (made.fitted[1].tolist(), made.fitted[2].tolist()) == (reward.tolist(), weight.tolist())
    assert model.predict(X) == pytest.approx(X.sum(axis=1)[:, None] + codes.sum(axis=1))
    amounts = reward_models.Boosting(CATALOG, X, action, np.where(reward > 0, 0.5, reward), weight)
    assert (Regressor.made.settings["early_stopping"], Regressor.made.settings["max_iter"]) == (True, 300)
    assert amounts.predict(X) == pytest.approx(10.0 * (X.sum(axis=1)[:, None] + codes.sum(axis=1)), rel=1e-5)
    monkeypatch.setattr(reward_models, "MAX_LEVELS", 3)  # codes of actions reach to 3: too many for a category
    reward_models.Boosting(CATALOG, X, action, reward, weight)
    assert Classifier.made.settings["categorical_features"] == [3, 4]


def test_newton_s_steps_end_with_the_first_that_moves_nothing(monkeypatch):
    """By less than a ten-thousandth; what a row weighs is never below a millionth of what it counts."""
    seen = []
    places = [1.0, 0.0, 1.2e-4, 0.0, 1e-4, 1e-4, 9.0]

    def scripted(stats, catalog, l2):
        seen.append((stats, l2))
        moved = np.zeros((3, K))
        moved[0, 0] = places[len(seen) - 1]
        return SimpleNamespace(coefficients=moved)

    monkeypatch.setattr(reward_models, "fit_ridge", scripted)
    X, action = np.zeros((8, 2), dtype=np.float32), np.arange(8) % K
    rows = reward_models._by_action(CATALOG, X, action, np.arange(8) % 2 * 1.0, np.full(8, 3.0))
    sure = np.zeros((3, K))
    sure[0] = 20.0
    found = reward_models._logistic(CATALOG, rows, 0.7, sure)
    assert len(seen) == 6
    assert found[0, 0] == 1e-4
    assert {l2 for _, l2 in seen} == {0.7}
    assert seen[0][0].count == pytest.approx(np.full(K, 2 * 3.0 * 1e-6))
    assert seen[1][0].count[1] == pytest.approx(2 * 3.0 * 0.25)


def test_priors_are_tried_from_the_strongest_on_each_from_where_the_last_one_ended(monkeypatch):
    asked, many = [], []

    def scripted(catalog, rows, l2, start):
        asked.append((l2, start))
        many.append(len(rows.reward))
        return np.full((2, K), float(l2))

    monkeypatch.setattr(reward_models, "_logistic", scripted)
    monkeypatch.setattr(reward_models, "_log_loss", lambda coefficients, rows: abs(coefficients[0, 0] - L2[1]))
    L2 = sorted(reward_models.L2_GRID, reverse=True)
    X = np.zeros((40, 1), dtype=np.float32)
    reward_models.Logistic(CATALOG, X, np.arange(40) % K, np.arange(40) % 2 * 1.0, np.ones(40))
    assert [l2 for l2, _ in asked] == [*L2, L2[1]]
    assert asked[0][1] is None
    assert many == [32, 32, 32, 40]  # a fifth left out of all rows
    assert [start[0, 0] for _, start in asked[1:]] == [*L2[:-1], L2[1]]


# ---- classifiers and loggers


class Line:
    """What scikit-learn's regression is asked for; odds of one."""

    asked = ()

    def __init__(self, **settings):
        type(self).asked += (settings,)

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return np.zeros(len(X))

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1.0 / len(self.classes_))


def test_how_long_regressions_of_chances_and_of_states_may_take(monkeypatch):
    monkeypatch.setattr(sklearn.linear_model, "LogisticRegression", Line)
    monkeypatch.setattr(Line, "asked", ())
    X, weight = np.arange(12.0).reshape(6, 2), np.array([1.0, 2.0, 0.0, 1.0, 0.5, 3.0])
    assert _odds(X, weight, np.arange(6) % 2, 2) == pytest.approx(np.full(6, 1.25))
    Multinomial(X, np.arange(6) % 3, 4)
    assert Line.asked == ({"C": 1.0, "max_iter": 200},) * 2 + ({"max_iter": 300, "C": 1.0},)
    for action, columns in ((np.zeros(6, int), X), (np.arange(6) % 2, X[:, :0]), (np.zeros(0, int), X[:0])):
        model = Multinomial(columns, action, 3)
        shares = np.bincount(action, minlength=3) / max(len(action), 1)
        assert model.probabilities(columns[:2]).tolist() == [shares.tolist()] * len(columns[:2])
    assert len(Line.asked) == 3


@pytest.mark.parametrize(("off", "known"), [(0.9e-6, True), (1.2e-6, False), (-0.9e-6, True), (-1.2e-6, False)])
def test_probabilities_of_actions_add_up_to_one_up_to_a_millionth(off, known):
    action = np.arange(40) % 2
    log = make_log(40, action=action, propensity=np.where(action == 0, 0.4, 0.6 + off))
    assert (logging_policy._by_action(log) is not None) == known
    together = pooled_loggers._of_logged(log, log.allowed(), np.ones(40, dtype=bool))
    assert (together is not None) == known
    if known:
        assert together.tolist() == log.propensity.tolist()


# ---- columns that may have driven a choice


def test_columns_are_squared_where_there_are_one_to_sixteen():
    columns = Columns.of(make_log(40))
    for many, may in ((0, False), (1, True), (16, True), (17, False)):
        some = replace(columns, middle=np.zeros(many))
        assert some.may_be_squared is may
        assert some.squared_width == many + sum(range(many + 1))


def test_the_largest_waves_and_eighths_of_the_days(monkeypatch):
    monkeypatch.setattr(propensity_features, "MOST_WAVES", 2)
    wave = np.repeat([5, 3, 9, 7], [10, 30, 10, 14])
    columns = Columns.of(make_log(64, wave=wave, day=np.repeat(np.arange(8), 8)))
    assert columns.waves.tolist() == [3, 7]
    assert columns.edges.tolist() == [0, 1, 2, 3, 4, 5, 6]
    same = Columns.of(make_log(64, wave=np.full(64, 3), day=np.full(64, 5)))
    assert (len(same.waves), len(same.edges)) == (0, 0)
    assert same.plain(slice(0, 64)).shape == (64, SCHEMA.width)


def test_what_never_differs_has_a_spread_of_one_and_nobody_a_middle_of_nothing():
    tag = np.zeros(50, dtype=int)
    log = make_log(50)
    log = replace(log, context=Context(SCHEMA, {**log.context.columns, "tag": tag}))
    columns = Columns.of(log)
    X = log.context.encode().astype(float)
    flat = np.ptp(X, axis=0) == 0.0
    assert 0 < flat.sum() < len(flat)
    assert columns.spread[flat].tolist() == [1.0] * flat.sum()
    assert columns.spread[~flat] == pytest.approx(X.std(axis=0)[~flat])
    assert columns.middle == pytest.approx(X.mean(axis=0))
    nobody = Columns.of(log.take(np.zeros(0, dtype=int)))
    assert (nobody.middle.tolist(), nobody.spread.tolist()) == ([0.0] * X.shape[1], [1.0] * X.shape[1])


# ---- fitted Q and few states


@pytest.mark.parametrize(("least", "most"), [(2.0, 5.0), (-5.0, -2.0), (-1.0, 4.0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_q_is_held_to_what_the_steps_to_go_could_earn(least, most, sign, monkeypatch):
    """Nothing is among it, whatever was earned: an episode may be over."""
    log = make_log(60, rows=3, reward=np.linspace(least, most, 60))
    boundless = SimpleNamespace(
        fit=lambda rows, target, to_go: lambda at: np.full((len(at), K), sign * 1e6, dtype=np.float32)
    )
    monkeypatch.setitem(fqe._REGRESSIONS, "ridge", lambda X, log: boundless)
    found = fqe.fitted_q(log, trajectories(log), fqe.Behaviour(None), discount=0.5, folds=2)
    bound = max(most, 0.0) if sign > 0 else min(least, 0.0)
    for part in found:
        assert part == pytest.approx(np.tile([1.75 * bound, 1.5 * bound, bound], (20, 1)), rel=1e-6)


def test_customers_of_a_part_of_the_rows_are_drawn_by_id_alone():
    log = make_log(90, rows=3)
    kept = uniform(customer_keys(log.customers), 7, 0, Purpose.FOLD, k=1) < 40 / 90
    assert 0 < kept.sum() < 30
    assert capped(log, 40, 7).tolist() == [row for row in range(90) if kept[log.customer[row]]]
    assert capped(log, 90, 7).tolist() == list(range(90))


@pytest.mark.parametrize(("states_", "rows", "few"), [(2, 20, True), (2, 19, False), (1, 10, True), (1, 9, False)])
def test_states_are_few_from_ten_rows_of_each_on(states_, rows, few):
    log = make_log(rows, action=np.zeros(rows, dtype=int))
    log = replace(log, context=Context(SCHEMA, {"recency": np.ones(rows), "tag": np.arange(rows) % states_}))
    found = few_states(log, trajectories(log))
    assert (found is not None) == few
    if few:
        assert set(zip(found.tolist(), (np.arange(rows) % states_).tolist(), strict=True)) in (
            {(0, 0)}, {(0, 0), (1, 1)}, {(0, 1), (1, 0)}
        )  # fmt: skip


def test_the_first_rows_tell_whether_contexts_are_looked_at_at_all(monkeypatch):
    """Three states among the first twenty rows are too many for a glance, though there are rows enough of each."""
    monkeypatch.setattr(sys.modules[few_states.__module__], "GLANCE", 20)
    log, tag = make_log(200, action=np.zeros(200, dtype=int)), np.arange(200) % 2
    for third, few in ((range(0), True), (range(19, 20), False), (range(20, 40), True)):
        recency = np.isin(np.arange(200), third) * 9.0
        some = replace(log, context=Context(SCHEMA, {"recency": recency, "tag": np.where(recency > 0, 0, tag)}))
        assert (few_states(some, trajectories(some)) is not None) == few


# ---- the error of estimated propensities


@pytest.mark.parametrize(
    ("made", "ends"),
    [
        ((0.5, 0.1, 0.2, 0.9), (0.35, 0.35)),  # inside: both sides alike
        ((0.5, 0.1, 0.0, 0.9), (0.5, 0.4)),  # rewards end at 0
        ((0.5, 0.1, 0.2, 1.0), (0.3, 0.5)),
        ((0.5, 0.3, 0.4, 0.6), (0.588, 0.588)),  # never less than the standard error tells
    ],
)
def test_an_interval_is_widened_on_both_sides_and_stays_within_the_rewards(made, ends):
    z, variance = 1.959964, 0.0004
    rows = evidence_of(np.zeros(3), reward_range=(0.0, 1.0))
    found = estimated_propensities.wider(Estimate(*made, REGRESSION_T), variance, 0.05, rows)
    low, high = (math.sqrt(end**2 + z**2 * variance) for end in ends)
    assert found.ci_low == pytest.approx(max(0.5 - low, 0.0), abs=1e-4)
    assert found.ci_high == pytest.approx(min(0.5 + high, 1.0), abs=1e-4)
    other = estimated_propensities.wider(Estimate(*made, "t"), variance, 0.05, None)
    sides = [math.sqrt(max(side, z * made[1]) ** 2 + z**2 * variance) for side in (0.5 - made[2], made[3] - 0.5)]
    assert other[2:4] == pytest.approx((0.5 - sides[0], 0.5 + sides[1]))


def test_an_end_that_was_beyond_the_rewards_stays_where_it_was():
    rows = evidence_of(np.zeros(3), reward_range=(0.0, 1.0))
    for made, low, high in (((0.1, 0.1, -0.2, 0.4), -0.2, 0.5937), ((0.9, 0.1, 0.6, 1.2), 0.4063, 1.2)):
        found = estimated_propensities.wider(Estimate(*made, "t"), 0.04, 0.05, rows)
        assert found[2:4] == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize("logged", [True, False])
def test_what_moves_a_lift_are_the_weights_of_both_unless_one_is_the_logged_policy(logged, monkeypatch):
    asked = []
    stub = SimpleNamespace(variance=lambda pull: asked.append(pull) or 0.0)
    monkeypatch.setattr(estimated_propensities, "PropensityError", lambda *words: stub)
    log = make_log(4, meta={"propensity_from": "estimate"})
    first = evidence_of(
        np.array([1.0, 0.0, 1.0, 0.0]), weight=np.array([2.0, 1.0, 0.5, 3.0]), predicted=np.full(4, 0.25)
    )
    second = evidence_of(first.reward, weight=np.array([1.0, 1.0, 0.0, 2.0]), logged=logged)
    nothing = Estimate(0.1, 0.1, 0.0, 0.2, "t")
    figures = ({}, nothing)
    found = estimated_propensities.with_propensity_error(log, object(), figures, {}, {}, (first, second), 0.05)
    assert found == ({}, nothing)
    apart = first.weight - (0.0 if logged else second.weight)
    assert asked[0] == pytest.approx(apart * (first.reward - 0.25) / 4)
    known = make_log(4)
    for estimated, some in ((None, log), (object(), known), (None, known)):
        words = (some, estimated, figures, {}, {}, (first, second), 0.05)
        assert estimated_propensities.with_propensity_error(*words) is figures
    assert len(asked) == 1


# ---- more of the models of rewards


def test_light_rows_have_a_mean_and_a_line_and_predictions_end_with_the_range(monkeypatch):
    chance = np.random.default_rng(3)
    X, action = chance.normal(size=(200, 3)).astype(np.float32), np.arange(200) % K
    reward, weight = (chance.random(200) < 0.4) * 1.0, chance.uniform(0.5, 2.0, 200) * 1e-4
    assert reward_models.Boosting(CATALOG, X, action, np.full(200, 0.5), weight).predict(X[:1])[0, 0] == 0.5
    late = np.arange(200) % 5 == 0
    found = reward_models.Calibrated(reward_models.Linear, CATALOG, X, action, reward, weight, late)
    assert found._line is not None
    none = reward_models.Calibrated(reward_models.Linear, CATALOG, X, action, reward, weight * ~late, late)
    assert none._line is None
    high = SimpleNamespace(predict=lambda X: np.tile([-0.5, 0.25, 1.0, 1.7], (len(X), 1)))
    monkeypatch.setattr(reward_models, "_fit", lambda *words: high)
    log = make_log(40)
    q = reward_models.reward_model("boosting", log, (-1.0, 3.0), 2, 0).predict(slice(0, 40))
    assert q == pytest.approx(np.tile([-1.0, 0.0, 3.0, 3.0], (40, 1)))


# ---- more of episodes


def test_ratios_of_weights_that_are_nothing_are_nothing():
    log = chain(n=60, seed=1)
    paths = trajectories(log)
    weight = np.ones(paths.row.shape)
    weight[:, 0] = 0.0
    state = np.asarray(log.context.columns["state"], dtype=np.int64)
    for few in (state, None):
        found = minimax_ratios(log, paths, weight, few, folds=2)
        assert found[:, 1:] == pytest.approx(0.0, abs=1e-12)
    assert _counted(np.array([0]), np.array([3.0]), np.array([0])).tolist() == [3.0]
    assert _linear(np.array([[1e-3, 0.0]]), np.array([2e-3]), np.array([[1.0, 0.0]])) == pytest.approx([1.0])


# ---- sums of a stream


def test_steps_have_models_of_their_own_by_the_step_of_fewest_rows(monkeypatch):
    log = make_log(80, rows=2).take(np.flatnonzero((np.arange(80) % 2 == 0) | (np.arange(80) < 56)))
    assert np.bincount(log.step).tolist() == [40, 28]
    for each, apart in ((7, True), (8, False)):  # times four actions
        monkeypatch.setattr(fqe, "APART", each)
        assert fqe._rows_for_each_step(log, trajectories(log)) is apart


# ---- loggers, holdouts and orders


def test_one_row_shows_an_action_and_two_propensities_of_one_no_design():
    action = np.r_[np.zeros(20, int), np.ones(19, int), 2]
    chance = np.array([0.5, 0.3, 0.2])
    log = make_log(40, action=action, propensity=chance[action])
    found = logging_policy._by_action(log)
    assert found.answer(slice(0, 2)).tolist() == [[0.5, 0.3, 0.2, 0.0]] * 2
    other = replace(log, propensity=np.where(np.arange(40) == 25, 0.25, log.propensity))
    assert logging_policy._by_action(other) is None
    estimated = EstimatedPropensities(log, 2, 0)
    assert estimated._floor[:3].tolist() == [floor_of(40, K)] * 3
    assert 0.0 < estimated._floor[3] < 1e-290


def test_the_least_probability_that_rows_can_tell():
    assert [floor_of(n, k) for n, k in ((0, 2), (1, 3), (2, 2), (2, 3), (3, 1))] == [0.0, 0.0, 0.5, 0.25, 0.5]
    assert floor_of(10_000, 2) == pytest.approx(5.0 / (100.0 * math.log(10_000)))
    assert floor_of(10_000, 5) == pytest.approx(floor_of(10_000, 2) / 4)


@pytest.mark.parametrize(("rows", "columns", "asked"), [(0, 16, True), (-1, 16, False), (0, 1, False)])
def test_squares_are_tried_with_twenty_rows_for_each_of_few_columns(rows, columns, asked, monkeypatch):
    monkeypatch.setattr(propensity_features, "MOST_SQUARED", columns)
    tried = []
    monkeypatch.setattr(EstimatedPropensities, "_take_squares", lambda *words: tried.append(words))
    d = SCHEMA.width
    assert d > 1
    EstimatedPropensities(make_log(20 * (d + d * (d + 1) // 2) + rows), 2, 0)
    assert bool(tried) is asked


def test_the_action_that_is_off_most_in_a_wave():
    p = np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [0.2, 0.2, 0.6]])
    found = known(p, [1, 1, 2, 0], wave=np.array([7, 7, 9, 9])).by_wave()
    assert [each.action for each in found] == ["none", "none"]
    (last,) = known(p, [0, 0, 0, 1], wave=np.full(4, 3)).by_wave()
    assert last.action == "none"  # 1.4 are expected and 3 came; of the last 1.2 and none
    (last,) = known(p, [2, 2, 2, 1], wave=np.full(4, 3)).by_wave()
    assert last.action == "b@email"


# ---- estimators that hold weights back, and differences


def test_an_action_that_a_logger_never_takes_need_not_be_eligible():
    action = np.arange(40) % 2
    eligible = np.ones((40, K), dtype=bool)
    eligible[::3, 3] = False
    log = make_log(40, action=action, propensity=np.where(action == 0, 0.4, 0.6))
    log = replace(log, eligible=eligible, wave=np.zeros(40, dtype=int))
    assert pooled_loggers.pooled_factor(log) == pytest.approx(np.ones(40))
    eligible[5, 0] = False  # and one that it takes must be
    assert pooled_loggers.pooled_factor(replace(log, eligible=eligible, action=np.where(action == 0, 0, 1))) is None


@pytest.mark.parametrize("kind", [JointRidge, ContrastRidge])
def test_a_regression_of_other_rows_is_made_anew(kind):
    log, chance = make_log(400, rows=2), np.random.default_rng(1)
    X, first, second = states(log), np.arange(0, 400, 2), np.arange(1, 400, 2)
    regression = kind(X, log)
    regression.fit(first, chance.normal(size=200), REFRESH)
    target = X[second, 0] + chance.normal(size=200)
    wanted = kind(X, log).fit(second, target, REFRESH)(np.arange(400))
    assert np.array_equal(regression.fit(second, target, REFRESH)(np.arange(400)), wanted)


def test_trees_of_fitted_q_are_asked_for_as_the_docs_say(monkeypatch):
    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", Regressor)
    log = make_log(40)
    X = states(log)
    found = BoostedQ(X, log).fit(np.arange(30), np.arange(30.0), 1)(np.arange(30, 40))
    made = Regressor.made
    assert made.settings == {
        "max_iter": 60, "max_leaf_nodes": 15, "min_samples_leaf": 50, "categorical_features": [X.shape[1]],
        "random_state": 0,
    }  # fmt: skip
    assert made.fitted[0] == pytest.approx(np.c_[X[:30], log.action[:30]])
    assert found == pytest.approx(10.0 * (X[30:].sum(axis=1)[:, None] + np.arange(K)), rel=1e-5)
