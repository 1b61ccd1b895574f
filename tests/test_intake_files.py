"""Files as they come: workbooks, archives, folders, any encoding and separator, JSON, lines that go on."""

import datetime as dt
import gzip
import json
import zipfile

import pytest

from campaignrl.errors import DataError, UnknownName
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.profiles.intake.quality import in_a_line
from campaignrl.tables.files.encodings import found_encoding
from campaignrl.tables.files.workbooks import workbook_as_csv

AS_OF = dt.datetime(2030, 1, 1)
ORDERS = {"name": "o", "file": "o.csv", "customer": "id", "kind": "order", "ts": "t", "amount": "amt"}
TEXT = "id,t,amt\na,2024-01-01,1\nb,2024-01-02,2\n"


def take(folder, changes=(), **top):
    mapping = parse_intake_mapping({**top, "source": [{**ORDERS, **dict(changes)}]})
    return intake(mapping, folder, folder / "out", AS_OF)


def rows_of(result):
    frame = result.events
    return sorted(zip(frame["customer_id"], frame["amount"], strict=True))


CHINESE = "会员号,时间,短信授权\n会员一,2024-01-01,是\n李四,2024-01-02,否\n王五,2024-01-03,\n"
GERMAN = "Kunde;Datum;Betrag\nMüller;03.11.2024 10:00;1.234,50\nJäger;04.11.2024 10:00;12,50\n"


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "latin-1", "cp1252"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        ("姓名,城市\n陳大文,臺北市\n林小明,高雄市\n許志偉,新竹縣\n", "big5", "big5"),
        ("имя,город\nИван,Москва\nОльга,Казань\nПётр,Тверь\n", "cp1251", "cp1251"),
        ("id,t\na,2024\n", "ascii", "utf-8"),
    ],
)
def test_the_encoding_is_found(text, encoding, found):
    assert found_encoding(text.encode(encoding)) == found


def test_a_letter_cut_in_half_and_a_few_bad_bytes_leave_it_utf8():
    data = ("张三李四" * 50).encode()
    assert found_encoding(data[:-1]) == "utf-8"
    assert found_encoding(data + b"\xff\xfe,") == "utf-8"
    assert found_encoding(b"id\n\xff,1\n") == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_members_of_any_encoding_keep_their_consents_and_the_encoding_is_told(tmp_path, encoding):
    (tmp_path / "m.csv").write_bytes(CHINESE.encode(encoding))
    source = {
        "name": "members", "file": "m.csv", "rows": "attributes", "customer": "会员号",
        "attributes": {"consent_sms": "短信授权"},
    }  # fmt: skip
    result = intake(parse_intake_mapping({"source": [source]}), tmp_path, tmp_path / "out", AS_OF)
    known = result.attributes.set_index("customer_id")["consent_sms"]
    assert {name: None if value is None else value for name, value in known.items() if value in (True, False)} == {
        "会员一": True, "李四": False,
    }  # fmt: skip
    assert len(known) == 3
    said = in_a_line(result.quality["sources"][0])
    assert ("found to be" in said) == (encoding not in ("utf-8", "utf-8-sig"))


