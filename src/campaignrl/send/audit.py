"""An audit of what was decided: every rule and, with the policy, every propensity, recomputed from a log or a ledger.

It rests on what the rows themselves hold: the context as it was seen, the eligible set, the sends of the same customer
before. What a log cannot show (contacts by other senders) it does not judge. Not here: what the rules are (guard/).
n rows, k actions.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int
from campaignrl.errors import ArtifactError, Problem, SupportError
from campaignrl.guard import Spending, rules_of
from campaignrl.ledger import EPOCH, Ledger, decided, log_of_rows, not_sent, tampered
from campaignrl.policies import Policy, policy_hash
from campaignrl.rng import Purpose
from campaignrl.specs import World
from campaignrl.tables.log import DecisionLog

FIRST = 5  # rows named of each rule
EVER = (datetime.date.max - EPOCH).days
SAME = 1e-9  # relative; propensities are written with all their digits


class Finding(NamedTuple):
    """One rule that was broken.

    rule: which; many: in how many rows; rows: the first of them, as `customer on day`.
    """

    rule: str
    many: int
    rows: tuple[str, ...]


def audit(
    log: DecisionLog,
    world: World,
    *,
    policy: Policy | None = None,
    drawn: Float | None = None,
    customers: int | None = None,
    start: int | None = None,
) -> list[Finding]:
    """Everything that a log shows to be broken; empty where nothing is.

    Args:
        log: of decisions, n rows.
        world: whose rules held.
        policy: that decided; its probabilities are recomputed.
        drawn: (n,) propensities before budget and capacity; None: those of the log, where nothing is limited.
        customers: whom budget and capacity were for; None: all of the log.
        start: first day of the campaign; None: that of the log.

    Raises:
        ArtifactError: the log is of another catalog than the world's.
        SupportError: the policy's chances cannot be told from those of the lot that served a limited world.
    """
    if log.catalog.hash != world.catalog.hash:
        fix = "Give the world that the decisions were made in."
        raise ArtifactError(Problem("audit", "catalog", log.catalog.hash, f"that of {world.name}", fix))
    many = len(log.customers) if customers is None else customers
    first = int(log.day.min(initial=0)) if start is None else start
    broken = [*_of_one(log, world), *_of_windows(log, world), *_of_days(log, world, many, first)]
    if policy is not None:
        if drawn is None and log.meta.get("allocation") == "value":
            fix = "Audit the ledger, which keeps both, or leave out the policy."
            raise SupportError(Problem("audit", "propensity", "after a plan by value", "also the policy's own", fix))
        if drawn is None and (log.meta.get("limited") or Spending(world, many).is_limited):
            fix = "Audit the ledger, which keeps both, or leave out the policy."
            raise SupportError(Problem("audit", "propensity", "after a lot", "also as it was drawn", fix))
        broken += _of_chances(log, policy, drawn)
    return [found for found in broken if found.many]


def audit_ledger(
    ledger: Ledger, world: World, policy: Policy | None = None, head: str | None = None
) -> tuple[int, list[Finding]]:
    """(decisions, what is broken) of a whole ledger, its chain included; a send that failed for good counts as none.

    Args:
        ledger: what was decided.
        world: whose rules held.
        policy: of its own decisions the propensities are recomputed too.
        head: of the chain, as it was written down before; it must still be in it.

    Raises:
        SupportError: the policy, its content and not its name alone, decided nothing here.
    """
    rows = decided(ledger, world, EVER)
    broken = [Finding(*one) for one in tampered(ledger.read("decisions"), ledger.read("erasures"), head)]
    if not len(rows):
        return 0, broken
    nothing = pd.DataFrame({"customer_id": [], "day": [], "currency": []})
    kept = rows[~rows["decision_id"].isin(not_sent(ledger))]
    if len(kept):
        log, start = log_of_rows(kept, world, nothing, EVER), (ledger.start - EPOCH).days
        broken += [*audit(log, world, customers=ledger.customers, start=start), after_withdrawal(log, ledger)]
    if policy is not None:
        own = rows[rows["policy_hash"] == policy_hash(policy)]
        if not len(own):  # nothing was looked at, which is not the same as nothing found
            made = ", ".join(sorted(set(rows["policy_id"])))
            raise SupportError(Problem("audit", "policy", policy.name, f"one that decided here: {made}"))
        mine = log_of_rows(own, world, nothing, EVER)
        broken += _of_chances(mine, policy, own["propensity_before"].to_numpy(dtype=np.float64))
    return len(rows), [found for found in broken if found.many]


def _of_one(log: DecisionLog, world: World) -> Iterator[Finding]:
    """Rules that look at one row."""
    action, catalog, rules = log.action, world.catalog, rules_of(world)
    sends = action != NONE
    yield _found("not eligible by the row itself", log, ~log.allowed()[np.arange(len(log)), action])
    for c, channel in enumerate(catalog.channels):
        said = log.context.columns.get(f"consent_{channel.name}")
        if said is not None:
            on = sends & (catalog.channel_of[action] == c)
            yield _found(f"no consent: {channel.name}", log, on & ~(np.asarray(said) == 1.0))
    for offer, condition in rules.conditions.items():
        on = sends & (catalog.offer_of[action] == offer)
        yield _found(f"not eligible: {catalog.offers[offer].name}", log, on & ~condition.holds(log.context))
    salt, share = world.guard.holdout_salt, world.guard.holdout
    held = rng.uniform(rng.customer_keys(log.customers), salt, 0, Purpose.HOLDOUT) < share
    yield _found("holdout", log, sends & held[log.customer])
    twice = np.zeros(len(log), dtype=bool)
    order = np.lexsort((log.step, log.day, log.customer, ~sends))
    same = (np.diff(log.customer[order]) == 0) & (np.diff(log.day[order]) == 0)
    twice[order[1:][same]] = True
    yield _found("two sends to one customer on one day", log, twice & sends)


def _of_windows(log: DecisionLog, world: World) -> Iterator[Finding]:
    """Caps over rolling windows, from the sends of the log."""
    channel_of = world.catalog.channel_of[log.action]
    for channel, cap in rules_of(world).caps:
        on = np.flatnonzero((log.action != NONE) & (True if channel is None else channel_of == channel))
        order = on[np.lexsort((log.day[on], log.customer[on]))]
        key = log.customer[order].astype(np.int64) * (1 << 32) + log.day[order]
        before = np.arange(len(order)) - np.searchsorted(key, key - cap.per_days, side="right")
        over = np.zeros(len(log), dtype=bool)
        over[order[before >= cap.at_most]] = True
        scope = "all channels" if channel is None else world.catalog.channels[channel].name
        yield _found(f"cap: {cap.at_most} in {cap.per_days} days on {scope}", log, over)


def _of_days(log: DecisionLog, world: World, customers: int, start: int) -> Iterator[Finding]:
    """Budget at every prefix, capacity of every day."""
    spending, sends = Spending(world, customers), log.action != NONE
    channel_of = world.catalog.channel_of[log.action]
    for day in np.unique(log.day[sends]):
        limits, today = spending.limits(min(int(day) - start, world.horizon - 1)), sends & (log.day == day)
        for c, most in enumerate(limits.sends):
            on = today & (channel_of == c)
            if on.sum() > most:
                yield _found(f"capacity: {int(most)} a day on {world.catalog.channels[c].name}", log, on)
        cost = int(world.catalog.cost_of[log.action[today]].sum())
        if cost > limits.money:
            yield _found(f"budget: {cost} minor units of {int(limits.money)} that were released", log, today)
        spending.book(cost)


def _of_chances(log: DecisionLog, policy: Policy, drawn: Float | None) -> list[Finding]:
    """Logged propensities against those of the policy; where a lot was drawn, of what was drawn."""
    p = policy.probabilities(log.context, log.allowed())
    said = log.propensity if drawn is None else drawn
    taken = p[np.arange(len(log)), log.action]
    unserved = np.zeros(len(log), dtype=bool) if drawn is None else (log.action == NONE) & (drawn != log.propensity)
    wrong = ~np.isclose(taken, said, rtol=SAME, atol=0.0) & ~unserved
    return [_found("propensity: not that of the policy", log, wrong)]


def _found(rule: str, log: DecisionLog, rows: Bool | Int) -> Finding:
    where = np.flatnonzero(rows)
    names = (f"{log.customers[log.customer[i]]} on day {log.day[i]}" for i in where[:FIRST])
    return Finding(rule, len(where), tuple(names))


def after_withdrawal(log: DecisionLog, ledger: Ledger) -> Finding:
    """Sends on days after a permission was taken away; of the day itself nobody knows which came first."""
    said = ledger.read("permissions").to_pandas()
    said = said[~said["allowed"]]
    wrong = np.zeros(len(log), dtype=bool)
    names = np.array([c.name for c in log.catalog.channels], dtype=object)
    channel = np.where(log.action == NONE, "", names[log.catalog.channel_of[log.action]])
    place = {str(one): i for i, one in enumerate(log.customers)}
    again = _given_again(ledger)
    for one, where, from_, day in zip(said["customer_id"], said["channel"], said["arrived"], said["day"], strict=True):
        i = place.get(str(one))
        if i is not None:
            rows = (log.customer == i) & (log.day > from_) & (log.action != NONE)
            rows &= (channel == where) | (where == "*")
            wrong |= rows & (log.day < again.get((str(one), where, int(day)), np.iinfo(np.int64).max))
    return _found("sent after the permission was taken away", log, wrong)


def _given_again(ledger: Ledger) -> dict[tuple[str, str, int], int]:
    """First day on which a permission that was taken away on a day was given again."""
    said = ledger.read("permissions").to_pandas()
    given, taken = said[said["allowed"]], said[~said["allowed"]]
    found = {}
    for one, channel, day in zip(taken["customer_id"], taken["channel"], taken["day"], strict=True):
        later = given[(given["customer_id"] == one) & (given["channel"] == channel) & (given["day"] > day)]
        if len(later):
            found[str(one), channel, int(day)] = int(later["day"].min())
    return found
