"""Customers who share a calendar, and the places they take in a batch.

A panel knows one day. A batch of which only a part was reset is on several days at once, so it is several cohorts, a
panel each; since draws are keyed by customer and day, it makes no difference to anybody which panel holds them. Not
here: when a cohort begins or ends, and what the batch looks like from outside (vector.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.envs.panel import BLOCK, Panel


@dataclass(frozen=True, slots=True)
class Cohort:
    """A panel and the places (m,) of its customers in the batch, ascending."""

    panel: Panel
    places: Int

    def live(self, action: Int, days: int) -> tuple[npt.NDArray[Any], ...]:
        """(m,) contribution and send cost, currency, of `action` today and of nothing sent on the days after it."""
        today = self.panel.step(action)
        reward, cost = today.reward.astype(np.float64), today.cost.astype(np.float64)
        for _ in range(days - 1):
            later = self.panel.step(np.zeros_like(action))
            reward += later.reward
            cost += later.cost
        return reward, cost

    def look(self) -> tuple[Float32, Bool]:
        """(m, D) encoded features and (m, k) what may be sent, today."""
        panel = self.panel
        if len(panel) <= BLOCK:
            context = panel.observe()
            return context.encode(), panel.allowed(context)
        seen = np.empty((len(panel), panel.world.features.width), dtype=np.float32)
        mask = np.empty((len(panel), len(panel.world.catalog)), dtype=bool)

        def fill(part: slice) -> None:
            context = panel.observe(part)
            context.encode(out=seen[part])
            mask[part] = panel.allowed(context, part)

        panel.over_blocks(fill)
        return seen, mask

    def without(self, leaving: Bool) -> Cohort | None:
        """The cohort of those who stay; None when nobody does. leaving: (n,) of the whole batch."""
        stay = ~leaving[self.places]
        if stay.all():
            return self
        return Cohort(self.panel.take(np.flatnonzero(stay)), self.places[stay]) if stay.any() else None


def gathered(cohorts: list[Cohort], n: int, answer: Callable[[Cohort], tuple[npt.NDArray[Any], ...]]) -> Any:
    """Each array of `answer` (m, ...) put into the places of the batch: (n, ...); zeros where no cohort is."""
    answers = [answer(cohort) for cohort in cohorts]
    if len(cohorts) == 1 and len(cohorts[0].places) == n:  # the usual case: nothing to move
        return answers[0]
    batch = tuple(np.zeros((n, *array.shape[1:]), dtype=array.dtype) for array in answers[0])
    for cohort, arrays in zip(cohorts, answers, strict=True):
        for whole, part in zip(batch, arrays, strict=True):
            whole[cohort.places] = part
    return batch
