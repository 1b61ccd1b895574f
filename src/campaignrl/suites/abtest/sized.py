"""The size of a test by playing it: the first one whose power is shown to be the power asked.

The formula's size has the power asked on average where outcomes are normal and looks are many; a plan promises "at
least". So the test is played at that size, and made larger until the lower confidence bound of the share found
(Clopper & Pearson 1934, Biometrika 26:404) reaches the power. The sizes tried share the error of the bound
(Bonferroni): the chance that a test comes out too small is at most LEVEL. More runs make the bound closer and the test
smaller. Not here: the formula (power.py), one simulated test (simulated.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.errors import Problem, UsageError
from campaignrl.suites.abtest.power import customers_needed
from campaignrl.suites.abtest.simulated import Pool, Simulated, simulate_trials
from campaignrl.suites.abtest.trial import Trial

LEVEL, SIZES = 0.05, 5  # error of all bounds together, and how many sizes are tried at most
MOST = 0.9999  # power that a size is aimed at, at most


class Sized(NamedTuple):
    """A test of a size that is shown to be enough."""

    trial: Trial
    played: Simulated  # at that size, with the effect
    power_at_least: float  # lower bound of the share found
    sizes: int  # tried, this one among them


def size_by_playing(
    trial: Trial, pool: Pool, chance: np.random.Generator, *, runs: int = 1_000, use_covariates: bool = True
) -> Sized:
    """The test, never smaller than it was, at a size where playing it `runs` times shows the power that it names.

    pool: customers whose champion's life is raised by the effect. UsageError where so few runs cannot show it.
    """
    bounds = power_at_least(runs)
    enough = np.flatnonzero(bounds >= trial.power)
    better, aim = pool.raised(trial.effect), trial.power
    for tried in range(1, SIZES + 1) if len(enough) else ():
        played = simulate_trials(trial, better, chance, runs=runs, use_covariates=use_covariates)
        found = round(played.found * runs)
        if found >= enough[0]:
            return Sized(trial, played, float(bounds[found]), tried)
        more = aim + (int(enough[0]) - found) / runs
        trial, aim = _larger(trial, aim, min(more, MOST)), min(more, MOST)
    fix = "Play more tests." if len(enough) else f"At least {_fewest(trial.power):,} tests, better 1,000."
    raise UsageError(
        Problem("abtest plan", "--simulate", runs, f"enough to show a power of {trial.power:.0%} or more", fix)
    )


def power_at_least(runs: int) -> Float:
    """(runs + 1,) lower bound of the power by how many of `runs` tests found the effect, at LEVEL / SIZES."""
    found = np.arange(1, runs + 1)
    return np.concatenate([[0.0], special.betaincinv(found, runs - found + 1, LEVEL / SIZES)])


def _larger(trial: Trial, aimed: float, aim: float) -> Trial:
    """The test at a size that by formula has the power `aim`, where it was of one that has `aimed`."""
    # a small effect, so that rounding up to whole customers is nothing
    was, now = (customers_needed(1e-3, 1.0, (0.5, 0.5), trial.level, power, trial.looks) for power in (aimed, aim))
    return trial.model_copy(update={"customers": math.ceil(trial.customers * now / was)})


def _fewest(power: float) -> int:
    """Runs of which all must find the effect for the bound to reach the power."""
    return math.ceil(math.log(LEVEL / SIZES) / math.log(power))
