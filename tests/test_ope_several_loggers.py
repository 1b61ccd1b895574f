"""Estimators for several loggers and for loggers that learn, the marginal ratio, and which estimator suits a log."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_ope_balance import drawn, log_of, softmax

from campaignrl.errors import DataError, UsageError
from campaignrl.ope.estimators import bandit
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.methods import INTERVALS, USUAL
from campaignrl.ope.methods.selection import CANDIDATES, asked
from campaignrl.ope.nuisance.pooled_loggers import pooled_factor


def test_marginal_ratio_by_hand():
    # 27 rows: groups of 9 rows of neighbouring rewards; equal rewards stay together
    reward = np.r_[np.zeros(9), np.full(9, 2.0), np.arange(3.0, 12.0)]
    weight = np.r_[np.full(9, 1.0), np.arange(9.0), np.arange(9.0) / 2]
    found = bandit.mr(weight, reward).point().value
    assert found == pytest.approx((9 * 4.0 * 2.0 + 2.0 * reward[18:].sum()) / 27)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_of_rewards_of_two_values_the_marginal_ratio_is_ips(seed):
    rng = np.random.default_rng(seed)
    weight, reward = rng.exponential(size=200), (rng.random(200) < 0.3).astype(float)
    assert bandit.mr(weight, reward).point().value == pytest.approx(bandit.ips(weight, reward).point().value)


def test_stabilised_by_hand():
    weight, reward = np.array([1.0, 1.0, 4.0, 0.0]), np.array([1.0, 3.0, 2.0, 5.0])
    nothing = np.zeros(4)
    # mean squares 1 and 8, so that rows count 1 and 8 ** -0.5; terms 1, 3, 8, 0
    steady = 8.0**-0.5
    found = bandit.stabilised(weight, reward, nothing, nothing, np.array([0, 0, 1, 1])).point()
    assert found.value == pytest.approx((4.0 + 8.0 * steady) / (2.0 + 2.0 * steady))
    one = bandit.stabilised(weight, reward, nothing, nothing, np.zeros(4, dtype=int)).point()
    assert one.value == pytest.approx(bandit.dr(weight, reward, nothing, nothing).point().value)


def learning(seed, n=2_400, batches=6, K=3):
    """A logger that tries less and less of what the target, `always 2`, does; rewards do not depend on the action."""
    rng = np.random.default_rng(seed)
    wave = np.repeat(np.arange(batches), n // batches)
    rare = 0.4 * 0.55**wave
    P = np.stack([(1 - rare) / 2, (1 - rare) / 2, rare], axis=1)
    X, action = rng.normal(size=(n, 1)), drawn(P, rng)
    log = log_of(X, action, P[np.arange(n), action], rng.random(n) < 0.3)
    return replace(log, wave=wave.astype(np.int32)), np.tile([0.0, 0.0, 1.0], (n, 1)), wave, P


def table(P, log):
    return np.pad(P, ((0, 0), (0, len(log.catalog) - P.shape[1])))


def test_batches_of_a_logger_that_gave_up_count_less():
    errors = {"dr": [], "stabilised": [], "balanced": []}
    held = dict.fromkeys(errors, 0)
    for seed in range(40):
        log, wanted, _, _ = learning(seed)
        found = evaluate(log, table(wanted, log), estimators=tuple(errors)).estimates
        for name, one in found.items():
            errors[name].append(one.value - 0.3)
            held[name] += one.ci_low <= 0.3 <= one.ci_high
    spread = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in errors.items()}
    assert spread["stabilised"] < 0.9 * spread["dr"]
    assert spread["balanced"] < 0.8 * spread["dr"]
    assert held["stabilised"] >= 34
    assert held["balanced"] >= 35


def test_a_row_is_as_likely_as_all_loggers_make_it():
    log, _, wave, P = learning(0)
    found = log.propensity / pooled_factor(log)
    averages = np.array([P[wave == w][0] for w in range(6)]).mean(axis=0)
    assert found == pytest.approx(averages[log.action])


def test_one_logger_is_its_own_mixture_and_weights_over_all_are_never_larger():
    log, wanted, _, _ = learning(1)
    one = log.take(np.flatnonzero(log.wave == 0))
    both = evaluate(one, table(wanted, one)[: len(one)], estimators=("dr", "balanced")).estimates
    assert both["balanced"][:4] == pytest.approx(both["dr"][:4])
    weight = wanted[np.arange(len(log)), log.action] / log.propensity
    assert (weight * pooled_factor(log)).max() < weight.max()


def test_loggers_that_the_log_does_not_show_are_said():
    log, wanted, _, _ = learning(2)
    assert pooled_factor(replace(log, wave=None)) is None
    bent = replace(log, propensity=np.clip(log.propensity * np.linspace(0.8, 1.0, len(log)), 0.01, 1.0))
    assert pooled_factor(bent) is None
    found = evaluate(replace(log, wave=None), table(wanted, log), estimators=("balanced",))
    assert np.isnan(found.estimates["balanced"].value)
    assert "balanced: not to be had, the log has no waves" in " ".join(found.reasons)


# ---- which estimator suits a log


def contextual(seed, n=1_500, noise=1.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    P, E = softmax(0.5 * X @ np.ones((2, 3)) + 0.0), softmax(np.c_[X, -X[:, :1]] * 2.0)
    action = drawn(P, rng)
    reward = 5.0 + X[:, 0] + (action == 1) + noise * rng.normal(size=n)
    return log_of(X, action, P[np.arange(n), action], reward), E


def test_auto_takes_one_of_the_usual_and_says_so():
    log, wanted = contextual(0)
    found = evaluate(log, table(wanted, log), estimators=("auto",))
    assert len(found.estimates) == 1
    assert set(found.estimates) <= set(CANDIDATES)
    (name,) = found.estimates
    assert f"auto took {name}" in found.selection
    assert found.selection in str(found)
    assert found.estimates[name] == evaluate(log, table(wanted, log), estimators=(name,)).estimates[name]
    both = evaluate(log, table(wanted, log), estimators=("snips", "auto"))
    assert set(both.estimates) == {"snips", name}
    assert evaluate(log, table(wanted, log), estimators=("dr",)).selection == ""


def test_auto_takes_held_weights_where_they_agree_and_not_where_they_are_biased():
    """What it takes is no noisier than dr; with a bias that any interval shows, held weights are not taken."""
    rng = np.random.default_rng(0)
    n = 4_000
    P = np.tile([0.49, 0.49, 0.02], (n, 1))
    action = drawn(P, rng)
    wanted = np.tile([0.0, 0.0, 1.0], (n, 1))
    same = log_of(rng.normal(size=(n, 1)), action, P[np.arange(n), action], 1.0 + rng.normal(size=n))
    quiet = evaluate(same, table(wanted, same), estimators=("auto", "dr")).estimates
    assert min(one.std_error for one in quiet.values()) < quiet["dr"].std_error
    biased = replace(same, reward=same.reward + 20.0 * (action == 2))
    q = np.zeros((n, len(same.catalog)))  # a model that knows nothing of it
    found = evaluate(biased, table(wanted, same), estimators=("auto",), q=q)
    (name,) = found.estimates
    assert found.estimates[name].value == pytest.approx(21.0, abs=2.0)
    assert name in ("ips", "snips", "dr", "sndr")


def test_what_auto_asks_for():
    assert asked(("dr", "ips")) == (("dr", "ips"), ())
    names, choice = asked(("mr", "auto"))
    assert names == ("mr", *CANDIDATES)
    assert choice == CANDIDATES
    assert "dm" not in CANDIDATES


def test_auto_and_episodes_do_not_go_together():
    log, wanted = contextual(1)
    with pytest.raises(UsageError, match="ask for them apart"):
        evaluate(log, table(wanted, log), estimators=("auto", "wdr"))


# ---- every printed value lies in its interval


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(5, 120),
    bent=st.sampled_from([0.4, 1.0, 2.5]),
    interval=st.sampled_from(INTERVALS),
    rewards=st.sampled_from(["two", "many", "rare"]),
)
def test_every_value_lies_in_its_interval(seed, n, bent, interval, rewards):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    P, E = softmax(X @ rng.normal(size=(2, 3))), softmax(3 * X @ rng.normal(size=(2, 3)))
    action = drawn(P, rng)
    reward = {"two": rng.random(n) < 0.5, "many": rng.normal(size=n), "rare": 9.0 * (rng.random(n) < 0.05)}[rewards]
    log = log_of(X, action, np.minimum(P[np.arange(n), action] * bent, 1.0), reward)
    names = (*USUAL, "sg_ips", "sg_dr", "mr", "stabilised", "mrdr")
    try:
        found = evaluate(log, table(E, log), estimators=names, interval=interval)
    except DataError as wrong:  # where propensities are bent, bounds may cross, and then nothing is printed
        if "bounds cross" not in str(wrong):
            raise
        return
    told = {"lift": (found.lift, found.lift_ci_low, found.lift_ci_high)}
    told |= {name: (one.value, one.ci_low, one.ci_high) for name, one in found.estimates.items()}
    for name, (value, low, high) in told.items():
        if np.isfinite([value, low, high]).all():
            assert low <= value <= high, name
