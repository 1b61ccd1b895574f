"""The first rows of an export as intake would read it, every cell as text.

Not here: what they mean (guesses.py).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from campaignrl.profiles.intake import Source, open_raw


def first_rows(path: Path, rows: int, sheet: str | None = None) -> tuple[pd.DataFrame, dict[str, Any], int]:
    """Up to `rows` rows under their headers; what was seen of the file (encoding, sheet); how many rows it has.

    sheet: of a workbook (default: the first that holds rows).

    Raises:
        DataError: the file cannot be read as a table.
    """
    source = Source.model_construct({"name", "file", "sheet"}, name=path.stem, file=path.name, sheet=sheet)
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as con:
        raw = open_raw(con, source, path, "first", Path(scratch))
        cells = ", ".join(f'CAST({raw.cell(name).sql} AS VARCHAR) AS "c{i}"' for i, name in enumerate(raw.cells))
        frame = con.execute(f"SELECT {cells} FROM {raw.relation} LIMIT {int(rows)}").df()
        ((many,),) = con.execute(f"SELECT count(*) FROM {raw.relation}").fetchall()
    frame.columns = list(raw.cells)
    return frame, raw.facts, int(many)
