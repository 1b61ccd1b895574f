"""decide --allocate value: the most value within every limit, honest propensities, a curve, words and figures."""

import datetime
import json
import sys

import numpy as np
import pandas as pd
import pytest

import campaignrl as crl
from campaignrl.actions import NONE
from campaignrl.cli import main as cli
from campaignrl.envs import Panel, customers_frame
from campaignrl.errors import SupportError, UsageError
from campaignrl.ledger import Ledger
from campaignrl.policies import KINDS, copy_of, policy_class, stated_gains
from campaignrl.send import audit_ledger, what_if_budget
from campaignrl.send.audit import audit
from campaignrl.send.value_plan import STATING, gains_of

DAY = datetime.date(2026, 11, 21)
POLICY = "pretrained/ecommerce"
STATE_VALUES = {
    *("epsilon_greedy", "ucb1", "gaussian_ts", "lin_epsilon", "lin_ucb", "lin_ts", "square_cb", "reg_cb"),
    *("bootstrap_ts", "dr_greedy", "pessimistic", "fitted_q", "uplift", "dr_uplift", "budgeted", "neural_linear"),
}


@pytest.fixture(scope="module")
def world():
    return crl.load_world("ecommerce")


@pytest.fixture(scope="module")
def frame(world):
    return customers_frame(Panel(world, 600, 7))


def by_value(frame, world, **how):
    return crl.decide(POLICY, frame, world, day=DAY, allocate="value", **how)


def gains(found):
    return gains_of(crl.load_policy(POLICY), found.context)


def test_kinds_that_state_values_are_known_and_the_error_names_some_of_them():
    assert {kind for kind in KINDS if getattr(policy_class(kind), "score_unit", None) == "reward"} == STATE_VALUES
    assert set(STATING.replace(" or ", ", ").split(", ")) <= STATE_VALUES


@pytest.mark.parametrize("kind", sorted(STATE_VALUES - {"neural_linear"}))
def test_values_are_expected_rewards_whatever_the_kind(kind):
    """In a log whose reward is 3 for one action, 1 for nothing and 0 for the rest, that is what is stated."""
    world = crl.load_world("coupon_trap")
    log = crl.simulate(world, "uniform", customers=300, seed=3)
    plain = np.where(log.action == 2, 3.0, np.where(log.action == NONE, 1.0, 0.0))
    log = crl.DecisionLog(**{**vars(log), "reward": plain})
    policy = crl.train(kind, log)
    found = stated_gains(policy, log.context.take(slice(0, 50)))
    assert found.shape == (50, len(world.catalog))
    assert (found[:, NONE] == 0.0).all()
    assert found[:, 2].mean() == pytest.approx(2.0, abs=0.4)
    assert found[:, [1, *range(3, len(world.catalog))]].mean() == pytest.approx(-1.0, abs=0.4)


def test_where_nothing_is_scarce_everybody_gets_what_a_greedy_policy_gives(frame, world):
    greedy = copy_of(crl.load_policy(POLICY), explore=0.0)
    lot, value = crl.decide(greedy, frame, world, day=DAY), by_value(frame, world)
    assert np.array_equal(lot.action, value.action)
    assert value.plan.value == pytest.approx(value.plan.bound)
    assert lot.reason.tolist() == value.reason.tolist()
    assert np.array_equal(lot.expected_gain, value.expected_gain)


@pytest.mark.parametrize(
    "how", [{"budget": 1.0}, {"budget": 1.0, "explore": 0.3}, {"capacity": {"email": 20, "push": 3}}]
)
def test_a_plan_is_within_every_limit_and_worth_more_than_the_lot(frame, world, how):
    found = by_value(frame, world, **how)
    lot = crl.decide(POLICY, frame, world, day=DAY, **{k: v for k, v in how.items() if k != "explore"})
    at = np.arange(len(found.ids))
    assert found.eligible[at, found.action].all()
    assert found.cost <= found.limits.money
    sends = np.bincount(world.catalog.channel_of[found.action] + 1, minlength=6)[1:]
    assert (sends <= found.limits.sends).all()
    assert found.gain == pytest.approx(gains(found)[at, found.action].sum(), rel=1e-5)
    assert found.plan.value > lot.gain
    assert found.plan.value <= found.plan.bound
    assert found.plan.relative_gap < 0.01


def test_the_order_of_the_rows_changes_nothing(frame, world):
    found = by_value(frame, world, budget=1.0, explore=0.2)
    other = by_value(frame.iloc[::-1], world, budget=1.0, explore=0.2)
    assert found.to_frame().equals(other.to_frame().iloc[::-1].reset_index(drop=True))


def test_without_money_nothing_that_costs_is_sent_and_the_reason_says_so(frame, world):
    found = by_value(frame, world, budget=0.0)
    assert found.cost == found.plan.value == 0
    assert found.plan.bound == pytest.approx(0.0, abs=1e-9)
    told = found.reason[(found.eligible.sum(axis=1) > 1) & (gains(found).max(axis=1) > 0)]
    assert any(text.startswith("no money: ") and "would pay here" in text for text in told)
    assert found.blocked_counts()["no money"] > 0


