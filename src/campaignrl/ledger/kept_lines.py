"""Rows that a profile folder keeps for later exports: which are of a customer, by the ids they came with.

    lines.json           for each source its file and the kinds of its ids, the strongest first
    lines-0.parquet ...  rows with id0, id1 ...
    links.parquet        whose each id is, where there are several kinds
A row is of the customer whom its strongest id was linked to when the folder was made. Not here: how ids are linked
(profiles/intake/), the erasure (erase_files.py).
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from campaignrl.arrays import Objects
from campaignrl.errors import ArtifactError, Problem
from campaignrl.tables.files import read_table

LINES, LINKS = "lines.json", "links.parquet"
FILE, ID_COLUMN = re.compile(r"lines-\d+\.parquet"), re.compile(r"id\d+")
SEPARATOR = " | "  # of members who share an id, in links.parquet
MEMBERS = "members"


def is_lines(path: Path) -> bool:
    """Whether a file holds such rows."""
    return FILE.fullmatch(path.name) is not None and (path.parent / LINES).is_file()


def id_columns(table: pa.Table) -> list[str]:
    """The columns of such rows that hold ids."""
    return [name for name in table.column_names if ID_COLUMN.fullmatch(name)]


def owners(path: Path, table: pa.Table) -> Objects:
    """(n,) the customer of each row; "" where it has no id.

    Raises:
        ArtifactError: what the folder says of its rows cannot be read.
    """
    try:
        told = json.loads((path.parent / LINES).read_bytes())
        (kinds,) = (one["ids"] for one in told["sources"].values() if one["file"] == path.name)
        strongest = (told["mapping"].get("ids", {}).get("order") or kinds)[0]
        columns = [table[f"id{i}"].to_pylist() for i in range(len(kinds))]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ArtifactError(Problem(str(path.parent / LINES), "content", "unreadable", "the JSON it was")) from None
    links = _links(path.parent / LINKS)
    found = np.full(len(table), "", dtype=object)
    for kind, column in reversed(list(zip(kinds, columns, strict=True))):  # the strongest id last: it has the last word
        for row, one in enumerate(column):
            if one is not None:
                found[row] = links.get((kind, one), one if kind == strongest else f"{kind}:{one}")
    return found


def _links(path: Path) -> dict[tuple[str, str], str]:
    if not path.is_file():
        return {}
    table = read_table(path)
    rows = zip(*(table[name].to_pylist() for name in ("kind", "id", "customer_id")), strict=True)
    return {(kind, one): customer for kind, one, customer in rows}
