"""Erasure: everything a ledger holds of one customer goes, and a keyed hash stays, so that nobody contacts them again.

Tables are written anew without their rows and the old files are removed, so that no byte of the id is left in the
folder; how often and when others were contacted stays as it was. Not here: suppression by the hash (standing.py).
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from campaignrl.errors import Problem, UsageError
from campaignrl.ledger.aliases import names_of
from campaignrl.ledger.chain import ERASURE, entry_of
from campaignrl.ledger.delta_tables import remove_leftovers
from campaignrl.ledger.folder import EPOCH, Ledger
from campaignrl.ledger.handovers import not_sent
from campaignrl.ledger.owners import write_aliases
from campaignrl.ledger.schemas import ALL_CHANNELS, TABLES
from campaignrl.tables import same_spelling

# In this order: who is erased is suppressed before anything that held them back is gone, should it be killed half way.
CHANGED = ("permissions", "decisions", "handovers", "outcomes")


class Erased(NamedTuple):
    """Rows that went, by table."""

    decisions: int
    handovers: int
    outcomes: int
    permissions: int


def erase(ledger: Ledger, customer: str, *, today: datetime.date) -> Erased:
    """Remove a customer, however the id is spelled and under every earlier name, and suppress the keyed hashes.

    Raises:
        UsageError: the id is empty, or the ledger cannot be written.
    """
    if not customer.strip():
        raise UsageError(Problem("erase", "customer_id", customer, "an id"))
    with ledger.lock():
        names = names_of(ledger.aliases, customer)
        tables = {name: ledger.read(name) for name in TABLES}
        theirs = {name: _of(tables[name], names) for name in ("decisions", "outcomes", "permissions")}
        made = set(tables["decisions"].filter(theirs["decisions"])["decision_id"].to_pylist())
        by_decision = {name: _among(tables[name]["decision_id"], made) for name in ("handovers", "outcomes")}
        theirs["outcomes"] = pc.or_(theirs["outcomes"], by_decision["outcomes"])
        theirs["handovers"] = by_decision["handovers"]
        _chained(ledger, tables["decisions"].filter(theirs["decisions"]), tables["erasures"], today)
        for name in CHANGED:
            rows = tables[name].filter(pc.invert(theirs[name]))
            if name == "permissions":
                rows = pa.concat_tables([rows, _suppression(ledger, names, today, rows.schema)])
            if len(rows) != len(tables[name]) or name == "permissions":
                ledger.replace(name, rows)
            else:
                remove_leftovers(ledger.folder / name, ledger.folder)
        if len(names) > 1:
            write_aliases(ledger, {one: now for one, now in ledger.aliases.items() if one not in names})
    return Erased(*(int(pc.sum(theirs[name]).as_py() or 0) for name in Erased._fields))


def _chained(ledger: Ledger, going: pa.Table, before: pa.Table, today: datetime.date) -> None:
    """Leave the digests of the rows that go, without their salts, and an entry of the chain for the erasure.

    The money they cost was spent, and their sends were sent: both still count. What an erasure left that was killed
    before its rows went stands already.
    """
    there = set(before["row_digest"].to_pylist())
    going = going.filter(pc.invert(pc.is_in(going["row_digest"], pa.array(sorted(there), pa.binary()))))
    if not len(going):
        return
    failed = pc.is_in(going["decision_id"], pa.array(sorted(not_sent(ledger)), pa.string()))
    head, digests = ledger.chain_head, going["row_digest"].to_pylist()
    entry = entry_of(ERASURE, digests, head)
    columns = {
        "day": pa.array([(today - EPOCH).days] * len(going), pa.int32()),
        "decision_day": going["day"],
        "channel": pc.if_else(failed, "", going["channel"]),
        "offer": pc.if_else(failed, "", going["offer"]),
        "cost": pc.if_else(failed, 0, going["cost"]),
        "run_id": going["run_id"],
        "run_entry": going["chain"],
        "run_before": going["chain_before"],
        "row_digest": going["row_digest"],
        "chain": pa.array([entry] * len(going), pa.string()),
        "chain_before": pa.array([head] * len(going), pa.string()),
    }
    ledger.append("erasures", pa.table(columns), entry)


def _of(table: pa.Table, names: list[str]) -> pa.ChunkedArray:
    """(n,) rows of a customer, however its names are spelled."""
    distinct = pc.unique(table["customer_id"]).to_pylist()
    spelled = pd.Series(same_spelling(distinct)).isin(same_spelling(names))
    return _among(table["customer_id"], {one for one, hit in zip(distinct, spelled, strict=True) if hit})


def _among(column: pa.ChunkedArray, values: set[str]) -> pa.ChunkedArray:
    return pc.is_in(column, pa.array(sorted(values), pa.string()))


def _suppression(ledger: Ledger, names: list[str], today: datetime.date, schema: pa.Schema) -> pa.Table:
    day = (today - EPOCH).days
    row = {"channel": ALL_CHANNELS, "allowed": False, "day": day, "arrived": day, "source": "erasure"}
    hashes = dict.fromkeys(ledger.hash_of(name) for name in names)
    return pa.Table.from_pylist([{**row, "customer_id": one} for one in hashes], schema=schema)