def test_an_empty_table_is_a_plan_for_nobody(frame, world):
    found = by_value(frame.head(0), world, budget=1.0, explore=0.5)
    assert (len(found.ids), found.cost, found.gain, found.plan.value) == (0, 0, 0.0, 0.0)


def test_a_full_channel_is_the_reason_where_it_is_what_is_scarce(frame, world):
    found = by_value(frame, world, capacity={"email": 5})
    assert (found.limits.sends[list(world.channels).index("email")]) == 5
    assert found.blocked_counts()["no capacity: email"] > 0 or any("no capacity: email" in r for r in found.reason)


def test_a_certain_plan_is_logged_as_certain_and_values_no_other_policy(frame, world):
    found = by_value(frame, world, budget=1.0)
    assert (found.propensity == 1.0).all()
    log = found.to_log()
    assert log.meta["allocation"] == "value"
    known = crl.DecisionLog(
        **{**vars(log), "matured": np.ones(len(log), dtype=bool), "reward": np.random.default_rng(0).random(len(log))}
    )
    told = crl.evaluate(known, "uniform")
    assert told.verdict == "refuse"
    assert any("every logged action was certain (propensity 1)" in reason for reason in told.reasons)


@pytest.mark.slow
def test_an_exploring_share_is_exact_over_seeds(world):
    """Monte Carlo: weights are 1 on average, of the plan, of nothing, and of one action for all who may get it."""
    frame, runs, one = customers_frame(Panel(world, 250, 11)), 120, world.catalog.id_of("coupon10@push")
    policy, how = crl.load_policy(POLICY), {"budget": 2.0, "capacity": {"email": 12}, "explore": 0.4}
    of_plan, of_one, of_none = [], [], []
    for seed in range(runs):
        found = crl.decide(policy, frame, world, day=DAY, allocate="value", seed=seed, **how)
        kept, may = found.action == found.plan.action, found.eligible[:, one]
        assert (found.propensity[kept] >= 0.6 - 1e-12).all()
        assert (found.propensity[~kept] <= 0.4 + 1e-12).all()
        assert (found.propensity[found.eligible.sum(axis=1) == 1] == 1.0).all()
        of_plan.append((kept / found.propensity).mean())
        of_one.append(((found.action == one) / found.propensity)[may].mean())
        of_none.append(((found.action == NONE) / found.propensity).mean())
    for weights in (of_plan, of_none, of_one):
        error = np.std(weights) / np.sqrt(runs)
        assert error < 0.15
        assert abs(np.mean(weights) - 1.0) < 4 * error + 0.01  # exact given the cuts, which rest a little on one's draw


def test_a_log_with_an_exploring_share_can_be_valued(world):
    """Rewards of 0.5 on average, and 1 more where anything is sent: sending nothing is worth 0.5."""
    frame = customers_frame(Panel(world, 3_000, 12))
    found = by_value(frame, world, budget=5.0, explore=0.3)
    log = found.to_log()
    reward = np.random.default_rng(1).random(len(log)) + (log.action != NONE)
    log = crl.DecisionLog(**{**vars(log), "matured": np.ones(len(log), dtype=bool), "reward": reward})
    nothing = crl.evaluate(log, "none")
    assert nothing.verdict == "trust"
    assert nothing.estimates["snips"].value == pytest.approx(0.5, abs=0.05)
    assert nothing.mean_weight == pytest.approx(1.0, abs=0.1)
    assert not any("certain (propensity 1)" in reason for reason in nothing.reasons)


@pytest.mark.parametrize(
    ("policy", "how", "words"),
    [
        ("rules", {"allocate": "value"}, "states no values. Take a kind that does, such as lin_ts"),
        ("uniform", {"allocate": "value"}, "states no values"),
        (POLICY, {"allocate": "worth"}, "lot or value"),
        (POLICY, {"allocate": "value", "explore": 1.5}, "a share of customers, 0 to 1"),
        (POLICY, {"allocate": "value", "explore": float("nan")}, "a share of customers, 0 to 1"),
        (POLICY, {"explore": 0.1}, "0 where the lot serves"),
    ],
)
def test_what_cannot_be_allocated_by_value_is_refused_with_the_fix(frame, world, policy, how, words):
    with pytest.raises(UsageError, match=words):
        crl.decide(policy, frame, world, day=DAY, **how)


def test_scores_of_another_unit_are_no_values(frame, world):
    policy = crl.train("logit_ts", crl.simulate(world, "uniform", customers=60, seed=1))
    with pytest.raises(UsageError, match="its scores are a log-odds"):
        crl.decide(policy, frame, world, day=DAY, allocate="value")
    found = crl.decide(policy, frame, world, day=DAY)
    assert np.isnan(found.expected_gain).all()
    assert found.gain is None
    assert found.sends()["expected_gain"].isna().all()


