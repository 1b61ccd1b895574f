"""The state of a customer at each decision, as models of whole episodes see it.

What a log shows of a customer is seldom all that its actions changed: a coupon that is still open, a channel that is
tiring. So the context is joined by traces of the past, which the log knows: for each offer and each channel how often
it was sent, fading by FADES a step; and how often it could have been, or having got an offer for the best customers
would be mistaken for what it did. Traces only inform the model; the valued policy answers from the context alone, as
before. Not here: models (fqe.py, density_ratios.py). n rows, m offers and channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.actions import Catalog
from campaignrl.arrays import Float32
from campaignrl.ope.data.blocks import blocks
from campaignrl.ope.data.trajectories import trajectories
from campaignrl.tables.log import DecisionLog

# Kept from one step to the next. One fast and one slow trace tell an open coupon (days) from fatigue (weeks).
FADES = (0.6, 0.9)
MANY = 24  # offers; above that their kinds are traced instead, or the traces would outnumber the context


def states(log: DecisionLog) -> Float32:
    """(n, d) float32: encoded contexts, then traces."""
    context = np.concatenate([log.context.take(rows).encode() for rows in blocks(len(log))])
    marks = _marks(log.catalog)
    parts = [context, *(traces(log, marks[log.action], fade) for fade in FADES)]
    if log.eligible is not None:
        possible = (log.eligible.astype(np.float32) @ marks > 0.0).astype(np.float32)
        if not (possible == possible[0]).all():
            parts.append(traces(log, possible, FADES[-1]))
    return np.concatenate(parts, axis=1)


def traces(log: DecisionLog, happened: Float32, fade: float) -> Float32:
    """(n, m) faded sums of `happened` (n, m) over the customer's earlier rows; 1 where it always did."""
    paths = trajectories(log)
    out = np.zeros_like(happened)
    trace = np.zeros((len(paths), happened.shape[1]), dtype=np.float32)
    for t in range(paths.steps):
        here = np.flatnonzero(paths.going_on[:, t])
        rows = paths.row[here, t]
        out[rows] = trace[here]
        trace[here] = np.float32(fade) * trace[here] + np.float32(1.0 - fade) * happened[rows]
    return out


def _marks(catalog: Catalog) -> Float32:
    """(k, m) one-hot of each action's offer (or its kind) and of its channel; zeros for `none`."""
    kinds = list(dict.fromkeys(offer.kind for offer in catalog.offers))
    offer_of = catalog.offer_of.astype(np.int64)
    if len(catalog.offers) > MANY:
        kind_of = np.array([*(kinds.index(offer.kind) for offer in catalog.offers), -1])
        offer_of = kind_of[offer_of]
    families: list[npt.NDArray[Any]] = [offer_of, catalog.channel_of.astype(np.int64)]
    parts = [family[:, None] == np.arange(int(family.max(initial=-1)) + 1) for family in families]
    return np.concatenate(parts, axis=1).astype(np.float32)
