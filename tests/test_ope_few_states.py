"""Where states are few: exact means, ratios of counts, and an interval of fqe that knows the model's error."""

import html
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_ope_few_events import study_of
from tests.test_ope_sequential_log import LOGGED, REWARD, WANTED, chain, truth, wanted

import campaignrl as crl
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.data.states import states
from campaignrl.ope.data.target_policy import target_policy_of
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.episodes.registry import DOUBLY_ROBUST, NO_INTERVAL, WHERE_REFUSED, Fitting, gather_episodes
from campaignrl.ope.estimators import sequential
from campaignrl.ope.nuisance.cross_fitting import folds_of
from campaignrl.ope.nuisance.few_states import A_ROW, Saturated, few_states
from campaignrl.ope.nuisance.minimax_ratios import _counted, _linear, minimax_ratios
from campaignrl.report.html import ReportContent
from campaignrl.report.html import page as html_page


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(1, 5), discount=st.floats(0.3, 1.0))
def test_with_whole_weights_drl_is_sdr(seed, steps, discount):
    rng = np.random.default_rng(seed)
    weight, reward, q, v = rng.exponential(size=(20, steps)), *rng.normal(size=(3, 20, steps))
    one = sequential.drl(sequential.cumulative_weights(weight), reward, q, v, discount)
    other = sequential.sdr(weight, reward, q, v, discount)
    assert one.value == pytest.approx(other.value)
    assert one.influence == pytest.approx(other.influence)


def test_drl_by_hand():
    ratio, reward = np.array([[2.0, 0.5], [1.0, 3.0]]), np.array([[1.0, 4.0], [0.0, 2.0]])
    q, v = np.array([[3.0, 2.0], [1.0, 1.0]]), np.array([[2.0, 5.0], [1.0, 4.0]])
    # first: 2 + 2 (1 + .5 x 5 - 3) + .5 x .5 (4 - 2) = 3.5; second: 1 + 1 (0 + .5 x 4 - 1) + .5 x 3 (2 - 1) = 3.5
    found = sequential.drl(ratio, reward, q, v, 0.5)
    assert found.value == pytest.approx(3.5)
    assert found.influence == pytest.approx([0.0, 0.0])


def test_equal_contexts_are_one_state():
    log = chain(n=600)
    state = few_states(log, trajectories(log))
    seen = {}
    for number, name, left in zip(state, log.context.columns["state"], log.context.columns["left"], strict=True):
        assert seen.setdefault(number, (name, left)) == (name, left)
    assert len(set(seen.values())) == len(seen)


def test_a_number_that_differs_for_everybody_or_too_few_rows_a_pair_are_not_few():
    few = chain(n=60)
    assert few_states(few, trajectories(few)) is None
    log = chain(n=600)
    score = np.random.default_rng(0).random(len(log))
    schema = FeatureSchema((Feature(name="score", high=1.0),))
    object.__setattr__(log, "context", Context(schema, {"score": score}))
    assert few_states(log, trajectories(log)) is None


class Flat:
    """A regression that says the same of everything."""

    def __init__(self, value, k):
        self.value, self.k = value, k

    def fit(self, rows, target, steps_to_go):
        return lambda at: np.full((len(at), self.k), self.value, dtype=np.float32)


def test_what_the_regression_leaves_of_a_pair_is_its_mean_less_a_part_of_a_row():
    log = chain(n=300)
    rows = np.flatnonzero(log.step == 0)
    state = np.asarray(log.context.columns["state"], dtype=np.int64)
    predicted = Saturated(Flat(2.0, 3), log, state).fit(rows, log.reward[rows], 4)(rows[:1])[0]
    for action in (0, 1):
        mine = rows[log.action[rows] == action]
        left = (log.reward[mine] - 2.0).sum() / (len(mine) + A_ROW)
        assert predicted[action] == pytest.approx(2.0 + left, rel=1e-5)
    assert predicted[2] == 2.0  # never seen at the first step: the regression speaks


def test_ratios_of_counts_by_hand():
    found = _counted(np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 0.5, 0.0]), np.array([1, 0, 2]))
    assert found == pytest.approx([0.25, 2.0, 0.0])


