"""Cells as exports write them: money, dates, zones, phones and ids are read right, or refused with why."""

import datetime as dt

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.profiles.intake.moments import as_moment
from campaignrl.profiles.intake.pseudonymisation import phone_form
from campaignrl.profiles.intake.sql_text import Steps
from campaignrl.profiles.intake.sql_values import Writing, as_number

AS_OF = dt.datetime(2030, 1, 1)
ORDERS = {"name": "o", "file": "o.csv", "customer": "id", "kind": "order", "ts": "t", "amount": "amt"}
KEY = b"a key of sixteen bytes or more"


def take(folder, text, changes=(), **top):
    (folder / "o.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    mapping = parse_intake_mapping({**top, "source": [{**ORDERS, **dict(changes)}]})
    return intake(mapping, folder, folder / "out", AS_OF, key=KEY)


def moments(cells, zone=None):
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute("CREATE TABLE cells AS SELECT unnest(?) AS x, generate_subscripts(?, 1) AS n", [cells, cells])
        steps = Steps()
        value = steps(as_moment("x", zone, steps).value)
        return [row[0] for row in con.execute(f"SELECT {value} FROM {steps.over('cells')} ORDER BY n").fetchall()]


def numbers(cells, written):
    with duckdb.connect() as con:
        con.execute("CREATE TABLE cells AS SELECT unnest(?) AS x, generate_subscripts(?, 1) AS n", [cells, cells])
        return [row[0] for row in con.execute(f"SELECT {as_number('x', written)} FROM cells ORDER BY n").fetchall()]


D5, D8 = dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 8)
READ = {
    "2024-01-05": D5, "2024-1-5": D5, "2024/01/05": D5, "2024/1/5": D5, "2024.01.05": D5, "20240105": D5,
    "5-Jan-24": D5, "05 Jan 2024": D5, "January 5, 2024": D5, "Fri, 05 Jan 2024": D5, "2024年1月8日": D8, "45299": D8,
    "２０２４－０１－０５": D5, "1704412800": D5, "1704412800000": D5, "5-Jan-99": dt.datetime(1999, 1, 5),
    "2024-01-05 08:30": D5.replace(hour=8, minute=30), "2024/1/5 14:03": D5.replace(hour=14, minute=3),
    "2024-01-05T08:00:00.25": D5.replace(hour=8, microsecond=250_000), 
    "20240105080910": D5.replace(hour=8, minute=9, second=10),
    "2024-01-05 0800": D5.replace(hour=8), "45296.5": D5.replace(hour=12),
    "2024-01-05 08:00:00 AM": D5.replace(hour=8), "2024-01-05 08:00:00 PM": D5.replace(hour=20),
    "2024-01-05 12:00 AM": D5, "2024-01-05 12:00 pm": D5.replace(hour=12),
    "Jan 5, 2024 3:05 PM": D5.replace(hour=15, minute=5),
    "2024-01-05 下午3:05": D5.replace(hour=15, minute=5), "2024-01-05 上午12:05": D5.replace(minute=5),
    "2024年1月8日15时05分": D8.replace(hour=15, minute=5), "2024年1月8日 晚上8点30分": D8.replace(hour=20, minute=30),
    "2024年1月8日中午12:30": D8.replace(hour=12, minute=30), "2024年1月8日下午3点": D8.replace(hour=15),
    "2024-01-05T08:00:00Z": D5.replace(hour=8), "2024-01-05 08:00:00 UTC": D5.replace(hour=8),
    "2024-01-05 08:00:00+08:00": D5, "2024-01-05 08:00:00 +08": D5, "2024-01-05 08:00:00 -0500": D5.replace(hour=13),
    "2024-01-05 08:00:00 GMT+8": D5, "2024-01-05 08:00:00 PST": D5.replace(hour=16),
    "2024-01-05 08:00 Asia/Shanghai": D5,
    "2024-01-05 08:00:00 GMT+0800 (China Standard Time)": D5,
    "2024-07-05 08:00 Europe/Berlin": dt.datetime(2024, 7, 5, 6),
}  # fmt: skip
REFUSED = [
    "", "hello", "2024-01-05 08:00:00 rubbish", "2024-01-05 08:00:00 CST", "2024-01-05 08:00:00 Nowhere/Land",
    "2024-02-30", "2024-13-05", "2024-01-05 25:00", "2024-01-05 08:61", "2024-01-05 13:00 PM", "2024-01-05 8",
    "2024-01-05 晚上12:10", "2024-01-05 上午3:05 PM", "05/01/2024", "21/05/2014", "31.11.2024 10:00",
    "12345678", "12345",
    "2024-01-05 08:00:00 +99", "20240105 rubbish", "2024", "2024-01", "5-Foo-24", "2024年1月", "17044128000",
]  # fmt: skip


