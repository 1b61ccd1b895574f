"""Intake and bad files: damaged, foreign, half written, strangely encoded; mistaken mappings; secrets; same bytes."""

import codecs
import datetime as dt
import gzip
import hashlib
import json

import duckdb
import pytest

from campaignrl.errors import DataError, SpecError, UnknownName, UsageError
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import load_intake_mapping, parse_intake_mapping
from campaignrl.profiles.intake.pseudonymisation import keyed_hash
from campaignrl.report.pages.data_quality import quality_page

AS_OF = dt.datetime(2024, 7, 1)
ORDERS = {"name": "orders", "file": "orders.csv", "customer": "id", "kind": "order", "ts": "ts", "amount": "amount"}


def take(folder, source=None, out="out", **settings):
    mapping = parse_intake_mapping({"source": [{**ORDERS, **(source or {})}]})
    return intake(mapping, folder, folder / out, AS_OF, **settings)


def write(folder, data, name="orders.csv"):
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


GOOD = "id,ts,amount\na,2024-01-01,1\nb,2024-01-02,2\n"


def test_a_byte_order_mark_and_crlf_are_left_out_and_told(tmp_path):
    write(tmp_path, codecs.BOM_UTF8 + GOOD.replace("\n", "\r\n").encode())
    result = take(tmp_path)
    assert result.events["customer_id"].tolist() == ["a", "b"]
    assert result.quality["sources"][0]["file_facts"] == {"byte_order_mark": True, "line_ends": ["CRLF"]}


def test_line_ends_may_be_mixed_and_cells_may_hold_them(tmp_path):
    write(tmp_path, 'id,ts,amount\r\n"a\nb",2024-01-01,1\r\nc,2024-01-01,2\nd,2024-01-01,3')
    result = take(tmp_path)
    assert result.events["customer_id"].tolist() == ["a\nb", "c", "d"]
    assert result.quality["sources"][0]["file_facts"]["line_ends"] == ["CRLF", "LF"]


def test_lines_that_are_no_rows_are_put_aside_with_their_line(tmp_path):
    write(
        tmp_path,
        b"id,ts,amount\na,2024-01-01,1\nshort,2024-01-01\nlong,2024-01-01,1,2\nb\xff,2024-01-01,1\nc,2024-01-01,1\n",
    )
    result = take(tmp_path)
    assert result.counts["orders"] == (5, 2, 3, 0, 0)
    assert list(zip(result.rejects["row"], result.rejects["reason"], strict=True)) == [
        (3, "too few cells in the line"),
        (4, "too many cells in the line"),
        (5, "bytes that are not in the encoding of the file"),
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "latin-1"])
def test_other_encodings(tmp_path, encoding):
    name = "é" if encoding == "latin-1" else "张三"
    write(tmp_path, GOOD.replace("a,", f"{name},").encode(encoding))
    result = take(tmp_path, {"encoding": encoding})
    assert sorted(result.events["customer_id"]) == sorted([name, "b"])


def test_bytes_outside_the_encoding_cost_their_row_only(tmp_path):
    write(tmp_path, "id,ts,amount\n张,2024-01-01,1\n".encode("gb18030") + b"\xff\xff,2024-01-01,1\nb,2024-01-01,1\n")
    result = take(tmp_path, {"encoding": "gb18030"})
    assert result.counts["orders"] == (3, 2, 1, 0, 0)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("orders.csv", b"", "is empty"),
        ("orders.csv", b"PAR1....PAR1", "not text but Parquet"),
        ("orders.csv", b"\x80\x04\x95.....", "a pickle, which is never opened"),
        ("orders.csv", gzip.compress(GOOD.encode(), mtime=0), "compressed by gzip"),
        ("orders.csv.gz", GOOD.encode(), "not compressed by gzip"),
        ("orders.csv.gz", gzip.compress(GOOD.encode() * 999, mtime=0)[:-40], "cannot be read"),
        ("orders.parquet", GOOD.encode(), "is not Parquet"),
        ("orders.parquet", b"PAR1" + b"\0" * 99 + b"PAR1", "cannot be read"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path, name, data, says):
    write(tmp_path, data, name)
    with pytest.raises(DataError, match=says) as wrong:
        take(tmp_path, {"file": name})
    assert "\n" not in str(wrong.value)
    assert [p.name for p in tmp_path.iterdir()] == [name], "nothing half written stays behind"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_parquet_cut_anywhere_is_one_line(tmp_path, share):
    duckdb.sql(
        "SELECT 'm' || i AS id, TIMESTAMP '2024-01-01' AS ts, 1.0 AS amount FROM range(5000) t(i)"
    ).write_parquet(str(tmp_path / "orders.parquet"))
    data = (tmp_path / "orders.parquet").read_bytes()
    write(tmp_path, data[: int(len(data) * share)], "orders.parquet")
    with pytest.raises(DataError, match=r"orders\.parquet") as wrong:
        take(tmp_path, {"file": "orders.parquet"})
    assert "\n" not in str(wrong.value)


