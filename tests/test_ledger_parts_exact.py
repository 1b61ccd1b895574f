"""Parts of a ledger by hand: digests and entries byte by byte, words of the sending tool, whose an outcome is."""

import datetime
import hashlib
import struct
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaignrl.ledger import EPOCH, log_view
from campaignrl.ledger.chain import (
    CHAINED,
    FIRST,
    SHOWN,
    SIZE,
    digests_of,
    entry_of,
    head_of,
    linked,
    links_of,
    tampered,
)
from campaignrl.ledger.handovers import handed_over, not_sent, sent_after_all
from campaignrl.ledger.incoming import _digest, _unknown, _withdrawals
from campaignrl.ledger.log_view import LEAST, _of_policy, _windowed
from campaignrl.ledger.owners import with_customers

EMPTY = pa.table({name: pa.array([], pa.string()) for name in ("run_entry", "run_before", "chain", "chain_before")})
EMPTY = EMPTY.append_column("row_digest", pa.array([], pa.binary())).append_column("run_id", pa.array([], pa.string()))


def hashed(data):
    return hashlib.blake2b(data, digest_size=16)


def tables(**by_name):
    """A ledger that holds these frames."""

    def read(name, columns=None, *more, **where):
        found = pd.DataFrame(by_name[name])
        return pa.Table.from_pandas(found if columns is None else found[list(columns)], preserve_index=False)

    return SimpleNamespace(read=read)


# ---- the chain


def test_a_digest_is_of_the_salt_and_of_every_named_value_with_its_length():
    rows = pa.table(
        {
            "b": ["x", None, "yz"],
            "a": pa.array([7, None, -12], pa.int64()),
            "row_salt": pa.array([b"", b"", b""], pa.binary()),  # not its own
            "c": pa.array([[0, 12], None, []], pa.list_(pa.int64())),
            "d": pa.array([0.5, None, float("nan")]),
        }
    )
    bits = str(struct.unpack("<q", struct.pack("<d", 0.5))[0])
    texts = [f"a=1:7b=1:xc=4:0,12d={len(bits)}:{bits}", "", "a=3:-12b=2:yzc=0:"]
    found = digests_of(rows, [b"salt", b"s", None])
    assert found == [hashed(s + t.encode()).digest() for s, t in zip((b"salt", b"s", b""), texts, strict=True)]


def test_an_entry_is_of_the_entry_before_the_run_and_its_digests():
    assert entry_of("run", [b"2", b"1"], "before") == hashed(b"before\x1frun12").hexdigest()
    assert entry_of("run", [b"1"], "") == hashed(b"\x1frun1").hexdigest()
    assert entry_of(None, [None, b"1"], None) == hashed(b"\x1f1").hexdigest()
    assert entry_of("run", [], "a") != entry_of("run", [], "b")
    assert (FIRST, SIZE, SHOWN) == ("", 16, 5)


def test_a_link_has_salts_of_its_own_and_the_entry_before():
    rows = pa.table({"customer_id": ["a", "b"], "day": [1, 1], "chain": ["old", "old"]})
    found = linked(rows, "run", "before")
    salts, digests = found["row_salt"].to_pylist(), found["row_digest"].to_pylist()
    assert [len(salt) for salt in salts] == [SIZE, SIZE]
    assert salts[0] != salts[1]
    assert digests == digests_of(found, salts)
    assert set(found["chain"].to_pylist()) == {entry_of("run", digests, "before")}
    assert set(found["chain_before"].to_pylist()) == {"before"}
    assert found.column_names == ["customer_id", "day", *CHAINED]


def chain(*runs):
    """Rows of these runs, one after the other; (run, rows) each."""
    parts, before = [], FIRST
    for run, many in runs:
        rows = pa.table({"run_id": [run] * many, "customer_id": [f"c{i}" for i in range(many)], "day": [3] * many})
        parts.append(linked(rows, run, before))
        before = parts[-1]["chain"][0].as_py()
    return pa.concat_tables(parts), [part["chain"][0].as_py() for part in parts]


def test_the_head_is_what_nothing_follows():
    rows, entries = chain(("r1", 2), ("r2", 1), ("r3", 1))
    assert links_of(rows, EMPTY) == dict(zip(entries, ["", *entries], strict=False))
    assert head_of(rows, EMPTY) == entries[2]
    assert head_of(rows.slice(0, 0), EMPTY) == FIRST
    assert tampered(rows, EMPTY) == []
    assert tampered(rows, EMPTY, entries[0]) == []
    (lost,) = tampered(rows, EMPTY, "0123456789abcdef")
    assert lost == ("the head that was written down is not in the chain", 1, ("entry 0123456789ab",))
    (gap,) = tampered(rows.filter(pa.array([True, True, False, True])), EMPTY)
    assert gap == ("the entry before is gone", 1, (f"before entry {entries[2][:12]}",))
    fourth = pa.table({"run_id": ["r4"], "customer_id": ["c"], "day": [4]})
    again = linked(fourth, "r4", entries[1])
    (fork,) = tampered(pa.concat_tables([rows, again.select(rows.column_names)]), EMPTY)
    assert fork == ("two entries follow one", 1, (f"after {entries[1][:12]}",))
    other = linked(fourth, "r4", FIRST)
    (fork,) = tampered(pa.concat_tables([rows, other.select(rows.column_names)]), EMPTY)
    assert fork.where == ("after the first",)


