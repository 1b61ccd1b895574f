"""Bad logs and impossible questions, as a shell meets them: exit codes, plain words, and no figure that is not one."""

import importlib.util
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from campaignrl.campaign import simulate
from campaignrl.cli import main as cli
from campaignrl.errors import DataError
from campaignrl.ope.diagnostics.holdout import check_apart, drawn, holdout_of
from campaignrl.ope.evaluate import evaluate
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.split import split_by_customer

_SPEC = importlib.util.spec_from_file_location("logs", Path(__file__).with_name("test_ope_log.py"))
LOGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(LOGS)
K, make_log, within, always = LOGS.K, LOGS.make_log, LOGS.within, LOGS.always


@pytest.fixture
def valued(monkeypatch, capsys, tmp_path):
    """Write a log, value a policy on it as a shell would: (exit code, answer or None, what was said on stderr)."""

    def call(log, policy, change=None):
        path = tmp_path / "log.csv"
        write_log(log, path)
        if change is not None:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False)
            change(frame).to_csv(path, index=False)
        words = ["campaignrl", "evaluate", str(path), "--policy", policy, "--json"]
        monkeypatch.setattr(sys, "argv", words)
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else None, err

    return call


def spoilt(column, value, rows=(3, 5)):
    def change(frame):
        frame.loc[list(rows), column] = value
        return frame

    return change


# ---- propensities


@pytest.mark.parametrize("wrong", ["0", "1.0001", "-0.2", ""])
def test_a_propensity_that_is_none_is_rejected_with_its_rows(valued, wrong):
    code, answer, said = valued(make_log(60), "uniform", spoilt("propensity", wrong))
    assert (code, answer) == (3, None)
    assert "3, 5" in said
    assert "propensity" in said


def test_propensities_rounded_to_16_bits_are_flagged(valued):
    log = make_log(3000)
    p = np.random.default_rng(0).uniform(0.2, 0.3, 3000).astype(np.float16).astype(np.float64)
    _, answer, _ = valued(replace(log, propensity=p), "logged")
    assert any("16-bit" in reason for reason in answer["reasons"])


# ---- no support, too little evidence


def test_an_action_that_was_never_tried_ends_with_4_and_bounds(valued):
    log = make_log(3000)
    code, answer, _ = valued(log.take(np.flatnonzero(log.action != 3)), "always:coupon@sms")
    assert code == 4
    assert answer["verdict"] == "refuse"
    assert answer["off_support_mass"] == 1.0
    assert answer["estimates"]["ips"]["value"] is None
    assert any("may be anything from 0 to 1" in reason for reason in answer["reasons"])


def test_a_small_effective_sample_ends_with_4_and_names_no_winner(valued):
    code, answer, _ = valued(make_log(90), "always:coupon@sms")
    assert code == 4
    assert answer["ess"] < 100
    assert any("carry the estimate" in reason for reason in answer["reasons"])
    assert not any("better" in reason or "worse" in reason for reason in answer["reasons"])
    assert "What would help" in answer["reasons"][-1]


def test_a_log_of_certain_actions_gives_the_model_s_guess_only(valued):
    code, answer, _ = valued(make_log(2000, propensity=np.ones(2000)), "always:coupon@email")
    assert code == 4
    assert any("only dm, the model's guess, can be had" in reason for reason in answer["reasons"])
    assert answer["estimates"]["dm"]["value"] is not None
    assert {answer["estimates"][name]["value"] for name in ("ips", "snips", "dr")} == {None}


# ---- nothing to divide by


@pytest.mark.parametrize("value", [0.0, 1.0, 7.5])
def test_equal_rewards_give_figures_and_a_caution(valued, value):
    code, answer, _ = valued(make_log(2000, reward=np.full(2000, value)), "uniform")
    assert code == 0
    assert answer["verdict"] == "caution"
    assert answer["estimates"]["snips"]["value"] == pytest.approx(value)


def test_one_customer_and_one_arm_are_refused_or_finite(valued):
    code, answer, _ = valued(make_log(300, rows=300), "uniform")
    assert code == 4
    assert answer["estimates"]["ips"]["std_error"] is None
    log = make_log(600)
    one = replace(log, action=np.zeros(600, dtype=int), propensity=np.ones(600))
    code, answer, _ = valued(one, "logged")
    assert code == 0
    assert math.isfinite(answer["estimates"]["ips"]["value"])


