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
from test_ope_diagnostics_exact import NUMBER, plain_sample
from test_ope_estimated_propensities import known
from test_ope_log import CATALOG, SCHEMA, K, always, make_log, within
from test_ope_over_time_exact import in_blocks, sample_of
from test_ope_sequential_log import LOGGED, WANTED, chain
from test_ope_sequential_log import wanted as wanted_of

import campaignrl.ope.evaluate as whole_module
import campaignrl.ope.streaming.evaluate as stream_module
from campaignrl.features import Context
from campaignrl.ope import estimated_propensities, leaks
from campaignrl.ope.data import LogSample
from campaignrl.ope.data.row_order import ascending
from campaignrl.ope.data.states import states
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.diagnostics.evidence import COSTS, STAKES
from campaignrl.ope.diagnostics.holdout import holdout_of
from campaignrl.ope.diagnostics.influence import outlier
from campaignrl.ope.diagnostics.over_time import not_in_yet
from campaignrl.ope.diagnostics.repeats import _alike, repeats
from campaignrl.ope.diagnostics.verdict import ESS_REFUSE, P_ALARM, _share, diagnose
from campaignrl.ope.episodes import intervals, registry
from campaignrl.ope.episodes.evaluate import evaluate_episodes
from campaignrl.ope.episodes.registry import Fitting, gather_episodes
from campaignrl.ope.episodes.support_horizon import (
    NOT_WHERE_REFUSED,
    TOLD,
    EpisodeFigures,
    Step,
    curve_of,
    judged,
    lasting_steps,
)
from campaignrl.ope.estimators import bandit, weights
from campaignrl.ope.estimators.marginal_weights import _Dimension
from campaignrl.ope.estimators.weights import CERTAIN, effective_sample_size, max_weight_share
from campaignrl.ope.figures import figures_of
from campaignrl.ope.intervals import CLUSTERED_T, MODEL_T, REGRESSION_T, Clusters, Estimate
from campaignrl.ope.intervals.clustered import Point
from campaignrl.ope.intervals.confidence_sequences import anytime_bounds
from campaignrl.ope.intervals.empirical_likelihood import PairSums, cressie_read_point
from campaignrl.ope.intervals.regression_t import freedom_of_stakes
from campaignrl.ope.methods import Evaluation, Evidence, weighted_mean, weighted_rows
from campaignrl.ope.methods import registry as methods_registry
from campaignrl.ope.methods.likelihood_of_rows import largest, smallest
from campaignrl.ope.methods.weight_histogram import BINS, histogram_sums, weight_histogram_from
from campaignrl.ope.nuisance import fqe, logging_policy, pooled_loggers, propensity_features, reward_models
from campaignrl.ope.nuisance.cross_fitting import GivenPredictions, capped
from campaignrl.ope.nuisance.density_ratios import _odds
from campaignrl.ope.nuisance.few_states import few_states
from campaignrl.ope.nuisance.minimax_ratios import _counted, _linear, minimax_ratios
from campaignrl.ope.nuisance.propensity_features import Columns
from campaignrl.ope.nuisance.propensity_model import EstimatedPropensities, Multinomial, floor_of
from campaignrl.ope.nuisance.q_models import REFRESH, ContrastRidge, _Ridges
from campaignrl.ope.refit_bootstrap import REFITTED, _spread
from campaignrl.ope.streaming import figures as stream_figures
from campaignrl.ope.streaming import rows as stream_rows
from campaignrl.ope.streaming.model import fit_sampled_ridge
from campaignrl.ope.streaming.rows import Question, part_of
from campaignrl.ope.streaming.sums import COLUMNS, EDGES, Extremes, bins_of, customer_sums, ends_of, keys_of
from campaignrl.policies.linear_model import RidgeStatistics, fit_ridge, with_intercept
from campaignrl.policies.offline import BASELINE_L2, PENALTIES, products
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log import LogInMemory

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


def test_a_refusal_of_episodes_says_why_fqe_has_no_interval_where_it_would_have_one():
    step = Step(1, 1.0, 5_000, 2_000.0, np.nan, 0.01, 1.0)
    sound = EpisodeFigures(
        customers=5_000, off_support=0.0, mean_weight=1.0, mean_weight_p=1.0, ended=0.0, model_asked=True,
        learned_from=0.0,
    )  # fmt: skip
    said = NOT_WHERE_REFUSED.text
    for customers, told, there in ((29, 1, True), (29, 0, False), (29, None, False), (49, 1, False), (5_000, 1, False)):
        reasons = judged((step,), sound._replace(customers=customers, told=told))[1]
        assert (reasons[-1:] == (said,)) == there


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


# ---- sentences and bars of the verdict


