"""Which blocks of coefficients an action shares with others, and how strongly each block is held back.

The value of action a for a customer x is phi(x) . beta_a with phi = (1, x) and

    beta_a = theta_all + theta_channel[c(a)] + theta_kind[kind of o(a)] + theta_creative[...] + theta_slot[...]
             + theta_offer[o(a)] + theta_own[a]

so a rarely tried pair borrows strength from its offer and its channel, and an action never tried is scored by
them alone. `none` has theta_all and its own block: the contrast "contact at all or not" is carried by
theta_own[none], which is therefore held back no more than an offer is; an own block of a pair is held back
OWN times as much, so that a pair departs from offer + channel only on evidence; theta_all hardly at all, for
it moves every action alike and decides nothing. Not here: fitting (ridge.py). k actions, B shared blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Float

# Penalties in units of l2, itself in pseudo-observations.
ALL, SHARED, OWN = 0.01, 1.0, 4.0
# Of an intercept against a slope: actions differ more in what they do on average than in what they do to whom. The
# evidence of the logs we have is within a tenth of its best from 0.03 to 0.1.
INTERCEPT = 0.03
MAX_SHARED_WIDTH = 4000  # columns of the one big matrix: 128 MB, a second or two to factorise


class Blocks(NamedTuple):
    """The shared blocks of a catalog and all penalties."""

    members: npt.NDArray[np.bool_]  # (k, B) True where the action uses the block; block 0 is theta_all
    penalty: Float  # (B,) of each shared block, in units of l2
    own_penalty: Float  # (k,) of each action's own block, in units of l2


def blocks_of(catalog: Catalog, width: int) -> Blocks:
    """The blocks of `catalog` for phi of `width` columns.

    A block is left out if its actions are those of a block before it, all sends, or one action alone (its own
    block says the same). Where the shared blocks would make a matrix too large, whole families are left out,
    offers first: those actions then stand on what is left and on their own.
    """
    kind_at = {kind: j for j, kind in enumerate(dict.fromkeys(o.kind for o in catalog.offers))}
    kind_of = np.array([-1 if o < 0 else kind_at[catalog.offers[o].kind] for o in catalog.offer_of])
    columns = [np.ones(len(catalog), dtype=bool)]
    sends = np.arange(len(catalog)) != NONE
    seen = {columns[0].tobytes(), sends.tobytes()}
    for family in (catalog.channel_of, kind_of, catalog.creative_of, catalog.slot_of, catalog.offer_of):
        fresh = [family == j for j in range(int(family.max(initial=-1)) + 1)]
        fresh = [c for c in fresh if c.sum() > 1 and c.tobytes() not in seen]
        if (len(columns) + len(fresh)) * width > MAX_SHARED_WIDTH:
            break
        columns += fresh
        seen |= {c.tobytes() for c in fresh}
    own = np.full(len(catalog), OWN)
    own[NONE] = SHARED
    return Blocks(np.stack(columns, axis=1), np.array([ALL] + [SHARED] * (len(columns) - 1)), own)
