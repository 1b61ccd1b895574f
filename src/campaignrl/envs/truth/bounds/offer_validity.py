"""Which offer a customer of the optimistic model holds, and until when: validity counted in blocks of days.

An offer seen today stays usable at least as long as in the full model, to the end of a block; so a few points are
enough for offers that are valid for weeks. L points, o offers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Int
from campaignrl.dynamics import NO_OFFER

STEPS = 5  # blocks of days in which an offer's validity is counted


class HeldOffers(NamedTuple):
    """Which offer is held until the end of which block of days; L points, NO_OFFER first."""

    offer: Int  # (L,)
    left: Int  # (L,) ends of blocks still to come
    block: Int  # (o,) days of a block

    def after(self, day: int) -> Int:
        """(L,) the next day's point, not redeemed."""
        ends = np.array([o != NO_OFFER and (day + 1) % self.block[o] == 0 for o in self.offer])
        return np.where(ends, np.where(self.left > 0, np.arange(len(self.offer)) - 1, 0), np.arange(len(self.offer)))

    def first(self, day: int, valid_days: Int) -> Int:
        """(o,) the next day's point of an offer seen today and not redeemed."""
        found = np.zeros(len(self.block), dtype=np.int64)
        for o, (valid, block) in enumerate(zip(valid_days[:-1].astype(int), self.block, strict=True)):
            left = _block_ends(day, valid, int(block)) - 1
            if valid and left >= 0:
                found[o] = int(np.flatnonzero((self.offer == o) & (self.left == left))[0])
        return found


def held_points(valid_days: Int, steps: int = STEPS) -> HeldOffers:
    """Points for offers that stay usable for so many days after the first; validity is rounded up to a block's end."""
    points, blocks = [(NO_OFFER, 0)], []
    for o, valid in enumerate(valid_days[:-1].astype(int)):
        blocks.append(max(1, -(-int(valid) // steps)))
        most = max(_block_ends(day, int(valid), blocks[-1]) for day in range(blocks[-1]))
        points += [(o, j) for j in range(most if valid else 0)]
    return HeldOffers(
        np.array([o for o, _ in points]), np.array([j for _, j in points]), np.array(blocks, dtype=np.int64)
    )


def _block_ends(day: int, valid: int, block: int) -> int:
    """Ends of blocks after tonight until an offer seen today has expired, its last day rounded up to one."""
    return -(-(day + valid + 1) // block) - (day + 1) // block