def test_a_tenth_of_a_billionth_is_nothing_and_a_mean_of_one_is_not_below_it():
    blind = {"certain_share": 1.0, "ess": 12.0, "mix": None}
    for off, help_ in ((1e-9, "What would help: log with at least"), (1.1e-9, "What would help: a log whose policy")):
        assert diagnose(SOUND._replace(**blind, off_support=off))[1][-1].startswith(help_)
    (said,) = diagnose(SOUND._replace(mean_weight=1.0, mean_weight_p=0.0))[1]
    assert "never tried" not in said
    verdict, reasons = diagnose(SOUND._replace(max_weight_share=0.05, max_customer_share=0.3))
    assert (verdict, reasons[0]) == ("refuse", "one customer holds 30% of the weight.")
    assert [_share(value) for value in (0.1, 0.125, 0.0999)] == ["10%", "12%", "9.99%"]


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


# ---- figures of a stream from its tally


def test_bounds_and_mass_from_a_tally_by_hand():
    rows = SimpleNamespace(
        added={
            "tried": np.array([0, 1, 5]), "certain_off of a": 0.5, "mass of a": np.array([2.0, 3.0, 4.0]),
        },
        least={"q": -0.5, "propensity": np.array([np.inf, 0.2, 0.05]), "reward": 0.5},
        largest={
            "q": 0.75, "wanted of a": np.array([0.0, 1.0, 0.0]), "wanted of b": np.array([1.0, 1.0, 1.0]),
            "most wanted of a": 0.6, "most wanted of b": 0.9, "weight of a": 2.5, "weight of b": 30.0,
            "off_one": 1e-9, "off_one_lift": 2e-9, "reward": 0.5, "not_binary": 1.0,
        },
    )  # fmt: skip
    assert stream_figures.off_support(rows, "a", 10) == pytest.approx(0.25)
    assert stream_figures._weight_range(rows, "a", None, True) == (0.0, pytest.approx(3.0))  # of what it wants
    assert stream_figures._weight_range(rows, "b", None, True) == (0.0, 30.0)  # one that came is heavier
    assert stream_figures._weight_range(rows, "b", 0.5, True) == (0.0, 30.0)
    assert stream_figures._weight_range(rows, "a", 0.1, True) == (0.0, pytest.approx(6.0))
    assert stream_figures._weight_range(rows, "a", None, False) == (1.0, 1.0)
    whole = stream_figures.bounds_of(rows, (0.0, 1.0), None, 1.0, (True, True))
    assert (whole.reward, whole.predicted) == ((0.0, 1.0), (-0.5, 0.75))
    assert (whole.weight, whole.lift_weight) == ((0.0, pytest.approx(3.0)), (-29.0, pytest.approx(4.0)))
    assert (whole.all_ones, whole.all_ones_lift) == (True, False)
    part = stream_figures.bounds_of(rows, (0.0, 1.0), None, 0.25, (True, False))
    assert part.weight == pytest.approx((0.75, 1.5))
    assert part.lift_weight == pytest.approx((0.75, 1.5))
    assert stream_figures.reward_range_of(rows, (0.0, 1.0), None) == ((0.0, 1.0), "given")
    assert stream_figures.reward_range_of(rows, (0.5, 0.5), None) == ((0.5, 0.5), "given")
    assert stream_figures.reward_range_of(rows, None, None) == ((0.5, 0.5), "observed")


def test_where_nothing_speaks_all_of_the_weight_is_of_one(monkeypatch):
    log = make_log(60)
    log = replace(log, action=np.minimum(log.action, 2))
    judged = []
    for module in (whole_module, stream_module):
        monkeypatch.setattr(
            module, "diagnose", lambda figures, usual=module.diagnose: judged.append(figures) or usual(figures)
        )
    p = np.tile([0.0, 0.0, 0.0, 1.0], (60, 1))
    whole_module.evaluate(log, p, q=np.zeros((60, K)))
    stream_module.evaluate_stream(log, p, model=np.zeros((60, K)))
    assert [(one.max_weight_share, one.max_customer_share, one.ess) for one in judged] == [(1.0, 1.0, 0.0)] * 2


# ---- evidence and means of rows


def test_evidence_of_several_blocks_reaches_from_the_least_to_the_largest_prediction(monkeypatch):
    monkeypatch.setattr(weighted_rows, "blocks", lambda n, k: [slice(0, 10), slice(10, 30), slice(30, n)])
    log = make_log(40)
    q = np.full((40, K), 0.5)
    q[3, 1], q[20, 2], q[35, 0] = 0.25, 1.5, -0.5
    p = np.tile([0.1, 0.2, 0.3, 0.4], (40, 1))
    (found,) = weighted_rows.gather(log, [target_policy_of(p, log)], GivenPredictions(q, log), (0.0, 1.0))
    assert found.predicted_range == (-0.5, 1.5)
    assert found.expected == pytest.approx((p * q).sum(axis=1))
    (bare,) = weighted_rows.gather(log, [target_policy_of(p, log)], None, (0.0, 1.0))
    assert bare.predicted_range == (0.0, 0.0)
    high = replace(log, meta={**log.meta, "propensity_floor": 0.9})  # less than some rows have
    (floored,) = weighted_rows.gather(high, [target_policy_of(p, high)], None, (0.0, 1.0))
    assert floored.weight_range == (0.0, max(p[0][log.action] / log.propensity))


