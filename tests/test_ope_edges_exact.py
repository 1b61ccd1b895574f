"""Figures of an evaluation at their edges, by hand: what is small, what is even, what is just at a bar."""

import dataclasses
import inspect
import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.ensemble
import sklearn.linear_model
from test_ope_diagnose import SOUND
from test_ope_log import CATALOG, K, make_log
from test_ope_over_time_exact import in_blocks, sample_of
from test_ope_sequential_log import chain

import campaignrl.ope.evaluate as whole_module
import campaignrl.ope.streaming.evaluate as stream_module
from campaignrl.ope.data.states import states
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.diagnostics.evidence import COSTS, STAKES
from campaignrl.ope.diagnostics.over_time import not_in_yet
from campaignrl.ope.diagnostics.verdict import ESS_REFUSE, diagnose
from campaignrl.ope.episodes import intervals, registry
from campaignrl.ope.episodes.registry import Fitting, gather_episodes
from campaignrl.ope.episodes.support_horizon import TOLD, curve_of, lasting_steps
from campaignrl.ope.estimators.weights import effective_sample_size, max_weight_share
from campaignrl.ope import leaks
from campaignrl.ope.figures import figures_of
from campaignrl.ope.intervals import Clusters, Estimate
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds
from campaignrl.ope.intervals.empirical_likelihood import PairSums, cressie_read_point
from campaignrl.ope.methods import Evaluation, Evidence
from campaignrl.ope.nuisance import logging_policy, pooled_loggers, reward_models
from campaignrl.ope.nuisance.density_ratios import _odds
from campaignrl.ope.nuisance.few_states import few_states
from campaignrl.ope.nuisance.minimax_ratios import minimax_ratios
from campaignrl.ope.nuisance.propensity_model import Multinomial
from campaignrl.ope.nuisance.q_models import REFRESH, ContrastRidge, _Ridges
from campaignrl.ope.refit_bootstrap import REFITTED, _spread
from campaignrl.ope.streaming import figures as stream_figures
from campaignrl.ope.streaming.sums import keys_of
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.offline import BASELINE_L2, PENALTIES, products

# ---- rewards that are not in yet


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_what_is_owed_by_loops(unit, monkeypatch):
    """Never less than a thousandth of the mean reward, whatever the model expects; the same in every unit."""
    told = []
    monkeypatch.setattr(sys.modules[not_in_yet.__module__], "_late", lambda *words: told.append(words) or "late")
    reward = unit * in_blocks((32, 1.0), (16, 0.7), (8, 0.4), (8, 0.2))
    day = np.arange(640) // 10
    expected = unit * np.tile([*[1.0, 1.1, 0.9, 0.5] * 4, 0.8, -0.5, 0.0, 1.2], 32)
    sample = sample_of(reward, day, expected)
    assert not_in_yet(sample, sample.customer) == ("late",)
    (found_day, found_reward, due, since, ratio) = told[0]
    owed = [max(e, 0.0) + 0.001 * sum(reward) / 640 for e in expected]
    old = [i for i in range(640) if day[i] < since - (63 - since + 1)]
    new = [i for i in range(640) if day[i] >= since]
    rate = sum(reward[i] for i in old) / sum(owed[i] for i in old)
    assert due == pytest.approx([rate * o for o in owed])
    assert ratio == pytest.approx(sum(reward[i] for i in new) / sum(rate * owed[i] for i in new))
    assert (found_day is not None, found_reward.tolist()) == (True, reward.tolist())


# ---- the point of empirical likelihood


def test_weights_of_a_mean_of_just_one_may_miss_the_least():
    """0.5 and 1.5 and the least, 0: chances of 1/6, 1/2 and 1/3 would give a mean weight of 5/6; these give 1."""
    w, y = np.array([0.5, 1.5]), np.array([1.0, 3.0])
    W, m = np.append(w, 0.0), 3
    mean, square = W.mean(), (W**2).mean()
    gamma, beta = (square - mean) / (mean**2 - square), (1 - mean) / (mean**2 - square)
    q = (-gamma - beta * W) / m
    assert (q.sum(), q @ W) == (pytest.approx(1.0), pytest.approx(1.0))
    found = cressie_read_point(PairSums.of(w, y), 0.0, 50.0, 0.3)
    assert found == pytest.approx(q[:2] @ y)


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
    alone = (np.arange(400) % 3 == 0) & masked
    eligible = np.ones((400, K), dtype=bool)
    eligible[alone, 1:] = False
    log = replace(log, eligible=eligible if masked else None, action=np.where(alone, 0, log.action))
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

    def fit(self, X, reward, sample_weight):
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
    asked = []

    def scripted(catalog, rows, l2, start):
        asked.append((l2, start))
        return np.full((2, K), float(l2))

    monkeypatch.setattr(reward_models, "_logistic", scripted)
    monkeypatch.setattr(reward_models, "_log_loss", lambda coefficients, rows: abs(coefficients[0, 0] - L2[1]))
    L2 = sorted(reward_models.L2_GRID, reverse=True)
    X = np.zeros((40, 1), dtype=np.float32)
    reward_models.Logistic(CATALOG, X, np.arange(40) % K, np.arange(40) % 2 * 1.0, np.ones(40))
    assert [l2 for l2, _ in asked] == [*L2, L2[1]]
    assert asked[0][1] is None
    assert [start[0, 0] for _, start in asked[1:]] == [*L2[:-1], L2[1]]


