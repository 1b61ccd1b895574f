"""The flow into a ledger, exactly once, and back from it what others decided there.

What is about to be appended is written down first; a flow that is killed is repeated with the same rows under the same
name, which the ledger takes once. Not here: the ledger (ledger/), when it flows (cli/service/, learning.py).
"""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Table, delete, func, insert, select, update

from campaignrl.errors import Problem, UsageError
from campaignrl.features import FeatureSchema
from campaignrl.ledger import CHAINED, EPOCH, Ledger, erase, not_sent, schema_of
from campaignrl.service.store.customers import (
    erased_there,
    remember_erased,
    spellings_of,
    waiting_to_be_erased,
)
from campaignrl.service.store.decided import add_to_totals, set_counted, unpacked
from campaignrl.service.store.incoming import add_permissions
from campaignrl.service.store.policies import take_prices
from campaignrl.service.store.schema import decisions, flows, handovers, outcomes, permissions, sends
from campaignrl.service.store.standing import OF_OFFER, ON_DAY, SPENT
from campaignrl.service.store.store import HASHED, Store
from campaignrl.specs import World

MOST = 100_000  # rows of one append
AT_ONCE = 2_000  # rows from the ledger in one transaction, which decisions of the service wait for
TAKEN = "taken from the ledger"  # source of permissions that came from there
LONG = "rule.suppression_list"


class Flowed(NamedTuple):
    """Rows that went into the ledger, and sends and permissions of others that came from it."""

    decisions: int
    handovers: int
    outcomes: int
    permissions: int
    erased: int
    taken: int


def flow(store: Store, ledger: Ledger, world: World, today: datetime.date) -> Flowed:
    """Bring ledger and store to the same state, and the store the prices of the ledger's newest plan by value.

    Again, nothing is left to do.

    Raises:
        UsageError: the ledger is of another world, start or size than the store, or hashes with another salt.
    """
    _require_same(store, ledger, world)
    with ledger.lock():
        told = {"permissions": _into(store, ledger, permissions, _permission_rows)}
        told["decisions"] = _into(store, ledger, decisions, lambda rows: _decision_rows(rows, world))
        told["handovers"] = _into(store, ledger, handovers, lambda rows: _plain_rows("handovers", rows))
        told["outcomes"] = _into(store, ledger, outcomes, _outcome_rows)
        taken = _back(store, ledger)
    with store.reading() as con:
        leaving = waiting_to_be_erased(con)
    for customer in leaving:  # each takes the ledger's lock
        erase(ledger, customer, today=today)
        with store.reading() as con:
            names = spellings_of(con, customer)
        with store.writing() as con:
            erased_there(con, customer, names)
    take_prices(store, ledger.folder, today)
    return Flowed(**told, erased=len(leaving), taken=taken)


def _require_same(store: Store, ledger: Ledger, world: World) -> None:
    ledger.require(world)
    store.require(world)
    pairs = (("start", store.start, ledger.start), ("customers", store.customers, ledger.customers))
    wrong = [
        Problem("store flow", name, str(own), f"{theirs}, as of the ledger")
        for name, own, theirs in pairs
        if own != theirs
    ]
    if store.salt != ledger.salt:
        fix = "Begin the store beside its ledger: campaignrl serve ... --ledger LEDGER."
        wrong.append(Problem("store flow", "salt", "another", "the ledger's", fix))
    if wrong:
        raise UsageError(wrong)


def _into(store: Store, ledger: Ledger, table: Table, rows_of: Any) -> int:
    """Append what a table has that the ledger has not, part by part; how many rows."""
    many = 0
    while True:
        with store.writing() as con:
            begun, meant = _meant(con, table)
        if meant <= begun:
            return many
        with store.reading() as con:  # of which no decision has to wait for the end
            rows = _rows_to(con, table, begun, meant)
        made = [row for row in rows if row.get("source") != TAKEN]
        for day, part in _by_day(table, made):
            name = hashlib.blake2b(f"{store.id}:{table.name}:{begun}:{day}".encode(), digest_size=16).hexdigest()
            ledger.append(table.name, _named(rows_of(part), name), name)
        with store.writing() as con:
            con.execute(update(flows).where(flows.c.what == table.name).values(done=meant))
        many += len(made)