def test_missing_files_folders_and_columns_are_named_with_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match=r"orders\.csv"):
        take(tmp_path)
    write(tmp_path, GOOD.replace("amount", "amuont"))
    with pytest.raises(DataError, match="Did you mean 'amuont'"):
        take(tmp_path)
    write(tmp_path, GOOD.replace("amount", "id"))
    with pytest.raises(DataError, match="named once"):
        take(tmp_path, {"amount": None})
    with pytest.raises(UnknownName, match="no folder"):
        take(tmp_path / "nowhere")


def test_an_older_result_stays_when_a_new_one_fails(tmp_path):
    write(tmp_path, GOOD)
    before = take(tmp_path)
    digests = {p.name: p.read_bytes() for p in before.folder.iterdir()}
    write(tmp_path, b"")
    with pytest.raises(DataError):
        take(tmp_path)
    assert {p.name: p.read_bytes() for p in before.folder.iterdir()} == digests


def test_the_manifest_names_every_file_by_its_digest(tmp_path):
    write(tmp_path, GOOD)
    result = take(tmp_path, page=quality_page)
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert set(manifest["files"]) | {"manifest.json"} == {p.name for p in result.folder.iterdir()}
    for name, facts in manifest["files"].items():
        assert hashlib.sha256((result.folder / name).read_bytes()).hexdigest() == facts["sha256"]


def test_the_same_bytes_for_any_number_of_threads_and_little_memory(tmp_path):
    """Several row groups, duplicates, ties in time; with 100 MB the sort spills."""
    duckdb.sql(
        "SELECT 'm' || hash(i % 9973) % 30011 AS id, TIMESTAMP '2024-01-01' + to_hours(CAST(hash(i) % 999 AS INT)) AS "
        "ts, CAST(hash(i + 7) % 5 AS VARCHAR) AS amount FROM range(300000) t(i)"
    ).write_parquet(str(tmp_path / "orders.parquet"))
    found = set()
    for threads, memory in ((1, "1GB"), (2, "100MB"), (4, "1GB")):
        result = take(tmp_path, {"file": "orders.parquet"}, f"out{threads}", threads=threads, memory=memory)
        assert result.counts["orders"].lost == 0
        assert result.counts["orders"].duplicates > 0
        found.add(tuple(hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(result.folder.iterdir())))
    assert len(found) == 1


def test_personal_cells_are_nowhere_in_clear(tmp_path, monkeypatch):
    key = "sixteen bytes or more"
    monkeypatch.setenv("CAMPAIGNRL_HASH_KEY", key)
    write(tmp_path, "id,ts,amount\n+86 13812345678,2024-01-01,1\n008613812345678,2024-01-01,x\n,2024-01-01,1\n")
    result = take(tmp_path, {"hash": {"id": "digits"}, "rules": {"duplicates": ["id"]}}, page=quality_page)
    assert result.events["customer_id"].tolist() == [keyed_hash(key.encode(), "+8613812345678")]
    everything = b"".join(p.read_bytes() for p in result.folder.iterdir())
    assert b"13812345678" not in everything
    assert key.encode() not in everything


