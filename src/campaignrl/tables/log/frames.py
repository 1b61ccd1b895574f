"""The decision log as a pandas frame, and back: the columns of its file, in memory.

Not here: files (files.py), what the rows must keep (rows.py). n rows, k actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.actions import Catalog
from campaignrl.errors import DataError, Problem
from campaignrl.features import FeatureSchema
from campaignrl.tables.files import ROW_GROUP
from campaignrl.tables.log.columns import log_batches, log_schema
from campaignrl.tables.log.decision_log import DecisionLog
from campaignrl.tables.log.rows import Facts, log_from

FRAME = "frame"


def frame_of(log: DecisionLog) -> pd.DataFrame:
    """One row a decision, with the columns that its file would have."""
    schema = log_schema(log)
    frame: pd.DataFrame = pa.Table.from_batches(log_batches(log, schema, ROW_GROUP), schema).to_pandas()
    return frame


def log_of(
    frame: pd.DataFrame, catalog: Catalog, features: FeatureSchema | None, meta: Mapping[str, Any] | None
) -> DecisionLog:
    """The log that a frame holds; what follows from other columns or from the catalog may be left out of it."""
    known = FeatureSchema(()) if features is None else features
    facts = Facts(catalog, known, dict(meta or {}))
    if "policy_id" in frame.columns and "policy_id" not in facts.meta and len(frame):
        facts.meta["policy_id"] = str(frame["policy_id"].iloc[0])
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as wrong:  # mixed kinds in a column, a column twice
        text = " ".join(str(part) for part in wrong.args)
        raise DataError(Problem(FRAME, "frame", text, "one kind of value a column, each column once")) from None
    for name, values in _what_follows(frame, facts).items():
        if name not in frame.columns:
            table = table.append_column(name, pa.array(values))
    return log_from(table, facts, FRAME)


def _what_follows(frame: pd.DataFrame, facts: Facts) -> dict[str, Any]:
    """Columns that can be told from the others: (n,) values by name."""
    n, catalog = len(frame), facts.catalog
    told: dict[str, Any] = {
        "matured": np.ones(n, dtype=bool),
        "policy_id": [str(facts.meta.get("policy_id", "unknown"))] * n,
        "catalog_hash": [catalog.hash] * n,
    }
    if "step" in frame.columns:
        told["ts"] = frame["step"].to_numpy()
        if "customer_id" in frame.columns:
            pairs = zip(frame["customer_id"], frame["step"], strict=True)
            told["decision_id"] = [f"{customer}-{step}" for customer, step in pairs]
    if "action" in frame.columns and frame["action"].isin(range(len(catalog))).all():
        told["cost"] = catalog.cost_of[frame["action"].to_numpy(dtype=np.int64)]
    return told
