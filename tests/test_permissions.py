"""One meaning of permission, from attributes, events and opt-out lists: as many reachable as said yes, and no more."""

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.cli import main as cli
from campaignrl.errors import DataError
from campaignrl.profiles.events.database import database
from campaignrl.profiles.events.permissions import permission_column, reach
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import load_intake_mapping, parse_intake_mapping
from campaignrl.profiles.store.build import build_profiles
from campaignrl.tables.files.yes_no import AGREED, NO, REFUSED, YES

HERE = Path(__file__).resolve().parents[1]
AS_OF = dt.datetime(2024, 7, 1)
DAY = AS_OF.date()
MEMBERS = {"name": "members", "file": "members.csv", "rows": "attributes", "customer": "id"}
TAGS = HERE / "experiments" / "first_profile" / "tags.toml"


ONE_TAG = """
[tags.orders]
level = "behaviour"
kind = "statistic"
of = "number of orders"

[tags.may_sms]
level = "basic"
kind = "statistic"
of = "consent"
channel = "sms"
"""


def words(kind, *rows):
    """Events (customer, day of June, channel) of one kind."""
    return pd.DataFrame(
        [{"customer_id": c, "ts": pd.Timestamp(2024, 6, day), "kind": kind, "channel": ch} for c, day, ch in rows],
        columns=["customer_id", "ts", "kind", "channel"],
    )


def may(attributes, events=None, channel="sms"):
    """customer -> 1 may, 0 may not, None no word."""
    events = words("order") if events is None else events
    with database(events, attributes, DAY) as connection:
        ids = np.array(sorted({*attributes["customer_id"], *events["customer_id"]}), dtype=object)
        column = permission_column(connection, channel, ids)
        (one,) = reach(connection, [channel], ids)
    assert one.reachable == (column == 1).sum()
    assert one.reachable + sum(one.refused.values()) + one.unknown == len(ids)
    return {name: None if np.isnan(value) else int(value) for name, value in zip(ids, column, strict=True)}


def about(**columns):
    n = max(len(values) for values in columns.values())
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], **columns})


def test_no_word_is_both_a_yes_and_a_no():
    assert not set(AGREED) & set(REFUSED)
    assert set(YES) < set(AGREED)
    assert set(NO) < set(REFUSED)
    assert all(word == word.lower().strip() for word in (*AGREED, *REFUSED))


@pytest.mark.parametrize("word", [*AGREED, " Yes ", "TRUE", "是 "])
def test_every_word_for_yes(word):
    assert may(about(consent_sms=[word])) == {"c0": 1}


@pytest.mark.parametrize("word", [*REFUSED, " No", "FALSE", "否 "])
def test_every_word_for_no(word):
    assert may(about(consent_sms=[word])) == {"c0": 0}


@pytest.mark.parametrize("cell", [None, "", " ", "N/A", "null"])
def test_what_is_not_said_is_unknown(cell):
    assert may(about(consent_sms=[cell, "yes"])) == {"c0": None, "c1": 1}


def test_truths_and_numbers_are_words_too():
    assert may(about(consent_sms=[True, False])) == {"c0": 1, "c1": 0}
    assert may(about(consent_sms=[1.0, 0.0, np.nan])) == {"c0": 1, "c1": 0, "c2": None}


def test_a_word_that_is_neither_is_refused_with_its_count():
    with pytest.raises(DataError) as wrong:
        may(about(consent_sms=["maybe", "yes", "maybe", "待确认"]))
    assert "attributes (2 rows): consent_sms = 'maybe'" in str(wrong.value)
    assert "attributes (1 rows): consent_sms = '待确认'" in str(wrong.value)


def test_a_consent_of_another_channel_is_none_of_this():
    assert may(about(consent_email=["yes"])) == {"c0": None}


