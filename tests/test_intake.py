"""Intake: rows in = kept + refused + duplicates + lines of orders; cells mean what the mapping says; ids are text."""

import datetime as dt
import json
import math

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaignrl.errors import SpecError
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.tables.files.whole_files import write_frame

AS_OF = dt.datetime(2024, 7, 1)
ORDERS = {"name": "orders", "file": "orders.csv", "customer": "id", "kind": "order", "ts": "ts", "amount": "amount"}


def take(folder, *sources, as_of=AS_OF, **top):
    """Intake of some sources; the law is checked every time."""
    mapping = parse_intake_mapping({**top, "source": list(sources)})
    result = intake(mapping, folder, folder / "out", as_of)
    for counts in result.counts.values():
        assert counts.rows == counts.kept + counts.rejected + counts.duplicates + counts.merged
    assert len(result.rejects) == sum(c.rejected + c.duplicates for c in result.counts.values())
    events = sum(c.kept for s, c in zip(sources, result.counts.values(), strict=True) if s.get("rows") is None)
    assert len(result.events) == events
    return result


def orders(folder, text, **changes):
    (folder / "orders.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return take(folder, {**ORDERS, **changes})


def reasons(result):
    return list(zip(result.rejects["row"], result.rejects["field"], result.rejects["reason"], strict=True))


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("12,50", 12.5),
        ("1.234,5", 1234.5),
        ("1.234", 1234.0),
        ("7", 7.0),
        ("0,1", 0.1),
        ("12.50", None),
        ("1,2,3", None),
    ],
)
def test_a_decimal_comma_is_read_where_the_mapping_says_so(tmp_path, cell, amount):
    (tmp_path / "orders.csv").write_text(f'id;ts;amount\na;2024-01-01;"{cell}"\nb;2024-01-01;1\n', encoding="utf-8")
    source = {**ORDERS, "separator": ";", "decimal": ","}
    result = intake(parse_intake_mapping({"source": [source]}), tmp_path, tmp_path / "out", AS_OF)
    assert result.events.set_index("customer_id").amount.get("a") == amount
    assert result.rejects["value"].tolist() == ([] if amount is not None else [cell])


def test_ids_stay_text_to_the_letter(tmp_path):
    ids = ["007", "1e5", "😀", "00000000000000000001234", "0x1F", "NA", "null", "-0", "=1+1", "张三", " x "]
    text = "id,ts,amount\n" + "".join(f"{i},2024-01-01,1\n" for i in ids)
    assert sorted(orders(tmp_path, text).events["customer_id"]) == sorted(ids)


def test_ids_of_number_columns_read_as_they_are_written(tmp_path):
    frame = pd.DataFrame({"id": [13085.0, 7.0, math.nan], "ts": ["2024-01-01"] * 3, "amount": [1.0, 2.0, 3.0]})
    write_frame(frame, tmp_path / "orders.parquet")
    result = take(tmp_path, {**ORDERS, "file": "orders.parquet"})
    assert result.events["customer_id"].tolist() == ["13085", "7"]
    assert reasons(result) == [(3, "id", "no customer id")]


def test_each_refused_row_stands_with_its_number_its_cell_and_why(tmp_path):
    text = (
        "id,ts,amount\n"
        "a,2024-01-01,5\n"
        ",2024-01-01,5\n"
        "b,,5\n"
        "b,yesterday,5\n"
        "b,2024-02-30,5\n"
        "b,2025-01-01,5\n"
        "b,2024-01-01,\n"
        "b,2024-01-01,NA\n"
        "b,2024-01-01,five\n"
        "b,2024-01-01,inf\n"
        "b,2024-01-01,1e300\n"
        "b,2024-01-01,-5\n"
    )
    result = orders(tmp_path, text)
    assert result.counts["orders"] == (12, 1, 11, 0, 0)
    number = "not a number that an amount can be"
    assert reasons(result) == [
        (2, "id", "no customer id"),
        (3, "ts", "no time"),
        (4, "ts", "not a time between 1900 and 2200"),
        (5, "ts", "not a time between 1900 and 2200"),
        (6, "ts", "in the future"),
        (7, "amount", "not given"),
        (8, "amount", "not given"),
        (9, "amount", number),
        (10, "amount", number),
        (11, "amount", number),
        (12, "amount", "below 0"),
    ]
    assert result.rejects["value"].tolist()[2] == "yesterday"
    assert result.rejects["value"].tolist()[7] == "five"


