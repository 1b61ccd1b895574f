"""One run of decisions on a ledger: what it starts from, what it leaves there.

The customers table says who they are and what they allow; contacts, money and what came back are counted from the
ledger, and columns of the table can only add to them. A run of the same inputs is the same run: what it decided stands
in the ledger already and is read from there. Not here: the tables (ledger/), the decisions (decide.py), what a run is
called (run_name.py). n customers.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Objects
from campaignrl.errors import DataError, Problem, UsageError
from campaignrl.guard import ADDRESS, Limits, Spending, depth_column, discounts_of, is_valid, offer_windows, purposes_of
from campaignrl.ledger import ADDRESS as ADDRESS_HASH
from campaignrl.ledger import (
    CHAINED,
    EPOCH,
    RULE,
    SEEN,
    Ledger,
    Past,
    Standing,
    decision_context,
    eligible_masks,
    handed_over,
    past,
    schema_of,
    standing_on,
)
from campaignrl.send.customers import contact_window
from campaignrl.send.decisions import Decisions
from campaignrl.send.limits import overdrawn
from campaignrl.send.recount import LISTED, SEND_AT
from campaignrl.specs import World, guard_hash, offer_column
from campaignrl.tables import AT_THE_START, CustomerTable, Known, Listed
from campaignrl.tables.log import id_lists


@dataclass(frozen=True)
class LedgerRun:
    """A run before it decides.

    Attributes:
        ledger, head: what it rests on.
        standing: what earlier runs left.
        customers: the table, with contacts and permissions of the ledger counted in.
        limits: money and sends that are left to it.
        address: (n,) keyed hashes of addresses, "" of none; None: the table has none.
        barred_today: decisions of earlier runs of the day that may no longer leave: whom they are for may not be
            contacted any more, or what they send is out of date by now.
        overdrawn: what of the campaign's days, money and stock is used up and more, in words.
    """

    ledger: Ledger
    head: int
    standing: Standing
    customers: CustomerTable
    limits: Limits
    address: Objects | None
    barred_today: tuple[str, ...]
    overdrawn: tuple[str, ...]


@dataclass(frozen=True)
class LedgerStart:
    """A run before it looks at any customer: all that a ledger holds of everybody.

    past: what earlier runs left; head: the version it rests on; limits: left to it; left: decisions that went out;
    overdrawn: as of `LedgerRun`.
    """

    past: Past
    head: int
    limits: Limits
    left: frozenset[str]
    overdrawn: tuple[str, ...]


def start(ledger: Ledger, world: World, day: datetime.date, run: str = "") -> LedgerStart:
    """Read the ledger for a run; what a run of this name did before, which is repeated then, does not count against it.

    Raises:
        UsageError: the ledger is of another world, or the campaign has not begun on the day.
    """
    ledger.require(world)
    if day < ledger.start:
        raise UsageError(Problem("ledger", "day", day.isoformat(), f"{ledger.start}, when it begins, or later"))
    head, found = ledger.head, past(ledger, (day - EPOCH).days, list(world.channels), run)
    limits = limits_left(found, world, ledger.customers, (day - ledger.start).days)
    handed = handed_over(ledger)
    left = frozenset(handed["decision_id"][handed["status"] == "sent"])  # which nobody can call back
    of_campaign = (day - ledger.start).days, found.spent, found.sends_of(list(world.offers))
    return LedgerStart(found, head, limits, left, overdrawn(world, ledger.customers, *of_campaign))


def count_in(
    begun: LedgerStart, customers: CustomerTable, world: World, day: datetime.date, asked: Collection[str] = ()
) -> LedgerRun:
    """The run as some customers see it, each by itself; asked: earlier names of customers of whom others ask too."""
    ledger, channels = begun.past.ledger, begun.past.channels
    address = _addresses(ledger, customers)
    found = standing_on(begun.past, customers.ids, address, asked)
    counted = counted_in(customers, found, world, (day - ledger.start).days)
    suppressed = found.suppressed if counted.suppressed is None else counted.suppressed
    over = [name for name, offer in world.offers.items() if not is_valid(offer, (day - EPOCH).days)]
    barred = found.barred_today(suppressed, counted.consent, channels, over)
    kept = tuple(one for one in barred if one not in begun.left)
    return LedgerRun(ledger, begun.head, found, counted, begun.limits, address, kept, begun.overdrawn)


def begin(ledger: Ledger, customers: CustomerTable, world: World, day: datetime.date, run: str = "") -> LedgerRun:
    """Both at once, for customers who are all of a run."""
    return count_in(start(ledger, world, day, run), customers, world, day)


def limits_left(found: Standing | Past, world: World, customers: int, day: int) -> Limits:
    """Money, sends and stock that earlier runs have left. customers: whom they are for; day: of the campaign."""
    spending = Spending(world, customers)
    spending.book(found.spent, found.sends_of(list(world.offers)))
    limits = spending.limits(min(day, world.horizon - 1))
    return limits._replace(sends=np.maximum(limits.sends - found.sends_today, 0), money=max(limits.money, 0.0))


def _addresses(ledger: Ledger, customers: CustomerTable) -> Objects | None:
    known = customers.known.get(ADDRESS)
    return None if known is None else np.array([*ledger.address_hashes(list(known.values)), None], dtype=object)[:-1]


def require_not_earlier(run: LedgerRun, day: datetime.date) -> None:
    """UsageError for a day before the last one decided: its windows would not count what was sent since."""
    require_later(run.standing.last_day, day)


def require_later(last: int | None, day: datetime.date) -> None:
    """UsageError for a day before the last one decided, of days since 1970-01-01."""
    if last is not None and (day - EPOCH).days < last:
        stands = EPOCH + datetime.timedelta(days=last)
        fix = "A ledger only moves forward; a run that is in it already may be repeated."
        raise UsageError(Problem("ledger", "day", day.isoformat(), f"{stands}, the last one decided, or later", fix))


def require_list(ledger: Ledger, there: Listed | None) -> None:
    """DataError for a suppression list that shrank, or went away, since the last run that had one."""
    column = RULE + LISTED
    if there is None or column not in {f.name for f in ledger.table("decisions").schema().fields}:
        return
    rows = ledger.read("decisions", ["day", column]).group_by(["day", column]).aggregate([]).to_pandas().dropna()
    if len(rows):
        there.require(int(rows[column][rows["day"] == rows["day"].max()].max()))


ERASED = "an id that was erased, of whom nothing is kept: take them out of the table"


def counted_in(customers: CustomerTable, found: Standing, world: World, day: int) -> CustomerTable:
    """The customers with what earlier runs left: contacts are added, a permission that was taken away is gone.

    day: of the campaign, from 0.
    """
    contacts = {window: count + found.contacts(*window) for window, count in customers.contacts.items()}
    columns = dict(customers.context.columns)
    for feature in customers.context.schema.features:
        window = contact_window(feature.name)
        if window is not None:
            own = np.asarray(columns[feature.name], dtype=np.float64)  # NaN stays: an unknown is no zero
            seen = np.maximum(own + found.contacts(None, window), feature.low)
            columns[feature.name] = np.minimum(seen, feature.high)
        elif feature.name == AT_THE_START:
            columns[feature.name] = np.full(len(customers), float(max(world.horizon - day, 0)))
    names = [f"consent_{channel}" for channel in world.channels]
    said = _consent(np.array([columns[name] for name in names], dtype=np.float64), found.consent)
    columns |= dict(zip(names, said, strict=True))
    consent = said == 1.0
    known = {name: _known(name, of, found, world) for name, of in customers.known.items()}
    suppressed = found.suppressed if customers.suppressed is None else customers.suppressed | found.suppressed
    notes = {**customers.notes, **({ERASED: int(found.erased.sum())} if found.erased.any() else {})}
    context = replace(customers.context, columns=columns).keeping()
    counted = {"contacts": contacts, "consent": consent, "suppressed": suppressed, "known": known, "notes": notes}
    return replace(customers, context=context, **counted)


def _known(name: str, of: Known, found: Standing, world: World) -> Known:
    """What a column of a rule says, with what the ledger counts; a channel that was left is left for every purpose."""
    for offer, days in offer_windows(world):
        if name == offer_column(offer, days):
            return of._replace(values=of.values + found.offer_contacts(offer, days))
    most = world.guard.max_discount_depth
    if most is not None and name == depth_column(world):
        own, names = discounts_of(world), list(world.offers)
        sent = sum(share * found.offer_contacts(names[o], most.per_days) for o, share in own.items())
        return of._replace(values=of.values + sent)
    for place, channel in enumerate(world.channels):
        if of.kind == "consent" and (channel, name.removeprefix(f"consent_{channel}_")) in purposes_of(world):
            return of._replace(values=of.values & (found.consent[place] != 0))
    return of


def _consent(said: Float, heard: npt.NDArray[np.int8]) -> Float:
    """(c, n) 1, 0 or NaN, of the table and of the ledger (-1: nothing): a no of either counts, a yes fills an unknown.

    A withdrawal holds until the ledger is told of a new permission, whatever the table says.
    """
    return np.where(heard == 0, 0.0, np.where((heard == 1) & np.isnan(said), 1.0, said))


def rows_of(
    found: Decisions, run: str, world: World, begun: LedgerRun | None = None, guard: str | None = None
) -> pa.Table:
    """The decisions as rows of the ledger, in their order; without those of customers who were erased.

    guard: hash of the rules, where it is known already.
    """
    schema, columns = schema_of("decisions", world.features), _columns(found, world, guard)
    columns |= {"run_id": [run] * len(found.ids), "decision_id": found.decision_id}
    columns["eligible"] = id_lists(found.eligible)
    own = [name for name in schema.names if name not in CHAINED]  # the ledger makes those
    table = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in own})
    for name, values in _seen_by_rules(found, world).items():
        table = table.append_column(RULE + name, values)
    if begun is None:
        return table
    if begun.address is not None:  # of sends alone: nobody asks whether somebody was sent nothing
        told = (found.action != NONE) & (begun.address != "")
        table = table.append_column(ADDRESS_HASH, pa.array(begun.address, pa.string(), mask=~told))
    return table.filter(pa.array(~begun.standing.erased))


def record_columns(found: Decisions, world: World, ids: Sequence[str], guard: str) -> dict[str, Any]:
    """The same rows of few decisions as plain columns, without the run's own name. ids: of the decisions.

    Numbers are arrays, all else is lists; `eligible` is the mask itself. A table of columns costs as much for one row
    as for a thousand, which is more than to decide it.
    """
    columns = {name: _plain(cells) for name, cells in _columns(found, world, guard).items()}
    for feature in world.features.features:  # the others are lists by now
        if not feature.levels:
            columns[SEEN + feature.name] = columns[SEEN + feature.name].astype(np.float64, copy=False)
    columns |= {"decision_id": list(ids), "eligible": found.eligible}
    return columns | {RULE + name: values.to_pylist() for name, values in _seen_by_rules(found, world).items()}


def _plain(cells: Any) -> Any:
    """As it is, but for texts."""
    return cells.tolist() if isinstance(cells, np.ndarray) and cells.dtype == object else cells


def _columns(found: Decisions, world: World, guard: str | None) -> dict[str, Any]:
    """What a ledger's row says of each decision, but for its names and what was allowed."""
    n, day, catalog = len(found.ids), (found.day - EPOCH).days, found.catalog
    columns: dict[str, Any] = {
        "day": np.full(n, day, dtype=np.int32),
        "customer_id": found.ids,
        "action": found.action.astype(np.int16),
        "offer": catalog.offer_names[catalog.offer_of[found.action]],
        "channel": catalog.channel_names[catalog.channel_of[found.action]],
        "propensity": found.propensity,
        "propensity_before": found.propensity_before,
        "cost": catalog.cost_of[found.action],
        "expected_gain": found.gains(),
        "reason": found.reason,
        "blocked": found.blocked,
        "policy_id": found.by_decider(0),
        "policy_hash": found.by_decider(1),
        "world_hash": [found.about["world_hash"]] * n,
        "guard_hash": [guard or guard_hash(world)] * n,
        "catalog_hash": [catalog.hash] * n,
        "seed": [found.about["seed"]] * n,
    }
    for feature in world.features.features:
        values = found.context.labels(feature.name) if feature.levels else found.context.columns[feature.name]
        columns[SEEN + feature.name] = values
    return columns


