"""Whose rows of a ledger are: its aliases, taken over and kept, and the customer of an outcome that names none.

Not here: what an alias is (aliases.py), outcomes as they come in (incoming.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from campaignrl.ledger.aliases import ALIAS, NAME, joined, read_aliases
from campaignrl.ledger.folder import Ledger
from campaignrl.ledger.schemas import HASHED
from campaignrl.tables import ID
from campaignrl.tables.files import write_frame


def known_as(ledger: Ledger, customers: object) -> Ledger:
    """The ledger with the aliases that lie beside a customers table; nothing is written yet."""
    if not isinstance(customers, str | Path):
        return ledger
    beside = read_aliases(Path(customers).parent)
    return replace(ledger, aliases=joined(ledger.aliases, beside)) if beside else ledger


def keep_aliases(ledger: Ledger) -> None:
    """Write the aliases into the ledger's folder; names of customers who were erased are not brought back."""
    gone = erased_hashes(ledger)
    kept = {
        name: now
        for name, now in ledger.aliases.items()
        if not gone or not {ledger.hash_of(name), ledger.hash_of(now)} & gone
    }
    if kept != read_aliases(ledger.folder):
        write_aliases(ledger, kept)


def write_aliases(ledger: Ledger, aliases: Mapping[str, str]) -> None:
    """The ledger's file of aliases, in order of name."""
    write_frame(pd.DataFrame(sorted(aliases.items()), columns=[ALIAS, ID], dtype="str"), ledger.folder / NAME)


def erased_hashes(ledger: Ledger) -> set[str]:
    """The keyed hashes that stand for erased customers."""
    ids = ledger.read("permissions", ["customer_id"])["customer_id"].to_pylist()
    return {str(one) for one in ids if str(one).startswith(HASHED)}


def with_customers(ledger: Ledger, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Outcomes with the customer of their decision where they name none; "" where that decision is not here (yet)."""
    nameless = outcomes["customer_id"] == ""
    if not nameless.any():
        return outcomes
    owners = ledger.read("decisions", ["decision_id", "customer_id"]).to_pandas().drop_duplicates("decision_id")
    owner = outcomes["decision_id"].map(owners.set_index("decision_id")["customer_id"].astype(object).to_dict())
    return outcomes.assign(customer_id=outcomes["customer_id"].where(~nameless, owner.fillna("")))
