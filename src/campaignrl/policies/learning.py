"""What learners share: one setting, and the matured rows of a decision log in blocks.

Not here: what is learned from them (linear.py, learned.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl.actions import Catalog
from campaignrl.errors import DataError, Problem
from campaignrl.features import FeatureSchema
from campaignrl.policies.ridge import ROWS_AT_A_TIME, Float32
from campaignrl.tables.decisions import DecisionLog

Penalty = Annotated[float, Field(gt=0.0)] | Literal["auto"]  # pseudo-observations, or the best by evidence


def fixed_penalty(l2: Penalty) -> float | None:
    """The penalty as `fit_ridge` takes it."""
    return None if l2 == "auto" else l2


def require_catalog(log: DecisionLog, catalog: Catalog, name: str) -> None:
    """Ids mean the same in both, or a DataError."""
    if log.catalog.hash != catalog.hash:
        where, fix = f"policy {name}", "Build the policy on the log's own catalog."
        raise DataError(Problem(where, "catalog of the log", log.catalog.hash, f"its own, {catalog.hash}", fix))


def encoded_blocks(log: DecisionLog, schema: FeatureSchema) -> Iterator[tuple[npt.NDArray[np.int64], Float32]]:
    """Row numbers (m,) and encoded contexts (m, d) of the matured rows, a block at a time."""
    matured = np.flatnonzero(log.matured)
    for start in range(0, len(matured), ROWS_AT_A_TIME):
        rows = matured[start : start + ROWS_AT_A_TIME]
        yield rows, log.context.take(rows).encode(schema)