def test_every_changed_row_is_counted_and_five_are_named():
    rows, _ = chain(("r1", 8))
    days = pa.array([9, 9, 9, 9, 9, 9, None, 3], pa.int64())
    edited = rows.set_column(rows.schema.get_field_index("day"), "day", days)
    (found,) = tampered(edited, EMPTY)
    assert found == ("a row is not as it was written", 7, tuple(f"c{i} on 1970-01-10" for i in range(5)))
    last = tampered(edited.slice(6), EMPTY)
    assert last[0] == ("a row is not as it was written", 1, ("c6 on a day that is not told",))
    assert last[1] == ("rows of a run were added, removed or changed", 1, ("run r1",))
    (lost,) = tampered(rows.drop_columns(["chain", "day"]), EMPTY)
    assert lost == ("columns of the decisions are gone", 2, ("chain", "day"))


def test_an_erasure_that_was_begun_is_said_and_a_complete_one_is_an_entry():
    rows, entries = chain(("r1", 3))
    going = rows.slice(1, 1)
    entry = entry_of("erasure", going["row_digest"].to_pylist(), entries[0])
    erasures = pa.table(
        {
            "run_id": ["r1"],
            "run_entry": entries,
            "run_before": [""],
            "row_digest": going["row_digest"],
            "chain": [entry],
            "chain_before": entries,
        }
    )
    assert tampered(rows.filter(pa.array([True, False, True])), erasures) == []
    assert head_of(rows, erasures) == entry
    begun = tampered(rows, erasures)
    assert begun[0] == ("an erasure was begun and not completed", 1, ("c1 on 1970-01-04",))
    (more,) = tampered(rows.filter(pa.array([True, False, False])), erasures)
    assert more == ("rows of a run were added, removed or changed", 1, ("run r1",))


# ---- words of the sending tool


def words(*rows):
    return tables(handovers=pd.DataFrame(rows, columns=["decision_id", "status", "day", "arrived"]))


def test_a_send_that_was_made_after_all_is_hidden_between_the_first_words():
    ledger = words(
        ("late", "refused", 1, 5),
        ("late", "withdrawn", 1, 9),
        ("late", "sent", 2, 7),
        ("late", "sent", 3, 11),
        ("same day", "expired", 1, 4),
        ("same day", "sent", 1, 4),
        ("sent first", "sent", 1, 3),
        ("sent first", "refused", 1, 5),
        ("never", "refused", 1, 5),
        ("at once", "sent", 1, 2),
    )
    found = sent_after_all(ledger).sort_values("decision_id").to_numpy().tolist()
    assert found == [["late", 5, 7], ["same day", 4, 4]]
    assert not_sent(ledger) == {"never"}


def test_a_word_of_an_earlier_version_arrived_on_its_own_day():
    rows = pd.DataFrame({"decision_id": ["a", "b"], "status": ["sent"] * 2, "day": [3, 4]})
    assert handed_over(tables(handovers=rows))["arrived"].tolist() == [3, 4]
    assert handed_over(tables(handovers=rows.assign(arrived=[np.nan, 9])))["arrived"].tolist() == [3, 9]


# ---- outcomes


def test_an_outcome_without_a_name_is_of_its_decision_s_customer():
    ledger = tables(decisions={"decision_id": ["d", "e", "d"], "customer_id": ["x", "y", "z"]})
    frame = pd.DataFrame({"customer_id": ["w", "", "", ""], "decision_id": ["d", "d", "e", "f"]})
    assert with_customers(ledger, frame)["customer_id"].tolist() == ["w", "x", "y", ""]
    assert frame["customer_id"].tolist() == ["w", "", "", ""]
    named = frame.iloc[:1]
    assert with_customers(ledger, named) is named
    assert with_customers(ledger, frame.iloc[1:2])["customer_id"].tolist() == ["x"]


def test_a_part_is_named_by_32_digits_of_its_rows():
    rows = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[5, 6])
    assert _digest(rows) == hashed(b"a,b\n1,x\n2,y\n").hexdigest()
    assert len(_digest(rows)) == 32


def test_unsubscribes_take_permissions_away():
    import datetime

    frame = pd.DataFrame(
        {
            "kind": ["unsubscribe", "unsubscribe", "unsubscribe", "order"],
            "customer_id": ["a", "b", "", "c"],
            "channel": ["sms", "", "sms", "sms"],
            "day": [7, 8, 9, 9],
        }
    )
    found = _withdrawals(frame, datetime.date(1970, 1, 11))
    assert found.to_numpy().tolist() == [
        ["a", "sms", False, 7, 10, "unsubscribe"],
        ["b", "*", False, 8, 10, "unsubscribe"],
    ]


