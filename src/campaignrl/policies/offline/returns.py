"""What a customer brings after a decision: the log's own reward windows, laid end to end.

A reward counts the W days that begin with its decision (`outcome_days`; where a log does not say, the time until the
next decision). So the rewards of a customer's decisions W days apart do not overlap, and their sum is the return. It
is handed out in parts, the first window, the second, the next two, the next four and so on, because later parts say
less about the decision and more about chance. Rows whose window is open do not exist here: a return ends with the
last closed window. Not here: what is learned from returns (fitted_q.py). n rows, P parts.
"""

from __future__ import annotations

import numpy as np

from campaignrl.arrays import Float, Int
from campaignrl.tables.log import DecisionLog

ENDED = -1  # in place of a row, where there is no later one


def later_rows(log: DecisionLog) -> Int:
    """(n,) the matured row of the same customer in which the next window begins, ENDED where there is none.

    Where nothing was decided on that very day, the first decision after it.
    """
    rows = np.flatnonzero(log.matured)
    window = log.meta.get("outcome_days")
    time = log.step if window is None else log.day
    span = int(time.max(initial=0)) - int(time.min(initial=0)) + 2
    key = log.customer[rows].astype(np.int64) * span + (time[rows] - time.min(initial=0))
    order = np.argsort(key, kind="stable")
    at = np.searchsorted(key[order], key[order] + int(window or 1))
    found = np.full(len(rows), ENDED, dtype=np.int64)
    inside = at < len(rows)
    inside[inside] = log.customer[rows[order[inside]]] == log.customer[rows[order[at[inside]]]]
    found[order[inside]] = rows[order[at[inside]]]
    later = np.full(len(log), ENDED, dtype=np.int64)
    later[rows] = found
    return later


def return_parts(log: DecisionLog, later: Int, most: int) -> Float:
    """(n, P) the return after each row in parts of 1, 1, 2, 4 ... windows, at most `most` windows; P >= 1."""
    parts: list[Float] = []
    here, done, width = np.arange(len(log)), 0, 1
    while done < most and (here != ENDED).any():
        part = np.zeros(len(log))
        for _ in range(min(width, most - done)):
            going = here != ENDED
            part[going] += log.reward[here[going]]
            here = np.where(going, later[here], ENDED)
            done += 1
        parts.append(part)
        width = done
    return np.stack(parts, axis=1)


def widths_of(parts: int) -> list[int]:
    """How many windows each part counts: 1, 1, 2, 4 ..."""
    return [1] + [1 << p for p in range(parts - 1)]