def test_some_rows_of_a_log_with_all_that_belongs_to_them():
    log = make_log(6, eligible=True, wave=np.arange(6), day=np.arange(6) + 3)
    at = np.array([1, 4])
    found = LogSample.of(log, at, np.array([7, 8]), None)
    assert found.action.tolist() == log.action[at].tolist()
    assert found.eligible.tolist() == log.eligible[at].tolist()
    assert (found.wave.tolist(), found.day.tolist()) == ([1, 4], [4, 7])
    assert found.columns["recency"].tolist() == log.context.columns["recency"][at].tolist()


def test_means_of_few_rows_and_of_none_that_weigh():
    pair = bandit.mr(np.array([0.5, 2.0]), np.array([3.0, 1.0])).above
    assert pair.tolist() == [1.5, 2.0]  # each its own group; of three two are one
    assert bandit.mr(np.array([0.5, 2.0, 4.0]), np.array([3.0, 1.0, 2.0])).above.tolist() == [1.5, 3.0, 6.0]
    none = bandit._ratio_of(np.ones(2), np.zeros(2))
    assert np.isnan(none.value)
    assert np.isnan(none.influence).all()
    weight, batch = np.array([3.0, 1.0, 0.5, 0.2]), np.array([0, 0, 1, 2])
    found = bandit.stabilised(weight, np.ones(4), np.zeros(4), np.full(4, 0.5), batch)
    steady = 1.0 / np.sqrt([5.0, 5.0, 1.0, 1.0])
    assert found.below == pytest.approx(steady)
    assert found.above == pytest.approx(steady * (0.5 + weight))


def test_a_customer_is_granted_what_was_seen_and_sixty_four_rows_do_not_tell_of_all():
    clusters = Clusters(np.arange(3))
    assert weights.customer_range(np.array([0.5, 9.0, 1.0]), clusters, (0.0, 2.0)) == (0.0, 9.0)
    assert weights.customer_range(np.array([-0.5, 1.5, 1.0]), clusters, (0.0, 2.0)) == (-0.5, 2.0)
    exact = np.resize(np.arange(1, 33) / 64, 64)
    assert weights.rounded_to_half_precision(exact)
    assert not weights.rounded_to_half_precision(np.r_[exact, exact, 0.1])


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


def test_how_an_interval_of_episodes_is_made():
    step = Step(1, 1.0, 5_000, 2_000.0, np.nan, 0.01, 1.0)
    out = step._replace(step=2, ess=9.0)
    figures = EpisodeFigures(
        customers=5_000, off_support=0.0, mean_weight=1.0, mean_weight_p=1.0, ended=0.0, model_asked=True,
        learned_from=0.0, told=2,
    )  # fmt: skip

    def made(name, curve=(step, step._replace(step=2)), **changes):
        one = registry.Episodes(None, None, 1.0, None, None, None, curve, figures._replace(**changes))
        return one.interval(name)

    assert [made(name) for name in ("pdis", "wdr", "fqe")] == [CLUSTERED_T, CLUSTERED_T, registry.DOUBLY_ROBUST]
    assert [made(name, (step, out)) for name in ("pdis", "wdr")] == [CLUSTERED_T, MODEL_T]
    assert made("fqe", told=1) == made("fqe", customers=29) == registry.NO_INTERVAL
    assert made("fqe", customers=49) == registry.DOUBLY_ROBUST  # a caution is no refusal


def test_ratios_are_had_by_all_where_one_asks_for_them_and_a_weight_that_came_is_possible():
    log = replace(chain(n=60, seed=3), eligible=None)
    paths = trajectories(log)
    p = np.random.default_rng(5).dirichlet([1.0, 2.0, 0.5], len(log))
    found = gather_episodes(log, paths, target_policy_of(p, log), ("pdis", "msis", "drl"), fitting=Fitting(folds=2))
    assert found.ratio is not None
    assert found.drl_ratio is not None
    assert found.q is not None
    high = replace(log, meta={**log.meta, "propensity_floor": 0.95})
    weight, _, bound, held = registry._weights(high, target_policy_of(p, high), True)
    assert bound == weight.max() > p.max() / 0.95
    assert held == pytest.approx(p, rel=1e-6)
    certain = replace(log, propensity=np.where(log.step == 2, CERTAIN, log.propensity))
    curve = gather_episodes(certain, paths, target_policy_of("logged", log), ("pdis",), fitting=Fitting()).curve
    only = replace(log, propensity=np.where(log.step == 2, CERTAIN, 1.0))
    none = gather_episodes(only, paths, target_policy_of("logged", log), ("pdis",), fitting=Fitting()).curve
    assert [step.choosing for step in curve] == [60] * 4
    assert [step.choosing for step in none] == [0] * 4


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


