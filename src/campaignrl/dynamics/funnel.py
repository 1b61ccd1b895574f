"""What became of today's sends: delivered, opened, clicked, the permission lost, with their draws.

Works on the customers who are sent something alone. Here: who reached which step. Not here: the chances of the steps
(response.py), what an open or a click leads to (advance.py). m sends among n customers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Float32, Int, Rows
from campaignrl.dynamics import response
from campaignrl.dynamics.customers import State, StocksOf, Traits
from campaignrl.dynamics.parameters import Parameters
from campaignrl.effects import Send
from campaignrl.rng import Purpose


class Funnel(NamedTuple):
    """The steps of m sends, o of them opened; rows are of customers, ascending."""

    rows: Rows  # (m,) who was sent something
    action: Int  # (m,)
    channel: Rows  # (m,)
    place: Rows  # (m,) of customer and channel in fields by channel with these steps, see `on_one_axis`
    steps: tuple[int, int]
    delivered: Bool  # (m,)
    which: Rows  # (o,) of the sends were opened
    opened: Rows  # (o,) by whom
    offer: Rows  # (o,) that they saw
    medium: Rows  # (o,) the channel on which they saw it
    clicked: Rows
    unsubscribed: Rows
    lost: Rows  # the channels they left


def funnel(
    traits: Traits,
    state: State,
    action: Int,
    rows: Rows,
    attempts: Int | None,
    day: int,
    seed: int,
    p: Parameters,
    hour: Float | None = None,
) -> Funnel:
    """What becomes of the sends to these rows. action: (n,); attempts: (n,) tries of delivery, None: one each.

    hour: (n,) of the day, at which each arrives; None: at an hour of its slot.
    """
    sent = action[rows]
    offer, channel = p.offer_of.astype(np.intp)[sent], p.channel_of.astype(np.intp)[sent]
    taste = taste_for(traits.segment[rows], offer, p)
    stocks, alive = StocksOf(state, rows), state.alive[rows]
    keys = traits.key[rows]
    tries = None if attempts is None else attempts[rows]
    luck = rng.hashes(keys, seed, day, Purpose.FUNNEL, 2)
    (u_deliver, u_click), (u_open, u_unsubscribe) = rng.upper(luck), rng.lower(luck)
    delivered = u_deliver < response.delivery_probability(channel, tries, p)
    affinities, steps = on_one_axis(traits.affinity)
    place = place_of(channel, rows, steps)
    affinity, liking = affinities[place], taste
    if p.answering:
        more = answers(traits, rows, sent, day, p, None if hour is None else hour[rows])
        affinity, liking = affinity + more.opening, taste + more.clicking
    opens = response.open_probability(channel, affinity, taste, stocks, alive, p)
    which = (delivered & (u_open < opens)).nonzero()[0]
    opened, medium = rows[which], channel[which]  # few
    clicks = response.click_probability(medium, liking[which], p)
    clicked = opened[u_click[which] < clicks]
    leaves = response.unsubscribe_probability(channel, stocks, p)
    gone = (delivered & (u_unsubscribe < leaves)).nonzero()[0]
    seen = (which, opened, offer[which], medium, clicked)
    return Funnel(rows, sent, channel, place, steps, delivered, *seen, rows[gone], channel[gone])


class Answers(NamedTuple):
    """Log-odds that m sends have of their own, by all effects together."""

    opening: Float32
    clicking: Float32


def answers(
    traits: Traits, rows: Rows | slice, action: Int, day: int, p: Parameters, hour: Float | None = None
) -> Answers:
    """What these sends to these customers add to the log-odds of opening and of clicking; action, hour: (m,)."""
    send = Send(traits.segment[rows], traits.format[rows], action, day, hour)
    total = Answers(np.zeros(len(send.segment), dtype=np.float32), np.zeros(len(send.segment), dtype=np.float32))
    for effect in p.answering:
        for sum_of, own in zip(total, effect.answering(send) or (None, None), strict=True):
            if own is not None:
                np.add(sum_of, own, out=sum_of)
    return total


def wanted(taste: Float32, segment: Int, offer: Int, day: int, p: Parameters) -> Float32:
    """(m,) log-hazard of buying while this offer is held: taste (m,), and what has moved by this day."""
    return taste if p.wanting is None else taste + p.wanting[day][segment, offer]


def taste_for(segment: Int, offer: Rows, p: Parameters) -> Float32:
    """(m,) of these customers for these offers, 0 for none; one index into the flat table is faster than two."""
    # Offer -1 is the row before a segment's first, which is another segment's last: zeros, like all of them.
    place = segment.astype(np.intp)
    place *= p.taste.shape[1]
    place += offer
    return p.taste.reshape(-1)[place]


def on_one_axis(field: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """A field (c, n) as one axis in the same memory, and the steps on it from channel to channel and row to row.

    One index is looked up and written faster than two; a block of a larger field cannot simply be reshaped.
    """
    if field.flags.c_contiguous:
        return field.reshape(-1), (field.shape[1], 1)
    across, along = (stride // field.itemsize for stride in field.strides)
    count = (field.shape[0] - 1) * across + (field.shape[1] - 1) * along + 1
    return np.lib.stride_tricks.as_strided(field, (count,), (field.itemsize,)), (across, along)


def place_of(channel: Rows, rows: Rows, steps: tuple[int, int]) -> Rows:
    """(m,) where [channel, rows] is on the one axis."""
    across, along = steps
    return channel * across + (rows if along == 1 else rows * along)