@pytest.mark.parametrize(
    ("attribute", "at", "event", "day", "allowed"),
    [
        ("yes", None, "unsubscribed", 3, 0),  # a yes without a date is older than any other word
        ("no", None, "subscribed", 30, 0),  # a no without a date is newer
        ("yes", "2024-06-10", "unsubscribed", 3, 1),
        ("yes", "2024-06-10", "unsubscribed", 20, 0),
        ("no", "2024-06-10", "subscribed", 20, 1),
        ("no", "2024-06-10", "subscribed", 3, 0),
        ("yes", "2024-06-10", "unsubscribed", 10, 0),  # at the same moment the no counts
        ("no", "2024-06-10", "subscribed", 10, 0),
        ("yes", "2024-07-02", "unsubscribed", 3, 0),  # a yes of tomorrow is not known yet
        ("no", "2024-07-02", "subscribed", 3, 0),  # a no is
    ],
)
def test_the_newest_word_counts(attribute, at, event, day, allowed):
    table = about(consent_sms=[attribute], consent_sms_at=[at])
    assert may(table, words(event, ("c0", day, "sms"))) == {"c0": allowed}


def test_an_opt_out_list_is_a_no_and_its_absence_no_yes():
    table = about(consent_sms=["yes", "yes", None], optout_sms=["yes", None, None])
    assert may(table) == {"c0": 0, "c1": 1, "c2": None}
    assert may(about(consent_sms=["yes"], optout=[True])) == {"c0": 0}
    assert may(about(optout_sms=["no"])) == {"c0": None}


def test_who_withdraws_without_naming_a_channel_withdraws_from_all():
    both = pd.concat([words("subscribed", ("a", 1, "sms"), ("b", 1, "sms")), words("unsubscribed", ("a", 2, None))])
    assert may(about(joined=["x"]), both) == {"a": 0, "b": 1, "c0": None}


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["yes", "no"]),
            st.one_of(st.none(), st.integers(1, 30)),
            st.sampled_from(["attribute", "event", "list"]),
        ),
        max_size=6,
    )
)
def test_by_brute_force(said):
    """One customer, any words: the newest by the written rule."""
    table, events, best = {"customer_id": ["c"]}, [], None
    for word, day, way in said:
        if way == "event":
            day = day or 1
            events.append(words("subscribed" if word == "yes" else "unsubscribed", ("c", day, "sms")))
        elif f"{way}" in table:
            continue
        else:
            table[way] = [word]
            name = "consent_sms" if way == "attribute" else "optout_sms"
            word = word if way == "attribute" else "no"
            table[name], table[f"{name}_at"] = (
                [word if way == "attribute" else "yes"],
                [None if day is None else f"2024-06-{day:02d}"],
            )
        age = day if day is not None else (0 if word == "yes" else 99)
        key = (age, word == "no")
        best = key if best is None else max(best, key)
    expected = None if best is None else int(not best[1])
    frame = pd.concat(events) if events else words("order", ("c", 1, None))
    table = {k: v for k, v in table.items() if k not in ("attribute", "list")}
    assert may(pd.DataFrame(table), frame) == {"c": expected}


def taken(folder, text, *more, **attributes):
    (folder / "members.csv").write_text(text, encoding="utf-8")
    source = {**MEMBERS, "attributes": attributes}
    return intake(parse_intake_mapping({"source": [source, *more]}), folder, folder / "out", AS_OF)


def test_chinese_columns_are_consents_without_being_told_so(tmp_path):
    result = taken(
        tmp_path,
        "id,短信授权,授权日期\n1,是,2024-05-01\n2,否,\n3,,\n4,不清楚,\n5,已退订,2024-06-01\n",
        consent_sms="短信授权",
        consent_sms_at="授权日期",
    )
    known = result.attributes.set_index("customer_id")
    assert known["consent_sms"].astype(object).where(known["consent_sms"].notna(), None).to_dict() == {
        "1": True, "2": False, "3": None, "5": False,
    }  # fmt: skip
    assert result.rejects[["row", "field", "value", "reason"]].to_numpy().tolist() == [
        [4, "consent_sms", "不清楚", "not yes or no"]
    ]
    assert str(known["consent_sms_at"]["1"])[:10] == "2024-05-01"
    assert result.counts["members"].kept == 4


