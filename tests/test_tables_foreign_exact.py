"""Foreign tables by hand: rows that stand twice, damaged texts, texts in expressions, days of a moment."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaignrl.errors import SpecError
from campaignrl.tables.databases.address import Address
from campaignrl.tables.databases.statements import table_among
from campaignrl.tables.files import Converted
from campaignrl.tables.files.containers import _is_export
from campaignrl.tables.files.encodings import SOUND, found_encoding
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.foreign.actions import _ordered
from campaignrl.tables.foreign.as_written import plain_numbers
from campaignrl.tables.foreign.contexts import number_feature
from campaignrl.tables.foreign.log import _minor_units
from campaignrl.tables.foreign.mapping import ContextPart, CostPart
from campaignrl.tables.foreign.repeated_rows import (
    ALIKE,
    ALIKE_OF_MANY,
    FEW,
    TELLING,
    _pairs_with_a_reward,
    once_each,
    repeated_rows,
    row_keys,
)
from campaignrl.tables.log.files import _named_by_text
from campaignrl.tables.logs import read_log
from campaignrl.tables.rule_columns import FULL, _depth

# ---- rows that stand twice


def noted(who, reward):
    """What is noted of rows of these customers, all with one arm."""
    table = pa.table({"who": list(who), "r": [str(r) for r in reward]})
    return repeated_rows(table, ("r",), np.array(reward, dtype=np.float64))


def test_repeats_of_few_rewards_are_noted_from_nine_tenths_on():
    """Rewards of 1 beside the usual 0: ten pairs that tell, of which nine agree."""
    others = [(f"x{i}", 0.0) for i in range(40)]
    pairs = [(f"c{i}", 1.0) for i in range(10)]
    again = [(f"c{i}", 1.0) for i in range(9)]

    def of(*rows):
        return noted(*zip(*rows, strict=True))

    assert of(*others, *pairs, *again, ("c9", 0.0)) == {
        "repeated_rows": {"rows": 9, "reward": 1.0, "others": 1.0 / 42}  # of c9's two rows one is 1
    }
    assert of(*others, *pairs, *again[:8], ("c8", 0.0), ("c9", 0.0)) == {}
    five = [(f"c{i}", 1.0) for i in range(5)]
    assert of(*others, *five, *five)["repeated_rows"] == {"rows": 5, "reward": 1.0, "others": 0.0}
    assert of(*others, *five[:4], *five[:4]) == {}  # four pairs tell too little
    assert of(*others, *others, *five) == {}  # pairs without a reward tell nothing
    assert of(*others) == {}
    assert repeated_rows(pa.table({"who": [], "r": []}), ("r",), np.zeros(0)) == {}


def test_where_every_row_stands_twice_there_are_no_others():
    rows = [(f"c{i}", float(i % 3)) for i in range(12)]
    found = noted(*zip(*rows, *rows, strict=True))
    assert found == {"repeated_rows": {"rows": 12, "reward": 1.0}}


def test_amounts_that_agree_by_chance_hardly_ever_are_noted_from_a_fifth_on():
    """Eleven amounts and more: five pairs that tell, of which one agrees."""
    singles = [(f"x{i}", 0.0) for i in range(30)] + [(f"y{i}", 100.0 + i) for i in range(8)]
    apart = [row for i in range(4) for row in ((f"c{i}", 0.0), (f"c{i}", 10.0 + i))]
    twin = [("c9", 7.0), ("c9", 7.0)]
    found = noted(*zip(*singles, *apart, *twin, strict=True))
    others = (sum(100.0 + i for i in range(8)) + 46.0) / (38 + 8)
    assert found == {"repeated_rows": {"rows": 1, "reward": 7.0, "others": pytest.approx(others)}}
    more = [("c4", 0.0), ("c4", 14.0)]  # one of six is less than a fifth
    assert noted(*zip(*singles, *apart, *twin, *more, strict=True)) == {}
    ten = [row for row in singles if row[1] < 104.0]  # 0, four of these, four apart, 7: ten values are few
    assert noted(*zip(*ten, *apart, *twin, strict=True)) == {}
    eleven = [row for row in singles if row[1] < 105.0]
    assert noted(*zip(*eleven, *apart, *twin, strict=True))["repeated_rows"]["rows"] == 1
    assert (TELLING, ALIKE, ALIKE_OF_MANY, FEW) == (5, 0.9, 0.2, 10)


def test_pairs_that_tell_something():
    keys = np.array([1, 1, 1, 2, 2, 3, 4], dtype=np.uint64)
    reward = np.array([0.0, 5.0, 5.0, 0.0, 0.0, 5.0, 0.0])  # 0 is the usual one
    assert _pairs_with_a_reward(keys, reward) == (2, 1)


def test_ids_in_two_ways_and_ids_that_are_missing():
    table = pa.table({"id": ["a", "b", "a", "", "b"], "r": ["1", "2", "1", "3", "9"]})
    kept, left_out, problems = once_each(table, "id", "log.csv")
    assert kept["r"].to_pylist() == ["1", "2", "3"]
    assert left_out == 2
    assert [(p.where, p.value) for p in problems] == [("log.csv row 4", "b"), ("log.csv row 3", None)]
    whole = table.slice(0, 2)
    assert once_each(whole, "id", "log.csv") == (whole, 0, [])


def test_a_missing_cell_is_not_an_empty_one():
    keys = row_keys(pa.table({"a": ["", None, "", None]}))
    assert keys[0] == keys[2] != keys[1] == keys[3]


# ---- texts


@pytest.mark.parametrize(("letters", "found"), [(4, "utf-8"), (3, "gb18030")])
def test_a_damaged_byte_among_four_letters_leaves_a_text_what_it_is(letters, found):
    """Among three it is none: bytes in pairs are taken for Chinese."""
    text = "\n".join("é" * letters).encode() + b"\n\xff\n"
    assert found_encoding(text) == found
    assert SOUND == 4


def test_one_byte_alone_is_damage_and_two_are_letters():
    assert found_encoding(b"caf\xe9") == "utf-8"
    assert found_encoding(b"caf\xe9 na\xefve") == "cp1252"


def test_utf_16_is_seen_by_its_empty_bytes_where_there_are_more_than_an_eighth():
    for order, of in (("utf-16-le", "little"), ("utf-16-be", "big")):
        letters = "a" * 9 + "\u4e2d" * 23  # of 64 bytes 9 are empty: more than 8
        assert found_encoding(letters.encode(order)) == order, of
        fewer = "a" * 8 + "\u4e2d" * 24
        assert found_encoding(fewer.encode(order)) != order


def test_texts_that_an_expression_compares():
    equal = compile_expression('(kind == "a") * x', "here")
    assert (equal.columns, equal.texts) == (("x", "kind"), ("kind",))
    other = compile_expression('kind != "a"', "here")
    assert other.texts == ("kind",)
    assert other.of({"kind": np.array(["a", "b"], dtype=object)}).tolist() == [0.0, 1.0]
    assert compile_expression("x == 1", "here").texts == ()
    assert compile_expression("x > 1", "here").texts == ()


# ---- days of a moment


MAPPING = """
[customer]
column = "who"
[time]
column = "at"
[action]
column = "arm"
none_offered = false
[propensity]
constant = 0.5
[reward]
column = "r"
[matured]
after_days = 2
"""


def test_an_outcome_is_known_by_whole_days_whatever_the_hour(tmp_path):
    at = [
        "2026-01-05T00:30:00",
        "2026-01-03T23:59:00",
        "2026-01-03T00:00:00",
        "2026-01-04T00:00:00",
        "2026-01-01T12:00:00",
    ]
    pd.DataFrame({"who": list("abcde"), "at": at, "arm": list("ABABA"), "r": [1, 2, 3, 4, 5]}).to_csv(
        tmp_path / "log.csv", index=False
    )
    (tmp_path / "m.toml").write_text(MAPPING)
    log = read_log(tmp_path / "log.csv", tmp_path / "m.toml")
    assert (log.day - log.day.min()).tolist() == [4, 2, 2, 3, 0]
    assert log.matured.tolist() == [False, True, True, False, True]
    assert log.reward.tolist() == [0.0, 2.0, 3.0, 0.0, 5.0]


# ---- actions, amounts and scales


def test_actions_that_are_numbers_come_by_size_before_texts():
    assert _ordered(["b", "10", "9", "a", "0", "010", "\u0663"]) == ["0", "9", "010", "10", "a", "b", "\u0663"]
    assert _ordered(["-1", "2", "1.5"]) == ["2", "-1", "1.5"]


def test_the_largest_amount_is_the_last_whole_number_that_is_exact():
    part = CostPart(column="c", scale=2)
    found = _minor_units(Converted(np.array([2.0**52, 2.0**52 + 1.0, np.nan, 1.26, -(2.0**52)]), []), part, "here")
    assert [(p.where, p.value) for p in found.problems] == [("here rows 1, 2", 2.0**52 + 1.0)]
    assert found.values.tolist() == [2**53, 0, 0, 3, -(2**53)]


def test_only_numbers_below_nothing_are_told_where_a_log_scale_is_asked_for():
    part = ContextPart(numbers=("x",), log=("x",))
    feature, found = number_feature(pa.table({"x": [-0.5, 0.5, 0.0, 2.0]}), "x", part, "here")
    assert [p.where for p in found.problems] == ["here row 0"]
    assert not feature.log


# ---- names, numbers and what is unpacked


def test_names_in_a_log_s_file_are_texts():
    def facts(**changed):
        names = {"offers": ["a"], "channels": ["b"], "creatives": ["c"], "slots": ["d"], "features": ["e"], **changed}
        parts = {name: [SimpleNamespace(name=n, levels=("x",)) for n in names[name]] for name in names}
        features = SimpleNamespace(features=parts.pop("features"), names=names["features"])
        return SimpleNamespace(catalog=SimpleNamespace(names=["none", "a@b"], **parts), features=features)

    assert _named_by_text(facts())
    for part in ("offers", "channels", "creatives", "slots", "features"):
        assert not _named_by_text(facts(**{part: ["a", 7]}))


def test_numbers_with_points_stay_as_they_are():
    def read(*cells, decimal=None):
        column, turned = plain_numbers(pa.chunked_array([list(cells)]), decimal)
        return column.to_pylist(), turned

    assert read("1.5", "2") == (["1.5", "2"], False)
    assert read("1,5", "2.5") == (["1,5", "2.5"], False)  # nobody knows which
    assert read("1.234,5", "2") == (["1234.5", "2"], True)
    assert read("1,5", decimal=".") == (["1,5"], False)
    assert read("yes", "No", "") == (["1", "0", ""], False)


def test_a_comparison_is_one_level_deep():
    for text in ("a == {}a", "{}a == a"):
        compile_expression(text.format("-" * 49), "here")
        with pytest.raises(SpecError, match="levels deep"):
            compile_expression(text.format("-" * 50), "here")


def test_what_a_folder_of_another_system_brings_is_no_export():
    names = ("a.csv", "in/a.csv", "__MACOSX/a.csv", "in/.hidden.csv")
    assert [_is_export(name) for name in names] == [True, True, False, False]


def test_a_table_of_the_first_schema_needs_no_schema():
    def sql(wanted, *tables):
        return table_among(Address("postgresql://host/db", wanted), tables)

    both = (("public", "t"), ("other", "t"))
    assert sql("t", *both) == '"public"."t"'
    assert sql("other.t", *both) == '"other"."t"'
    assert sql("a.b", ("public", "a.b"), ("a", "b")) == '"public"."a.b"'
    assert sql("t", ("t",), ("u",)) == '"t"'
    assert Address("sqlite:///in/shop.db").path(Path("root")) == Path("root/in/shop.db")


def test_a_depth_that_is_missing_or_endless_is_full():
    column = pa.chunked_array([["0.25", "", "inf", "0"]])
    values, problems = _depth(column, "depth", "here", {})
    assert values.tolist() == [250_000, FULL, FULL, 0]
    assert problems == []