def test_the_list_says_what_each_send_is_expected_to_bring(frame, world):
    found = by_value(frame, world, budget=1.0)
    sends = found.sends()
    assert (sends["expected_gain"] > 0).all()
    assert sends["expected_gain"].sum() == pytest.approx(found.gain, abs=1e-3)
    assert found.gain_unit == "CNY"
    lot = crl.decide(POLICY, frame, world, day=DAY, budget=1.0)
    at = np.arange(len(lot.ids))
    assert lot.expected_gain == pytest.approx(gains(lot)[at, lot.action])


def test_a_ledger_keeps_a_plan_and_an_audit_finds_nothing_wrong(frame, world, tmp_path):
    ledger = Ledger.create(tmp_path / "shop", world, customers=len(frame), start=DAY)
    policy = crl.load_policy(POLICY)
    first = by_value(frame, world, budget=1.0, explore=0.2, ledger=ledger)
    again = by_value(frame, world, budget=1.0, explore=0.2, ledger=ledger)
    assert again.run == first.run
    assert np.array_equal(again.action, first.action)
    assert again.expected_gain == pytest.approx(first.expected_gain)
    assert again.plan is None
    assert crl.decide(POLICY, frame, world, day=DAY, budget=1.0, ledger=ledger).run != first.run
    assert audit_ledger(ledger, world, policy)[1] == []


def test_a_log_of_a_plan_cannot_be_audited_by_the_policys_chances(frame, world):
    found = by_value(frame, world, budget=1.0)
    assert audit(found.to_log(), world) == []
    with pytest.raises(SupportError, match="after a plan by value"):
        audit(found.to_log(), world, policy=crl.load_policy(POLICY))


def test_what_other_budgets_would_bring_is_concave_and_holds_todays(frame, world):
    found = by_value(frame, world, budget=1.0)
    points = what_if_budget(crl.load_policy(POLICY), found, world)
    money, bound, value = (
        np.array([getattr(p, name) for p in points], dtype=float) for name in ("money", "bound", "value")
    )
    slopes = np.diff(bound) / np.diff(money)
    assert 12 <= len(points) <= 13
    assert 100 in money
    assert value[money == 100][0] == pytest.approx(found.plan.value, rel=1e-4)
    assert value[0] == 0.0
    assert (slopes > 0).all()
    assert (np.diff(slopes) <= 1e-9).all()
    assert (value <= bound + 1e-9).all()
    assert all(p.cost <= p.money for p in points)
    assert value[-1] == pytest.approx(by_value(frame, world).plan.value, rel=1e-4)
    with pytest.raises(UsageError, match="states no values"):
        what_if_budget(crl.load_policy("uniform", world), found, world)


@pytest.fixture
def customers(frame, tmp_path):
    frame.to_csv(tmp_path / "customers.csv", index=False)
    return tmp_path / "customers.csv"


def run(monkeypatch, *words):
    """The exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["campaignrl", "decide", POLICY, *map(str, words), "--as-of", str(DAY)])
    try:
        cli.main()
    except SystemExit as end:
        return end.code or 0
    return 0


def test_on_the_command_line(customers, tmp_path, monkeypatch, capsys):
    out = tmp_path / "sends.csv"
    assert run(monkeypatch, customers, "--allocate", "value", "--budget", 1, "-o", out) == 0
    told = capsys.readouterr()
    assert "of 1.00 CNY" in told.out
    assert "no plan can bring more than" in told.out
    assert "its log values no other policy" in told.err
    assert pd.read_csv(out)["expected_gain"].gt(0).all()
    assert (
        run(monkeypatch, customers, "--allocate", "value", "--explore", 0.1, "--budget", 1, "--dry-run", "--json") == 0
    )
    facts = json.loads(capsys.readouterr().out)
    assert facts["cost_minor"] <= facts["budget_minor"] == 100
    certificate = facts["plan_by_value"]
    assert facts["expected_gain"] < certificate["value"] <= certificate["bound"]
    assert certificate["prices"]["money"] > 0


def test_what_if_draws_a_picture_and_writes_nothing_else(customers, tmp_path, monkeypatch, capsys):
    picture = tmp_path / "curve.png"
    assert run(monkeypatch, customers, "--budget", 1, "--what-if", picture, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["today_minor"] == 100
    assert [p["budget_minor"] for p in facts["curve"]] == sorted({p["budget_minor"] for p in facts["curve"]})
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.png", "customers.csv"]
    first = picture.read_bytes()
    assert run(monkeypatch, customers, "--budget", 1, "--what-if", picture) == 0
    assert "today" not in capsys.readouterr().out
    assert picture.read_bytes() == first
    assert run(monkeypatch, customers, "--what-if", customers) == 2
