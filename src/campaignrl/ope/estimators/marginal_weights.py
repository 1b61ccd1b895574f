"""Importance weights of what an action is made of: its offer, its channel, and whether anything is sent at all.

They need the logging policy's probabilities of every action that shares the offer (logging_policy.py), not only of
the one it took. `none` is an offer and a channel of its own. Not here: estimators that use them (bandit.py).
n rows, k actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Array, Float
from campaignrl.ope.estimators.weights import mixed
from campaignrl.tables.log import DecisionLog

Range = tuple[float, float]

AT_A_TIME = 8_192  # rows whose pairs are laid out at once
SAME = 1e-6  # two probabilities this close are equal; float32 tables of a hundred actions stay inside


class Marginal(NamedTuple):
    """Weights p(e|x, pi_e) / p(e|x, pi_b) of one dimension."""

    weight: Float  # (n,) of the logged action's e
    range: Range  # what a weight can be
    off_support: float  # mean mass of the valued policy on what the logging policy would not do there


class Marginals(NamedTuple):
    """The three dimensions, and whether the logging policy draws offer and channel of a send independently."""

    offer: Marginal
    channel: Marginal
    contact: Marginal
    independent: bool

    def mixed(self, share: float) -> Marginals:
        """Those of the policy that follows the valued one with probability `share`, else the logged one."""
        offer, channel, contact = (
            Marginal(mixed(m.weight, share), _pair(mixed(np.array(m.range), share)), share * m.off_support)
            for m in (self.offer, self.channel, self.contact)
        )
        return Marginals(offer, channel, contact, self.independent)


def memberships(of: Array) -> Float:
    """(k,) group of each action, -1 for `none` -> (k, groups) 0/1, `none` in the first group alone."""
    return np.eye(int(of.max()) + 2)[np.asarray(of, dtype=np.int64) + 1]


class _Dimension:
    """One dimension's row numbers while blocks pass by."""

    def __init__(self, of: Array, rows: int) -> None:
        self.group, self.members = np.asarray(of, dtype=np.int64) + 1, memberships(of)
        self.weight, self.off = np.ones(rows), np.zeros(rows)
        self.wanted, self.floor = np.zeros(self.members.shape[1]), np.ones(self.members.shape[1])

    def take(self, rows: slice, action: Array, p: Float, b: Float) -> None:
        """p, b: (groups, m) probabilities of the two policies; long rows, so that reductions are fast."""
        at = (self.group[action], np.arange(len(action)))
        self.weight[rows] = p[at] / b[at]
        possible = b > 0.0
        if possible.all():
            tried = np.where(p > 0.0, b, 1.0)
        else:
            self.off[rows] = np.where(possible, 0.0, p).sum(axis=0)
            tried = np.where(possible & (p > 0.0), b, 1.0)
        np.maximum(self.wanted, p.max(axis=1), out=self.wanted)
        np.minimum(self.floor, tried.min(axis=1), out=self.floor)

    def result(self) -> Marginal:
        bound = max(float((self.wanted / self.floor).max()), float(self.weight.max()), 1.0)
        return Marginal(self.weight, (0.0, bound), float(self.off.mean()))


class MarginalGathering:
    """The marginal weights of one target, gathered in one pass over blocks."""

    def __init__(self, log: DecisionLog) -> None:
        n, catalog = len(log), log.catalog
        self._action = log.action
        self._offer, self._channel = _Dimension(catalog.offer_of, n), _Dimension(catalog.channel_of, n)
        self._contact = _Dimension(np.where(np.arange(len(catalog)) == NONE, -1, 0), n)
        self._pairs = memberships(_pair_of(catalog.offer_of, catalog.channel_of))
        dimensions = (self._offer, self._channel, self._contact)
        self._members = np.concatenate([part.members for part in dimensions], axis=1)
        self._independent = True

    def take(self, rows: slice, target: Array, logging: Array) -> None:
        """target, logging: (m, k) probabilities of a block; gone through in parts that stay in the cache."""
        for start in range(0, len(target), AT_A_TIME):
            part = slice(start, start + AT_A_TIME)
            self._take(rows.start + start, target[part], logging[part])

    def _take(self, first: int, target: Array, logging: Array) -> None:
        parts, rows = (self._offer, self._channel, self._contact), slice(first, first + len(target))
        ends = np.cumsum([part.members.shape[1] for part in parts])[:-1]
        marginals = (np.split(_rows_of(p, self._members), ends) for p in (target, logging))
        for part, p, b in zip(parts, *marginals, strict=True):
            part.take(rows, self._action[rows], p, b)
        if self._independent:
            self._independent = independent(logging, self._offer.members, self._channel.members, self._pairs)

    def result(self) -> Marginals:
        """Of all rows."""
        return Marginals(self._offer.result(), self._channel.result(), self._contact.result(), self._independent)


def _rows_of(p: Array, members: Float) -> Float:
    """(m, k), (k, groups) -> (groups, m)."""
    return np.ascontiguousarray((np.asarray(p, dtype=np.float64) @ members).T)


def independent(logging: Array, offers: Float, channels: Float, pairs: Float) -> bool:
    """Whether p(o, c) p(send) = p(o) p(c) for all offers and channels of sends, in every row of logging (m, k).

    offers, channels, pairs: `memberships`, of pairs offer x channels + channel. A pair that is no action has
    probability 0, and then they are not independent.
    """
    for start in range(0, len(logging), AT_A_TIME):
        p = logging[start : start + AT_A_TIME]
        o, c = (p @ offers)[:, 1:], (p @ channels)[:, 1:]
        both = np.zeros((len(p), o.shape[1] * c.shape[1]))
        both[:, : pairs.shape[1] - 1] = (p @ pairs)[:, 1:]
        sent = o.sum(axis=1)
        product = (o[:, :, None] * c[:, None, :]).reshape(len(p), -1)
        if (np.abs(both * sent[:, None] - product) > SAME).any():
            return False
    return True


def _pair_of(offer: Array, channel: Array) -> Array:
    """(k,) number of each action's pair, -1 for `none`."""
    channels = int(channel.max(initial=-1)) + 1
    return np.where(offer < 0, -1, offer.astype(np.int64) * channels + channel)


def _pair(values: Float) -> Range:
    low, high = values.tolist()
    return low, high
