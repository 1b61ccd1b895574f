"""Cells of tables one by one: texts of codes, lists of ids, sketches of customers, contexts of a foreign log."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaignrl.actions import Catalog, Channel, Creative, Offer, Slot
from campaignrl.errors import ArtifactError, DataError
from campaignrl.features import Context, Feature, FeatureSchema
from campaignrl.tables.customers import FULL, contact_column, read_customers
from campaignrl.tables.foreign.contexts import category_feature, expanded, number_feature
from campaignrl.tables.foreign.mapping import ContextPart
from campaignrl.tables.log import columns as module
from campaignrl.tables.log.columns import context_column, id_lists, log_batches, log_schema
from campaignrl.tables.log.customer_sketch import KEPT, CustomerSketch, sketch_of
from campaignrl.tables.log.decision_log import DecisionLog, repeated
from campaignrl.tables.log.rows import eligible_masks, numbered, unknown_names

OFFERS, CHANNELS = [Offer(name="mail"), Offer(name="gift")], [Channel(name="email"), Channel(name="sms")]
CREATIVES, SLOTS = [Creative(name="video"), Creative(name="text")], [Slot(name="noon", from_hour=11, to_hour=14)]
PARTS = [("mail", "email", "video", "noon"), ("gift", "sms", "text", "noon"), ("mail", "sms", "video", "noon")]
FULLY = Catalog.made_of(OFFERS, CHANNELS, PARTS, CREATIVES, SLOTS)


def a_log(n=6, catalog=FULLY, **changes):
    """n / 2 customers of two decisions each."""
    schema = FeatureSchema((Feature(name="age", low=0, high=99), Feature(name="kind", levels=("app", "web"))))
    parts = {
        "catalog": catalog,
        "customers": np.array([f"c{i:05}" for i in range(n // 2)], dtype=object),
        "customer": np.repeat(np.arange(n // 2), 2),
        "step": np.tile([0, 1], n // 2),
        "day": np.tile([3, 4], n // 2),
        "context": Context(schema, {"age": np.linspace(0, 99, n), "kind": np.arange(n) % 2}),
        "action": np.arange(n) % len(catalog),
        "propensity": np.full(n, 0.25),
        "reward": np.arange(n) / 4,
        "cost": np.arange(n),
        "matured": np.ones(n, dtype=bool),
        "eligible": None,
        "wave": None,
        "meta": {"policy_id": "uniform", "seed": 7},
    }
    return DecisionLog(**(parts | changes))


def column(*values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


# ---- a log as columns


def test_texts_of_codes_that_lie_close_and_far_apart():
    """Both ways to look them up: a category as a whole, and few names out of very many."""
    near = np.array([2, -1, 0, 2, 1])
    assert module._texts(["a", "b", "c"], near).to_pylist() == ["c", None, "a", "c", "b"]
    assert module._texts(["x"] * 7 + ["a", "b"], np.array([8, 7, -1])).to_pylist() == ["b", "a", None]
    names = [f"n{i}" for i in range(20_000)]
    far = np.array([19_999, 0, -1, 7, 19_999])
    assert module._texts(names, far).to_pylist() == ["n19999", "n0", None, "n7", "n19999"]
    assert module._texts(names, np.array([], dtype=np.int64)).to_pylist() == []
    assert module._texts(names, np.array([-1, -1])).to_pylist() == [None, None]
    assert module._texts(names, np.array([5_000])).to_pylist() == ["n5000"]


def test_a_mask_as_lists_of_ids_and_back():
    mask = np.array([[True, False, True], [False, False, False], [True, True, True]])
    lists = id_lists(mask)
    assert lists.to_pylist() == [[0, 2], [], [0, 1, 2]]
    found = eligible_masks(pa.chunked_array([lists]), 3, "log")
    assert found.values.tolist() == mask.tolist()
    assert found.problems == []


def test_the_columns_of_a_file_their_types_and_order():
    log = a_log(eligible=np.ones((6, 4), dtype=bool), wave=np.arange(6))
    log = replace(log, context=Context(log.context.schema, {"age": np.zeros(6, np.float32), "kind": np.zeros(6, int)}))
    schema = log_schema(log, {b"k": b"v"})
    assert [(f.name, str(f.type)) for f in schema] == [
        ("decision_id", "string"),
        ("customer_id", "string"),
        ("ts", "int32"),
        ("step", "int32"),
        ("age", "float"),
        ("kind", "string"),
        ("eligible", "list<item: int16>"),
        ("action", "int16"),
        ("offer", "string"),
        ("channel", "string"),
        ("creative", "string"),
        ("slot", "string"),
        ("propensity", "double"),
        ("reward", "double"),
        ("cost", "int64"),
        ("matured", "bool"),
        ("wave", "int32"),
        ("policy_id", "string"),
        ("catalog_hash", "string"),
    ]
    assert schema.metadata == {b"k": b"v"}
    plain = log_schema(a_log())
    assert not {"eligible", "wave"} & set(plain.names)
    assert plain.field("age").type == pa.float64()


def test_a_feature_whose_name_is_taken_gets_another_column():
    assert [context_column(name) for name in ("age", "step", "context.age", "action", "contextual")] == [
        "age",
        "context.step",
        "context.context.age",
        "context.action",
        "contextual",
    ]


@pytest.mark.parametrize(("rows", "sizes"), [(4, [4, 2]), (6, [6]), (5, [5, 1]), (2, [2, 2, 2]), (100, [6])])
def test_batches_follow_each_other_and_hold_every_row_once(rows, sizes):
    log = a_log()
    batches = list(log_batches(log, log_schema(log), rows))
    assert [batch.num_rows for batch in batches] == sizes
    table = pa.Table.from_batches(batches).to_pydict()
    assert table["decision_id"] == ["c00000-0", "c00000-1", "c00001-0", "c00001-1", "c00002-0", "c00002-1"]
    assert table["customer_id"] == ["c00000"] * 2 + ["c00001"] * 2 + ["c00002"] * 2
    assert table["action"] == [0, 1, 2, 3, 0, 1]
    assert table["offer"] == [None, "mail", "gift", "mail", None, "mail"]
    assert table["slot"] == [None, "noon", "noon", "noon", None, "noon"]
    assert table["kind"] == ["app", "web"] * 3
    assert (table["ts"], table["step"]) == ([3, 4] * 3, [0, 1] * 3)
    assert table["cost"] == list(range(6))
    assert set(table["policy_id"]) == {"uniform"}
    assert set(table["catalog_hash"]) == {FULLY.hash}


def test_a_log_without_rows_is_one_batch_without_rows():
    log = a_log().take(slice(0, 0))
    for rows in (4, 1):
        (batch,) = log_batches(log, log_schema(log), rows)
        assert batch.num_rows == 0


# ---- columns as a log


def test_what_is_eligible_in_every_spelling():
    lists = eligible_masks(pa.chunked_array([pa.array([[0, 2], None, []], pa.list_(pa.int16()))]), 3, "log")
    assert lists.values.tolist() == [[True, False, True], [True] * 3, [False] * 3]
    words = eligible_masks(column("0 2", "", "  1\t2 ", None), 3, "log")
    assert words.values.tolist() == [[True, False, True], [True] * 3, [False, True, True], [True] * 3]
    assert words.problems == []
    floats = eligible_masks(pa.chunked_array([pa.array([[0.0, 2.0]], pa.list_(pa.float64()))]), 3, "log")
    assert floats.values.tolist() == [[True, False, True]]


@pytest.mark.parametrize("bad", ["0 3", "-1", "0 x", "1.5", "0 \u0662"])
def test_what_is_no_action_id_is_named_with_its_row(bad):
    found = eligible_masks(column("0", bad, "1", bad), 3, "log")
    (problem,) = found.problems
    assert problem.where == "log rows 1, 3"
    assert (problem.field, problem.allowed) == ("eligible", "a list of action ids from 0 to 2")
    assert problem.value == bad
    assert found.values[[0, 2]].tolist() == [[True, False, False], [False, True, False]]


def test_lists_longer_than_a_row_group_are_all_read(monkeypatch):
    from campaignrl.tables.log import rows

    monkeypatch.setattr(rows, "ROW_GROUP", 3)
    mask = np.random.default_rng(0).random((10, 4)) < 0.5
    assert eligible_masks(pa.chunked_array([id_lists(mask)]), 4, "log").values.tolist() == mask.tolist()
    strange = pa.chunked_array([pa.array([[0]] * 8 + [[9], [0]], pa.list_(pa.int16()))])
    (problem,) = eligible_masks(strange, 4, "log").problems
    assert (problem.where, problem.value) == ("log row 8", [9])


def test_texts_are_numbered_as_they_come():
    names, at = numbered(pa.chunked_array([pa.array(["b", "a", "b"]), pa.array(["c", "a"])]))
    assert (names.tolist(), at.tolist()) == (["b", "a", "c"], [0, 1, 0, 2, 1])
    one = numbered(column("only", "only"))
    assert (one[0].tolist(), one[1].tolist()) == (["only"], [0, 0])


def test_names_that_are_not_known_are_said_once_each_and_twenty_at_most():
    texts = [f"x{i:02}" for i in range(22)] + ["x00", "mail"]
    codes = np.array([-1] * 23 + [0])
    problems = unknown_names(column(*texts), codes, "offer", ["mail"], "log", "a known offer")
    assert problems[0].where == "log rows 0, 22"
    assert problems[0].value == "x00"
    shown = len(problems) - 1
    assert problems[-1].value == f"{22 - shown} more values"
    assert len(unknown_names(column(*texts[:3]), codes[:3], "offer", ["mail"], "log", "a known offer")) == 3
    assert unknown_names(column("mail"), np.array([0]), "offer", ["mail"], "log", "a known offer") == []
    exactly = unknown_names(column(*texts[:shown]), codes[:shown], "offer", ["mail"], "log", "a known offer")
    assert len(exactly) == shown
    assert "more values" not in str(exactly[-1])


def test_an_action_that_is_not_there_is_named_with_all_its_parts():
    frame = a_log().to_frame().drop(columns="action")
    frame.loc[2, "creative"] = "video"  # gift@sms comes as a text only
    with pytest.raises(DataError, match="gift@sms/video/noon") as wrong:
        DecisionLog.from_frame(frame, catalog=FULLY, features=a_log().context.schema)
    assert "row 2" in str(wrong.value)


def problems_of(**actions):
    frame = a_log().to_frame()
    for row, action in actions.items():
        frame.loc[int(row[3:]), "action"] = action
    with pytest.raises(DataError) as wrong:
        DecisionLog.from_frame(frame, catalog=FULLY, features=a_log().context.schema)
    return [(p.where.partition(" row")[2].strip("s "), p.allowed) for p in wrong.value.problems]


def test_an_action_that_disagrees_with_its_parts_is_named_for_each_of_them():
    """mail@email is mail@sms but for its channel; an id that there is not disagrees with nothing."""
    assert problems_of(row1=3, row3=9) == [("1", "an action with the channel of its row")]
    assert problems_of(row1=2) == [
        ("1", f"an action with the {name} of its row") for name in ("offer", "channel", "creative")
    ]
    assert problems_of(row1=0) == [
        ("1", f"an action with the {name} of its row") for name in ("offer", "channel", "creative", "slot")
    ]
    assert problems_of(row1=4, row2=-1, row0=9) == [("0, 1, 2", "an action id from 0 to 3")]


def test_rows_that_come_again():
    customer, step = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 0, 1, 0])
    assert repeated(customer, step).tolist() == [False, False, True, False, True]
    assert repeated(customer[:1], step[:1]).tolist() == [False]
    assert repeated(customer[:0], step[:0]).tolist() == []


# ---- whom a policy learned from


def keys_of(*numbers):
    return np.array(numbers, dtype=np.uint64)


def test_a_sketch_reads_back_and_damage_is_noticed():
    whole = CustomerSketch(keys_of(1, 5, 9), True, 12)
    text = whole.to_dict()
    assert text == {"least": f"{1:016x}{5:016x}{9:016x}", "complete": True, "closed": 12}
    back = CustomerSketch.from_dict(text, "bundle")
    assert (back.least.tolist(), back.complete, back.closed) == ([1, 5, 9], True, 12)
    full = CustomerSketch(np.arange(KEPT, dtype=np.uint64), False, 3)
    for complete in (True, False):  # as many as are kept: all of them, or the least of more
        assert len(CustomerSketch.from_dict({**full.to_dict(), "complete": complete}, "bundle").least) == KEPT
    bad = [
        {"least": f"{1:016x}{9:016x}{5:016x}"},
        {"least": f"{1:016x}{5:016x}{5:016x}"},
        {"least": "xyz"},
        {"complete": 1},
        {"complete": False},  # fewer than are kept are all of them
        {"closed": 1.5},
        {"closed": True},
        {"least": "".join(f"{i:016x}" for i in range(KEPT + 1))},
        {"least": "".join(f"{i:016x}" for i in range(KEPT + 1)), "complete": False},
    ]
    for change in bad:
        with pytest.raises(ArtifactError, match="damaged"):
            CustomerSketch.from_dict({**text, **change}, "bundle")
    for none in (None, [], {"least": ""}):
        with pytest.raises(ArtifactError):
            CustomerSketch.from_dict(none, "bundle")


def test_a_sketch_keeps_the_least_keys_and_knows_whether_they_are_all():
    few, many = sketch_of(a_log(2 * KEPT)), sketch_of(a_log(2 * KEPT + 2))
    assert (len(few.least), few.complete) == (KEPT, True)
    assert (len(many.least), many.complete) == (KEPT, False)
    assert (np.diff(many.least.astype(float)) > 0).all()
    assert many.share_of(a_log(2 * KEPT + 2)) == 1.0
    log = a_log(8, meta={"policy_id": "u", "outcome_days": 5})
    assert sketch_of(log).closed == 4 + 5
    assert sketch_of(replace(log, matured=np.array([False, True] * 4))).closed == 9
    assert (
        sketch_of(replace(log, matured=np.arange(8) < 2)).least.tolist()
        == sketch_of(log.take(slice(0, 2))).least.tolist()
    )
    assert sketch_of(replace(log, matured=np.zeros(8, dtype=bool))).closed == 5


def test_sketches_joined_are_the_sketch_of_all():
    whole = a_log(2000)
    first, second = whole.take(slice(0, 1200)), whole.take(slice(800, 2000))
    both = sketch_of(first).joined(sketch_of(second))
    assert both.least.tolist() == sketch_of(whole).least.tolist()
    assert (both.complete, both.closed) == (False, 4)
    small = sketch_of(whole.take(slice(0, 6))).joined(sketch_of(whole.take(slice(4, 10))))
    assert (len(small.least), small.complete) == (5, True)
    assert small.least.tolist() == sketch_of(whole.take(slice(0, 10))).least.tolist()
    late = sketch_of(whole)._replace(closed=9)
    assert (late.joined(sketch_of(whole)).closed, sketch_of(whole).joined(late).closed) == (9, 9)


# ---- contexts of a foreign log


def test_a_category_may_have_a_thousand_levels_and_no_more():
    table = pa.table({"x": [f"l{i:04}" for i in range(1000)] + ["", "l0000"]})
    feature, values = category_feature(table, "x", "log")
    assert (len(feature.levels), values.problems) == (1000, [])
    assert values.values[[0, 999, 1000, 1001]].tolist() == [0, 999, -1, 0]
    feature, values = category_feature(pa.table({"x": [f"l{i:04}" for i in range(1001)]}), "x", "log")
    (problem,) = values.problems
    assert (problem.value, problem.allowed) == ("1001 levels", "a category of at most 1000 levels")
    assert len(feature.levels) == 1000
    assert category_feature(pa.table({"x": ["", ""]}), "x", "log")[0].levels == ("",)


def test_the_range_of_a_number_is_what_the_log_holds():
    part = ContextPart(numbers=("x",), log=("x",), units={"x": "days"})
    for cells, low, high, null in (
        ([3.0, 7.0, 5.0], 3.0, 7.0, False),
        ([3.0, 3.0], 3.0, 4.0, False),
        ([2.0, None], 2.0, 3.0, True),
        ([None, None], 0.0, 1.0, True),
        ([0.0, 9.0], 0.0, 9.0, False),
    ):
        feature, values = number_feature(pa.table({"x": pa.array(cells, pa.float64())}), "x", part, "log")
        assert (feature.low, feature.high, feature.nullable, feature.log) == (low, high, null, True)
        assert (feature.unit, values.problems) == ("days", [])
    feature, values = number_feature(pa.table({"x": [1.0, np.inf, -1.0]}), "x", part, "log")
    assert [p.where for p in values.problems] == ["log row 1", "log row 2"]
    assert not feature.log


def test_wildcards_stand_for_the_columns_in_the_order_of_the_file(tmp_path):
    present = ["f2", "f1", "g", "*"]
    part = expanded(ContextPart(numbers=("g", "f*"), categories=("*",)), present, tmp_path)
    assert (part.numbers, part.categories) == (("g", "f2", "f1"), ("*",))
    assert expanded(ContextPart(numbers=("f?", "missing")), present, tmp_path).numbers == ("f2", "f1", "missing")
    with pytest.raises(DataError, match="any column matches"):
        expanded(ContextPart(numbers=("h*",)), present, tmp_path)


# ---- customers


SCHEMA = FeatureSchema(
    (
        Feature(name="age", low=0, high=99, nullable=True),
        Feature(name="kind", levels=("app", "web")),
        Feature(name="consent_email", unit="yes/no", high=1.0),
        Feature(name="consent_sms", unit="yes/no", high=1.0),
        Feature(name="days_to_go", high=90.0),
    )
)
WINDOWS = [(None, 7), ("sms", 30)]


def people(**changes):
    columns = {
        "customer_id": ["a", "b", "c", "d"],
        "age": [0.0, 99.0, 99.5, np.nan],
        "kind": ["app", "", "tv", "web"],
        "consent_email": [1, 0, 1, 1],
        "consent_sms": [0, 0, 0.5, 1],
        "contacts_7d": [0, 3, np.nan, 1],
        "contacts_sms_30d": [0, 1, 2, 3],
    }
    return pd.DataFrame({**columns, **changes})


def test_customers_are_read_and_what_was_repaired_is_counted():
    found = read_customers(people(), SCHEMA, ["email", "sms"], WINDOWS)
    assert found.consent.tolist() == [[True, False, True, True], [False, False, False, True]]
    assert found.contacts[None, 7].tolist() == [0, 3, FULL, 1]
    assert found.contacts["sms", 30].tolist() == [0, 1, 2, 3]
    assert found.context.columns["kind"].tolist() == [0, -1, -1, 1]
    assert found.context.columns["days_to_go"].tolist() == [90.0] * 4
    assert found.suppressed is None
    assert found.notes == {
        "age: missing": 1,
        "age: outside 0 to 99, clipped": 1,
        "kind: level not known to the policy, taken as missing": 1,
    }
    assert FULL == 2**53
    assert [contact_column(w) for w in WINDOWS] == ["contacts_7d", "contacts_sms_30d"]
    some = found.take(np.array([3, 0]))
    assert (some.ids.tolist(), some.consent.tolist()) == (["d", "a"], [[True, True], [True, False]])
    assert some.contacts[None, 7].tolist() == [1, 0]
    frame = found.to_frame()
    assert frame["contacts_7d"].isna().tolist() == [False, False, True, False]
    assert list(frame.columns) == ["customer_id", *(f.name for f in SCHEMA.features), "contacts_7d", "contacts_sms_30d"]


@pytest.mark.parametrize(
    ("change", "rows", "field"),
    [
        ({"customer_id": ["a", "b", "a", "d"]}, "row 2", "customer_id"),
        ({"customer_id": ["a", "", "c", "d"]}, "row 1", "customer_id"),
        ({"customer_id": [1.0, 2.0, 2.0**53, 4.0]}, "row 2", "customer_id"),
        ({"contacts_7d": [0, -1, 2.5, 1]}, "rows 1, 2", "contacts_7d"),
        ({"age": [0, np.inf, 3, -np.inf]}, "rows 1, 3", "age"),
    ],
)
def test_bad_rows_of_customers_are_named(change, rows, field):
    with pytest.raises(DataError) as wrong:
        read_customers(people(**change), SCHEMA, ["email", "sms"], WINDOWS)
    (problem,) = wrong.value.problems
    assert (problem.where, problem.field) == (f"customers {rows}", field)


def test_the_largest_id_a_number_holds_exactly_is_one_below_two_to_the_53rd():
    ids = [1.0, 2.0, 2.0**53 - 1, 4.0]
    found = read_customers(people(customer_id=ids), SCHEMA, ["email", "sms"], WINDOWS)
    assert found.ids[2] == str(2**53 - 1)


def test_columns_that_are_missing_are_named_with_what_they_hold():
    with pytest.raises(DataError) as wrong:
        read_customers(people().drop(columns=["age", "kind", "consent_sms", "contacts_7d"]), SCHEMA, ["sms"], WINDOWS)
    fixes = {p.value: p.fix for p in wrong.value.problems}
    assert set(fixes) == {"age", "kind", "consent_sms", "contacts_7d"}
    assert "0 to 99" in fixes["age"]
    assert "one of app, web" in fixes["kind"]
    assert "1 or 0" in fixes["consent_sms"]


def test_a_table_and_a_list_bar_together():
    marked = people(suppressed=["yes", "no", "", "no"])
    found = read_customers(marked, SCHEMA, ["email", "sms"], WINDOWS, frozenset({"d"}))
    assert found.suppressed.tolist()[0] is True
    assert found.suppressed.tolist()[1] is False
    assert found.suppressed.tolist()[3] is True
    only = read_customers(people(), SCHEMA, ["email", "sms"], WINDOWS, frozenset({"d"}))
    assert only.suppressed.tolist() == [False, False, False, True]
    assert only.take(np.array([3])).suppressed.tolist() == [True]
    assert only.to_frame()["suppressed"].tolist() == [False, False, False, True]


def test_a_written_log_reads_back_with_all_its_dimensions(tmp_path):
    from campaignrl.tables.log.files import write_log
    from campaignrl.tables.logs import read_log

    log = a_log(eligible=np.ones((6, 4), dtype=bool), wave=np.arange(6))
    write_log(log, tmp_path / "log.parquet")
    table = pq.read_table(tmp_path / "log.parquet").drop_columns(["action"])
    pq.write_table(table, tmp_path / "parts.parquet")
    for name in ("log.parquet", "parts.parquet"):
        back = read_log(tmp_path / name)
        assert back.action.tolist() == log.action.tolist()
        assert back.eligible.tolist() == log.eligible.tolist()
        assert back.wave.tolist() == log.wave.tolist()