def _seen_by_rules(found: Decisions, world: World) -> dict[str, pa.Array]:
    """What only rules saw of the customers, so that an audit can look again; no count of others."""
    cells: dict[str, pa.Array] = {}
    for name, (kind, values) in found.customers.known.items():
        if kind == "zone":
            cells[name] = pa.array(values, pa.string())
        elif kind in ("day", "consent", "held"):
            cells[name] = pa.array(values.astype(np.int64), pa.int32())
    there = found.customers.listed
    if there is not None and (there.size or not there.least_known):  # a list that may be left out is noted as none
        cells[LISTED] = pa.array([there.size] * len(found.ids), pa.int64())
    if world.guard.timezone is not None:
        at = None if found.morning is None else found.morning.send_at
        cells[SEND_AT] = pa.array(["" if at is None else at.isoformat()] * len(found.ids), pa.string())
    return cells


def decided_before(rows: pa.Table, ids: Objects, found: Decisions, world: World) -> Decisions:
    """What an earlier run of the same name decided, in the order of these customers.

    found: the run decided anew: facts that stay, and what customers get who were erased since, which is nothing.
    """
    frame = rows.to_pandas()
    if frame["customer_id"].duplicated().any():
        raise DataError(Problem("ledger", "run", str(frame["run_id"].iloc[0]), "with one row a customer", "Audit it."))
    place = pd.Index(frame["customer_id"]).get_indexer(pd.Index(ids))
    there, barred = place >= 0, found.customers.suppressed
    erased = np.zeros(len(ids), dtype=bool) if barred is None else ~there & barred
    if there.sum() != len(frame) or not (there | erased).all():
        run = str(frame["run_id"].iloc[0]) if len(frame) else "of customers erased since"
        raise DataError(Problem("ledger", "run", run, "with the customers of this table"))
    frame = frame.iloc[place[there]].reset_index(drop=True)
    then = decision_context(frame, world)
    columns = {name: _over(values, there, then.columns[name]) for name, values in found.context.columns.items()}
    return replace(
        found,
        action=_over(found.action, there, frame["action"].to_numpy(dtype=np.int64)),
        propensity=_over(found.propensity, there, frame["propensity"].to_numpy(dtype=np.float64)),
        propensity_before=_over(found.propensity_before, there, frame["propensity_before"].to_numpy(dtype=np.float64)),
        expected_gain=_over(found.gains(), there, frame["expected_gain"].to_numpy(dtype=np.float64)),
        plan=None,  # its certificate was of the first run
        reason=_over(found.reason, there, frame["reason"].to_numpy(dtype=object)),
        blocked=_over(found.blocked, there, frame["blocked"].to_numpy(dtype=object)),
        eligible=_over(found.eligible, there, eligible_masks(frame["eligible"], len(world.catalog), len(frame))),
        context=replace(found.context, columns=columns),
        withdrawn=_over(erased, there, _withdrawn(frame, found, world, there)),
    )


def _over(now: npt.NDArray[Any], there: Bool, then: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of now, with those of then where there were any."""
    values = now.astype(np.result_type(now, then)) if now.dtype != object else now.copy()
    values[there] = then
    return values


def _withdrawn(frame: pd.DataFrame, found: Decisions, world: World, there: Bool) -> Bool:
    """(m,) sends to whom nothing may be sent any more: suppressed, or without consent on that channel, by now."""
    now, channel = found.customers.take(np.flatnonzero(there)), world.catalog.channel_of[frame["action"].to_numpy()]
    barred = np.zeros(len(frame), dtype=bool) if now.suppressed is None else now.suppressed
    allowed = now.consent[channel, np.arange(len(frame))]
    gone: Bool = (channel >= 0) & (barred | ~allowed)
    return gone