def test_every_shape_of_a_date_is_read_as_what_it_says():
    assert dict(zip(READ, moments(list(READ)), strict=True)) == READ


def test_what_is_not_understood_as_a_whole_is_no_time():
    assert dict(zip(REFUSED, moments(REFUSED), strict=True)) == dict.fromkeys(REFUSED)


def test_a_zone_of_the_mapping_is_that_of_cells_without_their_own():
    cells = ["2024-01-05 08:00", "2024年1月5日 8:00", "45296.5", "2024-01-05 08:00Z", "1704412800"]
    assert moments(cells, "Asia/Shanghai") == [D5, D5, D5.replace(hour=4), D5.replace(hour=8), D5]


@settings(max_examples=20, deadline=None)
@given(st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2069, 12, 31), timezones=st.none()))
def test_any_moment_written_in_any_shape_is_read_back(moment):
    second = moment.replace(microsecond=0)
    minute = second.replace(second=0)
    half = "上午" if second.hour < 12 else "下午"
    shapes = {
        second.isoformat(): second, second.isoformat() + "Z": second, f"{second:%Y%m%d%H%M%S}": second,
        f"{second:%Y/%m/%d %I:%M:%S %p}": second, f"{second:%d-%b-%Y %H:%M:%S}": second,
        f"{second:%Y年%m月%d日} {half}{second:%I:%M:%S}": second, f"{minute:%b %d, %Y %I:%M %p}": minute,
        moment.isoformat(): moment, f"{second:%a, %d %b %Y %H:%M:%S} +0000": second,
    }  # fmt: skip
    assert dict(zip(shapes, moments(list(shapes)), strict=True)) == shapes


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,234.50", 1234.5), ("¥1,234.50", 1234.5), ("￥88", 88), ("99元", 99), ("人民币99.9元", 99.9), ("CNY 5", 5),
        ("１２３.５０", 123.5), ("１，２３４", 1234), ("(50.00)", -50), ("50.00-", -50), ("−5", -5), ("-¥5", -5),
        ("¥-5", -5),
        ("1'234.5", 1234.5), ("1 234.5", 1234.5), ("1e3", 1000), (".5", 0.5),
        ("1,23", None), ("12,34,567", None), ("1.234,50", None), ("12.50.1", None), ("--5", None), ("(5", None),
        ("5)", None), ("$5", None), ("€5", None), ("5 USD", None), ("12%", None), ("abc", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_money_of_a_shop_in_yuan(cell, value):
    assert numbers([cell], Writing(currency="CNY", share=False)) == [value]


@pytest.mark.parametrize(
    ("written", "cell", "value"),
    [
        (Writing(","), "1.234,50", 1234.5),
        (Writing(","), "€ 12,50", 12.5),
        (Writing(","), "12.50", None),
        (Writing(".", "'"), "1'234.50", 1234.5),
        (Writing(".", "'"), "1,234.50", None),
        (Writing(), "12.5%", 0.125),
        (Writing(), "-7%", -0.07),
        (Writing(), "$5", 5),
    ],
)
def test_marks_and_percent(written, cell, value):
    assert numbers([cell], written) == [value]


@settings(max_examples=20, deadline=None)
@given(st.integers(-(10**11), 10**11))
def test_any_sum_in_any_writing_is_the_same_sum(cents):
    value = cents / 100
    plain = f"{abs(value):.2f}"
    grouped = f"{abs(value):,.2f}"
    wide = grouped.translate(str.maketrans("0123456789.,", "０１２３４５６７８９．，"))
    sign = "-" if cents < 0 else ""
    cells = [sign + plain, sign + grouped, sign + wide, f"{sign}¥{grouped}", f"{sign}{grouped}元"]
    assert numbers(cells, Writing(currency="CNY")) == [value] * len(cells)
    swapped = grouped.translate(str.maketrans(".,", ",."))
    assert numbers([sign + swapped, f"{sign}{swapped} €"], Writing(",", currency="EUR")) == [value] * 2


NINE_ROWS = """会员号,下单时间,实付金额,品牌,手机号
007,2024/1/5 14:03,"¥1,234.50",华为,13800138000
0008,2024-01-06 09:00,１２３.５０,小米,+86 138 0013 8000
9,20240107,￥88,小米,138-0013-8000
10,5-Jan-24,"1,000.00",小米,008613800138000
11,2024年1月8日,99元,华为,１３８００１３８０００
12,2024/01/09 08:00:00,-50.00,华为,13900139000
12,2024/01/09 08:00:00,-50.00,华为,13900139000
test001,2024/1/9,0.01,华为,10000000000
13,45300,12.5,华为,13700137000
"""
CHINESE = {
    "customer": "会员号", "ts": "下单时间", "amount": "实付金额", "brand": "品牌", "hash": {"手机号": "digits"},
    "rules": {"negative": "refund"},
}  # fmt: skip
SEVEN = {
    "007": 1234.5, "0008": 123.5, "9": 88.0, "10": 1000.0, "11": 99.0, "12": 50.0, "13": 12.5,
}  # fmt: skip


def test_nine_rows_lose_the_repeated_one_and_the_test_account(tmp_path):
    result = take(tmp_path, NINE_ROWS, CHINESE, currency="CNY")
    assert result.counts["o"]._asdict() == {"rows": 9, "kept": 7, "rejected": 1, "duplicates": 1, "merged": 0}
    assert result.events.set_index("customer_id")["amount"].to_dict() == SEVEN
    assert result.events.set_index("customer_id")["kind"].to_dict() == {
        name: "refund" if name == "12" else "order" for name in SEVEN
    }
    assert result.rejects["reason"].tolist() == ["duplicate of row 6", "a test account, by the rule"]
    assert result.quality["sources"][0]["repairs"]["ts: read as a day number of Excel"] == 1


def test_the_rule_for_test_accounts_can_be_another_or_none(tmp_path):
    none = {**CHINESE, "rules": {"negative": "refund", "test_accounts": []}}
    assert take(tmp_path, NINE_ROWS, none, currency="CNY").counts["o"].kept == 8
    other = {**CHINESE, "rules": {"negative": "refund", "test_accounts": ["00*"]}}
    assert set(take(tmp_path, NINE_ROWS, other, currency="CNY").events["customer_id"]) == {*SEVEN, "test001"} - {
        "007",
        "0008",
    }


def test_names_that_begin_like_a_test_are_customers(tmp_path):
    text = "id,t,amt\ntestino,2024-01-01,1\nprotest,2024-01-01,1\nTEST,2024-01-01,1\n测试账号,2024-01-01,1\n"
    assert set(take(tmp_path, text).events["customer_id"]) == {"testino", "protest"}


def test_why_a_date_is_refused_says_what_to_write(tmp_path):
    text = "id,t,amt\n0,08/03/2014,1\n1,21/05/2014,1\n2,05/21/2014,1\n3,2024-01-05 08:00 CST,1\n4,nonsense,1\n"
    result = take(tmp_path, text)
    assert result.rejects["reason"].tolist() == [
        'not said whether day or month comes first: write ts = { column = "...", format = "%d/%m/%Y" }',
        'not said that the day comes first: write ts = { column = "...", format = "%d/%m/%Y" }',
        'not said that the month comes first: write ts = { column = "...", format = "%m/%d/%Y" }',
        "initials that several time zones have: write the offset, or zone in ts",
        "not a time between 1900 and 2200",
    ]
    said = take(tmp_path, text, {"ts": {"column": "t", "format": ["%d/%m/%Y", "%m/%d/%Y"]}})
    assert said.events["ts"].tolist() == [dt.datetime(2014, 3, 8), dt.datetime(2014, 5, 21), dt.datetime(2014, 5, 21)]


def test_hours_that_the_clock_skips_or_has_twice_are_counted(tmp_path):
    text = (
        "id,t,amt\na,2024-10-27 01:30,1\na,2024-10-27 02:30,2\na,2024-10-27 03:30,3\nb,2024-03-31 01:30,4\n"
        "b,2024-03-31 02:30,5\nb,2024-03-31 03:30,6\nc,2024-07-01 00:30,7\nd,2024-10-27T02:30:00+02:00,8\n"
        "d,2024-10-27T02:30:00+01:00,9\n"
    )
    result = take(tmp_path, text, {"ts": {"column": "t", "zone": "Europe/Berlin"}})
    at = result.events.set_index("amount")["ts"]
    assert at[2] == dt.datetime(2024, 10, 27, 1, 30)  # the later of the two
    assert at[5] == at[6] == dt.datetime(2024, 3, 31, 1, 30)
    assert (at[8], at[9]) == (dt.datetime(2024, 10, 27, 0, 30), dt.datetime(2024, 10, 27, 1, 30))
    assert result.quality["sources"][0]["repairs"] == {
        "ts: an hour that the clock skips, moved on": 1,
        "ts: an hour that the clock has twice, taken as the later": 1,
    }


FIVE = [
    "13800138000",
    "+86 138 0013 8000",
    "8613800138000",
    "138-0013-8000",
    "１３８００１３８０００",
    "008613800138000",
]


@pytest.mark.parametrize("spelling", FIVE)
def test_spellings_of_a_phone_have_one_form(spelling):
    assert phone_form(spelling, "CN") == "+8613800138000"


@pytest.mark.parametrize(
    ("spelling", "region", "form"),
    [
        ("020 7946 0001", "GB", "+442079460001"),
        ("+44 (0)20 7946 0001", "CN", "+442079460001"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("+1 415 555 2671", "CN", "+14155552671"),
        ("12345", "CN", "12345"),
        ("none", "CN", ""),
    ],
)
def test_phones_of_other_regions(spelling, region, form):
    assert phone_form(spelling, region) == form


def test_five_spellings_are_one_customer_and_who_has_no_phone_another(tmp_path):
    cells = [("o1", FIVE[0]), ("o2", FIVE[1]), ("o3", FIVE[2]), ("o4", FIVE[3]), ("o5", FIVE[4]), ("o6", "")]
    text = "openid,手机号,t,amt\n" + "".join(f"{o},{p},2024-01-0{n},{n}0\n" for n, (o, p) in enumerate(cells, 1))
    (tmp_path / "o.csv").write_text(text, encoding="utf-8")
    source = {k: v for k, v in ORDERS.items() if k != "customer"}
    source |= {"ids": {"openid": "openid", "phone": "手机号"}, "hash": {"手机号": "digits"}}
    mapping = parse_intake_mapping({"ids": {"order": ["phone", "openid"]}, "source": [source]})
    events = intake(mapping, tmp_path, tmp_path / "out", AS_OF, key=KEY).events
    spent = sorted(events.groupby("customer_id")["amount"].agg(["size", "sum"]).itertuples(index=False, name=None))
    assert spent == [(1, 60.0), (5, 150.0)]
    assert "openid:o6" in set(events["customer_id"])


def test_ids_of_two_files_meet_with_and_without_decimals(tmp_path):
    rows = [("12346", 1), ("12346.0", 2), ("12346.00", 3), ("1.5", 4), ("007", 5)]
    text = "id,t,amt\n" + "".join(f"{name},2024-01-01,{n}\n" for name, n in rows)
    events = take(tmp_path, text).events
    assert events.groupby("customer_id")["amount"].sum().to_dict() == {"007": 5.0, "1.5": 4.0, "12346": 6.0}
