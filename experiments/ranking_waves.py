"""One wave of a campaign whose every outcome is known: who gets what, what comes of it, and what others would earn.

A wave is one decision a customer on day 0, after which nothing is sent while the outcome window of DAYS is open. Here:
the wave, the rewards a marketer reads off it, the policies that are compared, their true values. Not here: the study
(ranking.py). n customers, k actions.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

import campaignrl as crl
from campaignrl.campaign import ready_policy
from campaignrl.choices import decide_day
from campaignrl.dynamics import parameters
from campaignrl.envs import Panel
from campaignrl.envs.truth.oracles import action_gains
from campaignrl.policies import certainly
from campaignrl.policies.fixed import SEES_NOTHING, Untrained
from campaignrl.specs import Spec

DAYS, SHORT = 7, 3  # of the outcome window, and of a shorter one
REWARDS = {
    "contribution": f"margin less discounts, cost of sending and lost permissions, over {DAYS} days",
    "contribution_short": f"the same over {SHORT} days",
    "attributed": f"contribution over {DAYS} days of those who opened, cost of the send of the others",
    "converted": f"an order within {DAYS} days",
    "clicked": "a click",
}
FIXED = {
    "none": "none",
    "uniform": "uniform",
    "rules": "rules",
    "content to all": "always:content@email",
    "coupon to all": "always:coupon30@email",
}
LEARNED = ("propensity_greedy", "lin_ts", "dr_uplift", "dr_greedy")
EXTREMES = ("oracle", "anti_oracle")
EIGHT = (*FIXED, "propensity_greedy", "lin_ts", "dr_uplift")  # what a marketer can send by
BEFORE, TAUGHT_ON = 777, 100_000  # seed and customers of the wave that learners learn from
PART = 100_000  # customers played at once


class Wave(NamedTuple):
    """What is logged of a wave, each reward (n,), and what the oracles would do (n, k), which no log knows."""

    log: crl.DecisionLog
    rewards: dict[str, np.ndarray]
    extremes: dict[str, np.ndarray]


class Mixture(Untrained):
    """Each customer is given to one of several policies by lot: a test of all of them at once."""

    kind = "mixture"

    def __init__(self, catalog, policies) -> None:
        super().__init__(catalog, SEES_NOTHING, Spec(), "mixture")
        self._policies = list(policies)

    def probabilities(self, context, allowed):
        """(n, k): the mean of theirs."""
        return np.mean([policy.probabilities(context, allowed) for policy in self._policies], axis=0)


def wave_world(name: str = "ecommerce"):
    """The world for the length of one outcome window."""
    return crl.load_world(name, horizon=DAYS, outcome_days=DAYS)


def wave(world, logging, ids, seed: int) -> Wave:
    """These customers after one decision each by `logging`."""
    panel = Panel(world, ids, seed, threads=1)
    chosen = decide_day(panel, logging)
    extremes = {name: certainly(action, chosen.allowed) for name, action in oracles(panel, chosen.allowed).items()}
    rewards = outcomes(panel, chosen.action)
    whole = np.zeros(len(ids), dtype=np.int32)
    log = crl.DecisionLog(
        catalog=world.catalog,
        customers=np.array([str(i) for i in ids], dtype=object),
        customer=np.arange(len(ids), dtype=np.int32),
        context=chosen.context,
        action=chosen.action.astype(np.int16),
        propensity=chosen.propensity,
        reward=rewards["contribution"],
        matured=np.ones(len(ids), dtype=bool),
        eligible=chosen.allowed,
        meta={"policy_id": logging.name, "outcome_days": DAYS},
        **{"step": whole, "day": whole, "cost": world.catalog.cost_of[chosen.action]},
    )
    return Wave(log, rewards, {name: p.astype(np.float32) for name, p in extremes.items()})


def oracles(panel: Panel, allowed) -> dict[str, np.ndarray]:
    """(n,) the best and the worst action of each customer, from the true state."""
    gains = action_gains(panel.world, panel.traits, panel.state, panel.day, parameters(panel.world), allowed)
    worst = np.where(np.isfinite(gains), gains, np.inf).argmin(axis=1)
    return dict(zip(EXTREMES, (gains.argmax(axis=1), worst), strict=True))


def outcomes(panel: Panel, action) -> dict[str, np.ndarray]:
    """Plays the window and gives each reward (n,)."""
    first = panel.step(action)
    opened, clicked, cost = first.opened.copy(), first.clicked.astype(np.float64), first.cost.astype(np.float64)
    total, bought, short = first.reward.astype(np.float64), first.bought.copy(), None
    nothing = np.zeros_like(action)
    for day in range(1, DAYS):
        short = total.copy() if day == SHORT else short
        today = panel.step(nothing)
        total, bought = total + today.reward, bought | today.bought
    attributed = np.where(opened, total, -cost)
    return dict(zip(REWARDS, (total, short, attributed, bought.astype(np.float64), clicked), strict=True))


def policies_of(world, taught_on: int = TAUGHT_ON) -> dict[str, object]:
    """Those without and those with learning, from one wave by chance on other customers."""
    before = wave(world, ready_policy("uniform", world), np.arange(taught_on), BEFORE)
    found = {name: ready_policy(reference, world) for name, reference in FIXED.items()}
    return {**found, **{name: crl.train(name, before.log) for name in LEARNED}}


def actions_of(world) -> dict[str, object]:
    """Eight actions spread over the catalog, to everybody who may have them: no wise choice of what to compare."""
    sends = world.catalog.names[1:]
    wanted = [f"always:{sends[i]}" for i in np.linspace(0, len(sends) - 1, 8).astype(int)]
    return {name: ready_policy(name, world) for name in wanted}


def true_lifts(world, policies, customers: int, seed: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Policy -> reward -> (what one decision by it brings over `none`, standard error): same customers, same luck."""
    deciding = {name: partial(_decided, policy=policy) for name, policy in policies.items()}
    deciding |= {name: partial(_best, name=name) for name in EXTREMES}
    sums = {name: np.zeros((2, len(REWARDS))) for name in deciding}
    for start in range(0, customers, PART):
        ids = np.arange(start, min(start + PART, customers))
        idle = _table(outcomes(Panel(world, ids, seed), np.zeros(len(ids), dtype=np.int64)))
        for name, decide in deciding.items():
            panel = Panel(world, ids, seed)
            gain = _table(outcomes(panel, decide(panel))) - idle
            sums[name] += gain.sum(axis=0), (gain**2).sum(axis=0)
    return {name: _means(total, customers) for name, total in sums.items()}


def _decided(panel: Panel, policy):
    return decide_day(panel, policy).action


def _best(panel: Panel, name: str):
    return oracles(panel, panel.allowed(panel.observe()))[name]


def _table(rewards: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([rewards[name] for name in REWARDS], axis=1)


def _means(sums: np.ndarray, n: int) -> dict[str, tuple[float, float]]:
    mean = sums[0] / n
    error = np.sqrt(np.maximum(sums[1] / n - mean**2, 0.0) / n)
    return {name: (float(m), float(e)) for name, m, e in zip(REWARDS, mean, error, strict=True)}
