"""Do rows of different customers repeat each other? Joins that double rows make few customers look like many.

Two customers with the same context are drawn apart, so the second gets the first one's action with that action's
propensity, and not more often, whatever the first one earned. Bets on it (evidence.py), once on all such pairs and
once on those whose first row earned something unusual, are right however coarse the contexts are; where propensities
are near 1 they say nothing. Not here: one decision twice under one id, which the log's contract refuses; what a log
says of its own repeats (log_facts.py). m rows.
"""

from __future__ import annotations

import math

import numpy as np

from campaignrl.arrays import Float, Rows, UInt64
from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.evidence import log_wealth
from campaignrl.ope.diagnostics.verdict import P_ALARM, Finding, Level

ODD = np.uint64(0x9E3779B97F4A7C15)  # any odd number with well-mixed bits (2^64 over the golden ratio)
FIRST = 3  # columns that are looked at before the others


def repeats(sample: LogSample) -> tuple[Finding, ...]:
    """Said where rows of one context have the same action far more often than its propensity."""
    if len(sample.action) < 2 or not sample.columns:
        return ()
    key, rows = _alike_in_all(sample)
    order = rows[np.argsort(key[rows], kind="stable")]
    first, second = order[:-1], order[1:]
    pair = (key[first] == key[second]) & (sample.customer[first] != sample.customer[second])
    first, second = first[pair], second[pair]
    if not len(first):
        return ()
    same = sample.action[first] == sample.action[second]
    gap = same - sample.propensity[first]
    values, counts = np.unique(sample.reward, return_counts=True)
    earned = sample.reward[first] != values[int(np.argmax(counts))]
    if max(_wealth(gap), _wealth(gap[earned])) <= math.log(2.0 / P_ALARM):
        return ()
    alike = same & (sample.reward[first] == sample.reward[second])
    share = float(alike.sum()) / len(sample.action)
    due = float(sample.propensity[first].mean())
    text = f"about {share:.0%} of the rows repeat another customer's row in every column"
    why = f"{same.mean():.0%} of customers with the context of another got its action, where {due:.0%} would by chance"
    fix = "Rows that stand twice make the interval too short: remove them"
    return (Finding(Level.CAUTION, f"{text} ({why}). {fix}."),)


def _alike(key: UInt64) -> Rows:
    """Rows, ascending, whose key another row has too. Numbers alone are sorted ten times as fast as rows by them."""
    halves = np.sort((key >> np.uint64(32)).astype(np.uint32))  # in half the time
    if (halves[1:] != halves[:-1]).all():
        return np.zeros(0, dtype=np.intp)
    ordered = np.sort(key)
    alike = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(alike):
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.isin(key, alike))


def _alike_in_all(sample: LogSample) -> tuple[UInt64, Rows]:
    """Keys, and the rows that share theirs with another; mostly a few columns tell that none does."""
    key = _context_keys(sample, FIRST)
    rows = _alike(key)
    if not len(rows):
        return key, rows
    key = _context_keys(sample)
    return key, _alike(key)


def _wealth(gap: Float) -> float:
    return float(log_wealth(np.asarray(gap.sum()), np.asarray(gap @ gap)))


def _context_keys(sample: LogSample, first: int | None = None) -> UInt64:
    """(m,) numbers that are alike where all contexts, the day and the wave are, or the first columns of these."""
    columns = [sample.columns[name] for name in sorted(sample.columns)]
    columns += [column for column in (sample.day, sample.wave) if column is not None]
    key = np.zeros(len(sample.action), dtype=np.uint64)
    for column in columns[:first]:
        key *= ODD
        key ^= key >> np.uint64(29)
        key += (np.asarray(column, dtype=np.float64) + 0.0).view(np.uint64)
    return key
