"""The replay sample: rows that a learner learned from, as tensors in its bundle, so that a loaded one learns on.

Whole customers, drawn by a hash of the id so that the same ones stay, and at most so many rows: 56 + 4 x features +
about 16 bytes a row. A customer is named by the 64-bit key of the id, so that later rows meet earlier ones; a key is no
secret, and `forgotten` takes a customer out. Not here: what becomes of the other customers' rows (replay_learner.py),
the file (bundle.py). n rows, m of them kept, k actions, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from campaignrl import rng
from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int64
from campaignrl.errors import ArtifactError, Problem
from campaignrl.features import UNKNOWN, Context, FeatureSchema
from campaignrl.policies.base import ANY, Shapes, Tensors
from campaignrl.tables.log import DecisionLog

ROWS, CONTEXT, ALLOWED = "replay_rows", "replay_context", "replay_allowed"
CUSTOMERS, FACTS = "replay_customers", "replay_facts"
COLUMNS = ("customer", "step", "day", "action", "propensity", "reward", "cost")  # of ROWS
KNOWN = ("outcome_days", "minor_per_unit")  # facts about a log that learners ask for; 0: it does not say
MISSING = np.finfo(np.float32).max  # for NaN, which no bundle may hold
BITS = 24  # of a mask in one float32, which holds whole numbers up to 2^24
LOW = np.uint64(0xFFFFFFFF)


def replay_shapes(catalog: Catalog, schema: FeatureSchema) -> Shapes:
    """What `packed` gives."""
    words = -(-len(catalog) // BITS)
    return {
        ROWS: ("F64", (ANY, len(COLUMNS))),
        CONTEXT: ("F32", (ANY, len(schema.features))),
        ALLOWED: ("F32", (ANY, words)),
        CUSTOMERS: ("F64", (ANY, 2)),
        FACTS: ("F64", (len(KNOWN),)),
    }


def sampled(log: DecisionLog, most: int, seed: int) -> Bool:
    """(n,) the rows of customers drawn by id, whose matured rows are at most `most` in number."""
    rows = np.bincount(log.customer[log.matured], minlength=len(log.customers))
    drawn = rng.uniform(rng.customer_keys(log.customers), seed, 0, rng.Purpose.FOLD, k=4)
    order = np.argsort(drawn, kind="stable")
    kept = np.zeros(len(log.customers), dtype=bool)
    kept[order[np.cumsum(rows[order]) <= most]] = True
    return np.asarray(kept[log.customer])


def packed(log: DecisionLog, rows: Bool, schema: FeatureSchema) -> Tensors:
    """Matured ones of these rows (n,) as tensors."""
    log = log.take(np.flatnonzero(rows & log.matured))
    found, customer = np.unique(log.customer, return_inverse=True)
    keys = rng.customer_keys(log.customers[found])
    columns = [customer, *(getattr(log, name) for name in COLUMNS[1:])]
    context = log.context.to_schema(schema)
    numbers = [_number(context, feature.name) for feature in schema.features]
    return {
        ROWS: np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1),
        CONTEXT: np.stack(numbers, axis=1) if numbers else np.zeros((len(log), 0), dtype=np.float32),
        ALLOWED: _words(log.allowed()),
        CUSTOMERS: np.stack([keys >> np.uint64(32), keys & LOW], axis=1).astype(np.float64),
        FACTS: np.array([float(log.meta.get(name) or 0.0) for name in KNOWN]),
    }


def unpacked(tensors: Mapping[str, Any], catalog: Catalog, schema: FeatureSchema) -> DecisionLog:
    """The log of these tensors, its customers called by their keys (`by_key`); nonsense is an ArtifactError."""
    rows, m = tensors[ROWS], len(tensors[ROWS])
    whole = rows[:, [0, 1, 2, 3, 6]]
    halves = tensors[CUSTOMERS]
    sound = (
        m == len(tensors[CONTEXT]) == len(tensors[ALLOWED])
        and bool((whole == np.floor(whole)).all() and (np.abs(whole) < 2.0**53).all())
        and bool(((rows[:, 0] >= 0) & (rows[:, 0] < len(halves))).all())
        and bool(((halves >= 0) & (halves < 2.0**32) & (halves == np.floor(halves))).all())
    )
    if not sound:
        raise ArtifactError(Problem("replay sample", "rows", m, "rows as campaignrl writes them"))
    customer, step, day, action, cost = (whole[:, i].astype(np.int64) for i in range(5))
    keys = (halves[:, 0].astype(np.uint64) << np.uint64(32)) | halves[:, 1].astype(np.uint64)
    return DecisionLog(
        catalog=catalog,
        customers=rng.texts_of(keys),
        customer=customer,
        step=step,
        day=day,
        context=_context(tensors[CONTEXT], schema),
        action=action,
        propensity=rows[:, 4].copy(),
        reward=rows[:, 5].copy(),
        cost=cost,
        matured=np.ones(m, dtype=bool),
        eligible=_mask(tensors[ALLOWED], len(catalog)),
        meta={name: float(value) for name, value in zip(KNOWN, tensors[FACTS], strict=True) if value},
    )


def by_key(log: DecisionLog) -> DecisionLog:
    """The same log, its customers called as those of a replay sample are."""
    return replace(log, customers=rng.texts_of(rng.customer_keys(log.customers)))


def forgotten(tensors: Tensors, customer: str) -> tuple[Tensors, int]:
    """The sample without a customer, by the id, and how many rows went."""
    key = int(rng.customer_keys(np.array([customer], dtype=object))[0])
    theirs = (tensors[CUSTOMERS] == [key >> 32, key & int(LOW)]).all(axis=1)
    if not theirs.any():
        return tensors, 0
    mine = theirs[tensors[ROWS][:, 0].astype(np.int64)]
    left = {name: tensors[name][~mine] for name in (ROWS, CONTEXT, ALLOWED)}
    numbers = np.cumsum(~theirs) - 1
    left[ROWS][:, 0] = numbers[left[ROWS][:, 0].astype(np.int64)]
    return {**tensors, **left, CUSTOMERS: tensors[CUSTOMERS][~theirs]}, int(mine.sum())


def _number(context: Context, name: str) -> Float32:
    """(m,) of a column: what is beyond its range at the range's end, as the encoding has it."""
    feature, values = context.schema[name], context.columns[name]
    if feature.levels:
        return np.asarray(values, dtype=np.float32)
    number = values if values.dtype == np.float32 else np.clip(values, feature.low, feature.high)
    return np.where(np.isnan(number), MISSING, np.clip(number, -MISSING, MISSING)).astype(np.float32)


