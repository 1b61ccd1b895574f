"""The scorecard of a calibrated world on what no campaign touched: real orders against those of simulated customers.

Not here: the figures and their tolerances (scorecard.py), customers who enter as real ones did (untreated_cohorts.py).
"""

from __future__ import annotations

import pandas as pd

from campaignrl.calibration.calibrate import Calibration
from campaignrl.calibration.realism.scorecard import Scorecard, scorecard
from campaignrl.calibration.realism.untreated_cohorts import entering
from campaignrl.errors import SupportError
from campaignrl.specs import load_world

DAY = pd.Timedelta(days=1)
FEWEST = 100  # customers


def untreated_scorecard(found: Calibration, events: pd.DataFrame, seed: int = 0, samples: int = 3) -> Scorecard:
    """Orders before the first send (all, without one), against simulated customers who entered on the same days.

    Segments are drawn by their shares: the events do not say them. Opening balances are not looked at.
    """
    sends = events.ts[events.kind == "sent"]
    past = (
        events[(events.kind == "order") & (events.ts < sends.min())] if len(sends) else events[events.kind == "order"]
    )
    first = past.groupby("customer_id").ts.min()
    if len(first) < FEWEST:
        raise SupportError(f"scorecard: {len(first)} customers ordered before the first send; {FEWEST} are needed.")
    zero, end = first.min().normalize(), past.ts.max().normalize()
    world = load_world(found.world, horizon=int((end - zero) / DAY) + 1)
    if world.season is not None and world.season.day_zero is not None:  # the weeks that were, not those to come
        began = (zero.date() - world.season.day_zero).days
        world = world.model_copy(update={"season": world.season.starting(began)})
    shares = pd.Series({name: segment.share for name, segment in world.segments.items()})
    place = pd.Series(range(len(first))).sample(frac=1.0, random_state=seed).to_numpy() / len(first)
    names = shares.index[[min(int((shares.cumsum() <= p).sum()), len(shares) - 1) for p in place]]
    days = ((first.dt.normalize() - zero) / DAY).to_numpy().astype(int)
    return scorecard(past, entering(world, days, list(names), zero, samples, seed), end)