def test_rules_for_the_future_the_missing_and_the_unreadable(tmp_path):
    text = "id,ts,amount,v\na,2025-01-01,5,x\na,2024-01-01,,2\na,1999-01-01,1,3\n"
    rules = {
        "future": "keep",
        "missing": {"amount": {"fill": 9.5}},
        "unreadable": "drop_field",
        "earliest": dt.date(2000, 1, 1),
    }
    result = orders(tmp_path, text, value="v", rules=rules)
    assert result.events["amount"].tolist() == [9.5, 5.0]
    assert result.events["value"].isna().tolist() == [False, True]
    assert reasons(result) == [(3, "ts", "before 2000-01-01")]
    assert result.quality["sources"][0]["repairs"] == {"amount: filled": 1, "value: unreadable, dropped": 1}


@pytest.mark.parametrize(
    ("rule", "kinds", "amounts", "refused"),
    [
        ("reject", ["order", "refund"], [5.0, 2.0], 1),
        ("refund", ["order", "refund", "refund"], [5.0, 3.0, 2.0], 0),
        ("absolute", ["order", "order", "refund"], [5.0, 3.0, 2.0], 0),
    ],
)
def test_negative_amounts(tmp_path, rule, kinds, amounts, refused):
    text = "id,ts,amount,what\na,2024-01-01,5,order\na,2024-01-02,-3,order\na,2024-01-03,-2,refund\n"
    result = orders(tmp_path, text, kind={"column": "what"}, rules={"negative": rule})
    assert result.events["kind"].tolist() == kinds
    assert result.events["amount"].tolist() == amounts
    assert result.counts["orders"].rejected == refused


def test_other_currencies_need_a_rate(tmp_path):
    text = "id,ts,amount,cur\na,2024-01-01,10,CNY\na,2024-01-02,10,USD\na,2024-01-03,10,EUR\na,2024-01-04,10,\n"
    (tmp_path / "orders.csv").write_text(text)
    source = {**ORDERS, "currency": "cur"}
    result = take(tmp_path, source, currency={"to": "CNY"})
    assert result.events["amount"].tolist() == [10.0]
    assert result.rejects["value"].tolist()[:2] == ["USD", "EUR"]
    result = take(tmp_path, source, currency={"to": "CNY", "rates": {"USD": 7.5}})
    assert result.events["amount"].tolist() == [10.0, 75.0]
    assert result.quality["sources"][0]["repairs"]["converted to CNY"] == 1
    with pytest.raises(SpecError, match=r"given without \[currency\] to"):
        take(tmp_path, source)


@pytest.mark.parametrize(
    ("rule", "amounts", "repairs"),
    [
        ({"rule": "reject", "low": 1, "high": 100}, [5.0, 6.0], {}),
        ({"rule": "clip", "low": 1, "high": 100}, [5.0, 6.0, 100.0, 1.0], {"amount: outlier, clipped": 2}),
        ({"rule": "keep", "high": 100}, [5.0, 6.0, 1000.0, 0.5], {"amount: outlier, kept": 1}),
        # median 5.5, MAD 2.75: 3 * 1.4826 * 2.75 = 12.2
        ({"rule": "reject", "robust_z": 3.0}, [5.0, 6.0, 0.5], {}),
    ],
)
def test_outliers(tmp_path, rule, amounts, repairs):
    text = "id,ts,amount\na,2024-01-01,5\na,2024-01-02,6\na,2024-01-03,1000\na,2024-01-04,0.5\n"
    result = orders(tmp_path, text, rules={"outliers": {"amount": rule}})
    assert result.events["amount"].tolist() == amounts
    assert result.quality["sources"][0]["repairs"] == repairs
    assert result.counts["orders"].rejected == 4 - len(amounts)


@pytest.mark.parametrize(
    ("rules", "amounts", "said"),
    [
        ({}, [1.0, 1.0, 2.0], [(3, "duplicate of row 1")]),
        ({"duplicates": "keep"}, [1.0, 1.0, 1.0, 2.0], []),
        ({"duplicates": ["no"]}, [1.0, 1.0], [(3, "duplicate of row 1"), (4, "duplicate of row 1")]),
        ({"duplicates": ["no"], "keep": "last"}, [1.0, 2.0], [(1, "duplicate of row 4"), (3, "duplicate of row 4")]),
    ],
)
def test_duplicates(tmp_path, rules, amounts, said):
    text = "id,no,ts,amount\na,7,2024-01-01,1\na,,2024-01-01,1\na,7,2024-01-01,1\na,7,2024-01-01,2\n"
    result = orders(tmp_path, text, rules=rules)
    assert result.events["amount"].tolist() == amounts
    assert list(zip(result.rejects["row"], result.rejects["reason"], strict=True)) == said


def test_a_refused_row_makes_no_duplicate(tmp_path):
    text = "id,no,ts,amount\na,7,2024-01-01,x\na,7,2024-01-01,1\n"
    result = orders(tmp_path, text, rules={"duplicates": ["no"]})
    assert result.counts["orders"] == (2, 1, 1, 0, 0)