def _context(values: Float32, schema: FeatureSchema) -> Context:
    columns: dict[str, Any] = {}
    for feature, column in zip(schema.features, values.T, strict=True):
        if feature.levels:
            known = (column >= UNKNOWN) & (column < len(feature.levels)) & (column == np.floor(column))
            columns[feature.name] = np.where(known, column, UNKNOWN).astype(np.int16)
        else:
            columns[feature.name] = np.where(column == MISSING, np.float32(np.nan), column)
    return Context(schema, columns, count=len(values))


def _words(mask: Bool) -> Float32:
    """(m, ceil(k / BITS)) a mask (m, k) as whole numbers."""
    m, k = mask.shape
    wide = np.zeros((m, -(-k // BITS) * BITS), dtype=np.int64)
    wide[:, :k] = mask
    words: Float = wide.reshape(m, -1, BITS) @ (1 << np.arange(BITS, dtype=np.int64))
    return words.astype(np.float32)


def _mask(words: Float32, k: int) -> Bool:
    whole: Int64 = np.clip(words, 0, 2.0**BITS - 1).astype(np.int64)
    bits = (whole[:, :, None] >> np.arange(BITS)) & 1
    return np.ascontiguousarray(bits.reshape(len(words), whole.shape[1] * BITS)[:, :k].astype(bool))
