"""Decision logs as files: what is written is what is read, and what breaks the contract is refused by row."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.actions import Catalog
from campaignrl.errors import DataError, UnknownName
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.tables.files.whole_files import write_frame
from campaignrl.tables.log.columns import id_lists
from campaignrl.tables.log.decision_log import DecisionLog, repeated
from campaignrl.tables.log.files import KEY, sidecar, write_log
from campaignrl.tables.logs import read_log

SUFFIX = pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".tsv"])
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ID = WORD | st.sampled_from(["007", "1e5", "9223372036854775809", "=1+1", "'@x", "-5", "顾客🎁", "NA", "null", " a "])
NAME = WORD.filter(lambda w: w and w != "none" and "@" not in w) | st.sampled_from(["满减券", "🎁", "=cmd", "none "])


def small_log(n: int = 4, **changes) -> DecisionLog:
    """Four decisions over `none`, mail@email, text@sms, that any test can spoil."""
    schema = FeatureSchema((Feature(name="age", low=0, high=99), Feature(name="channel", levels=("app", "web"))))
    context = Context(schema, {"age": np.array([20.5, np.nan, 40, 50])[:n], "channel": np.array([0, 1, -1, 0])[:n]})
    parts = {
        "catalog": Catalog.from_names(["mail@email", "text@sms"]),
        "customers": np.array(["007", "b"], dtype=object),
        "customer": np.array([0, 1, 0, 1])[:n],
        "step": np.array([0, 0, 1, 1])[:n],
        "day": np.array([3, 3, 4, 4])[:n],
        "context": context,
        "action": np.array([0, 1, 2, 1])[:n],
        "propensity": np.array([0.25, 0.5, 1.0, 0.1])[:n],
        "reward": np.array([0.0, -1.5, 1e9, 0.1])[:n],
        "cost": np.array([0, 2, 3, 2])[:n],
        "matured": np.array([True, True, False, True])[:n],
        "eligible": np.array([[1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 1, 1]], dtype=bool)[:n],
        "wave": np.array([0, 0, 1, 1])[:n],
        "meta": {"policy_id": "uniform", "seed": 7},
    }
    return DecisionLog(**(parts | changes))


@st.composite
def logs(draw) -> DecisionLog:
    names = draw(st.lists(st.tuples(NAME, NAME).map("@".join), min_size=1, max_size=4, unique=True))
    catalog = Catalog.from_names(names)
    n, k = draw(st.integers(0, 6)), len(catalog)
    ids = draw(st.lists(ID, min_size=6, max_size=6, unique=True))
    number, category = draw(
        st.lists(NAME | st.sampled_from(["action", "context.action"]), min_size=2, max_size=2, unique=True)
    )
    levels = tuple(draw(st.lists(NAME, min_size=1, max_size=3, unique=True)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    action = rng.integers(0, k, n).astype(np.int16)
    eligible = rng.random((n, k)) < 0.5
    eligible[np.arange(n), action] = True
    values = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)).astype(dtype)
    schema = FeatureSchema((Feature(name=number, low=-1), Feature(name=category, levels=levels)))
    return DecisionLog(
        catalog=catalog,
        customers=np.array(ids, dtype=object),
        customer=rng.integers(0, 6, n),
        step=np.arange(n),
        day=rng.integers(-9, 9999, n),
        context=Context(schema, {number: values, category: rng.integers(-1, len(levels), n)}),
        action=action,
        propensity=1.0 - rng.random(n),
        reward=rng.normal(size=n) * 10.0 ** rng.integers(-300, 99, n),
        cost=rng.integers(0, 2**62, n),
        matured=rng.random(n) < 0.5,
        eligible=eligible if draw(st.booleans()) else None,
        wave=np.arange(n) if draw(st.booleans()) else None,
        meta={"policy_id": draw(WORD), "deep": {"a": [1, 2.5, None, "é"]}},
    )


def assert_same(a: DecisionLog, b: DecisionLog) -> None:
    assert a.catalog == b.catalog
    assert a.meta == b.meta
    assert a.context.schema == b.context.schema
    assert list(a.customers[a.customer]) == list(b.customers[b.customer])
    for name in ("step", "day", "action", "propensity", "reward", "cost", "matured", "eligible", "wave"):
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None), name
        assert left is None or np.array_equal(left, right), name
    for name in a.context.columns:
        assert np.array_equal(a.context.columns[name], b.context.columns[name], equal_nan=True), name


@SUFFIX
@settings(max_examples=12, deadline=None)
@given(log=logs())
def test_write_then_read_is_the_identity(tmp_path_factory, suffix, log):
    folder = tmp_path_factory.mktemp("log")
    write_log(log, folder / f"a{suffix}")
    back = read_log(folder / f"a{suffix}")
    assert_same(log, back)
    write_log(back, folder / f"b{suffix}")
    assert (folder / f"a{suffix}").read_bytes() == (folder / f"b{suffix}").read_bytes()


def test_the_columns_are_the_contract(tmp_path):
    write_log(small_log(), tmp_path / "log.parquet")
    frame = pd.read_parquet(tmp_path / "log.parquet")
    assert list(frame) == [
        *("decision_id", "customer_id", "ts", "step", "age", "context.channel", "eligible", "action", "offer"),
        *("channel", "propensity", "reward", "cost", "matured", "wave", "policy_id", "catalog_hash"),
    ]
    assert frame["decision_id"].tolist() == ["007-0", "b-0", "007-1", "b-1"] == small_log().decision_id.tolist()
    assert [list(e) for e in frame["eligible"]] == [[0, 1, 2], [0, 1], [2], [1, 2]]
    assert frame["offer"].isna().tolist() == [True, False, False, False]
    assert frame["channel"].tolist()[1:] == ["email", "sms", "email"]
    assert set(frame["policy_id"]) == {"uniform"}
    without = replace(small_log(), eligible=None, wave=None)
    write_log(without, tmp_path / "log.parquet")
    assert {"eligible", "wave"}.isdisjoint(pq.read_schema(tmp_path / "log.parquet").names)


def test_features_may_have_the_names_of_columns(tmp_path):
    names = ("action", "context.action", "context.context.action")
    context = Context(
        FeatureSchema(tuple(Feature(name=n) for n in names)), {n: np.full(4, i) for i, n in enumerate(names)}
    )
    write_log(replace(small_log(), context=context), tmp_path / "log.parquet")
    back = read_log(tmp_path / "log.parquet")
    assert {n: column.tolist() for n, column in back.context.columns.items()} == {
        n: [i] * 4 for i, n in enumerate(names)
    }


def test_a_row_without_a_list_of_eligible_actions_allows_all(path, tmp_path):
    spoil(path, eligible=[[0], None, [2], [0, 1]])
    assert read_log(path).eligible.tolist() == [[1, 0, 0], [1, 1, 1], [0, 0, 1], [1, 1, 0]]
    spoil(path, eligible=["0 2", "", "2", "0  1"])
    assert read_log(path).eligible.tolist() == [[1, 0, 1], [1, 1, 1], [0, 0, 1], [1, 1, 0]]
    spoil(path, eligible=["0 x", "-1", "2", "1 1.5"])
    assert problems_of(path)[0] == ("eligible", "rows 0, 1, 3")


def test_row_groups_do_not_show(tmp_path, monkeypatch):
    write_log(small_log(), tmp_path / "one.parquet")
    monkeypatch.setattr("campaignrl.tables.log.files.ROW_GROUP", 3)
    monkeypatch.setattr("campaignrl.tables.log.rows.ROW_GROUP", 2)
    write_log(small_log(), tmp_path / "two.parquet")
    assert pq.ParquetFile(tmp_path / "two.parquet").metadata.num_row_groups == 2
    assert_same(read_log(tmp_path / "two.parquet"), small_log())
    assert_same(read_log(tmp_path / "one.parquet"), small_log())


def test_texts_are_kept_as_codes_and_read_back_as_texts(tmp_path):
    """A repeated text, within a column of many names too, is the same to whoever reads the file without us."""
    log = small_log()
    write_log(log, tmp_path / "log.parquet")
    table, frame = pq.read_table(tmp_path / "log.parquet"), log.to_frame()
    assert table.schema.field("customer_id").type == pa.string()
    assert set(pq.read_schema(tmp_path / "log.parquet").metadata) == {KEY}
    for name in frame.columns.drop(["eligible", "age"]):
        assert table[name].to_pylist() == [None if pd.isna(v) else v for v in frame[name]]
    meta = pq.ParquetFile(tmp_path / "log.parquet").metadata.row_group(0)
    columns = {meta.column(i).path_in_schema: meta.column(i) for i in range(meta.num_columns)}
    assert "RLE_DICTIONARY" in columns["customer_id"].encodings
    assert "RLE_DICTIONARY" not in columns["reward"].encodings


def test_bytes_do_not_depend_on_how_customers_are_numbered(tmp_path):
    log = small_log()
    order = np.arange(len(log.customers))[::-1]
    turned = replace(log, customers=log.customers[order], customer=order[log.customer])
    for name, which in (("one", log), ("two", turned)):
        write_log(which, tmp_path / f"{name}.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_ids_that_are_one_text_are_written_as_one(tmp_path):
    """A dictionary holds each text once, whatever stands for it."""
    log = replace(small_log(), customers=np.array(["1", 1], dtype=object), step=np.arange(4))
    write_log(log, tmp_path / "log.parquet")
    assert pq.read_table(tmp_path / "log.parquet")["customer_id"].to_pylist() == ["1"] * 4


@pytest.mark.parametrize("k", [1, 3, 8, 9, 64, 65, 130])
def test_lists_of_ids_are_where_the_mask_is_true(k):
    mask = np.random.default_rng(k).random((5_000, k)) < 0.3
    assert id_lists(mask).to_pylist() == [np.flatnonzero(row).tolist() for row in mask]
    assert id_lists(mask[:0]).to_pylist() == []


def test_a_repeated_step_is_found_in_any_order():
    customer, step = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert not repeated(customer, step).any()
    assert not repeated(customer[::-1], step).any()
    assert repeated(np.array([0, 1, 0, 1]), np.array([0, 0, 0, 1])).tolist() == [False, False, True, False]
    assert repeated(np.array([0, 0, 1]), np.array([3, 3, 0])).tolist() == [False, True, False]


def test_a_log_that_could_not_be_read_back_is_not_written(tmp_path):
    twice = replace(small_log(), step=np.array([0, 0, 0, 1]))
    with pytest.raises(DataError, match="row 2: step = 0 is not used once by each customer"):
        write_log(twice, tmp_path / "log.parquet")
    for spoilt in ({"meta": {"a": np.float64(np.nan)}}, {"meta": {"a": object()}}, {"day": np.full(4, 2**40)}):
        with pytest.raises(DataError):
            write_log(replace(small_log(), **spoilt), tmp_path / "log.parquet")
    lone = np.array(["\ud800", "b"], dtype=object)
    for suffix in (".parquet", ".csv"):
        with pytest.raises(DataError):
            write_log(replace(small_log(), customers=lone), tmp_path / f"log{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_log_leaves_the_old_one_readable(tmp_path):
    path = tmp_path / "log.csv"
    write_log(small_log(), path)
    with pytest.raises(DataError):
        write_log(replace(small_log(), customers=np.array(["a\0", "b"], dtype=object)), path)
    assert_same(read_log(path), small_log())


# --- what is wrong with a file, said by row -------------------------------------------------------------------------


def spoil(path, **columns) -> None:
    """Replace columns of a Parquet log (None: drop), its description unchanged."""
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.column_names.index(name)
        table = table.remove_column(at) if values is None else table.set_column(at, name, pa.array(values))
    pq.write_table(table, path)


def problems_of(path) -> list[tuple[str, str]]:
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert all(str(path) in p.where for p in caught.value.problems), "every line names the file"
    return [(p.field, p.where.removeprefix(f"{path} ")) for p in caught.value.problems]


@pytest.fixture
def path(tmp_path):
    write_log(small_log(), tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


SPOILT = {
    "propensity 0 or above 1": ({"propensity": [0.0, 1.0, 1.0001, -1.0]}, [("propensity", "rows 0, 2, 3")]),
    "propensity missing": ({"propensity": [None, 0.5, np.nan, 0.1]}, [("propensity", "rows 0, 2")]),
    "propensity no number": ({"propensity": ["0.5", "half", "1", "x"]}, [("propensity", "rows 1, 3")]),
    "reward NaN": ({"reward": [np.nan, 0, np.inf, 0]}, [("reward", "rows 0, 2")]),
    "action outside the catalog": ({"action": [0, 1, 2, 3]}, [("action", "row 3")]),
    "action not whole": ({"action": [0, 1.5, 2, 1]}, [("action", "row 1")]),
    "action missing": ({"action": [0, 1, 2, None]}, [("action", "row 3")]),
    "another offer": ({"offer": [None, "text", "text", "mail"]}, [("action", "row 1")]),
    "unknown channel": ({"channel": [None, "emial", "sms", "email"], "action": None}, [("channel", "row 1")]),
    "unknown pair": ({"channel": [None, "sms", "sms", "email"], "action": None}, [("action", "row 1")]),
    "unknown offer": ({"offer": [None, "mial", "mial", "mail"], "action": None}, [("offer", "rows 1, 2")]),
    "action not eligible": ({"eligible": [[0], [0], [2], [0]]}, [("action", "rows 1, 3")]),
    "eligible unknown": ({"eligible": [[0], [1], [2], [1, 3]]}, [("eligible", "row 3")]),
    "decision twice": ({"decision_id": ["a", "b", "a", "b"]}, [("decision_id", "rows 2, 3")]),
    "row twice": ({"decision_id": ["a", "b", "a", "c"], "step": [0, 0, 0, 1]}, [("decision_id", "row 2")]),
    "decision without id": ({"decision_id": ["a", None, "c", "d"]}, [("decision_id", "row 1")]),
    "customer and step twice": ({"step": [0, 0, 0, 0]}, [("step", "rows 2, 3")]),
    "customer missing": ({"customer_id": ["007", "b", None, "b"]}, [("customer_id", "row 2")]),
    "step no number": ({"step": ["0", "zero", "1", "1"]}, [("step", "row 1")]),
    "cost in fractions": ({"cost": [0, 0.5, 1, 2]}, [("cost", "row 1")]),
    "matured unclear": ({"matured": ["true", "0", "1", "perhaps"]}, [("matured", "row 3")]),
    "matured a number": ({"matured": [0, 1, 2, 0]}, [("matured", "row 2")]),
    "day missing": ({"ts": pa.array([0, None, 0, 0], pa.date32())}, [("ts", "row 1")]),
    "context no number": ({"age": ["1", "old", "3", ""]}, [("age", "row 1")]),
    "rows of another catalog": ({"catalog_hash": ["0" * 16] * 4}, [("catalog_hash", "rows 0, 1, 2, 3")]),
    "rows of another policy": ({"policy_id": ["uniform", "uniform", "b", "uniform"]}, [("policy_id", "row 2")]),
    "two faults": (
        {"propensity": [0.0, 1.0, 1.0, 1.0], "reward": [0, np.nan, 0, 0]},
        [("propensity", "row 0"), ("reward", "row 1")],
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_each_fault_is_named_with_its_rows(path, fault):
    columns, expected = SPOILT[fault]
    spoil(path, **columns)
    assert problems_of(path) == expected


def test_all_missing_columns_are_named_at_once(path):
    table = pq.read_table(path)
    renamed = table.drop_columns(["reward"]).rename_columns({"propensity": "Propensity", "age": "ages"})
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert [p.value for p in caught.value.problems] == ["propensity", "reward", "age"]
    assert [p.fix for p in caught.value.problems][::2] == ["Did you mean 'Propensity'?", "Did you mean 'ages'?"]


def test_offer_and_channel_stand_in_for_the_action(path):
    spoil(path, action=None)
    assert read_log(path).action.tolist() == [0, 1, 2, 1]
    spoil(path, offer=None)
    assert problems_of(path)[0][0] == "column"


def test_dates_and_timestamps_become_days(path):
    spoil(path, ts=pd.to_datetime(["1970-01-02 23:59", "1970-01-03 00:00", "1969-12-31 23:59", "1970-01-01 12:00"]))
    assert read_log(path).day.tolist() == [1, 2, -1, 0]


def test_many_bad_rows_are_counted_not_listed(path, tmp_path):
    n = 50
    log = replace(
        small_log().take(np.zeros(n, dtype=int)), step=np.arange(n), eligible=None, wave=None, propensity=np.ones(n)
    )
    write_log(log, path)
    spoil(path, propensity=np.zeros(n))
    with pytest.raises(DataError) as caught:
        read_log(path)
    assert len(caught.value.problems) == 1
    assert "19 and 30 more" in str(caught.value)


def test_a_log_cut_short_anywhere_is_refused(path):
    data = path.read_bytes()
    for length in range(0, len(data), 29):
        path.write_bytes(data[:length])
        with pytest.raises(DataError) as caught:
            read_log(path)
        assert "\n" not in str(caught.value)


def test_a_csv_log_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "log.csv"
    write_log(small_log(), path)
    data = path.read_bytes()
    for length in range(len(data) - 1):  # the last line may lack its end
        path.write_bytes(data[:length])
        with pytest.raises(DataError):
            read_log(path)


def test_a_pickle_offered_as_a_log_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    for name in ("log.parquet", "log.csv", "log.csv.gz"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        (tmp_path / f"{name}.meta.json").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(DataError):
            read_log(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_a_table_without_description_asks_for_a_mapping(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    for name in ("t.parquet", "t.csv"):
        write_frame(frame, tmp_path / name)
        with pytest.raises(DataError, match="Give a mapping"):
            read_log(tmp_path / name)
    with pytest.raises(UnknownName):
        read_log(tmp_path / "other.parquet")


HEADS = {
    "no json": b"{",
    "a list": b"[]",
    "nothing": b"{}",
    "deep": b"[" * 100_000,
    "a number": b"7",
    "no text": b"\xff",
}


@pytest.mark.parametrize("head", HEADS)
def test_a_damaged_description_is_refused(tmp_path, head):
    path = tmp_path / "log.csv"
    write_log(small_log(), path)
    sidecar(path).write_bytes(HEADS[head])
    with pytest.raises(DataError, match="damaged"):
        read_log(path)


@pytest.mark.parametrize("key", ["format", "rows", "catalog", "features", "meta"])
@pytest.mark.parametrize("value", [None, "x", [1], {"a": 1}, -1, [{"name": 5, "levels": []}]])
def test_a_description_with_one_strange_part_is_refused(path, key, value):
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[KEY])
    facts[key] = value
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(facts).encode()}), path)
    if (key, value) == ("meta", {"a": 1}):
        assert problems_of(path) == [("policy_id", "rows 0, 1, 2, 3")]
        return
    with pytest.raises(DataError):
        read_log(path)


def test_a_newer_format_is_told_apart_from_damage(path):
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[KEY])
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(facts | {"format": 2}).encode()}), path)
    with pytest.raises(DataError, match=r"format = 2 is not at most 1\. Upgrade"):
        read_log(path)


def test_lost_rows_of_a_csv_log_are_missed(tmp_path):
    path = tmp_path / "log.csv"
    write_log(small_log(), path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(DataError, match="rows = 3 is not the 4 that were written"):
        read_log(path)


def test_no_cell_of_a_csv_log_starts_a_formula(tmp_path):
    log = replace(
        small_log(),
        catalog=Catalog.from_names(["=cmd|x@+sms", "@sum@-mail"]),
        customers=np.array(["=HYPERLINK()", "-1"], dtype=object),
    )
    write_log(log, tmp_path / "log.csv")
    text = (tmp_path / "log.csv").read_text()
    assert not [cell for line in text.splitlines() for cell in line.split(",") if cell[:1] in set("=+@")]
    assert_same(read_log(tmp_path / "log.csv"), log)


@pytest.mark.parametrize("changes", [{}, {"context": Context(FeatureSchema(()), {}), "eligible": None, "wave": None}])
@pytest.mark.parametrize("rows", [np.array([3, 0, 3]), slice(1, 3), np.zeros(0, int)])
def test_rows_that_are_taken_are_the_log_of_these_rows_and_leave_the_log_alone(changes, rows):
    log = small_log(**changes)
    taken, wanted = log.take(rows), np.arange(4)[rows]
    assert (len(log), len(taken), len(taken.context)) == (4, len(wanted), len(wanted))
    for name in ("customer", "step", "day", "action", "propensity", "reward", "cost", "matured", "eligible", "wave"):
        of_all, part = getattr(log, name), getattr(taken, name)
        assert (part is None) if of_all is None else np.array_equal(part, of_all[wanted]), name
    for name, column in log.context.columns.items():
        assert np.array_equal(taken.context.columns[name], column[wanted], equal_nan=True)
    assert taken.customers is log.customers
    assert taken.meta == log.meta