def test_a_word_of_the_mapping_is_believed_before_the_look(tmp_path):
    (tmp_path / "o.csv").write_bytes(TEXT.replace("a,", "é,").encode("latin-1"))
    assert rows_of(take(tmp_path, {"encoding": "cp1250"})) == [("b", 2.0), ("é", 1.0)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_found_and_told(tmp_path, separator):
    (tmp_path / "o.csv").write_text(TEXT.replace(",", separator), encoding="utf-8")
    result = take(tmp_path)
    assert rows_of(result) == [("a", 1.0), ("b", 2.0)]
    assert ("separator" in in_a_line(result.quality["sources"][0])) == (separator != ",")


def test_german_exports_need_their_decimal_comma_and_their_dates_said(tmp_path):
    (tmp_path / "o.csv").write_bytes((GERMAN + "Öz;31.11.2024 10:00;5,00\n").replace("\n", "\r\n").encode("cp1252"))
    said = {"customer": "Kunde", "ts": {"column": "Datum", "format": "%d.%m.%Y %H:%M"}, "amount": "Betrag"}
    result = take(tmp_path, {**said, "decimal": ","})
    assert rows_of(result) == [("Jäger", 12.5), ("Müller", 1234.5)]
    assert result.rejects["value"].tolist() == ["31.11.2024 10:00"]


def test_archives_folders_and_names_with_stars_are_their_files(tmp_path):
    daily = tmp_path / "daily"
    daily.mkdir()
    days = {"01.csv": "a,2024-01-01,1", "02.csv": "b,2024-01-02,2", "03.csv.gz": "c,2024-01-03,3"}
    for name, row in days.items():
        data = f"id,t,amt\n{row}\n".encode()
        (daily / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith("gz") else data)
    (daily / ".hidden.csv").write_text("nothing", encoding="utf-8")
    three = [("a", 1.0), ("b", 2.0), ("c", 3.0)]
    assert rows_of(take(tmp_path, {"file": "daily"})) == three
    assert rows_of(take(tmp_path, {"file": "daily/0*.csv*"})) == three
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in days:
            archive.write(daily / name, f"../../x/{name}")
        archive.writestr("__MACOSX/._01.csv", b"\0\1")
    result = take(tmp_path, {"file": "all.zip"})
    assert rows_of(result) == three
    assert not (tmp_path.parent / "x").exists()
    assert [one["file"] for one in result.quality["sources"][0]["files"]] == [
        f"all.zip/../../x/{name}" for name in days
    ]
    with pytest.raises(UnknownName, match="Looked in"):
        take(tmp_path, {"file": "daily/9*.csv"})


def test_a_refused_row_is_named_with_its_file_and_a_repeated_one_with_the_other(tmp_path):
    (tmp_path / "o1.csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "o2.csv").write_text("id,t,amt\nb,2024-01-02,2\nc,2024-01-02,x\n", encoding="utf-8")
    rejects = take(tmp_path, {"file": "o?.csv"}).rejects
    assert rejects[["file", "row", "reason"]].to_numpy().tolist() == [
        ["o2.csv", 1, "duplicate of row 2 of o1.csv"],
        ["o2.csv", 2, "not a number that an amount can be"],
    ]


def test_the_same_file_twice_in_a_folder_is_read_once(tmp_path):
    for name in ("o1.csv", "o2.csv"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    assert take(tmp_path, {"file": "o?.csv", "rules": {"duplicates": "keep"}}).counts["o"].rows == 2


def test_archives_that_are_made_to_fill_a_disk_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "o.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for k in range(40):
            archive.writestr(f"{k}.csv", b"\0" * (16 << 20))
    with pytest.raises(DataError, match="more than an export would"):
        take(tmp_path, {"file": "o.zip"})
    (tmp_path / "o.zip").write_bytes(b"PK\3\4 and nothing else")
    with pytest.raises(DataError, match="cannot be read"):
        take(tmp_path, {"file": "o.zip"})


XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def workbook(path, sheets):
    """The smallest workbook: name -> (rows of texts and numbers, merged ranges); a number of style 1 is a date."""
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as out:
        kinds = "".join(
            f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="application/vnd.openxmlformats-'
            f'officedocument.spreadsheetml.worksheet+xml"/>'
            for i, _ in enumerate(names, 1)
        )
        out.writestr(
            "[Content_Types].xml",
            f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.'
            'openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/'
            f'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{kinds}</Types>',
        )
        out.writestr(
            "_rels/.rels",
            f'{XML}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        tabs = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in enumerate(names, 1))
        out.writestr(
            "xl/workbook.xml", f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{tabs}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i, _ in enumerate(names, 1)
        )
        links += f'<Relationship Id="s" Type="{OFFICE}/styles" Target="styles.xml"/>'
        out.writestr(
            "xl/_rels/workbook.xml.rels", f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'
        )
        out.writestr(
            "xl/styles.xml",
            f'{XML}<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/>'
            '<xf numFmtId="14"/></cellXfs></styleSheet>',
        )
        for i, (rows, merged) in enumerate(sheets.values(), 1):
            body = "".join(
                f'<row r="{r}">' + "".join(_cell(f"{'ABCDEFG'[c]}{r}", value) for c, value in enumerate(row)) + "</row>"
                for r, row in enumerate(rows, 1)
            )
            ranges = "".join(f'<mergeCell ref="{one}"/>' for one in merged)
            more = f"<mergeCells>{ranges}</mergeCells>" if merged else ""
            out.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'{XML}<worksheet xmlns="{MAIN}"><sheetData>{body}</sheetData>{more}</worksheet>',
            )


def _cell(place, value):
    if value is None:
        return ""
    if isinstance(value, dt.date):
        return f'<c r="{place}" s="1"><v>{(value - dt.date(1899, 12, 30)).days}</v></c>'
    if isinstance(value, int | float):
        return f'<c r="{place}"><v>{value}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_workbook_with_a_title_dates_and_ids_as_numbers(tmp_path):
    rows = [
        ["一月订单"],
        ["id", "t", "amt"],
        ["007", "2024/1/5 14:03", "¥1,234.50"],
        [12346, dt.date(2024, 1, 9), 12.5],
        [13800138000, 45300, 3],
        ["x", None, 1],
    ]
    workbook(tmp_path / "o.xlsx", {"说明": ([["read me"]], []), "订单": (rows, ["A1:C1"])})
    result = take(tmp_path, {"file": "o.xlsx"}, currency="CNY")
    frame = result.events.set_index("customer_id")
    assert frame["amount"].to_dict() == {"007": 1234.5, "12346": 12.5, "13800138000": 3.0}
    assert frame["ts"]["12346"] == frame["ts"]["13800138000"] == dt.datetime(2024, 1, 9)
    assert result.rejects["reason"].tolist() == ["no time"]
    facts = result.quality["sources"][0]["files"][0]
    assert (facts["sheet"], facts["other_sheets"], facts["rows_before_the_header"]) == ("订单", ["说明"], 1)
    assert "sheet 订单" in in_a_line(result.quality["sources"][0])


def test_a_table_that_begins_within_its_sheet_is_that_table(tmp_path):
    """Two empty rows and an empty column before it; a place is counted on the sheet, where cells are merged."""
    rows = [[], [], [None, "id", "t", "amt"], [None, "a", "2024-01-01", 1], [None, None, "2024-01-02", 2]]
    workbook(tmp_path / "o.xlsx", {"one": (rows, ["B4:B5"])})
    facts = workbook_as_csv(tmp_path / "o.xlsx", None, tmp_path / "o.csv")
    assert facts == {"sheet": "one"}
    assert (tmp_path / "o.csv").read_text() == "id,t,amt\na,2024-01-01,1\na,2024-01-02,2\n"


def test_a_sheet_by_name_and_workbooks_that_are_none(tmp_path):
    table = [["id", "t", "amt"], ["a", "2024-01-01", 1]]
    workbook(tmp_path / "o.xlsx", {"one": ([*table, ["b", "2024-01-01", 2]], []), "two": (table, [])})
    assert rows_of(take(tmp_path, {"file": "o.xlsx", "sheet": "two"})) == [("a", 1.0)]
    with pytest.raises(UnknownName, match="Did you mean 'two'"):
        take(tmp_path, {"file": "o.xlsx", "sheet": "tow"})
    (tmp_path / "o.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(DataError, match="cannot be read as a workbook"):
        take(tmp_path, {"file": "o.xlsx"})


PAYS = [
    {"uid": "u1", "event": "pay", "time": 1704412800000, "props": {"amount": 12.5, "items": [
        {"cat": "tea", "price": 5}, {"cat": "cup", "price": 7.5}]}},
    {"uid": "u2", "event": "view", "time": 1704412900000, "props": {"page": "x"}},
    {"uid": 7, "event": "pay", "time": 1704412800000, "props": {"amount": 1, "items": [{"cat": "pot", "price": 1}]}},
]  # fmt: skip
JSON = {
    "file": "e.json", "customer": "uid", "ts": {"column": "time", "unit": "milliseconds"}, "amount": "props.amount",
    "category": "props.items.0.cat", "kind": {"column": "event", "values": {"pay": "order", "view": "visit"}},
}  # fmt: skip


@pytest.mark.parametrize("array", [True, False])
def test_an_array_of_objects_reads_as_an_object_a_line(tmp_path, array):
    lines = "\n".join(json.dumps(one) for one in PAYS)
    (tmp_path / "e.json").write_text(json.dumps(PAYS, indent=2) if array else lines, encoding="utf-8")
    result = take(tmp_path, JSON)
    frame = result.events.set_index("customer_id")
    assert frame["kind"].to_dict() == {"7": "order", "u1": "order", "u2": "visit"}
    assert frame["amount"].dropna().to_dict() == {"7": 1.0, "u1": 12.5}
    assert frame["category"].dropna().to_dict() == {"7": "pot", "u1": "tea"}
    each = {"each": "props.items", "category": "props.items.cat", "amount": "props.items.price"}
    every = take(tmp_path, {**JSON, **each}).events
    assert sorted(zip(every["category"].dropna(), every["amount"].dropna(), strict=True)) == [
        ("cup", 7.5), ("pot", 1.0), ("tea", 5.0),
    ]  # fmt: skip
    assert len(every) == 4  # a view without items is a row of its own


def test_what_is_no_object_in_an_array_is_refused(tmp_path):
    (tmp_path / "e.json").write_text(json.dumps([*PAYS, 5, "x"]), encoding="utf-8")
    assert take(tmp_path, JSON).counts["o"]._asdict() == {
        "rows": 5, "kept": 3, "rejected": 2, "duplicates": 0, "merged": 0,
    }  # fmt: skip


SHOPIFY = """Name,Email,Paid at,Total,Lineitem name,Lineitem price
#1001,ann@example.org,2024-03-09 23:30:00 -0500,30.00,Mug,10.00
#1001,ann@example.org,,,"Tea, green",10.00
#1001,,,,Lid,1.00
#1002,ann@example.org,2024-03-10 02:30:00 -0500,20.00,Mug,20.00
#1003,bob@example.org,2024-03-11 09:00:00 -0400,"1,234.50","Pot ""XL""
two lines",1234.50
#1004,,2024-03-12 09:00:00 -0400,15.00,Mug,15.00
"""


def test_lines_that_continue_an_order_belong_to_its_first_line(tmp_path):
    (tmp_path / "o.csv").write_text(SHOPIFY, encoding="utf-8")
    rules = {"merge": ["Name"], "missing": {"amount": "drop_field"}}
    result = take(tmp_path, {"customer": "Email", "ts": "Paid at", "amount": "Total", "rules": rules})
    assert rows_of(result) == [("ann@example.org", 20.0), ("ann@example.org", 30.0), ("bob@example.org", 1234.5)]
    assert result.events["ts"].min() == dt.datetime(2024, 3, 10, 4, 30)
    assert result.counts["o"]._asdict() == {"rows": 6, "kept": 3, "rejected": 1, "duplicates": 0, "merged": 2}
    assert result.rejects["reason"].tolist() == ["no customer id"]
    assert result.quality["sources"][0]["repairs"] == {"ids or time from the first line of its order": 2}
