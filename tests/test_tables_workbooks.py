"""Sheets as CSV by hand: which cells a merged one fills, where the header is, what each kind of cell says."""

import datetime as dt

import pytest

from campaignrl.tables.files.workbooks import TITLES, WORKBOOKS, _header_row, _spread, _text


def spread(rows, *merged, first=(0, 0)):
    rows = [list(row) for row in rows]
    _spread(rows, list(merged), first)
    return rows


def test_a_merged_cell_says_the_same_in_all_of_its_rows():
    rows = ["abc", "d__", "___", "efg"]
    assert spread(rows, ((1, 0), (2, 0))) == [list("abc"), list("d__"), list("d__"), list("efg")]
    assert spread(rows, ((1, 0), (2, 1)))[1:3] == [list("dd_"), list("dd_")]
    assert spread(rows, ((1, 1), (1, 2)))[1] == list("d__")
    assert spread(["abcd", "ef__"], ((1, 1), (1, 2)))[1] == list("eff_")
    assert spread(rows, ((0, 0), (0, 1)))[0] == list("aac")
    assert spread(rows, ((3, 1), (5, 9)))[3] == list("eff")  # ends beyond the rows there are
    assert spread([list("ab"), ["c"], list("__")], ((0, 1), (2, 1))) == [list("ab"), ["c"], list("_b")]


def test_a_title_over_all_columns_stays_one_cell():
    rows = ["t__", "abc"]
    assert spread(rows, ((0, 0), (0, 2))) == [list("t__"), list("abc")]
    assert spread(rows, ((0, 0), (0, 1)))[0] == list("tt_")
    assert spread(rows, ((0, 0), (1, 2))) == [list("ttt"), list("ttt")]


def test_places_are_those_of_the_sheet_not_of_its_filled_part():
    rows = ["abc", "d_f"]
    assert spread(rows, ((3, 5), (3, 6)), first=(2, 5)) == [list("abc"), list("ddf")]
    assert spread(rows, ((1, 5), (3, 5)), first=(2, 5)) == [list("abc"), list("d_f")]  # begins before it
    assert spread(rows, ((3, 4), (3, 6)), first=(2, 5)) == [list("abc"), list("d_f")]
    assert spread(rows, ((4, 5), (5, 5)), first=(2, 5)) == [list("abc"), list("d_f")]  # and after it
    assert spread(rows, ((4, 5), (4, 6)), first=(2, 5)) == [list("abc"), list("d_f")]


@pytest.mark.parametrize(
    ("fill", "header"),
    [
        ([3, 3, 3], 0),
        ([1, 3, 3], 1),
        ([2, 3, 3], 0),  # within one cell of the fullest
        ([0, 1, 1], 1),  # an empty row is none
        ([1, 2], 0),
        ([0, 0, 5, 4], 2),
        ([1] * 19 + [5], 19),
        ([1] * 20 + [5], 0),  # not looked for so far down
    ],
)
def test_the_header_is_the_first_row_as_full_as_those_near_it(fill, header):
    width = max(fill)
    rows = [["x"] * n + ["", None, "", None, ""][: width - n] for n in fill]
    assert _header_row(rows) == header
    assert TITLES == 20


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("as it is", "as it is"),
        (True, "true"),
        (False, "false"),
        (3.0, "3"),
        (-2.0, "-2"),
        (2.5, "2.5"),
        (2.0**53 - 1, "9007199254740991"),
        (2.0**53, "9007199254740992.0"),
        (7, "7"),
        (dt.datetime(2026, 1, 2), "2026-01-02"),
        (dt.datetime(2026, 1, 2, 0, 0, 1), "2026-01-02 00:00:01"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.time(23, 59), "23:59:00"),
        (dt.timedelta(hours=30), "1 day, 6:00:00"),
    ],
)
def test_a_cell_as_text_that_says_the_same(cell, text):
    assert _text(cell) == text


def test_kinds_of_workbooks():
    assert WORKBOOKS == (".xlsx", ".xls", ".xlsb", ".xlsm", ".ods")
