"""Inter-quartile mean and probability of improvement: what a single odd seed or world moves little.

Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice" (NeurIPS): aggregates over
worlds and seeds with intervals by a stratified bootstrap, seeds redrawn within each world. Here the two policies of a
seed share customers and luck, so their difference is one observation, and improvement is counted seed by seed. For
information: a percentile bootstrap of few seeds is too narrow to gate on; verdicts come from paired_test.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Float

RESAMPLES = 2_000


class Aggregate(NamedTuple):
    """Over worlds and seeds, each with a percentile interval."""

    interquartile_mean: float
    iqm_low: float
    iqm_high: float
    probability: float  # of improvement, a seed drawn at random in a world drawn at random; ties count one half
    probability_low: float
    probability_high: float


def interquartile_mean(values: Float) -> Float:
    """Mean of the middle half along the last axis: the lowest and the highest floor(n / 4) of n are left out."""
    n = values.shape[-1]
    found: Float = np.sort(values, axis=-1)[..., n // 4 : n - n // 4].mean(axis=-1)
    return found


def probability_of_improvement(differences: Float) -> float:
    """Share of the differences above 0; one of 0 counts one half."""
    return float((differences > 0.0).mean() + (differences == 0.0).mean() / 2)


def aggregate(worlds: Sequence[Float], alpha: float = 0.05, resamples: int = RESAMPLES) -> Aggregate:
    """Both figures over several worlds. worlds: of each, the differences (n,) over its seeds, as shares of the base.

    The same differences give the same answer: the resamples are of one fixed stream.
    """
    chance = rng.generator(0, rng.Purpose.RESAMPLE)
    drawn = [one[chance.integers(0, len(one), (resamples, len(one)))] for one in worlds]
    means = interquartile_mean(np.concatenate(drawn, axis=1))
    improved = np.mean([(d > 0.0).mean(axis=1) + (d == 0.0).mean(axis=1) / 2 for d in drawn], axis=0)
    ends = [alpha / 2, 1 - alpha / 2]
    low, high = np.quantile(means, ends)
    p_low, p_high = np.quantile(improved, ends)
    middle = float(interquartile_mean(np.concatenate(list(worlds))))
    probability = float(np.mean([probability_of_improvement(one) for one in worlds]))
    return Aggregate(middle, float(low), float(high), probability, float(p_low), float(p_high))
