"""The tables of a test: customers to assign, and what it is read from, one row a customer whose outcome is in.

Not here: what is made of it (reading.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from campaignrl.arrays import Float, Int64
from campaignrl.errors import DataError, Problem, nearest
from campaignrl.suites.abtest.assignment import arms_of
from campaignrl.suites.abtest.trial import Trial
from campaignrl.tables import ID, arrow_table
from campaignrl.tables.files import as_text, numbers, require_columns

ARM = "arm"  # optional column: where the customer really was


class Outcomes(NamedTuple):
    """n customers, in the order of the table."""

    arm: Int64  # (n,) into the trial's arms
    measure: Float  # (n,)
    covariates: Float  # (n, p) NaN: missing
    guardrails: Float  # (n, g)
    crossed: int = 0  # customers who were in another arm than theirs


def ids_to_assign(source: str | Path | pd.DataFrame | pa.Table, encoding: str | None = None) -> npt.NDArray[np.object_]:
    """(n,) ids of a customers table, each there once; DataError with every finding at once."""
    where = str(source) if isinstance(source, str | Path) else "customers"
    table = arrow_table(source, encoding)
    require_columns(where, [ID], table.column_names)
    ids = as_text(table.column(ID)).to_pylist()
    if problems := _id_problems(ids, where):
        raise DataError(dict.fromkeys(problems))
    return np.array(ids, dtype=object)


def read_outcomes(trial: Trial, source: str | Path | pd.DataFrame | pa.Table, encoding: str | None = None) -> Outcomes:
    """The outcomes in a table (CSV, Parquet, frame); DataError with every finding at once."""
    table = arrow_table(source, encoding)
    where = str(source) if isinstance(source, str | Path) else "outcomes"
    guarded = [rail.column for rail in trial.guardrails]
    wanted = [ID, trial.measure, *trial.covariates, *guarded]
    missing = [name for name in dict.fromkeys(wanted) if name not in table.column_names]
    if missing:
        raise DataError(
            Problem(
                where, "columns", name, "there", nearest(name, table.column_names) or f"The test {trial.name} needs it."
            )
            for name in missing
        )
    ids = as_text(table.column(ID)).to_pylist()
    problems = _id_problems(ids, where)
    columns = {}
    for name in dict.fromkeys(wanted[1:]):
        found = numbers(table.column(name), name, where)
        columns[name] = found.values
        problems += found.problems
        if name not in trial.covariates:
            problems += [
                Problem(
                    f"{where} row {row}", name, None, "a number", "Leave out customers whose outcome is not in yet."
                )
                for row in np.flatnonzero(~np.isfinite(found.values))[:5]
            ]
    if problems:
        raise DataError(dict.fromkeys(problems))
    n = len(ids)
    arm = arms_of(trial, np.array(ids, dtype=object))
    stacked = [np.array([columns[c] for c in names]).reshape(len(names), n).T for names in (trial.covariates, guarded)]
    return Outcomes(arm, columns[trial.measure], stacked[0], stacked[1], _crossed(trial, table, arm, where))


def _id_problems(ids: list[str | None], where: str) -> list[Problem]:
    empty = [row for row, one in enumerate(ids) if not one]
    seen: set[str | None] = set()
    twice = [one for one in ids if one in seen or seen.add(one)]  # type: ignore[func-returns-value]
    problems = [Problem(f"{where} row {row}", ID, None, "there") for row in empty[:5]]
    return problems + [Problem(where, ID, one, "given once") for one in list(dict.fromkeys(twice))[:5] if one]


def _crossed(trial: Trial, table: pa.Table, arm: Int64, where: str) -> int:
    """Customers whose `arm` column says another arm than theirs; 0 where there is no such column."""
    if ARM not in table.column_names:
        return 0
    names = np.array(list(trial.arms), dtype=object)
    said = np.array(as_text(table.column(ARM)).to_pylist(), dtype=object)
    foreign = sorted({str(name) for name in said} - set(names))
    if foreign:
        raise DataError(Problem(where, ARM, foreign[0], f"one of {', '.join(names)}"))
    return int((said != names[arm]).sum())
