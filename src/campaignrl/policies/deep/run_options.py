"""What a learner is told when it learns in a world step by step, and what it tells back.

Here: the protocol of such a learner, the options of one training, one point of its learning curve. Not here: the
settings of a learner (configs.py), who trains it (trainer.py), learners that take logs (base.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from campaignrl.features import FeatureSchema
from campaignrl.policies.base import Policy
from campaignrl.specs import World

Progress = Callable[[int, int], None]  # (customer-days done, in all)


class CurvePoint(NamedTuple):
    """Where training stood after some customer-days; values are of the customers met since the last point."""

    steps: int
    value: float  # contribution per customer and episode, currency
    lift: float  # the same, over customers with the same luck who are sent nothing; 0 without such twins
    loss: float  # of the learner's own kind


TrainingCallback = Callable[[CurvePoint], bool | None]  # False ends the training


@dataclass(frozen=True)
class RunOptions:
    """One training.

    steps: customer-days to learn from, rounded up to whole episodes; rounds: they are spread over, for a learner with
    rounds; threads: of the network library, one unless asked otherwise, since small matrices lose by more. checkpoint:
    a file that always holds the last whole state; resume: go on from it if it is there. tensorboard: folder for its
    events, one set a point of the curve.
    """

    steps: int
    threads: int = 1
    progress: Progress | None = None
    callback: TrainingCallback | None = None
    checkpoint: Path | None = None
    resume: bool = False
    tensorboard: Path | None = None
    rounds: int = 1


@runtime_checkable
class WorldLearner(Policy, Protocol):
    """A policy that learns by acting in a world rather than from logs."""

    schema: FeatureSchema
    curve: list[CurvePoint]  # of its last training; empty for one that comes from a file

    def learn(self, world: World, options: RunOptions) -> None:
        """Learn in `world`. Same settings, world and options, same weights."""


def thinned(curve: list[CurvePoint], most: int = 100) -> list[CurvePoint]:
    """At most so many points, evenly spread, the last one among them."""
    every = -(-len(curve) // most) or 1
    return curve[::-1][::every][::-1]
