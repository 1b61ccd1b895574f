"""What of tables has no file of its own: frames, splits, suppression, events, foreign logs, lasting figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_tables_exact import PLAIN, foreign
from test_tables_log_exact import FULLY, a_log

from campaignrl import rng
from campaignrl.errors import DataError, SpecError, UsageError
from campaignrl.rng import Purpose
from campaignrl.tables import customers, events, suppression
from campaignrl.tables.events import events_table, ordered, read_events_table, write_events
from campaignrl.tables.files import columns, csv_text, encodings, expressions, whole_files
from campaignrl.tables.foreign import contexts
from campaignrl.tables.foreign import log as foreign_module
from campaignrl.tables.foreign.mapping import parse_mapping
from campaignrl.tables.log import customer_sketch, files
from campaignrl.tables.log.customer_sketch import sketch_of
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.split import split_by_customer
from campaignrl.tables.log.stream import LogInMemory, _coded, _codes, open_log, pieces, starts_of
from campaignrl.tables.logs import read_log
from campaignrl.tables.suppression import column_says, listed, misspelled, same_spelling


def column(*values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


def test_figures_that_files_rest_on():
    assert (customers.FULL, whole_files.ROW_GROUP, contexts.MAX_LEVELS) == (2**53, 131_072, 1000)
    assert (csv_text.HEAD, encodings.SAMPLE) == (65_536, 65_536)
    assert (expressions.MAX_LENGTH, expressions.MAX_DEPTH) == (1000, 50)
    assert foreign_module.MICROSECONDS == 24 * 3600 * 10**6
    assert (customer_sketch.KEPT, customer_sketch._WIDTH, files.FORMAT, suppression.LEAST_KNOWN) == (256, 16, 1, 0.5)
    assert sorted(columns.TRUTHS.items()) == [("0", False), ("1", True), ("false", False), ("true", True)]
    required = {field.name: field.nullable for field in events.SCHEMA}
    assert [name for name, nullable in required.items() if not nullable] == ["customer_id", "ts", "kind"]


# ---- frames


def test_what_follows_from_other_columns_may_be_left_out_of_a_frame():
    log = a_log(cost=FULLY.cost_of[np.arange(6) % 4], day=np.tile([0, 1], 3))
    frame = log.to_frame().drop(columns=["matured", "policy_id", "catalog_hash", "ts", "decision_id", "cost"])
    back = DecisionLog.from_frame(frame, catalog=FULLY, features=log.context.schema, meta={"policy_id": "u"})
    assert back.day.tolist() == log.step.tolist()
    assert back.decision_id.tolist() == log.decision_id.tolist()
    assert back.matured.all()
    assert back.cost.tolist() == log.cost.tolist()
    assert back.policy_id == "u"
    named = DecisionLog.from_frame(frame.assign(policy_id="mine"), catalog=FULLY, features=log.context.schema)
    assert named.policy_id == "mine"
    assert DecisionLog.from_frame(frame, catalog=FULLY, features=log.context.schema).policy_id == "unknown"
    bad = log.to_frame().drop(columns="cost")
    bad.loc[2, "action"] = 4
    with pytest.raises(DataError, match="an action id from 0 to 3"):  # and not only that the cost is not there
        DecisionLog.from_frame(bad.assign(cost=0), catalog=FULLY, features=log.context.schema)
    with pytest.raises(DataError, match="cost"):
        DecisionLog.from_frame(bad, catalog=FULLY, features=log.context.schema)
    with pytest.raises(DataError, match="one kind of value a column"):
        DecisionLog.from_frame(frame.assign(kind=[1, "a", 2, "b", 3, "c"]), catalog=FULLY, features=log.context.schema)


def test_a_split_is_by_the_draws_of_its_seed():
    log = a_log(400)
    for share, seed in ((0.5, 0), (0.3, 7)):
        chosen = rng.uniform(rng.customer_keys(log.customers), seed, 0, Purpose.RESAMPLE) < share
        first, rest = split_by_customer(log, share, seed)
        assert first.decision_id.tolist() == log.take(chosen[log.customer]).decision_id.tolist()
        assert rest.decision_id.tolist() == log.take(~chosen[log.customer]).decision_id.tolist()
    assert split_by_customer(log)[0].decision_id.tolist() == split_by_customer(log, 0.5, 0)[0].decision_id.tolist()


def test_a_sketch_of_the_first_day_is_closed_on_it():
    assert sketch_of(a_log(day=np.zeros(6, dtype=int))).closed == 0
    assert sketch_of(a_log(day=np.zeros(6, dtype=int), meta={"outcome_days": 4})).closed == 4
    assert sketch_of(a_log().take(slice(0, 0))).closed == 0


# ---- streams


def test_texts_as_codes_with_missing_ones():
    words, at = _coded(column("b", None, "a", "b"))
    assert [words.to_pylist()[i] for i in at if i >= 0] in (["b", "", "a", "b"], ["b", "a", "b"])
    two = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c", None]).dictionary_encode()])
    words, at = _coded(two)
    assert [None if i < 0 else words.to_pylist()[i] for i in at] == ["a", "b", "c", None]
    assert _codes(two, ["c", "a"]).tolist() == [1, -1, 0, -1]
    assert starts_of(np.array([3, 3, 1, 1, 1, 3])).tolist() == [0, 2, 5]
    assert starts_of(np.array([], dtype=int)).tolist() == []


@pytest.mark.parametrize("name", ["offer", "channel", "slot", "policy_id", "catalog_hash"])
def test_what_a_file_says_twice_must_agree(tmp_path, name):
    import pyarrow.parquet as pq

    path = tmp_path / "log.parquet"
    write_log(a_log(), path)
    (piece,) = pieces(open_log(path), 0)
    assert piece.log.action.tolist() == a_log().action.tolist()
    table = pq.read_table(path)
    cells = table[name].to_pylist()
    cells[1] = {"offer": "gift", "channel": "sms", "slot": None}.get(name, "another")
    table = table.set_column(table.column_names.index(name), name, pa.array(cells))
    pq.write_table(table, path)
    with pytest.raises(DataError, match="row 1"):
        list(pieces(open_log(path), 0))


def test_a_bad_row_of_a_later_group_is_named_with_its_own_words(tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "log.parquet"
    write_log(a_log(), path)
    table = pq.read_table(path)
    names = table["channel"].to_pylist()
    names[5] = "another"
    table = table.set_column(table.column_names.index("channel"), "channel", pa.array(names))
    pq.write_table(table, path, row_group_size=2)
    stream = open_log(path)
    assert len(list(pieces(stream, 0))) == len(list(pieces(stream, 1))) == 1
    with pytest.raises(DataError, match="channel") as wrong:
        list(pieces(stream, 2))
    assert "is damaged" not in str(wrong.value)
    assert "row 1" in str(wrong.value)


def test_a_large_row_group_comes_in_pieces_that_know_where_they_begin(tmp_path, monkeypatch):
    from campaignrl.tables.log import stream as module

    log = a_log(30)
    write_log(log, tmp_path / "log.parquet")
    monkeypatch.setattr(module, "ROW_GROUP", 8)
    found = list(pieces(open_log(tmp_path / "log.parquet"), 0))
    assert [(piece.first, len(piece.log)) for piece in found] == [(0, 8), (8, 8), (16, 8), (24, 6)]
    assert np.concatenate([piece.log.reward for piece in found]).tolist() == log.reward.tolist()


def test_pieces_of_memory_are_checked_too():
    log = a_log()
    (piece,) = pieces(LogInMemory(log), 0)
    assert (piece.first, piece.starts.tolist()) == (0, [0, 2, 4])
    with pytest.raises(DataError, match=r"rows counted from 0: decision log row 1: step = 0"):
        list(pieces(LogInMemory(log.take(np.array([1, 0, 2, 3]))), 0))
    with pytest.raises(DataError, match="next to the customer's other rows") as wrong:
        list(pieces(LogInMemory(log.take(np.array([0, 2, 1, 3]))), 0))
    assert "rows 2, 3" in str(wrong.value)
    assert wrong.value.problems[0].value == log.customers[0]  # whose row it is
    back = log.take(np.array([0, 2, 4, 3]))  # not below the first customer, and yet again
    with pytest.raises(DataError, match="next to the customer's other rows"):
        list(pieces(LogInMemory(back), 0))
    last_first = log.take(np.array([4, 5, 0, 1]))
    assert len(list(pieces(LogInMemory(last_first), 0))) == 1


# ---- suppression


@pytest.mark.parametrize(
    ("written", "common"),
    [
        (" 007 ", "7"),
        ("+7", "7"),
        ("7.0", "7"),
        ("7.", "7"),
        ("7.5", "7.5"),
        ("'7", "7"),
        ("ABC", "abc"),
        ("\uff21\u200b1", "a1"),
        ("1e+17", "1" + "0" * 17),
        ("1.5E3", "1500"),
        ("1.5e0", "1.5e0"),
        ("1e39", "1" + "0" * 39),
        ("1e40", "1e40"),
        ("1.2.3e4", "1.2.3e4"),
        ("0", "0"),
        ("", ""),
    ],
)
def test_spellings_of_an_id(written, common):
    assert same_spelling([written]).tolist() == [common]


def test_who_is_on_a_list_and_whether_it_is_one_of_these_customers():
    ids = np.array(["1", "2", "x", "4"], dtype=object)
    assert listed(ids, {"001", "X"}, "t").tolist() == [True, False, True, False]
    assert listed(ids, {"1", "9"}, "t").tolist() == [True, False, False, False]  # a half is enough
    with pytest.raises(DataError, match="1 of 3 ids"):
        listed(ids, {"1", "8", "9"}, "t")
    assert listed(ids, {"1", "8", "9"}, "t", 1 / 3).any()
    assert not listed(ids, {"8"}, "t", 0.0).any()
    assert listed(ids, {"1", "2"}, "t", 1.0).sum() == 2
    with pytest.raises(DataError, match="no rows"):
        listed(ids, set(), "t")
    for share in (-0.01, 1.01):
        with pytest.raises(UsageError, match="least known share"):
            listed(ids, {"1"}, "t", share)


def test_a_column_that_is_neither_yes_nor_no_is_a_yes():
    cells = ["no", " NO ", "0", "0.0", "false", "F", "n", "否", "yes", "1", "Y", "是", "T", "", "maybe", None]
    barred, unclear = column_says(column(*cells))
    assert barred.tolist() == [False] * 8 + [True] * 8
    assert unclear.tolist() == [False] * 13 + [True] * 3
    barred, unclear = column_says(column(True, False, None))
    assert (barred.tolist(), unclear.tolist()) == ([True, False, True], [False, False, True])
    assert misspelled(["suppressed", "Suppressed", " suppressed", "suppress"]) == ["Suppressed", " suppressed"]


# ---- events


def event(**changes):
    return {"customer_id": "a", "ts": pd.Timestamp("2026-01-02"), "kind": "order", "amount": 1.0, **changes}


def test_events_are_ordered_by_customer_and_time_and_keep_their_order(tmp_path):
    rows = [
        event(customer_id="b", amount=1.0),
        event(customer_id="a", amount=2.0),
        event(customer_id="b", ts=pd.Timestamp("2026-01-01"), amount=3.0),
        event(customer_id="b", amount=4.0),
    ]
    table = ordered(events_table(pd.DataFrame(rows)))
    assert table["amount"].to_pylist() == [2.0, 3.0, 1.0, 4.0]
    write_events(pd.DataFrame(rows), tmp_path / "e.parquet")
    back = read_events_table(tmp_path / "e.parquet")
    assert back["amount"].to_pylist() == [2.0, 3.0, 1.0, 4.0]
    assert back.column_names == list(events.COLUMNS)
    assert read_events_table(tmp_path / "e.parquet", ["kind", "amount"]).column_names == ["kind", "amount"]
    with pytest.raises(DataError, match="a Parquet file"):
        read_events_table(tmp_path / "e.csv")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer_id": ""}, "customer_id"),
        ({"customer_id": None}, "customer_id"),
        ({"ts": pd.NaT}, "ts"),
        ({"kind": "sale"}, "kind"),
        ({"amount": -0.01}, "amount"),
        ({"amount": np.inf}, "amount"),
        ({"discount": -1.0}, "discount"),
        ({"kind": "refund", "amount": -1.0}, "amount"),
        ({"kind": "opening", "amount": -1.0}, "amount"),
        ({"value": -np.inf}, "value"),
    ],
)
def test_bad_events_are_named_with_their_rows(change, field):
    frame = pd.DataFrame([event(discount=0.0, value=0.0), {**event(discount=0.0, value=0.0), **change}])
    with pytest.raises(DataError) as wrong:
        events_table(frame)
    (problem,) = wrong.value.problems
    assert (problem.where, problem.field) == ("events row 1", field)


def test_lawful_events():
    rows = [event(amount=0.0, discount=0.0), event(kind="visit", amount=-1.0), event(amount=None, value=-5.0)]
    table = events_table(pd.DataFrame(rows))
    assert table["amount"].to_pylist() == [0.0, -1.0, None]
    assert table["brand"].to_pylist() == [None] * 3
    assert str(table["ts"].type) == "timestamp[us]"
    whole = events_table(pd.DataFrame([event(amount=2)]))
    assert whole["amount"].to_pylist() == [2.0]
    with pytest.raises(DataError) as wrong:
        events_table(pd.DataFrame([event(brand=7, amout=1.0, amount="x")]))
    assert {p.field for p in wrong.value.problems} == {"brand", "amount", "column"}


# ---- foreign logs


def test_rows_of_a_foreign_log_without_customers_are_customers_each(tmp_path):
    log = foreign(tmp_path, "arm,p,y\na,0.5,1\nb,0.25,0\na,0.5,1\n")
    assert log.customers.tolist() == ["0", "1", "2"]
    assert (log.step.tolist(), log.day.tolist(), log.customer.tolist()) == ([0] * 3, [0] * 3, [0, 1, 2])
    assert log.meta["customers_from"] == "each of 3 rows of log.csv"
    assert log.meta["propensity_from"] == "column p"
    assert log.meta["reward_unit"] == log.meta["reward"]
    assert "day_zero" not in log.meta
    assert log.matured.all()
    assert log.eligible.tolist() == [[False, True, True]] * 3  # nothing was never an option


def test_steps_count_in_order_of_time_then_of_the_file(tmp_path):
    text = "arm,p,y,when,who\na,0.5,1,5,x\na,0.5,2,3,x\na,0.5,3,3,y\na,0.5,4,5,x\na,0.5,5,1,y\n"
    log = foreign(tmp_path, text, time={"column": "when"}, customer={"column": "who"})
    assert log.step.tolist() == [1, 0, 1, 2, 0]
    assert log.meta["day_zero"] == "1970-01-01"
    text = "arm,p,y,when,who\na,0.5,1,2020-01-01T23:59:59,x\na,0.5,2,nonsense,x\n"
    with pytest.raises(DataError, match="row 1: when = 'nonsense'"):
        foreign(tmp_path, text, time={"column": "when"}, customer={"column": "who"})
    with pytest.raises(DataError, match="row 1: who = ''"):
        foreign(tmp_path, "arm,p,y,who\na,0.5,1,x\na,0.5,2,\n", customer={"column": "who"})
    with pytest.raises(DataError, match="used once by each customer"):
        foreign(tmp_path, "arm,p,y,who,s\na,0.5,1,x,0\na,0.5,2,x,0\n", customer={"column": "who"}, step={"column": "s"})


def test_whether_nothing_was_an_option(tmp_path):
    text = "arm,p,y\na,0.5,1\nb,0.25,0\n"
    assert foreign(tmp_path, text, action={"column": "arm", "none_offered": True}).eligible is None
    assert foreign(tmp_path, text, action={"column": "arm", "none_offered": False}).eligible is not None
    named = foreign(tmp_path, text, action={"column": "arm", "values": {"a": "none", "b": "mail@email"}})
    assert named.eligible is None
    assert named.action.tolist() == [0, 1]


def test_propensities_and_costs_of_every_kind(tmp_path):
    text = "arm,p,y\na,0.5,1\nb,0.25,0\na,0.5,1\na,1,0\n"
    share = foreign(tmp_path, text, propensity={"estimate": True})
    assert share.propensity.tolist() == [0.75, 0.25, 0.75, 0.75]
    assert share.meta["propensity_from"] == "estimate"
    same = foreign(tmp_path, text, propensity={"constant": 0.125}, cost={"constant": 3})
    assert (same.propensity.tolist(), same.cost.tolist()) == ([0.125] * 4, [3] * 4)
    assert same.meta["propensity_from"] == "constant 0.125"
    by = foreign(
        tmp_path, text, propensity={"per_action": {"a": 0.5, "b": 0.25}}, cost={"per_action": {"a": 2, "b": 5}}
    )
    assert (by.propensity.tolist(), by.cost.tolist()) == ([0.5, 0.25, 0.5, 0.5], [2, 5, 2, 2])
    assert by.meta["propensity_from"] == "per action"
    with pytest.raises(SpecError, match="in the catalog"):
        foreign(tmp_path, text, cost={"per_action": {"a": 2, "b": 5, "c": 1}})
    for bad in (0.0, -0.1, 1.1):
        with pytest.raises(SpecError):
            foreign(tmp_path, text, propensity={"constant": bad})
    assert foreign(tmp_path, text, propensity={"constant": 1.0}).propensity[0] == 1.0
    with pytest.raises(SpecError):
        foreign(tmp_path, text, cost={"constant": -1})


def test_rewards_by_name_and_by_formula(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("arm,p,y,z\na,0.5,1,4\nb,0.25,0,2\n", encoding="utf-8")
    rewards = {"visits": {"column": "y"}, "worth": {"expression": "z - 2 * y", "unit": "EUR"}}
    mapping = parse_mapping({**PLAIN, "reward": rewards})
    assert read_log(path, mapping).reward.tolist() == [1.0, 0.0]
    log = read_log(path, mapping, reward="worth")
    assert (log.reward.tolist(), log.meta["reward"], log.meta["reward_unit"]) == ([2.0, 2.0], "worth", "EUR")
    with pytest.raises(Exception, match="visits"):
        read_log(path, mapping, reward="visit")


def test_a_log_that_is_written_twice_is_the_same_bytes_and_says_its_rows(tmp_path):
    log = a_log(eligible=np.eye(4, dtype=bool)[np.arange(6) % 4])
    for name in ("one.parquet", "two.parquet", "one.csv", "two.csv"):
        write_log(log, tmp_path / name)
    for suffix in ("parquet", "csv"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (tmp_path / f"two.{suffix}").read_bytes()
        back = read_log(tmp_path / f"one.{suffix}")
        assert back.eligible.tolist() == log.eligible.tolist()
        assert back.reward.tolist() == log.reward.tolist()
        assert back.meta == log.meta
    text = (tmp_path / "one.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join(text[:-1]) + "\n")
    with pytest.raises(DataError, match="rows = 5 is not the 6 that were written"):
        read_log(tmp_path / "one.csv")
    (tmp_path / "one.csv.meta.json").unlink()
    with pytest.raises(DataError, match=r"has no one\.csv\.meta\.json beside it"):
        read_log(tmp_path / "one.csv")
    side = tmp_path / "two.csv.meta.json"
    good = side.read_text()
    for broken, said in (
        (good.replace('"format": 1', '"format": 2'), "format = 2"),
        (good.replace('"format": 1', '"format": 0'), "damaged"),
        (good.replace('"rows": 6', '"rows": "6"'), "damaged"),
        (good[:-9], "damaged"),
    ):
        side.write_text(broken)
        with pytest.raises(DataError, match=said):
            read_log(tmp_path / "two.csv")
    twice = replace(log, customer=np.zeros(6, dtype=int))
    with pytest.raises(DataError, match="used once by each customer"):
        write_log(twice, tmp_path / "x.parquet")
