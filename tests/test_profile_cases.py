"""The exports that once went wrong, each with the right table and the right counts; read where they lie beside ours.

The rows of the list in shared/cases/README.md and where each is a test:

first_profile             test_permissions.py: the tea shop reaches as many as said yes
v1, v2; um1, um2          an overlapping export counts nothing twice and a linked device is its member
z, t, gbk, utf8, xlsx     an export becomes the table it means, and says why a row is refused
id                        five spellings of a phone number are one customer
ja, j                     an export becomes the table it means; items of a JSON array are rows of their own
shopify, woo, dst,        an export becomes the table it means; hours that the clock has twice or skips are counted
  dayfirst
dates_only                dates alone are no spend, no discount and no hour
members_gbk               members of unknown encoding are found and their consents read
const, zero, heavy        value to come is finite and near what customers pay
nan_rate, nan_rate2       test_profile_known.py: an ordinary shop gets finite forecasts that add up
gg_rate                   test_profile_known.py: values of customers are finite whatever the prices
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.profiles.store import build_folder, build_profiles, update_from_exports
from campaignrl.profiles.tags import TagSet

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside this checkout")
PROFILES, CLV = CASES / "profiles", CASES / "clv"
LATER, KEY = dt.datetime(2030, 1, 1), b"k" * 32

# mapping -> (rows, taken, rejected, repeated, joined), and what was taken: customer, moment, amount.
CHINESE = [
    ("0008", "2024-01-06 09:00", 123.5), ("007", "2024-01-05 14:03", 1234.5), ("10", "2024-01-05", 1000.0),
    ("11", "2024-01-08", 99.0), ("12", "2024-01-09 08:00", 50.0), ("13", "2024-01-09", 12.5), ("9", "2024-01-07", 88.0),
]  # fmt: skip
TAKEN = {
    "z": ((10, 8, 2, 0, 0), [
        ("1", "2024-01-05 16:00", 5.0), ("10", "2024-01-05 08:00", 5.0), ("2", "2024-01-05", 5.0),
        ("3", "2024-01-05", 5.0), ("4", "2024-01-05", 5.0), ("6", "2024-01-05 08:00", 5.0),
        ("7", "2024-01-05 20:00", 5.0), ("8", "2024-01-05 15:05", 5.0),
    ]),
    "t": ((10, 9, 1, 0, 0), [
        ("1", "2024-01-05", 1234.5), ("2", "2024-01-05", 1234.5), ("3", "2024-01-05", 5.0),
        ("4", "2024-01-05 08:00", 5.0), ("5", "2024-01-05", 5.0), ("6", "2024-01-05", 5.0),
        ("7", "2024-01-05", 5.0), ("8", "2024-01-05", 5.0),
        ("9", "2024-01-05 16:00", 5.0),
    ]),
    "gbk": ((9, 7, 1, 1, 0), CHINESE),
    "utf8": ((9, 7, 1, 1, 0), CHINESE),
    "xlsx": ((9, 7, 1, 1, 0), CHINESE),
    "ja": ((1, 1, 0, 0, 0), [("u1", "2024-01-05", 12.5)]),
    "j": ((6, 3, 3, 0, 0), [("7", "2024-01-05", 1.0), ("u1", "2024-01-05", 12.5), ("u1", "2024-01-05 00:01:40", None)]),
    "shopify": ((5, 3, 1, 0, 1), [
        ("Ann@Example.org", "2024-03-10 04:30", 30.0), ("ann@example.org", "2024-03-10 07:30", 20.0),
        ("bob@example.org", "2024-03-11 13:00", 1234.5),
    ]),
    "woo": ((3, 2, 1, 0, 0), [("Müller", "2024-11-03 10:00", 1234.5), ("Müller", "2024-11-04 10:00", 12.5)]),
    "dayfirst": ((5, 0, 5, 0, 0), []),
}  # fmt: skip
EITHER, DAY = "whether day or month comes first", "that the day comes first"
REFUSED = {
    "z": ["initials that several time zones have: write the offset, or zone in ts", "not a time between 1900 and 2200"],
    "t": ['not said whether day or month comes first: write ts = { column = "...", format = "%d/%m/%Y" }'],
    **{name: ["duplicate of row 6", "a test account, by the rule"] for name in ("gbk", "utf8", "xlsx")},
    "j": ["not a time between 1900 and 2200", "not given", "not one JSON object a line"],
    "woo": ["not a time between 1900 and 2200"],
    "dayfirst": [
        f'not said {what}: write ts = {{ column = "...", format = "%d/%m/%Y" }}'
        for what in [EITHER, DAY, DAY, EITHER, DAY]
    ],
    "shopify": ["no customer id"],
}


def taken(name, folder, mapping=None, home=PROFILES, **more):
    return intake(mapping or home / f"{name}.toml", home, folder, LATER, key=KEY, **more)


@pytest.mark.parametrize("name", TAKEN)
def test_an_export_becomes_the_table_it_means(tmp_path, name):
    result = taken(name, tmp_path / "out")
    (counts,) = result.counts.values()
    events = result.events
    rows = list(
        zip(events["customer_id"], events["ts"], events["amount"].where(events["amount"].notna(), None), strict=True)
    )
    wanted, expected = TAKEN[name]
    assert tuple(counts) == wanted
    assert sorted((c, t) for c, t, _ in rows) == sorted((c, pd.Timestamp(t)) for c, t, _ in expected)
    paid = {(c, pd.Timestamp(t)): a for c, t, a in expected}
    assert all(a == paid[c, t] or (paid[c, t] is None and pd.isna(a)) for c, t, a in rows)
    if name in REFUSED:
        assert result.rejects["reason"].tolist() == REFUSED[name]


def test_five_spellings_of_a_phone_number_are_one_customer(tmp_path):
    events = taken("id", tmp_path / "out").events
    assert sorted(events.groupby("customer_id").size()) == [1, 5]
    assert events.groupby("customer_id")["amount"].sum().tolist() == [150.0, 60.0]


def test_items_of_a_json_array_are_rows_of_their_own(tmp_path):
    source = {
        "name": "j", "file": "ev.json", "customer": "uid", "kind": "order", "each": "props.items",
        "ts": {"column": "time", "unit": "milliseconds"}, "category": "props.items.cat",
        "rules": {"missing": {"amount": "drop_field"}},
    }  # fmt: skip
    mapping = parse_intake_mapping({"source": [{**source, "amount": "props.amount"}]})
    assert sorted(taken("", tmp_path / "out", mapping).events["category"]) == ["cup", "tea"]


def test_hours_that_the_clock_has_twice_or_skips_are_counted(tmp_path):
    result = taken("dst", tmp_path / "out")
    assert result.quality["sources"][0]["repairs"] == {
        "ts: an hour that the clock skips, moved on": 1,
        "ts: an hour that the clock has twice, taken as the later": 1,
    }


TAGS = TagSet(name="t", tags={
    "orders": {"level": "behaviour", "kind": "statistic", "of": "number of orders"},
    "spend": {"level": "value", "kind": "statistic", "of": "spend"},
})  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("v1", "v2", {"x": (3, 67.0)}), ("um1", "um2", {"m1": (5, 76.0)})],
)
def test_an_overlapping_export_counts_nothing_twice_and_a_linked_device_is_its_member(
    tmp_path, first, second, expected
):
    home = tmp_path / "home"
    result = taken(first, home, keep=True)
    build_folder(home, result.events_path, home / "attributes.parquet", TAGS)
    _, update = update_from_exports(home, PROFILES / f"{second}.toml", PROFILES)
    made = update.profiles.frame
    assert {c: (o, s) for c, o, s in zip(made["customer_id"], made["orders"], made["spend"], strict=True)} == expected


def test_dates_alone_are_no_spend_no_discount_and_no_hour(tmp_path):
    home = PROFILES / "dates_only"
    frame = build_profiles(taken("m", tmp_path / "out", home=home).events_path, None, "shop").frame
    for name in ("spend", "price_sensitivity", "active_hours", "discount_share", "contacts_30d"):
        assert frame[name].isna().all(), name
    assert frame["orders"].sum() == len(pd.read_csv(home / "visits_only_dates.csv"))


def test_members_of_unknown_encoding_are_found_and_their_consents_read(tmp_path):
    consents = {
        f"consent_{ours}": theirs for ours, theirs in (("sms", "短信授权"), ("email", "邮件授权"), ("push", "推送授权"))
    }
    source = {
        "name": "m",
        "file": "members_gbk.csv",
        "rows": "attributes",
        "customer": "客户编号",
        "attributes": consents,
    }
    result = taken("", tmp_path / "out", parse_intake_mapping({"source": [source]}))
    with open(PROFILES / "members_gbk.csv", encoding="gb18030") as file:
        raw = pd.read_csv(file)
    about = result.attributes.set_index("customer_id")
    assert len(about) == len(raw) == 1_500
    assert result.quality["sources"][0]["files"][0]["encoding_found"] == "gb18030"
    for ours, theirs in consents.items():
        assert int((about[ours] == True).sum()) == int((raw[theirs] == "是").sum())  # noqa: E712 - cells are objects


@pytest.mark.parametrize("name", ["const", "zero", "heavy"])
def test_value_to_come_is_finite_and_near_what_customers_pay(tmp_path, name):
    made = build_profiles(taken(name, tmp_path / "out", home=CLV).events_path, None, CLV / "tags.toml")
    frame = made.frame[made.frame["orders"] > 0]
    assert np.isfinite(frame["expected_orders"]).all()
    assert np.isfinite(frame["clv"]).all()
    if name == "const":
        assert frame["expected_orders"].mean() == pytest.approx(0.57, abs=0.06)
    assert 0 < frame["clv"].mean() < 20 * frame["basket"].mean()
