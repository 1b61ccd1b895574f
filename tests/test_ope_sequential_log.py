"""Sequential evaluation of whole logs: an exactly solvable chain, refusals, words that do not fit, faults."""

import json

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.actions import Catalog
from campaignrl.cli.main import main
from campaignrl.errors import UnknownName, UsageError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.ope.episodes.evaluate import evaluate_episodes
from campaignrl.ope.episodes.registry import NO_INTERVAL, SEQUENTIAL, WHERE_REFUSED
from campaignrl.ope.nuisance.fqe import Behaviour, fitted_q
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log

# A chain of three states, four steps and three actions. What moves a customer on pays later, so that an evaluation
# that looks at the wrong state, or one step only, is far off. In state `cold` action b is not eligible.
STATES, STEPS = ("cold", "warm", "hot"), 4
CATALOG = Catalog.from_names(["a", "b"])
SCHEMA = FeatureSchema((Feature(name="state", levels=STATES), Feature(name="left", high=4.0)))
ELIGIBLE = np.array([[True, True, False], [True, True, True], [True, True, True]])
REWARD = np.array([[0.0, -0.5, 9.0], [0.5, 0.0, -0.5], [1.0, 3.0, 0.0]])  # state, action
MOVES = np.array(  # state, action, next state
    [
        [[0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]],
        [[0.5, 0.5, 0.0], [0.2, 0.6, 0.2], [0.0, 0.2, 0.8]],
        [[0.0, 0.5, 0.5], [0.6, 0.3, 0.1], [0.0, 0.1, 0.9]],
    ]
)
LOGGED = np.array([[0.5, 0.5, 0.0], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3]])
WANTED = np.array([[0.2, 0.8, 0.0], [0.1, 0.3, 0.6], [0.1, 0.7, 0.2]])


def chain(n=4000, seed=0, ends=0.0) -> DecisionLog:
    """n customers who start cold; ends: chance that an episode is over after each step."""
    chance = np.random.default_rng(seed)
    state, going, columns = np.zeros(n, dtype=int), np.ones(n, dtype=bool), []
    for t in range(STEPS):
        action = (np.cumsum(LOGGED[state], axis=1) <= chance.random(n)[:, None]).sum(axis=1)
        reward = REWARD[state, action] + chance.normal(0, 0.3, n)
        columns.append((np.arange(n), np.full(n, t), state, action, reward, going.copy()))
        state = (np.cumsum(MOVES[state, action], axis=1) <= chance.random(n)[:, None]).sum(axis=1)
        going &= chance.random(n) >= ends
    customer, step, state, action, reward, there = (np.concatenate(part) for part in zip(*columns, strict=True))
    customer, step, state, action, reward = (x[there] for x in (customer, step, state, action, reward))
    return DecisionLog(
        catalog=CATALOG,
        customers=np.array([f"c{i}" for i in range(n)], dtype=object),
        customer=customer,
        step=step,
        day=step,
        context=Context(SCHEMA, {"state": state, "left": (STEPS - step).astype(float)}),
        action=action,
        propensity=LOGGED[state, action],
        reward=reward,
        cost=np.zeros(len(step), dtype=np.int64),
        matured=np.ones(len(step), dtype=bool),
        eligible=ELIGIBLE[state],
        meta={"policy_id": "chain", "outcome_days": 1},
    )


def wanted(log: DecisionLog, table=WANTED) -> np.ndarray:
    """The valued policy on the rows of a log."""
    return table[log.context.columns["state"]]


def truth(table=WANTED, steps=STEPS, discount=1.0, goes_on=1.0) -> float:
    """The exact value of an episode that starts cold, backwards from the last step."""
    value = np.zeros(len(STATES))
    for _ in range(steps):
        value = (table * (REWARD + discount * goes_on * MOVES @ value)).sum(axis=1)
    return float(value[0])


@pytest.fixture(scope="module")
def log():
    return chain()


