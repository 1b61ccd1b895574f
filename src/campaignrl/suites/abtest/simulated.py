"""A test played many times in a world: its power, its false stops, and what covariates save.

Each customer of a pool has lived both lives, under the champion and under the challenger, with the same luck; a test
draws customers from the pool, splits them by chance and sees one life of each. Not here: the formula (power.py).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special

from campaignrl.arrays import Float
from campaignrl.campaign import run_campaign
from campaignrl.envs import Panel
from campaignrl.ope.intervals import FIRST, horizon_multiple, late_multiple
from campaignrl.policies import PolicyReference
from campaignrl.specs import WorldReference, load_world
from campaignrl.suites.abtest.cuped import adjusted
from campaignrl.suites.abtest.trial import Trial

LOOKS = 100  # moments at which a simulated test is looked at


class Pool(NamedTuple):
    """N customers in both lives."""

    champion: Float  # (N,) measure
    challenger: Float  # (N,)
    covariates: Float  # (N, p) known on the first morning

    @property
    def explained(self) -> float:
        """Share of the champion's variance that the covariates explain, by regression."""
        whole = float(self.champion.var())
        left = float(self.adjust(self.champion).var())
        return max(1.0 - left / whole, 0.0) if whole > 0.0 else 0.0

    def doubt(self, *, use_covariates: bool = True) -> float:
        """Standard error of log(variance left / mean^2), which a size is in proportion to: delta method."""
        left = self.adjust(self.champion) if use_covariates else self.champion
        off, mean = (left - left.mean()) ** 2, float(self.champion.mean())
        if not off.any() or mean == 0.0:
            return 0.0
        influence = off / off.mean() - 2.0 * self.champion / mean
        return float(influence.std() / math.sqrt(len(influence)))

    def raised(self, effect: float) -> Pool:
        """The challenger's life better by a share of the champion's mean, whatever it was."""
        return self._replace(challenger=self.champion + effect * abs(float(self.champion.mean())))

    def adjust(self, outcome: Float) -> Float:
        """(N,) outcome less its regression on the covariates."""
        return (
            adjusted(outcome, self.covariates, np.zeros(len(outcome), dtype=bool)) if self.covariates.size else outcome
        )


class Simulated(NamedTuple):
    """Shares of simulated tests."""

    found: float  # stopped for a better challenger, by the planned size
    harmed: float  # stopped for a worse one
    customers: float  # mean number at the stop
    runs: int

    @property
    def stopped(self) -> float:
        """Stopped for either; where there is no difference, falsely."""
        return self.found + self.harmed


def pool_of(
    world: WorldReference, champion: PolicyReference, challenger: PolicyReference, *, customers: int, seed: int = 0
) -> Pool:
    """Customers of a world under both policies; covariates are the features of the first morning."""
    world = load_world(world)
    lives = [run_campaign(world, policy, customers=customers, seed=seed).value for policy in (champion, challenger)]
    features = Panel(world, customers, seed).observe().encode()
    return Pool(lives[0], lives[1], features.astype(np.float64))


def simulate_trials(
    trial: Trial, pool: Pool, chance: np.random.Generator, *, runs: int = 1_000, use_covariates: bool = True
) -> Simulated:
    """Play the first challenger against the champion `runs` times, to the planned size, by the trial's own rule."""
    champion, challenger = pool.champion, pool.challenger
    if use_covariates and pool.covariates.size:
        shift = pool.adjust(champion) - champion  # slopes as learned beforehand, the same for both lives
        champion, challenger = champion + shift, challenger + shift
    shares = list(trial.arms.values())
    both = shares[0] + shares[1]
    n, part = max(round(trial.customers * both), 4), shares[1] / both
    looks = _looks(n, trial.looks)
    found = np.zeros((runs, 2))
    stops = np.full(runs, float(n))
    for run in range(runs):
        who, treated = chance.integers(0, len(champion), n), chance.random(n) < part
        z = _statistic(np.where(treated, challenger[who], champion[who]), treated, looks)
        if trial.looks == "any time":
            edge = horizon_multiple(looks.astype(float), trial.level, float(n))
        elif trial.looks == "late":
            edge = late_multiple(looks.astype(float), trial.level, float(n))
        else:
            edge = np.full(len(looks), -special.ndtri(trial.level / 2))
        out = np.flatnonzero(np.abs(z) > edge)
        if len(out):
            found[run, int(z[out[0]] < 0.0)] = 1.0
            stops[run] = looks[out[0]]
    return Simulated(float(found[:, 0].mean()), float(found[:, 1].mean()), float(stops.mean() / both), runs)


def _looks(n: int, looks: str) -> np.ndarray:
    if looks == "once":
        return np.array([n])
    return np.unique(np.linspace(max(math.ceil(FIRST * n), 4), n, LOOKS).astype(int))


def _statistic(outcome: Float, treated: np.ndarray, looks: np.ndarray) -> Float:
    """(l,) difference over its standard error at each look."""
    first = np.concatenate([[0], looks[:-1]])
    sums = []
    for arm in (treated, ~treated):
        own = np.where(arm, outcome, 0.0)
        parts = [np.add.reduceat(x[: looks[-1]], first).cumsum() for x in (arm.astype(float), own, own * outcome)]
        many = np.maximum(parts[0], 2.0)
        mean = parts[1] / many
        sums.append((mean, np.maximum(parts[2] / many - mean**2, 0.0) / (many - 1.0)))
    (ours, var), (theirs, other) = sums
    error = np.sqrt(var + other)
    found: Float = np.divide(ours - theirs, error, out=np.zeros_like(error), where=error > 0.0)
    return found