def test_lines_of_an_order_become_one_event(tmp_path):
    text = (
        "id,no,ts,amount,what\n"
        "a,7,2024-01-01 10:00,0.1,tea\n"
        "a,7,2024-01-01 09:59,0.2,cup\n"
        "b,7,2024-01-01,1,tea\n"
        "a,8,2024-01-02,1,tea\n"
        "a,,2024-01-03,1,tea\n"
        "a,,2024-01-04,1,tea\n"
    )
    result = orders(tmp_path, text, category="what", rules={"merge": "no"})
    assert result.counts["orders"] == (6, 5, 0, 0, 1)
    first = result.events.iloc[0]
    assert (first["amount"], first["ts"], first["category"]) == (0.3, pd.Timestamp("2024-01-01 09:59"), "cup")


@pytest.mark.parametrize(
    ("ts", "cell", "found"),
    [
        ("ts", "2024-01-01", "2024-01-01"),
        ("ts", "2024-01-01T08:00:00.000001", "2024-01-01 08:00:00.000001"),
        ("ts", "2024-01-01T08:00:00+08:00", "2024-01-01"),
        ("ts", "2024-01-01 00:00:00Z", "2024-01-01"),
        ("ts", "2023-12-31 19:00-05:00", "2024-01-01"),
        ({"column": "ts", "zone": "Asia/Shanghai"}, "2024-01-01 08:00", "2024-01-01"),
        ({"column": "ts", "zone": "Asia/Shanghai"}, "2024-01-01T08:00:00+00:00", "2024-01-01 08:00"),
        ({"column": "ts", "format": "%d.%m.%Y"}, "02.01.2024", "2024-01-02"),
        ({"column": "ts", "unit": "hours", "since": dt.date(2024, 1, 1)}, "36", "2024-01-02 12:00"),
        ({"column": "ts", "unit": "milliseconds"}, "1704067200001", "2024-01-01 00:00:00.001"),
    ],
)
def test_times(tmp_path, ts, cell, found):
    result = orders(tmp_path, f"id,ts,amount\na,{cell},1\n", ts=ts)
    assert result.events["ts"].tolist() == [pd.Timestamp(found)]


def test_kinds_by_value_by_pattern_and_left_out(tmp_path):
    text = "id,ts,amount,no\na,2024-01-01,1,489\na,2024-01-02,1,C12\na,2024-01-03,1,A5\na,2024-01-04,1,X\n"
    kind = {"column": "no", "patterns": {"C*": "refund", "4*": "order"}, "values": {"A5": "ignore"}}
    result = orders(tmp_path, text, kind=kind)
    assert result.events["kind"].tolist() == ["order", "refund"]
    assert reasons(result) == [
        (3, "kind", "left out by the mapping"),
        (4, "kind", "a kind of event that the mapping does not name"),
    ]


def test_json_lines_with_nested_values_and_a_lookup(tmp_path):
    lines = [
        {"who": "a", "t": 0, "what": "sent", "value": {"offer id": "o1"}},
        {"who": "a", "t": 6, "what": "opened", "value": {"offer_id": "o1"}},
        {"who": "007", "t": 12, "what": "order", "value": {"amount": 2.5}},
    ]
    broken = ['{"who": "a"', "[1, 2]", '"text"']
    (tmp_path / "log.jsonl").write_text("\n".join([*map(json.dumps, lines), *broken]))
    (tmp_path / "offers.csv").write_text("id,channel\no1,sms\n")
    offers = ["value.offer id", "value.offer_id"]
    source = {
        "name": "log",
        "file": "log.jsonl",
        "customer": "who",
        "kind": {"column": "what"},
        "ts": {"column": "t", "unit": "hours", "since": dt.date(2024, 1, 1)},
        "offer": offers,
        "channel": "channel",
        "amount": "value.amount",
        "lookup": [{"file": "offers.csv", "on": offers, "key": "id", "columns": {"channel": "channel"}}],
    }
    result = take(tmp_path, source)
    assert result.events["channel"].tolist()[1:] == ["sms", "sms"]
    assert result.events["amount"].tolist()[0] == 2.5
    assert [reason for _, _, reason in reasons(result)] == ["not one JSON object a line"] * 3


def test_cells_apart_by_blanks_without_a_header(tmp_path):
    (tmp_path / "old.txt").write_bytes(b" 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2\r\n")
    source = {
        **ORDERS,
        "file": "old.txt",
        "format": "blanks",
        "columns": ["all", "id", "day", "cds", "amount"],
        "ts": {"column": "day", "format": "%Y%m%d"},
    }
    result = take(tmp_path, source)
    assert result.events["customer_id"].tolist() == ["0001"]
    assert result.events["amount"].tolist() == [29.33]
    assert reasons(result) == [(2, "(row)", "not 5 cells apart by blanks")]


