"""Rows that stand twice: named across ids and within a customer, left out where a decision has an id."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.test_ope_balance import drawn, log_of, softmax

from campaignrl.cli import main as cli
from campaignrl.errors import DataError, SpecError
from campaignrl.ope.diagnostics.log_facts import findings_of_facts
from campaignrl.ope.diagnostics.verdict import Level
from campaignrl.ope.evaluate import evaluate
from campaignrl.ope.streaming.evaluate import evaluate_stream
from campaignrl.tables.foreign.repeated_rows import once_each, repeated_rows, row_keys
from campaignrl.tables.log.files import write_log
from campaignrl.tables.logs import read_log

MAPPING = """
{who}
[action]
column = "arm"
none_offered = false
[propensity]
column = "p"
[reward]
column = "r"
[contexts]
numbers = ["x"]
"""
CUSTOMER, DECISION = '[customer]\ncolumn = "who"', '[decision]\ncolumn = "who"'


@pytest.fixture
def doubled(tmp_path):
    """A fair test of two arms without an effect; a join has written B's rows with a reward twice."""
    rng = np.random.default_rng(0)
    n = 3_000
    frame = pd.DataFrame(
        {
            "who": [f"u{i}" for i in range(n)],
            "arm": rng.choice(["A", "B"], n),
            "p": 0.5,
            "x": rng.normal(size=n).round(4),
            "r": (rng.random(n) < 0.1).astype(float),
        }
    )
    twice = frame[(frame.arm == "B") & (frame.r == 1)]
    frame = pd.concat([frame, twice], ignore_index=True)
    path = tmp_path / "log.csv"
    frame.to_csv(path, index=False)

    def mapped(who):
        mapping = tmp_path / "m.toml"
        mapping.write_text(MAPPING.format(who=who))
        return path, mapping

    return frame, len(twice), mapped


def lift(log):
    return evaluate(log, "always:B", reference="always:A")


def test_rows_of_a_customer_that_stand_twice_are_named_with_what_to_do(doubled):
    _, twice, mapped = doubled
    answer = lift(read_log(*mapped(CUSTOMER)))
    assert answer.lift > 0.05
    assert answer.verdict == "caution"
    (said,) = [reason for reason in answer.reasons if "repeat an earlier row" in reason]
    assert said.startswith(f"{twice:,} rows")
    assert "[decision]" in said


def test_a_decision_s_id_leaves_them_out_and_the_gain_is_gone(doubled):
    frame, twice, mapped = doubled
    log = read_log(*mapped(f"{CUSTOMER}\n{DECISION}"))
    assert len(log) == len(frame) - twice
    answer = lift(log)
    assert (answer.verdict, answer.reasons) == (
        "trust",
        (f"{twice:,} rows that repeat a decision's id are left out.",),
    )
    assert answer.lift_ci_low < 0.0 < answer.lift_ci_high
    first = frame.drop_duplicates("who")
    means = first.groupby("arm").r.mean()
    assert answer.lift == pytest.approx(means["B"] - means["A"], abs=0.005)


def test_the_same_doubling_is_seen_where_nobody_knows_whose_a_row_is(doubled):
    _, _, mapped = doubled
    answer = lift(read_log(*mapped('customer = "row"')))
    assert answer.verdict == "caution"
    assert any("repeat another customer's row" in reason for reason in answer.reasons)
    assert any("does not say whose each row is" in reason for reason in answer.reasons)


def test_what_the_file_said_is_said_of_the_log_that_was_made_of_it(doubled, tmp_path):
    _, _, mapped = doubled
    path, log = tmp_path / "own.parquet", read_log(*mapped(CUSTOMER))
    write_log(log.take(np.lexsort((log.step, log.customer))), path)
    assert any("repeat an earlier row" in reason for reason in evaluate_stream(path, "always:B").reasons)


def test_ids_told_in_two_ways_are_an_error_with_the_rows(tmp_path):
    path, mapping = tmp_path / "log.csv", tmp_path / "m.toml"
    pd.DataFrame(
        {"who": ["a", "b", "a", "c"], "arm": ["A", "B", "A", ""], "p": 0.5, "x": 1.0, "r": [0, 0, 1, 0]}
    ).to_csv(path, index=False)
    mapping.write_text(MAPPING.format(who=DECISION))
    with pytest.raises(DataError, match="row 2: who = 'a' is not told in one way only"):
        read_log(path, mapping)


