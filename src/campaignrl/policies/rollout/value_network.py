"""A small network that regresses what every action brings over `none` on the observation, in numpy alone.

Each action's mean label is taken out, one scale serves all actions, and `none` is fixed at 0; squared error over
allowed actions, Adam with decoupled weight decay (Loshchilov & Hutter 2019), one cycle of the learning rate (Smith
2018). Not here: labels (labels.py), prices (price_search.py), how it becomes a policy (policy.py). m states, D columns
of an observation, k actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Float32
from campaignrl.policies.deep import Layer

ROWS_AT_A_TIME = 4_096  # of a hidden layer of 128: 2 MB
BETA_1, BETA_2, TINY = 0.9, 0.999, 1e-8
RISING, LOWEST = 0.1, 1e-3  # share of the steps in which the rate rises; where it begins and ends, of its highest


class FitSettings(NamedTuple):
    """How a network is fitted.

    hidden: widths; epochs: passes over the states; batch: states a step; rate: the highest learning rate; decay: of
    weights, a step and unit of rate.
    """

    hidden: Sequence[int] = (128, 128)
    epochs: int = 12
    batch: int = 2_048
    rate: float = 2e-3
    decay: float = 1e-5


class ValueNetwork(NamedTuple):
    """What every action is thought to bring over `none`.

    layers: affine, with max(0, x) between them; mean: (k,) of each action's labels, currency; scale: currency to one
    unit of output.
    """

    layers: tuple[Layer, ...]
    mean: Float32
    scale: float

    def __call__(self, seen: Float32) -> Float32:
        """(m, D) encoded observations -> (m, k) gains over `none`, currency."""
        found = np.empty((len(seen), len(self.mean)), dtype=np.float32)
        for start in range(0, len(seen), ROWS_AT_A_TIME):
            rows = slice(start, start + ROWS_AT_A_TIME)
            found[rows] = _forward(self.layers, seen[rows])[-1]
        found *= np.float32(self.scale)
        found += self.mean
        found[:, NONE] = 0.0
        return found


def fit(seen: Float32, gain: Float32, settings: FitSettings, generator: np.random.Generator) -> ValueNetwork:
    """The network for labels `gain` (m, k), NaN where refused, at observations `seen` (m, D)."""
    known = ~np.isnan(gain)
    known[:, NONE] = False
    mean, scale = _centre(gain, known)
    target = np.where(known, (gain - mean) / np.float32(scale), np.float32(0.0))
    mask = known.astype(np.float32)
    layers = _begun([seen.shape[1], *settings.hidden, gain.shape[1]], generator)
    descent = _Descent(layers, settings.decay)
    steps, done = settings.epochs * -(-len(seen) // settings.batch), 0
    for _ in range(settings.epochs):
        order = generator.permutation(len(seen))
        for start in range(0, len(seen), settings.batch):
            rows = order[start : start + settings.batch]
            slopes = gradients(layers, seen[rows], target[rows], mask[rows])
            descent.step(slopes, settings.rate * one_cycle(done / max(steps, 1)))
            done += 1
    return ValueNetwork(tuple(layers), mean, scale)


def held_out_fit(network: ValueNetwork, seen: Float32, gain: Float32) -> tuple[float, float]:
    """Slope of labels on predictions over allowed actions (1: as large as predicted), and share of variance explained.

    Both NaN where there is nothing to compare.
    """
    known = ~np.isnan(gain)
    known[:, NONE] = False
    label, said = gain[known].astype(np.float64), network(seen)[known].astype(np.float64)
    if len(label) < 3 or said.std() == 0.0 or label.std() == 0.0:
        return float("nan"), float("nan")
    slope = float(np.cov(label, said)[0, 1] / said.var(ddof=1))
    return slope, float(1.0 - ((label - said) ** 2).mean() / label.var())


def one_cycle(part: float) -> float:
    """Learning rate as a share of the highest, after `part` of the steps: up a cosine, then down a longer one."""
    rising = part < RISING
    turn = part / RISING if rising else (1.0 - part) / (1.0 - RISING)
    return LOWEST + (1.0 - LOWEST) * (1.0 - float(np.cos(np.pi * turn))) / 2.0


def gradients(layers: Sequence[Layer], seen: Float32, target: Float32, mask: Float32) -> list[Layer]:
    """Slopes of the mean squared error over the masked outputs, layer by layer, by back-propagation."""
    outputs = _forward(layers, seen)
    slope = (outputs[-1] - target) * mask
    slope *= np.float32(2.0 / max(float(mask.sum()), 1.0))
    found: list[Layer] = []
    for layer, before in zip(layers[::-1], [*outputs[-2::-1], seen], strict=True):
        found.append(Layer(before.T @ slope, slope.sum(axis=0)))
        if before is not seen:
            slope = slope @ layer.weight.T
            slope *= before > 0.0
    return found[::-1]


def _forward(layers: Sequence[Layer], seen: Float32) -> list[Float32]:
    """Outputs of every layer, after the bend but for the last."""
    outputs: list[Float32] = []
    for layer in layers:
        X = (outputs[-1] if outputs else seen) @ layer.weight
        X += layer.bias
        if len(outputs) < len(layers) - 1:
            np.maximum(X, np.float32(0.0), out=X)
        outputs.append(X)
    return outputs


def _centre(gain: Float32, known: Bool) -> tuple[Float32, float]:
    """(k,) mean label of each action, and the spread of what is left of all."""
    count = known.sum(axis=0)
    total = np.where(known, gain, np.float32(0.0)).sum(axis=0, dtype=np.float64)
    mean: Float = total / np.maximum(count, 1)
    left = (gain - mean)[known]
    return mean.astype(np.float32), (float(left.std()) if len(left) else 0.0) or 1.0


def _begun(widths: Sequence[int], generator: np.random.Generator) -> list[Layer]:
    """Weights drawn evenly (He et al. 2015), biases of zero."""
    layers = []
    for inputs, outputs in pairwise(widths):
        edge = np.sqrt(6.0 / max(inputs, 1)) if outputs != widths[-1] else np.sqrt(1.0 / max(inputs, 1))
        weight = generator.uniform(-edge, edge, (inputs, outputs)).astype(np.float32)
        layers.append(Layer(weight, np.zeros(outputs, dtype=np.float32)))
    return layers


class _Descent:
    """Adam with decoupled weight decay, in place."""

    def __init__(self, layers: Sequence[Layer], decay: float) -> None:
        self._arrays = [array for layer in layers for array in layer]
        self._first = [np.zeros_like(array) for array in self._arrays]
        self._second = [np.zeros_like(array) for array in self._arrays]
        self._decay, self._steps = decay, 0

    def step(self, slopes: Sequence[Layer], rate: float) -> None:
        self._steps += 1
        unbiased = rate * np.sqrt(1.0 - BETA_2**self._steps) / (1.0 - BETA_1**self._steps)
        every = [array for layer in slopes for array in layer]
        for array, slope, first, second in zip(self._arrays, every, self._first, self._second, strict=True):
            first += np.float32(1.0 - BETA_1) * (slope - first)
            second += np.float32(1.0 - BETA_2) * (slope * slope - second)
            array *= np.float32(1.0 - rate * self._decay)
            array -= np.float32(unbiased) * first / (np.sqrt(second) + np.float32(TINY))
