"""An audit of what was decided: every rule and, with the policy, every propensity, recomputed from a log or a ledger.

It rests on what the rows themselves hold: the context as it was seen, the eligible set, the sends of the same customer
before. What a log cannot show (contacts by other senders) it does not judge. Not here: each rule (recount.py), what the
rules are (guard/). n rows, k actions.
"""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from campaignrl.actions import NONE
from campaignrl.arrays import Float
from campaignrl.errors import ArtifactError, Problem, SupportError
from campaignrl.guard import Spending
from campaignrl.ledger import EPOCH, Ledger, decided, log_of_rows, not_sent, tampered
from campaignrl.policies import Policy, policy_hash
from campaignrl.send.recount import Finding, finding, of_days, of_mornings, of_one, of_windows
from campaignrl.specs import World, world_hash
from campaignrl.tables.log import DecisionLog

EVER = (datetime.date.max - EPOCH).days
SAME = 1e-9  # relative; propensities are written with all their digits


def audit(
    log: DecisionLog,
    world: World,
    *,
    policy: Policy | None = None,
    drawn: Float | None = None,
    customers: int | None = None,
    start: int | None = None,
    seen: pd.DataFrame | None = None,
) -> list[Finding]:
    """Everything that a log shows to be broken; empty where nothing is.

    Args:
        log: of decisions, n rows.
        world: whose rules held.
        policy: that decided; its probabilities are recomputed.
        drawn: (n,) propensities before budget and capacity; None: those of the log, where nothing is limited.
        customers: whom budget and capacity were for; None: all of the log.
        start: first day of the campaign; None: that of the log.
        seen: (n rows) what other rules saw of the customers, as a ledger keeps it; None: nobody knows.

    Raises:
        ArtifactError: the log is of another catalog than the world's.
        SupportError: the policy's chances cannot be told from those of the lot that served a limited world.
    """
    if log.catalog.hash != world.catalog.hash:
        fix = "Give the world that the decisions were made in."
        raise ArtifactError(Problem("audit", "catalog", log.catalog.hash, f"that of {world.name}", fix))
    many = len(log.customers) if customers is None else customers
    first = int(log.day.min(initial=0)) if start is None else start
    broken = [*of_one(log, world), *of_windows(log, world), *of_days(log, world, many, first)]
    broken += of_mornings(log, world, seen)
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
    ledger.require(world)
    broken = [Finding(*one) for one in tampered(ledger.read("decisions"), ledger.read("erasures"), head)]
    try:
        many, found = _recomputed(ledger, world, policy)
    except (ArtifactError, TypeError, ValueError, KeyError, IndexError, AttributeError):
        if not broken:
            raise
        unread = Finding("the rules could not be recomputed from rows that are not as they were written", 1, ())
        return len(ledger.read("decisions", ["day"])), [*broken, unread]
    return many, [one for one in (*broken, *found) if one.many]


def other_forms(ledger: Ledger, world: World) -> int:
    """Decisions that were made under another form of the world's rules, which an audit in this form cannot judge."""
    hashes = ledger.read("decisions", ["world_hash"])["world_hash"].to_pylist()
    return sum(one != world_hash(world) for one in hashes)


def _recomputed(ledger: Ledger, world: World, policy: Policy | None) -> tuple[int, list[Finding]]:
    """(decisions, findings) of the decisions that were made under this form of the rules."""
    rows, broken = decided(ledger, world, EVER), []
    rows = rows[rows["world_hash"] == world_hash(world)]
    if not len(rows):
        return 0, []
    nothing = pd.DataFrame({"customer_id": [], "day": [], "currency": []})
    kept = rows[~rows["decision_id"].isin(not_sent(ledger))]
    if len(kept):
        kept = kept.reset_index(drop=True)
        log, start = log_of_rows(kept, world, nothing, EVER), (ledger.start - EPOCH).days
        broken += [
            *audit(log, world, customers=ledger.customers, start=start, seen=kept),
            after_withdrawal(log, ledger),
        ]
    if policy is not None:
        own = rows[rows["policy_hash"] == policy_hash(policy)]
        if not len(own):  # nothing was looked at, which is not the same as nothing found
            made = ", ".join(sorted(set(rows["policy_id"])))
            raise SupportError(Problem("audit", "policy", policy.name, f"one that decided here: {made}"))
        mine = log_of_rows(own, world, nothing, EVER)
        broken += _of_chances(mine, policy, own["propensity_before"].to_numpy(dtype=np.float64))
    return len(rows), broken


def _of_chances(log: DecisionLog, policy: Policy, drawn: Float | None) -> list[Finding]:
    """Logged propensities against those of the policy; where a lot was drawn, of what was drawn."""
    p = policy.probabilities(log.context, log.allowed())
    said = log.propensity if drawn is None else drawn
    taken = p[np.arange(len(log)), log.action]
    unserved = np.zeros(len(log), dtype=bool) if drawn is None else (log.action == NONE) & (drawn != log.propensity)
    wrong = ~np.isclose(taken, said, rtol=SAME, atol=0.0) & ~unserved
    return [finding("propensity: not that of the policy", log, wrong)]


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
    return finding("sent after the permission was taken away", log, wrong)


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