def test_linear_ratios_balance_what_they_can_see():
    rng = np.random.default_rng(0)
    Z = np.c_[np.ones(5_000), rng.random((5_000, 3))]
    mass = 0.5 + Z[:, 1] * rng.exponential(size=5_000)
    found = _linear(Z, mass, Z)
    assert found.mean() == pytest.approx(mass.mean(), rel=1e-3)
    assert (found[:, None] * Z).mean(axis=0) == pytest.approx((mass[:, None] * Z).mean(axis=0), rel=0.01)


@pytest.mark.parametrize("few", [True, False])
def test_ratios_are_those_of_the_chain(few):
    log = chain(n=4_000)
    paths = trajectories(log)
    state = np.asarray(log.context.columns["state"], dtype=np.int64)
    weight = (WANTED / np.maximum(LOGGED, 1e-300))[state, log.action]
    ratio = minimax_ratios(log, paths, paths.aligned(weight, 1.0), few_states(log, paths) if few else None)
    assert (ratio[:, 0] == 1.0).all()
    rows = paths.row[:, 1]
    for s in (0, 1):  # after one step from `cold`
        moves = np.array([[0.8, 0.2], [0.3, 0.7]])[:, s]
        exact = (WANTED[0, :2] @ moves) / (LOGGED[0, :2] @ moves)
        assert ratio[state[rows] == s, 1].mean() == pytest.approx(exact, abs=0.06)


@pytest.mark.parametrize(("few", "size"), [(True, 1.0), (False, 1.0), (True, 1e-4)])
def test_ratios_step_by_step_by_loops(few, size):
    """Each fold by what the others say of it, scaled to the mass that is carried on."""
    log = chain(n=300, seed=4)
    paths = trajectories(log)
    state = np.asarray(log.context.columns["state"], dtype=np.int64)
    chance = np.random.default_rng(4)
    weight = np.where(paths.going_on, size * chance.exponential(size=paths.row.shape), 1.0)
    found = minimax_ratios(log, paths, weight, state if few else None, folds=3, seed=2)
    fold = folds_of(log.customers, 3, 2)[paths.customer]
    X = np.c_[np.ones(len(log)), states(log)]
    ratio = np.ones(paths.row.shape)
    for t in range(1, paths.steps):
        carried = [ratio[i, t - 1] * weight[i, t - 1] for i in range(len(ratio))]
        here = [i for i in range(len(ratio)) if paths.going_on[i, t]]
        raw = {}
        for f in range(3):
            learn, held = [i for i in here if fold[i] != f], [i for i in here if fold[i] == f]
            rows, at = paths.row[learn, t], paths.row[held, t]
            mass = np.array([carried[i] for i in learn])
            told = _counted(state[rows], mass, state[at]) if few else _linear(X[rows], mass, X[at])
            raw |= dict(zip(held, told.tolist(), strict=True))
        scale = sum(carried[i] for i in here) / sum(raw.values())
        for i in range(len(ratio)):
            ratio[i, t] = raw[i] * scale if i in raw else carried[i]
    assert found == pytest.approx(ratio, rel=1e-6)


def test_fqe_is_exact_where_states_are_few_and_its_interval_covers():
    """By the ridge alone, and by an interval without the model's error, neither."""
    lift, held, values = truth() - truth(LOGGED), 0, []
    for seed in range(25):
        log = chain(n=600, seed=seed)
        found = crl.evaluate(log, wanted(log), estimators=("fqe",))
        one = found.estimates["fqe"]
        assert one.interval == DOUBLY_ROBUST
        values.append(one.value)
        held += one.ci_low <= truth() <= one.ci_high
        assert found.lift_ci_low <= found.lift <= found.lift_ci_high
    assert abs(np.mean(values) - truth()) < 0.1 * abs(lift)
    assert held >= 21


