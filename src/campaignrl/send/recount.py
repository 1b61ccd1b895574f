"""Each rule recomputed from what was decided: in how many rows it was broken, and the first of them.

A second time and in another way than the guard did: from the rows of a log, and from what a ledger keeps beside them of
what rules saw. Not here: an audit as a whole (audit.py), what the rules are (guard/). n rows, k actions.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int
from campaignrl.guard import (
    AS_OF,
    HOLDOUT,
    ZONE,
    Spending,
    discounts_of,
    is_stale,
    is_valid,
    purposes_of,
    quiet_for,
    rules_of,
    sends_by_offer,
    stock_of,
)
from campaignrl.ledger import EPOCH, RULE, Ledger
from campaignrl.rng import Purpose
from campaignrl.send.facts import SHARES
from campaignrl.specs import World, consent_column
from campaignrl.tables import MILLIONTHS, NOT_HELD
from campaignrl.tables.log import DecisionLog

FIRST = 5  # rows named of each rule
SIMULATED = 3_660  # days; the longest campaign of a world. A day of the calendar that we may meet is a later one
WIDTH = 1 << 32  # of a customer's days, in keys that sort by customer and day
SEND_AT = "send_at"
LISTED = "suppression_list"  # how many ids were on it


class SentAfterAll(NamedTuple):
    """m rows whose send was said not to be made, and then that it was: runs of the days between could not count it.

    row: (m,) of the log; since, until: (m,) first and last of those days.
    """

    row: Int
    since: Int
    until: Int

    @classmethod
    def none(cls) -> SentAfterAll:
        """Of no row."""
        return cls(*(np.zeros(0, dtype=np.int64) for _ in cls._fields))

    def hidden(self, day: Int | int) -> Bool:
        """(m,) which could not be counted on a day."""
        found: Bool = (self.since <= day) & (day <= self.until)
        return found


Broken = tuple[str, Bool]  # a rule, and (n,) the rows that break it


class Finding(NamedTuple):
    """One rule that was broken.

    rule: which; many: in how many rows; rows: the first of them, as `customer on day`.
    """

    rule: str
    many: int
    rows: tuple[str, ...]


def finding(rule: str, log: DecisionLog, rows: Bool | Int) -> Finding:
    """What is said of rows that break a rule."""
    where = np.flatnonzero(rows)
    names = (f"{log.customers[log.customer[i]]} on day {log.day[i]}" for i in where[:FIRST])
    return Finding(rule, len(where), tuple(names))


def of_one(log: DecisionLog, world: World, late: SentAfterAll) -> Iterator[Broken]:
    """Rules that look at one row."""
    action, catalog, rules = log.action, world.catalog, rules_of(world)
    sends = action != NONE
    yield ("not eligible by the row itself", ~log.allowed()[np.arange(len(log)), action])
    for c, channel in enumerate(catalog.channels):
        said = log.context.columns.get(f"consent_{channel.name}")
        if said is not None:
            on = sends & (catalog.channel_of[action] == c)
            yield (f"no consent: {channel.name}", on & ~(np.asarray(said) == 1.0))
    for offer, condition in rules.conditions.items():
        on = sends & (catalog.offer_of[action] == offer)
        yield (f"not eligible: {catalog.offers[offer].name}", on & ~condition.holds(log.context))
    yield from _of_dates(log, world)
    salt, share = world.guard.holdout_salt, world.guard.holdout
    held = rng.uniform(rng.customer_keys(log.customers), salt, 0, Purpose.HOLDOUT) < share
    yield ("holdout", sends & held[log.customer])
    counted, twice = sends.copy(), np.zeros(len(log), dtype=bool)
    counted[late.row[late.hidden(log.day[late.row])]] = False
    order = np.lexsort((log.step, log.day, log.customer, ~counted))
    same = (np.diff(log.customer[order]) == 0) & (np.diff(log.day[order]) == 0)
    twice[order[1:][same]] = True
    yield ("two sends to one customer on one day", twice & counted)


def _of_dates(log: DecisionLog, world: World) -> Iterator[Broken]:
    """Offers outside their dates; of days of the calendar alone."""
    days, which = np.unique(log.day, return_inverse=True)
    for offer, (name, spec) in enumerate(world.offers.items()):
        valid = np.array([day < SIMULATED or is_valid(spec, int(day)) for day in days], dtype=bool)
        on = world.catalog.offer_of[log.action] == offer
        yield (f"out of date: {name}", on & ~valid[which.ravel()])


def of_windows(log: DecisionLog, world: World, late: SentAfterAll) -> Iterator[Broken]:
    """Caps, gaps and discounts over rolling windows, from the sends of the log."""
    channel_of, offer_of = world.catalog.channel_of[log.action], world.catalog.offer_of[log.action]
    sends, rules = log.action != NONE, rules_of(world)
    scopes = [(sends if channel is None else channel_of == channel, cap) for channel, cap in rules.caps]
    scopes += [(offer_of == offer, cap) for offer, cap in rules.offer_caps]
    for hit, cap in scopes:
        before = _sum_before(log, hit, np.ones(len(log), dtype=np.int64), cap.per_days, late)
        yield (cap.said, hit & (before >= cap.at_most))
    most = world.guard.max_discount_depth
    if most is not None:
        shares = np.zeros(len(world.offers) + 1, dtype=np.int64)  # the last: offer -1, of `none`
        for offer, share in discounts_of(world).items():
            shares[offer] = share
        given = shares[offer_of]
        before = _sum_before(log, given > 0, given, most.per_days, late)
        over = (given > 0) & (before + given > round(most.at_most * MILLIONTHS))
        yield (f"discounts: more than {most.at_most:.4g} in {most.per_days} days", over)


def _sum_before(log: DecisionLog, hit: Bool, values: Int, days: int, late: SentAfterAll) -> Int:
    """(n,) sum of `values` (n,) over the earlier ones of the rows `hit` (n,) of a customer in a window to the row."""
    on = np.flatnonzero(hit)
    order = on[np.lexsort((log.day[on], log.customer[on]))]
    key = log.customer[order].astype(np.int64) * WIDTH + log.day[order]
    total = np.concatenate([[0], np.cumsum(values[order])])
    before = np.zeros(len(log), dtype=np.int64)
    before[order] = total[:-1] - total[np.searchsorted(key, key - days, side="right")]
    for row, since, until in zip(*late, strict=True):
        if hit[row]:
            theirs = on[log.customer[on] == log.customer[row]]
            ago = log.day[theirs] - log.day[row]
            blind = (log.day[theirs] >= since) & (log.day[theirs] <= until)
            after = ((ago > 0) & (ago < days)) | ((ago == 0) & (theirs > row))
            before[theirs[blind & after]] -= values[row]
            if since == log.day[row]:  # a second send of the day came after it, in whatever order they stand
                before[row] -= values[theirs[(ago == 0) & (theirs < row)]].sum()
    return before


def of_days(log: DecisionLog, world: World, customers: int, start: int, late: SentAfterAll) -> Iterator[Broken]:
    """Budget and stock at every prefix, capacity of every day."""
    spending, sends, catalog = Spending(world, customers), log.action != NONE, world.catalog
    stock = stock_of(world)
    channel_of, offer_of, cost = (
        catalog.channel_of[log.action],
        catalog.offer_of[log.action],
        catalog.cost_of[log.action],
    )
    for day in np.unique(log.day[sends]):
        limits, today = spending.limits(min(int(day) - start, world.horizon - 1)), sends & (log.day == day)
        hidden, counted = late.row[late.hidden(day) & (log.day[late.row] <= day)], today.copy()
        counted[hidden] = False
        back = hidden[log.day[hidden] < day]  # of earlier days: their money and stock seemed to be there
        for c, most in enumerate(limits.sends):
            on = counted & (channel_of == c)
            if on.sum() > most:
                yield (f"capacity: {int(most)} a day on {catalog.channels[c].name}", on)
        for o, most in () if stock is None else enumerate(stock + sends_by_offer(catalog, log.action[back])):
            on = counted & (offer_of == o)
            if on.sum() > max(most, 0.0):
                yield (f"stock: {int(max(most, 0.0))} left of {catalog.offers[o].name}", on)
        spent, money = int(cost[counted].sum()), limits.money + float(cost[back].sum())
        if spent > max(money, 0.0):
            yield (f"budget: {spent} minor units of {int(max(money, 0.0))} that were released", counted)
        spending.book(int(cost[today].sum()))
        stock = None if stock is None else stock - sends_by_offer(catalog, log.action[today])


def of_mornings(log: DecisionLog, world: World, seen: pd.DataFrame | None) -> Iterator[Broken]:
    """Rules that rest on what only a ledger keeps; of rows that kept nothing of it they say nothing.

    seen: its rows, in the order of the log.
    """
    if seen is None:
        return
    sends, channels = log.action != NONE, list(world.channels)
    channel_of, offer_of = world.catalog.channel_of[log.action], world.catalog.offer_of[log.action]
    oldest = world.guard.max_age_days
    if oldest is not None:
        kept, as_of = _kept(seen, AS_OF)
        stale = is_stale(as_of.astype(np.int64), log.day, oldest)
        yield (f"stale: row older than {oldest} days", sends & kept & stale)
    for channel, purpose in purposes_of(world):
        kept, agreed = _kept(seen, consent_column(channel, purpose))
        of = np.array([o.purpose == purpose for o in world.offers.values()])
        on = (channel_of == channels.index(channel)) & of[offer_of]
        yield (f"no consent: {channel} for {purpose}", on & kept & (agreed != 1))
    kept, held = _kept(seen, HOLDOUT)
    yield ("holdout by the table", sends & kept & (held != NOT_HELD))
    kept, shared = _kept(seen, SHARES)
    yield ("address: another customer stood for it", sends & kept & (shared == 1))
    if RULE + SEND_AT in seen:
        yield ("quiet hours", sends & _quiet_rows(log, world, seen))


def _kept(seen: pd.DataFrame, name: str) -> tuple[Bool, Float]:
    """(n,) whether a row kept a column, and (n,) what it says, 0 where it did not."""
    column = seen[RULE + name] if RULE + name in seen else pd.Series(np.nan, index=seen.index)
    return column.notna().to_numpy(), np.asarray(column.fillna(0), dtype=np.float64)


def _quiet_rows(log: DecisionLog, world: World, seen: pd.DataFrame) -> Bool:
    """(n,) rows whose hour may have been quiet."""
    hit = np.zeros(len(log), dtype=bool)
    zones: npt.NDArray[Any] = np.full(len(log), "", dtype=object)
    if RULE + ZONE in seen:
        zones = seen[RULE + ZONE].fillna("").to_numpy(dtype=object)
    kept = seen[RULE + SEND_AT].notna().to_numpy()
    hours = seen[RULE + SEND_AT].fillna("").to_numpy(dtype=object)
    for day, hour in sorted(set(zip(log.day[kept].tolist(), hours[kept], strict=True))):
        rows = np.flatnonzero(kept & (log.day == day) & (hours == hour))
        at = datetime.time.fromisoformat(hour) if hour else None
        quiet = quiet_for(world, EPOCH + datetime.timedelta(days=day), zones[rows], at)
        if quiet is not None:
            hit[rows] = quiet[world.catalog.slot_of[log.action[rows]], np.arange(len(rows))]
    return hit


def not_looked_at(world: World, source: Ledger | DecisionLog) -> list[str]:
    """Rules of a world of which a ledger or log keeps nothing that could be looked at, in words."""
    columns = {f.name for f in source.table("decisions").schema().fields} if isinstance(source, Ledger) else set()
    asked = {f"consent for {purpose}": RULE + consent_column(c, purpose) for c, purpose in purposes_of(world)}
    if world.guard.max_age_days is not None:
        asked["age of rows"] = RULE + AS_OF
    if world.guard.quiet_hours is not None and world.guard.timezone is not None:
        asked["quiet hours"] = RULE + SEND_AT
    return [rule for rule, column in asked.items() if column not in columns]
