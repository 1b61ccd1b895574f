"""Texts of customers with their scores, from a table of any shop.

Not here: what they say (mood.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.tables import ID

NAMES = (ID, "text", "score", "ts")
NEEDED = (ID, "text")


def texts_of(frame: pd.DataFrame, columns: Mapping[str, str] | None = None, where: str = "feedback") -> pd.DataFrame:
    """customer_id, text, score (NaN where none was given) and ts (NaT), by customer and time; empty texts left out.

    columns: by those names, what they are called in the frame; score and ts need not be there.
    """
    called = {name: (columns or {}).get(name, name) for name in NAMES}
    present = [str(c) for c in frame.columns]
    wanted = [name for name in NAMES if name in NEEDED or name in (columns or {})]
    problems = [
        Problem(
            where, name, called[name], "a column", nearest(called[name], present) or f"Give --columns {name}=COLUMN."
        )
        for name in wanted
        if called[name] not in present
    ]
    if problems:
        raise DataError(problems)
    there = {name: frame[column] for name, column in called.items() if column in present}
    score = pd.to_numeric(there["score"], errors="coerce") if "score" in there else pd.Series(float("nan"), frame.index)
    if "score" in there and (bad := score.isna() & there["score"].notna() & (there["score"].astype(str) != "")).any():
        raise DataError(Problem(where, "score", there["score"][bad].iloc[0], "a number, or empty"))
    when = pd.to_datetime(there["ts"], errors="coerce", format="mixed") if "ts" in there else pd.NaT
    told = pd.DataFrame(
        {
            ID: there[ID].astype(str),
            "text": there["text"].fillna("").astype(str),
            "score": score.astype(float),
            "ts": when,
        }
    )
    told = told[(told["text"].str.strip() != "") & (told[ID].str.strip() != "")]
    return told.sort_values([ID, "ts"], kind="stable", ignore_index=True)