def test_attributes_keep_one_row_a_customer(tmp_path):
    (tmp_path / "people.csv").write_text(
        "id,age,joined,vip,plan\na,33,2020-01-05,yes,x\nb,118,,no,\na,34,2020-01-05,no,y\nc,ten,,no,z\nd,1.5,,maybe,z\n"
    )
    attributes = {
        "age": {"column": "age", "type": "whole", "missing": ["118"]},
        "joined": {"column": "joined", "type": "date"},
        "vip": {"column": "vip", "type": "truth"},
        "plan": "plan",
    }
    source = {"name": "people", "file": "people.csv", "rows": "attributes", "customer": "id", "attributes": attributes}
    result = take(tmp_path, source)
    assert result.attributes["customer_id"].tolist() == ["a", "b"]
    assert result.attributes["age"].tolist()[0] == 33
    assert math.isnan(result.attributes["age"].tolist()[1])
    assert result.attributes["vip"].tolist() == [True, False]
    assert result.attributes["joined"].tolist()[0] == dt.date(2020, 1, 5)
    assert [r for _, _, r in reasons(result)] == ["duplicate of row 1", "not a whole number", "not a whole number"]


def test_sources_meet_on_one_customer_and_shared_phones_are_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMPAIGNRL_HASH_KEY", "a key that nobody else has")
    (tmp_path / "shop.csv").write_text(
        "member,phone,ts,amount\nm1,+86 138-1,2024-01-01,1\nm2,,2024-01-01,2\n"
        "m3,861382,2024-01-01,3\nm2,861382,2024-01-02,4\n"
    )
    (tmp_path / "app.csv").write_text("device,member,ts\nd1,m1,2024-02-01\nd1,,2024-02-02\nd9,,2024-02-03\n")
    (tmp_path / "store.csv").write_text("phone,ts\n86 138 1,2024-03-01\n861382,2024-03-02\n")
    ids = {"order": ["member", "device", "phone"]}
    hashed = {"phone": "digits"}
    by_both = {"member": "member", "phone": "phone"}
    sources = [
        {
            "name": "shop",
            "file": "shop.csv",
            "ids": by_both,
            "kind": "order",
            "ts": "ts",
            "amount": "amount",
            "hash": hashed,
        },
        {
            "name": "app",
            "file": "app.csv",
            "ids": {"device": "device", "member": "member"},
            "kind": "visit",
            "ts": "ts",
        },
        {"name": "store", "file": "store.csv", "ids": {"phone": "phone"}, "kind": "visit", "ts": "ts", "hash": hashed},
    ]
    result = take(tmp_path, *sources, ids=ids)
    by_source = result.events.groupby("source")["customer_id"].agg(sorted)
    phone = result.links.loc[result.links["shared"], "id"].item()
    assert by_source["app"] == ["device:d9", "m1", "m1"]
    assert by_source["store"] == ["m1", f"phone:{phone}"]
    assert result.conflicts == 1
    assert result.quality["links"]["first"] == [{"kind": "phone", "id": phone, "members": "m2 | m3"}]
    merged = take(tmp_path, *sources, ids={**ids, "conflicts": "merge"})
    assert sorted(set(merged.events["customer_id"])) == ["device:d9", "m1", "m2"]
    assert merged.conflicts == 1


CELLS = {
    "id": st.sampled_from(["a", "007", "", "  ", "1e5"]),
    "ts": st.sampled_from(["2024-01-01", "2024-06-30 12:00", "2031-01-01", "", "soon"]),
    "amount": st.sampled_from(["1", "2.50", "-4", "", "abc", "nan", "1e99"]),
}


def expected(row):
    """The rules once more, in plain Python: None, or the field that the row is refused for."""
    if not row["id"].strip():
        return "id"
    if row["ts"] in ("", "soon"):
        return "ts"
    if row["amount"] in ("", "abc", "nan", "1e99", "-4"):
        return "amount"
    return "ts" if row["ts"] == "2031-01-01" else None  # the last, for it is only not yet


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries(CELLS), max_size=12))
def test_every_row_goes_where_the_rules_send_it(tmp_path, rows):
    text = "id,ts,amount\n" + "".join(f"{row['id']},{row['ts']},{row['amount']}\n" for row in rows)
    result = orders(tmp_path, text)
    refused = {i: expected(row) for i, row in enumerate(rows, 1) if expected(row)}
    good = [(row["id"], row["ts"], row["amount"]) for row in rows if not expected(row)]
    assert result.counts["orders"] == (len(rows), len(set(good)), len(refused), len(good) - len(set(good)), 0)
    fields = {row: field for row, field, reason in reasons(result) if not reason.startswith("duplicate")}
    assert fields == refused
    kept = sorted((i, float(a)) for i, _, a in set(good))
    assert sorted(zip(result.events["customer_id"], result.events["amount"], strict=True)) == kept
