"""The decision log of a ledger: every decision with the contribution that came within its outcome window.

As in a simulated log, the reward of a row is all that the customer brought from the day of the decision on, over the
world's outcome window: margins of orders less refunds, lost permissions and the cost of sends. A row has matured once
its window has passed and outcomes have come in since: what nobody has told yet is not nothing. The same ledger gives
the same log, whatever the order its rows came in. Beside it what each customer brought over a span of days, which
tests on live customers measure. Not here: the tables (folder.py).
"""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Int
from campaignrl.errors import ArtifactError, Problem, SupportError
from campaignrl.features import Context
from campaignrl.ledger.aliases import renamed
from campaignrl.ledger.folder import EPOCH, Ledger
from campaignrl.ledger.handovers import not_sent
from campaignrl.ledger.owners import with_customers
from campaignrl.ledger.schemas import SEEN
from campaignrl.specs import World
from campaignrl.tables.files import category_codes
from campaignrl.tables.log import DecisionLog

SUMS = ("value", "margin", "spend", "unsubscribed")  # of `customer_sums`
WHOLE = ("customer_id", "run_id", "decision_id", "action", "eligible", "propensity", "propensity_before", "cost")
LEAST = 6  # digits of a policy's hash that name it
NEVER = -(1 << 31)  # day before any: of outcomes nothing was ever told


def ledger_log(
    ledger: Ledger, world: World, *, as_of: datetime.date, policy: str | None = None, every: bool = False
) -> DecisionLog:
    """The log that `evaluate` and `train` take as it is.

    Args:
        ledger: where the decisions are.
        world: whose catalog, features and outcome window.
        as_of: the morning on which it is read: outcomes of earlier days are known.
        policy: only decisions of the policy of this name or content hash; None: of the one policy that decided.
        every: decisions of all policies; each row has the propensity of its own.

    Raises:
        SupportError: there is no decision, or several policies made them and none is named.
    """
    today = (as_of - EPOCH).days
    everything = _of_today(decided(ledger, world, today), ledger)
    outcomes = ledger.read("outcomes").to_pandas()
    told = int(outcomes["arrived"].max()) if len(outcomes) else NEVER
    outcomes = with_customers(ledger, outcomes[outcomes["day"] < today])
    outcomes["customer_id"] = renamed(outcomes["customer_id"], ledger.aliases)
    outcomes = outcomes[outcomes["customer_id"] != ""]  # the others are of a decision that is not here (yet)
    rows = everything if every and len(everything) else _of_policy(everything, policy, ledger)
    daily = _daily(everything[~everything["decision_id"].isin(not_sent(ledger))], outcomes, world)
    return log_of_rows(rows, world, daily, min(today, told))


