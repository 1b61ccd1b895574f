"""An audit of what was decided: every rule and, with the policy, every propensity, recomputed from a log or a ledger.

It rests on what the rows themselves hold: the context as it was seen, the eligible set, the sends of the same customer
before. What a log cannot show (contacts by other senders) it does not judge. Each decision of a ledger is judged by the
form of the rules that it was made under, beside all that went before. Not here: each rule (recount.py), what the rules
are (guard/). n rows, k actions.
"""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float
from campaignrl.errors import ArtifactError, Problem, SupportError, UsageError
from campaignrl.guard import Spending
from campaignrl.ledger import (
    EPOCH,
    Ledger,
    decided,
    handed_over,
    log_of_rows,
    not_sent,
    sent_after_all,
    sent_against_a_word,
    tampered,
)
from campaignrl.policies import Policy, policy_hash
from campaignrl.send.recount import FIRST, Finding, SentAfterAll, finding, of_days, of_mornings, of_one, of_windows
from campaignrl.specs import World, world_hash
from campaignrl.tables.log import DecisionLog

EVER = (datetime.date.max - EPOCH).days
AGAINST = "handed over after the permission was taken away"
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
    judged: Bool | None = None,
    late: SentAfterAll | None = None,
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
        judged: (n,) rows that were decided under these rules; the others only count beside them. None: all.
        late: sends that were said not to be made, and later that they were; None: of no row.

    Raises:
        ArtifactError: the log is of another catalog than the world's.
        SupportError: the policy's chances cannot be told from those of the lot that served a limited world.
    """
    if log.catalog.hash != world.catalog.hash:
        fix = "Give the world that the decisions were made in."
        raise ArtifactError(Problem("audit", "catalog", log.catalog.hash, f"that of {world.name}", fix))
    many = len(log.customers) if customers is None else customers
    first = int(log.day.min(initial=0)) if start is None else start
    late = SentAfterAll.none() if late is None else late
    rules = [*of_one(log, world, late), *of_windows(log, world, late), *of_days(log, world, many, first, late)]
    rules += of_mornings(log, world, seen)
    broken = [finding(rule, log, rows if judged is None else rows & judged) for rule, rows in rules]
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
    ledger: Ledger, world: World | None = None, policy: Policy | None = None, head: str | None = None
) -> tuple[int, list[Finding]]:
    """(decisions, what is broken) of a whole ledger, its chain included; a send that failed for good counts as none.

    Args:
        ledger: what was decided, and the forms of the rules it was decided under.
        world: a form of the rules that a ledger of an earlier version did not keep.
        policy: of its own decisions the propensities are recomputed too.
        head: of the chain, as it was written down before; it must still be in it.

    Raises:
        SupportError: the policy, its content and not its name alone, decided nothing here.
    """
    forms = forms_of(ledger, world)
    decisions, erasures = ledger.read("decisions"), ledger.read("erasures")
    broken = [Finding(*one) for one in tampered(decisions, erasures, head, ledger.chains_seen())]
    try:
        many, found = _recomputed(ledger, forms, policy)
    except (ArtifactError, TypeError, ValueError, KeyError, IndexError, AttributeError):
        if not broken:
            raise
        unread = Finding("the rules could not be recomputed from rows that are not as they were written", 1, ())
        return len(ledger.read("decisions", ["day"])), [*broken, unread]
    return many, [one for one in (*broken, *found) if one.many]


def forms_of(ledger: Ledger, world: World | None = None) -> dict[str, World]:
    """The forms of its rules, by hash: those it keeps, and one that is given.

    Raises:
        UsageError: the ledger was never given it, or keeps none and none is given.
    """
    if world is not None:
        ledger.require(world)
    found = ledger.forms() | ({} if world is None else {world_hash(world): world})
    if not found:
        fix = "It was begun by an earlier version, which kept none: give --world FILE."
        raise UsageError(Problem("audit", "world", "left out", "the rules that held", fix))
    return found


def other_forms(ledger: Ledger, world: World | None = None) -> int:
    """Decisions that were made under a form of the rules that nobody has any more, which cannot be judged."""
    forms = forms_of(ledger, world)
    return sum(one not in forms for one in ledger.read("decisions", ["world_hash"])["world_hash"].to_pylist())


def _recomputed(ledger: Ledger, forms: dict[str, World], policy: Policy | None) -> tuple[int, list[Finding]]:
    """(decisions, findings) of the decisions that were made under one of these forms of the rules."""
    some, broken = next(iter(forms.values())), []
    rows = decided(ledger, some, EVER)
    known = rows["world_hash"].isin(list(forms))
    if not known.any():
        return 0, []
    nothing = pd.DataFrame({"customer_id": [], "day": [], "currency": []})
    kept = rows[~rows["decision_id"].isin(not_sent(ledger))].reset_index(drop=True)
    start = (ledger.start - EPOCH).days
    for form, world in forms.items():
        judged = (kept["world_hash"] == form).to_numpy()
        if judged.any():
            log, late = log_of_rows(kept, world, nothing, EVER), _sent_after_all(ledger, kept)
            broken += audit(log, world, customers=ledger.customers, start=start, seen=kept, judged=judged, late=late)
    if len(kept):
        broken.append(after_withdrawal(log_of_rows(kept, some, nothing, EVER), ledger))
    broken.append(_against_a_word(ledger, some))
    if policy is not None:
        own = rows[rows["policy_hash"] == policy_hash(policy)]
        if not len(own):  # nothing was looked at, which is not the same as nothing found
            made = ", ".join(sorted(set(rows["policy_id"])))
            raise SupportError(Problem("audit", "policy", policy.name, f"one that decided here: {made}"))
        mine = log_of_rows(own, some, nothing, EVER)
        broken += _of_chances(mine, policy, own["propensity_before"].to_numpy(dtype=np.float64))
    return int(known.sum()), _added_up(broken)


def _sent_after_all(ledger: Ledger, kept: pd.DataFrame) -> SentAfterAll:
    rows = pd.DataFrame({"decision_id": kept["decision_id"], "row": np.arange(len(kept))})
    late = rows.merge(sent_after_all(ledger), on="decision_id").astype({"row": np.int64})
    return SentAfterAll(*(late[name].to_numpy(dtype=np.int64) for name in SentAfterAll._fields))


def _against_a_word(ledger: Ledger, world: World) -> Finding:
    """Sends that were handed over although the permission was gone."""
    rows = sent_against_a_word(ledger, handed_over(ledger), list(world.channels))
    names = zip(rows["customer_id"], rows["day"], strict=True)
    return Finding(AGAINST, len(rows), tuple(f"{one} on day {day}" for one, day in list(names)[:FIRST]))


def _added_up(broken: list[Finding]) -> list[Finding]:
    """What is broken under several forms of a rule is said once."""
    found: dict[str, Finding] = {}
    for one in broken:
        before = found.get(one.rule, Finding(one.rule, 0, ()))
        found[one.rule] = Finding(one.rule, before.many + one.many, (*before.rows, *one.rows)[:FIRST])
    return list(found.values())


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
