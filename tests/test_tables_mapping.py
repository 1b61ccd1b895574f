"""Foreign logs: what a mapping says is what the log holds; what it cannot say is refused."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaignrl.errors import DataError, SpecError, UnknownName
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.foreign.mapping import load_mapping, parse_mapping
from campaignrl.tables.log.files import write_log
from campaignrl.tables.logs import read_log

MAPPINGS = Path(__file__).resolve().parents[1] / "experiments" / "mappings"
LOG = """id,when,arm,p,bought,spend,fee,age,city
007,2024-01-01,mail,0.5,1,10.5,2,30,Ürümqi
007,2024-01-03T12:00,nothing,0.25,0,0,0,,
1e5,2024-01-02,push,0.25,1,4,1,40,Lima
007,2024-01-02,mail,0.5,0,0,2,30,Ürümqi
"""
BASE = {
    "action": {"column": "arm", "values": {"nothing": "none", "mail": "mail", "push": "gift@push"}},
    "propensity": {"column": "p"},
    "reward": {"column": "spend"},
    "contexts": {"numbers": ["age"], "categories": ["city"]},
    "customer": {"column": "id"},
    "time": {"column": "when"},
    "cost": {"column": "fee"},
}


def read(folder, mapping=None, text=LOG, reward=None, name="log.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_log(folder / name, parse_mapping(BASE | (mapping or {})), reward)


def test_every_part_of_a_mapping_by_hand(tmp_path):
    log = read(tmp_path)
    assert log.catalog.names == ("none", "mail", "gift@push")
    assert [(a.offer, a.channel) for a in log.catalog.actions[1:]] == [("mail", "logged"), ("gift", "push")]
    assert list(log.customers) == ["007", "1e5"]
    assert log.customer.tolist() == [0, 0, 1, 0]
    assert log.step.tolist() == [0, 2, 0, 1], "counted in order of time"
    assert (log.day - log.day.min()).tolist() == [0, 2, 1, 1]
    assert log.day.min() == 19_723, "days since 1970-01-01"
    assert log.action.tolist() == [1, 0, 2, 1]
    assert log.propensity.tolist() == [0.5, 0.25, 0.25, 0.5]
    assert log.reward.tolist() == [10.5, 0, 4, 0]
    assert log.cost.tolist() == [2, 0, 1, 2]
    assert np.array_equal(log.context.columns["age"], [30, np.nan, 40, 30], equal_nan=True)
    assert log.context.labels("city").tolist() == ["Ürümqi", "", "Lima", "Ürümqi"]
    age, city = log.context.schema.features
    assert (age.low, age.high, age.nullable, city.levels) == (30, 40, True, ("Lima", "Ürümqi"))
    assert log.eligible is None, "`none` is a value of the mapping, so it was on offer"
    assert log.meta["actions_from"] == "mapping"
    assert log.meta["propensity_from"] == "column p"


def test_a_foreign_log_written_is_a_log_of_ours(tmp_path):
    log = read(tmp_path, {"action": BASE["action"] | {"none_offered": True}})
    write_log(log, tmp_path / "ours.parquet")
    back = read_log(tmp_path / "ours.parquet")
    assert back.catalog.hash == log.catalog.hash
    assert back.meta == log.meta
    assert back.step.tolist() == log.step.tolist()
    assert back.context.labels("city").tolist() == log.context.labels("city").tolist()


def test_the_same_table_as_parquet_or_csv_is_the_same_log(tmp_path):
    frame = pd.DataFrame({"arm": [1, 0, None], "p": [0.5, 0.5, 0.5], "y": [1, 2, 3], "flag": [True, False, True]})
    mapping = parse_mapping(
        {
            "action": {"column": "arm", "values": {"1": "mail", "0": "none", "": "none"}},
            "propensity": {"column": "p"},
            "reward": {"column": "y"},
            "contexts": {"numbers": ["flag"]},
        }
    )
    frame.to_parquet(tmp_path / "log.parquet")
    frame.astype({"arm": "Int64"}).to_csv(tmp_path / "log.csv", index=False)
    one = read_log(tmp_path / "log.parquet", mapping)
    two = read_log(tmp_path / "log.csv", mapping)
    assert one.action.tolist() == two.action.tolist() == [1, 0, 0]
    assert one.reward.tolist() == two.reward.tolist()
    assert one.context.columns["flag"].tolist() == two.context.columns["flag"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"constant": 0.25}, [0.25] * 4),
        ({"constant": "1/3"}, [1 / 3] * 4),
        ({"per_action": {"none": 0.5, "mail": "1/4", "gift@push": 0.25}}, [0.25, 0.5, 0.25, 0.25]),
    ],
)
def test_ways_to_know_the_propensity(tmp_path, part, expected):
    assert read(tmp_path, {"propensity": part}).propensity.tolist() == expected


def test_rewards_are_chosen_by_name_and_the_first_is_the_default(tmp_path):
    rewards = {"bought": {"column": "bought"}, "margin": {"expression": "spend - 2 * fee", "unit": "dollars"}}
    assert read(tmp_path, {"reward": rewards}).reward.tolist() == [1, 0, 1, 0]
    margin = read(tmp_path, {"reward": rewards}, reward="margin")
    assert margin.reward.tolist() == [6.5, 0, 2, -4]
    assert (margin.meta["reward"], margin.meta["reward_unit"]) == ("margin", "dollars")
    single = {"column": "spend", "bought": {"column": "bought"}}
    assert read(tmp_path, {"reward": single}).meta["reward"] == "spend"
    assert read(tmp_path, {"reward": single}, reward="bought").reward.tolist() == [1, 0, 1, 0]
    with pytest.raises(UnknownName, match=r"Did you mean 'margin'\?"):
        read(tmp_path, {"reward": rewards}, reward="magrin")


def test_each_row_is_a_customer_of_its_own_unless_a_column_says_more(tmp_path):
    plain = {key: value for key, value in BASE.items() if key not in ("customer", "time")}
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    log = read_log(tmp_path / "log.csv", parse_mapping(plain | {"customer": "row"}))
    assert list(log.customers) == ["0", "1", "2", "3"]
    assert (log.step.tolist(), log.day.tolist()) == ([0] * 4, [0] * 4)


def test_offer_and_channel_in_two_columns(tmp_path):
    text = "o,c,p,y\ncoupon,sms,0.5,1\n,,0.5,0\nnone,sms,0.5,0\ncoupon,push,0.5,2\n"
    parts = {"action": {"offer_column": "o", "channel_column": "c"}, "propensity": {"column": "p"}}
    (tmp_path / "log.csv").write_text(text)
    log = read_log(tmp_path / "log.csv", parse_mapping(parts | {"reward": {"column": "y"}}))
    assert log.catalog.names == ("none", "coupon@push", "coupon@sms")
    assert log.action.tolist() == [2, 0, 0, 1]


def test_the_action_set_comes_from_beside_the_log_else_from_the_log(tmp_path):
    text = "item,p,y\n2,0.5,1\n10,0.5,0\n"
    part = {"column": "item", "name": "item{value}", "items": {"file": "items.csv", "column": "item"}}
    mapping = parse_mapping({"action": part, "propensity": {"column": "p"}, "reward": {"column": "y"}})
    (tmp_path / "log.csv").write_text(text)
    seen = read_log(tmp_path / "log.csv", mapping)
    assert seen.catalog.names == ("none", "item2", "item10"), "numbers in order of size"
    assert seen.meta["actions_from"] == "values seen in the log"
    assert seen.allowed().tolist() == [[False, True, True]] * 2, "nobody was left alone, so `none` was not on offer"
    (tmp_path / "items.csv").write_text("item,colour\n10,red\n2,blue\n7,green\n")
    known = read_log(tmp_path / "log.csv", mapping)
    assert known.catalog.names == ("none", "item10", "item2", "item7")
    assert known.action.tolist() == [2, 1]
    assert known.meta["actions_from"] == "items.csv"
    (tmp_path / "items.csv").write_text("item\n2\n")
    with pytest.raises(DataError, match=r"log.csv row 1: item = '10' is not an action \(items.csv\)"):
        read_log(tmp_path / "log.csv", mapping)


def test_wildcards_name_columns_in_the_order_of_the_file(tmp_path):
    text = "a,p,y,aff_2,aff_10,aff_1\nx,1,1,0,1,5\ny,1,0,0,2,5\n"
    parts = {"action": {"column": "a"}, "propensity": {"column": "p"}, "reward": {"column": "y"}}
    (tmp_path / "log.csv").write_text(text)
    log = read_log(tmp_path / "log.csv", parse_mapping(parts | {"contexts": {"numbers": ["aff_*"], "log": ["aff_10"]}}))
    assert log.context.schema.names == ("aff_2", "aff_10", "aff_1")
    assert [(f.low, f.high, f.log) for f in log.context.schema.features] == [(0, 1, False), (1, 2, True), (5, 6, False)]
    assert np.isfinite(log.context.encode()).all()
    with pytest.raises(DataError, match="a pattern that any column matches"):
        read_log(tmp_path / "log.csv", parse_mapping(parts | {"contexts": {"numbers": ["afinity_*"]}}))


def test_a_header_alone_is_a_log_of_no_decisions(tmp_path):
    log = read(tmp_path, text=LOG.splitlines()[0] + "\n")
    assert len(log) == 0
    assert log.context.encode().shape[0] == 0


def test_an_empty_action_is_none_only_where_the_mapping_says_so(tmp_path):
    parts = {"propensity": {"column": "p"}, "reward": {"column": "y"}}
    (tmp_path / "log.csv").write_text("a,p,y\nx,1,1\n,1,0\n")
    with pytest.raises(DataError, match="row 1: a = '' is not an action"):
        read_log(tmp_path / "log.csv", parse_mapping(parts | {"action": {"column": "a"}}))
    said = {"column": "a", "values": {"": "none", "x": "x"}}
    assert read_log(tmp_path / "log.csv", parse_mapping(parts | {"action": said})).action.tolist() == [1, 0]


def test_a_log_scale_needs_numbers_from_0_up(tmp_path):
    contexts = {"numbers": ["age"], "log": ["age"]}
    assert read(tmp_path, {"contexts": contexts}).context.schema["age"].log
    with pytest.raises(DataError, match=r"row 2: age = -40\.0 is not at least 0"):
        read(tmp_path, {"contexts": contexts}, text=LOG.replace("40", "-40"))


# --- bad tables ------------------------------------------------------------------------------------------------------

BAD_TABLES = {
    "unknown action": (("push", "psuh"), "row 2: arm = 'psuh'", "Did you mean 'push'?"),
    "no action": (("nothing", ""), "row 1: arm = ''", "an action (mapping)"),
    "propensity 0": (("0.25", "0"), "rows 1, 2: propensity = 0.0", "in (0, 1]"),
    "propensity above 1": (("0.5", "50"), "rows 0, 3: propensity = 50.0", "in (0, 1]"),
    "propensity empty": (("0.5", ""), "rows 0, 3: propensity = nan", "in (0, 1]"),
    "propensity a word": (("0.5", "half"), "rows 0, 3: p = 'half'", "a number"),
    "reward a word": ((",10.5", ",much"), "row 0: spend = 'much'", "a number"),
    "reward infinite": ((",10.5", ",inf"), "row 0: reward = inf", "a finite number"),
    "cost in fractions": (("10.5,2,", "10.5,2.5,"), "row 0: fee = '2.5'", "a whole number"),
    "context a word": (("30", "old"), "rows 0, 3: age = 'old'", "a number"),
    "context infinite": (("40", "-inf"), "row 2: age = -inf", "a finite number"),
    "time unclear": (("2024-01-02", "yesterday"), "rows 2, 3: when = 'yesterday'", "ISO 8601"),
    "customer missing": (("1e5", ""), "row 2: id = ''", "a customer"),
    "column renamed": (("bought,spend", "bought,Spend "), "column = 'spend'", "Did you mean 'Spend '?"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_rows_are_named(tmp_path, fault):
    (old, new), *expected = BAD_TABLES[fault]
    assert old in LOG
    with pytest.raises(DataError) as caught:
        read(tmp_path, text=LOG.replace(old, new))
    for words in ("log.csv", *expected):
        assert words in str(caught.value)


def test_all_faults_come_at_once(tmp_path):
    text = LOG.replace("push", "psuh").replace(",10.5", ",x").replace("0.5", "0").replace("40", "forty")
    with pytest.raises(DataError) as caught:
        read(tmp_path, text=text)
    assert [p.field for p in caught.value.problems] == ["arm", "age", "spend", "propensity"]
    with pytest.raises(DataError) as caught:
        read(tmp_path, text="id,arm\n1,mail\n")
    missing = {p.value for p in caught.value.problems}
    assert missing == {"when", "p", "spend", "fee", "age", "city"}


def test_a_row_that_did_nothing_where_nothing_was_not_on_offer(tmp_path):
    with pytest.raises(DataError, match="row 1: action = 0 is not among the row's eligible actions"):
        read(tmp_path, {"action": BASE["action"] | {"none_offered": False}})


def test_a_step_used_twice_by_a_customer(tmp_path):
    with pytest.raises(DataError, match="row 3: step = 0 is not used once"):
        read(tmp_path, {"step": {"column": "bought"}})


def test_a_free_text_is_no_category(tmp_path):
    rows = "".join(f"mail,1,1,text {i}\n" for i in range(1001))
    parts = {key: BASE[key] for key in ("action", "propensity")} | {"reward": {"column": "y"}}
    (tmp_path / "log.csv").write_text("arm,p,y,note\n" + rows)
    with pytest.raises(DataError, match="note = '1001 levels' is not a category of at most 1000 levels"):
        read_log(tmp_path / "log.csv", parse_mapping(parts | {"contexts": {"categories": ["note"]}}))


# --- bad mappings ----------------------------------------------------------------------------------------------------

BAD_MAPPINGS = {
    "mistyped table": ({"propensty": {"column": "p"}}, "Did you mean 'propensity'?"),
    "mistyped key": ({"reward": {"first": {"colum": "y"}}}, "Did you mean 'column'?"),
    "no way to tell the action": ({"action": {}}, "one way to tell the action"),
    "two ways to tell the action": ({"action": {"column": "a", "offer_column": "o", "channel_column": "c"}}, "one way"),
    "offer without channel": ({"action": {"offer_column": "o"}}, "one way"),
    "template without value": ({"action": {"column": "a", "name": "item"}}, "{value}"),
    "made of a stranger": (
        {"action": {"column": "a", "values": {"x": "mail"}, "made_of": {"post": {"offer": "o", "channel": "c"}}}},
        "'post' is not among `values`",
    ),
    "items elsewhere": (
        {"action": {"column": "a", "items": {"file": "../secret.csv", "column": "c"}}},
        "the name of a file beside the log",
    ),
    "estimated though known": ({"propensity": {"estimate": True, "constant": 0.5}}, "given beside constant"),
    "no propensity": ({"propensity": {}}, "exactly one way"),
    "two propensities": ({"propensity": {"column": "p", "constant": 0.5}}, "exactly one way"),
    "propensity 0": ({"propensity": {"constant": 0}}, "constant = 0"),
    "propensity above 1": ({"propensity": {"constant": "4/3"}}, "less than or equal to 1"),
    "propensity NaN": ({"propensity": {"constant": math.nan}}, "constant = nan"),
    "fraction by zero": ({"propensity": {"constant": "1/0"}}, "a fraction such as"),
    "reward two ways": ({"reward": {"column": "y", "expression": "y"}}, "the one way to tell the reward"),
    "no reward": ({"reward": {}}, "reward"),
    "negative cost": ({"cost": {"constant": -1}}, "greater than or equal to 0"),
    "a call": ({"reward": {"expression": "open('x')"}}, "joined by + - * /"),
}


@pytest.mark.parametrize("fault", BAD_MAPPINGS)
def test_what_a_mapping_cannot_say_is_a_spec_error(fault):
    change, expected = BAD_MAPPINGS[fault]
    with pytest.raises(SpecError) as caught:
        parse_mapping(BASE | change, "my.toml")
    assert expected in str(caught.value)
    assert "my.toml" in str(caught.value)


def test_propensities_by_action_must_name_the_actions(tmp_path):
    with pytest.raises(SpecError, match=r"action = 'mial' is not in the catalog. Did you mean 'mail'\?"):
        read(tmp_path, {"propensity": {"per_action": {"mial": 0.5}}})
    with pytest.raises(SpecError, match="action = 'none' is not given a value"):
        read(tmp_path, {"propensity": {"per_action": {"mail": 0.5, "gift@push": 0.5}}})


def test_mapping_files_are_found_or_named(tmp_path):
    (tmp_path / "shop.toml").write_text("[action\n")
    with pytest.raises(SpecError, match=r"shop\.toml: syntax"):
        load_mapping(tmp_path / "shop.toml")
    with pytest.raises(UnknownName, match=r"Did you mean 'shop\.toml'\?"):
        load_mapping(tmp_path / "shpo.toml")


# --- expressions -----------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_expressions_are_arithmetic(a, b):
    columns = {"a": np.array([a]), "b": np.array([b])}
    expression = compile_expression(" -(a + 2) * b - a / 4 ", "here")
    assert sorted(expression.columns) == ["a", "b"]
    assert expression.of(columns)[0] == -(a + 2) * b - a / 4


def test_division_by_zero_is_left_to_the_contract():
    assert compile_expression("a / b", "here").of({"a": np.ones(2), "b": np.array([0.0, 2.0])}).tolist() == [
        np.inf,
        0.5,
    ]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1",
            "a ** 2",
            "a if b else c",
            "a.real",
            "a[0]",
            "f(a)",
            "lambda: a",
            "a in b",
            "a < b < 1",
            "'a'",
            "True + a",
        ),
        *("a := 1", "a; b", "a @ b", "a % 2", "1j * a", "__import__('os')"),
        *("a" * 1001, "-" * 60 + "a", "(" * 500 + "a" + ")" * 500),
    ],
)
def test_nothing_else_is_an_expression(text):
    with pytest.raises(SpecError):
        compile_expression(text, "here")


# --- real data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hillstrom", "obd", "lenta_sms"])
def test_the_bundled_mappings_are_sound(name):
    assert load_mapping(MAPPINGS / f"{name}.toml").about


def ips(log, name: str) -> tuple[float, float]:
    """Value and standard error of always doing `name`."""
    weighted = log.reward * (log.action == log.catalog.id_of(name)) / log.propensity
    return weighted.mean(), weighted.std(ddof=1) / math.sqrt(len(log))


def test_hillstrom_gives_the_published_figures(shared_data):
    path = shared_data / "hillstrom" / "hillstrom_half.csv.gz"
    visits = read_log(path, MAPPINGS / "hillstrom.toml")
    assert len(visits) == len(visits.customers) == 32_000
    assert visits.catalog.names == ("none", "Mens E-Mail", "Womens E-Mail")
    assert [(a.offer, a.channel) for a in visits.catalog.actions[1:]] == [("mens", "email"), ("womens", "email")]
    assert np.bincount(visits.action).tolist() == [10_554, 10_681, 10_765]
    assert visits.meta["reward"] == "visit"
    expected = {"Mens E-Mail": (0.1849, 0.0040), "Womens E-Mail": (0.1567, 0.0037), "none": (0.1058, 0.0031)}
    for arm, figures in expected.items():
        assert ips(visits, arm) == pytest.approx(figures, abs=5.1e-5)
    spend = read_log(path, MAPPINGS / "hillstrom.toml", reward="spend")
    expected = {"Mens E-Mail": (1.398, 0.175), "Womens E-Mail": (1.261, 0.164), "none": (0.497, 0.081)}
    for arm, figures in expected.items():
        assert ips(spend, arm) == pytest.approx(figures, abs=5.1e-4)
    assert read_log(path, MAPPINGS / "hillstrom.toml", reward="conversion").reward.sum() == 288


def test_hillstrom_in_any_cut_has_the_same_catalog(shared_data, tmp_path):
    source = shared_data / "hillstrom" / "hillstrom_half.csv.gz"
    lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
    (tmp_path / "double.csv").write_bytes(b"".join(lines + lines[1:]))  # as many rows as the whole set
    (tmp_path / "few.csv").write_bytes(b"".join(line for line in lines if b"Mens" not in line))
    whole = read_log(source, MAPPINGS / "hillstrom.toml")
    double = read_log(tmp_path / "double.csv", MAPPINGS / "hillstrom.toml")
    few = read_log(tmp_path / "few.csv", MAPPINGS / "hillstrom.toml")
    assert len(double) == len(double.customers) == 64_000
    assert whole.catalog.hash == double.catalog.hash == few.catalog.hash


OBD = {  # items, clicks, day range, IPS and largest weight of "uniform" (README of the data)
    "random/all/all": (80, 38, 0.00380, 1.0),
    "bts/all/all": (80, 42, 0.00236, 277.8),
    "random/men/men": (34, 46, 0.00460, 1.0),
    "bts/men/men": (34, 69, 0.00301, 178.3),
}


@pytest.mark.parametrize("name", OBD)
def test_one_mapping_reads_every_file_of_the_open_bandit_data(shared_data, name):
    items, clicks, value, largest = OBD[name]
    log = read_log(shared_data / "obd" / f"{name}.csv.gz", MAPPINGS / "obd.toml")
    assert len(log) == 10_000
    assert log.catalog.names == ("none", *(f"item{i}" for i in range(items)))
    assert log.reward.sum() == clicks
    assert log.meta["actions_from"] == "item_context.csv"
    assert not log.allowed(slice(0, 5))[:, 0].any()
    assert log.allowed()[:, 1:].all()
    weight = (1 / items) / log.propensity
    assert (weight * log.reward).mean() == pytest.approx(value, abs=5.1e-6)
    assert weight.max() == pytest.approx(largest, abs=0.051)
    assert len(log.context.schema.names) == items + 5
    assert log.context.schema["position"].levels == ("1", "2", "3")
    assert log.day.max() - log.day.min() == 6


def test_the_open_bandit_data_without_its_items(shared_data, tmp_path):
    source = shared_data / "obd" / "bts" / "men" / "men.csv.gz"
    (tmp_path / "men.csv.gz").write_bytes(source.read_bytes())
    log = read_log(tmp_path / "men.csv.gz", MAPPINGS / "obd.toml")
    assert log.meta["actions_from"] == "values seen in the log"
    assert log.catalog.hash == read_log(source, MAPPINGS / "obd.toml").catalog.hash


def test_lenta_gives_the_published_figures(shared_data):
    log = read_log(shared_data / "lenta_sms" / "lenta_dataset.csv.gz", MAPPINGS / "lenta_sms.toml")
    assert np.bincount(log.action).tolist() == [12_309, 37_691]
    assert log.reward[log.action == 1].mean() == pytest.approx(0.11146, abs=5e-6)
    assert log.reward[log.action == 0].mean() == pytest.approx(0.10236, abs=5e-6)
    assert np.isnan(log.context.columns["age"]).sum() == 848
    assert set(log.propensity) == {0.25, 0.75}