def test_the_spread_of_returns_is_of_the_last_step_and_its_worst_tenth(monkeypatch):
    asked = []
    stub = SimpleNamespace(quantile=lambda share: share, cvar=lambda share: 10.0 * share)
    module = sys.modules[evaluate_episodes.__module__]
    monkeypatch.setattr(module, "distribution_of", lambda *words: asked.append(words) or stub)
    log = chain(n=400, seed=2)
    target = target_policy_of(wanted_of(log, 0.9 * LOGGED + 0.1 * WANTED), log)
    episodes = gather_episodes(log, trajectories(log, 2), target, ("pdis",), fitting=Fitting())
    assert lasting_steps(episodes.curve) == 2
    found = module._of_last_step(episodes)
    assert found["worst_tenth"] == 1.0
    assert found["quantiles"] == ((0.1, 0.1), (0.5, 0.5), (0.9, 0.9))
    assert asked[0][1].tolist() == episodes.weight.prod(axis=1).tolist()


def test_eight_are_kept_where_more_are_beyond_what_most_rows_reach():
    values = np.zeros(512 * 20)
    values[5 + 512 * np.arange(12)] = 1.0 + np.arange(12)
    assert largest(values).tolist() == (5 + 512 * np.arange(11, 3, -1)).tolist()
    assert smallest(-values).tolist() == largest(values).tolist()


# ---- histograms, repeats and marginal weights


def test_weights_beyond_the_bins_lie_in_the_last_ones_and_light_rows_count_too():
    weight = np.array([2.0**-20, 2.0**60, 0.1, 0.2])
    sums = histogram_sums(weight, np.array([0, 0, 1, 1]), 2)
    rows = next(values for values in sums.values() if len(values) == BINS)
    assert (rows[0], rows[BINS - 1], rows.sum()) == (1, 1, 4)
    assert weight_histogram_from(("a", "b"), sums).overlap[1].ess == pytest.approx(0.3**2 / 0.05)


