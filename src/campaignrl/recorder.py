"""The decision log of a campaign while it runs: days go in, customers come out.

Here: what was decided on a day, and how days of all customers become rows of each. Not here: the daily loop
(campaign.py), what a log must keep (tables/log/). n customers, k actions, T days.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float, Int
from campaignrl.choices import Choice
from campaignrl.dynamics import Outcome
from campaignrl.envs import Panel
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.policies import Policy
from campaignrl.tables.log import DecisionLog

MAX_LOG_ROWS = 30_000_000  # about 4 GB in memory


class Recorder:
    """Collects days (T, n) and turns them into a log of customers (n, T)."""

    def __init__(self, panel: Panel, policy: Policy) -> None:
        self._panel, self._policy, world = panel, policy, panel.world
        rows = len(panel) * world.horizon
        if rows > MAX_LOG_ROWS:
            fix = f"Simulate at most {MAX_LOG_ROWS // world.horizon} customers at a time (customers=ids of a part)."
            raise UsageError(Problem("simulate", "rows of the log", rows, f"at most {MAX_LOG_ROWS}", fix))
        self._days: list[tuple[Choice, Outcome]] = []

    def add(self, day: int, choice: Choice, outcome: Outcome) -> None:
        """Keep one day, in the order of the days."""
        self._days.append((choice, outcome))

    def log(self) -> DecisionLog:
        """All days so far, customer by customer."""
        panel, world, days = self._panel, self._panel.world, len(self._days)
        n, choices = len(panel), [choice for choice, _ in self._days]
        reward = np.array([outcome.reward for _, outcome in self._days], dtype=np.float64)
        action = _by_customer([c.action.astype(np.int16) for c in choices])
        step = np.tile(np.arange(days, dtype=np.int32), n)
        columns = {
            name: _by_customer([c.context.columns[name] for c in choices]) for name in choices[0].context.columns
        }
        log = DecisionLog(
            catalog=world.catalog,
            customers=np.array([str(i) for i in panel.ids], dtype=object),
            customer=np.repeat(np.arange(n, dtype=np.int32), days),
            step=step,
            day=step,
            context=Context(world.features, columns),
            action=action,
            propensity=_by_customer([c.propensity for c in choices]),
            reward=_by_customer(list(windowed(reward, world.outcome_days))),
            cost=world.catalog.cost_of[action],
            matured=step + world.outcome_days <= days,
            eligible=_by_customer([c.allowed for c in choices]),
            meta={
                **world.log_facts,
                "policy_id": self._policy.name,
                "seed": panel.seed,
                "horizon": world.horizon,
            },
        )
        return log if world.arrivals is None else _arrived(log, np.repeat(panel.traits.arrives, days))


def _arrived(log: DecisionLog, arrives: Int) -> DecisionLog:
    """The rows of customers who were there, each from step 0 on. arrives: (rows,) day of it."""
    there = log.day >= arrives
    kept = log.take(there)
    return replace(kept, step=(kept.day - arrives[there]).astype(np.int32))


def windowed(daily: Float, days: int) -> Float:
    """(T, n) sum over `days` days from each day on, shorter at the end. daily: (T, n)."""
    before = np.concatenate([np.zeros((1, daily.shape[1])), np.cumsum(daily, axis=0)])
    last = np.minimum(np.arange(len(daily)) + days, len(daily))
    result: Float = before[last] - before[:-1]
    return result


def _by_customer(days: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """T arrays (n, ...) -> (n * T, ...), one customer's days after another."""
    stacked = np.stack(days, axis=1)
    return stacked.reshape(-1, *stacked.shape[2:])
