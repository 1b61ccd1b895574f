"""Files: whole or not at all, text kept to the letter, foreign and damaged files refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
import os
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import campaignrl
from campaignrl.errors import CampaignError, DataError, UnknownName, UsageError
from campaignrl.tables.files import csv_text
from campaignrl.tables.files.formats import SUFFIXES
from campaignrl.tables.files.whole_files import column_names, read_frame, write_frame, write_whole

LONG = [f"a_column_with_a_long_name_{i:040}" for i in range(1_500)]  # a header of more than 64 kB
FRAME = pd.DataFrame(
    {"id": ["007", "1e5", "9223372036854775809", "🎁"], "x": [1.5, -2.0, np.nan, 1e300], "k": [1, -2, 3, 4]}
)
AWKWARD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TEXTS = st.lists(st.one_of(AWKWARD, st.sampled_from(["=1+1", "'=1", "-5", "\t", "a\rb", 'q"u', "", "'"])), min_size=1)


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    return tmp_path / f"table{request.param}"


def test_a_frame_comes_back_as_it_went(path):
    write_frame(FRAME, path)
    back = read_frame(path, text=["id"])
    assert back["id"].tolist() == FRAME["id"].tolist()
    assert np.array_equal(back["x"].to_numpy(), FRAME["x"].to_numpy(), equal_nan=True)
    assert back["k"].tolist() == [1, -2, 3, 4]
    assert list(read_frame(path, columns=["k", "x"])) == ["k", "x"]


def test_the_same_frame_gives_the_same_bytes(path):
    write_frame(FRAME, path)
    first = path.read_bytes()
    write_frame(FRAME.copy(), path)
    assert path.read_bytes() == first
    if path.suffix == ".gz":
        assert first[4:8] == bytes(4), "no time of day in the header"


def test_ids_are_text_even_when_nobody_says_so(tmp_path):
    path = tmp_path / "ids.csv"
    path.write_bytes(
        b"\xef\xbb\xbfid,long,n,flag,when,gap\r\n007,9223372036854775809,1,true,2020-01-02,\r\n8,12,2,False,x,4\r\n"
    )
    frame = read_frame(path)
    assert frame["id"].tolist() == ["007", "8"]
    assert frame["long"].tolist() == ["9223372036854775809", "12"]
    assert frame["n"].tolist() == [1, 2]
    assert frame["flag"].tolist() == [True, False]
    assert frame["when"].tolist() == ["2020-01-02", "x"]
    assert frame["gap"].isna().tolist() == [True, False]
    assert read_frame(path, text=["n", "gap"])["gap"].tolist() == ["", "4"]


def test_whole_numbers_of_any_storage_have_one_text(tmp_path):
    path = tmp_path / "t.parquet"
    write_frame(pd.DataFrame({"a": [17, 2], "b": [17.0, np.nan], "c": pd.Categorical(["x", "y"])}), path)
    frame = read_frame(path, text=["a", "b", "c"])
    assert frame["a"].tolist() == ["17", "2"]
    assert frame["b"].tolist() == ["17", ""]
    assert frame["c"].tolist() == ["x", "y"]


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_text_cell_starts_a_formula(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "sends.csv"
    write_frame(pd.DataFrame({"offer": pd.Series(texts, dtype=object), "n": -1}), path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[0].removeprefix("'") if row[0] != t else t for row, t in zip(rows, texts, strict=True)] == texts
    assert not any(row[0].startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows)
    assert {row[1] for row in rows} == {"-1"}, "numbers are not text"


def test_text_that_csv_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    for text in ("a\0b", "\ud800"):
        with pytest.raises(DataError):
            write_frame(pd.DataFrame({"id": pd.Series([text], dtype=object)}), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.bin"
    write_whole(path, lambda out: out.write(b"old") and None)

    def broken(out):
        out.write(b"half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_whole(path, broken)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    with pytest.raises(UsageError, match="cannot be written"):
        write_whole(path / "below_a_file.bin", lambda out: None)


def test_bytes_are_on_disk_before_the_name_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    calls = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("replace"), rename(*names)))
    write_whole(path, lambda out: out.write(b"new") and None)
    assert calls == ["fsync", "replace", "fsync"]
    assert path.read_bytes() == b"new"

    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        write_whole(path, lambda out: out.write(b"newer") and None)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bin", b"new")]


def one_line(caught) -> str:
    text = str(caught.value)
    assert "\n" not in text
    return text


BAD = {
    "empty.csv": (b"", "is empty"),
    "empty.parquet": (b"", "is empty"),
    "pickle.csv": (pickle.dumps(FRAME), "a pickle, which is never opened"),
    "pickle.parquet": (pickle.dumps(FRAME), "a pickle, which is never opened"),
    "old_pickle.parquet": (pickle.dumps([1], protocol=0), "not Parquet"),
    "text.parquet": (b"a,b\n1,2\n", "not Parquet"),
    "parquet.csv": (b"PAR1....PAR1", "rename it to .parquet"),
    "zipped.csv": (b"PK\x03\x04", "a zip archive"),
    "gzipped.csv": (gzip.compress(b"a\n1\n"), "compressed by gzip"),
    "plain.csv.gz": (b"a\n1\n", "not compressed by gzip"),
    "cut.csv.gz": (gzip.compress(b"a,b\n1,2\n" * 500)[:-30], "cannot be read"),
    "latin.csv": ("a,b\n1,é\n".encode("latin-1"), "byte 6 (line 2) is not UTF-8"),
    "unmarked.csv": ("a,b\n1,2\n".encode("utf-16-le"), "not text"),
    "ragged.csv": (b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
    "twice.csv": (b"a,a\n1,2\n", "named once"),
    "table.xlsx": (b"PK\x03\x04", ".parquet .pq .csv"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, name):
    data, reason = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_frame(tmp_path / name)
    assert reason in one_line(caught)
    assert name in one_line(caught)


def test_parquet_cut_anywhere_is_refused(tmp_path):
    whole = tmp_path / "whole.parquet"
    write_frame(FRAME, whole)
    data = whole.read_bytes()
    cut = tmp_path / "cut.parquet"
    for length in [*range(0, len(data), 5), *range(len(data) - 12, len(data))]:
        cut.write_bytes(data[:length])
        with pytest.raises(DataError) as caught:
            read_frame(cut)
        one_line(caught)


def test_a_flipped_bit_in_the_data_of_a_parquet_file_is_seen(tmp_path):
    path = tmp_path / "t.parquet"
    write_frame(pd.DataFrame({"x": np.arange(2000.0)}), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(DataError):
        read_frame(path)


def test_missing_files_and_columns_come_with_the_nearest_name(tmp_path):
    write_frame(FRAME, tmp_path / "customers.csv")
    with pytest.raises(UnknownName, match=r"Did you mean 'customers.csv'\?"):
        read_frame(tmp_path / "custmers.csv")
    with pytest.raises(UnknownName):
        read_frame(tmp_path / "no" / "such.csv")
    with pytest.raises(DataError) as caught:
        read_frame(tmp_path / "customers.csv", columns=["ID", "x", "nothing_like_it"])
    assert [p.value for p in caught.value.problems] == ["ID", "nothing_like_it"]
    assert caught.value.problems[0].fix == "Did you mean 'id'?"
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CampaignError, match="not a file"):
        read_frame(tmp_path / "folder.csv")


def test_a_header_alone_is_a_table_of_no_rows(tmp_path):
    path = Path(tmp_path / "none.csv")
    path.write_text("a,b\n")
    assert read_frame(path).shape == (0, 2)


class ReadBy(io.FileIO):
    """A file that notes which threads read it."""

    readers: list[threading.Thread]

    def read(self, size: int | None = -1) -> bytes:
        self.readers.append(threading.current_thread())
        return super().read(-1 if size is None else size)


@pytest.mark.parametrize("last", ["1,2\n", "1,2,3\n"])
def test_no_thread_but_the_callers_reads_a_csv(tmp_path, monkeypatch, last):
    # A parser that reads ahead may do so after the file was closed, and meet what was opened under its number next.
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "123456,654321\n" * 400_000 + last)
    ReadBy.readers = []
    monkeypatch.setattr(csv_text.pa, "input_stream", lambda name: pa.PythonFile(ReadBy(name), mode="r"))
    assert csv_text.csv_columns(path) == ["a", "b"]
    if last.count(",") == 1:
        assert csv_text.read_text(path).num_rows == 400_001
    else:
        with pytest.raises(pa.ArrowInvalid, match="got 3"):
            csv_text.read_text(path)
    assert set(ReadBy.readers) == {threading.current_thread()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("\n\r\na,b\n1,2\n", ["a", "b"]),
        ('"a\nb","c""d"\r\n1,2\r\n', ["a\nb", 'c"d']),
        ('a"b,c\n1,2\n3,4\n', ['a"b', "c"]),
        (",".join(LONG) + "\n" + "1," * (len(LONG) - 1) + "1\n", LONG),
    ],
)
def test_a_header_is_its_first_line_however_it_is_written(tmp_path, text, names):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert csv_text.csv_columns(path) == names
    assert list(read_frame(path)) == names


TEXT = "id,city\n1,北京\n2,上海\n"


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv"])
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "utf-8-sig", "UTF8"])
def test_a_csv_of_any_encoding_reads_alike(tmp_path, name, encoding):
    path = tmp_path / name
    data = TEXT.replace(",", "\t" if name.endswith("tsv") else ",").encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert column_names(path, encoding=encoding) == ["id", "city"]
    assert read_frame(path, encoding=encoding)["city"].tolist() == ["北京", "上海"]
    assert read_frame(path, ["city"], encoding=encoding)["city"].tolist() == ["北京", "上海"]


def test_a_byte_order_mark_is_believed_before_the_encoding_that_was_named(tmp_path):
    for said, written in (("gb18030", "utf-8-sig"), ("latin-1", "utf-16"), (None, "utf-16")):
        path = tmp_path / "t.csv"
        path.write_bytes(TEXT.encode(written))
        assert read_frame(path, encoding=said)["city"].tolist() == ["北京", "上海"]


@pytest.mark.parametrize(
    ("written", "said", "place", "fix"),
    [
        ("gb18030", None, "byte 10 (line 2) is not UTF-8", "--encoding gb18030"),
        ("latin-1", None, "byte 11 (line 2) is not UTF-8", "--encoding latin-1"),
        ("utf-16-le", None, "NUL bytes", "utf-16"),
        ("utf-8", "ascii", "is not ASCII", "--encoding"),
    ],
)
def test_another_encoding_is_one_line_with_the_place_and_the_option(tmp_path, written, said, place, fix):
    path = tmp_path / "t.csv"
    path.write_bytes((TEXT if written != "latin-1" else "id,city\n1,Zürich\n2,Genève\n").encode(written))
    with pytest.raises(DataError) as caught:
        read_frame(path, encoding=said)
    text = one_line(caught)
    assert "t.csv" in text
    assert place in text
    assert fix in text


@pytest.mark.parametrize("name", ["klingon", "base64", "", "a\0b"])
def test_no_encoding_of_that_name(tmp_path, name):
    (tmp_path / "t.csv").write_text(TEXT, encoding="utf-8")
    with pytest.raises(UsageError, match="not a known encoding"):
        read_frame(tmp_path / "t.csv", encoding=name)


def test_tables_are_read_here_and_by_the_engine_where_a_docstring_says_why():
    readers = re.compile(r"\b(read_csv|read_parquet|read_excel|open_csv|ParquetFile|read_schema|pq\.read\w*)\(")
    root = Path(campaignrl.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if readers.search(path.read_text(encoding="utf-8")) and "tables/files" not in path.as_posix()
    }
    by_the_engine = {"profiles/intake/readers.py", "profiles/events/database.py", "calibration/purchase/rfm.py"}
    by_the_engine |= {"profiles/intake/lines.py", "profiles/live/refresh.py"}
    assert found == by_the_engine
    assert all("larger than" in (root / name).read_text(encoding="utf-8").split('"""')[1] for name in found)
