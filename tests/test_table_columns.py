"""What a customers table must hold can be looked up: columns with unit and levels, a template that decide accepts."""

import json
import sys

import pytest

import campaignrl as crl
from campaignrl.cli import main as cli
from campaignrl.errors import DataError
from campaignrl.send import example_customers, table_columns
from campaignrl.specs import bundled_files

WORLDS = sorted(bundled_files("envs"))


@pytest.mark.parametrize("name", WORLDS)
def test_the_template_is_a_table_that_decide_accepts(name, tmp_path):
    frame = example_customers(name)
    assert len(frame) == 5
    for suffix in ("csv", "parquet"):
        path = tmp_path / f"c.{suffix}"
        frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
        assert len(crl.decide("uniform", path, name, day="2026-11-21").to_frame()) == 5


@pytest.mark.parametrize("name", WORLDS)
def test_every_column_that_decide_needs_is_told_and_no_other_is_needed(name):
    columns = table_columns(name)
    assert all(column.unit and column.values and column.meaning for column in columns)
    frame = example_customers(name)
    assert set(frame.columns) <= {column.name for column in columns}
    for column in columns:
        if column.name not in frame:
            assert column.needed == "no"
            continue
        without = frame.drop(columns=column.name)
        if column.needed == "no":
            crl.decide("uniform", without, name, day="2026-11-21")
        else:
            with pytest.raises(DataError, match=f"column = '{column.name}'"):
                crl.decide("uniform", without, name, day="2026-11-21")


def test_all_that_is_missing_is_said_at_once_with_what_it_should_hold():
    with pytest.raises(DataError) as wrong:
        crl.decide("uniform", example_customers("ecommerce")[["customer_id"]], "ecommerce", day="2026-11-21")
    text = str(wrong.value)
    assert "one of high_value, potential, price_sensitive" in text
    assert len(wrong.value.problems) > 15
    by_name = {problem.value: problem.fix for problem in wrong.value.problems}
    assert "0 to 1500 days" in by_name["recency_days"]
    assert "1 or 0" in by_name["consent_sms"]


def test_the_verb_says_the_same(monkeypatch, capsys, tmp_path):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["campaignrl", "world", "features", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        return capsys.readouterr().out

    told = json.loads(call("bank", "--json", "--template", tmp_path / "five.csv"))
    assert [c["name"] for c in told["columns"]] == [column.name for column in table_columns("bank")]
    assert (tmp_path / "five.csv").read_text().count("\n") == 6
    assert "consent_" in call("bank")