def test_decisions_that_nobody_knows_are_counted():
    ledger, rows = tables(decisions={"decision_id": ["d"]}), pd.DataFrame({"decision_id": ["d", "", "e", "f"]})
    assert _unknown(ledger, "outcomes", rows) == 2
    assert _unknown(ledger, "permissions", rows) == 0
    assert _unknown(ledger, "outcomes", rows.iloc[:0]) == 0
    assert _unknown(SimpleNamespace(), "outcomes", rows.iloc[1:2]) == 0  # asks nothing of the ledger


# ---- the log


def test_a_policy_is_named_by_its_name_or_by_six_digits_of_its_hash():
    from campaignrl.errors import SupportError

    rows = pd.DataFrame({"policy_id": ["p", "p", "q"], "policy_hash": ["abcdef1", "abcdef1", "abcdxx9"]})
    ledger = SimpleNamespace(folder="led", runs=list)

    def named(policy, some=rows):
        return _of_policy(some, policy, ledger).index.tolist()

    assert LEAST == 6
    assert named("abcdef") == [0, 1]
    assert named("q") == [2]
    assert named(None, rows.iloc[:2]) == [0, 1]
    for policy, said in ((None, r"p \(abcdef1\), q \(abcdxx9\)"), ("abcde", "none"), ("x", "none")):
        with pytest.raises(SupportError, match=said):
            named(policy)
    with pytest.raises(SupportError, match="Name one by its hash"):
        named(None)
    with pytest.raises(SupportError, match="Decide first"):
        named(None, rows.iloc[:0])


def test_a_window_ends_before_its_last_day_and_is_of_the_customer_alone():
    daily = pd.DataFrame(
        {"customer_id": ["b", "a", "a", "nobody"], "day": [5, 7, 5, 5], "currency": [8.0, 2.0, 1.0, 99.0]}
    )
    customers, customer, day = np.array(["a", "b"], dtype=object), np.array([0, 0, 0, 1, 1]), np.array([5, 4, 6, 5, 6])
    assert _windowed(daily, customers, customer, day, 2).tolist() == [1.0, 1.0, 2.0, 8.0, 0.0]
    assert _windowed(daily, customers, customer, day, 3).tolist() == [3.0, 1.0, 2.0, 8.0, 0.0]


# ---- files beside a ledger


def test_an_id_with_a_space_is_one_id_among_those_of_a_cell(tmp_path):
    import re

    import pyarrow.parquet as pq

    from campaignrl.ledger.erase_files import _holds

    path = tmp_path / "links.parquet"
    pq.write_table(pa.table({"customer_id": ["anna b | carl", "dora"]}), path)
    names = ("anna b", "carl", "dora", "anna", "b", "|")
    assert [_holds(path, name, re.compile(re.escape(name).encode())) for name in names] == [True] * 3 + [False] * 3


def test_sums_of_customers_from_one_evening_to_the_next(monkeypatch):
    """Days 10 and 11 of three customers, one of whom had another name; two days around them do not count."""
    monkeypatch.setattr(log_view, "not_sent", lambda ledger: ["d4"])
    monkeypatch.setattr(log_view, "with_customers", lambda ledger, outcomes: outcomes)
    said = [
        ("a", 9, "order", 7_00), ("a", 10, "order", 5_00), ("a", 11, "refund", -1_50), ("b", 11, "unsubscribe", 0),
        ("b", 11, "unsubscribe", 0), ("a", 12, "order", 9_00), ("", 10, "order", 4_00), ("old c", 10, "order", 2_00),
    ]  # fmt: skip
    sent = [
        ("d1", "a", 9, 1, 40), ("d2", "a", 10, 1, 30), ("d3", "b", 11, 2, 20), ("d4", "b", 11, 2, 20),
        ("d5", "c", 11, 0, 0), ("d6", "c", 12, 1, 10), ("d7", "d", 11, 2, 60),
    ]  # fmt: skip
    ledger = tables(
        outcomes=pd.DataFrame(said, columns=["customer_id", "day", "kind", "margin"]),
        decisions=pd.DataFrame(sent, columns=["decision_id", "customer_id", "day", "action", "cost"]),
    )
    ledger.aliases = {"old c": "c"}
    world = SimpleNamespace(money=SimpleNamespace(minor_per_unit=100, unsubscribe=3.0))
    since, until = (EPOCH + datetime.timedelta(days=day) for day in (10, 12))
    found = log_view.customer_sums(ledger, world, since, until)
    assert list(found.columns) == list(log_view.SUMS)
    wanted = {  # margin, spend, unsubscribed
        "a": (3.5, 0.3, 0.0), "b": (0.0, 0.2, 2.0), "c": (2.0, 0.0, 0.0), "d": (0.0, 0.6, 0.0),
    }  # fmt: skip
    assert sorted(found.index) == sorted(wanted)
    for name, (margin, spend, left) in wanted.items():
        row = found.loc[name]
        assert (row["margin"], row["spend"], row["unsubscribed"]) == pytest.approx((margin, spend, left))
        assert row["value"] == pytest.approx(margin - spend - 3.0 * left)
