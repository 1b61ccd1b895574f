"""One run of a benchmark: train the policy if it learns, play it on the evaluation customers, count what came of it.

Every policy meets the same customers with the same luck (rng.py), so differences between policies are paired. Not
here: which runs there are (plan.py), the measures made of the counts (measure_definitions.py).
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from campaignrl.arrays import Bool, Float
from campaignrl.campaign import Campaign, run_campaign
from campaignrl.policies import Learner, Policy, is_trained, load_policy, one_blas_thread
from campaignrl.policies.deep import WorldLearner
from campaignrl.specs import Spec, World
from campaignrl.suites.identity import suite_world
from campaignrl.suites.plan import Run
from campaignrl.suites.suite import Label, Suite, Training
from campaignrl.training import train

FIRST_EVALUATED = 1 << 40  # id; training customers count up from 0, so no customer is in both
WEEKLY = {"sends": "sent", "contribution": "reward"}
TOP = 5  # one in so many customers is of the top: the fifth with the most orders before the campaign


class Measured(Spec):
    """Quantities of one run, each a mean per customer over the campaign; money in the world's currency."""

    world: Label
    policy: Label
    seed: int
    value_std: float  # of the contribution between customers; for information: those of one seed share the training
    quantities: dict[Label, float]
    segments: dict[str, dict[Label, float]]  # the same of each true segment; empty ones are left out
    sends: dict[str, float]  # by action
    answers: dict[str, dict[str, float]] = Field(default_factory=dict)  # delivered, opened ... sends by action
    profile: dict[str, dict[str, float]] = Field(default_factory=dict)  # sends a customer of each segment, by action
    weeks: dict[str, list[float]] = Field(default_factory=dict)  # sends and contribution of each week of seven days


class Timed(NamedTuple):
    """A run and the CPU seconds it took."""

    figures: Measured
    seconds: float


def measure(suite: Suite, run: Run) -> Timed:
    """Play one run of the plan; the same quantities in any process."""
    start = time.process_time()
    world = suite_world(suite, suite.world_of[run.world])
    campaign = play(
        world, suite.reference(run.world, run.policy), run.seed, suite.customers, suite.training(run.policy)
    )
    return Timed(figures(campaign, run), time.process_time() - start)


def play(world: World, policy: str | Path | Policy, seed: int, customers: int, training: Training) -> Campaign:
    """A campaign on the evaluation customers; a learner given by reference and untrained is taught first."""
    with one_blas_thread():
        ready = policy if isinstance(policy, Policy) else trained(world, policy, seed, training)
        return run_campaign(world, ready, customers=evaluation_ids(customers), seed=seed, threads=1)


def trained(world: World, reference: str | Path, seed: int, training: Training) -> Policy:
    """The policy, ready to play; the seed keys both its own draws and the customers it is taught on."""
    policy = load_policy(reference, world.catalog, world.features, seed)
    if not isinstance(policy, Learner | WorldLearner) or is_trained(policy):
        return policy
    n, explore = training.customers, training.explore
    rounds = training.rounds if training.rounds > 1 else None  # a learner may have rounds of its own
    return train(policy, world, customers=n, rounds=rounds, explore=explore, seed=seed, threads=1)


def evaluation_ids(customers: int) -> npt.NDArray[np.int64]:
    """Ids (n,) of customers that no training of ours meets."""
    return np.arange(FIRST_EVALUATED, FIRST_EVALUATED + customers, dtype=np.int64)


def figures(campaign: Campaign, run: Run) -> Measured:
    """The quantities of a campaign, of all customers and by segment."""
    values, fixed = _by_customer(campaign), _fixed(campaign.world)
    names = list(campaign.world.segments)
    groups = {name: campaign.segment == code for code, name in enumerate(names)}
    sends = campaign.action_counts.sum(axis=0) / len(campaign.segment)
    own_action = partial(_by_action, campaign)
    return Measured(
        **run._asdict(),
        value_std=float(campaign.value.std(ddof=1)),
        quantities={**_means(values), **fixed},
        segments={name: {**_means(values, own), **fixed} for name, own in groups.items() if own.any()},
        sends=dict(zip(campaign.world.catalog.names[1:], sends[1:].tolist(), strict=True)),
        answers={name: own_action(counts, len(campaign.segment)) for name, counts in (campaign.answers or {}).items()},
        profile={
            name: own_action(campaign.action_counts[code], int(own.sum()))
            for code, (name, own) in enumerate(groups.items())
            if own.any()
        },
        weeks={name: _weekly(campaign.daily[of], len(campaign.segment)) for name, of in WEEKLY.items()},
    )


def _by_action(campaign: Campaign, counts: Float, customers: int) -> dict[str, float]:
    """Counts (k,) of a campaign's actions per customer; actions that were never sent are left out."""
    names = campaign.world.catalog.names[1:]
    return {name: float(n) / customers for name, n in zip(names, counts[1:].tolist(), strict=True) if n}


def _weekly(daily: Float, customers: int) -> list[float]:
    """Sums (w,) of days (T,) by week, per customer; the last one may be short."""
    sums: list[float] = (np.add.reduceat(daily, np.arange(0, len(daily), 7)) / customers).tolist()
    return sums


def quantities_of(campaign: Campaign) -> dict[str, float]:
    """The quantities of all customers alone."""
    return {**_means(_by_customer(campaign)), **_fixed(campaign.world)}


def _by_customer(campaign: Campaign) -> dict[str, Float]:
    """What each customer adds to the quantities, (n,) each."""
    totals, before = campaign.totals, campaign.orders_before
    bought, never = totals["bought"] > 0, before == 0
    top = np.zeros(len(before), dtype=bool)
    top[np.argsort(-before, kind="stable")[: max(len(before) // TOP, 1)]] = True
    start, end = campaign.active["start"], campaign.active["end"]
    counted = {
        "buyers": bought,
        "new_buyers": bought & never,
        "repeat_buyers": bought & (before + totals["bought"] >= 2),
        "active_start": start,
        "active_end": start & end,
        "top_start": start & top,
        "top_end": start & end & top,
        "marketing_new": (totals["cost"] + totals["discount"]) * never,
    }
    if campaign.year_after is not None:
        counted["year_after"] = campaign.year_after
    if campaign.satisfaction is not None:
        counted["satisfaction"] = campaign.satisfaction
    return {**totals, **{name: values.astype(np.float64) for name, values in counted.items()}}


def _means(values: dict[str, Float], own: Bool | None = None) -> dict[str, float]:
    return {name: float((of if own is None else of[own]).mean()) for name, of in values.items()}


def _fixed(world: World) -> dict[str, float]:
    """What is the same for every customer: days, and the budget per customer (0: without limit)."""
    budget = world.guard.budget
    each = 0.0 if budget is None else budget.amount_per_1000_customers / 1000.0
    return {"days": float(world.horizon), "budget": each}