@pytest.fixture(scope="module")
def found(log):
    return crl.evaluate(log, wanted(log), estimators=tuple(SEQUENTIAL))


@pytest.mark.parametrize("name", list(SEQUENTIAL))
def test_every_estimator_finds_the_exact_value(found, name):
    estimate = found.estimates[name]
    # fqe's interval leaves out the model's own error: allow it what the others have
    error = max(estimate.std_error, found.estimates["wdr"].std_error)
    assert abs(estimate.value - truth()) < 4 * error
    assert estimate.ci_low < estimate.value < estimate.ci_high
    assert error < 0.25


def test_the_answer_says_what_it_is(found, log):
    assert (found.horizon, found.customers, found.n, found.verdict) == (4, 4000, 16000, "trust")
    assert found.logged_value == pytest.approx(log.reward.sum() / 4000)
    assert [step.step for step in found.curve] == [1, 2, 3, 4]
    assert found.lift_by == "wdr"
    assert found.lift == pytest.approx(found.estimates["wdr"].value - found.logged_value)
    assert found.lift_ci_low < truth() - truth(LOGGED) < found.lift_ci_high
    assert "per customer over 4 steps" in str(found)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["curve"][0]["ess"] == pytest.approx(found.curve[0].ess)
    assert set(data["estimates"]) == set(SEQUENTIAL)


def test_effective_size_falls_as_weights_predict(found):
    ess = [step.ess for step in found.curve]
    assert ess == sorted(ess, reverse=True)
    first = WANTED[0, :2] ** 2 / LOGGED[0, :2]
    assert ess[0] == pytest.approx(4000 / first.sum(), rel=0.05)


@pytest.mark.parametrize(("horizon", "discount"), [(1, 1.0), (2, 1.0), (3, 0.8), (4, 0.5)])
def test_horizon_and_discount(log, horizon, discount):
    e = crl.evaluate(log, wanted(log), estimators=("wdr", "fqe"), horizon=horizon, discount=discount)
    for name in ("wdr", "fqe"):
        assert abs(e.estimates[name].value - truth(steps=horizon, discount=discount)) < 4 * e.estimates["wdr"].std_error


@pytest.mark.parametrize("name", ["pdis", "wpdis", "wdr", "fqe"])
def test_mix_values_the_mixed_policy(log, name):
    blend = 0.5 * WANTED + 0.5 * LOGGED
    e = crl.evaluate(log, wanted(log), estimators=(name, "wdr"), mix=0.5)
    assert abs(e.estimates[name].value - truth(blend)) < 4 * e.estimates["wdr"].std_error


@pytest.mark.parametrize("name", list(SEQUENTIAL))
def test_placebo_the_logged_policy_is_worth_its_own_mean(log, name):
    e = crl.evaluate(log, "logged", estimators=(name,))
    if name == "fqe":  # a model, not a mean
        assert e.estimates[name].value == pytest.approx(e.logged_value, abs=0.1)
    else:
        assert e.estimates[name].value == pytest.approx(e.logged_value, abs=1e-9)
        assert e.lift == pytest.approx(0.0, abs=1e-9)


