"""Sums over rows that fade: what was learned before keeps a share at every update, or only the latest updates count.

A factor f per update leaves the rows of u updates ago with weight f^u (exponential forgetting: Russac, Vernade &
Cappe 2019, NeurIPS); a window of W updates drops older ones (sliding window: Garivier & Moulines 2011, ALT).
Without either, sums of two halves are the sum of the whole. Not here: what the sums are of (ridge.py, counts.py), what
share of them is worth keeping (change_detection.py).
"""

from __future__ import annotations

import numpy as np

from campaignrl.policies.base import Shapes, Tensors

RECENT = "recent_"  # before the name of a sum: the latest updates of it, newest first


class DriftingSums:
    """Named float64 sums, in all, and of each of the latest updates where there is a window."""

    def __init__(self, zeros: Tensors, forget: float = 1.0, window: int = 0) -> None:
        self.total: Tensors = dict(zeros)
        self.forget, self.window = forget, window
        self._recent = {name: np.zeros((window, *a.shape)) for name, a in zeros.items()} if window else {}

    def aged(self, share: float | None = None) -> Tensors:
        """What is left of the total when the next update comes. share: of it that is kept; None: `forget`."""
        if self.window:
            return {name: self._weighted(parts[:-1], 1) for name, parts in self._recent.items()}
        kept = self.forget if share is None else share
        return {name: kept * a for name, a in self.total.items()} if kept < 1.0 else self.total

    def take_in(self, part: Tensors, share: float | None = None) -> None:
        """One update. share: as in `aged`."""
        self.total = {name: old + part[name] for name, old in self.aged(share).items()}
        for name, parts in self._recent.items():
            self._recent[name] = np.concatenate([np.asarray(part[name])[None], parts[:-1]])

    def tensors(self) -> Tensors:
        """All sums by name; `restore` is the inverse."""
        return {**self.total, **{RECENT + name: parts for name, parts in self._recent.items()}}

    def restore(self, tensors: Tensors) -> None:
        """Take back what `tensors` gave."""
        self.total = {name: np.array(tensors[name], dtype=np.float64) for name in self.total}
        self._recent = {name: np.array(tensors[RECENT + name], dtype=np.float64) for name in self._recent}

    def _weighted(self, parts: np.ndarray, youngest: int) -> np.ndarray:
        return np.tensordot(self.forget ** np.arange(youngest, youngest + len(parts), dtype=np.float64), parts, axes=1)


def with_recent(shapes: Shapes, window: int) -> Shapes:
    """`shapes` of sums, and of their latest updates where there is a window."""
    recent = {RECENT + name: (dtype, (window, *shape)) for name, (dtype, shape) in shapes.items()} if window else {}
    return {**shapes, **recent}