def test_once_each_by_hand():
    table = pa.table({"id": ["a", "b", "a", "c", ""], "r": ["1", "2", "1", "2", "3"]})
    kept, left_out, problems = once_each(table, "id", "log.csv")
    assert kept["id"].to_pylist() == ["a", "b", "c", ""]
    assert left_out == 1
    assert [(p.where, p.field) for p in problems] == [("log.csv row 4", "id")]


def test_row_keys_are_alike_where_rows_are():
    table = pa.table({"a": ["x", "x", "y", None, None], "b": ["1", "2", "1", "2", "2"]})
    keys = row_keys(table)
    assert len(set(keys.tolist())) == 4
    assert keys[3] == keys[4]
    assert len(set(row_keys(pa.table({"a": ["x", "y"], "b": ["y", "x"]})).tolist())) == 2


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_decisions_that_merely_look_alike_are_left_alone(rate):
    """Customers with twenty decisions each, all in one context and with the arm they keep."""
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(200), 20)
    reward = (rng.random(4_000) < rate).astype(float)
    table = pa.table({"who": who, "arm": (who % 2).astype(str), "r": reward.astype(str)})
    assert repeated_rows(table, ("r",), reward) == {}


def test_amounts_that_stand_twice_are_seen_among_decisions_that_look_alike():
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(200), 5)
    reward = np.where(rng.random(1_000) < 0.2, rng.gamma(2.0, 10.0, 1_000).round(2), 0.0)
    table = pa.table({"who": who, "arm": (who % 2).astype(str), "r": reward.astype(str)})
    assert repeated_rows(table, ("r",), reward) == {}
    again = np.flatnonzero(reward > 0)
    table, reward = pa.concat_tables([table, table.take(again)]), np.r_[reward, reward[again]]
    facts = repeated_rows(table, ("r",), reward)["repeated_rows"]
    assert facts["rows"] >= len(again)


def test_slots_of_one_page_load_are_one_cluster(tmp_path):
    """Three slots of a page share one outcome: as rows of nobody the error is too small by sqrt(3)."""
    rng = np.random.default_rng(0)
    page, n = np.repeat(np.arange(400), 3), 1_200
    frame = pd.DataFrame(
        {"page": page, "arm": rng.choice(["A", "B"], 400)[page], "p": 0.5, "x": rng.normal(size=n).round(3)}
    )
    frame["r"] = (rng.random(400) < 0.3).astype(int)[page]
    path, mapping = tmp_path / "log.csv", tmp_path / "m.toml"
    frame.to_csv(path, index=False)
    errors = []
    for who in ('customer = "row"', '[cluster]\ncolumn = "page"'):
        mapping.write_text(MAPPING.format(who=who))
        answer = evaluate(read_log(path, mapping), "always:B", estimators=("ips",))
        errors.append(answer.estimates["ips"].std_error)
    assert answer.customers == 400
    assert errors[1] / errors[0] == pytest.approx(np.sqrt(3), rel=0.05)
    assert read_log(path, mapping).meta["customers_from"] == "each page of log.csv"


def test_clusters_beside_customers_are_refused(tmp_path):
    mapping = tmp_path / "m.toml"
    mapping.write_text(MAPPING.format(who=f'{CUSTOMER}\n[cluster]\ncolumn = "x"'))
    with pytest.raises(SpecError, match="leave out"):
        read_log(tmp_path / "log.csv", mapping)


def test_facts_without_repeats_say_nothing():
    assert findings_of_facts({"policy_id": "mine", "customers_from": "each page of log.csv"}) == ()
    (said,) = findings_of_facts({"customers_from": "each of 10 rows of log.csv"})
    assert said.level is Level.NOTE


def test_honest_logs_with_coarse_contexts_raise_no_alarm():
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 4, size=(600, 2)).astype(float)
        P = 0.8 * softmax(X @ rng.normal(size=(2, 3))) + 0.2 / 3
        action = drawn(P, rng)
        reward = rng.random(600) < 0.1 + 0.2 * (action == 1)
        log = log_of(X, action, P[np.arange(600), action], reward, names=("none", "a@email", "b@email"))
        alarms += any("repeat" in reason for reason in evaluate(log, "uniform", estimators=("dr",)).reasons)
    assert alarms <= 1


def test_the_verb_names_them_in_json(doubled, monkeypatch, capsys):
    path, mapping = doubled[2](CUSTOMER)
    words = ["campaignrl", "evaluate", str(path), "-m", str(mapping), "-p", "always:B", "--json"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        cli.main()
    assert any("repeat an earlier row" in reason for reason in json.loads(capsys.readouterr().out)["reasons"])
