"""Simulated logs: the same bytes however the work is divided, and figures that add up."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from campaignrl.actions import NONE
from campaignrl.campaign import ready_policy, run_campaign, simulate
from campaignrl.demo import usual_policy
from campaignrl.envs.panel import Panel
from campaignrl.errors import UnknownName, UsageError
from campaignrl.recorder import windowed
from campaignrl.specs.bundled import bundled_files
from campaignrl.specs.world import load_world
from campaignrl.tables.log.decision_log import PER_ROW
from campaignrl.tables.log.files import write_log
from campaignrl.tables.logs import read_log
from campaignrl.training import train

N = 60
IDS = np.arange(N)


@pytest.fixture(scope="module")
def policies(small_world):
    """One that learns nothing, and one whose answers come from matrix products."""
    return {"uniform": "uniform", "lin_ts": train("lin_ts", simulate(small_world, customers=150, seed=1))}


@pytest.fixture(scope="module", params=["uniform", "lin_ts"])
def played(request, small_world, policies):
    """(policy, its log of customers 0 .. 59 in one block on one thread)."""
    policy = policies[request.param]
    return policy, simulate(small_world, policy, customers=N, seed=2, threads=1)


def written(log, folder):
    path = folder / "log.parquet"
    write_log(log, path)
    return path.read_bytes()


def columns(log):
    """Every column of a log, customers as ids."""
    found = {name: getattr(log, name) for name in PER_ROW if name != "customer"}
    found |= {"eligible": log.eligible, "customer": log.customers[log.customer], **log.context.columns}
    return found


def differing(a, b):
    return [
        name
        for name in a
        if a[name].dtype != b[name].dtype or not np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f")
    ]


@pytest.mark.parametrize(("threads", "block"), [(1, 60), (2, 30), (2, 17), (3, 59), (2, 10_000)])
def test_the_same_seed_gives_the_same_bytes_for_any_threads_and_blocks(small_world, played, tmp_path, threads, block):
    policy, log = played
    again = simulate(small_world, policy, customers=N, seed=2, threads=threads, block=block)
    assert written(again, tmp_path) == written(log, tmp_path)


def test_customers_simulated_in_two_halves_are_the_same_customers(small_world, played, tmp_path):
    policy, log = played
    halves = [columns(simulate(small_world, policy, customers=ids, seed=2)) for ids in (IDS[:23], IDS[23:])]
    joined = {name: np.concatenate([half[name] for half in halves]) for name in halves[0]}
    assert differing(joined, columns(log)) == []


def test_the_order_of_customers_moves_rows_and_changes_none(small_world, played):
    policy, log = played
    order = np.random.default_rng(0).permutation(N)
    shuffled = columns(simulate(small_world, policy, customers=IDS[order], seed=2))
    rows = (order[:, None] * small_world.horizon + np.arange(small_world.horizon)).ravel()
    assert differing(shuffled, {name: values[rows] for name, values in columns(log).items()}) == []


def test_the_propensity_is_the_policy_s_own_probability(small_world, played):
    policy, log = played
    chosen = policy if not isinstance(policy, str) else ready_policy(policy, small_world)
    rows = np.random.default_rng(1).permutation(len(log))[:300]  # another batch, in another order
    probabilities = chosen.probabilities(log.context.take(rows), log.allowed(rows))
    assert np.array_equal(probabilities[np.arange(300), log.action[rows]], log.propensity[rows])
    assert np.abs(probabilities.sum(axis=1) - 1).max() < 1e-9


def test_actions_are_taken_as_often_as_their_propensity_says(small_world, played):
    policy, _ = played
    log = simulate(small_world, policy, customers=1500, seed=8)
    open_rows = log.eligible.sum(axis=1) > 1
    chosen = policy if not isinstance(policy, str) else ready_policy(policy, small_world)
    p = chosen.probabilities(log.context, log.allowed())[open_rows]
    taken = np.eye(len(small_world.catalog))[log.action[open_rows]]
    z = (taken - p).sum(axis=0) / np.sqrt((p * (1 - p)).sum(axis=0))
    assert np.abs(z).max() < 4.5


def test_a_log_of_a_simulation_survives_its_file(played, tmp_path):
    _, log = played
    path = tmp_path / "log.parquet"
    write_log(log, path)
    again = read_log(path)
    assert again.meta == log.meta
    assert again.catalog == log.catalog
    for name, values in columns(log).items():
        assert np.array_equal(columns(again)[name], values, equal_nan=values.dtype.kind == "f"), name


def test_another_seed_is_another_log(small_world, tmp_path):
    logs = [simulate(small_world, customers=20, seed=seed) for seed in (0, 1)]
    assert written(logs[0], tmp_path) != written(logs[1], tmp_path)


# ---- figures that add up


def test_rows_are_customers_and_their_days(small_world):
    log = simulate(small_world, customers=np.array([5, 3]), seed=0)
    days = small_world.horizon
    assert len(log) == 2 * days
    assert log.customers.tolist() == ["5", "3"]
    assert log.customer.tolist() == [0] * days + [1] * days
    assert log.step.tolist() == log.day.tolist() == [*range(days), *range(days)]
    assert log.context.columns["days_to_go"].tolist() == [*range(days, 0, -1)] * 2
    assert np.array_equal(log.cost, small_world.catalog.cost_of[log.action])
    assert log.policy_id == "uniform"
    assert (log.meta["currency"], log.meta["minor_per_unit"], log.meta["seed"]) == ("EUR", 100, 0)


def test_a_row_is_matured_when_its_window_fits_the_campaign(small_world):
    log = simulate(small_world, customers=2, seed=0)
    days, window = small_world.horizon, small_world.outcome_days
    assert log.matured.tolist() == [day + window <= days for day in range(days)] * 2
    assert log.matured.sum() == 2 * (12 - 3 + 1)


def test_rewards_are_sums_over_the_outcome_window(small_world):
    log = simulate(small_world, customers=N, seed=4)
    panel, daily = Panel(small_world, N, seed=4), []
    for action in log.action.reshape(N, -1).T:
        daily.append(panel.step(action).reward)
    daily = np.array(daily, dtype=float).T
    expected = [daily[:, t : t + 3].sum(axis=1) for t in range(small_world.horizon)]
    assert log.reward.reshape(N, -1) == pytest.approx(np.array(expected).T, abs=1e-9)


def test_windows_by_hand():
    daily = np.array([[1.0, 10.0], [2.0, 0.0], [4.0, -1.0], [8.0, 5.0]])
    assert windowed(daily, 1).tolist() == daily.tolist()
    assert windowed(daily, 2).tolist() == [[3, 10], [6, -1], [12, 4], [8, 5]]
    assert windowed(daily, 9).tolist() == [[15, 14], [14, 4], [12, 4], [8, 5]]


@given(
    arrays(float, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.floats(-100, 100)), st.integers(1, 15)
)
@settings(max_examples=60, deadline=None)
def test_windows_are_plain_sums(daily, days):
    plain = [daily[t : t + days].sum(axis=0) for t in range(len(daily))]
    assert windowed(daily, days) == pytest.approx(np.array(plain), abs=1e-9)


def test_all_totals_of_a_campaign_tell_the_same_story(small_world):
    campaign = run_campaign(small_world, "uniform", customers=130, seed=6, keep_log=True)
    log = campaign.log
    for name, total in campaign.totals.items():
        assert total.sum() == pytest.approx(campaign.daily[name].sum(), rel=1e-6)
    assert campaign.reward_by_group.sum(axis=1) == pytest.approx(campaign.daily["reward"], abs=1e-6)
    assert campaign.reward_by_group.sum(axis=0)[7] == pytest.approx(campaign.value[7::50].sum(), abs=1e-6)
    assert campaign.action_counts.sum() == len(log)
    assert np.array_equal(
        campaign.action_counts.sum(axis=0), np.bincount(log.action, minlength=len(small_world.catalog))
    )
    assert campaign.totals["cost"].sum() == pytest.approx(log.cost.sum() / 100, rel=1e-6)
    assert campaign.totals["sent"].sum() == (log.action != NONE).sum()
    assert campaign.active["start"].sum() >= campaign.active["end"].sum() - campaign.totals["opened"].sum()
    without = run_campaign(small_world, "uniform", customers=130, seed=6)
    assert without.log is None
    assert np.array_equal(without.value, campaign.value)


def test_whom_neither_policy_contacts_earns_the_same_under_both(small_world, policies):
    nothing = run_campaign(small_world, "none", customers=400, seed=1)
    assert nothing.totals["sent"].sum() == nothing.totals["cost"].sum() == 0
    for policy in policies.values():
        campaign = run_campaign(small_world, policy, customers=400, seed=1)
        quiet = campaign.totals["sent"] == 0
        assert 0 < quiet.sum() < 400
        assert np.array_equal(campaign.value[quiet], nothing.value[quiet])


def test_twins_under_the_same_policy_are_identical(small_world):
    first, second = (run_campaign(small_world, "none", customers=50, seed=3) for _ in range(2))
    assert all(np.array_equal(first.totals[name], second.totals[name]) for name in first.totals)


# ---- words of the call


def test_no_customers_make_an_empty_log(small_world, tmp_path):
    log = simulate(small_world, customers=0)
    assert len(log) == 0
    write_log(log, tmp_path / "empty.parquet")
    assert len(read_log(tmp_path / "empty.parquet")) == 0


def test_a_learner_that_has_seen_nothing_cannot_play(small_world):
    with pytest.raises(UsageError, match="a policy that has learned"):
        simulate(small_world, "lin_ts", customers=5)


def test_a_mistyped_policy_is_met_with_the_nearest(small_world):
    with pytest.raises(UnknownName, match="Did you mean 'uniform'"):
        simulate(small_world, "unifrom", customers=5)
    with pytest.raises(UnknownName, match="Did you mean 'coupon20@sms'"):
        simulate(small_world, "always:coupn20@sms", customers=5)


def test_a_log_too_large_for_memory_is_refused_before_the_first_day(small_world, monkeypatch):
    monkeypatch.setattr(import_module("campaignrl.recorder"), "MAX_LOG_ROWS", 100)
    with pytest.raises(UsageError, match="at most 8 customers at a time"):
        simulate(small_world, customers=9)
    assert len(simulate(small_world, customers=8)) == 96


def test_progress_is_told_day_by_day(small_world):
    told = []
    simulate(small_world, customers=3, progress=lambda done, of: told.append((done, of)))
    assert told == [(day, 12) for day in range(1, 13)]


def test_training_in_a_world_meets_new_customers_each_round(small_world, monkeypatch):
    met = []
    module = import_module("campaignrl.training")
    real = module.simulate
    monkeypatch.setattr(module, "simulate", lambda w, p, **how: met.append((p, how["customers"])) or real(w, p, **how))
    learner = train("lin_ts", small_world, customers=20, rounds=2)
    assert [ids.tolist() for _, ids in met] == [[*range(20)], [*range(20, 40)]]
    assert [p if isinstance(p, str) else p is learner for p, _ in met] == ["uniform", True]


def test_training_a_policy_that_learns_nothing_is_refused(small_world):
    with pytest.raises(UsageError, match="a policy that learns"):
        train("none", small_world, customers=5)


# ---- a log says what was seen


def recomputed(world, policy, log):
    """(n,) chance of each logged action, from the log's own context and eligible actions alone."""
    probabilities = ready_policy(policy, world).probabilities(log.context, log.allowed())
    return probabilities[np.arange(len(log)), log.action]


