"""Where a policy's worth changed: each entry is held, seed by seed, against the last one at which it changed.

Seeds share customers and luck from commit to commit, so what did not change differs by exactly 0, and what changed is
seen at once: an interval of the paired difference that leaves out 0, at alpha / entries (Bonferroni). Holding against
the last change rather than the entry before also finds what drifts away in small steps. Not here: intervals
(statistics/), pages (report/).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl.suites.history.entries import Entry
from campaignrl.suites.measure_definitions import CONTRIBUTION
from campaignrl.suites.statistics import Paired, paired_difference

ALPHA = 0.05


class ChangePoint(NamedTuple):
    """A change, or a break: entries before and after which nothing can be compared."""

    entry: Entry
    since: Entry  # what it is held against
    difference: Paired | None  # None: other settings, a new start


def change_points(
    entries: Sequence[Entry], world: str, policy: str, measure: str = CONTRIBUTION, alpha: float = ALPHA
) -> list[ChangePoint]:
    """Changes of one measure of a policy in a world, in the order of the entries."""
    mine = [entry for entry in entries if entry.results.values(world, policy, measure)]
    found: list[ChangePoint] = []
    for entry in mine[1:]:
        since = found[-1].entry if found else mine[0]
        if entry.results.suite_hash != since.results.suite_hash:
            found.append(ChangePoint(entry, since, None))
            continue
        paired = _paired(since, entry, (world, policy, measure), alpha / (len(mine) - 1))
        if paired is not None and (paired.ci_low > 0.0 or paired.ci_high < 0.0):
            found.append(ChangePoint(entry, since, paired))
    return found


def _paired(base: Entry, candidate: Entry, what: tuple[str, str, str], alpha: float) -> Paired | None:
    old, new = base.results.values(*what), candidate.results.values(*what)
    seeds = sorted(old.keys() & new.keys())
    values = np.array([(old[seed], new[seed]) for seed in seeds])
    if len(seeds) < 2 or values[:, 0].mean() == 0.0:
        return None
    return paired_difference(values[:, 0], values[:, 1], alpha)