def _rows_to(con: Connection, table: Table, begun: int, meant: int) -> list[dict[str, Any]]:
    """Rows after one and up to another, records of decisions by the names of their cells."""
    asked = select(table).where(table.c.seq > begun, table.c.seq <= meant).order_by(table.c.seq)
    rows = [dict(row) for row in con.execute(asked).mappings()]
    if table is not decisions:
        return rows
    records = unpacked(con, [row["record"] for row in rows])
    return [{**row, "record": record} for row, record in zip(rows, records, strict=True)]


def _named(rows: pa.Table, run: str) -> pa.Table:
    """Decisions carry the name of their run."""
    if "run_id" not in rows.column_names:
        return rows
    return rows.set_column(rows.column_names.index("run_id"), "run_id", pa.array([run] * len(rows), pa.string()))


def _by_day(table: Table, rows: list[dict[str, Any]]) -> list[tuple[int, list[dict[str, Any]]]]:
    """Decisions day by day, since a run is of one day; other rows together."""
    if table is not decisions:
        return [(0, rows)] if rows else []
    days = sorted({row["day"] for row in rows})
    return [(day, [row for row in rows if row["day"] == day]) for day in days]


def _meant(con: Connection, table: Table) -> tuple[int, int]:
    """(last row that the ledger has, last row to append now), written down before anything is appended."""
    row = con.execute(select(flows.c.done, flows.c.meant).where(flows.c.what == table.name)).first()
    done, meant = (0, 0) if row is None else (int(row[0]), int(row[1]))
    if row is None:
        con.execute(insert(flows).values(what=table.name, done=0, meant=0))
    if meant > done:  # an append that was begun
        return done, meant
    ahead = select(table.c.seq).where(table.c.seq > done).order_by(table.c.seq).limit(MOST).subquery()
    meant = int(con.execute(select(func.max(ahead.c.seq))).scalar() or done)
    con.execute(update(flows).where(flows.c.what == table.name).values(meant=meant))
    return done, meant


def _decision_rows(rows: Sequence[Mapping[str, Any]], world: World) -> pa.Table:
    records = [{**row["record"], "run_id": ""} for row in rows]
    schema = schema_of("decisions", world.features)
    fields = [field for field in schema if field.name not in CHAINED]
    known = {field.name for field in fields}
    more = dict.fromkeys(name for record in records for name in record if name not in known)
    fields += [pa.field(name, _type_of(name, records)) for name in more]
    table = pa.Table.from_pylist(records, schema=pa.schema(fields))
    for i, field in enumerate(fields):
        if pa.types.is_floating(field.type):  # JSON knows no NaN
            table = table.set_column(i, field, pc.fill_null(table[field.name], np.nan))
    return table


def _type_of(name: str, records: Sequence[Mapping[str, Any]]) -> pa.DataType:
    if any(isinstance(record.get(name), str) for record in records):
        return pa.string()
    return pa.int64() if name == LONG else pa.int32()


def _plain_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = schema_of(name, FeatureSchema(()))
    return pa.Table.from_pylist([{key: row[key] for key in schema.names} for row in rows], schema=schema)


def _permission_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return _plain_rows("permissions", rows)


def _outcome_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    months = [(EPOCH + datetime.timedelta(days=row["day"])).strftime("%Y-%m") for row in rows]
    return _plain_rows("outcomes", [{**row, "month": month} for row, month in zip(rows, months, strict=True)])