LATER = [pytest.param(name, marks=pytest.mark.slow) for name in ("travel", "churn_rescue", "no_memory")]


@pytest.mark.parametrize("block", [300, 100, pytest.param(7, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["ecommerce", "coupon_trap", *LATER])
def test_the_logging_policys_propensities_follow_from_the_log(name, block):
    """Tags are refreshed during a campaign: a log that held views of them would hold those of the last period."""
    world = load_world(name)
    rules = usual_policy(world)
    log = simulate(world, rules, customers=300, seed=3, threads=1, block=block)
    np.testing.assert_allclose(recomputed(world, rules, log), log.propensity, atol=1e-12)


@pytest.mark.parametrize("kind", ["lin_ts", "dr_greedy", "beta_ts"])
def test_so_do_a_learners(small_world, kind):
    policy = train(kind, simulate(small_world, customers=150, seed=1))
    log = simulate(small_world, policy, customers=60, seed=2)
    np.testing.assert_allclose(recomputed(small_world, policy, log), log.propensity, atol=1e-12)


@pytest.mark.parametrize("name", bundled_files("envs"))
def test_what_was_seen_does_not_change_with_the_days_that_follow(name):
    world = load_world(name)
    panel = Panel(world, 200, seed=1)
    seen, kept = [], []
    for _ in range(world.horizon):
        context = panel.observe()
        seen.append(context)
        kept.append({name: column.copy() for name, column in context.columns.items()})
        panel.step(np.where(panel.allowed(context)[:, 1], 1, NONE))
    for context, copies in zip(seen, kept, strict=True):
        for name, column in context.columns.items():
            np.testing.assert_array_equal(column, copies[name])


def test_what_was_seen_cannot_change_the_panel(small_world):
    panel, other = Panel(small_world, 20, seed=1), Panel(small_world, 20, seed=1)
    for column in panel.observe().columns.values():
        if column.flags.writeable:
            column[...] = 0
    for name, column in other.observe().columns.items():
        np.testing.assert_array_equal(panel.observe().columns[name], column)


def test_rewards_in_expectation_have_the_same_mean_and_less_luck(small_world):
    found, certain = (simulate(small_world, customers=3_000, seed=4, expects=which) for which in (False, True))
    assert np.array_equal(found.action, certain.action), "what happens is the same; only rewards are said otherwise"
    assert np.array_equal(found.propensity, certain.propensity)
    difference = np.bincount(found.customer, found.reward - certain.reward)
    assert abs(difference.mean()) < 3.0 * difference.std() / np.sqrt(len(difference))
    assert certain.reward[certain.matured].std() < 0.6 * found.reward[found.matured].std()
