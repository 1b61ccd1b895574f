"""What of a ledger only damage and repetition show: runs written twice, words that disagree, files without rows."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ledger_exact import day, ledger, put, world  # noqa: F401

from campaignrl.errors import ArtifactError, DataError, SpecError, UsageError
from campaignrl.features import Feature, FeatureSchema
from campaignrl.ledger import EPOCH, Ledger, add, chain, erase, erase_in_files, incoming, still_found
from campaignrl.ledger.aliases import joined, names_of, read_aliases, renamed
from campaignrl.ledger.delta_tables import LedgerMoved, batches_of, count_rows, distinct_rows
from campaignrl.ledger.erase_files import _without_member
from campaignrl.ledger.log_view import _daily, decision_context
from campaignrl.ledger.mapping import ColumnMapping, mapped, read_column_mapping
from campaignrl.ledger.permissions import consent_on, in_order
from campaignrl.ledger.schemas import schema_of
from campaignrl.ledger.standing import Past, _pairs

# ---- runs


def rows_of(world, run, names):  # noqa: F811
    schema = schema_of("decisions", world.features)
    made = {
        "run_id": run, "day": 20_000, "action": 1, "customer_id": "", "decision_id": "", "eligible": [0, 1],
        "cost": 7, "propensity": 0.5,
    }  # fmt: skip
    cells = [{**made, "customer_id": name, "decision_id": f"d-{name}"} for name in names]
    own = pa.schema([f for f in schema if f.name not in chain.CHAINED])
    return pa.Table.from_pylist(cells, schema=own)


def test_a_run_is_written_once_and_only_on_what_it_rests_on(ledger, world):  # noqa: F811
    head = ledger.head
    assert ledger.append("decisions", rows_of(world, "one", "ab"), "one", head)
    assert not ledger.append("decisions", rows_of(world, "one", "ab"), "one", head)
    assert (ledger.head, ledger.counts()["decisions"]) == (head + 1, 2)
    with pytest.raises(LedgerMoved, match="Run it again"):
        ledger.append("decisions", rows_of(world, "two", "c"), "two", head)
    sealed, digests = chain.sealed(rows_of(world, "two", "cde"))
    with pytest.raises(LedgerMoved, match="Run it again"):
        ledger.append_sealed([sealed], digests, "two", head)
    first = ledger.chain_head
    assert ledger.append_sealed([sealed.slice(0, 2), sealed.slice(2)], digests, "two", head + 1)
    assert not ledger.append_sealed([sealed], digests, "two", head + 2)
    assert [ledger.has_run(name) for name in ("one", "two", "three")] == [True, True, False]
    assert ledger.rows_of("three") is None
    assert ledger.rows_of("two")["customer_id"].to_pylist() == list("cde")
    found = pa.Table.from_batches(ledger.batches_of("two"))
    assert found["customer_id"].to_pylist() == list("cde")
    assert ledger.chain_head == chain.entry_of_sealed("two", digests, first)
    assert ledger.chains_seen() == {first, ledger.chain_head}
    assert chain.tampered(ledger.read("decisions"), ledger.read("erasures"), first, ledger.chains_seen()) == []
    assert set(found["chain_before"].to_pylist()) == {first}
    assert ledger.versions()["decisions"] == head + 2


def test_rows_of_a_value_and_different_rows_of_a_table(ledger, world, tmp_path):  # noqa: F811
    told = put(tmp_path / "h.csv", decision_id=list("abc"), status=["sent", "refused", "sent"], day=[day(1)] * 3)
    add(ledger, "handovers", told, world, today=day(2))
    place = ledger.folder / "handovers"
    assert pa.Table.from_batches(batches_of(place, "status", "sent"))["decision_id"].to_pylist() == ["a", "c"]
    assert sorted(distinct_rows(place, ["status"])["status"].to_pylist()) == ["refused", "sent"]
    assert count_rows(place) == 3
    assert distinct_rows(ledger.folder / "outcomes", ["kind"]).num_rows == 0
    for file in place.glob("**/*.parquet"):
        os.truncate(file, 20)
    for read in (lambda: list(batches_of(place, "status", "sent")), lambda: distinct_rows(place, ["status"])):
        with pytest.raises(ArtifactError, match="all there"):
            read()


def test_money_in_words(ledger, world):  # noqa: F811
    assert ledger.money(123_456) == f"1,234.56 {world.money.currency}"
    assert ledger.address_hashes(["", "x"])[0] == ""
    hashes = [*ledger.address_hashes(["x", "x", "y"]), ledger.hash_of("x").removeprefix("hash:")]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert {len(one) for one in hashes} == {32}


def test_facts_that_are_damaged_are_told(ledger):  # noqa: F811
    facts = json.loads((ledger.folder / "ledger.json").read_bytes())
    for salt in (facts["salt"][2:], facts["salt"] + "00", "xy" * 16):
        (ledger.folder / "ledger.json").write_text(json.dumps({**facts, "salt": salt}))
        with pytest.raises(ArtifactError, match="the facts it held"):
            Ledger.open(ledger.folder)


# ---- what comes in


def test_days_to_come_are_refused_where_only_the_past_is_taken(ledger, world, tmp_path):  # noqa: F811
    path = put(tmp_path / "h.csv", decision_id=["a", "b"], status=["sent"] * 2, day=[day(2), day(3)])
    with pytest.raises(DataError, match=r"row 1: day = '2026-01-04' is not 2026-01-03, when it arrives, or before"):
        add(ledger, "handovers", path, world, today=day(2), past_only=True)
    assert ledger.counts()["handovers"] == 0
    assert add(ledger, "handovers", path, world, today=day(3), past_only=True).new == 2
    assert add(ledger, "handovers", path, world, today=day(2)).repeated == 2


def test_outcomes_that_say_another_thing_are_named_twenty_of_them(ledger, world, tmp_path):  # noqa: F811
    names = [f"o{i}" for i in range(22)]
    columns = {"outcome_id": names, "customer_id": ["c"] * 22, "kind": ["click"] * 22, "day": [day(1)] * 22}
    assert add(ledger, "outcomes", put(tmp_path / "o.csv", **columns), world, today=day(2)).new == 22
    other = put(tmp_path / "o.csv", **{**columns, "kind": ["open"] * 22})
    with pytest.raises(DataError) as wrong:
        add(ledger, "outcomes", other, world, today=day(2))
    assert wrong.value.problems[0].value == ", ".join(names[:20])
    twice = put(tmp_path / "o.csv", **{key: [*cells, cells[0]] for key, cells in columns.items()})
    assert add(ledger, "outcomes", twice, world, today=day(2))[:3] == (23, 0, 23)


def test_rows_of_the_erased_are_left_out_and_counted(ledger, world, tmp_path):  # noqa: F811
    erase(ledger, "gone", today=day(1))
    columns = {"outcome_id": ["1", "2", "3"], "customer_id": ["gone", "x", ""], "kind": ["click"] * 3}
    decisions = ["", "", "0123456789ab-gone"]
    path = put(tmp_path / "o.csv", **columns, decision_id=decisions, day=[day(2)] * 3)
    assert add(ledger, "outcomes", path, world, today=day(3)) == incoming.Added(3, 1, 0, 0, 2, ())
    assert ledger.read("outcomes")["customer_id"].to_pylist() == ["x"]


def test_a_mapping_of_another_tool_s_export(tmp_path):
    table = pa.table(
        {"Id": ["7", "8"], "State": [" Delivered", "other"], "When": ["03.02.2026", "4.2.2026"], "x": [1, 2]}
    )
    words = ColumnMapping(
        columns={"decision_id": "Id", "status": "State", "day": "When"},
        values={"status": {"delivered": "sent"}, "margin": {"a": "b"}},
        constants={"kind": "order"},
        formats={"day": "%d.%m.%Y"},
    )
    found = mapped(table, words, "here")
    assert found.to_pydict() == {
        "decision_id": ["7", "8"],
        "status": ["sent", "other"],
        "day": ["2026-02-03", "2026-02-04"],
        "x": [1, 2],
        "kind": ["order"] * 2,
    }
    with pytest.raises(DataError, match=r"row 1: day = 'soon'"):
        mapped(table.set_column(2, "When", pa.array(["03.02.2026", "soon"])), words, "here")
    with pytest.raises(DataError, match="column = 'State' is not in the file"):
        mapped(table.drop_columns("State"), words, "here")
    (tmp_path / "m.toml").write_text(
        '[columns]\nday = "When"\nwhat = "x"\n[constants]\nday = "1"\n[formats]\nday = "soon"\n'
    )
    with pytest.raises(SpecError) as wrong:
        read_column_mapping(tmp_path / "m.toml", ("day", "status"))
    told = [(p.field, p.value) for p in wrong.value.problems]
    assert told == [("column", "what"), ("column", "day"), ("day", "soon")]


# ---- names and permissions


def test_names_by_hand(tmp_path):
    assert joined({"a": "b"}, {"b": "c"}) == {"a": "c", "b": "c"}
    assert joined({"a": "b"}, {"c": "a"}) == {"c": "a"}  # a is somebody now
    assert joined({"a": "b"}, {"a": "c"}) == {"a": "c"}
    assert joined({}, {"": "c"}) == joined({}, {"d": ""}) == {}
    assert joined({"a": "b", "b": "a"}, {}) == {"b": "a"}  # a circle ends at its first name
    assert names_of({"x": "y", "z": "y"}, " Y ") == [" Y ", "y", "x", "z"]
    assert names_of({"x": "y"}, "w") == ["w"]
    series = pd.Series(["x", "y", "z"])
    assert renamed(series, {"x": "y", "z": "w"}).tolist() == ["y", "y", "w"]
    assert renamed(series, {"x": "y", "z": "w"}, ["x"]).tolist() == ["x", "y", "w"]
    assert renamed(series, {"x": "y"}, ["x"]) is series
    pd.DataFrame({"alias": ["x", "x"], "customer_id": ["y", "z"]}).to_parquet(tmp_path / "aliases.parquet")
    with pytest.raises(ArtifactError, match="alias = 'x' is not there once"):
        read_aliases(tmp_path)


def test_the_latest_word_counts_and_of_a_day_the_refusal():
    words = pd.DataFrame(
        [
            ("a", "sms", True, 5, 5), ("a", "sms", False, 5, 5), ("b", "sms", False, 4, 6), ("b", "sms", True, 5, 5),
            ("c", "*", False, 3, 3), ("C ", "mail", True, 3, 3), ("d", "*", True, 3, 3), ("e", "fax", True, 3, 3),
        ],
        columns=["customer_id", "channel", "allowed", "day", "arrived"],
    )  # fmt: skip
    known = pd.Index(list("abcde"))
    consent, suppressed = consent_on(in_order(words), 5, known, ["sms", "mail"])
    assert consent.tolist() == [[0, 1, -1, -1, -1], [-1] * 5]  # b's refusal arrives tomorrow; a yes is of the very id
    assert suppressed.tolist() == [False, False, True, False, False]
    later, _ = consent_on(in_order(words), 6, known, ["sms", "mail"])
    assert later[0].tolist() == [0, 1, -1, -1, -1]  # of a day before: what was said later stands
    earlier, _ = consent_on(in_order(words), 4, known, ["sms", "mail"])
    assert earlier[0].tolist() == [-1, -1, -1, -1, -1]
    spelled = consent_on(in_order(words.assign(customer_id="A ")), 5, known, ["sms"])
    assert spelled[0].tolist() == [[0, -1, -1, -1, -1]]


def test_who_shares_an_address_shares_its_sends():
    sends = pd.DataFrame({"customer_id": ["a", "x", "b", "y"], "rule.address": ["h", "h", None, "k"]})
    ids = np.array(["a", "b", "c", "d"], dtype=object)
    address = np.array(["h", "", "h", "k"], dtype=object)
    row, whose = _pairs(sends, ids, address)
    assert sorted(zip(row.tolist(), whose.tolist(), strict=True)) == [(0, 0), (0, 2), (1, 0), (1, 2), (2, 1), (3, 3)]
    row, whose = _pairs(sends, ids, None)
    assert (row.tolist(), whose.tolist()) == ([0, 2], [0, 1])


def test_what_was_spent_and_sent_counts_those_who_were_erased():
    sends = pd.DataFrame(
        {"cost": [5, 7, 9], "channel": ["sms", "mail", "sms"], "day": [3, 3, 2], "offer": ["a", "b", "a"]}
    )
    gone = pd.DataFrame({"cost": [11, 13], "channel": ["sms", "sms"], "decision_day": [3, 2], "offer": ["b", "c"]})
    past = Past(None, 3, ["sms", "mail", "push"], 3, sends, gone, None)
    assert past.spent == 45
    assert past.sends_today.tolist() == [2, 1, 0]
    assert past.sends_of(["a", "b", "c", "d"]).tolist() == [2, 2, 1, 0]


# ---- erasure


def test_nothing_is_erased_from_a_table_that_has_no_rows_of_anybody(tmp_path):
    pq.write_table(pa.table({"customer_id": pa.array([], pa.string())}), tmp_path / "none.parquet")
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "plain.parquet")
    pq.write_table(pa.table({"customer_id": [1, 2]}), tmp_path / "numbers.parquet")
    (tmp_path / "plain.csv").write_text("n\n1\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert erase_in_files([tmp_path], "1") == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert still_found([tmp_path], "9") == []


def test_a_member_is_taken_out_of_the_cells_of_all_who_share_an_id():
    table = pa.table({"members": ["a | b", "B | a | c", None, "c", "a"], "n": [1, 2, 3, 4, 5]})
    left, rows = _without_member(table, "b")
    assert (left["members"].to_pylist(), rows) == (["a", "a | c", None, "c", "a"], 2)
    assert left["n"].to_pylist() == [1, 2, 3, 4, 5]
    assert _without_member(table, "d") == (table, 0)
    assert _without_member(table.select(["n"]), "b") == (table.select(["n"]), 0)
    left, rows = _without_member(table, "a")
    assert (left["members"].to_pylist(), rows) == (["b", "B | c", None, "c", None], 3)


def test_who_is_erased_leaves_a_refusal_under_a_hash_and_nothing_else(ledger, world, tmp_path):  # noqa: F811
    assert erase(ledger, " C-1 ", today=day(3)) == (0, 0, 0, 0)  # nothing was known
    assert not (ledger.folder / "aliases.parquet").exists()  # and no name is written down
    (row,) = ledger.read("permissions").to_pylist()
    on = (day(3) - EPOCH).days
    assert row == {
        "customer_id": ledger.hash_of("c-1"), "channel": "*", "allowed": False, "day": on, "arrived": on,
        "source": "erasure",
    }  # fmt: skip
    told = put(tmp_path / "p.csv", customer_id=["x", "y"], channel=["*"] * 2, allowed=["no"] * 2, day=[day(1)] * 2)
    add(ledger, "permissions", told, world, today=day(3))
    assert erase(ledger, "x", today=day(4)) == (0, 0, 0, 1)
    with pytest.raises(UsageError, match="an id"):
        erase(ledger, "  ", today=day(4))


# ---- the log of a ledger


def test_contributions_of_a_day_are_margins_less_costs_and_lost_permissions():
    money = SimpleNamespace(minor_per_unit=100, unsubscribe=2.5)
    shop = SimpleNamespace(money=money, minor=lambda amount: round(amount * 100))
    outcomes = pd.DataFrame(
        [("a", 3, "order", 500), ("a", 3, "refund", -150), ("a", 4, "unsubscribe", 0), ("b", 3, "click", 0)],
        columns=["customer_id", "day", "kind", "margin"],
    )
    sent = pd.DataFrame(
        [("a", 3, 1, 40), ("b", 3, 0, 0), ("c", 5, 2, 20)], columns=["customer_id", "day", "action", "cost"]
    )
    found = _daily(sent, outcomes, shop).set_index(["customer_id", "day"])["currency"].to_dict()
    assert found == pytest.approx({("a", 3): 3.1, ("a", 4): -2.5, ("b", 3): 0.0, ("c", 5): -0.2})


def test_what_was_not_seen_then_is_missing():
    features = FeatureSchema((Feature(name="age", low=0, high=9), Feature(name="kind", levels=("x", "y"))))
    rows = pd.DataFrame({"seen.kind": ["y", None, "z"]})
    context = decision_context(rows, SimpleNamespace(features=features))
    assert np.isnan(context.columns["age"]).all()
    assert context.columns["kind"].tolist() == [1, -1, -1]
