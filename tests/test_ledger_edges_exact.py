"""What of a ledger shows only at an edge: whose rules they are, folders that are there, files that are full."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_ledger_exact import ledger, world  # noqa: F401
from test_ledger_parts_exact import EMPTY
from test_ledger_parts_exact import chain as runs
from test_ledger_rest_exact import rows_of

from campaignrl.errors import UsageError
from campaignrl.ledger import chain, delta_tables
from campaignrl.ledger.chain import tampered
from campaignrl.ledger.delta_tables import create_table, open_table
from campaignrl.ledger.erase_files import _holds
from campaignrl.ledger.kept_lines import is_lines


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
