"""Labels of one round, in pieces that depend on no thread: the same pieces, generators and order for any number.

Each piece has customers and draws of its own, so that pieces can be labelled side by side. Not here: a rollout
(envs/truth/rollout_labels.py), a label in expectation (envs/truth/oracles/expected_labels.py), what is fitted to the
labels (value_network.py). m states, k actions, D columns.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from campaignrl import rng
from campaignrl.arrays import Bool, Float32, Int, Int64
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.truth import Decide, RolloutLabels, rollout_labels
from campaignrl.envs.truth.oracles import DAYS, can_be_expected, expected_labels
from campaignrl.features import FeatureSchema
from campaignrl.rng import Purpose
from campaignrl.specs import World

PIECE, PIECE_EXPECTED = 20_000, 4_000  # customers labelled together: rolled out, or in expectation on days of their own
SHARE = 0.5  # of those who have a choice on such a day, who are labelled
FIRST_ID, BLOCK = 1 << 42, 1 << 32  # of the customers of a training; ids between two blocks of them
PIECES = 1_000  # generators kept for the pieces of one round
HELD_OUT = 20  # one state in so many is kept out of the fit
EXPLORED_FIRST, EXPLORED = 0.1, 0.2  # share of days tried at random, in the first round and in later ones


Labels = Literal["expected", "played"]
EXPECTED: Labels = "expected"  # without luck, from the true state
PLAYED: Labels = "played"  # by rolling out every action with the same luck


class Draws(NamedTuple):
    """What the draws of one round depend on, and how its labels come about."""

    seed: int
    turn: int
    how: Labels = PLAYED


def way_of_labelling(world: World, wanted: Labels) -> Labels:
    """As wanted, but played where an effect of the world does not say what a day does on average."""
    return wanted if wanted == PLAYED or can_be_expected(parameters(world)) else PLAYED


def most_states(world: World, how: Labels) -> int:
    """Of one customer in a round, at most."""
    return min(DAYS, world.horizon) if how == EXPECTED else 1


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
    """Labels at states of these customers, who are met by `behave` until then.

    step: called with the number of customers whenever a piece is done; features: as in `rollout_labels`.
    """
    piece = PIECE_EXPECTED if draws.how == EXPECTED else PIECE
    pieces = [ids[start : start + piece] for start in range(0, len(ids), piece)]
    expected = partial(expected_labels, share=SHARE)
    label: Callable[..., RolloutLabels] = expected if draws.how == EXPECTED else rollout_labels
    explore = EXPLORED if draws.turn else EXPLORED_FIRST

    def one(number: int) -> RolloutLabels:
        chance = rng.generator(draws.seed, Purpose.LEARNING, (draws.turn + 1) * PIECES + number)
        how = {"seed": draws.seed, "generator": chance, "explore": explore, "features": features}
        return label(world, behave, pieces[number], **how)

    found = []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for labels, customers in zip(pool.map(one, range(len(pieces))), pieces, strict=True):
            found.append(labels)
            step(len(customers))
    return RolloutLabels(np.concatenate([f.seen for f in found]), np.concatenate([f.gain for f in found]))


def held_out(states: int) -> Bool:
    """(m,) which states are kept out of the fit, spread evenly over customers and days."""
    return np.asarray(np.arange(states) % HELD_OUT == HELD_OUT - 1)


def worth_of_a_send(value: Float32, gain: Float32) -> float:
    """The unit of margins and steps: mean value (m, k) of the best allowed action, where that is above 0."""
    best = np.where(np.isnan(gain), -np.inf, value).max(axis=1, initial=0.0)
    return float(best[best > 0.0].mean()) if (best > 0.0).any() else 1.0
