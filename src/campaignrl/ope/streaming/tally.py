"""Figures of rows that add up over parts of a log: sums, least and largest values by name. Not here: which figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Tally(NamedTuple):
    """Numbers or arrays by name; a part without rows is empty."""

    added: Mapping[str, Any]
    least: Mapping[str, Any]
    largest: Mapping[str, Any]

    def __add__(self, other: object) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        if not self.added or not other.added:
            return self if self.added else other
        return Tally(
            {name: value + other.added[name] for name, value in self.added.items()},
            {name: np.minimum(value, other.least[name]) for name, value in self.least.items()},
            {name: np.maximum(value, other.largest[name]) for name, value in self.largest.items()},
        )


EMPTY = Tally({}, {}, {})
