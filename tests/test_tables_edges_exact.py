"""Tables at their edges: whole numbers or moments, amounts in minor units, rows of nobody that stand twice."""

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_tables_foreign_exact import MAPPING

from campaignrl.actions import Catalog
from campaignrl.errors import DataError, UsageError
from campaignrl.features import Feature
from campaignrl.tables.customers import _misspelled, _outside
from campaignrl.tables.databases import address
from campaignrl.tables.events import KINDS, MONEY, NO_EVENTS, SCHEMA, _conformed, event_problems
from campaignrl.tables.files import containers, csv_text
from campaignrl.tables.files.columns import days
from campaignrl.tables.foreign.log import _all_digits, _known, _known_rewards
from campaignrl.tables.foreign.mapping import CostPart, PropensityPart
from campaignrl.tables.log import columns as columns_module
from campaignrl.tables.logs import read_log
from campaignrl.tables.rule_columns import FULL, NO_DAY, Known, RuleColumn, is_zone
from campaignrl.tables.suppression import Listed

# ---- foreign logs


def test_a_column_is_of_days_where_every_cell_is_a_number():
    def digits(*cells):
        return _all_digits(pa.chunked_array([pa.array(cells, pa.string())]))

    assert digits("5", " -12 ", "123456789")
    assert digits("5", None)
    assert not digits("5", "2026-01-02")
    assert not digits("1234567890")
    assert not _all_digits(pa.chunked_array([pa.array([5.0])]))


def test_a_cost_is_whole_minor_units_or_an_amount_of_which_one_is_several():
    catalog = Catalog.from_names(["a@email"])
    table = pa.table({"c": ["1.5", "2"]})

    def read(scale):
        return _known(table, CostPart(column="c", scale=scale), catalog, np.array([0, 1]), "m.toml", "here")

    whole = read(1)
    assert [(p.where, p.value) for p in whole.problems] == [("here row 0", "1.5")]
    for scale, wanted in ((2, [3, 4]), (100, [150, 200])):
        found = read(scale)
        assert (found.values.tolist(), found.problems) == (wanted, [])


@pytest.mark.parametrize("named", [True, False])
def test_rows_of_nobody_are_not_repeated_ones(named, tmp_path):
    """Without a column of customers two equal rows are two of whom nothing tells them apart."""
    rows = [(f"x{i}", 0.0) for i in range(40)] + [(f"c{i}", 1.0) for i in range(6)] * 2
    frame = pd.DataFrame(rows, columns=["who", "r"]).assign(at="2026-01-05", arm="A")
    frame.to_csv(tmp_path / "log.csv", index=False)
    words = MAPPING if named else MAPPING.replace('[customer]\ncolumn = "who"\n', "").strip()
    words = words.replace("[matured]\nafter_days = 2", "")
    (tmp_path / "m.toml").write_text(words + '\n[contexts]\ncategories = ["who"]\n' if not named else words)
    log = read_log(tmp_path / "log.csv", tmp_path / "m.toml")
    assert len(log) == 52
    assert log.meta.get("repeated_rows", {}).get("rows") == (6 if named else None)


# ---- events


def test_a_table_of_no_events_lacks_nothing():
    assert [field.nullable for field in NO_EVENTS.schema] == [True] * len(SCHEMA)
    assert NO_EVENTS.num_rows == 0


def test_money_of_an_event_is_nothing_or_more_and_a_moment_is_cut_to_its_microsecond():
    other = next(kind for kind in KINDS if kind not in MONEY)
    moment = pa.array([1_001] * 5, pa.timestamp("ns"))
    columns = {"customer_id": ["a"] * 5, "ts": moment, "kind": [MONEY[0]] * 4 + [other]}
    for name in ("amount", "discount"):
        table = _conformed(pa.table({**columns, name: [0.5, 0.0, -0.25, None, -1.0]}), "t")
        assert [(p.where, p.field, p.value) for p in event_problems(table, "t")] == [("t row 2", name, -0.25)]
        assert table["ts"].cast(pa.int64()).to_pylist() == [1] * 5
    table = _conformed(pa.table({**columns, "value": [0.5, 0.0, -0.25, None, -1.0]}), "t")
    assert event_problems(table, "t") == []
    missing = _conformed(pa.table({**columns, "kind": [None, *columns["kind"][1:]]}), "t")
    assert [(p.where, p.field) for p in event_problems(missing, "t")] == [("t row 0", "kind")]
    whole = _conformed(pa.table({**columns, "value": pa.array([2**60 + 1] * 5)}), "t")
    assert whole["value"].to_pylist() == [float(2**60)] * 5


# ---- masks, cells and lists


@pytest.mark.parametrize("k", [3, 8, 64, 65, 130])
def test_masks_as_lists_of_ids_however_wide(k, monkeypatch):
    monkeypatch.setattr(columns_module, "MASKED_AT_ONCE", 4)
    mask = np.random.default_rng(k).random((10, k)) < 0.6
    mask[3], mask[4] = False, True
    wanted = [[j for j in range(k) if mask[i, j]] for i in range(10)]
    assert columns_module.id_lists(mask).to_pylist() == wanted
    assert columns_module.id_lists(mask[:0]).to_pylist() == []


