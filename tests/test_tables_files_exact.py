"""Files to the last byte: what is refused and why, names that lead to one file, guesses of an encoding, expressions."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from campaignrl.errors import DataError, SpecError, UsageError
from campaignrl.tables.files import csv_text, locks
from campaignrl.tables.files.columns import category_codes, numbers, truths, whole_numbers
from campaignrl.tables.files.csv_text import csv_columns, delimiter_of, neutralised, restored, typed, write_csv
from campaignrl.tables.files.encodings import advice, first_bad_byte, known_encoding, marked
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.files.formats import _fault, is_parquet, refuse_foreign
from campaignrl.tables.files.whole_files import (
    as_text,
    parquet_note,
    parquet_writer,
    read_frame,
    read_table,
    require_apart,
    require_columns,
    write_frame,
    write_together,
    write_whole,
)


def column(*values, kind=None):
    return pa.chunked_array([pa.array(values, kind)])


# ---- names that lead to one file


def test_an_output_is_another_file_than_inputs_and_other_outputs(tmp_path):
    one, two, folder = tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "folder"
    one.write_text("a\n")
    folder.mkdir()
    os.symlink(one, tmp_path / "link.csv")
    os.link(one, tmp_path / "hard.csv")
    require_apart({"--out": two, "--report": None}, {"log": one, "table": None})
    require_apart({"--out": two}, {"log": folder})
    require_apart({}, {"log": one})
    same = [one, tmp_path / "link.csv", tmp_path / "hard.csv", tmp_path / "folder" / ".." / "one.csv"]
    for out in same:
        with pytest.raises(UsageError, match="another file than log"):
            require_apart({"--out": out}, {"log": one})
    with pytest.raises(UsageError, match="another file than log"):
        require_apart({"--out": folder / "deep" / "x.csv"}, {"log": folder})
    with pytest.raises(UsageError) as both:
        require_apart({"--out": one, "--report": two, "--table": two}, {"log": one})
    assert [(p.where, p.allowed) for p in both.value.problems] == [
        ("--out", "another file than log"),
        ("--table", "another file than --report"),
    ]


# ---- what a file is


@pytest.mark.parametrize(
    ("name", "parquet"),
    [("a.parquet", True), ("a.PQ", True), ("a.csv", False), ("a.csv.gz", False), ("a.TSV", False)],
)
def test_formats_by_name(name, parquet):
    assert is_parquet(Path(name)) is parquet
    with pytest.raises(DataError, match=r"a name that ends in \.parquet"):
        is_parquet(Path(name + ".x"))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", b"", "is empty: not even a header."),
        ("a.csv", b"PAR1....PAR1", "is not text but Parquet (rename it to .parquet)."),
        ("a.csv", b"PK\x03\x04", "is not text but a zip archive."),
        ("a.csv", b"\x80\x04", "is not text but a pickle, which is never opened."),
        ("a.csv", b"\x1f\x8b", "is not text but compressed by gzip."),
        ("a.csv.gz", b"a,b\n", "is not compressed by gzip but something else."),
        ("a.csv.gz", b"\x1f\x8b", ""),
        ("a.parquet", b"a,b\n", "is not Parquet but something else."),
        ("a.parquet", b"PK\x03\x04", "is not Parquet but a zip archive."),
        ("a.parquet", b"PAR1PAR1", "is cut short: the end of the Parquet file is missing."),
        ("a.parquet", b"PAR1.........PAR", "is cut short: the end of the Parquet file is missing."),
        ("a.parquet", b"PAR1....PAR1", ""),
        ("a.csv", b"a,b\n", ""),
        ("a.csv", b"abc", ""),
    ],
)
def test_faults_of_the_first_and_last_bytes(tmp_path, name, data, said):
    path = tmp_path / name
    path.write_bytes(data)
    assert _fault(path, is_parquet(path), "utf-8") == said
    if said:
        with pytest.raises(DataError) as wrong:
            refuse_foreign(path)
        assert str(wrong.value) == f"{path}: {said}"


def test_nul_bytes_are_letters_of_a_wide_encoding_alone(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n".encode("utf-16-le"))
    assert "it holds NUL bytes" in _fault(path, False, "utf-8")
    assert "not UTF-8" in _fault(path, False, "utf-8")
    assert _fault(path, False, "utf-16") == ""
    assert _fault(path, False, "utf-32") == ""
    path.write_bytes("a,b\n".encode("utf-16"))
    assert _fault(path, False, "utf-8") == ""  # its mark says so


def test_a_folder_is_no_file_and_a_missing_one_has_neighbours(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is not a file"):
        refuse_foreign(tmp_path / "folder.csv")
    (tmp_path / "orders.csv").write_text("a\n")
    (tmp_path / "orders.txt").write_text("a\n")
    with pytest.raises(Exception, match=r"Did you mean 'orders\.csv'") as wrong:
        refuse_foreign(tmp_path / "order.csv")
    assert "orders.txt" not in str(wrong.value)
    with pytest.raises(Exception, match="no file"):
        refuse_foreign(tmp_path / "nowhere" / "orders.csv")


# ---- encodings


def test_the_guess_counts_accents_that_stand_alone():
    lone, pair = b"\xe9", b"\xd6\xd0"
    assert "--encoding latin-1 (or gb18030, utf-16)" in advice(lone + b"a" + lone + b"a" + pair)
    assert "--encoding gb18030 (or utf-16, latin-1)" in advice(lone + b"a" + pair)  # half of them are not most
    assert "--encoding gb18030" in advice(pair + b"a" + pair + b"a" + lone)
    assert "--encoding gb18030" in advice(b"plain")
    assert "--encoding utf-16 " in advice("a".encode("utf-16"))
    assert "--encoding utf-8 (or gb18030, utf-16)" in advice(lone + b"a", "latin-1")
    far = b"a" * 65_536 + (lone + b"a") * 10
    assert "--encoding gb18030" in advice(far)  # only the beginning is looked at
    assert "--encoding latin-1" in advice(far[10:])


def test_the_place_of_a_bad_byte():
    assert first_bad_byte(b"abc", "utf-8") == ""
    said = first_bad_byte(b"ab\ncd\ne\xe9", "utf-8")
    assert said.startswith("byte 7 (line 3) is not UTF-8. Say how it is written")


def test_names_of_encodings():
    assert [known_encoding(name) for name in (None, "UTF8", "utf-8-sig", "latin-1", "GB18030")] == [
        "utf-8",
        "utf-8",
        "utf-8",
        "iso8859-1",
        "gb18030",
    ]
    for name in ("hex", "rot13", "nonsense", "a\0b"):
        with pytest.raises(UsageError, match="not a known encoding"):
            known_encoding(name)
    assert marked(b"abc", "latin-1") == "latin-1"
    assert marked("abc".encode("utf-16"), "latin-1").startswith("utf-16")


# ---- text


def test_the_first_line_is_found_however_long_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_text, "HEAD", 16)
    names = [f"column_{i}" for i in range(50)]
    path = tmp_path / "a.csv"
    path.write_text("\n\n" + ",".join(names) + "\n" + ",".join("1" * 50) + "\n")
    assert csv_columns(path) == names
    path.write_text(",".join(names) + "\n" + ",".join("1" * 50))  # the last line does not end
    assert csv_columns(path) == names
    path.write_text('"a\nb",c\n1,2\n')
    assert csv_columns(path) == ["a\nb", "c"]


def test_delimiters():
    assert [delimiter_of(Path(name)) for name in ("a.csv", "a.tsv", "a.tsv.gz", "a.csv.gz")] == [",", "\t", "\t", ","]


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", " 2 ", ""], "int64", [1, 2, None]),
        (["1.5", "NA", "2"], "double", [1.5, None, 2.0]),
        (["true", "false", "null"], "bool", [True, False, None]),
        (["007", "1"], "string", ["007", "1"]),
        (["0", "1"], "int64", [0, 1]),
        (["123456789012345", "1"], "int64", [123456789012345, 1]),
        (["1234567890123456", "1"], "string", ["1234567890123456", "1"]),
        (["+01", "1"], "string", ["+01", "1"]),
        (["", "NA"], "string", ["", "NA"]),
        (["a", "1"], "string", ["a", "1"]),
        ([], "string", []),
    ],
)
def test_a_column_becomes_numbers_only_where_nothing_is_lost(cells, kind, values):
    found = typed(column(*cells, kind=pa.string()))
    assert (str(found.type), found.to_pylist()) == (kind, values)


def test_formulas_are_quoted_and_come_back():
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''-2", "plain", "'plain", ""]
    safe = neutralised(pd.Series(cells, dtype=object))
    assert safe.tolist() == [*("'" + c for c in cells[:8]), *cells[8:]]
    assert restored(column(*safe)).to_pylist() == cells
    mixed = neutralised(pd.Series([-1, "=a"], dtype=object, index=[7, 9]))
    assert (mixed.tolist(), mixed.index.tolist()) == ([-1, "'=a"], [7, 9])


def test_text_files_are_the_same_bytes_compressed_or_not(tmp_path):
    frame = pd.DataFrame({"=a": ["x", "-1"], "n": [-1, 2], "c": pd.Categorical(["=p", "q"])}, index=[4, 5])
    write_frame(frame, tmp_path / "a.csv")
    write_frame(frame, tmp_path / "a.csv.gz")
    write_frame(frame, tmp_path / "a.tsv")
    assert (tmp_path / "a.csv").read_bytes() == b"'=a,n,c\nx,-1,'=p\n'-1,2,q\n"
    assert (tmp_path / "a.tsv").read_bytes() == b"'=a\tn\tc\nx\t-1\t'=p\n'-1\t2\tq\n"
    packed = (tmp_path / "a.csv.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.csv").read_bytes()
    assert packed[4:8] == bytes(4)  # no time of writing
    write_frame(pd.DataFrame({"a": ["x\ry", "z"], "n": [1, 2]}), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == b'"a","n"\n"x\ry",1\n"z",2\n'
    assert read_frame(tmp_path / "b.csv")["a"].tolist() == ["x\ry", "z"]
    with pytest.raises(DataError, match="NUL"):
        write_csv(pd.DataFrame({"a": ["\0"]}), tmp_path / "c.csv", io.BytesIO())


def test_some_columns_in_the_order_asked_for(tmp_path):
    for name in ("a.csv", "a.parquet"):
        write_frame(pd.DataFrame({"a": ["1", "2"], "b": [3, 4], "c": [5.5, 6.5]}), tmp_path / name)
        assert read_table(tmp_path / name, ["c", "a"]).column_names == ["c", "a"]
        assert read_table(tmp_path / name).column_names == ["a", "b", "c"]
        assert read_frame(tmp_path / name, ["b"]).to_dict("list") == {"b": [3, 4]}
        assert read_frame(tmp_path / name, ["b"], text=["b"]).to_dict("list") == {"b": ["3", "4"]}
        with pytest.raises(DataError) as wrong:
            read_table(tmp_path / name, ["x", "a", "y", "x"])
        assert [p.value for p in wrong.value.problems] == ["x", "y"]
    require_columns("t", ["a"], ["a", "b"])


def test_a_column_that_is_named_twice_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,a\n1,2,3\n")
    with pytest.raises(DataError, match="column = 'a' is not named once"):
        read_table(tmp_path / "a.csv")


def test_parquet_files_say_what_was_noted_and_hold_checksums(tmp_path):
    schema = pa.schema([("a", pa.string()), ("ids", pa.list_(pa.int16())), ("p", pa.float64())], metadata={b"k": b"v"})
    table = pa.table({"a": ["x"] * 100, "ids": [[1, 2]] * 100, "p": [0.5] * 100}, schema=schema)
    with open(tmp_path / "a.parquet", "wb") as out, parquet_writer(schema, out, plain=["p"]) as writer:
        writer.write_table(table)
    assert parquet_note(tmp_path / "a.parquet", b"k") == b"v"
    assert parquet_note(tmp_path / "a.parquet", b"other") is None
    group = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0)
    dictionary = {group.column(i).path_in_schema: group.column(i).has_dictionary_page for i in range(3)}
    assert dictionary == {"a": True, "ids.list.element": True, "p": False}
    assert {group.column(i).compression for i in range(3)} == {"ZSTD"}
    write_frame(pd.DataFrame({"a": [1]}), tmp_path / "b.parquet")
    assert pq.read_schema(tmp_path / "b.parquet").metadata is None
    assert parquet_note(tmp_path / "b.parquet", b"k") is None


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (column(17.0, None, 2.0), ["17", "", "2"]),
        (column(17.5, 2.0), ["17.5", "2"]),
        (column(17, None, kind=pa.int8()), ["17", ""]),
        (column("a", None), ["a", ""]),
        (column("a", "b", "a").dictionary_encode(), ["a", "b", "a"]),
    ],
)
def test_ids_as_text(cells, texts):
    assert as_text(cells).to_pylist() == texts


# ---- cells


def test_cells_that_are_no_numbers_are_named_and_stand_as_nothing():
    found = numbers(column("1", "x", " 2.5 ", "", "1e3"), "n", "t")
    assert np.array_equal(found.values, [1.0, np.nan, 2.5, np.nan, 1000.0], equal_nan=True)
    assert [str(p) for p in found.problems] == ["t row 1: n = 'x' is not a number."]
    assert numbers(column(None, None, kind=pa.string()), "n", "t").problems == []
    found = truths(column("yes", "TRUE", "0", "1.0"), "n", "t")
    assert found.values.tolist() == [False, True, False, False]
    assert found.problems[0].where == "t rows 0, 3"
    assert truths(column(2, 0, kind=pa.int8()), "n", "t").problems[0].where == "t row 0"
    found = whole_numbers(column(1.0, 2.5, float("inf"), None), "n", "t")
    assert found.values.tolist() == [1, 0, 0, 0]
    assert [p.where for p in found.problems] == ["t rows 1, 2", "t row 3"]
    large = whole_numbers(column(str(2**53 + 1), "1.0"), "n", "t")
    assert large.values[1] == 1


def test_codes_of_texts():
    assert category_codes(column("b", "a", "", None, "c"), ["a", "b"]).tolist() == [1, 0, -1, -1, -1]


# ---- expressions


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a + 2 * b", [9.0, 10.0]),
        ("(a - b) / 2", [-1.5, -1.0]),
        ("-a - -b", [3.0, 2.0]),
        ("a / 0", [np.inf, np.inf]),
        (" a ", [1.0, 2.0]),
        ("a - b - 1", [-4.0, -3.0]),
    ],
)
def test_arithmetic(text, values):
    found = compile_expression(text, "here").of({"a": np.array([1.0, 2.0]), "b": np.array([4.0, 4.0])})
    assert found.tolist() == values


def test_what_is_no_arithmetic_is_refused():
    for text in ("a ** 2", "a // 2", "a % 2", "f(a)", "a.b", "a and b", "True * a", "'x' + a", "+a", "a <", "a, b"):
        with pytest.raises(SpecError, match="columns and numbers joined"):
            compile_expression(text, "here")
    with pytest.raises(SpecError, match="Name at least one column"):
        compile_expression("1 + 2", "here")
    assert compile_expression("b + a + b", "here").columns == ("b", "a")
    assert compile_expression("a" * 1000, "here").columns == ("a" * 1000,)
    with pytest.raises(SpecError, match="at most 1000 characters"):
        compile_expression("a" * 1001, "here")


def test_folders_that_are_not_there_are_made_and_files_that_belong_together_change_together(tmp_path):
    deep = tmp_path / "a" / "b" / "c.csv"
    write_frame(pd.DataFrame({"a": [1]}), deep)
    assert deep.read_bytes() == b"a\n1\n"
    one, last = tmp_path / "one", tmp_path / "last"
    write_together({one: lambda out: out.write(b"1"), last: lambda out: out.write(b"2")})
    seen = []

    def look(out):
        seen.append((one.read_bytes(), last.read_bytes()))
        out.write(b"4")

    write_together({one: lambda out: out.write(b"3"), last: look})
    assert seen == [(b"1", b"2")]  # nothing has changed before all is written
    assert (one.read_bytes(), last.read_bytes()) == (b"3", b"4")

    def fails(out):
        raise OSError(28, "No space left on device")

    with pytest.raises(UsageError, match=r"last: cannot be written: No space left on device"):
        write_together({one: lambda out: out.write(b"5"), last: fails})
    with pytest.raises(UsageError, match=r"a: cannot be written: it is a folder"):
        write_together({one: lambda out: out.write(b"5"), tmp_path / "a": look})
    assert (one.read_bytes(), last.read_bytes()) == (b"3", b"4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "last", "one"]


def test_line_ends_within_quotes_are_no_row_ends_however_large_the_file(tmp_path):
    """Several blocks of the parser, which cuts them at line ends."""
    rows, cell = 30_000, "a\n" * 30
    path = tmp_path / "a.csv"
    path.write_text("x,n\n" + "".join(f'"{cell}",{i}\n' for i in range(rows)))
    assert path.stat().st_size > 1 << 20
    table = read_table(path)
    assert table.num_rows == rows
    assert table["n"].to_pylist() == [str(i) for i in range(rows)]
    assert set(table["x"].to_pylist()) == {cell}


# ---- written together, and by one at a time


def test_of_files_that_belong_together_the_last_is_gone_while_the_others_change(tmp_path, monkeypatch):
    first, last = tmp_path / "a", tmp_path / "b"
    for path in (first, last):
        path.write_text("old")
    replace, seen = os.replace, []

    def watched(part, target):
        seen.append((Path(target).name, first.exists(), last.exists()))
        replace(part, target)

    monkeypatch.setattr(os, "replace", watched)
    write_together({first: lambda out: out.write(b"1"), last: lambda out: out.write(b"2")})
    assert seen == [("a", True, False), ("b", True, False)]
    assert (first.read_text(), last.read_text()) == ("1", "2")
    seen.clear()
    write_whole(first, lambda out: out.write(b"3"))
    assert seen == [("a", True, True)]  # a file alone stays until the new one takes its place
    assert first.read_text() == "3"


def test_one_at_a_time_holds_a_lock_that_tells_who_has_it(tmp_path):
    lock, of = tmp_path / "deep" / "er" / "lock", tmp_path / "thing"
    with locks.alone(lock, where="here", field="thing", of=of):
        assert lock.read_text().startswith(f"process {os.getpid()} since ")
        with pytest.raises(UsageError) as busy, locks.alone(lock, where="here", field="thing", of=of, patience=0.0):
            pass
        assert f"Wait for it, or stop it: process {os.getpid()} since " in str(busy.value)
    lock.write_text("a longer text than the one that is written into it, by far, so that none of it may stay there")
    with locks.alone(lock, where="here", field="thing", of=of, patience=0.0):
        assert "longer" not in lock.read_text()
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match="cannot be written"),
        locks.alone(tmp_path / "file" / "lock", where="here", field="thing", of=of),
    ):
        pass


def test_a_header_of_200_000_columns_is_refused_by_its_size(tmp_path):
    wide = tmp_path / "wide.csv"
    wide.write_text("customer_id," + ",".join(f"c{i}" for i in range(200_000)) + "\na\n", encoding="utf-8")
    with pytest.raises(DataError) as refused:
        csv_text.csv_columns(wide)
    assert "wide.csv, line 1: header" in str(refused.value)
    assert "at most 1,048,576" in str(refused.value)