def test_the_key_is_asked_for_and_never_shown(tmp_path, monkeypatch):
    write(tmp_path, GOOD)
    source = {"hash": {"id": "exact"}}
    monkeypatch.delenv("CAMPAIGNRL_HASH_KEY", raising=False)
    with pytest.raises(UsageError, match="CAMPAIGNRL_HASH_KEY"):
        take(tmp_path, source)
    monkeypatch.setenv("CAMPAIGNRL_HASH_KEY", "short")
    with pytest.raises(UsageError, match="the key has 5 bytes") as wrong:
        take(tmp_path, source)
    assert "short" not in str(wrong.value)
    monkeypatch.delenv("CAMPAIGNRL_HASH_KEY")
    (tmp_path / "key").write_bytes(b"a key of a file that is long enough\n")
    monkeypatch.setenv("CAMPAIGNRL_HASH_KEY_FILE", str(tmp_path / "key"))
    assert take(tmp_path, source).counts["orders"].kept == 2


MISTAKES = [
    ({"customer": None}, "customer"),
    ({"kind": "odrer"}, "Did you mean 'order'"),
    ({"kind": None}, "kind"),
    ({"file": "../orders.csv"}, "under the data folder"),
    ({"file": "orders.docx"}, "of a known kind"),
    ({"amount": {"expression": "__import__('os')"}}, "columns and numbers"),
    ({"amount": {"column": "a", "constant": 1}}, "exactly one way"),
    ({"rules": {"outliers": {"channel": {"rule": "keep", "low": 0}}}}, "a field of this source"),
    ({"rules": {"outliers": {"amount": {"rule": "keep"}}}}, "low and high, or as robust_z"),
    ({"rules": {"negative": "ignore"}}, "negative"),
    ({"header": False}, "columns"),
    ({"encoding": "martian"}, "a known encoding"),
    ({"colums": ["a"]}, "Did you mean 'columns'"),
    ({"ts": {"column": "ts", "zone": "Mars/Olympus"}}, "zone"),
]


@pytest.mark.parametrize(("change", "says"), MISTAKES, ids=[str(c)[:40] for c, _ in MISTAKES])
def test_mistakes_in_a_mapping(tmp_path, change, says):
    write(tmp_path, GOOD)
    source = {k: v for k, v in {**ORDERS, **change}.items() if v is not None}
    with pytest.raises(SpecError, match=says):
        intake(parse_intake_mapping({"source": [source]}), tmp_path, tmp_path / "out", AS_OF)


def test_all_mistakes_of_a_mapping_are_said_at_once():
    twice = {**ORDERS, "kind": "odrer"}
    with pytest.raises(SpecError) as wrong:
        parse_intake_mapping({"source": [{**twice, "amount": {"constant": 1, "column": "a"}}, twice], "idz": {}})
    assert {p.field for p in wrong.value.problems} >= {"kind", "number", "key"}


def test_a_source_with_a_mistake_is_not_also_called_absent():
    with pytest.raises(SpecError) as wrong:
        parse_intake_mapping({"source": [{**ORDERS, "customer": {"column": "id"}}]})
    assert [p.field for p in wrong.value.problems] == ["customer"]
    with pytest.raises(SpecError, match=r"at least one \[\[source\]\]"):
        parse_intake_mapping({"source": []})


def test_the_name_of_the_mapping_is_in_its_messages(tmp_path):
    (tmp_path / "shop.toml").write_text('[[source]]\nname = "x"\n')
    with pytest.raises(SpecError, match=r"shop\.toml"):
        load_intake_mapping(tmp_path / "shop.toml")
    with pytest.raises(UnknownName, match=r"Did you mean 'shop\.toml'"):
        load_intake_mapping(tmp_path / "shp.toml")


def test_hostile_names_are_text_on_the_page_and_in_the_tables(tmp_path):
    nasty = "<script>alert(1)</script>'; DROP TABLE x; --"
    cell = nasty.replace('"', '""')
    write(tmp_path, f'"{cell}",ts,amount\n"{cell}",2024-01-01,"{cell}"\n"{cell}",2024-01-01,2\n')
    result = take(tmp_path, {"name": nasty, "customer": nasty, "channel": nasty}, page=quality_page)
    assert result.events["customer_id"].tolist() == [nasty]
    assert result.events["source"].tolist() == [nasty]
    page = (result.folder / "quality.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
