"""The customers a service decides for, as they came in, and whom it was told to forget.

A row is what a customers table says of one, as JSON by column. Not here: how a row is read and checked (send/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pandas as pd
from sqlalchemy import Connection, delete, func, insert, select, update

from campaignrl.service.store.access import forget_answers
from campaignrl.service.store.facts import CUSTOMERS, ERASED, count_up, tell
from campaignrl.service.store.schema import customers, decisions, erased, outcomes, permissions, sends
from campaignrl.tables import same_spelling

AT_ONCE = 5_000


def replace_customers(con: Connection, frame: pd.DataFrame) -> int:
    """The table of a new morning in place of the old one; its version, which tells workers to read it."""
    version = count_up(con, CUSTOMERS)
    con.execute(delete(customers))
    ids, rows = frame["customer_id"].astype(str), _records(frame)
    made = [
        {"customer_id": one, "row": _text({**row, "customer_id": one}), "version": version}
        for one, row in zip(ids, rows, strict=True)
    ]
    for start in range(0, len(made), AT_ONCE):
        con.execute(insert(customers), made[start : start + AT_ONCE])
    return version


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): cell for name, cell in row.items()} for row in frame.to_dict("records")]


def _text(row: Mapping[str, Any]) -> str:
    """A row as JSON: every number with all its digits, null where there is none."""
    return orjson.dumps(row, default=_cell, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _cell(value: object) -> str | None:
    return None if pd.isna(value) else str(value)  # type: ignore[call-overload]


def read_rows(con: Connection) -> pd.DataFrame:
    """Every customer's row, in the order of ids."""
    rows = con.execute(select(customers.c.row).order_by(customers.c.customer_id)).scalars()
    return pd.DataFrame([orjson.loads(row) for row in rows])


def row_of(con: Connection, customer: str) -> dict[str, Any] | None:
    """What came in of one customer; None: nothing."""
    row = con.execute(select(customers.c.row).where(customers.c.customer_id == customer)).scalar()
    return None if row is None else dict(orjson.loads(row))


def change_row(con: Connection, customer: str, row: Mapping[str, Any]) -> None:
    """What is known of one customer now."""
    version, text = count_up(con, CUSTOMERS), _text(row)
    con.execute(delete(customers).where(customers.c.customer_id == customer))
    con.execute(insert(customers).values(customer_id=customer, row=text, version=version))


def erased_among(con: Connection, hashes: Sequence[str]) -> set[str]:
    """Those of these keyed hashes that stand for somebody who was erased."""
    return set(con.execute(select(erased.c.hash).where(erased.c.hash.in_(list(hashes)))).scalars())


def forget(con: Connection, customer: str, names: Sequence[str], digest: str, day: int, *, flows: bool) -> None:
    """Erase a customer: suppressed from the next decision on, and gone but for a keyed hash.

    names: what `spellings_of` says; digest: the keyed hash; flows: a ledger still has to be told, and to be given what
    it has not; until then the id and the rows of decisions stay, for it alone.
    """
    if con.execute(select(erased.c.hash).where(erased.c.hash == digest)).scalar() is None:
        con.execute(insert(erased).values(hash=digest, customer_id=customer if flows else "", day=day))
    tell(con, ERASED, "yes")
    count_up(con, CUSTOMERS)
    for one in names:
        forget_answers(con, one)
        con.execute(delete(customers).where(customers.c.customer_id == one))
        if not flows:
            forget_rows(con, one)


def remember_erased(con: Connection, hashes: Mapping[str, int]) -> None:
    """Take over who was erased elsewhere: keyed hashes of the same salt, with the day."""
    known = erased_among(con, list(hashes)) if hashes else set()
    rows = [{"hash": one, "customer_id": "", "day": day} for one, day in hashes.items() if one not in known]
    if rows:
        con.execute(insert(erased), rows)
        tell(con, ERASED, "yes")
        count_up(con, CUSTOMERS)


def forget_rows(con: Connection, customer: str) -> None:
    """Take away what a ledger has, or does not want; what sends used stays counted."""
    mine = select(decisions.c.decision_id).where(decisions.c.customer_id == customer)
    con.execute(delete(outcomes).where(outcomes.c.decision_id.in_(mine) | (outcomes.c.customer_id == customer)))
    con.execute(delete(permissions).where(permissions.c.customer_id == customer))
    con.execute(delete(sends).where(sends.c.customer_id == customer))
    con.execute(delete(decisions).where(decisions.c.customer_id == customer))


def waiting_to_be_erased(con: Connection) -> list[str]:
    """Customers whom the ledger has still to forget."""
    return list(con.execute(select(erased.c.customer_id).where(erased.c.customer_id != "")).scalars())


def erased_there(con: Connection, customer: str, names: Sequence[str]) -> None:
    """The ledger has forgotten a customer, and so does the store."""
    for one in names:
        forget_rows(con, one)
    con.execute(update(erased).where(erased.c.customer_id == customer).values(customer_id=""))


def spellings_of(con: Connection, customer: str) -> list[str]:
    """The ids that are the customer's, however they are spelled. It reads every row: not while others wait to write."""
    wanted = same_spelling([customer])[0]
    loose = [customers.c.customer_id, decisions.c.customer_id, permissions.c.customer_id, outcomes.c.customer_id]
    found = {customer}
    for column in loose:
        close = func.lower(column).like(f"%{_plain(str(wanted))}%", escape="\\")
        found |= set(con.execute(select(column).where(close).distinct()).scalars())
    return [one for one, spelled in zip(sorted(found), same_spelling(sorted(found)), strict=True) if spelled == wanted]


def _plain(text: str) -> str:
    """Without what LIKE reads as a pattern."""
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, "\\" + sign)
    return text