def test_what_a_rule_knows_as_cells():
    count = Known("count", np.array([0, 3, FULL])).to_cells()
    assert (count[:2].tolist(), np.isnan(count[2])) == ([0.0, 3.0], True)
    depth = Known("depth", np.array([250_000, FULL])).to_cells()
    assert (depth[0], np.isnan(depth[1])) == (0.25, True)
    day = Known("day", np.array([0, NO_DAY, 20_000])).to_cells()
    assert (day[[0, 2]].tolist(), day.isna().tolist()) == (["1970-01-01", "2024-10-04"], [False, True, False])
    assert Known("held", np.array([0, 1, 2])).to_cells().tolist() == ["no", "yes", ""]
    assert Known("zone", np.array(["a", "b"])).to_cells().tolist() == ["a", "b"]
    assert [is_zone(name) for name in ("Europe/Berlin", "Nowhere/At_All", "")] == [True, False, False]


def test_a_list_may_lose_what_it_may_and_no_more():
    for size, before, fine in ((4, 8, True), (4, 9, False), (0, 0, True), (3, 4, True)):
        if fine:
            Listed(size, 0.5).require(before)
        else:
            with pytest.raises(DataError, match="at least 50% of the 9 of the last run"):
                Listed(size, 0.5).require(before)


def test_shares_stand_for_propensities_that_are_to_be_estimated():
    catalog, part = Catalog.from_names(["a@email", "b@email"]), PropensityPart(estimate=True)
    found = _known(pa.table({}), part, catalog, np.array([1, 1, 0, 2]), "m.toml", "here")
    assert (found.values.tolist(), found.problems) == ([0.5, 0.5, 0.25, 0.25], [])
    none = _known(pa.table({}), part, catalog, np.zeros(0, dtype=int), "m.toml", "here")
    assert none.values.tolist() == []


def test_a_reward_is_known_when_its_days_are_over_and_it_is_given():
    part = SimpleNamespace(column=None, after_days=2, reward_given=True)
    reward, missing, day = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, False]), np.arange(4) + 7
    for given, wanted in ((True, [True, False, False, False]), (False, [True, True, False, False])):
        part.reward_given = given
        values, known = _known_rewards(pa.table({}), SimpleNamespace(matured=part), reward, missing, day, "here")
        assert known.values.tolist() == wanted
        assert values.tolist() == [r if k else 0.0 for r, k in zip(reward.tolist(), wanted, strict=True)]
    values, known = _known_rewards(pa.table({}), SimpleNamespace(matured=None), reward, missing, day, "here")
    assert (values.tolist(), known.values.tolist()) == (reward.tolist(), [True] * 4)
    assert [p.where for p in known.problems] == ["here row 1"]


# ---- addresses of databases


def test_passwords_of_an_address_and_what_is_shown_of_it(monkeypatch):
    url = "postgresql://me:pw1@host/db?sslpassword=pw2&x=1"
    assert address.secrets_of(url) == ["pw1", "pw2"]
    assert address.secrets_of("postgresql://host/a@b?password=p") == ["p"]
    assert address.secrets_of("postgresql://me@host/db") == [""]
    assert address.without_password(url) == "postgresql://me:***@host/db?sslpassword=***&x=1"
    assert address.without_password("postgresql://me:${PW}@host/db") == "postgresql://me:${PW}@host/db"
    assert address.without_password("postgresql://me@host/db") == "postgresql://me@host/db"
    assert address.Address(url, "t").shown.endswith("x=1 t")
    assert address.Address("sqlite:///a.db").shown == "sqlite:///a.db"
    monkeypatch.setenv("SHOP_PW", "a b/c")
    assert address.filled("x:${SHOP_PW}@") == "x:a%20b%2Fc@"
    assert address.filled("x/${SHOP_PW}", coded=False) == "x/a b/c"
    assert address.Address("sqlite:///${SHOP_PW}.db").path(Path("r")) == Path("r/a b/c.db")
    assert address.Address("sqlite:///in%20a/b.db").path(Path("r")) == Path("r/in a/b.db")
    with pytest.raises(UsageError, match="SHOP_PW"):
        address.filled("${SHOP_PWD}")
    with pytest.raises(UsageError, match="export Zzqxj"):
        address.filled("${Zzqxj}")
    told = address.scrubbed("no\n a b/c or a%20b%2Fc here", "postgresql://me:${SHOP_PW}@h/d")
    assert told == "no *** or *** here"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:///a.db", None),
        ("duckdb:///a.db", None),
        ("postgres://me@host/db", None),
        ("postgresql://me:${PW}@host/db?password=${PW}", None),
        ("postgresql://", None),
        ("mysql://host/db", "a URL of sqlite, duckdb or postgresql"),
        ("sqlite", "a URL of sqlite, duckdb or postgresql"),
        ("sqlite://a.db", "a path after three slashes"),
        ("duckdb:///", "the path of a file"),
        ("postgresql://me:pw@host/db", "without a password written out"),
        ("postgresql://me:${PW}@host/db?password=pw", "without a password written out"),
    ],
)
def test_what_is_wrong_with_an_address(url, said):
    found = address.address_problem(url, "m.toml")
    assert (None if found is None else found.allowed) == said
    if said == "a URL of sqlite, duckdb or postgresql":
        near = {"mysql://host/db": "sqlite"}.get(url, 'Write source = "sqlite:///shop.db".')
        assert near in found.fix or "sqlite" in found.fix


