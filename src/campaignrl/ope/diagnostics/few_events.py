"""Whether enough happened in a log: where a few rewards are most of what no model foretells, others may be missing.

Three large orders, or four jackpots, are all that is known of a tail: another log would have others, and a sum that
lies to one side of them. Where both tails are told, or the few are few because the policy's heavy rows
are, intervals allow for it already (regression_t.py: of twelve designs with 1,000 effective rows, those with one-sided
events below this number are the ones whose values a regression holds in fewer than 93 % of logs, and no others). Not
here: one row that is nearly all of an estimate (influence.py), heavy weights (verdict.py). m rows.
"""

from __future__ import annotations

import numpy as np

from campaignrl.ope.data import LogSample
from campaignrl.ope.diagnostics.verdict import Finding, Level
from campaignrl.ope.intervals import events_of, independent_rows, numbered, one_sided

FEW = 25.0  # events, as many equal ones would be: of 450 logs of 5,000 lognormal baskets none had 22


def few_events(sample: LogSample, rows: int) -> tuple[Finding, ...]:
    """Said where fewer events than that, all to one side, are most of what happened. rows: of the whole log."""
    if sample.gain is None or rows <= FEW:
        return ()
    residual = sample.gain[0]
    alone = independent_rows(np.ones(len(residual)), residual, rows, numbered(sample.customer))
    events = events_of(residual, alone)
    if not 0.0 < events < FEW or not one_sided(residual):
        return ()
    text = f"about {max(round(events), 1)} of {rows:,} rewards are most of what no model foretells"
    fix = "others of their kind may be missing here, and the interval may hold less often than it says"
    return (Finding(Level.CAUTION, f"{text}: {fix}."),)
