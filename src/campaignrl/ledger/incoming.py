"""What comes back from outside: hand-overs, outcomes and permissions, from files.

Every row is added once, however often and in whatever order its file comes. A row that cannot be understood stops the
file, with its number; one that speaks of a decision nobody knows is kept apart by its own id and counts for nothing
until that decision is there. An unsubscribe takes the permission away first. Not here: counts (standing.py).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.arrays import Bool
from campaignrl.errors import SHOWN, DataError, Problem, UsageError, nearest
from campaignrl.ledger.folder import EPOCH, Ledger
from campaignrl.ledger.handovers import sent_against_a_word
from campaignrl.ledger.mapping import mapped, read_column_mapping
from campaignrl.ledger.owners import with_customers
from campaignrl.ledger.permissions import Permissions
from campaignrl.ledger.schemas import ALL_CHANNELS, KINDS, RUN_PREFIX, STATUSES
from campaignrl.specs import World
from campaignrl.tables import column_says
from campaignrl.tables.files import as_text, numbers, read_table, require_columns, row_problems

LARGEST = 1e9  # money of one outcome, in the world's currency
COLUMNS = {
    "handovers": ("decision_id", "status", "day"),
    "outcomes": ("outcome_id", "customer_id", "kind", "day"),
    "permissions": ("customer_id", "channel", "allowed", "day"),
}
MORE = {  # columns that may be left out
    "handovers": (),
    "outcomes": ("decision_id", "margin", "channel"),
    "permissions": ("source",),
}


class Added(NamedTuple):
    """What a file brought.

    rows: in it; new: of them added; repeated: there before; unknown: speak of a decision that is not there; erased: of
    customers who were erased, and left out; against: sends that were handed over on a day after the one on which the
    permission was gone, as `customer on channel, day`.
    """

    rows: int
    new: int
    repeated: int
    unknown: int
    erased: int = 0
    against: tuple[str, ...] = ()


def add(
    ledger: Ledger,
    what: str,
    path: str | Path,
    world: World,
    *,
    today: datetime.date,
    mapping: str | Path | None = None,
    encoding: str | None = None,
    past_only: bool = False,
) -> Added:
    """Add the rows of a file to `handovers`, `outcomes` or `permissions`, each once.

    Args:
        ledger: which is changed, under its lock.
        what: the table.
        path: Parquet or CSV. Hand-overs: decision_id, status (sent, unknown, refused, withdrawn, expired), day.
            Outcomes: outcome_id, customer_id (or decision_id), kind (open, click, order, refund, unsubscribe), day;
            margin of an order or refund, in the world's currency; channel of an unsubscribe. Permissions:
            customer_id, channel (* for all), allowed (yes or no), day, and source if known.
        world: whose currency and channels.
        today: when it arrives; a withdrawal counts from then on, and outcomes of the days before are known then.
        mapping: TOML file that says how another tool's export reads as these columns (mapping.py).
        encoding: of a CSV that is not UTF-8.
        past_only: refuse rows of days that have not come yet, which are mistakes.

    Raises:
        DataError: rows that cannot be understood, all of them at once; nothing is added.
        UsageError: there is no such table.
    """
    if what not in COLUMNS:
        raise UsageError(Problem("ledger add", "table", what, " or ".join(COLUMNS), nearest(what, COLUMNS)))
    reading = None if mapping is None else read_column_mapping(mapping, (*COLUMNS[what], *MORE[what]))
    table, where = read_table(path, encoding=encoding), str(path)
    if reading is not None:
        table = mapped(table, reading, where)
    needed = [c for c in COLUMNS[what] if not (what == "outcomes" and c == "customer_id")]
    require_columns(where, needed, table.column_names)
    everything = checked_rows(what, table, where, world)
    if past_only:
        _require_past(everything, where, today)
    with ledger.lock():
        frame = everything[~_of_erased(ledger, everything)].reset_index(drop=True)
        found, withdrawn = _new(ledger, what, frame, today, where), None
        if what == "outcomes":
            withdrawn = _withdrawals(with_customers(ledger, found), today)
        for name, rows in (("permissions", withdrawn), (what, found)):  # a withdrawal first
            if rows is not None and len(rows):
                arrow = _arrow(rows, name)
                ledger.append(name, arrow, _digest(rows))
        unknown = _unknown(ledger, what, found)
        against = _against_a_word(ledger, frame, list(world.channels)) if what == "handovers" else ()
    erased = len(everything) - len(frame)
    return Added(len(everything), len(found), len(frame) - len(found), unknown, erased, against)


def checked_rows(what: str, table: pa.Table, where: str, world: World) -> pd.DataFrame:
    """Rows of `handovers`, `outcomes` or `permissions` from the columns that `add` names, as the ledger keeps them.

    Raises:
        DataError: rows that cannot be understood, all of them at once.
    """
    return _READ[what](table, where, world)


def _of_erased(ledger: Ledger, rows: pd.DataFrame) -> Bool:
    """(n,) rows that name a customer who was erased, or a decision of one: they would bring the id back."""
    said, found = Permissions(ledger), np.zeros(len(rows), dtype=bool)
    if "customer_id" in rows:
        found |= said.erased(rows["customer_id"].to_numpy(dtype=object))
    if "decision_id" in rows:  # a decision's id ends in the customer's
        found |= said.erased(rows["decision_id"].str[RUN_PREFIX:].to_numpy(dtype=object))
    return found


def _against_a_word(ledger: Ledger, handed: pd.DataFrame, channels: list[str]) -> tuple[str, ...]:
    rows = sent_against_a_word(ledger, handed, channels).to_dict("records")
    return tuple(f"{row['customer_id']} on {row['channel']}, {EPOCH + datetime.timedelta(row['day'])}" for row in rows)


def _arrow(rows: pd.DataFrame, name: str) -> pa.Table:
    from campaignrl.features import FeatureSchema
    from campaignrl.ledger.schemas import schema_of

    return pa.Table.from_pandas(rows, schema=schema_of(name, FeatureSchema(())), preserve_index=False)


def _new(ledger: Ledger, what: str, frame: pd.DataFrame, today: datetime.date, where: str) -> pd.DataFrame:
    """The rows that are not there yet, one of each, in an order of their own.

    An outcome never changes: a second one of the same id that says something else is refused, whichever came first.
    """
    keys = {"handovers": ["decision_id", "status"], "outcomes": ["outcome_id"]}
    key = keys.get(what, ["customer_id", "channel", "allowed", "day"])
    if what == "outcomes":
        both = pd.concat([ledger.read(what).to_pandas()[frame.columns], frame], ignore_index=True).drop_duplicates()
        twice = both["outcome_id"][both["outcome_id"].duplicated()].unique()
        if len(twice):
            fix = "What was told cannot change: correct an order by a refund with an id of its own."
            said = ", ".join(map(str, twice[:SHOWN]))
            raise DataError(Problem(where, "outcome_id", said, "said once, or twice the same", fix))
    frame = frame.drop_duplicates(key)
    before = ledger.read(what, key).to_pandas()
    known = set(zip(*(before[c] for c in key), strict=True))
    rows = zip(*(frame[c] for c in key), strict=True)
    fresh = np.array([row not in known for row in rows], dtype=bool)  # of no row a list would select columns
    kept = frame[fresh].sort_values(key, kind="stable").reset_index(drop=True)
    return kept.assign(arrived=(today - EPOCH).days)


def _require_past(rows: pd.DataFrame, where: str, today: datetime.date) -> None:
    """DataError for rows of days that have not come yet."""
    later = (rows["day"] > (today - EPOCH).days).to_numpy()
    said = np.array([(EPOCH + datetime.timedelta(days=int(day))).isoformat() for day in rows["day"]], dtype=object)
    problems = row_problems(later, "day", said, f"{today}, when it arrives, or before", "", where)
    if problems:
        raise DataError(problems)


def _withdrawals(outcomes: pd.DataFrame, today: datetime.date) -> pd.DataFrame:
    """Permissions that unsubscribes take away; without a channel, all."""
    left = outcomes[(outcomes["kind"] == "unsubscribe") & (outcomes["customer_id"] != "")]
    return pd.DataFrame(
        {
            "customer_id": left["customer_id"],
            "channel": left["channel"].replace("", ALL_CHANNELS),
            "allowed": False,
            "day": left["day"],
            "arrived": (today - EPOCH).days,
            "source": "unsubscribe",
        }
    )


def _unknown(ledger: Ledger, what: str, rows: pd.DataFrame) -> int:
    if what == "permissions" or not len(rows):
        return 0
    named = rows["decision_id"][rows["decision_id"] != ""]
    known = set(ledger.read("decisions", ["decision_id"])["decision_id"].to_pylist()) if len(named) else set()
    return int((~named.isin(known)).sum())


def _handovers(table: pa.Table, where: str, world: World) -> pd.DataFrame:
    status, day = _text(table, "status").str.lower(), _days(table, "day", where)
    problems = _one_of(status, "status", STATUSES, where) + day[1]
    found = pd.DataFrame({"day": day[0], "decision_id": _text(table, "decision_id"), "status": status})
    return _checked(found, problems + _given(found["decision_id"], "decision_id", where))


def _outcomes(table: pa.Table, where: str, world: World) -> pd.DataFrame:
    kind, (day, problems) = _text(table, "kind").str.lower(), _days(table, "day", where)
    margin = np.zeros(len(table))
    if "margin" in table.column_names:
        margin, wrong = numbers(table["margin"], "margin", where)
        problems += wrong
    money = kind.isin(["order", "refund"]).to_numpy()
    if money.any() and "margin" not in table.column_names:
        problems.append(Problem(where, "column", "margin", "in the file", "Orders and refunds need theirs."))
    bad = money & ~(np.isfinite(margin) & (np.abs(margin) <= LARGEST)) | money & (kind == "refund") & (margin < 0)
    problems += row_problems(bad, "margin", margin, f"money from 0 to {LARGEST:.0f}, of an order also below", "", where)
    minor = np.round(np.where(money & ~bad, margin, 0.0) * world.money.minor_per_unit).astype(np.int64)
    found = pd.DataFrame(
        {
            "month": [(EPOCH + datetime.timedelta(days=int(d))).strftime("%Y-%m") for d in day],
            "outcome_id": _text(table, "outcome_id"),
            "decision_id": _text(table, "decision_id"),
            "customer_id": _text(table, "customer_id"),
            "day": day,
            "kind": kind,
            "channel": _text(table, "channel"),
            "margin": np.where(kind == "refund", -minor, minor),
        }
    )
    problems += _one_of(kind, "kind", KINDS, where) + _given(found["outcome_id"], "outcome_id", where)
    problems += _one_of(found["channel"], "channel", ("", *world.channels), where)
    nobody = (found["customer_id"] == "") & (found["decision_id"] == "")
    who = found["customer_id"].to_numpy(dtype=object)
    problems += row_problems(nobody.to_numpy(), "customer_id", who, "given, or decision_id", "", where)
    return _checked(found, problems)


def _permissions(table: pa.Table, where: str, world: World) -> pd.DataFrame:
    refused, unclear = column_says(table["allowed"])  # True: anything but a clear no, which is not what `allowed` asks
    day, problems = _days(table, "day", where)
    said = _text(table, "allowed").to_numpy(dtype=object)
    problems += row_problems(unclear, "allowed", said, "yes or no", "", where)
    channel = _text(table, "channel")
    problems += _one_of(channel, "channel", (ALL_CHANNELS, *world.channels), where)
    found = pd.DataFrame(
        {
            "customer_id": _text(table, "customer_id"),
            "channel": channel,
            "allowed": refused,
            "day": day,
            "arrived": 0,
            "source": _text(table, "source"),
        }
    )
    return _checked(found, problems + _given(found["customer_id"], "customer_id", where))


_READ: dict[str, Callable[[pa.Table, str, World], pd.DataFrame]] = {
    "handovers": _handovers,
    "outcomes": _outcomes,
    "permissions": _permissions,
}


def _text(table: pa.Table, name: str) -> pd.Series:
    if name not in table.column_names:
        return pd.Series([""] * len(table), dtype=object)
    return pd.Series(as_text(table[name]).to_pylist(), dtype=object)


def _days(table: pa.Table, name: str, where: str) -> tuple[np.ndarray, list[Problem]]:
    """Days since 1970-01-01, written 2026-11-21."""
    text = _text(table, name)
    parsed = pd.to_datetime(text.str[:10], format="%Y-%m-%d", errors="coerce")
    missing = parsed.isna().to_numpy()
    problems = row_problems(missing, name, text.to_numpy(dtype=object), "a day, as 2026-11-21", "", where)
    return ((parsed.fillna(pd.Timestamp(EPOCH)) - pd.Timestamp(EPOCH)).dt.days).to_numpy(dtype=np.int32), problems


def _one_of(values: pd.Series, name: str, allowed: tuple[str, ...], where: str) -> list[Problem]:
    wrong = ~values.isin(allowed)
    words = ", ".join(a for a in allowed if a)
    return row_problems(wrong.to_numpy(), name, values.to_numpy(dtype=object), f"one of {words}", "", where)


def _given(values: pd.Series, name: str, where: str) -> list[Problem]:
    return row_problems((values == "").to_numpy(), name, values.to_numpy(dtype=object), "given", "", where)


def _checked(found: pd.DataFrame, problems: list[Problem]) -> pd.DataFrame:
    if problems:
        raise DataError(problems)
    return found


def _digest(rows: pd.DataFrame) -> str:
    return hashlib.blake2b(rows.to_csv(index=False).encode(), digest_size=16).hexdigest()
