"""The events table: what it admits, what it refuses with every bad row at once, and files that come back as written."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.errors import DataError, UnknownName
from campaignrl.tables import events as events_module
from campaignrl.tables.events import (
    COLUMNS,
    KINDS,
    event_pieces,
    events_table,
    read_events,
    read_events_table,
    write_events,
)
from campaignrl.tables.files.whole_files import write_frame


def some(**changes):
    columns = {
        "customer_id": ["b", "007", "a", "a"],
        "ts": pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-05", "2024-01-01"]),
        "kind": ["order", "visit", "refund", "order"],
        "amount": [10.0, np.nan, 2.5, 1.0],
    }
    return pd.DataFrame({**columns, **changes})


def test_rows_come_back_by_customer_and_time_with_every_column(tmp_path):
    write_events(some(), tmp_path / "e.parquet")
    events = read_events(tmp_path / "e.parquet")
    assert tuple(events.columns) == COLUMNS
    assert events["customer_id"].tolist() == ["007", "a", "a", "b"]
    assert events["kind"].tolist() == ["visit", "order", "refund", "order"]
    assert events["amount"].tolist()[1:] == [1.0, 2.5, 10.0]
    assert events["channel"].isna().all()


def test_the_same_rows_give_the_same_bytes(tmp_path):
    write_events(some(), tmp_path / "one.parquet")
    write_events(some(), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize("rows", [1, 2, 100])  # in a piece
def test_some_kinds_since_a_day_are_those_of_the_whole_table(tmp_path, monkeypatch, rows):
    monkeypatch.setattr(events_module, "ROW_GROUP", rows)
    path = tmp_path / "e.parquet"
    write_events(some(), path)
    whole = read_events(path)
    assert [len(piece) for piece in event_pieces(path)] == ([rows] * (4 // rows) if rows < 4 else [4])
    for kinds, since in ((["order"], None), (None, dt.date(2024, 1, 3)), (["order", "visit"], dt.date(2024, 1, 2))):
        chosen = whole[whole["kind"].isin(KINDS if kinds is None else kinds)]
        chosen = chosen[chosen["ts"] >= pd.Timestamp(since or "2000-01-01")].reset_index(drop=True)
        assert 0 < len(chosen) < 4
        pd.testing.assert_frame_equal(read_events(path, kinds=kinds, since=since), chosen)
        names = ["amount", "customer_id"]
        pd.testing.assert_frame_equal(read_events(path, names, kinds=kinds, since=since), chosen[names])
    none = read_events(path, kinds=["cart"])
    assert not len(none)
    assert none.dtypes.equals(whole.dtypes)


def test_a_bad_row_in_a_later_piece_is_named_by_its_number_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "ROW_GROUP", 2)
    path = tmp_path / "e.parquet"
    write_frame(some(kind=["order", "visit", "refund", "odrer"]), path)
    with pytest.raises(DataError, match="row 3"):
        read_events(path, kinds=["order"])


def test_rows_of_one_moment_keep_their_order(tmp_path):
    frame = some(customer_id=["a"] * 4, ts=pd.to_datetime(["2024-01-01"] * 4), kind=["sent", "opened", "cart", "order"])
    write_events(frame, tmp_path / "e.parquet")
    assert read_events(tmp_path / "e.parquet")["kind"].tolist() == ["sent", "opened", "cart", "order"]


def test_microseconds_survive(tmp_path):
    stamps = pd.to_datetime(["2024-01-01 00:00:00.000001"] * 4)
    write_events(some(ts=stamps), tmp_path / "e.parquet")
    assert read_events(tmp_path / "e.parquet")["ts"].dt.microsecond.tolist() == [1] * 4


def test_everything_wrong_is_said_at_once():
    bad = some(
        kind=["odrer", "visit", "refund", "order"], amount=[1.0, np.inf, -2.0, -0.5], customer_id=["b", "", "a", "a"]
    )
    with pytest.raises(DataError) as wrong:
        events_table(bad)
    assert [(p.where, p.field) for p in wrong.value.problems] == [
        ("events row 1", "customer_id"),
        ("events row 0", "kind"),
        ("events row 1", "amount"),
        ("events rows 2, 3", "amount"),
    ]


def test_an_event_without_a_moment_is_refused():
    with pytest.raises(DataError, match="events row 2: ts = None is not given"):
        events_table(some(ts=pd.to_datetime(["2024-01-01", "2024-01-02", None, "2024-01-03"])))


def test_ids_are_text_and_nothing_else():
    with pytest.raises(DataError, match="customer_id"):
        events_table(some(customer_id=[1, 2, 3, 4]))


def test_a_strange_column_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match="Did you mean 'channel'"):
        events_table(some(chanel="sms"))


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="'kind' is not in the file"):
        events_table(some().drop(columns="kind"))


def test_other_files_are_refused(tmp_path):
    write_frame(some(), tmp_path / "e.csv")
    with pytest.raises(DataError, match="a Parquet file"):
        read_events(tmp_path / "e.csv")
    with pytest.raises(UnknownName, match=r"e\.parquet"):
        read_events(tmp_path / "e.parquet")


def test_a_file_cut_short_is_refused_in_one_line(tmp_path):
    write_events(some(), tmp_path / "e.parquet")
    data = (tmp_path / "e.parquet").read_bytes()
    (tmp_path / "e.parquet").write_bytes(data[:-20])
    with pytest.raises(DataError, match="cut short") as wrong:
        read_events(tmp_path / "e.parquet")
    assert "\n" not in str(wrong.value)


rows = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=5),
        st.datetimes(min_value=pd.Timestamp("1901-01-01"), max_value=pd.Timestamp("2199-01-01")).map(
            lambda t: t.replace(fold=0)
        ),
        st.sampled_from(KINDS),
        st.none() | st.floats(0, 1e12),
    ),
    max_size=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("events")


@settings(max_examples=25, deadline=None)
@given(rows)
def test_any_lawful_rows_come_back(folder, drawn):
    names = ("customer_id", "ts", "kind", "amount")
    table = pa.table(
        {name: [row[i] for row in drawn] for i, name in enumerate(names)},
        schema=pa.schema([("customer_id", "str"), ("ts", pa.timestamp("us")), ("kind", "str"), ("amount", "f8")]),
    )
    path = folder / "e.parquet"
    write_events(table.to_pandas(), path)
    back = read_events_table(path).select(names).to_pylist()
    assert sorted(str(tuple(row.values())) for row in back) == sorted(map(str, drawn))
