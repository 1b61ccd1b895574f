"""Foreign logs as people write them: any separator, encoding and decimal sign, yes and no, outcomes not in yet."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from campaignrl.errors import DataError, SpecError
from campaignrl.ope.evaluate import evaluate
from campaignrl.tables.files.csv_text import found_separator
from campaignrl.tables.files.expressions import compile_expression
from campaignrl.tables.foreign.as_written import plain_numbers
from campaignrl.tables.logs import read_log

ROWS = """alter;kanal;angebot;gekauft;umsatz;kosten
26;E-Mail;none;no;0,00;0,00
48;E-Mail;Rabatt;yes;1.234,50;0,45
76;E-Mail;none;nein;0,00;0,00
32;Küchentür;Rabatt;yes;7,25;0,45
"""
MAPPING = """
customer = "row"
[action]
offer_column = "angebot"
channel_column = "kanal"
[propensity]
constant = 0.5
[reward]
{reward}
[contexts]
numbers = ["alter"]
{more}
"""


@pytest.fixture
def german(tmp_path):
    def read(reward, more="", text=ROWS, encoding="utf-8", **words):
        (tmp_path / "log.csv").write_bytes(text.encode(encoding))
        (tmp_path / "m.toml").write_text(MAPPING.format(reward=reward, more=more), encoding="utf-8")
        return read_log(tmp_path / "log.csv", tmp_path / "m.toml", **words)

    return read


def test_semicolons_and_decimal_commas_are_found_and_told(german):
    log = german('column = "umsatz"')
    assert log.reward.tolist() == [0.0, 1234.5, 0.0, 7.25]
    assert log.meta["read_as"] == "separator ';', decimal comma in umsatz"
    assert log.catalog.names == ("none", "Rabatt@E-Mail", "Rabatt@Küchentür")
    assert any("decimal comma in umsatz" in reason for reason in evaluate(log, "uniform").reasons)


def test_a_text_is_compared_and_a_column_of_yes_and_no_is_one_of_1_and_0(german):
    assert german("expression = 'gekauft == \"yes\"'").reward.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert german("expression = 'umsatz * (gekauft == \"yes\") - 0.5'").reward.tolist() == [-0.5, 1234.0, -0.5, 6.75]
    text = ROWS.replace("nein", "NO")
    assert german('column = "gekauft"', text=text).reward.tolist() == [0.0, 1.0, 0.0, 1.0]
    with pytest.raises(DataError, match="nein"):
        german('column = "gekauft"')


def test_a_missing_answer_is_no_no(german):
    with pytest.raises(DataError, match=r"row 2: reward = nan .*matured"):
        german("expression = 'gekauft == \"yes\"'", text=ROWS.replace("nein", ""))


def test_costs_in_units_become_minor_units(german):
    log = german('column = "umsatz"', '[cost]\ncolumn = "kosten"\nscale = 100')
    assert log.cost.tolist() == [0, 45, 0, 45]
    with pytest.raises(DataError, match="kosten"):
        german('column = "umsatz"', '[cost]\ncolumn = "kosten"\nscale = 100', text=ROWS.replace("0,45", "?"))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings_are_found(german, encoding):
    log = german('column = "umsatz"', encoding=encoding)
    assert log.catalog.names[2] == "Rabatt@Küchentür"
    assert encoding in log.meta["read_as"]


def test_what_the_mapping_says_is_not_looked_for(tmp_path):
    """1,234 is read as thousands in none and as thousandths in one."""
    (tmp_path / "log.csv").write_text("who,arm|x,r\na,A|1,234\nb,B|2,5\n".replace("|", ";"))
    said = 'separator = ";"\ndecimal = ","\n[customer]\ncolumn="who,arm"\n[action]\ncolumn="who,arm"\n'
    said += 'none_offered=false\n[propensity]\nconstant=0.5\n[reward]\ncolumn="x,r"\n'
    (tmp_path / "m.toml").write_text(said)
    log = read_log(tmp_path / "log.csv", tmp_path / "m.toml")
    assert log.reward.tolist() == [1.234, 2.5]
    assert "read_as" not in log.meta


@pytest.mark.parametrize(
    ("cells", "decimal", "plain", "comma"),
    [
        (["1,5", "2", ""], None, ["1.5", "2", ""], True),
        (["1.234,50", "7,2"], None, ["1234.50", "7.2"], True),
        (["1,234", "5"], None, ["1,234", "5"], False),  # thousands or thousandths: nobody knows
        (["1,234", "5"], ",", ["1.234", "5"], True),
        (["12.50", "7,2"], ",", ["'12.50'", "7.2"], True),  # a point that is no sign of thousands is no number
        (["1.5", "7,2"], None, ["1.5", "7,2"], False),
        (["1,5"], ".", ["1,5"], False),
        ([" Yes ", "no", ""], None, ["1", "0", ""], False),
        (["是", "否"], None, ["1", "0"], False),
        (["yes", "maybe"], None, ["1", "maybe"], False),  # what is left is named as no number
        (["no", "12.5"], None, ["no", "12.5"], False),
    ],
)
def test_plain_numbers(cells, decimal, plain, comma):
    column, found = plain_numbers(pa.chunked_array([pa.array(cells)]), decimal)
    assert (column.to_pylist(), found) == (plain, comma)


@pytest.mark.parametrize(
    ("text", "name", "sign"),
    [
        ("a,b\n1,2\n", "x.csv", ","),
        ("a;b;c\n1;2;3\n", "x.csv", ";"),
        ('"a;x;y;z",b\n', "x.csv", ","),
        ("a\tb\n", "x.csv", "\t"),
        ("a|b|c\n", "x.csv", "|"),
        ("a\n1\n", "x.tsv", "\t"),
        ("a\n", "x.csv", ","),
    ],
)
def test_the_separator_is_what_stands_most_often_in_the_header(tmp_path, text, name, sign):
    (tmp_path / name).write_text(text)
    assert found_separator(tmp_path / name) == sign


def test_comparisons_of_numbers_and_what_is_missing():
    value = compile_expression("2 * (spend >= 10) - (spend != 3)", "m")
    assert value.of({"spend": np.array([3.0, 10.0, 4.0])}).tolist() == [0.0, 1.0, -1.0]
    assert np.isnan(value.of({"spend": np.array([np.nan])}))[0]
    told = compile_expression('word == "a"', "m")
    assert told.texts == told.columns == ("word",)
    found = told.of({"word": np.array(["a", "b", ""], dtype=object)})
    assert found[:2].tolist() == [1.0, 0.0]
    assert np.isnan(found[2])


@pytest.mark.parametrize("text", ['x + (x == "a")', '"a" == "a"', 'x < "a"', "x == 1 == 2", 'x == "a" == x'])
def test_expressions_that_mean_nothing_are_refused(text):
    with pytest.raises(SpecError):
        compile_expression(text, "m")


def table_of(tmp_path, more, **columns):
    frame = pd.DataFrame({"who": list("abcd"), "arm": list("ABAB"), "p": 0.5, "r": ["", "1", "0", ""], **columns})
    frame.to_csv(tmp_path / "log.csv", index=False)
    (tmp_path / "m.toml").write_text(
        '[customer]\ncolumn="who"\n[action]\ncolumn="arm"\nnone_offered=false\n[propensity]\ncolumn="p"\n'
        f'[reward]\ncolumn="r"\n{more}'
    )
    return tmp_path / "log.csv", tmp_path / "m.toml"


def test_rows_without_a_reward_may_be_called_not_in_yet(tmp_path):
    log = read_log(*table_of(tmp_path, "[matured]\nreward_given = true\n"))
    assert log.matured.tolist() == [False, True, True, False]
    assert evaluate(log, "uniform").dropped == 2
    with pytest.raises(DataError, match="reward_given = true"):
        read_log(*table_of(tmp_path, ""))


def test_a_column_or_an_age_tells_which_outcomes_are_known(tmp_path):
    words = table_of(tmp_path, '[matured]\ncolumn = "done"\n', done=["no", "yes", "yes", "no"])
    assert read_log(*words).matured.tolist() == [False, True, True, False]
    words = table_of(tmp_path, '[time]\ncolumn="day"\n[matured]\nafter_days = 2\n', day=[9, 7, 6, 8])
    assert read_log(*words).matured.tolist() == [False, True, True, False]
    with pytest.raises(SpecError, match="after_days"):
        read_log(*table_of(tmp_path, "[matured]\nafter_days = 2\n"))
    with pytest.raises(SpecError, match="at least one way"):
        read_log(*table_of(tmp_path, "[matured]\n"))