def test_of_two_rows_about_one_customer_the_newest_word_counts_and_an_open_one_is_a_no(tmp_path):
    text = "id,sms,since\na,yes,\na,no,\nb,no,2024-01-01\nb,yes,2024-02-01\nc,yes,2024-02-01\nc,no,2024-02-01\n"
    result = taken(tmp_path, text, consent_sms="sms", consent_sms_at="since")
    known = result.attributes.set_index("customer_id")["consent_sms"]
    assert known.to_dict() == {"a": False, "b": True, "c": False}
    assert result.counts["members"].duplicates == 3


def test_an_opt_out_list_is_a_source_of_its_own(tmp_path):
    (tmp_path / "stop.csv").write_text("id,since\n1,2024-06-01\n1,2024-06-02\n9,\n", encoding="utf-8")
    stop = {"name": "stop", "file": "stop.csv", "rows": "optouts", "customer": "id", "channel": "sms", "ts": "since"}
    result = taken(tmp_path, "id,sms\n1,yes\n2,yes\n", stop, consent_sms="sms")
    assert may(result.attributes) == {"1": 0, "2": 1, "9": 0}
    assert result.counts["stop"].duplicates == 1
    everywhere = {k: v for k, v in stop.items() if k not in ("channel", "ts")}
    result = taken(tmp_path, "id,sms\n1,yes\n2,yes\n", everywhere, consent_sms="sms")
    assert may(result.attributes) == {"1": 0, "2": 1, "9": 0}


def test_the_tea_shop_reaches_as_many_as_said_yes(monkeypatch, capsys, tmp_path):
    shop = HERE / "experiments" / "first_profile" / "shop.toml"
    words = ["profile", "build", shop, "-t", TAGS, "--world", "ecommerce", "-o", tmp_path / "tea"]
    monkeypatch.setattr(sys, "argv", ["campaignrl", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    said = capsys.readouterr().err
    assert "reachable of 4: push 0 (not: 4 no word)" in said
    assert "email 3 (not: 1 said no)" in said
    assert "currency = 'GBP' is not CNY" in said  # said, not refused: `today` refuses to decide by it
    made = pd.read_parquet(tmp_path / "tea" / "profiles.parquet").set_index("customer_id")
    assert made["consent_email"].to_dict() == {"007": 1.0, "1e5": 0.0, "8": 1.0, "😀": 1.0}
    assert made["consent_sms"].isna().all()  # nobody said a word about it


def test_cdnow_with_consents_in_an_attribute_reaches_as_many_as_said_yes(shared_data, tmp_path):
    mapping = load_intake_mapping(HERE / "experiments" / "mappings" / "cdnow.toml")
    lines = (shared_data / "cdnow" / "CDNOW_sample.txt").read_text().splitlines()
    ids = sorted({line.split()[1] for line in lines})
    said = ["是" if int(one) % 3 else "否" for one in ids]
    rows = "".join(f"{one},{word}\n" for one, word in zip(ids, said, strict=True))
    (tmp_path / "members.csv").write_text("id,短信授权\n" + rows, encoding="utf-8")
    members = {**MEMBERS, "attributes": {"consent_sms": "短信授权"}}
    tables = {**mapping.model_dump(exclude_unset=True), "source": [
        *(one.model_dump(exclude_unset=True) for one in mapping.source), members,
    ]}  # fmt: skip
    tables.pop("where", None)
    files = {"purchases": shared_data / "cdnow" / "CDNOW_sample.txt", "members": tmp_path / "members.csv"}
    result = intake(parse_intake_mapping(tables), files, tmp_path / "out", dt.datetime(1998, 7, 1))
    (tmp_path / "tags.toml").write_text(ONE_TAG, encoding="utf-8")
    made = build_profiles(result.events_path, result.attributes, tmp_path / "tags.toml", dt.date(1998, 7, 1))
    assert made.frame["may_sms"].sum() == said.count("是")
    facts = made.facts["permissions"]["sms"]
    assert facts["customers"] == 2357
    assert facts["reachable"] == said.count("是")
    assert facts["refused"] == {"said no": said.count("否")}