def _of_today(rows: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Decisions under the names that customers have by now, in the order of those."""
    if not ledger.aliases:
        return rows
    named = rows.assign(customer_id=renamed(rows["customer_id"], ledger.aliases))
    ordered: pd.DataFrame = named.sort_values(["customer_id", "day", "run_id"], kind="stable").reset_index(drop=True)
    return ordered


def decided(ledger: Ledger, world: World, today: int) -> pd.DataFrame:
    """Every decision of earlier days, customer by customer."""
    rows = ledger.read("decisions").to_pandas()
    rows = rows[rows["day"] < today]
    require_whole(ledger, rows)
    others = int((rows["catalog_hash"] != world.catalog.hash).sum())
    if others:  # what was never looked at must not pass for fine
        fix = "Give the world as it was when they were made."
        allowed = f"those of {world.name}, for all {len(rows):,} decisions"
        raise ArtifactError(Problem(str(ledger.folder), "actions", f"others in {others:,} decisions", allowed, fix))
    ordered: pd.DataFrame = rows.sort_values(["customer_id", "day", "run_id"], kind="stable").reset_index(drop=True)
    return ordered


def require_whole(ledger: Ledger, decisions: pd.DataFrame) -> None:
    """ArtifactError for decisions without what every run writes."""
    lost = [name for name in WHOLE if name not in decisions]
    broken = len(decisions) if lost else int(decisions[list(WHOLE)].isna().any(axis=1).sum())
    if broken:
        fix = "Some other program wrote there: `campaignrl audit` says which rows."
        raise ArtifactError(Problem(str(ledger.folder), "decisions", f"{broken:,} with gaps", "whole rows", fix))


def log_of_rows(rows: pd.DataFrame, world: World, daily: pd.DataFrame, known: int) -> DecisionLog:
    """Decisions as a log.

    rows: of `decided`, at least one; daily: contribution by customer and day; known: the day before which outcomes are.
    """
    rows = rows.reset_index(drop=True)
    customers, customer = np.unique(rows["customer_id"].to_numpy(dtype=object).astype(str), return_inverse=True)
    day, n = rows["day"].to_numpy(dtype=np.int64), len(rows)
    first = rows["policy_id"].iloc[0]
    return DecisionLog(
        catalog=world.catalog,
        customers=customers.astype(object),
        customer=customer,
        step=rows.groupby("customer_id").cumcount().to_numpy(dtype=np.int64),
        day=day,
        context=decision_context(rows, world),
        action=rows["action"].to_numpy(dtype=np.int64),
        propensity=rows["propensity"].to_numpy(dtype=np.float64),
        reward=_windowed(daily, customers, customer, day, world.outcome_days),
        cost=rows["cost"].to_numpy(dtype=np.int64),
        matured=day + world.outcome_days <= known,
        eligible=eligible_masks(rows["eligible"], len(world.catalog), n),
        meta={
            **world.log_facts,
            "policy_id": str(first),
            "policy_hash": str(rows["policy_hash"].iloc[0]),
            "limited": bool((rows["propensity"] != rows["propensity_before"]).any()),
        },
    )


def _of_policy(rows: pd.DataFrame, policy: str | None, ledger: Ledger) -> pd.DataFrame:
    made = rows.groupby("policy_hash")["policy_id"].first()
    if policy is not None:
        named = [one for one in made.index if len(policy) >= LEAST and one.startswith(policy)]
        rows = rows[(rows["policy_id"] == policy) | rows["policy_hash"].isin(named)]
        made = made[(made == policy) | made.index.isin(named)]
    if len(made) == 1:
        return rows
    names = ", ".join(f"{name} ({str(hash_)[:8]})" for hash_, name in made.items()) or "none"
    days = sorted(str(run["day"]) for run in ledger.runs())
    fix = "Decide first: campaignrl decide ... --ledger."
    if len(made):
        fix = "Name one by its hash: --policy HASH."
    elif policy is None and days:
        fix = f"Its decisions are of {days[0]} and later: give a later --as-of."
    raise SupportError(Problem(str(ledger.folder), "policies that decided", names, "exactly one", fix))


def _daily(decisions: pd.DataFrame, outcomes: pd.DataFrame, world: World) -> pd.DataFrame:
    """Contribution by customer and day, minor units."""
    lost = world.minor(world.money.unsubscribe)
    value = np.where(outcomes["kind"] == "unsubscribe", -lost, outcomes["margin"])
    sent = decisions[decisions["action"] != NONE]
    parts = [
        pd.DataFrame({"customer_id": outcomes["customer_id"], "day": outcomes["day"], "value": value}),
        pd.DataFrame({"customer_id": sent["customer_id"], "day": sent["day"], "value": -sent["cost"]}),
    ]
    joined = pd.concat(parts, ignore_index=True)
    summed = joined.groupby(["customer_id", "day"])["value"].sum().reset_index()
    return summed.assign(currency=summed["value"] / world.money.minor_per_unit)


def _windowed(daily: pd.DataFrame, customers: Float, customer: Int, day: Int, window: int) -> Float:
    """(n,) sum of each row's customer over `window` days from its day on."""
    reward = np.zeros(len(day))
    place = pd.Index(customers)
    of = place.get_indexer(pd.Index(daily["customer_id"].astype(str)))
    known = of >= 0
    order = np.lexsort((daily["day"].to_numpy()[known], of[known]))
    of, when = of[known][order], daily["day"].to_numpy()[known][order]
    total = np.concatenate([[0.0], np.cumsum(daily["currency"].to_numpy()[known][order])])
    key, width = of.astype(np.int64) * (1 << 32) + when, 1 << 32
    begin = np.searchsorted(key, customer * width + day)
    end = np.searchsorted(key, customer * width + day + window)
    reward += total[end] - total[begin]
    return reward


def decision_context(rows: pd.DataFrame, world: World) -> Context:
    """What was seen of the customers of these decisions."""
    columns = {}
    for feature in world.features.features:
        values = rows[SEEN + feature.name] if SEEN + feature.name in rows else pd.Series([None] * len(rows))
        if feature.levels:
            texts = pa.chunked_array([pa.array(values.fillna("").astype(str), pa.string())])
            columns[feature.name] = category_codes(texts, feature.levels)
        else:
            columns[feature.name] = values.to_numpy(dtype=np.float64)
    return Context(world.features, columns, count=len(rows))


def eligible_masks(eligible: pd.Series, k: int, n: int) -> Bool:
    """(n, k) what was allowed, from lists of action ids."""
    mask = np.zeros((n, k), dtype=bool)
    lengths = eligible.map(len).to_numpy()
    if n:
        mask[np.repeat(np.arange(n), lengths), np.concatenate(eligible.to_list()).astype(np.int64)] = True
    return mask


def customer_sums(ledger: Ledger, world: World, since: datetime.date, until: datetime.date) -> pd.DataFrame:
    """One row a customer of whom anything is known from `since` on, up to the evening before `until`.

    value: margins less refunds, cost of sends and lost permissions, in the world's currency; margin: of orders less
    refunds; spend: cost of sends; unsubscribed: how often. By customer_id, under the names of today.
    """
    first, last = (since - EPOCH).days, (until - EPOCH).days
    told = with_customers(ledger, ledger.read("outcomes").to_pandas())
    told = told[(told["day"] >= first) & (told["day"] < last) & (told["customer_id"] != "")]
    sent = ledger.read("decisions", ["decision_id", "customer_id", "day", "action", "cost"]).to_pandas()
    sent = sent[(sent["day"] >= first) & (sent["day"] < last) & (sent["action"] != NONE)]
    sent = sent[~sent["decision_id"].isin(not_sent(ledger))]
    unit, left = world.money.minor_per_unit, (told["kind"] == "unsubscribe").to_numpy()
    rows = pd.concat(
        [
            pd.DataFrame(
                {
                    "customer_id": told["customer_id"],
                    "margin": np.where(left, 0, told["margin"]) / unit,
                    "spend": 0.0,
                    "unsubscribed": left.astype(np.float64),
                }
            ),
            pd.DataFrame(
                {"customer_id": sent["customer_id"], "margin": 0.0, "spend": sent["cost"] / unit, "unsubscribed": 0.0}
            ),
        ],
        ignore_index=True,
    )
    rows["customer_id"] = renamed(rows["customer_id"], ledger.aliases)
    summed = rows.groupby("customer_id")[["margin", "spend", "unsubscribed"]].sum()
    lost = summed["unsubscribed"] * world.money.unsubscribe
    return summed.assign(value=summed["margin"] - summed["spend"] - lost)[list(SUMS)]
