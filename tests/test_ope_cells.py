"""Cells of columns by hand: quarters of numbers, levels, the missing, the rare, waves and days, and their names."""

import numpy as np
import pytest

from campaignrl.features import Feature, FeatureSchema
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.cells import (
    CROSSED,
    DAYS,
    FEW,
    LEVELS,
    LOOKED_AT,
    QUARTERS,
    Cells,
    CellSums,
    _of_codes,
    _of_numbers,
    cells_of,
)


def sizes(cells):
    return dict(zip(cells.called, np.bincount(cells.cell, minlength=len(cells.called)).tolist(), strict=True))


def test_numbers_are_cut_at_their_quarters():
    column = np.arange(200.0)
    found = _of_numbers("x", np.random.default_rng(0).permutation(column), QUARTERS)
    assert found.name == "x"
    assert sizes(found) == {
        "`x` is low (at most 49)": 50,
        "`x` is above 49 and at most 99": 50,
        "`x` is above 99 and at most 149": 50,
        "`x` is high (above 149)": 50,
    }
    in_order = _of_numbers("x", column, QUARTERS)
    assert in_order.cell.tolist() == [0] * 50 + [1] * 50 + [2] * 50 + [3] * 50
    assert in_order.cell.dtype == np.int8


def test_few_values_have_a_cell_each_and_the_missing_their_own():
    column = np.repeat([1.0, 2.0, np.nan, 7.5, np.inf], [100, 80, 40, 40, 30])
    assert sizes(_of_numbers("x", column, QUARTERS)) == {
        "`x` is low (at most 1)": 100,
        "`x` is above 1 and at most 2": 80,
        "`x` is high (above 2)": 40,
        "`x` is missing": 70,
    }
    same = _of_numbers("x", np.full(90, 5.0), QUARTERS)
    assert same.called == ("`x` is low (at most 5)",)
    none = _of_numbers("x", np.full(40, np.nan), QUARTERS)
    assert none.called == ("`x` is missing",)
    some = _of_numbers("x", np.r_[np.full(40, np.nan), np.full(40, 3.0)], QUARTERS)
    assert sizes(some) == {"`x` is low (at most 3)": 40, "`x` is missing": 40}
    assert some.cell.tolist() == [1] * 40 + [0] * 40


def test_quarters_of_a_long_column_are_read_off_some_rows():
    column = np.zeros(3 * LOOKED_AT)
    column[::3] = np.arange(LOOKED_AT)  # the rows that are looked at
    found = _of_numbers("x", column, QUARTERS)
    ends = [int(share * (LOOKED_AT - 1)) for share in QUARTERS]
    assert found.called[0] == f"`x` is low (at most {ends[0]})"
    assert found.called[-1] == f"`x` is high (above {ends[2]})"
    assert (found.cell == 3).sum() == LOOKED_AT - 1 - ends[2]


@pytest.mark.parametrize(("few", "told"), [(FEW, True), (FEW - 1, False)])
def test_a_cell_has_thirty_rows_or_is_something_rare(few, told):
    code = np.repeat([0, 1, 2, 3], [50, few, 10, 40])
    found = _of_codes("x", code, ["a", "b", "c", "d"])
    if told:
        assert sizes(found) == {"a": 50, "b": 30, "d": 40, "`x` is something rare": 10}
        assert found.cell.tolist() == [0] * 50 + [1] * 30 + [3] * 10 + [2] * 40
    else:
        assert sizes(found) == {"a": 50, "d": 40, "`x` is something rare": 39}
    assert _of_codes("x", code, ["a", "b", "c", "d"], np.array([50, few, 10, 40])).called == found.called


def test_levels_without_rows_take_no_cell():
    assert sizes(_of_codes("x", np.repeat([0, 2], [50, 40]), ["a", "b", "c"])) == {"a": 50, "c": 40}
    whole = np.repeat([0, 1], [50, 40])
    assert sizes(_of_codes("x", whole, ["a", "b", "c"])) == {"a": 50, "b": 40}
    assert _of_codes("x", np.zeros(3, dtype=int), ["a"]).called == ("`x` is something rare",)


def test_of_many_levels_the_largest_are_told_apart():
    rows = [40 + (7 * i) % 26 for i in range(26)]  # 40 to 65, each once
    found = _of_codes("x", np.repeat(np.arange(26), rows), [str(i) for i in range(26)])
    assert LEVELS == 24
    small = {i for i in range(26) if rows[i] in (40, 41)}
    assert found.called == (*(str(i) for i in range(26) if i not in small), "`x` is something rare")
    assert sizes(found)["`x` is something rare"] == 81
    whole = _of_codes("x", np.repeat(np.arange(24), 30), [str(i) for i in range(24)])
    assert len(whole.called) == 24


def test_columns_waves_and_days_that_differ():
    n = 480
    features = (Feature(name="plan", levels=("a", "b")), Feature(name="x", low=0.0, high=1.0))
    plan = np.where(np.arange(n) < 100, -1, np.arange(n) % 2)
    sample = LogSample(
        FeatureSchema(features), np.arange(n), np.zeros(n, int), np.ones(n), np.zeros(n), None,
        {"plan": plan, "x": np.full(n, 0.5)}, np.repeat([3, 9], [200, 280]), np.arange(n) // 10, None,
    )  # fmt: skip
    plans, waves, days = cells_of(sample)
    assert sizes(plans) == {"`plan` is a": 190, "`plan` is b": 190, "`plan` is missing": 100}
    assert sizes(waves) == {"`wave` is 3": 200, "`wave` is 9": 280}
    assert days.name == "day"
    assert sizes(days)["`day` is low (at most 5)"] == 60
    assert list(sizes(days).values()) == [60] * 8
    assert [cells.name for cells in cells_of(sample._replace(wave=None, day=None))] == ["plan"]
    one_day = sample._replace(day=np.zeros(n), wave=np.ones(n))
    assert [cells.name for cells in cells_of(one_day)] == ["plan"]
    last = sample._replace(day=np.repeat([0, 1], [n - 40, 40]), wave=None)
    assert sizes(cells_of(last)[1]) == {"`day` is low (at most 0)": 440, "`day` is high (above 0)": 40}


def test_columns_are_crossed_up_to_a_bound():
    columns = [Cells(str(j), np.arange(64) // 4**j % 4, tuple("abcd")) for j in range(3)]
    action = np.arange(64) % 5
    for k, parts in ((64, 1), (65, 2)):  # 64 x 64 are just the bound
        sums = CellSums(columns, action, k)
        assert len(sums._crossed) == parts
        for j in range(3):
            for cell in range(4):
                here = columns[j].cell == cell
                assert sums.by_action()[4 * j + cell].tolist() == np.bincount(action[here], minlength=k).tolist()
    eighths = tuple(i / 8 for i in range(1, 8))
    assert CROSSED == 4096
    assert [*QUARTERS, *DAYS] == [0.25, 0.5, 0.75, *eighths]