def _back(store: Store, ledger: Ledger) -> int:
    """Take in what others decided and heard: their sends count here, too, and their words of permission hold.

    What is new is found before anything is written, and written in parts, since every decision of the service waits for
    who writes. Nobody else brings rows of the ledger meanwhile, whose lock is held; what is cut off goes on next time.
    """
    columns = ["decision_id", "customer_id", "day", "channel", "offer", "cost"]
    rows = ledger.read("decisions", columns, "rule.address", among=(("action", "!=", 0),)).to_pandas()
    failed, (heard, forgotten) = not_sent(ledger), _heard(ledger)
    with store.reading() as con:
        own = {one: bool(counted) for one, counted in con.execute(select(sends.c.decision_id, sends.c.counted)).all()}
        heard = _unheard(con, heard)
    new = rows[~rows["decision_id"].isin(own.keys())]
    made = [_as_send(row, row["decision_id"] not in failed) for row in new.to_dict("records")]
    undone = sorted(one for one in failed if own.get(one))
    with store.writing() as con:  # first who must not be sent to
        remember_erased(con, forgotten)
    for arrived, words in heard.groupby(heard["arrived"].astype(int)):
        for some in _parts(words.to_dict("records")):
            with store.writing() as con:
                add_permissions(con, some, int(str(arrived)))
    for some in _parts(made):
        with store.writing() as con:
            _take_in(con, some)
    for some in _parts(undone):
        with store.writing() as con:
            set_counted(con, some, False)
    return len(made)


def _parts(rows: list[Any]) -> Iterator[list[Any]]:
    """As many at once as nobody has to wait for long."""
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def _take_in(con: Connection, made: Sequence[Mapping[str, Any]]) -> None:
    """Sends of others, with what they used."""
    con.execute(insert(sends), made)
    changes: Counter[str] = Counter()
    for row in made:
        if row["counted"]:
            changes[SPENT] += row["cost"]
            changes[f"{ON_DAY}:{row['day']}:{row['channel']}"] += 1
            changes[f"{OF_OFFER}:{row['offer']}"] += 1
    add_to_totals(con, changes)


def _heard(ledger: Ledger) -> tuple[pd.DataFrame, dict[str, int]]:
    """Words of permission that the ledger has, and the keyed hash of everybody it forgot, with the day."""
    rows = ledger.read("permissions").to_pandas()
    hashed = rows["customer_id"].str.startswith(HASHED)
    forgotten = dict(zip(rows["customer_id"][hashed], rows["day"][hashed].astype(int), strict=True))
    found: pd.DataFrame = rows[~hashed].assign(source=TAKEN).astype({"day": int, "allowed": bool})
    return found, {str(one): int(day) for one, day in forgotten.items()}


def _unheard(con: Connection, heard: pd.DataFrame) -> pd.DataFrame:
    """Those of words of permission that the store has not got."""
    key = ["customer_id", "channel", "allowed", "day"]
    asked = select(*(permissions.c[name] for name in key))
    known = {(who, channel, bool(said), int(day)) for who, channel, said, day in con.execute(asked).all()}
    told = zip(*(heard[name].tolist() for name in key), strict=True)
    return heard.loc[np.array([one not in known for one in told], dtype=bool)]


def _as_send(row: Mapping[str, Any], counted: bool) -> dict[str, Any]:
    address = row.get("rule.address")
    own = {name: row[name] for name in ("decision_id", "customer_id", "day", "channel", "offer", "cost")}
    return {**own, "counted": counted, "expires": 0.0, "address": address if isinstance(address, str) else ""}


def forget_what_flowed(store: Store, before: datetime.date) -> int:
    """Take decisions to send nothing out of the store that the ledger has, of days before one; how many."""
    with store.writing() as con:
        done = con.execute(select(flows.c.done).where(flows.c.what == decisions.name)).scalar() or 0
        hit = (decisions.c.seq <= done) & (decisions.c.action == 0) & (decisions.c.day < (before - EPOCH).days)
        return con.execute(delete(decisions).where(hit)).rowcount
