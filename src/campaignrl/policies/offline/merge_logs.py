"""Decision logs laid together, so that what is learned from halves of one is what is learned from the whole.

A customer of two logs is one customer, known by its id, unless both hold the same step of it: then they are two lives
(another seed, another season) and stay apart. Not here: reading logs (tables/), what is learned (base.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from campaignrl.features import Context
from campaignrl.tables.log import PER_ROW, DecisionLog, repeated


def merge_logs(logs: Sequence[DecisionLog]) -> DecisionLog:
    """All rows of `logs`, in order; facts about them (meta) are those of the first."""
    first = logs[0]
    if len(logs) == 1:
        return first
    customers, number = np.unique(np.concatenate([log.customers for log in logs]), return_inverse=True)
    starts = np.cumsum([0, *(len(log.customers) for log in logs)])
    customer = np.concatenate([number[s:][log.customer] for s, log in zip(starts, logs, strict=False)])
    step = np.concatenate([log.step for log in logs])
    if repeated(customer, step).any():
        customers = np.concatenate([log.customers for log in logs])
        customer = np.concatenate([s + log.customer for s, log in zip(starts, logs, strict=False)])
    rows: dict[str, Any] = {
        name: np.concatenate([getattr(log, name) for log in logs]) for name in PER_ROW if name != "customer"
    }
    alike = [log.context.to_schema(first.context.schema) for log in logs]
    columns = {name: np.concatenate([c.columns[name] for c in alike]) for name in first.context.schema.names}
    masked = any(log.eligible is not None for log in logs)
    return replace(
        first,
        customers=customers,
        customer=customer.astype(np.int64),
        **rows,
        context=Context(first.context.schema, columns),
        eligible=np.concatenate([log.allowed() for log in logs]) if masked else None,
        wave=None,
    )