# ---- episodes


@pytest.mark.parametrize("mix", [1.0, 0.6])
@pytest.mark.parametrize("name", ["pdis", "msis", "drl"])
def test_what_episodes_say_of_a_policy_by_loops(name, mix, monkeypatch):
    """Of one to four steps each; the third action was never taken, and some rows had no choice."""
    log = replace(chain(n=60, seed=3, ends=0.4), eligible=None)
    log = replace(log, action=np.minimum(log.action, 1), propensity=np.where(log.step == 1, 1.0, log.propensity))
    paths, n = trajectories(log), len(log)
    p = np.random.default_rng(5).dirichlet([1.0, 2.0, 0.5], n)
    p[: n // 2, 0] += p[: n // 2, 1]  # what is wanted most of the second action stands in the later block
    p[: n // 2, 1] = 0.0
    asked = []
    monkeypatch.setattr(registry, "mean_weight_p_value", lambda *words: asked.append(words) or 0.25)
    monkeypatch.setattr(registry, "blocks", lambda n: [slice(0, n // 2), slice(n // 2, n)])
    found = gather_episodes(log, paths, target_policy_of(p, log), (name,), mix=mix, fitting=Fitting(folds=2))
    plain, off = p[np.arange(n), log.action] / log.propensity, np.empty(n)
    for i in range(n):
        off[i] = 1.0 - p[i, log.action[i]] if log.propensity[i] == 1.0 else p[i, 2]
    weight = 1.0 - mix + mix * plain
    for i in range(len(paths)):
        for t in range(paths.steps):
            row = paths.row[i, t] if paths.going_on[i, t] else -1
            assert found.weight[i, t] == pytest.approx(weight[row] if row >= 0 else 1.0)
            assert found.reward[i, t] == (log.reward[row] if row >= 0 else 0.0)
    told = found.figures
    assert (told.customers, told.model_asked, told.mean_weight_p) == (len(paths), name == "drl", 0.25)
    assert (told.off_support, told.mean_weight) == (pytest.approx(mix * off.mean()), pytest.approx(weight.mean()))
    assert told.ended == pytest.approx(1.0 - (np.bincount(log.customer) == paths.steps).mean())
    least = min(log.propensity)
    largest = max(p.max() / least, max(plain))
    ((w, clusters, bounds),) = asked
    assert (sorted(w), len(clusters)) == (pytest.approx(sorted(weight)), len(paths))
    assert bounds == pytest.approx((1.0 - mix, 1.0 - mix + mix * largest))
    choice = np.ones(paths.row.shape, dtype=bool)
    for i in range(len(paths)):
        for t in range(paths.steps):
            choice[i, t] = paths.going_on[i, t] and log.propensity[paths.row[i, t]] < 1.0
    ratio = None if name != "msis" else found.ratio * found.weight
    wanted = curve_of(np.cumprod(found.weight, axis=1), ratio, paths.going_on, choice)
    for step, other in zip(found.curve, wanted, strict=True):
        assert step == pytest.approx(other, nan_ok=True)
    assert [part is not None for part in (found.q, found.ratio, found.drl_ratio)] == [
        name == "drl", name == "msis", name == "drl",
    ]  # fmt: skip
    if name == "drl":
        assert found.q.predicted.shape == paths.row.shape
        state = few_states(log, paths)
        assert found.drl_ratio == pytest.approx(
            found.weight * minimax_ratios(log, paths, found.weight, state, folds=2, seed=0)
        )
        of_drl = curve_of(np.cumprod(found.weight, axis=1), found.drl_ratio, paths.going_on, choice)
        assert (told.drl_lasting, told.told) == (
            lasting_steps(of_drl, True, ESS_REFUSE), lasting_steps(of_drl, True, TOLD)
        )  # fmt: skip


def test_the_logged_policy_weighs_one_everywhere(monkeypatch):
    log = chain(n=40, ends=0.3)
    paths, asked = trajectories(log), []
    monkeypatch.setattr(registry, "mean_weight_p_value", lambda *words: asked.append(words) or 0.5)
    found = gather_episodes(log, paths, target_policy_of("logged", log), ("pdis",), mix=0.7, fitting=Fitting())
    assert (found.weight == 1.0).all()
    assert (found.figures.off_support, found.figures.mean_weight) == (0.0, 1.0)
    assert asked[0][2] == (1.0, 1.0)


# ---- what is small


def test_weights_that_are_small_in_all_are_weights():
    light = np.array([0.1, 0.2])
    assert effective_sample_size(light) == pytest.approx(1.8)
    assert max_weight_share(light) == pytest.approx(2 / 3)
    assert (effective_sample_size(0 * light), max_weight_share(0 * light)) == (0.0, 1.0)
    assert stream_figures._effective(0.3, 0.05) == pytest.approx(1.8)
    assert stream_figures._effective(0.0, 0.0) == 0.0


@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_figures_of_light_rows_in_pieces_are_those_of_the_whole(unit, monkeypatch):
    """Twelve rows of which a policy hardly wants what was done: all weights together are below 1."""
    log = make_log(12, rows=2)
    log = replace(log, reward=unit * np.arange(12.0))
    p = np.full((12, K), 0.0)
    p[np.arange(12), log.action] = 0.004 * (1 + np.arange(12) % 3)
    p[:, 0] += 1.0 - p.sum(axis=1)
    log = replace(log, action=np.where(log.action == 0, 1, log.action))
    p[:, 1:] = np.maximum(p[:, 1:], 0.0)
    q = unit * np.random.default_rng(0).uniform(0.0, 11.0, (12, K))
    judged = {}
    for name, module in (("whole", whole_module), ("pieces", stream_module)):

        def keep(figures, name=name, diagnose=module.diagnose):
            judged[name] = figures
            return diagnose(figures)

        monkeypatch.setattr(module, "diagnose", keep)
    whole_module.evaluate(log, p, q=q)
    stream_module.evaluate_stream(log, p, model=q)
    whole, pieces = judged["whole"], judged["pieces"]
    weight = p[np.arange(12), log.action] / log.propensity
    assert 0.0 < weight.sum() < 1.0
    sums = weight.reshape(6, 2).sum(axis=1)
    assert whole.ess == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert whole.max_weight_share == pytest.approx(weight.max() / weight.sum())
    assert whole.max_customer_share == pytest.approx(sums.max() / sums.sum())
    assert whole.supported_value == pytest.approx((weight * log.reward).mean())
    assert whole.outcomes == int(((weight > 0) & (log.reward > 0)).sum())
    for field in ("ess", "max_weight_share", "max_customer_share", "mean_weight", "supported_value", "snips", "dr"):
        assert getattr(pieces, field) == pytest.approx(getattr(whole, field)), field
    assert (pieces.outcomes, pieces.one_reward, pieces.clipped_mass) == (whole.outcomes, False, 0.0)


# ---- what is left out


def test_pairs_and_parts_of_an_answer_that_are_left_out():
    assert inspect.signature(anytime_bounds).parameters["reward_range"].default == (0.0, 1.0)
    assert inspect.signature(figures_of).parameters["facts"].default == (None, None, 0.0)
    unlike = {field.name: (field.repr, field.compare) for field in dataclasses.fields(Evaluation)}
    assert {name for name, both in unlike.items() if both != (True, True)} == {"spread"}
    assert unlike["spread"] == (False, False)  # pictures alone


def test_stakes_halve_fourteen_times_and_cost_what_the_worst_row_takes():
    assert STAKES.tolist() == [2.0**-i for i in range(1, 15)]
    assert pytest.approx([-math.log(1.0 - s) - s for s in STAKES], rel=1e-6) == COSTS
    assert len(keys_of(np.array([], dtype=object))) == 0


# ---- the verdict where much was hardly tried


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"mean_weight": 0.9, "mean_weight_p": 0.0, "hardly_tried": 0.05}, "trust"),  # twice as much is missing
        ({"mean_weight": 0.9, "mean_weight_p": 0.0, "hardly_tried": 0.0499}, "caution"),
        ({"mean_weight": 0.8, "mean_weight_p": 0.0, "hardly_tried": 0.0499}, "refuse"),
        ({"mean_weight": 1.2, "mean_weight_p": 0.0, "hardly_tried": 0.5}, "refuse"),  # that explains no more than 1
        ({"mean_weight": 1.0, "mean_weight_p": 0.0, "hardly_tried": 0.5}, "caution"),
        ({"disagreement_p": 0.0, "hardly_tried": 0.01}, "caution"),
        ({"disagreement_p": 0.0, "hardly_tried": 0.0101}, "trust"),
        ({"disagreement_p": 1.0, "hardly_tried": 0.0}, "trust"),
    ],
)
def test_what_was_hardly_tried_explains_what_is_missing(changes, verdict):
    assert diagnose(SOUND._replace(**changes))[0] == verdict


# ---- tables that have learned from the rows


def evidence_of(reward, **columns):
    """Rows of as many customers, of whom nothing is expected."""
    n = len(reward)
    usual = {
        "predicted": np.zeros(n),
        "weight": np.ones(n),
        "expected": np.zeros(n),
        "clusters": Clusters(np.arange(n)),
    }
    bounds = {"off_support": 0.0, "weight_range": (0, 9), "reward_range": (0, 1), "predicted_range": (0, 1)}
    return Evidence(**{**usual, **bounds, "reward": reward, **columns})


def test_means_of_actions_by_the_others_rows_by_loops(monkeypatch):
    """The third action is of customers of one fold alone, the second of few and light rows."""
    n, folds = 48, 3
    log = make_log(n, rows=2)
    fold = log.customer % folds
    action = np.where(fold == 0, np.arange(n) % 4, np.where(np.arange(n) % 7 == 0, 1, 0))
    log = replace(log, action=action, reward=np.arange(n) % 5 / 4.0)
    p = np.random.default_rng(2).dirichlet(np.ones(K), n)
    weight = np.where(action == 1, 0.01, 0.5 + np.arange(n) % 3)
    monkeypatch.setattr(leaks, "blocks", lambda rows, k: [slice(0, 10), slice(10, rows)])
    found = leaks._by_action(log, target_policy_of(p, log), evidence_of(log.reward), folds, weight)
    for i in range(n):
        mean = []
        for a in range(K):
            others = [j for j in range(n) if fold[j] != fold[i] and action[j] == a]
            total = sum(weight[j] for j in others)
            mean.append(sum(weight[j] * log.reward[j] for j in others) / total if others else log.reward.mean())
        assert found.predicted[i] == pytest.approx(mean[action[i]])
        assert found.expected[i] == pytest.approx(p[i] @ mean)
    assert (found.reward.tolist(), found.weight.tolist()) == (log.reward.tolist(), [1.0] * n)


@pytest.mark.parametrize(("predicted", "by_action", "asked"), [(0.0, 0.0, 0), (0.0, 0.4, 1), (0.1, 0.0, 1)])
def test_without_a_model_means_of_actions_are_asked_first(predicted, by_action, asked, monkeypatch):
    log, told = make_log(40), []
    gaps = iter([0.5, *([by_action] if predicted == 0.0 else [])])
    monkeypatch.setattr(leaks, "_gap", lambda rows: next(gaps))
    monkeypatch.setattr(leaks, "_by_action", lambda *words: None)
    monkeypatch.setattr(leaks, "_missed", lambda *words: told.append(words) or (0.0, 0.0))
    rows = evidence_of(log.reward, predicted=np.r_[predicted, np.zeros(39)])
    assert leaks.leaked(log, SimpleNamespace(given=True), rows, 5, 0) == ()
    assert len(told) == asked


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


def test_a_value_by_the_spread_of_another_stretches_its_interval():
    made = Estimate(1.0, 0.2, 0.5, 1.5, "t")
    for value, low, high in ((1.1, 0.5, 1.5), (0.2, 0.2, 1.5), (1.8, 0.5, 1.8)):
        assert intervals._with_value(made, value) == (value, 0.2, low, high, "t")
    nothing = intervals._without_interval(0.7)
    assert (nothing.value, nothing.interval) == (0.7, registry.NO_INTERVAL)
    assert np.isnan(nothing[1:4]).all()


def test_the_spread_of_draws_of_which_some_gave_nothing():
    made, nan = Estimate(5.0, 9.0, 9.0, 9.0, "t"), np.nan
    assert _spread(made, np.array([1.0, nan, 3.0, 2.0]), 0.5) == (5.0, 1.0, 1.5, 2.5, REFITTED)
    two = _spread(made, np.array([1.0, nan, 3.0]), 0.2)
    assert two[:4] == pytest.approx((5.0, 2.0**0.5, 1.2, 2.8))
    one = _spread(made, np.array([nan, 2.0]), 0.5)
    assert (one.ci_low, one.ci_high, np.isnan(one.std_error)) == (2.0, 2.0, True)
    assert np.isnan(_spread(made, np.array([nan, nan]), 0.5)[1:4]).all()
