"""Parts of tables that whole files would forgive: borders of sizes, of types and of names, and waiting for a lock."""

import gzip
import io
import os
import re
import sqlite3
import threading
import time
import zipfile
from contextlib import closing
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_intake_files import workbook

from campaignrl.errors import DataError, SpecError, UsageError
from campaignrl.tables.databases import Address, address_problem, extract
from campaignrl.tables.databases.address import kind_of, scrubbed, secrets_of, without_password
from campaignrl.tables.databases.statements import refuse_twice
from campaignrl.tables.files import containers, csv_text, locks
from campaignrl.tables.files.encodings import TELLING, found_encoding
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.files.whole_files import regrouped, write_parquet, write_parquet_parts, write_whole
from campaignrl.tables.files.workbooks import filled_sheets, workbook_as_csv

# ---- files


def numbers_from(start, stop):
    return pa.table({"n": pa.array(range(start, stop), pa.int64())})


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ((3, 3, 3), [4, 4, 1]),
        ((4, 4), [4, 4]),
        ((9,), [4, 4, 1]),
        ((0, 1, 0), [1]),
        ((1, 1, 1, 1, 1), [4, 1]),
        ((12, 1), [4, 4, 4, 1]),
        ((0,), []),
    ],
)
def test_parts_are_cut_anew_and_no_row_is_lost_or_moved(parts, sizes):
    ends = np.cumsum([0, *parts])
    tables = [numbers_from(a, b) for a, b in pairwise(ends)]
    found = list(regrouped(tables, 4))
    assert [len(table) for table in found] == sizes
    assert [n for table in found for n in table["n"].to_pylist()] == list(range(ends[-1]))
    assert all(table["n"].num_chunks <= 1 for table in found)


def test_a_table_in_parts_is_the_same_bytes_as_the_whole(monkeypatch):
    from campaignrl.tables.files import whole_files

    monkeypatch.setattr(whole_files, "ROW_GROUP", 4)
    whole, parts = io.BytesIO(), io.BytesIO()
    write_parquet(numbers_from(0, 10), whole)
    write_parquet_parts([numbers_from(0, 3), numbers_from(3, 9), numbers_from(9, 10)], parts)
    assert parts.getvalue() == whole.getvalue()
    meta = pq.ParquetFile(io.BytesIO(parts.getvalue())).metadata
    assert [meta.row_group(g).num_rows for g in range(meta.num_row_groups)] == [4, 4, 2]


def test_who_waits_for_a_lock_gets_it_when_it_is_free(tmp_path):
    lock, order = tmp_path / "lock", []
    holds = threading.Event()

    def hold():
        with locks.alone(lock, where="here", field="thing", of=tmp_path):
            holds.set()
            time.sleep(0.1)
            order.append("first")

    other = threading.Thread(target=hold)
    other.start()
    holds.wait(10)
    with locks.alone(lock, where="here", field="thing", of=tmp_path, patience=20.0):
        order.append("second")
    other.join(10)
    assert order == ["first", "second"]


def test_who_holds_a_lock_is_told_and_written_down_alone(tmp_path):
    lock, mine = tmp_path / "new" / "folder" / "lock", rf"process {os.getpid()} since "
    for _ in range(2):
        with locks.alone(lock, where="here", field="thing", of=tmp_path):
            assert re.fullmatch(mine + r"[-\d: ]{19}", lock.read_text())
            other = locks.alone(lock, where="here", field="thing", of=tmp_path, patience=0.0)
            with pytest.raises(UsageError, match=f"stop it: {mine}"), other:
                pytest.fail("it is not free")


@pytest.mark.parametrize("letter", ["a", "é", "会", "🍵"])
def test_a_file_may_have_any_name_that_the_system_allows(tmp_path, letter):
    name = letter * ((255 - 4) // len(letter.encode())) + ".csv"
    write_whole(tmp_path / name, lambda out: out.write(b"n\n1\n"))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(name, b"n\n1\n")]


