"""Is the holdout what was planned, and is what a policy learned on apart from what it is judged on?

Who is held out is drawn from the customer's id (guard), so it can be drawn again here: the share that shows up in
a log must be the planned one, and nobody held out may have been contacted. A log that lost some of either group is
no fair sample of both (Fabijan et al. 2019, KDD, "Diagnosing sample ratio mismatch"). Not here: what follows for the
verdict (verdict.py), splitting a log (tables/log/split.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool
from campaignrl.errors import DataError, Problem
from campaignrl.ope.intervals import binomial_p
from campaignrl.rng import Purpose, customer_keys, uniform
from campaignrl.tables.log import DecisionLog


class Holdout(NamedTuple):
    """Planned and observed share of customers, how likely such a gap is by chance, and how many were contacted."""

    planned: float
    observed: float
    p_value: float
    contacted: int  # customers held out to whom something was sent all the same


def holdout_of(log: DecisionLog) -> Holdout | None:
    """The holdout as the log shows it; None where its facts (`holdout`, `holdout_salt`) plan none."""
    planned = float(log.meta.get("holdout") or 0.0)
    if planned <= 0.0 or not len(log):
        return None
    present = np.unique(log.customer)
    held_out = drawn(log.customers[present], planned, int(log.meta.get("holdout_salt", 0)))
    sent = np.zeros(len(log.customers), dtype=bool)
    sent[log.customer[log.action != 0]] = True
    count = int(held_out.sum())
    p = binomial_p(count, len(present), planned)
    return Holdout(planned, count / len(present), p, int((sent[present] & held_out).sum()))


def drawn(ids: npt.NDArray[np.object_], share: float, salt: int) -> Bool:
    """(C,) whether each customer is held out, as the guard draws it."""
    return uniform(customer_keys(ids), salt, 0, Purpose.HOLDOUT) < share


def check_apart(learned_on: DecisionLog, judged_on: DecisionLog) -> None:
    """DataError if what is judged on was known when learning: a leak makes any policy look good.

    A customer of both logs is fine only if every outcome learned from was closed (day + `outcome_days` of the log's
    facts) when that customer's first decision to be judged on was made.
    """
    window = int(learned_on.meta.get("outcome_days", 0))
    closed = _extreme(learned_on, np.maximum, -1) + window
    opened = _extreme(judged_on, np.minimum, np.iinfo(np.int64).max)
    at = {str(c): i for i, c in enumerate(learned_on.customers)}
    shared = [(str(c), closed[at[str(c)]], opened[i]) for i, c in enumerate(judged_on.customers) if str(c) in at]
    leaks = [(c, end, start) for c, end, start in shared if end >= window and start < np.iinfo(np.int64).max]
    bad = [c for c, end, start in leaks if end > start or (window == 0 and end >= start)]
    if bad:
        fix = f"{len(bad):,} customers overlap. Split the log by customer, or judge on later decisions."
        raise DataError(Problem("leakage check", "customers", bad[:3], "apart from those learned on", fix))


def _extreme(log: DecisionLog, which: np.ufunc, start: int) -> npt.NDArray[np.int64]:
    days = np.full(len(log.customers), start, dtype=np.int64)
    which.at(days, log.customer, np.asarray(log.day, dtype=np.int64))
    return days
