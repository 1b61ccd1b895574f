"""Episodes at their edges, by loops: what they say of a policy, how intervals are made, what has none."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from test_ope_sequential_log import LOGGED, WANTED, chain
from test_ope_sequential_log import wanted as wanted_of

from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.diagnostics.verdict import ESS_REFUSE
from campaignrl.ope.episodes import intervals, registry
from campaignrl.ope.episodes.evaluate import evaluate_episodes
from campaignrl.ope.episodes.registry import Fitting, gather_episodes
from campaignrl.ope.episodes.support_horizon import (
    TOLD,
    EpisodeFigures,
    Step,
    curve_of,
    lasting_steps,
)
from campaignrl.ope.estimators.weights import CERTAIN
from campaignrl.ope.intervals import CLUSTERED_T, Estimate
from campaignrl.ope.intervals.clustered import Point
from campaignrl.ope.nuisance.few_states import few_states
from campaignrl.ope.nuisance.minimax_ratios import minimax_ratios

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


# ---- classifiers and loggers


def test_a_value_by_the_spread_of_another_stretches_its_interval():
    made = Estimate(1.0, 0.2, 0.5, 1.5, "t")
    for value, low, high in ((1.1, 0.5, 1.5), (0.2, 0.2, 1.5), (1.8, 0.5, 1.8)):
        assert intervals._with_value(made, value) == (value, 0.2, low, high, "t")
    nothing = intervals._without_interval(0.7, registry.WHERE_REFUSED)
    assert (nothing.value, nothing.interval) == (0.7, registry.WHERE_REFUSED)
    assert np.isnan(nothing[1:4]).all()


# ---- columns that may have driven a choice


def test_a_refusal_of_episodes_takes_intervals_away():
    step = Step(1, 1.0, 5_000, 2_000.0, np.nan, 0.01, 1.0)
    sound = EpisodeFigures(
        customers=5_000, off_support=0.0, mean_weight=1.0, mean_weight_p=1.0, ended=0.0, model_asked=True,
        learned_from=0.0,
    )  # fmt: skip
    for customers, told, fqe in (
        (29, 1, registry.WHERE_REFUSED),
        (29, 0, registry.NO_INTERVAL),
        (29, None, registry.NO_INTERVAL),
        (49, 1, registry.DOUBLY_ROBUST),
        (5_000, 1, registry.DOUBLY_ROBUST),
    ):
        figures = sound._replace(customers=customers, told=told)
        one = registry.Episodes(None, None, 1.0, None, None, None, (step,), figures)
        assert one.interval("fqe") == fqe
        assert one.interval("wdr") == (registry.WHERE_REFUSED if customers < 30 else CLUSTERED_T)


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
    assert {made(name, (step, out)) for name in ("pdis", "wdr")} == {registry.WHERE_REFUSED}  # the weights run out
    assert made("fqe", told=1) == registry.NO_INTERVAL
    assert made("fqe", customers=29) == registry.WHERE_REFUSED
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


# ---- estimators that hold weights back, and differences


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