def test_a_policy_gains_nothing_over_itself(log):
    e = crl.evaluate(log, wanted(log), reference=wanted(log), estimators=("wdr",))
    assert (e.lift, e.lift_ci_low, e.lift_ci_high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_the_order_of_rows_does_not_matter(log, found):
    order = np.random.default_rng(3).permutation(len(log))
    mixed = log.take(order)
    e = crl.evaluate(mixed, wanted(mixed), estimators=tuple(SEQUENTIAL))
    for name in SEQUENTIAL:
        assert e.estimates[name].value == pytest.approx(found.estimates[name].value, abs=2e-3)


@pytest.mark.parametrize("name", ["pdis", "wpdis", "sdr", "wdr", "fqe"])
def test_episodes_that_end_early(name):
    """Three in ten customers are gone after each step: their weights are carried on, their value is 0."""
    log = chain(seed=5, ends=0.3)
    e = crl.evaluate(log, wanted(log), estimators=(name, "wdr"))
    assert abs(e.estimates[name].value - truth(goes_on=0.7)) < 4 * e.estimates["wdr"].std_error
    assert e.customers == 4000
    assert any("over before the horizon" in reason for reason in e.reasons)
    assert e.curve[-1].going_on == pytest.approx(0.7**3, abs=0.04)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 80 logs of 600 customers; fewer than 69 of 80 at 95 % would happen once in four thousand."""
    held = {"pdis": 0, "wpdis": 0}
    for seed in range(80):
        log = chain(600, seed=100 + seed)
        e = crl.evaluate(log, wanted(log), estimators=tuple(held))
        for name in held:
            held[name] += e.estimates[name].ci_low <= truth() <= e.estimates[name].ci_high
    assert min(held.values()) >= 69


# ---------------------------------------------------------------- fitted Q
def _fitted(log, **settings):
    behaviour = Behaviour(wanted(log).astype(np.float32))
    return fitted_q(log, trajectories(log), behaviour, **settings)


@pytest.mark.parametrize(
    "settings", [{"apart": True}, {"apart": False}, {"kind": "contrasts"}, {"kind": "boosting", "folds": 2}]
)
def test_fitted_q_knows_every_state(log, settings):
    """V at each step is that of the state there, with the steps that are left: the NEXT state's, never this one's."""
    fitted = _fitted(log, **settings)
    state = log.context.columns["state"][trajectories(log).row]
    value = np.zeros(len(STATES))
    for to_go in range(1, STEPS + 1):
        value = (WANTED * (REWARD + MOVES @ value)).sum(axis=1)
        t = STEPS - to_go
        for s in range(len(STATES)):
            here = state[:, t] == s
            if here.sum() > 300:
                assert fitted.expected[here, t].mean() == pytest.approx(value[s], abs=0.35), (to_go, s)


def test_what_is_not_eligible_has_no_value(log):
    """In `cold` action b would pay 9 and lead to `hot`, but it may not be taken: V must not hope for it."""
    fitted = _fitted(log)
    assert fitted.expected[:, 0].mean() == pytest.approx(truth(), abs=0.3)
    tempting = np.array([[0.2, 0.0, 0.8], *WANTED[1:]])
    assert truth(tempting) > truth() + 3  # what hoping for it would give


def test_a_customers_model_has_not_seen_that_customer(log):
    """Rewards of one customer moved by far change others' predictions, never that customer's own."""
    before = _fitted(log, folds=3)
    moved = log.reward.copy()
    mine = log.customer == 7
    moved[mine] += 1000.0
    object.__setattr__(changed := log.take(slice(None)), "reward", moved)
    after = _fitted(changed, folds=3)
    assert after.expected[7] == pytest.approx(before.expected[7], abs=1e-9)
    assert np.abs(after.expected - before.expected).max() > 0.1


# ---------------------------------------------------------------- where the log cannot answer
def test_beyond_the_horizon_where_weights_run_out():
    log = chain(400)
    rare = np.array([[0.98, 0.02, 0.0], [0.98, 0.01, 0.01], [0.98, 0.01, 0.01]])
    e = crl.evaluate(log, wanted(log, rare), estimators=tuple(SEQUENTIAL))
    assert e.verdict == "refuse"
    assert 0 < e.lasting < 4
    assert f"up to horizon={e.lasting}" in e.reasons[0]
    for name in ("pdis", "wpdis", "sdr"):
        assert np.isnan(e.estimates[name].value)
    for name in ("wdr", "fqe"):
        assert np.isfinite(e.estimates[name].value)
        assert e.estimates[name].interval in (NO_INTERVAL, WHERE_REFUSED)
        assert np.isnan([e.estimates[name].std_error, e.estimates[name].ci_low, e.estimates[name].ci_high]).all()
    assert np.isnan([e.lift_ci_low, e.lift_ci_high]).all()
    assert np.isfinite(e.lift)
    assert e.estimates["wdr"].interval == WHERE_REFUSED
    assert "have no interval: one from a log that is refused would hold" in " ".join(e.reasons)
    assert any("pdis, wpdis, sdr" in reason for reason in e.reasons)
    assert e.quantiles == ()
    answerable = crl.evaluate(log, wanted(log, rare), estimators=("wpdis", "wdr"), horizon=e.lasting)
    assert answerable.verdict != "refuse"
    assert np.isfinite(answerable.estimates["wpdis"].value)


def test_never_logged_actions_have_no_weight_at_all():
    log = chain(300)
    log = log.take(log.action != 2).take(slice(None))
    log = _renumbered(log)
    e = crl.evaluate(
        log, np.tile([0.0, 0.0, 1.0], (len(log), 1)) * log.eligible + _else_none(log), estimators=("pdis",)
    )
    assert e.verdict == "refuse"
    assert e.off_support_mass > 0.0


def _renumbered(log):
    """The steps that are left, counted anew."""
    order = np.lexsort((log.step, log.customer))
    log = log.take(order)
    first = np.searchsorted(log.customer, log.customer)
    object.__setattr__(log, "step", np.arange(len(log)) - first)
    return log


def _else_none(log):
    return np.where(log.eligible[:, 2:3], 0.0, np.array([[1.0, 0.0, 0.0]]))


def test_overlapping_windows_are_refused_with_the_way_out(small_world):
    log = crl.simulate(small_world, "uniform", customers=50, seed=1)
    assert log.meta["outcome_days"] > 1
    e = crl.evaluate(log, "none", estimators=("pdis", "fqe"))
    assert e.verdict == "refuse"
    assert "overlap" in e.reasons[0]
    assert "outcome_days=1" in e.reasons[0]
    assert all(np.isnan(estimate.value) for estimate in e.estimates.values())
    assert json.loads(json.dumps(e.to_dict(), allow_nan=False))["estimates"]["pdis"]["value"] is None
    assert "refuse" in str(e)


def test_single_decisions_are_refused(log):
    single = log.take(log.step == 0)
    e = crl.evaluate(single, wanted(single), estimators=("pdis",))
    assert e.verdict == "refuse"
    assert "one decision" in e.reasons[0]


def test_unknown_outcomes_are_never_counted_as_nothing(log):
    young = log.take(slice(None))
    object.__setattr__(young, "matured", young.step < 2)
    e = crl.evaluate(young, wanted(young), estimators=("pdis",))
    assert e.verdict == "refuse"
    assert "horizon=2" in e.reasons[0]
    two = crl.evaluate(young, wanted(young), estimators=("pdis", "fqe"), horizon=2)
    full = crl.evaluate(log, wanted(log), estimators=("pdis",), horizon=2)
    assert two.estimates["pdis"].value == pytest.approx(full.estimates["pdis"].value)
    assert two.estimates["fqe"].value == pytest.approx(truth(steps=2), abs=0.3)


def test_wrong_propensities_are_noticed(log):
    wrong = log.take(slice(None))
    object.__setattr__(wrong, "propensity", np.minimum(log.propensity * 1.5, 1.0))
    e = crl.evaluate(wrong, wanted(wrong), estimators=("wpdis",))
    assert e.verdict == "refuse"
    assert any("mean weight of a decision" in reason for reason in e.reasons)


# ---------------------------------------------------------------- words
@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        ({"estimators": ("wdr", "dr")}, UsageError, "ask for them apart"),
        ({"estimators": ("wdrr",)}, UnknownName, "wdr"),
        ({"estimators": ("wdr",), "horizon": 0}, UsageError, "from 1 to 4"),
        ({"estimators": ("wdr",), "horizon": 5}, UsageError, "from 1 to 4"),
        ({"estimators": ("wdr",), "discount": 0.0}, UsageError, "in \\(0, 1\\]"),
        ({"estimators": ("wdr",), "discount": 1.1}, UsageError, "in \\(0, 1\\]"),
        ({"estimators": ("dr",), "horizon": 2}, UsageError, "horizon"),
        ({"estimators": ("wdr",), "q": np.zeros((16000, 3))}, UsageError, "single decisions"),
        ({"estimators": ("wdr",), "tuning": "slope"}, UsageError, "single decisions"),
        ({"estimators": ("wdr",), "logging": "estimate"}, UsageError, "single decisions"),
        ({"estimators": ("wdr",), "model": "logistic"}, UsageError, "ridge or contrasts or boosting"),
        ({"estimators": ("wdr", "fqe"), "interval": "betting"}, UsageError, "of wdr, fqe = 'betting' is not t or boot"),
        ({"estimators": ("wdr",), "interval": "anytime"}, UsageError, "is not t or bootstrap"),
    ],
)
def test_words_that_do_not_fit(log, words, error, text):
    with pytest.raises(error, match=text):
        crl.evaluate(log, wanted(log), **words)


def test_unknown_model(log):
    with pytest.raises(UsageError, match="ridge or contrasts or boosting"):
        evaluate_episodes(log, wanted(log), model="forest")


def _run(monkeypatch, *words) -> int:
    """Exit code of the command line."""
    monkeypatch.setattr("sys.argv", ["campaignrl", "evaluate", *(str(word) for word in words)])
    with pytest.raises(SystemExit) as done:
        main()
    return int(done.value.code or 0)


@pytest.mark.slow
def test_a_bootstrap_interval_is_applied_and_about_as_wide_as_t(log):
    names = tuple(SEQUENTIAL)
    usual, drawn = (
        crl.evaluate(log, wanted(log), estimators=names, interval=way) for way in ("empirical likelihood", "bootstrap")
    )
    assert usual == crl.evaluate(log, wanted(log), estimators=names, interval="t")
    for name in names:
        t, b = usual.estimates[name], drawn.estimates[name]
        assert (t.value, t.std_error) == (b.value, b.std_error)
        assert b.interval.startswith("bootstrap over customers")
        assert "not counted" not in b.interval
        assert b.ci_low != t.ci_low
        assert b.ci_low < b.value < b.ci_high
        assert 0.85 < (b.ci_high - b.ci_low) / (t.ci_high - t.ci_low) < 1.15
    assert drawn.lift == usual.lift
    assert 0.85 < (drawn.lift_ci_high - drawn.lift_ci_low) / (usual.lift_ci_high - usual.lift_ci_low) < 1.15


def test_the_same_policy_twice_differs_by_nothing_in_every_draw(log):
    asked = {"estimators": ("wpdis",), "reference": wanted(log), "interval": "bootstrap"}
    found = crl.evaluate(log, wanted(log), **asked)
    assert (found.lift, found.lift_ci_low, found.lift_ci_high) == (0.0, 0.0, 0.0)


def test_the_command_line_answers_and_refuses(log, tmp_path, capsys, monkeypatch):
    path = tmp_path / "chain.parquet"
    write_log(log, path)
    words = (path, "-p", "always:a", "--estimator", "wpdis,wdr")
    assert _run(monkeypatch, *words, "--horizon", "2", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["horizon"], set(answer["estimates"])) == (2, {"wpdis", "wdr"})
    assert _run(monkeypatch, *words, "--horizon", "9") == 2
    assert _run(monkeypatch, *words, "--interval", "betting") == 2
    assert "t or bootstrap" in capsys.readouterr().err
    few = tmp_path / "few.parquet"
    write_log(log.take(log.customer < 40), few)
    assert _run(monkeypatch, few, *words[1:]) == 4  # 40 customers cannot follow it for four steps
    assert "refuse" in capsys.readouterr().out
