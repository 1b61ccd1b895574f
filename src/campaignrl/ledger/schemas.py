"""The tables: which columns they have, and what a row may say.

Money is whole minor units, days are days since 1970-01-01, times are UTC. Not here: the folder (folder.py), how a file
becomes rows (incoming.py).
"""

from __future__ import annotations

import pyarrow as pa

from campaignrl.features import FeatureSchema

TABLES = ("decisions", "handovers", "outcomes", "permissions", "erasures")
PARTITIONS = {"decisions": ["day"], "handovers": ["day"], "outcomes": ["month"], "permissions": [], "erasures": []}

STATUSES = ("sent", "unknown", "refused", "withdrawn", "expired")  # of a hand-over; only the first two count
COUNTED = ("sent", "unknown")
KINDS = ("open", "click", "order", "refund", "unsubscribe")
ALL_CHANNELS = "*"
HASHED = "hash:"  # before what stands for an erased customer
SEEN = "seen."  # before the name of a context column
RULE = "rule."  # before the name of a column that only rules read
ADDRESS = RULE + "address"  # keyed hash of the address of whom something is sent to
RUN_PREFIX = 13  # characters of a decision's id before the customer's: 12 hex digits of the run and a dash
# What would name a customer, and what no query asks for.
NO_STATISTICS = ("customer_id", "decision_id", "outcome_id", "source", "row_salt", "row_digest")

_DECISIONS = (
    ("day", pa.int32()),
    ("run_id", pa.string()),
    ("decision_id", pa.string()),
    ("customer_id", pa.string()),
    ("action", pa.int16()),
    ("offer", pa.string()),
    ("channel", pa.string()),
    ("eligible", pa.list_(pa.int16())),
    ("propensity", pa.float64()),
    ("propensity_before", pa.float64()),
    ("cost", pa.int64()),
    ("expected_gain", pa.float64()),  # over sending nothing; NaN where the policy states no values
    ("reason", pa.string()),
    ("blocked", pa.string()),
    ("policy_id", pa.string()),
    ("policy_hash", pa.string()),
    ("world_hash", pa.string()),
    ("guard_hash", pa.string()),
    ("catalog_hash", pa.string()),
    ("seed", pa.int64()),
    ("row_salt", pa.binary()),
    ("row_digest", pa.binary()),
    ("chain", pa.string()),
    ("chain_before", pa.string()),
)
_OTHERS = {
    "handovers": (
        ("day", pa.int32()),
        ("decision_id", pa.string()),
        ("status", pa.string()),
        ("arrived", pa.int32()),  # null of those that came before this was kept
    ),
    "outcomes": (
        ("month", pa.string()),
        ("outcome_id", pa.string()),
        ("decision_id", pa.string()),
        ("customer_id", pa.string()),
        ("day", pa.int32()),
        ("kind", pa.string()),
        ("channel", pa.string()),
        ("margin", pa.int64()),
        ("arrived", pa.int32()),
    ),
    "permissions": (
        ("customer_id", pa.string()),
        ("channel", pa.string()),
        ("allowed", pa.bool_()),
        ("day", pa.int32()),
        ("arrived", pa.int32()),
        ("source", pa.string()),
    ),
    "erasures": (  # of rows of decisions that went: what money and capacity count of them, and the chain
        ("day", pa.int32()),
        ("decision_day", pa.int32()),
        ("channel", pa.string()),  # "" where nothing was sent
        ("offer", pa.string()),
        ("cost", pa.int64()),
        ("run_id", pa.string()),
        ("run_entry", pa.string()),
        ("run_before", pa.string()),
        ("row_digest", pa.binary()),
        ("chain", pa.string()),
        ("chain_before", pa.string()),
    ),
}


def schema_of(table: str, features: FeatureSchema) -> pa.Schema:
    """Columns of a table in order; of decisions with everything that the policy saw."""
    if table != "decisions":
        return pa.schema(_OTHERS[table])
    seen = [(SEEN + f.name, pa.string() if f.levels else pa.float64()) for f in features.features]
    return pa.schema([*_DECISIONS, *seen])
