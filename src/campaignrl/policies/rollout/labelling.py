"""Labels of one round, in pieces that depend on no thread: the same pieces, generators and order for any number.

Each piece has customers and draws of its own, so that pieces can be rolled out side by side. Not here: a rollout
(envs/truth/rollout_labels.py), what is fitted to the labels (value_network.py). m states, k actions, D columns.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Bool, Float32, Int, Int64
from campaignrl.envs.truth import Decide, RolloutLabels, rollout_labels
from campaignrl.features import FeatureSchema
from campaignrl.rng import Purpose
from campaignrl.specs import World

PIECE = 20_000  # customers rolled out together
FIRST_ID, BLOCK = 1 << 42, 1 << 32  # of the customers of a training; ids between two blocks of them
PIECES = 1_000  # generators kept for the pieces of one round
HELD_OUT = 20  # one state in so many is kept out of the fit
EXPLORED_FIRST, EXPLORED = 0.1, 0.2  # share of days tried at random, in the first round and in later ones


class Draws(NamedTuple):
    """What the draws of one round depend on."""

    seed: int
    turn: int


def ids_of_block(block: int, customers: int) -> Int64:
    """(n,) ids that no other block, no other kind of learner and no evaluation meets."""
    return FIRST_ID + block * BLOCK + np.arange(customers, dtype=np.int64)


def labelled(
    world: World,
    behave: Decide,
    ids: Int,
    draws: Draws,
    threads: int,
    step: Callable[[int], None],
    features: FeatureSchema | None = None,
) -> RolloutLabels:
    """Labels at one random day of each of these customers, who are met by `behave` until then.

    step: called with the number of customers whenever a piece is done; features: as in `rollout_labels`.
    """
    pieces = [ids[start : start + PIECE] for start in range(0, len(ids), PIECE)]
    explore = EXPLORED if draws.turn else EXPLORED_FIRST

    def rolled_out(number: int) -> RolloutLabels:
        chance = rng.generator(draws.seed, Purpose.LEARNING, (draws.turn + 1) * PIECES + number)
        how = {"seed": draws.seed, "generator": chance, "explore": explore, "features": features}
        return rollout_labels(world, behave, pieces[number], **how)  # type: ignore[arg-type]

    found = []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for labels, piece in zip(pool.map(rolled_out, range(len(pieces))), pieces, strict=True):
            found.append(labels)
            step(len(piece))
    return RolloutLabels(np.concatenate([f.seen for f in found]), np.concatenate([f.gain for f in found]))


def held_out(states: int) -> Bool:
    """(m,) which states are kept out of the fit, spread evenly over customers and days."""
    return np.asarray(np.arange(states) % HELD_OUT == HELD_OUT - 1)


def worth_of_a_send(value: Float32, gain: Float32) -> float:
    """The unit of margins and steps: mean value (m, k) of the best allowed action, where that is above 0."""
    best = np.where(np.isnan(gain), -np.inf, value).max(axis=1, initial=0.0)
    return float(best[best > 0.0].mean()) if (best > 0.0).any() else 1.0
