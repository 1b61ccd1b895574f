"""A/B tests: who is where, how large, what a reading says, and 1,000 simulated tests for each promise."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from campaignrl.cli.abtest import abtest as app
from campaignrl.errors import ArtifactError, DataError, SpecError, UsageError
from campaignrl.ope.intervals import anytime_multiple, horizon_inflation, horizon_multiple
from campaignrl.suites.abtest import (
    KEEP,
    PROMOTE,
    RETIRE,
    VOID,
    WAIT,
    Guardrail,
    Pool,
    Trial,
    arms_of,
    champion_rule,
    customers_needed,
    plan_trial,
    pool_of,
    power_of,
    read_outcomes,
    read_trial,
    read_trial_file,
    simulate_trials,
    size_by_playing,
    split_p_value,
)
from campaignrl.suites.abtest.cuped import difference
from campaignrl.suites.abtest.sized import LEVEL, SIZES, power_at_least

HALVES = {"champion": 0.5, "challenger": 0.5}


def trial_of(**changes):
    return plan_trial("spring", **{"mean": 4.0, "std": 4.0, "effect": 0.05, "arms": HALVES, **changes})


def table_of(trial, n, *, gain=0.0, seed=1, lost=0.0, **columns):
    """Outcomes of n customers: exponential, `gain` added for challengers, of whom a share gets lost."""
    chance, ids = np.random.default_rng(seed), np.array([f"c{i}" for i in range(n)], dtype=object)
    treated = arms_of(trial, ids) == 1
    frame = {"customer_id": ids, "value": chance.exponential(4.0, n) + gain * treated, **columns}
    keep = ~(treated & (chance.random(n) < lost))
    return pd.DataFrame(frame)[keep]


# ------------------------------------------------------------------ assignment


def test_an_arm_hangs_on_salt_and_id_alone():
    trial, ids = trial_of(), [f"c{i}" for i in range(500)]
    arms = arms_of(trial, ids)
    turned = arms_of(trial, ids[::-1])[::-1]
    assert (arms == turned).all()
    assert (arms[:7] == arms_of(trial.model_copy(update={"customers": 9, "effect": 0.5}), ids[:7])).all()
    assert (arms_of(trial, np.array([5, 17])) == arms_of(trial, ["5", "17"])).all()


def test_tests_of_other_salts_and_the_holdout_are_independent():
    from campaignrl.rng import Purpose, customer_keys, uniform

    ids = np.arange(40_000)
    spring, autumn = (arms_of(trial_of(salt=salt), ids) for salt in ("spring", "autumn"))
    held = uniform(customer_keys(ids), 0, 0, Purpose.HOLDOUT) < 0.5
    for other in (autumn, held):
        table = np.histogram2d(spring, other.astype(int), bins=2)[0]
        assert stats.chi2_contingency(table).pvalue > 1e-3


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=4))
def test_arms_get_their_shares(weights):
    shares = np.array(weights) / sum(weights)
    shares[-1] = 1.0 - shares[:-1].sum()
    trial = trial_of(arms={f"arm {k}": float(share) for k, share in enumerate(shares)})
    counts = np.bincount(arms_of(trial, np.arange(20_000)), minlength=len(shares))
    assert stats.chisquare(counts, 20_000 * shares).pvalue > 1e-6


# ------------------------------------------------------------------ size


def test_the_size_by_hand():
    # (1.959964 + 0.841621)^2 = 7.848880; x 4^2 x (2 + 2) / 0.2^2 = 12,558.2
    assert customers_needed(0.2, 4.0, (0.5, 0.5), 0.05, 0.8) == 12_559
    assert trial_of(looks="once").customers == 12_559
    assert trial_of(looks="once", explained=0.5).customers == pytest.approx(12_559 / 2, abs=1)
    assert power_of(0.2, 4.0, (0.5, 0.5), 0.05, 12_559) == pytest.approx(0.8, abs=1e-4)


def test_unequal_arms_and_more_arms_need_more():
    even = trial_of(looks="once").customers
    assert trial_of(looks="once", arms={"a": 0.9, "b": 0.1}).customers > 2.5 * even
    three = trial_of(looks="once", arms={"a": 0.4, "b": 0.3, "c": 0.3})
    assert three.level == 0.025
    assert three.customers > even


def test_looking_at_any_time_costs_less_than_half_more_at_most():
    assert 1.2 < horizon_inflation(0.05, 0.8) < 1.5
    assert trial_of().customers == pytest.approx(12_559 * horizon_inflation(0.05, 0.8), abs=2)


@given(st.floats(0.01, 0.2), st.floats(0.05, 1.0))
@settings(deadline=None, max_examples=30)
def test_a_last_look_draws_the_interval_closer_but_not_below_that_of_one_look(alpha, part):
    near, far = float(horizon_multiple(part, alpha, 1.0)), float(anytime_multiple(part, alpha, 1.0))
    assert stats.norm.isf(alpha / 2) < near < far
    assert float(horizon_multiple(1.3, alpha, 1.0)) == float(horizon_multiple(1.0, alpha, 1.0))


@given(st.floats(0.001, 0.3), st.floats(1.0, 1e6), st.floats(1.0, 1e6))
def test_an_interval_for_every_look_is_wider_than_for_one(alpha, n, tuned_for):
    assert anytime_multiple(n, alpha, tuned_for) > stats.norm.isf(alpha / 2)


def test_the_interval_is_narrowest_near_the_size_it_is_tuned_for():
    tunings = np.array([100.0, 1_000.0, 10_000.0, 100_000.0, 1e6])
    widths = [float(anytime_multiple(10_000.0, 0.05, at)) for at in tunings]
    assert int(np.argmin(widths)) == 2


# ------------------------------------------------------------------ a thousand tests


@pytest.fixture(scope="module")
def pool():
    """Skewed outcomes, half of whose variance was known beforehand."""
    chance = np.random.default_rng(2)
    known = chance.exponential(2.0, 40_000)
    value = known + chance.exponential(2.0, 40_000)
    return Pool(value, value.copy(), known[:, None])


@pytest.fixture(scope="module")
def facts(pool):
    return {"mean": float(pool.champion.mean()), "std": float(pool.champion.std()), "explained": pool.explained}


def test_continuous_looking_without_an_effect_stops_falsely_in_at_most_five_percent(pool, facts):
    trial = trial_of(**facts)
    found = simulate_trials(trial, pool, np.random.default_rng(3), runs=1_000)
    assert found.stopped <= 0.05
    once = trial.model_copy(update={"looks": "once"})
    looked = simulate_trials(once, pool, np.random.default_rng(3), runs=1_000)
    assert 0.03 <= looked.stopped <= 0.07  # one look has the level it says


def test_peeking_with_the_interval_of_one_look_would_stop_far_too_often(pool, facts, monkeypatch):
    from campaignrl.suites.abtest import simulated

    monkeypatch.setattr(simulated, "horizon_multiple", lambda n, alpha, tuned: np.full(len(n), 1.96))
    assert simulate_trials(trial_of(**facts), pool, np.random.default_rng(3), runs=300).stopped > 0.15


def test_five_percent_more_are_found_in_four_of_five_at_the_planned_size(pool, facts):
    better = pool._replace(challenger=pool.champion + 0.05 * facts["mean"])
    trial = trial_of(**facts)
    found = simulate_trials(trial, better, np.random.default_rng(4), runs=1_000)
    assert 0.79 <= found.found <= 0.86
    assert found.harmed <= 0.005
    fixed = trial_of(**facts, looks="once")
    once = simulate_trials(fixed, better, np.random.default_rng(5), runs=1_000)
    assert 0.77 <= once.found <= 0.83
    assert found.customers < 0.9 * fixed.customers  # what looking saves on average against a test of one look
    strong = pool._replace(challenger=pool.champion + 0.10 * facts["mean"])
    early = simulate_trials(trial, strong, np.random.default_rng(6), runs=200)
    assert early.found >= 0.99
    assert early.customers < 0.4 * fixed.customers


def test_covariates_halve_the_test_where_they_explain_half(pool, facts):
    assert facts["explained"] == pytest.approx(0.5, abs=0.02)
    plain = trial_of(mean=facts["mean"], std=facts["std"])
    assert trial_of(**facts).customers == pytest.approx(0.5 * plain.customers, rel=0.04)
    better = pool._replace(challenger=pool.champion + 0.05 * facts["mean"])
    without = simulate_trials(trial_of(**facts), better, np.random.default_rng(7), runs=300, use_covariates=False)
    assert without.found < 0.6


def outcomes_of(chance, customers):
    """Exponential, half of it known beforehand."""
    known = chance.exponential(2.0, customers)
    value = known + chance.exponential(2.0, customers)
    return Pool(value, value.copy(), known[:, None])


def test_how_well_a_size_is_known_is_what_samples_show():
    chance, seen, said = np.random.default_rng(20), [], []
    for _ in range(300):
        pool = outcomes_of(chance, 2_000)
        left = pool.champion.var() * (1.0 - pool.explained)
        seen.append(np.log(left / pool.champion.mean() ** 2))
        said.append(pool.doubt())
    assert np.mean(said) == pytest.approx(np.std(seen), rel=0.2)
    four = outcomes_of(chance, 8_000)
    assert four.doubt() == pytest.approx(np.mean(said) / 2, rel=0.2)  # of four times as many customers
    assert four.doubt(use_covariates=False) != four.doubt()
    assert Pool(np.ones(9), np.ones(9), np.zeros((9, 0))).doubt() == 0.0


def test_a_size_from_a_sample_is_at_least_that_of_the_truth_in_nineteen_of_twenty():
    chance, truth = np.random.default_rng(21), {"mean": 4.0, "std": np.sqrt(8.0), "explained": 0.5}
    needed, plain, bound = trial_of(**truth, looks="once").customers, 0, 0
    for _ in range(200):
        pool = outcomes_of(chance, 20_000)
        facts = {"mean": float(pool.champion.mean()), "std": float(pool.champion.std(ddof=1)), "looks": "once"}
        facts["explained"] = pool.explained
        plain += trial_of(**facts).customers >= needed
        bound += trial_of(**facts, doubt=pool.doubt()).customers >= needed
    assert bound >= 0.9 * 200  # 95 % promised: fewer than 180 of 200 have a chance of 0.3 %
    assert plain < 0.65 * 200  # what is measured without its error is too small in about every second test


def test_a_size_by_playing_is_shown_to_be_enough_and_is_on_customers_who_were_not_there(pool, facts):
    pilot = outcomes_of(np.random.default_rng(22), 20_000)
    known = {"mean": float(pilot.champion.mean()), "std": float(pilot.champion.std()), "explained": pilot.explained}
    small = trial_of(**known, looks="once", power=0.8).model_copy(update={"customers": 1_500})
    sized = size_by_playing(small, pilot, np.random.default_rng(23), runs=1_000)
    assert sized.trial.customers > 1.5 * small.customers  # it was too small by half, and no longer is
    assert sized.sizes > 1
    assert sized.power_at_least >= 0.8
    assert sized.trial.model_copy(update={"customers": 1_500}) == small
    played = simulate_trials(sized.trial, pool.raised(0.05), np.random.default_rng(24), runs=1_000)
    assert played.found >= 0.8


def test_the_bound_of_a_power_is_that_of_clopper_and_pearson():
    bounds = power_at_least(1_000)
    level = LEVEL / SIZES
    for found in (1, 400, 829, 1_000):
        exact = stats.binomtest(found, 1_000, alternative="greater").proportion_ci(1.0 - level, "exact").low
        assert bounds[found] == pytest.approx(exact, rel=1e-9)
    assert bounds[0] == 0.0


def test_a_test_that_is_large_enough_stays_as_it_is(pool, facts):
    large = trial_of(**facts, looks="once", power=0.95)
    asked = large.model_copy(update={"power": 0.8})
    sized = size_by_playing(asked, pool, np.random.default_rng(25), runs=300)
    assert (sized.trial, sized.sizes) == (asked, 1)


def test_so_few_tests_that_no_power_can_be_shown_are_told(pool, facts):
    with pytest.raises(UsageError, match="At least 21 tests"):
        size_by_playing(trial_of(**facts), pool, np.random.default_rng(26), runs=20)


def test_a_pool_of_a_world_knows_what_its_first_morning_explains():
    pool = pool_of("ecommerce", "none", "rules", customers=400, seed=1)
    assert pool.covariates.shape[0] == len(pool.champion) == 400
    assert 0.0 < pool.explained < 1.0
    assert (pool.champion != pool.challenger).any()


# ------------------------------------------------------------------ reading


def test_a_difference_by_hand():
    outcome, challenger = np.array([1.0, 3.0, 4.0, 8.0]), np.array([False, False, True, True])
    found = difference(outcome, challenger)
    assert (found.value, found.champion, found.challenger) == (4.0, 2.0, 6.0)
    assert found.std_error == pytest.approx(np.sqrt(2.0 / 2 + 8.0 / 2))


def test_a_covariate_takes_out_what_it_explains_and_leaves_the_difference():
    chance = np.random.default_rng(8)
    x, treated = chance.normal(size=4_000), chance.random(4_000) < 0.5
    y = 3.0 * x + chance.normal(size=4_000) + 0.5 * treated
    x[::97] = np.nan  # some are not known
    plain, cuped = difference(y, treated), difference(y, treated, x[:, None])
    assert cuped.variance_saved == pytest.approx(0.89, abs=0.03)
    assert cuped.value == pytest.approx(0.5, abs=4 * cuped.std_error)
    assert plain.std_error > 2.5 * cuped.std_error
    assert difference(y, treated, np.zeros((4_000, 1))).variance_saved == 0.0


def test_many_covariates_that_say_nothing_do_not_make_a_test_sure():
    """A regression on sixty of them explains a fifth of three hundred customers by chance alone."""
    chance, z = np.random.default_rng(12), []
    for _ in range(300):
        found = difference(chance.normal(size=300), chance.random(300) < 0.5, chance.normal(size=(300, 60)))
        z.append(found.value / found.std_error)
    assert np.std(z) == pytest.approx(1.0, abs=0.1)
    y, treated, x = chance.normal(size=300), chance.random(300) < 0.5, chance.normal(size=(300, 76))
    assert difference(y, treated, x) == difference(y, treated), "too few customers for so many"


def test_a_clear_gain_stops_the_test_and_none_goes_on():
    trial = trial_of(looks="any time")
    better = read_trial(trial, read_outcomes(trial, table_of(trial, 12_000, gain=0.6)))
    assert better.arms[0].decision == "stop: better"
    worse = read_trial(trial, read_outcomes(trial, table_of(trial, 12_000, gain=-0.6)))
    assert worse.arms[0].decision == "stop: worse"
    half = read_trial(trial, read_outcomes(trial, table_of(trial, trial.customers // 2)))
    assert half.arms[0].decision.startswith("go on: ")
    assert "customers to the planned size" in str(half)
    early = read_trial(trial, read_outcomes(trial, table_of(trial, 200, gain=4.0)))
    assert early.arms[0].decision == "go on: too early to read"
    full = read_trial(trial, read_outcomes(trial, table_of(trial, trial.customers)))
    assert full.arms[0].decision == "stop: nothing shown"
    assert [one.exit_code for one in (better, worse, half, early, full)] == [0] * 5


def test_a_test_of_one_look_says_nothing_before_it():
    trial = trial_of(looks="once")
    early = read_trial(trial, read_outcomes(trial, table_of(trial, 6_000, gain=1.0)))
    assert early.arms[0].decision == "go on: one look, at 12,559 customers"
    done = read_trial(trial, read_outcomes(trial, table_of(trial, 13_000, gain=1.0)))
    assert done.arms[0].decision == "stop: better"


def test_a_guardrail_stops_what_does_harm_even_where_it_pays():
    trial = trial_of(guardrails=[Guardrail(column="left", better=-1, margin=0.2)])
    treated = arms_of(trial, [f"c{i}" for i in range(12_000)]) == 1
    left = np.random.default_rng(9).random(12_000) < np.where(treated, 0.2, 0.1)
    found = read_trial(trial, read_outcomes(trial, table_of(trial, 12_000, gain=0.6, left=left.astype(float))))
    (arm,) = found.arms
    assert (arm.decision, arm.guardrails[0].state, found.exit_code) == ("stop: a guardrail is breached", "breached", 1)
    assert arm.guardrails[0].harm == pytest.approx(1.0, abs=0.2)
    calm = np.random.default_rng(9).random(12_000) < 0.1
    found = read_trial(trial, read_outcomes(trial, table_of(trial, 12_000, gain=0.6, left=calm.astype(float))))
    assert found.arms[0].guardrails[0].state == "kept"
    assert found.arms[0].decision == "stop: better"


def test_a_gain_does_not_stop_a_test_while_a_guardrail_is_not_known():
    trial = trial_of(guardrails=[Guardrail(column="left", better=-1, margin=0.02)])
    for customers, said in ((8_000, "go on: better so far"), (trial.customers, "stop: better")):
        calm = (np.random.default_rng(9).random(customers) < 0.1).astype(float)
        found = read_trial(trial, read_outcomes(trial, table_of(trial, customers, gain=0.6, left=calm)))
        assert found.arms[0].guardrails[0].state == "open"
        assert found.arms[0].decision == f"{said}, with left not shown to be kept"


def test_a_holdout_is_an_arm_and_alpha_is_shared():
    trial = trial_of(arms={"champion": 0.5, "challenger": 0.3, "holdout": 0.2})
    ids = [f"c{i}" for i in range(20_000)]
    value = np.random.default_rng(3).exponential(4.0, 20_000) - 2.0 * (arms_of(trial, ids) == 2)
    found = read_trial(trial, read_outcomes(trial, pd.DataFrame({"customer_id": ids, "value": value})))
    assert [arm.name for arm in found.arms] == ["challenger", "holdout"]
    assert found.arms[1].decision == "stop: worse"
    assert found.arms[1].gain == pytest.approx(-0.5, abs=0.05)


# ------------------------------------------------------------------ champion and challenger


def test_the_champion_gives_way_to_what_is_shown_better_and_to_nothing_else():
    trial = trial_of()
    rulings = {
        PROMOTE: table_of(trial, 12_000, gain=0.6),
        RETIRE: table_of(trial, 12_000, gain=-0.6),
        KEEP: table_of(trial, trial.customers),
        WAIT: table_of(trial, trial.customers // 2),
        VOID: table_of(trial, 12_000, gain=0.6, lost=0.1),
    }
    for decision, table in rulings.items():
        (ruling,) = champion_rule(trial, table)
        assert (ruling.challenger, ruling.champion, ruling.decision) == ("challenger", "champion", decision)
        assert ruling.why in str(ruling)
        assert (ruling.customers_left > 0) == (decision == WAIT)
        assert np.isnan(ruling.gain) == (decision == VOID)
    (waiting,) = champion_rule(trial, read_outcomes(trial, rulings[WAIT]))
    left = trial.customers - trial.customers // 2
    assert (waiting.customers_left, waiting.days_left(100.0)) == (left, -(-left // 100))
    assert waiting.days_left(0.0) is None
    assert champion_rule(trial, rulings[KEEP])[0].days_left(0.0) == 0


def test_a_gain_with_an_open_guardrail_promotes_nobody_and_a_breached_one_retires():
    calm = (np.random.default_rng(9).random(40_000) < 0.1).astype(float)
    for margin, decision in ((0.02, KEEP), (0.9, PROMOTE)):
        trial = trial_of(guardrails=[Guardrail(column="left", better=-1, margin=margin)])
        n = trial.customers
        (ruling,) = champion_rule(trial, table_of(trial, n, gain=0.6, left=calm[:n]))
        assert ruling.decision == decision, ruling
    ids = [f"c{i}" for i in range(n)]
    harmed = np.where(arms_of(trial, ids) == 1, 1.0, calm[:n])
    assert champion_rule(trial, table_of(trial, n, gain=0.6, left=harmed))[0].decision == RETIRE


def test_an_equal_challenger_is_promoted_in_at_most_the_promised_share_though_asked_every_morning():
    chance, trial, promoted = np.random.default_rng(12), trial_of(effect=0.2), 0
    for run in range(100):
        table = table_of(trial, trial.customers, seed=1_000 + run)
        table["customer_id"] = [f"r{run}-{i}" for i in range(len(table))]
        order = chance.permutation(len(table))
        mornings = (table.iloc[order[: round(part * len(table))]] for part in np.linspace(0.1, 1.0, 10))
        promoted += any(champion_rule(trial, seen)[0].decision == PROMOTE for seen in mornings)
    assert promoted <= 7  # 2.5 % promised for one side: eight or more of a hundred have a chance of 0.3 %


# ------------------------------------------------------------------ the split


def test_a_broken_split_is_flagged_and_nothing_else_is_read():
    trial = trial_of()
    found = read_trial(trial, read_outcomes(trial, table_of(trial, 12_000, gain=0.6, lost=0.1)))
    assert found.split_is_broken
    assert (found.arms[0].decision, found.exit_code) == ("stop: the split is broken", 1)
    assert "%" not in str(found).splitlines()[1], "figures of a broken split mean nothing"
    assert found.to_dict()["arms"][0]["gain"] is None


def test_customers_in_another_arm_than_theirs_are_flagged():
    trial = trial_of()
    table = table_of(trial, 12_000)
    names = np.array(list(trial.arms), dtype=object)
    arm = names[arms_of(trial, table["customer_id"].to_numpy())]
    assert not read_trial(trial, read_outcomes(trial, table.assign(arm=arm))).split_is_broken
    arm[:60] = np.where(arm[:60] == "champion", "challenger", "champion")
    found = read_trial(trial, read_outcomes(trial, table.assign(arm=arm)))
    assert (found.crossed, found.split_is_broken) == (60, True)
    with pytest.raises(DataError, match="one of champion, challenger"):
        read_outcomes(trial, table.assign(arm="other"))


def test_the_split_alarms_in_time_and_hardly_ever_falsely_though_read_every_day():
    chance, shares = np.random.default_rng(10), np.array([0.5, 0.5])
    days = np.cumsum(np.full(60, 500))
    false, right = 0, 0
    for _ in range(1_000):
        ones = np.cumsum(chance.binomial(500, 0.5, 60))
        looks = zip(days[::6], ones[::6], strict=True)
        false += any(split_p_value(np.array([n - a, a]), shares) <= 0.001 for n, a in looks)
    for _ in range(200):
        ones = int(chance.binomial(30_000, 0.48))
        right += split_p_value(np.array([30_000 - ones, ones]), shares) <= 0.001
    assert false <= 3  # 0.1 % of a thousand are promised
    assert right >= 196


# ------------------------------------------------------------------ files


def test_a_test_survives_its_file_and_damage_is_told(tmp_path):
    trial, path = trial_of(guardrails=[Guardrail(column="left", better=-1)]), tmp_path / "t.json"
    trial.write(path)
    assert read_trial_file(path) == trial
    for text in ("", "[]", "{}", path.read_text()[:-20], path.read_text().replace("0.5", "0.6", 1)):
        bad = tmp_path / "bad.json"
        bad.write_text(text)
        with pytest.raises(ArtifactError, match=r"bad\.json"):
            read_trial_file(bad)
    with pytest.raises(ArtifactError, match="nowhere"):
        read_trial_file(tmp_path / "nowhere.json")


def test_what_cannot_be_a_test_is_told():
    for changes in ({"arms": {"a": 0.5, "b": 0.4}}, {"mean": 0.0}, {"std": 0.0}, {"effect": 0.0}, {"alpha": 1.0}):
        with pytest.raises((SpecError, ValueError)):
            trial_of(**changes)
    assert isinstance(trial_of(), Trial)


WRONG = {
    "no measure": (lambda t: t.drop(columns="value"), "value"),
    "no ids": (lambda t: t.drop(columns="customer_id"), "customer_id"),
    "twice": (lambda t: pd.concat([t, t.iloc[:1]]), "given once"),
    "not in yet": (lambda t: t.assign(value=t["value"].where(t["value"] > 1.0)), "not in yet"),
}


@pytest.mark.parametrize(("damage", "said"), WRONG.values(), ids=WRONG)
def test_a_table_with_mistakes_is_refused(damage, said):
    trial = trial_of()
    with pytest.raises(DataError, match=said):
        read_outcomes(trial, damage(table_of(trial, 50)))


def test_an_arm_without_outcomes_is_no_reading():
    trial = trial_of()
    table = table_of(trial, 50)
    only = table[arms_of(trial, table["customer_id"].to_numpy()) == 0]
    with pytest.raises(UsageError, match="challenger"):
        read_trial(trial, read_outcomes(trial, only))


# ------------------------------------------------------------------ command line


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_plan_assign_and_read_from_the_command_line(tmp_path):
    trial_path, ids, arms = tmp_path / "t.json", tmp_path / "ids.csv", tmp_path / "arms.csv"
    planned = run("plan", "spring", "--mean", 4, "--std", 4, "--looks", "once", "-o", trial_path, "--json")
    assert json.loads(planned.stdout)["customers"] == 12_559
    trial = read_trial_file(trial_path)
    table = table_of(trial, 13_000, gain=1.0)
    table[["customer_id"]].to_csv(ids, index=False)
    assert run("assign", trial_path, ids, "-o", arms).exit_code == 0
    given = pd.read_csv(arms)
    assert (given["arm"] == np.array(list(trial.arms))[arms_of(trial, table["customer_id"].to_numpy())]).all()
    table.assign(arm=given["arm"].to_numpy()).to_csv(tmp_path / "out.csv", index=False)
    read = run("read", trial_path, tmp_path / "out.csv", "--json")
    assert json.loads(read.stdout)["arms"][0]["decision"] == "stop: better"
    table_of(trial, 13_000, lost=0.2).to_csv(tmp_path / "broken.csv", index=False)
    broken = run("read", trial_path, tmp_path / "broken.csv")
    assert (broken.exit_code, "the split is broken" in broken.stdout) == (1, True)


def test_a_plan_in_a_world_tells_its_power(tmp_path):
    words = ("plan", "s", "-w", "coupon_trap", "--champion", "uniform", "--challenger", "none", "-n", 300)
    shown = run(*words, "--effect", 0.5, "--simulate", 50, "-o", tmp_path / "t.json", "--json")
    facts = json.loads(shown.stdout)
    assert facts["simulated_power"] > facts["simulated_power_at_least"] >= 0.8
    assert facts["customers"] >= facts["customers_by_formula"]
    assert read_trial_file(tmp_path / "t.json").customers == facts["customers"]
    assert facts["simulated_false_stops"] < 0.2
    assert 0 < facts["covariates_would_explain"] < 1


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "s"),
        ("plan", "s", "--mean", 1, "--std", 1, "--simulate", 10),
        ("plan", "s", "--mean", 1, "--std", 1, "--share", 1.0),
        ("plan", "s", "--mean", 1, "--std", 1, "--share", 0.6, "--holdout", 0.4),
        ("plan", "s", "--mean", 1, "--std", 1, "--looks", "often"),
        ("plan", "s", "--mean", 1, "--std", 1, "--guardrail", "left"),
    ],
)
def test_words_that_do_not_fit_together_are_told(tmp_path, words):
    assert isinstance(run(*words, "-o", tmp_path / "t.json").exception, UsageError)


def test_tables_in_another_encoding_are_assigned_and_read(tmp_path):
    trial = trial_of(looks="once", covariates=["访问"])
    trial.write(tmp_path / "t.json")
    table = table_of(trial, 400).assign(访问=1.0)
    table["customer_id"] = [f"会员{i}" for i in range(400)]
    table.to_csv(tmp_path / "gb.csv", index=False, encoding="gb18030")
    words = ("assign", tmp_path / "t.json", tmp_path / "gb.csv", "-o", tmp_path / "arms.csv")
    assert run(*words, "--encoding", "gb18030").exit_code == 0
    arms = pd.read_csv(tmp_path / "arms.csv")
    assert arms["customer_id"].tolist() == table["customer_id"].tolist()
    assert run("read", tmp_path / "t.json", tmp_path / "gb.csv", "--encoding", "gb18030").exit_code == 0
    assert isinstance(run(*words).exception, DataError)  # not UTF-8, and nobody said so


@pytest.mark.parametrize(
    ("ids", "said"), [(["a", "b", "a"], "given once"), (["a", ""], "there"), (None, "customer_id")]
)
def test_customers_who_cannot_be_assigned_are_told_and_nothing_is_written(tmp_path, ids, said):
    trial_of().write(tmp_path / "t.json")
    frame = pd.DataFrame({"x": [1]}) if ids is None else pd.DataFrame({"customer_id": ids})
    frame.to_csv(tmp_path / "c.csv", index=False)
    wrong = run("assign", tmp_path / "t.json", tmp_path / "c.csv", "-o", tmp_path / "arms.csv").exception
    assert isinstance(wrong, DataError)
    assert said in str(wrong)
    assert not (tmp_path / "arms.csv").exists()