# ---- files that hold more than they should


@pytest.mark.parametrize(("size", "packed", "refused"), [(1_001, 10, True), (1_000, 10, False), (2_000, 20, False)])
def test_a_packed_file_may_be_so_much_larger_and_no_more(size, packed, refused, tmp_path, monkeypatch):
    for module in (csv_text, containers):
        monkeypatch.setattr(module, "DENSEST", 100)
        monkeypatch.setattr(module, "SMALLEST", 10)
    (tmp_path / "a.csv.gz").write_bytes(b"x" * packed)
    (tmp_path / "a.csv").write_bytes(b"x" * packed)
    csv_text._refuse_bomb(tmp_path / "a.csv", size)
    inside = [SimpleNamespace(file_size=size - 1, compress_size=packed), SimpleNamespace(file_size=1, compress_size=0)]
    for refuse in (
        lambda: csv_text._refuse_bomb(tmp_path / "a.csv.gz", size),
        lambda: containers._refuse_bombs(tmp_path / "a.zip", inside),
    ):
        if refused:
            with pytest.raises(DataError, match="more than"):
                refuse()
        else:
            refuse()


def test_an_archive_holds_so_many_files_and_bytes_and_members_no_more_than_they_say(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MEMBERS", 2)
    monkeypatch.setattr(containers, "LARGEST", 100)
    member = SimpleNamespace(file_size=50, compress_size=50)
    containers._refuse_bombs(tmp_path / "a.zip", [member] * 2)
    small = SimpleNamespace(file_size=1, compress_size=1)
    for inside in ([], [small] * 3, [SimpleNamespace(file_size=101, compress_size=99)]):
        with pytest.raises(DataError):
            containers._refuse_bombs(tmp_path / "a.zip", inside)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("in/a.csv", "n\n1\n")
        archive.writestr("in/.hidden.csv", "n\n")
        archive.mkdir("empty")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        one = archive.getinfo("in/a.csv")
        laid = containers._laid_down(archive, one, "b.zip", tmp_path / "s_0")
        assert (laid.path.name, laid.path.read_text(), laid.name) == ("s_0.csv", "n\n1\n", "b.zip/in/a.csv")
    opened = SimpleNamespace(open=lambda member: io.BytesIO(b"n\n1\n"))
    for says, fine in ((4, True), (3, False)):
        member = SimpleNamespace(filename="a.csv", file_size=says)
        if fine:
            containers._laid_down(opened, member, "b.zip", tmp_path / "s_1")
        else:
            with pytest.raises(zipfile.BadZipFile, match="larger than it says"):
                containers._laid_down(opened, member, "b.zip", tmp_path / "s_2")
    members = containers._members(tmp_path / "b.zip", "b.zip", tmp_path, "t")
    assert [found.name for found in members] == ["b.zip/in/a.csv"]


def test_a_name_with_a_star_is_a_file_where_one_is_called_so(tmp_path):
    for name in ("a1.csv", "a2.csv", "b[1].csv", ".a3.csv"):
        (tmp_path / name).write_text("n\n")
    (tmp_path / "a9.csv").mkdir()

    def names(pattern):
        return [one.path.name for one in containers.files_under(tmp_path, pattern, tmp_path, "t")]

    assert names("a*.csv") == ["a1.csv", "a2.csv"]
    assert names("b[1].csv") == ["b[1].csv"]
    assert names("a1.csv") == ["a1.csv"]
    assert names(".a3.csv") == [".a3.csv"]
    assert names(".") == ["a1.csv", "a2.csv", "b[1].csv"]


# ---- days and ranges


def test_days_of_moments_and_what_lies_outside_a_range():
    stamps = pa.chunked_array([pa.array([1_001, -1_001, None, 86_400_000_000_001], pa.timestamp("ns"))])
    found = days(stamps, "ts", "t")
    assert found.values.tolist() == [0, -1, 0, 1]
    assert [(p.where, p.value) for p in found.problems] == [("t row 2", None)]
    feature = Feature(name="x", low=-1.0, high=2.0)
    assert _outside(np.array([-1.0, 2.0, -1.1, 2.1, np.nan]), feature).tolist() == [False, False, True, True, False]


def test_columns_called_almost_as_one_that_only_takes_away_are_named():
    kinds = (("household", "no"), ("zone", "yes"), ("n", "counted"))
    rules = [RuleColumn(name, "key", needed, "") for name, needed in kinds]
    names = ("Household", " Suppressed", "Zone", "N ", "household", "suppressed", "other")
    found = _misspelled(names, rules, "t")
    assert [(p.where, p.value, p.allowed) for p in found] == [
        ("t", " Suppressed", "spelled 'suppressed'"), ("t", "Household", "spelled 'household'"),
    ]  # fmt: skip
