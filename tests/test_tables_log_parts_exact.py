"""Our logs and other people's in parts: codes, groups of rows, facts, single rows, rows that stand twice."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_tables_exact import PLAIN, a_log, foreign

from campaignrl.errors import DataError
from campaignrl.tables.events import events_table
from campaignrl.tables.foreign.mapping import parse_mapping
from campaignrl.tables.log import columns as log_columns
from campaignrl.tables.log import files as log_files
from campaignrl.tables.log import stream as log_stream
from campaignrl.tables.log.files import _differing, is_own_log, log_rows, parts_writer, write_log
from campaignrl.tables.log.stream import LogInMemory, open_log, pieces
from campaignrl.tables.logs import read_log
from campaignrl.tables.suppression import Listed


def test_a_log_of_any_length_is_its_rows(tmp_path):
    for n in (6, 2):
        rows = log_rows(a_log(n))
        assert (len(rows), rows["reward"].to_pylist()) == (n, a_log(n).reward.tolist())
        assert rows["reward"].num_chunks == 1
    assert len(log_rows(a_log(6).take(slice(0, 0)))) == 0


def test_texts_that_are_few_are_all_named_and_of_many_those_that_occur(monkeypatch):
    codes = np.array([2, 0, 2, -1])
    monkeypatch.setattr(log_columns, "FEW_NAMES", 3)
    few, many = (log_columns._texts(names, codes) for names in (list("abc"), list("abcd")))
    assert (few.dictionary.to_pylist(), many.dictionary.to_pylist()) == (["a", "b", "c"], ["c", "a", ""])
    assert few.to_pylist() == many.to_pylist() == ["c", "a", "c", None]
    assert log_columns.as_of_these_rows(few.slice(1)).dictionary.to_pylist() == ["a", "c", ""]
    assert log_columns.as_of_these_rows(few.slice(1)).to_pylist() == ["a", "c", None]
    assert log_columns.named_by_rows(a_log()) == {"customer_id"}
    monkeypatch.setattr(log_columns, "FEW_NAMES", 1)
    assert log_columns.named_by_rows(a_log()) == {"customer_id", "kind", "offer", "channel"}


def test_a_log_in_parts_is_the_same_bytes_as_the_whole(tmp_path, monkeypatch):
    for module in (log_files, log_stream):
        monkeypatch.setattr(module, "ROW_GROUP", 4)
    log = a_log(10)
    write_log(log, tmp_path / "whole.parquet")
    parts = [log_rows(log.take(slice(a, b))) for a, b in ((0, 6), (6, 10))]
    with open(tmp_path / "parts.parquet", "wb") as out:
        parts_writer(log.take(slice(0, 6)), 10, lambda: parts)(out)
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert open_log(tmp_path / "parts.parquet").groups == (4, 4, 2)
    assert LogInMemory(log).groups == (4, 4, 2)
    assert LogInMemory(log.take(slice(0, 0))).groups == ()
    assert LogInMemory(log.take(slice(0, 8))).groups == (4, 4)


def test_which_tables_are_logs_of_ours(tmp_path):
    for name in ("a.parquet", "a.csv"):
        write_log(a_log(), tmp_path / name)
        assert is_own_log(tmp_path / name)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "b.parquet")
    (tmp_path / "b.csv").write_text("a\n1\n")
    assert not is_own_log(tmp_path / "b.parquet")
    assert not is_own_log(tmp_path / "b.csv")


def test_facts_of_a_log_are_plain_and_in_one_order(tmp_path):
    for name, meta in (
        ("a", {"policy_id": "u", "b": 1, "a": "é\ud800"}),
        ("b", {"a": "é\ud800", "b": 1, "policy_id": "u"}),
    ):
        write_log(a_log(meta=meta), tmp_path / f"{name}.parquet")
        assert read_log(tmp_path / f"{name}.parquet").meta == meta
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    with pytest.raises(DataError, match="plain JSON values"):
        write_log(a_log(meta={"policy_id": "u", "a": float("nan")}), tmp_path / "c.parquet")


def test_numbers_that_differ_in_most_rows_are_cut_into_bytes():
    schema = a_log().context.schema
    for ages, found in (([1.0, 1.0, 2.0, 3.0], []), ([1.0, 2.0, 3.0, 4.0], ["age"]), ([1.0, 2.0, 3.0, 3.0], [])):
        assert _differing(schema, pa.record_batch({"age": ages, "kind": ["app"] * 4})) == found


def test_a_log_of_a_single_row_is_read_in_pieces(tmp_path):
    log = a_log(2).take(slice(0, 1))
    write_log(log, tmp_path / "one.parquet")
    (piece,) = pieces(open_log(tmp_path / "one.parquet"), 0)
    assert (piece.first, piece.starts.tolist(), piece.log.reward.tolist()) == (0, [0], log.reward.tolist())


def test_an_action_beyond_the_catalog_disagrees_with_nothing(tmp_path):
    """It is named as no action, and not as one whose offer is another."""
    log = a_log(6, action=np.array([0, 1, 2, 1, 2, 0]))
    for bad in (-1, 3):
        frame = log.to_frame()
        frame.loc[1, "action"] = bad
        with pytest.raises(DataError) as wrong:
            type(log).from_frame(frame, catalog=log.catalog, features=log.context.schema)
        assert [(p.where, p.field, p.value) for p in wrong.value.problems if p.field == "action"] == [
            ("frame row 1", "action", bad)
        ]


def test_rows_that_stand_twice_are_counted_and_told(tmp_path):
    text = "id,arm,p,y\nx,a,0.5,1\nx,a,0.5,1\ny,b,0.5,0\n"
    log = foreign(tmp_path, text, decision={"column": "id"})
    assert (len(log), log.meta["repeats_left_out"], log.meta["customers_from"]) == (2, 1, "each of 3 rows of log.csv")
    with pytest.raises(DataError, match=r"log\.csv, 1 repeated rows not counted, row 1: y = 'z'"):
        foreign(tmp_path, text.replace("0.5,0", "0.5,z"), decision={"column": "id"})
    assert (
        "repeats_left_out"
        not in foreign(tmp_path, "id,arm,p,y\nx,a,0.5,1\ny,b,0.5,0\n", decision={"column": "id"}).meta
    )


def test_an_event_s_time_is_cut_to_microseconds_and_its_numbers_to_doubles():
    moment = np.array(["2026-01-02T03:04:05.123456789"], dtype="datetime64[ns]")
    frame = pd.DataFrame({"customer_id": ["a"], "ts": moment, "kind": ["order"], "amount": [2**53 + 1]})
    table = events_table(frame)
    assert table["ts"].to_pylist() == [dt.datetime(2026, 1, 2, 3, 4, 5, 123456)]
    assert table["amount"].to_pylist() == [float(2**53)]


def test_a_list_may_shrink_to_its_share_and_no_further():
    half = Listed.of({"1", "01", "2", "3"}, 0.5)
    assert half == Listed(3, 0.5)
    half.require(6)
    half.require(0)
    with pytest.raises(DataError, match="at least 50% of the 7 of the last run"):
        half.require(7)
    Listed(0, 0.0).require(9)


def test_lists_of_ids_as_arrow_s():
    chance = np.random.default_rng(6)
    for n, k in ((5, 3), (1, 70), (9, 200), (0, 4)):
        mask = chance.random((n, k)) < 0.4
        wanted = [np.flatnonzero(row).tolist() for row in mask]
        assert log_columns.id_lists(mask).to_pylist() == wanted


@pytest.mark.parametrize("said", ["by the mapping", "by the caller"])
def test_letters_of_two_bytes_without_a_mark_are_read_where_somebody_says_so(tmp_path, said):
    path = tmp_path / "log.csv"
    path.write_bytes("arm,p,y\né,0.5,1\nb,0.5,0\n".encode("utf-16-le"))
    words = {"encoding": "utf-16-le"} if said == "by the mapping" else {}
    mapping = parse_mapping({**PLAIN, **words})
    log = read_log(path, mapping, encoding=None if words else "utf-16-le")
    assert log.catalog.names == ("none", "b", "é")
    with pytest.raises(DataError, match="NUL bytes"):
        read_log(path, parse_mapping(PLAIN | {"encoding": "utf-8"}))
