"""What of a ledger shows only at an edge: whose rules they are, folders that are there, files that are full."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ledger_exact import START, ledger, world  # noqa: F401
from test_ledger_parts_exact import EMPTY
from test_ledger_parts_exact import chain as runs
from test_ledger_rest_exact import rows_of

from campaignrl.errors import ArtifactError, UsageError
from campaignrl.ledger import Ledger, chain, delta_tables
from campaignrl.ledger.chain import tampered
from campaignrl.ledger.delta_tables import create_table, open_table
from campaignrl.ledger.erase_files import _holds
from campaignrl.ledger.kept_lines import is_lines
from campaignrl.ledger.log_view import log_of_rows
from campaignrl.ledger.standing import Past


def test_another_world_and_changed_rules_are_told_apart(ledger, monkeypatch):  # noqa: F811
    monkeypatch.setattr("campaignrl.ledger.folder.world_hash", lambda _: "of nothing that was given")
    for name, said in (("elsewhere", "Give the world it was begun for"), (ledger.world, "If it was meant to change")):
        with pytest.raises(UsageError, match=said):
            ledger.require(SimpleNamespace(name=name))


def test_a_table_is_begun_where_its_folder_stands_already(tmp_path, world):  # noqa: F811
    (tmp_path / "outcomes").mkdir()
    create_table(tmp_path / "outcomes", "outcomes", world.features)
    create_table(tmp_path / "far" / "away", "outcomes", world.features)
    assert open_table(tmp_path / "outcomes").version() == open_table(tmp_path / "far" / "away").version() == 0


def test_a_file_is_full_after_so_many_rows(ledger, world, monkeypatch):  # noqa: F811
    monkeypatch.setattr(delta_tables, "FILE_ROWS", 2)
    sealed, digests = chain.sealed(rows_of(world, "one", "abcde"))
    assert ledger.append_sealed([sealed.slice(i, 1) for i in range(5)], digests, "one", ledger.head)
    files = sorted(ledger.folder.glob("decisions/**/*.parquet"))
    assert sorted(pq.ParquetFile(file).metadata.num_rows for file in files) == [1, 2, 2]
    assert ledger.rows_of("one")["customer_id"].to_pylist() == list("abcde")


def test_earlier_names_of_customers_make_no_other_ledger(ledger):  # noqa: F811
    assert replace(ledger, aliases={"x": "y"}) == ledger
    assert replace(ledger, customers=7) != ledger


def test_columns_that_are_gone_are_counted_and_five_are_named():
    rows, _ = runs(("r1", 2))
    (lost,) = tampered(rows.drop_columns([*chain.CHAINED, "day", "run_id"]), EMPTY)
    assert lost == ("columns of the decisions are gone", 6, (*chain.CHAINED, "run_id"))


def test_rows_are_kept_in_files_of_that_name_beside_the_one_that_says_whose_they_are(tmp_path):
    names = ("lines-0.parquet", "lines-x.parquet", "other.parquet")
    assert [is_lines(tmp_path / name) for name in names] == [False] * 3
    (tmp_path / "lines.json").write_text("{}")
    assert [is_lines(tmp_path / name) for name in names] == [True, False, False]


def test_a_member_is_found_in_the_cells_of_texts_alone(tmp_path):
    """Numbers are no names; a table without a column of ids is searched by the word if it is no Parquet."""
    word = re.compile(b"7")
    pq.write_table(pa.table({"id": pa.array(["a", "7 | b"]).dictionary_encode()}), tmp_path / "codes.parquet")
    pq.write_table(pa.table({"id": [6, 7], "n": ["7", "8"]}), tmp_path / "numbers.parquet")
    pq.write_table(pa.table({"n": ["7", "8"]}), tmp_path / "plain.parquet")
    (tmp_path / "plain.csv").write_text("n\n7\n")
    (tmp_path / "ids.csv").write_text("id,n\n6,7\n")
    names = ("codes.parquet", "numbers.parquet", "plain.parquet", "plain.csv", "ids.csv")
    assert [_holds(tmp_path / name, "7", word) for name in names] == [True, False, False, True, False]


# ---- files that are written here


COUNTED = ("day", "name", "share", "gap")


def rows_of_files():
    return pa.table(
        {
            "month": ["2026-01"] * 7,
            "day": [5, 2, 9, 4, 4, 7, 3],
            "name": ["b", None, "a", "c", "d", "b", "b"],
            "share": [0.5, 0.25, float("inf"), 0.75, 0.125, 0.5, 0.5],
            "gap": pa.array([None, None, 1, 2, 3, 4, 5], pa.int64()),
            "salt": pa.array([b"x"] * 7, pa.binary()),
        }
    )


def batches(table, *sizes):
    schema, parts, start = table.schema, [], 0
    for size in sizes:
        parts += table.slice(start, size).to_batches()
        start += size
    return pa.RecordBatchReader.from_batches(schema, parts)


@pytest.fixture
def plain_table(tmp_path):
    from deltalake import DeltaTable

    about = {delta_tables.COUNTED: ",".join(COUNTED)}
    schema = rows_of_files().schema
    return DeltaTable.create(str(tmp_path / "t"), schema, partition_by=["month"], configuration=about)


def test_a_file_says_the_least_the_largest_and_the_missing_of_counted_columns(plain_table, tmp_path, monkeypatch):
    monkeypatch.setattr(delta_tables, "FILE_ROWS", 5)
    found = delta_tables._written(plain_table, batches(rows_of_files(), 2, 2, 1, 1, 1))
    stats = [json.loads(one.stats) for one in found]
    assert [one["numRecords"] for one in stats] == [5, 2]
    assert stats[0]["nullCount"] == {"day": 0, "name": 1, "share": 0, "gap": 2}
    # One group of `gap` has no number at all, and no number of `share` is the largest.
    assert (stats[0]["minValues"], stats[0]["maxValues"]) == ({"day": 2, "name": "a"}, {"day": 9, "name": "d"})
    assert stats[1]["minValues"] == {"day": 3, "name": "b", "share": 0.5, "gap": 4}
    assert stats[1]["maxValues"] == {"day": 7, "name": "b", "share": 0.5, "gap": 5}
    for i, one in enumerate(found):
        file = tmp_path / "t" / one.path
        assert one.path.startswith(f"month=2026-01/part-0000{i}-")
        assert (one.size, one.data_change) == (file.stat().st_size, True)
        assert one.modification_time == int(file.stat().st_mtime * 1000)
        assert one.partition_values == {"month": "2026-01"}
        assert pq.ParquetFile(file).schema_arrow.names == ["day", "name", "share", "gap", "salt"]
    whole = [value for one in found for value in pq.read_table(tmp_path / "t" / one.path, partitioning=None)["day"]]
    assert [value.as_py() for value in whole] == rows_of_files()["day"].to_pylist()
    assert delta_tables._written(plain_table, batches(rows_of_files())) == []


def test_rows_of_two_partitions_are_no_file(plain_table):
    rows = rows_of_files().slice(0, 2).set_column(0, "month", pa.array(["2026-01", "2026-02"]))
    with pytest.raises(ValueError, match="several partitions"):
        delta_tables._written(plain_table, batches(rows, 2))


def test_numbers_that_end_and_texts_are_plain():
    values = ("a", 3, 0.5, float("inf"), float("nan"), b"a", None)
    assert [delta_tables._is_plain(value) for value in values] == [True, True, True, False, False, False, False]


def test_files_of_a_table_are_listed_once_a_version(ledger):  # noqa: F811
    place = ledger.folder / "outcomes"
    assert delta_tables._files(place) is delta_tables._files(place)
    with pytest.raises(ArtifactError, match="a whole table"):
        delta_tables._files(ledger.folder / "nothing")


def test_a_log_of_several_policies_is_named_by_the_first_row(world):  # noqa: F811
    rows = pd.DataFrame(
        {
            "customer_id": ["b", "a"], "day": [20_000, 20_001], "policy_id": ["p", "q"], "policy_hash": ["1", "2"],
            "action": [1, 0], "propensity": [0.5, 0.25], "propensity_before": [0.5, 0.5], "cost": [3, 0],
            "eligible": [[0, 1], [0]],
        },
        index=[4, 2],
    )  # fmt: skip
    daily = pd.DataFrame({"customer_id": ["b"], "day": [20_000], "currency": [2.5]})
    log = log_of_rows(rows, world, daily, 20_000 + world.outcome_days)
    assert (log.meta["policy_id"], log.meta["policy_hash"], log.meta["limited"]) == ("p", "1", True)
    assert (log.customers.tolist(), log.customer.tolist()) == (["a", "b"], [1, 0])
    assert (log.reward.tolist(), log.matured.tolist()) == ([2.5, 0.0], [True, False])
    assert (log.cost.tolist(), log.step.tolist()) == ([3, 0], [0, 0])
    same = log_of_rows(rows.assign(propensity=0.5), world, daily, 0)
    assert not same.meta["limited"]
    assert not same.matured.any()


def test_a_ledger_is_begun_in_a_folder_that_holds_nothing_or_a_lock_alone(world, tmp_path):  # noqa: F811
    for name, files in (("empty", ()), ("locked", (".lock",))):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("")
        assert Ledger.create(tmp_path / name, world, start=START, customers=1).customers == 1
    (tmp_path / "full").mkdir()
    for file in (".lock", "x"):
        (tmp_path / "full" / file).write_text("")
    (tmp_path / "file").write_text("")
    for name in ("full", "file"):
        with pytest.raises(UsageError, match="a new or empty folder"):
            Ledger.create(tmp_path / name, world, start=START, customers=1)


def test_sends_of_the_erased_count_on_their_own_day():
    sends = pd.DataFrame({"cost": [5], "channel": ["sms"], "day": [3], "offer": ["a"]})
    gone = pd.DataFrame({"cost": [1] * 4, "channel": ["sms", "sms", "sms", "mail"], "decision_day": [3, 3, 2, 4]})
    past = Past(None, 3, ["sms", "mail"], 3, sends, gone.assign(offer="a"), None)
    assert past.sends_today.tolist() == [3, 0]
