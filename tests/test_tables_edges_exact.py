"""Tables at their edges: whole numbers or moments, amounts in minor units, rows of nobody that stand twice."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from test_tables_foreign_exact import MAPPING

from campaignrl.actions import Catalog
from campaignrl.tables.events import KINDS, MONEY, NO_EVENTS, SCHEMA, _conformed, event_problems
from campaignrl.tables.foreign.log import _all_digits, _known
from campaignrl.tables.foreign.mapping import CostPart
from campaignrl.tables.logs import read_log

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
