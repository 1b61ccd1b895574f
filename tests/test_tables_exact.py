"""Tables at their edges: what a file says once, cells of every lawful kind, a log on both sides of a moment."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaignrl.actions import Catalog
from campaignrl.errors import DataError, SpecError, UsageError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.tables.files.columns import days, numbers, row_problems, truths, whole_numbers
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.files.whole_files import write_frame
from campaignrl.tables.foreign.mapping import parse_mapping
from campaignrl.tables.log.customer_sketch import sketch_of
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.files import write_log
from campaignrl.tables.log.split import split_by_customer
from campaignrl.tables.log.stream import LogInMemory, open_log, pieces
from campaignrl.tables.logs import read_log


def a_log(n=6, **changes):
    """Decisions of n / 2 customers, two each, over `none`, mail@email, text@sms."""
    schema = FeatureSchema((Feature(name="age", low=0, high=99), Feature(name="kind", levels=("app", "web"))))
    chance = np.random.default_rng(n)
    parts = {
        "catalog": Catalog.from_names(["mail@email", "text@sms"]),
        "customers": np.array([f"c{i:03}" for i in range(n // 2)], dtype=object),
        "customer": np.repeat(np.arange(n // 2), 2),
        "step": np.tile([0, 1], n // 2),
        "day": np.tile([3, 4], n // 2),
        "context": Context(schema, {"age": chance.uniform(0, 99, n), "kind": chance.integers(0, 2, n)}),
        "action": chance.integers(0, 3, n),
        "propensity": np.full(n, 0.25),
        "reward": chance.normal(size=n),
        "cost": np.zeros(n, dtype=np.int64),
        "matured": np.ones(n, dtype=bool),
        "eligible": None,
        "wave": np.zeros(n, dtype=np.int64),
        "meta": {"policy_id": "uniform", "seed": 7},
    }
    return DecisionLog(**(parts | changes))


def column(*values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


# ---- cells


@pytest.mark.parametrize(
    "cells",
    [
        column(1, 0, None, kind=pa.int64()),
        column(1.0, 0.0, None, kind=pa.float64()),
        column("1", "0", " "),
        column("TRUE", "false", ""),
        column(True, False, None),
    ],
    ids=["ints", "floats", "digits", "words", "booleans"],
)
def test_truths_of_every_kind(cells):
    found = truths(cells, "matured", "log")
    assert found.values.tolist() == [True, False, False]
    assert found.problems == []


def test_a_two_is_neither_true_nor_false():
    (problem,) = truths(column(0, 2, 1, kind=pa.int64()), "matured", "log").problems
    assert str(problem) == "log row 1: matured = 2 is not true or false."


def test_numbers_missing_and_whole_ones():
    assert np.array_equal(numbers(column("1.5", " ", "2"), "x", "log").values, [1.5, np.nan, 2.0], equal_nan=True)
    assert numbers(column("true", "False", "TRUE"), "x", "log").values.tolist() == [1.0, 0.0, 1.0]
    found = whole_numbers(column("7", "2.0", "x", "2.5", None), "x", "log")
    assert found.values.tolist() == [7, 2, 0, 0, 0]
    assert [p.where for p in found.problems] == ["log rows 2, 3", "log row 4"]


def test_days_are_counted_from_1970_and_a_missing_one_is_said():
    stamps = column(pd.Timestamp("1970-01-03 23:59:59"), None, pd.Timestamp("1969-12-31 00:00:00"))
    found = days(stamps, "day", "log")
    assert found.values.tolist() == [2, 0, -1]
    assert [p.where for p in found.problems] == ["log row 1"]


def test_twenty_rows_are_listed_and_the_others_counted():
    for n, end in ((20, "18, 19"), (21, "18, 19 and 1 more"), (33, "18, 19 and 13 more")):
        (problem,) = row_problems(np.ones(n, bool), "x", np.arange(n), "small")
        assert problem.where.startswith("decision log rows 0, 1, ")
        assert problem.where.endswith(end)
        assert problem.value == 0


def test_parquet_holds_the_columns_of_the_frame_and_no_index(tmp_path):
    write_frame(pd.DataFrame({"b": [1, 2], "a": ["x", "y"]}, index=[5, 9]), tmp_path / "t.parquet")
    assert pq.read_schema(tmp_path / "t.parquet").names == ["b", "a"]


# ---- our own log


def respell(path, drop=(), **columns):
    """The same file with other cells."""
    table = pq.read_table(path)
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table.drop_columns(list(drop)), path)


def test_a_log_of_nothing_but_strange_pairs_is_refused(tmp_path):
    """Each offer and each channel is known, but no such action is."""
    path = tmp_path / "log.parquet"
    write_log(a_log(2), path)
    respell(path, drop=["action"], offer=["mail", "text"], channel=["sms", "email"])
    with pytest.raises(DataError, match="rows 0, 1") as said:
        read_log(path)
    assert "mail@sms" in str(said.value)


def test_pieces_of_a_log_are_the_log(tmp_path, monkeypatch):
    from campaignrl.tables.log import stream as module

    log = a_log(50)
    monkeypatch.setattr(module, "ROW_GROUP", 16)
    memory = LogInMemory(log)
    assert memory.groups == (16, 16, 16, 2)
    firsts, rows = [], []
    for group in range(4):
        for piece in pieces(memory, group):
            firsts.append(piece.first)
            rows += piece.log.reward.tolist()
            assert (piece.log.customer[piece.starts] == np.unique(piece.log.customer)).all()
    assert firsts == [0, 16, 32, 48]
    assert rows == log.reward.tolist()


@pytest.mark.parametrize("texts", ["plain", "dictionary"])
def test_a_streamed_file_is_the_log_however_its_texts_are_stored(tmp_path, texts):
    path, log = tmp_path / "log.parquet", a_log(40)
    write_log(log, path)
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=12, use_dictionary=texts == "dictionary")
    stream = open_log(path)
    assert stream.groups == (12, 12, 12, 4)
    found = [piece for group in range(4) for piece in pieces(stream, group)]
    assert [piece.first for piece in found] == [0, 12, 24, 36]
    for name in ("action", "propensity", "reward", "step", "matured"):
        assert np.concatenate([getattr(p.log, name) for p in found]).tolist() == getattr(log, name).tolist()
    kinds = np.concatenate([p.log.context.labels("kind") for p in found])
    assert kinds.tolist() == log.context.labels("kind").tolist()


def test_a_streamed_file_whose_customer_is_missing_in_the_first_row_is_refused(tmp_path):
    path = tmp_path / "log.parquet"
    write_log(a_log(4), path)
    respell(path, customer_id=[None, "c000", "c001", "c001"])
    with pytest.raises(DataError):
        list(pieces(open_log(path), 0))


def test_a_customer_whose_rows_lie_apart_is_refused_by_the_stream(tmp_path):
    path = tmp_path / "log.parquet"
    write_log(a_log(4).take(np.array([0, 2, 1, 3])), path)
    with pytest.raises(DataError, match="next to the customer's other rows") as wrong:
        list(pieces(open_log(path), 0))
    assert "rows 2, 3" in str(wrong.value)


def test_a_level_that_is_missing_is_missing_in_the_stream_too(tmp_path):
    path, log = tmp_path / "log.parquet", a_log(6)
    kind = np.array([0, 1, -1, 1, -1, 0])
    log = replace(log, context=Context(log.context.schema, {"age": log.context.columns["age"], "kind": kind}))
    write_log(log, path)
    (piece,) = pieces(open_log(path), 0)
    assert piece.log.context.columns["kind"].tolist() == kind.tolist()


def test_one_pair_of_offer_and_channel_that_is_no_action_is_refused(tmp_path):
    log = a_log(6, action=np.array([0, 1, 2, 1, 2, 0]))
    frame = log.to_frame().drop(columns="action")
    frame.loc[3, "channel"] = "sms"  # mail@sms
    with pytest.raises(DataError, match="row 3: action = 'mail@sms'"):
        DecisionLog.from_frame(frame, catalog=log.catalog, features=log.context.schema)


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5])
def test_a_share_of_none_or_of_all_splits_nothing(share):
    with pytest.raises(UsageError, match=r"in \(0, 1\)"):
        split_by_customer(a_log(), share)


def test_an_expression_may_be_fifty_levels_deep_and_no_deeper():
    for deep, last in (("-" * 50, "a"), ("(a+" * 50, "a" + ")" * 50), ("", "+".join("a" * 51))):
        assert np.isfinite(compile_expression(deep + last, "here").of({"a": np.ones(1)})[0])
    for deep, last in (("-" * 51, "a"), ("(a+" * 51, "a" + ")" * 51), ("", "+".join("a" * 52))):
        with pytest.raises(SpecError, match="at most 50 levels deep"):
            compile_expression(deep + last, "here")


def test_propensities_by_action_are_needed_of_those_that_occur(tmp_path):
    parts = {"propensity": {"per_action": {"A": 0.5, "B": 0.5}}}
    assert foreign(tmp_path, "arm,p,y\nA,1,1\nB,1,0\n", **parts).propensity.tolist() == [0.5, 0.5]
    assert (
        foreign(tmp_path, "arm,p,y\nA,1,1\nA,1,0\n", **{"propensity": {"per_action": {"A": 0.5}}}).propensity[0] == 0.5
    )
    with pytest.raises(SpecError, match="'C' is not given a value"):
        foreign(tmp_path, "arm,p,y\nA,1,1\nB,1,0\nC,1,0\n", **parts)


def test_a_flipped_byte_of_a_page_is_noticed_by_the_stream(tmp_path):
    path, log = tmp_path / "log.parquet", a_log(400)
    write_log(log, path)
    meta = pq.ParquetFile(path).metadata.row_group(0)
    places = [meta.column(i) for i in range(meta.num_columns) if meta.column(i).path_in_schema == "reward"]
    data = bytearray(path.read_bytes())
    data[places[0].data_page_offset + places[0].total_compressed_size - 9] ^= 1  # within the last values
    path.write_bytes(data)
    with pytest.raises(DataError):
        list(pieces(open_log(path), 0))


# ---- whom a policy learned from


def test_a_log_that_begins_before_the_last_outcome_shares_its_customers():
    log = a_log(8)
    sketch = sketch_of(log)
    last = sketch.closed
    for day, share in ((last - 1, 1.0), (last, 1.0), (last + 1, 0.0)):
        assert sketch.share_of(a_log(8, day=np.full(8, day))) == share
    astride = np.tile([last, last + 5], 4)
    assert sketch.share_of(a_log(8, day=astride)) == 1.0
    assert sketch.share_of(a_log(8).take(slice(0, 0))) == 0.0
    half = np.array(["c000", "c001", "x", "y"], dtype=object)
    assert sketch.share_of(a_log(8, customers=half)) == 0.5


# ---- foreign logs

PLAIN = {"action": {"column": "arm"}, "propensity": {"column": "p"}, "reward": {"column": "y"}}


def foreign(folder, text, **parts):
    (folder / "log.csv").write_text(text, encoding="utf-8")
    return read_log(folder / "log.csv", parse_mapping(PLAIN | parts))


def test_a_foreign_log_without_costs_costs_nothing(tmp_path):
    assert foreign(tmp_path, "arm,p,y\nb,0.5,1\na,0.5,0\n").cost.tolist() == [0, 0]


def test_arms_are_ordered_as_numbers_and_texts_come_after(tmp_path):
    log = foreign(tmp_path, "arm,p,y\nb,0.5,1\n10,0.5,1\na,0.5,0\n2,0.5,0\n")
    assert log.catalog.names == ("none", "2", "10", "a", "b")


@pytest.mark.parametrize(("least", "stays"), [("0", True), ("0.5", True), ("3", True)])
def test_a_feature_on_a_log_scale_may_begin_at_nothing(tmp_path, least, stays):
    log = foreign(tmp_path, f"arm,p,y,x\n1,0.5,1,{least}\n2,0.5,0,9\n", contexts={"numbers": ["x"], "log": ["x"]})
    (feature,) = log.context.schema.features
    assert (feature.low, feature.high, feature.log) == (float(least), 9.0, stays)


def test_a_feature_below_nothing_has_no_log_scale(tmp_path):
    with pytest.raises(DataError, match="at least 0, as its log scale asks"):
        foreign(tmp_path, "arm,p,y,x\n1,0.5,1,-0.5\n2,0.5,0,9\n", contexts={"numbers": ["x"], "log": ["x"]})


@pytest.mark.parametrize(
    "moments", [("3", "4"), (" 3", "4 "), ("1970-01-04", "1970-01-05"), ("1970-01-04T12:00", "1970-01-05")]
)
def test_time_in_whole_days_or_in_words(tmp_path, moments):
    text = f"arm,p,y,when,who\n1,0.5,1,{moments[0]},a\n2,0.5,2,{moments[1]},a\n"
    log = foreign(tmp_path, text, time={"column": "when"}, customer={"column": "who"})
    assert log.day.tolist() == [3, 4]
    assert log.step.tolist() == [0, 1]


def test_time_as_timestamps(tmp_path):
    stamps = pd.to_datetime(["1970-01-05 01:00", "1970-01-04 23:00"])
    frame = pd.DataFrame({"arm": ["1", "2"], "p": [0.5, 0.5], "y": [1.0, 2.0], "when": stamps, "who": ["a", "a"]})
    frame.to_parquet(tmp_path / "log.parquet")
    parts = PLAIN | {"time": {"column": "when"}, "customer": {"column": "who"}}
    log = read_log(tmp_path / "log.parquet", parse_mapping(parts))
    assert (log.day.tolist(), log.step.tolist()) == ([4, 3], [1, 0])
