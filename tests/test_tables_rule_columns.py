"""Cells of rule columns to and fro: counts, depths, consents and days, and what is missing of them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from campaignrl.errors import DataError
from campaignrl.tables.rule_columns import (
    FULL,
    MILLIONTHS,
    NO_DAY,
    Known,
    RuleColumn,
    _consent,
    _day,
    _depth,
    _held,
    _key,
    _zone,
    counts,
    is_zone,
    read_known,
)


def column(*values, kind=None):
    return pa.chunked_array([pa.array(list(values), kind)])


def test_counts_that_are_missing_are_full_and_broken_ones_are_told():
    assert counts(column(0, 3, None), "n", "here")[0].tolist() == [0, 3, FULL]
    assert counts(column(0.0, 3.0, None), "n", "here")[1] == []
    values, problems = counts(column(-1.0, 0.5, 2.0, 1e300), "n", "here")
    assert [(p.where, p.value) for p in problems] == [("here rows 0, 1", -1.0)]
    assert values.tolist() == [0, 0, 2, FULL]


def test_depths_are_kept_in_millionths():
    notes = {}
    values, problems = _depth(column(0.25, 1.0, None, float("inf"), 0.0), "d", "here", notes)
    assert (values.tolist(), problems) == ([250_000, 1_000_000, FULL, FULL, 0], [])
    _, problems = _depth(column(-0.1, 0.5), "d", "here", notes)
    assert [p.where for p in problems] == ["here row 0"]
    assert Known("depth", values).to_cells() == pytest.approx([0.25, 1.0, np.nan, np.nan, 0.0], nan_ok=True)
    assert MILLIONTHS == 1_000_000


def test_consent_is_a_plain_yes():
    notes = {}
    values, problems = _consent(column(1.0, 0.0, 0.5, None), "c", "here", notes)
    assert (values.tolist(), problems, notes) == ([True, False, False, False], [], {"c: missing": 1})


def test_days_as_dates_and_as_texts():
    notes = {}
    cells = ["1970-01-02", " 1970-01-01T10:00 ", "", None, "2026-11-21", "tomorrow", "1970-1-2"]
    values, problems = _day(column(*cells), "d", "here", notes)
    assert values.tolist() == [1, 0, NO_DAY, NO_DAY, 20_778, NO_DAY, 1]
    assert [(p.where, p.value) for p in problems] == [("here row 5", "tomorrow")]
    assert notes == {"d: missing, taken as too old": 2}
    dates = column(dt.date(1970, 1, 3), None)
    assert _day(dates, "d", "here", {})[0].tolist() == [2, NO_DAY]
    assert _day(column(dt.datetime(1970, 1, 3, 23, 59)), "d", "here", {})[0].tolist() == [2]


def test_what_is_known_as_cells():
    days = Known("day", np.array([1, NO_DAY, 20_778])).to_cells()
    assert days.isna().tolist() == [False, True, False]
    assert days[[0, 2]].tolist() == ["1970-01-02", "2026-11-21"]
    assert Known("count", np.array([0, 7, FULL])).to_cells() == pytest.approx([0, 7, np.nan], nan_ok=True)
    assert Known("held", np.array([0, 1, 2])).to_cells().tolist() == ["no", "yes", ""]
    assert Known("consent", np.array([True, False])).to_cells().tolist() == [True, False]
    assert Known("zone", np.array(["UTC"], dtype=object)).to_cells().tolist() == ["UTC"]


def test_zones_that_nobody_knows_are_the_sender_s():
    notes = {}
    values, problems = _zone(column(" Europe/Berlin ", "Europe/Nowhere", None, "", "UTC", "../UTC"), "z", "here", notes)
    assert (values.tolist(), problems) == (["Europe/Berlin", "", "", "", "UTC", ""], [])
    assert notes == {"z: not known, taken as the sender's": 4}
    assert [is_zone(name) for name in ("UTC", "Mars/Base", "", "a\0b")] == [True, False, False, False]
    assert _zone(column(kind=pa.string()), "z", "here", {})[0].tolist() == []


def test_keys_are_compared_without_case_and_blanks():
    values, problems = _key(column(" Main ST 1", "main st 1", None, "STRASSE", "stra\u00dfe"), "k", "here", {})
    assert (values.tolist(), problems) == (["main st 1", "main st 1", "", "strasse", "strasse"], [])


def test_who_is_held_out_by_the_table():
    notes = {}
    values, problems = _held(column("no", " YES ", "0", "1", "", None, "maybe"), "h", "here", notes)
    assert (values.tolist(), problems) == ([0, 1, 0, 1, 2, 2, 2], [])
    assert notes == {"h: neither yes nor no, taken as held out": 3}
    assert _held(column(True, False), "h", "here", {})[0].tolist() == [1, 0]


def test_columns_that_are_there_are_read_by_their_kind_and_all_faults_are_told():
    kinds = {"a": "count", "b": "depth", "c": "consent", "d": "day", "e": "zone", "f": "key", "g": "held", "h": "count"}
    asked = [RuleColumn(name, kind, "yes", "") for name, kind in kinds.items()]
    table = pa.table({"a": [1, -1], "b": [0.5, -1.0], "c": [1, 0], "d": ["2026-11-21", "soon"], "e": ["UTC", "x"],
                      "f": ["A", "b"], "g": ["no", "?"], "x": [1, 2]})  # fmt: skip
    found, problems = read_known(table, asked, "here", {})
    assert {name: known.kind for name, known in found.items()} == {n: k for n, k in kinds.items() if n != "h"}
    assert [(p.field, p.where) for p in problems] == [("a", "here row 1"), ("b", "here row 1"), ("d", "here row 1")]
    assert found["f"].values.tolist() == ["a", "b"]


def test_a_day_is_a_day_whatever_holds_it():
    with pytest.raises(DataError, match="a day, as in 2026-11-21"):
        _day(column(dt.time(1, 2)), "d", "here", {})
    assert _day(column("1970-01-02T23:59:59.5+02:00"), "d", "here", {})[0].tolist() == [1]
    assert _day(column("19700-01-02"), "d", "here", {})[1][0].value == "19700-01-0"