def test_repeats_are_told_beyond_the_bar_of_two_looks_and_of_columns_alone(monkeypatch):
    n = 400
    twice = plain_sample(NUMBER, {"x": np.repeat(np.arange(n / 2), 2)}, np.zeros(n, dtype=int))
    twice = twice._replace(customer=np.arange(n), reward=np.tile([1.0, 1.0, 0.0, 0.0], n // 4))
    assert len(repeats(twice)) == 1
    assert repeats(twice._replace(columns={})) == ()
    assert len(_alike(np.arange(5, dtype=np.uint64))) == 0
    for wealth, many in ((math.log(2.0 / P_ALARM) + 0.01, 1), (math.log(2.0 / P_ALARM) - 0.01, 0)):
        monkeypatch.setattr(sys.modules[repeats.__module__], "_wealth", lambda gap, wealth=wealth: wealth)
        assert len(repeats(twice)) == many


def test_a_marginal_weight_is_bounded_where_a_group_is_wanted():
    """The second group is hardly ever drawn where the policy does not want it, and half of the time where it does."""
    for never in (0.0, 0.2):  # with or without a group that is impossible somewhere
        dimension = _Dimension(np.array([-1, 0, 1]), 2)
        p = np.array([[1.0, 0.4], [0.0, 0.5], [0.0, 0.1]])
        b = np.array([[0.99 - never, 0.3], [0.01, 0.5], [never, 0.2]])
        dimension.take(slice(0, 2), np.array([0, 1]), p, b)
        found = dimension.result()
        assert found.weight == pytest.approx([1.0 / (0.99 - never), 1.0])
        assert found.range == (0.0, pytest.approx(max(1.0 / 0.3, 1.0)))
    same = _Dimension(np.array([-1, 0]), 1)
    same.take(slice(0, 1), np.array([0]), np.array([[0.25], [0.75]]), np.array([[0.25], [0.75]]))
    assert same.result().range == (0.0, 1.0)


# ---- sums of a stream


def test_the_first_and_the_last_customer_keep_their_steps_whatever_their_number():
    columns, step = np.arange(len(COLUMNS) * 5.0).reshape(len(COLUMNS), 5), np.array([0, 1, 0, 1, 2])
    for starts, ends in (([0], [(0, 2)]), ([0, 2], [(0, 1), (0, 2)]), ([0, 2, 4], [(0, 1), (2, 2)])):
        names = np.array(list("abc")[: len(starts)], dtype=object)
        found = customer_sums(columns, np.array(starts), names, step, 1).edges
        assert [one[3:] for one in found] == ends
        assert [one.customer for one in found] == list(dict.fromkeys([names[0], names[-1]]))


@pytest.mark.parametrize(
    ("size", "bound", "weight", "above", "below"),
    [
        (2.0, 1.0, 0.6, True, False),  # the bound is where the bin begins
        (1.0, np.nextafter(0.5, 0.0), 0.4, False, True),  # and where one ends
        (1.0, 0.45, 0.4, True, True),  # within a bin nobody knows
    ],
)
def test_customers_beside_a_bound_by_bins(size, bound, weight, above, below):
    bins = len(EDGES) + 1
    low, high = np.full((1, bins), np.inf), np.full((1, bins), -np.inf)
    (at,) = bins_of(np.array([weight]))
    low[0, at], high[0, at] = -1.0, 3.0
    found = ends_of(Extremes(np.array([size]), low, high), 0.5, bound)
    ends = [-1.0 - 0.5 * size, 3.0 - 0.5 * size]
    assert found == (ends if above else [], ends if below else [])


def test_steps_have_models_of_their_own_by_the_step_of_fewest_rows(monkeypatch):
    log = make_log(80, rows=2).take(np.flatnonzero((np.arange(80) % 2 == 0) | (np.arange(80) < 56)))
    assert np.bincount(log.step).tolist() == [40, 28]
    for each, apart in ((7, True), (8, False)):  # times four actions
        monkeypatch.setattr(fqe, "APART", each)
        assert fqe._rows_for_each_step(log, trajectories(log)) is apart


# ---- whole answers


def test_of_two_policies_one_that_never_does_what_was_logged_silences_the_lift():
    log = make_log(80)
    log = replace(log, action=np.minimum(log.action, 2))
    never, q = np.tile([0.0, 0.0, 0.0, 1.0], (80, 1)), np.zeros((80, K))
    for first, second in ((never, "logged"), ("logged", never)):
        assert np.isnan(whole_module.compare_on_log(log, first, second, q=q).value)
        assert np.isnan(whole_module.evaluate(log, first, reference=second, q=q).lift)
    assert whole_module.compare_on_log(log, within(log), "logged", q=q).value != 0.0


def test_what_is_said_of_a_policy_is_said_of_the_first_one(monkeypatch):
    log = make_log(200)
    usual, notes = whole_module.target_policy_of, {"first": ("said of the first",), "second": ("said of the second",)}

    def noted(given, rows):
        name = "first" if given is first else "second"
        return replace(usual(given, rows), notes=notes[name], learned_from=0.5 if name == "first" else 0.25, name=name)

    first, second = within(log), always(log, 1)
    monkeypatch.setattr(whole_module, "policy_of_rows", lambda policy, *words: policy, raising=False)
    monkeypatch.setattr(whole_module, "target_policy_of", noted)
    found = whole_module.evaluate(log, first, reference=second, q=np.zeros((200, K)))
    assert found.reasons[-1] == "said of the first"
    assert (found.policy, found.reference) == ("first", "second")
    assert "about 50% of these customers" in " ".join(found.reasons)
    assert "25%" not in " ".join(found.reasons)


@pytest.mark.parametrize("unit", [1.0, 0.001])
def test_intervals_of_two_customers_are_the_same_in_pieces(unit):
    log = make_log(8, rows=4)
    log = replace(log, reward=unit * np.arange(8.0))
    q = unit * np.random.default_rng(0).uniform(0.0, 7.0, (8, K))
    words = {"estimators": ("dm", "ips_clip", "ips", "dr", "snips"), "reference": always(log, 1)}
    whole = whole_module.evaluate(log, within(log), q=q, **words)
    pieces = stream_module.evaluate_stream(log, within(log), model=q, **words)
    for name, one in whole.estimates.items():
        assert pieces.estimates[name][:4] == pytest.approx(one[:4], rel=1e-6, abs=1e-9 * unit), name
    assert (pieces.lift, pieces.lift_ci_low, pieces.lift_ci_high) == pytest.approx(
        (whole.lift, whole.lift_ci_low, whole.lift_ci_high), rel=1e-6
    )


# ---- means of weighted rows


def part_of_rows(weight, offset=0.0):
    n = len(weight)
    residual = np.array([50.0, 1.0, -2.0, 3.0, -4.0, 0.5])[:n]
    return weighted_mean.Weighted(np.full(n, 0.25), np.array(weight), (0.0, 9.0), residual, (-5.0, 60.0), offset)


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_what_customers_showed_by_hand(offset, monkeypatch):
    """One row each: the first has just the mean weight, and is on neither side of it."""
    asked = []
    monkeypatch.setattr(weighted_mean, "likelihood_ends", lambda *words: asked.append(words) or (-0.125, 0.5))
    part, clusters = part_of_rows([1.0, 0.5, 0.25, 2.0, 3.0, 1.5], offset), Clusters(np.arange(6))
    assert weighted_mean.likelihood_interval(part, clusters, 0.1) == (0.125, 0.75)
    seen, bounds, residual_range, told, alpha = asked[0]
    terms = (part.weight - offset) * part.residual
    assert (bounds, residual_range, told, alpha) == ((0.0, 9.0), (-5.0, 60.0), offset, 0.1)
    assert seen.sums == pytest.approx(PairSums.of(part.weight, terms))
    assert (seen.row, seen.totals) == (1.0, (0.0, 9.0))
    assert seen.usual == pytest.approx(terms.mean() / part.weight.mean())
    assert seen.above == pytest.approx([min(terms[3:]), max(terms[3:])])
    assert seen.below == pytest.approx([min(terms[1:3]), max(terms[1:3])])
    ones = part_of_rows([1.0, 1.0, 1.0], offset)
    weighted_mean.likelihood_interval(ones, Clusters(np.array([0, 0, 1])), 0.1)
    seen, bounds = asked[1][:2]
    assert (bounds, seen.row) == ((1.0, 1.0), 2 / 3)
    nothing = part_of_rows([0.0, 0.0, 0.0], offset)
    weighted_mean.likelihood_interval(nothing, Clusters(np.arange(3)), 0.1)
    assert asked[2][0].usual == pytest.approx(((0.0 - offset) * nothing.residual).mean() / 1e-12)


@pytest.mark.parametrize(("speaking", "looks"), [(30.0, True), (29.999, False)])
def test_what_is_seen_is_looked_at_from_thirty_speaking_rows_on(speaking, looks, monkeypatch):
    monkeypatch.setattr(weighted_mean, "seen", lambda *words: "seen")
    for way, ends in (("interval_of_value", "value_ends"), ("interval_of_difference", "difference_ends")):
        monkeypatch.setattr(weighted_mean, ends, lambda found, *words: (found, words[:2]))
        made = getattr(weighted_mean, way)(part_of_rows([1.0, 2.0]), Clusters(np.arange(2)), 0.1, speaking, None)
        assert made == ("seen" if looks else None, (speaking, 0.1))


def test_ends_of_what_may_have_been_missed_by_hand(monkeypatch):
    asked = []
    monkeypatch.setattr(weighted_mean, "cressie_read", lambda *words: asked.append(words) or (0.0, 1.0))
    seen = weighted_mean.LikelihoodInputs(None, 0.5, 0.25, (0.5, 4.0), [-7.0, 8.0], [-9.0, 11.0])
    for offset in (0.0, 1.0):
        weighted_mean.likelihood_ends(seen, (0.2, 6.0), (-1.0, 2.0), offset, 0.1)
    for offset, (_, low, high, alpha, outliers) in zip((0.0, 1.0), asked, strict=True):
        least, largest = (
            [0.5 * (bound - offset) * r + (total - 0.5 * bound) * 0.25 for r in (-1.0, 2.0)]
            for bound, total in ((0.2, 0.5), (6.0, 4.0))
        )
        least, largest = [*least, *([-9.0, 11.0] if offset else [])], [*largest, -7.0, 8.0]
        assert [one[:2] for one in low] == [(0.5, pytest.approx(min(least))), (4.0, pytest.approx(min(largest)))]
        assert [one[:2] for one in high] == [(0.5, pytest.approx(max(least))), (4.0, pytest.approx(max(largest)))]
        assert (alpha, outliers) == (0.1, seen.outliers)


# ---- a piece of a stream


@pytest.mark.parametrize("mix", [1.0, 0.5])
@pytest.mark.parametrize("same", [False, True])
def test_the_tally_of_a_piece_by_loops(mix, same):
    """Rows that are not known yet, certain ones with and without a choice, one just at the bar of heavy weights."""
    n, chance = 40, np.random.default_rng(1)
    log = make_log(n, rows=2, eligible=True)
    eligible = log.eligible.copy()
    eligible[::7, 1:] = False
    action = np.where(eligible[:, 1:].any(axis=1), np.argmax(eligible * chance.random((n, K)), axis=1), 0)
    action = np.where(action == 3, 0, action)  # the last one was never tried
    propensity = chance.uniform(0.1, 0.9, n)
    propensity[[3, 7, 8]] = CERTAIN, 1.0, CERTAIN - 1e-9
    p = chance.random((n, K)) * eligible
    other = chance.random((n, K)) * eligible
    p[:, 2] = 0.0  # never wanted
    p, other = (x / x.sum(axis=1, keepdims=True) for x in (p, other))
    propensity[10], propensity[11] = p[10, action[10]] / 10.0, p[11, action[11]] / 25.0
    log = replace(
        log, eligible=eligible, action=action, propensity=propensity, reward=chance.choice([0.0, 1.0, 2.5], n),
        matured=np.arange(n) % 9 != 4,
    )  # fmt: skip
    q = chance.uniform(-0.5, 3.0, (n, K))
    question = Question(LogInMemory(log), p, p if same else other, mix, q, ("dr", "ips_clip"))
    part, b = part_of(question, 0), (p if same else other)
    rows = [i for i in range(n) if log.matured[i]]
    plain = {i: p[i, action[i]] / propensity[i] for i in rows}
    w = {i: 1.0 - mix + mix * plain[i] for i in rows}
    wb = {i: b[i, action[i]] / propensity[i] for i in rows}
    sure = [i for i in rows if propensity[i] >= CERTAIN]
    free = [i for i in rows if eligible[i].sum() > 1]
    lifted = {i: 1.0 + w[i] - wb[i] for i in rows}
    added = {
        "dropped": n - len(rows),
        "tried": np.bincount(action[rows], minlength=K),
        "reward": sum(log.reward[rows]),
        "weight_square": sum(w[i] ** 2 for i in rows),
        "weight of b": sum(wb.values()),
        "weight_square of b": sum(x**2 for x in wb.values()),
        "reference_expected": sum(b[i] @ q[i] for i in rows),
        "outcomes": sum(w[i] * log.reward[i] != 0.0 for i in rows),
        "clipped": sum(max(w[i] - 10.0, 0.0) for i in rows),
        "choice": len(free),
        "certain": sum(i in free for i in sure),
        "certain_off of a": sum(max(1.0 - p[i, action[i]], 0.0) for i in sure),
        "certain_off of b": sum(max(1.0 - b[i, action[i]], 0.0) for i in sure),
        "mass of a": sum(p[i] for i in rows if i not in sure),
        "mass of b": sum(b[i] for i in rows if i not in sure),
    }
    assert set(part.rows.added) == set(added)
    for name, value in added.items():
        assert part.rows.added[name] == pytest.approx(value), name
    tried = added["tried"] > 0
    assert not tried.all()
    least = [min(propensity[i] for i in rows if action[i] == a) if tried[a] else np.inf for a in range(K)]
    assert part.rows.least["propensity"].tolist() == least
    assert (part.rows.least["reward"], part.rows.least["q"]) == (0.0, q[rows].min())
    largest = {
        "reward": 2.5, "not_binary": 1.0, "q": q[rows].max(), "weight": max(w.values()),
        "weight of a": max(plain.values()), "weight of b": max(wb.values()),
        "wanted of a": (p[rows] > 0).any(axis=0) * 1.0, "wanted of b": (b[rows] > 0).any(axis=0) * 1.0,
        "most wanted of a": p[rows].max(), "most wanted of b": b[rows].max(),
        "off_one": max(abs(x - 1.0) for x in w.values()), "off_one_lift": max(abs(x - 1.0) for x in lifted.values()),
        "differs": float(not (same and mix == 1.0)),
    }  # fmt: skip
    assert set(part.rows.largest) == set(largest)
    for name, value in largest.items():
        assert part.rows.largest[name] == pytest.approx(value, abs=1e-12), name
    assert part.propensities.tolist() == propensity[rows].tolist()
    assert part.customers.columns[: len(COLUMNS)] == COLUMNS


def test_what_is_binary_and_what_is_one_propensity_for_all():
    q = np.zeros((6, K))
    for reward, binary in (([0, 1, 0, 1, 1, 0], True), ([0, 1, 0, 2, 1, 0], False), ([2, 3, 2, 3, 3, 2], False)):
        log = make_log(6, reward=np.array(reward, dtype=float), action=np.array([0, 1, 0, 1, 0, 1]))
        log = replace(log, propensity=np.full(6, 0.5))
        part = part_of(Question(LogInMemory(log), None, None, 1.0, q, ("ips",)), 0)
        assert part.rows.largest["not_binary"] == float(not binary)
        assert part.rows.least["propensity"].tolist() == [0.5, 0.5, np.inf, np.inf]
        assert stream_module.evaluate_stream(log, "logged", model=q).reward_range_from == (
            "0 or 1" if binary else "observed"
        )
    assert stream_rows._from_one(np.array([0.5, 1.2])) == 0.5
    assert stream_rows._from_one(np.array([0.9, 1.2])) == pytest.approx(0.2)
    late = replace(make_log(6), matured=np.zeros(6, dtype=bool))
    nobody = part_of(Question(LogInMemory(late), None, None, 1.0, q, ("ips",)), 0)
    assert (len(nobody.propensities), nobody.sample) == (0, ())


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


def test_a_holdout_without_a_salt_is_drawn_by_nothing_and_sorted_rows_keep_their_order(monkeypatch):
    asked = []
    module = sys.modules[holdout_of.__module__]
    usual = module.drawn
    monkeypatch.setattr(module, "drawn", lambda *words: asked.append(words[2]) or usual(*words))
    for meta, salt in (({"holdout": 0.2}, 0), ({"holdout": 0.2, "holdout_salt": 5}, 5)):
        assert holdout_of(make_log(100, meta=meta)) is not None
        assert asked.pop() == salt
    values = np.random.default_rng(0).integers(0, 3, 5_000).astype(float)
    assert ascending(values).tolist() == np.argsort(values, kind="stable").tolist()
    assert ascending(np.array([2.0, 1.0])).tolist() == [1, 0]


def test_freedom_of_balanced_stakes_has_no_unit():
    stake, residual = np.random.default_rng(0).normal(size=60), np.random.default_rng(1).normal(size=60)
    whole = freedom_of_stakes(stake, residual, 60.0)
    assert whole > 1.0
    assert freedom_of_stakes(1e-3 * stake, residual, 60.0) == pytest.approx(whole)
    assert freedom_of_stakes(0.0 * stake, residual, 60.0) == 0.0


# ---- estimators that hold weights back, and differences


@pytest.mark.parametrize("name", ["ips_clip", "dros", "dr"])
def test_what_is_lost_by_holding_weights_back_is_of_rewards_or_of_residuals(name, monkeypatch):
    asked = []
    monkeypatch.setattr(methods_registry, "choose", lambda *words: asked.append(words) or 3.0)
    weight = np.array([0.5, 4.0, 20.0])
    rows = evidence_of(np.array([1.0, 0.0, 2.0]), weight=weight, predicted=np.array([0.25, 0.5, 0.75]))
    found = methods_registry.setting_of(name, rows, "mse")
    if name == "dr":
        assert (found, asked) == (None, [])
        return
    assert found == 3.0
    tuning, grid, at, lost, w, clusters = asked[0]
    assert (tuning, w.tolist(), clusters) == ("mse", weight.tolist(), rows.clusters)
    held = methods_registry.ESTIMATORS[name].held
    assert grid == held.grid
    residual = rows.reward - (rows.predicted if name == "dros" else 0.0)
    assert lost(2.0) == pytest.approx((weight - held.weight(weight, 2.0)) * residual)
    assert at(2.0).value == pytest.approx(methods_registry.ESTIMATORS[name].terms(rows, 2.0).point().value)


def test_policies_of_equal_weights_differ_where_the_model_expects_another_value():
    reward = np.array([1.0, 0.0, 1.0, 0.0])
    first = evidence_of(reward, expected=np.array([0.5, 0.25, 0.25, 0.25]), predicted=np.full(4, 0.25))
    second = first._replace(expected=np.full(4, 0.25))
    found = methods_registry.difference(first, second, 0.1)
    assert found.value == pytest.approx(0.0625)
    assert found.ci_low < found.value < found.ci_high or found.std_error > 0.0
    nothing = methods_registry.difference(first, first, 0.1)
    assert nothing[:4] == (0.0, 0.0, 0.0, 0.0)
    other = first._replace(weight=np.array([2.0, 0.5, 1.0, 1.0]))
    assert methods_registry.difference(other, first, 0.1).value == pytest.approx(
        np.mean((other.weight - first.weight) * (reward - 0.25))
    )


def test_a_lift_of_models_needs_an_interval_of_both():
    def one(made):
        point = Point(0.5, np.zeros(4))
        return SimpleNamespace(
            interval=lambda name: made, of=lambda name: lambda rows: point, reward=np.zeros((4, 2)), discount=1.0
        )

    way = intervals.IntervalOptions("t", 0.1, 0)
    none = registry.NO_INTERVAL
    for ours, theirs, told in (("x", "x", True), ("x", none, False), (none, "x", False)):
        found = intervals.lift_by("fqe", one(ours), one(theirs), way)
        assert (found.interval != none) is told


def test_an_answer_says_which_it_chose_and_how_much_it_held_back_only_where_it_did():
    log = make_log(300)
    usual = str(whole_module.evaluate(log, within(log), q=np.zeros((300, K))))
    assert "weights held back" not in usual
    chosen = whole_module.evaluate(log, within(log), q=np.zeros((300, K)), estimators=("auto",))
    assert chosen.selection
    assert chosen.selection in str(chosen)


def test_an_action_that_a_logger_never_takes_need_not_be_eligible():
    action = np.arange(40) % 2
    eligible = np.ones((40, K), dtype=bool)
    eligible[::3, 3] = False
    log = make_log(40, action=action, propensity=np.where(action == 0, 0.4, 0.6))
    log = replace(log, eligible=eligible, wave=np.zeros(40, dtype=int))
    assert pooled_loggers.pooled_factor(log) == pytest.approx(np.ones(40))
    eligible[5, 0] = False  # and one that it takes must be
    assert pooled_loggers.pooled_factor(replace(log, eligible=eligible, action=np.where(action == 0, 0, 1))) is None


def test_sums_of_customers_of_one_row_each_in_any_order():
    assert Clusters(np.array([2, 0, 1])).sums(np.array([10.0, 20.0, 30.0])).tolist() == [20.0, 30.0, 10.0]
    assert Clusters(np.array([0, 2, 1])).sums(np.array([10.0, 20.0, 30.0])).tolist() == [10.0, 30.0, 20.0]
    log = make_log(6)
    tally = part_of(Question(LogInMemory(log), None, None, 1.0, None, ("ips",)), 0).rows
    for who in "ab":
        assert (tally.largest[f"weight of {who}"], tally.largest[f"most wanted of {who}"]) == (1.0, 0.0)
        assert tally.added[f"certain_off of {who}"] == 0.0


def test_a_row_far_below_decides_as_one_far_above():
    log = SimpleNamespace(customers=np.array(["a"]), customer=np.zeros(40, dtype=int), reward=np.arange(40.0))
    for far in (-80.0, 80.0):
        terms = np.where(np.arange(40) == 7, far, np.sign(-far) * (np.arange(40) % 2))
        (found,) = outlier(log, terms)
        assert found.text.startswith("row 7 ")


@pytest.mark.parametrize("reward", [0.0, 1.0])
def test_rewards_of_one_kind_of_two_are_conversions_all_the_same(reward):
    log = make_log(40, reward=np.full(40, reward))
    assert fit_sampled_ridge(LogInMemory(log), None, 2, 0, 1_000).reward_range == (0.0, 1.0)
    half = replace(log, reward=np.full(40, 0.5))
    assert fit_sampled_ridge(LogInMemory(half), None, 2, 0, 1_000).reward_range == (0.5, 0.5)