# ---- leaks


def test_a_split_by_customer_is_apart_and_the_same_log_is_not():
    log = make_log(200, rows=2)
    check_apart(*split_by_customer(log))
    with pytest.raises(DataError, match="leakage check") as error:
        check_apart(log, log)
    assert error.value.exit_code == 3
    assert "100 customers overlap" in str(error.value)


def test_evaluate_checks_the_log_that_a_policy_learned_on():
    log = make_log(200, rows=2)
    learn, judge = split_by_customer(log)
    assert evaluate(judge, "uniform", learned_on=learn, estimators=("ips",)).n == len(judge)
    for estimators in (("ips",), ("pdis",)):
        with pytest.raises(DataError, match="leakage check"):
            evaluate(judge, "uniform", learned_on=log, estimators=estimators)


def test_a_customer_may_come_back_once_outcomes_are_closed():
    meta = {"outcome_days": 7}
    first, later = make_log(50, meta=meta), make_log(50, meta=meta, day=np.full(50, 7))
    check_apart(first, later)  # days 0 to 7 are closed when day 7 opens
    with pytest.raises(DataError, match="50 customers overlap"):
        check_apart(first, make_log(50, meta=meta, day=np.full(50, 6)))


def test_rewards_after_the_window_are_not_counted():
    log = make_log(500)
    late = replace(log, matured=np.arange(500) < 400)
    assert evaluate(late, "logged").logged_value == log.reward[:400].mean()


# ---- duplicates


def test_decisions_that_come_twice_are_rejected_with_their_rows(valued):
    def doubled(frame):
        frame.iloc[8] = frame.iloc[7]
        return frame

    code, answer, said = valued(make_log(60), "uniform", doubled)
    assert (code, answer) == (3, None)
    assert "row 8" in said


@pytest.mark.parametrize("change", [lambda f: f.iloc[:40], lambda f: pd.concat([f, f.iloc[[7, 9]]])])
def test_a_log_with_more_or_fewer_rows_than_were_written_is_refused(valued, change):
    """A lost part of a log, or one that came twice, is told by the number of rows in its description."""
    code, answer, said = valued(make_log(60), "uniform", change)
    assert (code, answer) == (3, None)
    assert "is not the 60 that were written" in said


# ---- holdout


def planned(log, share=0.2):
    """The log with a holdout that was kept to: nothing sent to who is held out."""
    out = drawn(log.customers, share, 3)[log.customer]
    action = np.where(out, 0, log.action)
    meta = {**log.meta, "holdout": share, "holdout_salt": 3}
    return replace(log, action=action, propensity=np.where(out, 1.0, log.propensity), meta=meta), out


def test_a_holdout_as_planned_is_silent_and_a_thinned_one_is_flagged():
    log, out = planned(make_log(4000))
    kept = holdout_of(log)
    assert kept.observed == out.mean()
    assert (kept.p_value > 0.001, kept.contacted) == (True, 0)
    assert not any("held out" in reason for reason in evaluate(log, "logged").reasons)
    thinned = log.take(np.flatnonzero(~out | (np.arange(4000) % 2 == 0)))  # half of them lost on the way
    found = evaluate(thinned, "logged")
    assert found.verdict == "caution"
    assert any("held out where 20% were planned" in reason for reason in found.reasons)


def test_who_is_held_out_and_contacted_is_told():
    log = make_log(2000)
    spoilt_log = replace(log, meta={**log.meta, "holdout": 0.2, "holdout_salt": 3})
    contacted = holdout_of(spoilt_log).contacted
    assert contacted == (drawn(log.customers, 0.2, 3)[log.customer] & (log.action != 0)).sum()
    assert any(f"{contacted} customers who were to be held out" in r for r in evaluate(spoilt_log, "logged").reasons)


def test_a_log_without_a_plan_has_no_holdout():
    assert holdout_of(make_log(50)) is None


def test_simulated_logs_keep_to_their_holdout(small_world):
    log = simulate(small_world, "uniform", customers=3_000, seed=1)
    found = holdout_of(log)
    assert found.planned == 0.1
    assert found.contacted == 0
    assert found.p_value > 1e-4
