"""Where a training stands, in one file, so that a killed one goes on at the last finished part.

Labels of all rounds, the network, the prices found so far and the figures of the report, in the container of our
bundles (deep/checkpoints.py): nothing is pickled. Not here: what they are for (trainer.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from campaignrl.arrays import Array, Float
from campaignrl.envs.truth import RolloutLabels
from campaignrl.errors import ArtifactError, Problem
from campaignrl.policies.base import Tensors
from campaignrl.policies.deep import Checkpoint, CurvePoint, Layer, load_checkpoint, save_checkpoint
from campaignrl.policies.rollout.value_network import ValueNetwork


@dataclass
class Progress:
    """What has been done.

    labels, figures: of each finished round; network: after the last of them; thetas: prices of each finished start of
    the search.
    """

    labels: list[RolloutLabels] = field(default_factory=list)
    figures: list[Float] = field(default_factory=list)
    network: ValueNetwork | None = None
    thetas: list[Float] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)

    def save(self, path: Path | None, of: dict[str, Any]) -> None:
        """Write it whole or not at all; nowhere where no file is wanted."""
        if path is None:
            return
        counters = {"rounds": len(self.labels), "starts": len(self.thetas)}
        save_checkpoint(Checkpoint(of, counters, self.curve, self._tensors()), path)

    @classmethod
    def load(cls, path: Path, of: dict[str, Any]) -> Progress:
        """What a file holds, which must be of the training `of`; every fault is an ArtifactError."""
        found = load_checkpoint(path, of)
        t = found.tensors
        try:
            rounds, starts = found.counters["rounds"], found.counters["starts"]
            layers = [Layer(t[f"weight_{i}"], t[f"bias_{i}"]) for i in range(sum(n.startswith("weight_") for n in t))]
            network = ValueNetwork(tuple(layers), t["mean"], float(t["scale"][0])) if layers else None
            labels = [RolloutLabels(t[f"seen_{i}"], _with_nan(t[f"gain_{i}"])) for i in range(rounds)]
            figures = [_with_nan(t[f"figures_{i}"]) for i in range(rounds)]
            return cls(labels, figures, network, [t[f"theta_{i}"] for i in range(starts)], found.curve)
        except (KeyError, IndexError):
            raise ArtifactError(Problem(str(path), "content", sorted(t), "a checkpoint of `rollout`")) from None

    def _tensors(self) -> Tensors:
        tensors: Tensors = {}
        for i, (found, figures) in enumerate(zip(self.labels, self.figures, strict=True)):
            tensors |= {f"seen_{i}": found.seen, f"gain_{i}": _finite(found.gain), f"figures_{i}": _finite(figures)}
        if self.network is not None:
            tensors |= {"mean": self.network.mean, "scale": np.array([self.network.scale])}
            for i, layer in enumerate(self.network.layers):
                tensors |= {f"weight_{i}": layer.weight, f"bias_{i}": layer.bias}
        return tensors | {f"theta_{i}": theta for i, theta in enumerate(self.thetas)}


def _finite(array: Array) -> Array:
    """The largest number for what is not known: our files hold no NaN."""
    return np.where(np.isnan(array), np.finfo(array.dtype).max, array)


def _with_nan(array: Array) -> Array:
    return np.where(array == np.finfo(array.dtype).max, array.dtype.type(np.nan), array)