def test_where_nothing_tells_the_models_error_fqe_has_no_interval_and_no_trust():
    log = chain(n=4_000)
    rare = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    some = log.take(np.flatnonzero(log.customer < 150))
    found = crl.evaluate(some, wanted(some, rare), estimators=("fqe",))
    one = found.estimates["fqe"]
    assert one.interval == NO_INTERVAL
    assert math.isfinite(one.value)
    assert math.isnan(one.ci_low)
    assert math.isnan(found.lift_ci_low)
    assert found.verdict != "trust"
    assert "fqe has no interval" in " ".join(found.reasons)
    assert found.to_dict()["estimates"]["fqe"]["ci_low"] is None
    assert REWARD.shape == rare.shape


def test_a_log_that_refuses_the_policy_gives_fqe_no_interval_anywhere():
    """Few customers still go the policy's way after four steps, and many are in its states: a model, and no more."""
    log = chain(n=1_500)
    far = wanted(log, np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
    found = crl.evaluate(log, far, estimators=("fqe",))
    ours = gather_episodes(log, trajectories(log), target_policy_of(far, log), ("fqe",), fitting=Fitting())
    assert ours.figures.told == 4  # all of it: what withholds the interval is the verdict
    assert found.verdict == "refuse"
    one = found.estimates["fqe"]
    assert (one.interval, found.lift_by) == (WHERE_REFUSED, "fqe")
    assert math.isfinite(one.value)
    assert all(math.isnan(x) for x in (one.std_error, one.ci_low, one.ci_high, found.lift_ci_low, found.lift_ci_high))
    assert found.reasons[-1].startswith("fqe has no interval: one from a log that is refused")
    told = found.to_dict()["estimates"]["fqe"]
    assert [told[name] for name in ("std_error", "ci_low", "ci_high")] == [None] * 3
    row = next(line for line in str(found).splitlines() if line.startswith("fqe"))
    assert "[" not in row
    assert WHERE_REFUSED in row
    with_interval = crl.evaluate(log, far, estimators=("fqe",), interval="bootstrap").estimates["fqe"]
    assert math.isnan(with_interval.ci_low)
    page = html_page(ReportContent(title="far", evaluations=((found, None),)))
    assert WHERE_REFUSED in html.unescape(page)
    near = crl.evaluate(log, wanted(log, 0.8 * LOGGED + 0.2 * WANTED), estimators=("fqe",))
    assert near.verdict != "refuse"
    assert near.estimates["fqe"].ci_low < near.estimates["fqe"].ci_high


def test_of_fewer_effective_customers_than_tell_its_error_fqe_has_a_value_and_no_interval():
    """Between 165 and 197 of 2,000: doubly robust it can be had, but too few to trust an interval of a model."""
    study = study_of("tabular_episodes")
    world = study.table(1, 1.0)
    log = study.log_of(world, 4, 2_000, np.random.default_rng(0))
    found = crl.evaluate(log, world.policy[log.context.columns["state"]], estimators=("fqe", "drl"))
    assert math.isfinite(found.estimates["drl"].value)
    assert found.estimates["drl"].interval == WHERE_REFUSED
    assert math.isnan(found.estimates["drl"].ci_low)
    assert math.isfinite(found.estimates["fqe"].value)
    assert found.estimates["fqe"].interval == NO_INTERVAL
    assert found.verdict != "trust"
    assert "fqe has no interval" in " ".join(found.reasons)
    assert abs(study.plain(log, world.policy, 4) - found.estimates["fqe"].value) < 0.1


def test_what_a_table_is_worth_is_what_its_episodes_earn():
    study = study_of("tabular_episodes")
    world = study.table(2, 0.5)
    log = study.log_of(world, 3, 20_000, np.random.default_rng(1))
    earned = np.bincount(log.customer, log.reward)
    assert world.truth(world.logging, 3) == pytest.approx(earned.mean(), abs=4 * earned.std() / np.sqrt(20_000))
    assert study.plain(log, world.logging, 3) == pytest.approx(earned.mean(), abs=0.05)
    logs = [{"verdict": "trust", "plain": 1.0} | dict.fromkeys(study.NAMES, (1.0, 0.5, 1e9)) for _ in range(3)]
    told = study.summary(logs, 2, 0.5, 3)
    assert told["fqe"]["held"] == told["fqe"]["intervals"] == 3
    assert told["fqe"]["off"] == pytest.approx(abs(1.0 - told["truth"]) / abs(told["lift"]))