def members(path, *texts, name="{}.csv"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, text in enumerate(texts):
            archive.writestr(name.format(k), text)
    return path


def under(folder, pattern):
    (folder / "scratch").mkdir(exist_ok=True)
    return containers.files_under(folder, pattern, folder / "scratch", "t")


def test_an_archive_may_be_as_large_as_an_export_and_no_larger(tmp_path, monkeypatch):
    members(tmp_path / "a.zip", "id\n1\n", "id\n2\n")
    monkeypatch.setattr(containers, "MEMBERS", 2)
    monkeypatch.setattr(containers, "LARGEST", 10)
    found = under(tmp_path, "a.zip")
    assert [(one.name, one.path.name, one.path.read_text()) for one in found] == [
        ("a.zip/0.csv", "t_0_0.csv", "id\n1\n"),
        ("a.zip/1.csv", "t_0_1.csv", "id\n2\n"),
    ]
    for limit, least in (("MEMBERS", 2), ("LARGEST", 10)):
        monkeypatch.setattr(containers, limit, least - 1)
        with pytest.raises(DataError, match="holds 2 files of 10 bytes"):
            under(tmp_path, "a.zip")
        monkeypatch.setattr(containers, limit, least)
    (tmp_path / "empty.zip").write_bytes(members(tmp_path / "e.zip").read_bytes())
    with pytest.raises(DataError, match="holds no file"):
        under(tmp_path, "empty.zip")


def test_an_archive_may_be_as_dense_as_a_table_and_no_denser(tmp_path, monkeypatch):
    path = members(tmp_path / "a.zip", "a" * 4000)
    with zipfile.ZipFile(path) as archive:
        packed = archive.infolist()[0].compress_size
    monkeypatch.setattr(containers, "SMALLEST", 1)
    monkeypatch.setattr(containers, "DENSEST", 4000 / packed)
    assert len(under(tmp_path, "a.zip")) == 1
    monkeypatch.setattr(containers, "DENSEST", 3999 / packed)
    with pytest.raises(DataError, match="more than an export would"):
        under(tmp_path, "a.zip")
    monkeypatch.setattr(containers, "SMALLEST", packed + 1)  # below it nothing is asked
    assert len(under(tmp_path, "a.zip")) == 1


def test_what_lies_in_a_folder_and_hidden_names(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("b.csv", "a.csv", ".x.csv", "_x.csv", "~$x.csv", "deep/c.csv"):
        (tmp_path / "in" / name).write_text("id\n1\n")
    members(tmp_path / "in" / "z.zip", "id\n9\n", name="x.y.{}.csv.gz")
    found = under(tmp_path, "in")
    assert [one.name for one in found] == ["in/a.csv", "in/b.csv", "in/deep/c.csv", "in/z.zip/x.y.0.csv.gz"]
    assert found[-1].path.name == "t_3_0.csv.gz"  # the last two endings, whatever else there is
    assert [one.name for one in under(tmp_path, "in/?.csv")] == ["in/a.csv", "in/b.csv"]
    assert [one.name for one in under(tmp_path, "in/_x.csv")] == ["_x.csv"]  # who is named is meant


def test_a_packed_text_may_be_as_dense_as_a_table_and_no_denser(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"n\n" + b"1\n" * 2000, mtime=0))
    packed = path.stat().st_size
    monkeypatch.setattr(csv_text, "SMALLEST", 1)
    monkeypatch.setattr(csv_text, "DENSEST", 4002 / packed)
    assert csv_text.read_text(path).num_rows == 2000
    monkeypatch.setattr(csv_text, "DENSEST", 4001 / packed)
    with pytest.raises(DataError, match="holds over 4,002 bytes"):
        csv_text.read_text(path)
    monkeypatch.setattr(csv_text, "SMALLEST", packed + 1)
    assert csv_text.read_text(path).num_rows == 2000


def test_the_first_sheet_that_holds_more_than_a_header(tmp_path):
    header, table = [["id", "t"]], [["id", "t"], ["a", 1]]
    workbook(tmp_path / "a.xlsx", {"one": (header, []), "two": (table, []), "three": (table, [])})
    assert filled_sheets(tmp_path / "a.xlsx") == ["two", "three"]
    facts = workbook_as_csv(tmp_path / "a.xlsx", None, tmp_path / "a.csv")
    assert facts == {"sheet": "two", "other_sheets": ["one", "three"]}
    workbook(tmp_path / "b.xlsx", {"one": (header, []), "two": (header, [])})
    assert workbook_as_csv(tmp_path / "b.xlsx", None, tmp_path / "b.csv")["sheet"] == "one"
    assert (tmp_path / "b.csv").read_text() == "id,t\n"


def test_so_many_bytes_tell_an_encoding_of_asia_or_of_russian():
    """Of fewer the commonest encoding of letters in two bytes is likelier."""
    letters = "привет" * 4
    assert found_encoding(letters[:TELLING].encode("cp1251")) == "cp1251"
    assert found_encoding(letters[: TELLING - 1].encode("cp1251")) == "gb18030"


def test_accents_that_stand_alone_in_most_places_are_latin():
    alone, pair = b"\xe9", b"\xd6\xd0"
    assert found_encoding(alone + b"a" + alone + b"a" + pair) == "cp1252"
    assert found_encoding(alone + b"a" + pair) == "gb18030"  # half of them are not most
    assert found_encoding(b"a\x81b\x81c") == "latin-1"  # a byte that cp1252 does not have


def test_a_column_is_compared_as_a_text_or_as_a_number_and_not_as_both():
    with pytest.raises(SpecError, match="about kind as a text or as a number, not as both"):
        compile_expression('(kind == "a") * kind', "here")
    both = compile_expression('(kind == "a") + (kind == "b") + x', "here")
    assert (both.columns, both.texts) == (("x", "kind"), ("kind",))
    found = both.of({"kind": np.array(["a", "", "c"], dtype=object), "x": np.ones(3)})
    assert np.array_equal(found, [2.0, np.nan, 1.0], equal_nan=True)
    assert compile_expression("x >= 2", "here").of({"x": np.array([1.0, 2.0, np.nan])})[:2].tolist() == [0.0, 1.0]


# ---- databases


def test_whole_numbers_beside_broken_ones_stay_exact_or_become_texts(tmp_path):
    exact = 2**53
    columns = {
        "fits": (exact, 0.5),
        "below": (-exact, 0.5),
        "large": (exact + 1, 0.5),
        "small": (-exact - 1, 0.5),
        "whole": (exact + 1, 1),
        "words": ("a", None),
    }
    with closing(sqlite3.connect(tmp_path / "x.db")) as con, con:
        con.execute(f"CREATE TABLE t ({', '.join(columns)})")
        con.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", zip(*columns.values(), strict=True))
    assert extract(Address("sqlite:///x.db", "t"), tmp_path, tmp_path / "t.parquet") == 2
    kinds = {field.name: str(field.type) for field in pq.read_table(tmp_path / "t.parquet").schema}
    assert kinds == {
        "fits": "double",
        "below": "double",
        "large": "string",
        "small": "string",
        "whole": "int64",
        "words": "string",
    }


def test_numbers_of_postgresql_that_fit_are_decimals():
    postgresql = pytest.importorskip("campaignrl.tables.databases.postgresql")

    def kind(name, precision=None, scale=None, oid=7, code=7):
        types = {code: SimpleNamespace(name=name, oid=oid)} if name else {}
        connection = SimpleNamespace(adapters=SimpleNamespace(types=types))
        return postgresql._type(connection, SimpleNamespace(type_code=code, precision=precision, scale=scale))

    assert kind("numeric", 38, 5) == pa.decimal128(38, 5)
    assert kind("numeric", 12) == pa.decimal128(12, 0)
    assert kind("numeric", 39, 5) == kind("numeric") == kind("") == kind("json") == pa.string()
    assert kind("int8") == pa.int64()
    assert kind("int8", oid=8) == pa.string()  # a list of them
    assert kind("int8", 5, 2) == pa.int64()


def test_what_is_wrong_with_an_address():
    def wrong(url):
        found = address_problem(url, "here")
        return None if found is None else (found.allowed, found.fix)

    assert wrong("sqlite:///shop.db") is wrong("duckdb:///a/b.duckdb") is wrong("postgres://u:${P}@h/db") is None
    for url in ("sqlite:///", "duckdb:////"):
        assert wrong(url)[0] == "the path of a file"
    assert wrong("sqlite://shop.db") == ("a path after three slashes", 'Write "sqlite:///NAME".')
    assert wrong("sqlite3:///shop.db")[1] == "Did you mean 'sqlite'?"
    assert wrong("shop.db") == ("a URL of sqlite, duckdb or postgresql", 'Write source = "sqlite:///shop.db".')
    assert wrong("sqlite:shop.db")[0] == "a URL of sqlite, duckdb or postgresql"
    for secret in ("postgresql://u:open@h/db", "postgresql://h/db?sslpassword=open", "postgresql://h/db?a=1&pass=open"):
        assert wrong(secret)[0] == "without a password written out"
        assert "open" not in without_password(secret)
    assert wrong("postgresql://u@h/db") is wrong("postgresql://h/a:b@c") is None
    assert kind_of("POSTGRES://h") == kind_of("postgresql://h") == "postgresql"
    assert secrets_of("postgresql://u:a@b@h/db?password=c&x=d") == ["a@b", "c"]
    assert secrets_of("postgresql://h/db") == []


def test_no_message_tells_a_password_nor_a_part_of_it(monkeypatch):
    monkeypatch.setenv("SECRET", "a/b")
    url = "postgresql://u:${SECRET}@h/db"
    assert scrubbed("no a%2Fb and\n no  a/b", url) == "no *** and no ***"
    assert scrubbed("nothing", "postgresql://u@h/db") == "nothing"
    assert scrubbed("x abc y", "postgresql://u:a@h/db?password=abc") == "x *** y"


def test_columns_of_one_name_are_each_named_once():
    there = Address("sqlite:///x.db", "t")
    refuse_twice(there, ["a", "b", "c"])
    with pytest.raises(DataError) as wrong:
        refuse_twice(there, ["a", "b", "a", "c", "b", "a"])
    assert [(p.where, p.value) for p in wrong.value.problems] == [("sqlite:///x.db t", "a"), ("sqlite:///x.db t", "b")]
