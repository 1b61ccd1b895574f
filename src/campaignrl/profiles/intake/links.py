"""Who is who: member ids, device ids and phone hashes that belong to one customer.

Rows with two ids link them; what hangs together is one customer, called by the smallest of its strongest ids
(a weaker one with its kind before it, `device:ab12`). Two members that share a weaker id are reported, and stay two
unless told to be merged: each weaker id then goes to the member it is nearest to, and to nobody where that is a tie.

Here: links as arrays -> customers. n ids numbered by (kind, text), m links. Not here: finding the rows (intake.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from campaignrl.arrays import Bool, Int64

NOBODY, TIE = -1, -2


class Linked(NamedTuple):
    """customer: (n,) number of the id that names the customer; shared: (n,) a weaker id of two members or more."""

    customer: Int64
    shared: Bool
    pairs: npt.NDArray[np.int64]  # (p, 2) shared id, one of its members; in order


def link(strength: Int64, left: Int64, right: Int64, merge: bool) -> Linked:
    """Customers of n ids.

    strength: (n,) kind of each id, 0 the strongest, ascending; left, right: (m,) linked ids; merge: whether members
    that hang together are one customer.
    """
    n = len(strength)
    part = _parts(n, left, right)
    whole = _smallest(part)[part]
    owner = _nearest_member(strength, left, right)
    pairs = _shared(strength, owner, left, right)
    shared = np.zeros(n, dtype=bool)
    shared[pairs[:, 0]] = True
    if merge:
        return Linked(whole, shared, pairs)
    members = np.bincount(part, weights=strength == 0, minlength=part.max(initial=-1) + 1)
    torn = members[part] > 1
    customer = np.where(torn & (owner >= 0), owner, whole)
    customer[torn & (owner == TIE)] = np.flatnonzero(torn & (owner == TIE))
    lost = torn & (owner == NOBODY)  # reached only through ids that are nobody's
    inside = lost[left] & lost[right]
    own = _parts(n, left[inside], right[inside])
    customer[lost] = _smallest(own)[own][lost]
    return Linked(customer, shared, pairs)


def _parts(n: int, left: Int64, right: Int64) -> Int64:
    """(n,) number of the part of the graph that each id lies in."""
    if not n:
        return np.zeros(0, dtype=np.int64)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _smallest(part: Int64) -> Int64:
    """The first id of every part."""
    first: Any = np.full(part.max(initial=-1) + 1, len(part), dtype=np.int64)
    np.minimum.at(first, part, np.arange(len(part)))
    return np.asarray(first, dtype=np.int64)


def _nearest_member(strength: Int64, left: Int64, right: Int64) -> Int64:
    """(n,) the member that each id is fewest links away from; TIE where two are, NOBODY where none can be reached."""
    n = len(strength)
    owner = np.where(strength == 0, np.arange(n), NOBODY)
    source, target = np.concatenate([left, right]), np.concatenate([right, left])
    while True:
        ready = (owner[source] >= 0) & (owner[target] == NOBODY)
        if not ready.any():
            return owner
        low, high = np.full(n, n), np.full(n, -1)
        np.minimum.at(low, target[ready], owner[source[ready]])
        np.maximum.at(high, target[ready], owner[source[ready]])
        reached = np.unique(target[ready])
        owner[reached] = np.where(low[reached] == high[reached], low[reached], TIE)


def _shared(strength: Int64, owner: Int64, left: Int64, right: Int64) -> Int64:
    """(p, 2) weaker ids that touch two members or more, with each of these members."""
    n = len(strength)
    every = np.arange(n)
    touching = np.concatenate([left, right, every])
    member = owner[np.concatenate([right, left, every])]
    known = (member >= 0) & (strength[touching] > 0)
    pairs = np.unique(np.stack([touching[known], member[known]], axis=1), axis=0)
    count = np.bincount(pairs[:, 0], minlength=n)
    return np.asarray(pairs[count[pairs[:, 0]] > 1], dtype=np.int64)
