"""The regressions of fitted-Q evaluation: what is made once serves all targets, and contrasts stand apart."""

import numpy as np
import pytest

from campaignrl.actions import Catalog
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.data.states import states
from campaignrl.ope.nuisance import q_models as q_regressions
from campaignrl.ope.nuisance.q_models import REFRESH, ContrastRidge, JointRidge
from campaignrl.policies.linear_model.ridge import RidgeStatistics, fit_ridge, with_intercept
from campaignrl.tables.log.decision_log import DecisionLog

CATALOG = Catalog.from_names(["a@x", "a@y", "b@x", "b@y"])
SCHEMA = FeatureSchema(tuple(Feature(name=f"x{j}", low=-3.0, high=3.0) for j in range(2)))
N, CUSTOMERS = 6_000, 1_500
LATER = REFRESH + 1  # steps to go at which the penalty is kept


@pytest.fixture(scope="module")
def log():
    """Four decisions a customer; a third of the rows without a choice."""
    chance = np.random.default_rng(0)
    eligible = np.ones((N, len(CATALOG)), dtype=bool)
    eligible[chance.random(N) < 1 / 3, 1:] = False
    action = np.where(eligible[:, 1], chance.integers(0, len(CATALOG), N), 0)
    step = np.tile(np.arange(N // CUSTOMERS), CUSTOMERS)
    return DecisionLog(
        catalog=CATALOG,
        customers=np.array([f"c{i}" for i in range(CUSTOMERS)], dtype=object),
        customer=np.repeat(np.arange(CUSTOMERS), N // CUSTOMERS),
        step=step,
        day=step,
        context=Context(SCHEMA, {name: chance.uniform(-3, 3, N) for name in SCHEMA.names}),
        action=action,
        propensity=1.0 / eligible.sum(axis=1),
        reward=np.zeros(N),
        cost=np.zeros(N, dtype=np.int64),
        matured=np.ones(N, dtype=bool),
        eligible=eligible,
    )


def test_the_joint_ridge_is_fit_ridge_for_every_target(log):
    """Factors made for one target give another's coefficients, and the penalty its own evidence asks for."""
    X, rows, chance = states(log), np.arange(0, N, 2), np.random.default_rng(1)
    regression, chosen = JointRidge(X, log), []
    for scale in (0.0, 3.0, 1.0):
        target = X[rows, 0] * scale * (log.action[rows] == 2) + chance.normal(size=len(rows))
        stats = RidgeStatistics.zeros(CATALOG, X.shape[1])
        stats.add(X[rows], log.action[rows], target)
        fresh = fit_ridge(stats, CATALOG, None)
        found = regression.fit(rows, target, REFRESH)(rows)
        assert found == pytest.approx(with_intercept(X[rows]) @ fresh.coefficients, abs=2e-4)
        chosen.append(fresh.l2)
    assert len(set(chosen)) > 1  # so that the choice was put to the test
    kept = regression.fit(rows, chance.normal(size=len(rows)), LATER)(rows)
    assert np.isfinite(kept).all()


def effect_and_baseline(log):
    """A small effect of one action; and what comes anyway, most of it told by the context."""
    x0, x1 = (log.context.columns[name] for name in SCHEMA.names)
    return 0.5 * (log.action == 3), 20.0 * x0 + x0 * x1


def test_contrasts_find_a_small_effect_under_what_comes_anyway(log):
    X = states(log)
    added, anyway = effect_and_baseline(log)
    noise = 3.0 * np.random.default_rng(2).normal(size=N)
    rows = np.arange(N)
    choice = log.eligible[:, 1]
    errors = {}
    for kind in (ContrastRidge, JointRidge):
        q = kind(X, log).fit(rows, added + anyway + noise, 1)(rows)
        gain = q[choice, 3] - q[choice, :3].mean(axis=1)
        errors[kind] = np.sqrt(np.mean((gain - 0.5) ** 2))
    assert errors[ContrastRidge] < 0.3
    assert errors[ContrastRidge] < errors[JointRidge] / 2


def test_without_a_choice_the_baseline_alone_speaks(log):
    X, (added, anyway) = states(log), effect_and_baseline(log)
    q = ContrastRidge(X, log).fit(np.arange(N), added + anyway, 1)(np.arange(N))
    forced = ~log.eligible[:, 1]
    assert np.ptp(q[forced], axis=1) == pytest.approx(0.0)
    assert np.std(q[forced, 0] - anyway[forced]) < 0.05 * np.std(anyway)
    assert np.ptp(q[~forced], axis=1).min() > 0.2


def test_products_made_anew_are_those_held(log, monkeypatch):
    X, (added, anyway) = states(log), effect_and_baseline(log)
    held = ContrastRidge(X, log).fit(np.arange(N), added + anyway, 1)(np.arange(N))
    monkeypatch.setattr(q_regressions, "HELD", 0)
    anew = ContrastRidge(X, log).fit(np.arange(N), added + anyway, 1)(np.arange(N))
    assert np.array_equal(held, anew)
