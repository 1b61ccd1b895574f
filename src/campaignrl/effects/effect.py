"""What an effect of the world is: a section of the world's file, and what it does to the days of its customers.

Every hook of `Effect` does nothing until an effect overrides it; dynamics/ goes through the effects that a world has,
in the order of the registry. n customers, m of them contacted. Not here: any one effect (its own file).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from campaignrl.actions import Catalog
from campaignrl.arrays import Bool, Float, Float32, Int, Rows
from campaignrl.errors import Problem, UsageError
from campaignrl.toml import Spec

Stocks = Mapping[str, Float32]  # what past days left in n customers, by name; each (n,)


class Stock(NamedTuple):
    """One number that an effect keeps of each customer, latent; how it starts and between which values it stays."""

    name: str
    meaning: str  # with its unit
    start: float = 0.0
    low: float = 0.0
    high: float = math.inf


class Contact(NamedTuple):
    """What today's send led to; each (n,)."""

    opened: Bool
    clicked: Bool


class Send(NamedTuple):
    """Sends on their way, each (m,): to whom, and what."""

    segment: Int  # the customer's true one
    format: Int  # of content that the customer prefers; -1: none
    action: Int
    day: int
    hour: Float | None  # of the day, at which it arrives; None: at an hour of its slot, or at none in particular


class Answer(NamedTuple):
    """Log-odds that a send has of its own, (m,); None: 0 for all."""

    opening: Float32 | None
    clicking: Float32 | None


class Day(NamedTuple):
    """What happened on a day: m sends, o opened, q orders; rows are of customers, ascending."""

    sent: Rows  # (m,)
    channel: Rows  # (m,)
    delivered: Bool  # (m,)
    which: Rows  # (o,) of the sends were opened
    opened: Rows  # (o,) by whom
    offer: Rows  # (o,) that they saw
    medium: Rows  # (o,) the channel on which they saw it
    shown: Float32  # (o,) share off that this offer feels like
    clicked: Rows
    ordered: Rows  # (q,)
    cut: Float32  # (q,) share off that was felt in the order


class MeanDay(NamedTuple):
    """A day of n customers at its mean: all opened the same send, or nothing was sent, and orders are chances."""

    offer: int  # that was opened; -1: none
    channel: int  # on which; -1: none
    clicked: bool
    shown: np.float32  # share off that this offer feels like; 0 for none
    orders: Float32  # (n,) chance of an order
    redeemed: Float32  # (n,) and of one that uses the offer held
    cut: Float32  # (n,) share off that the offer held feels like

    @property
    def opened(self) -> Bool:
        """(n,) whether a send was opened."""
        return np.full(len(self.orders), self.offer >= 0)


class _Unsubscribes(Protocol):
    @property
    def per_fatigue(self) -> float: ...


class _Channel(Protocol):
    @property
    def fatigue(self) -> float: ...
    @property
    def adstock(self) -> float: ...
    @property
    def unsubscribe(self) -> _Unsubscribes: ...


class _Offer(Protocol):
    @property
    def kind(self) -> str: ...


class _Sensitivity(Protocol):
    @property
    def mean(self) -> float: ...


class _Segment(Protocol):
    @property
    def price_sensitivity(self) -> _Sensitivity: ...


class Market(Protocol):
    """What an effect may read of the world around its own section."""

    @property
    def horizon(self) -> int:
        """Days."""
        ...

    @property
    def catalog(self) -> Catalog:
        """The actions."""
        ...

    @property
    def segments(self) -> Mapping[str, _Segment]:
        """By name, in the order of the file."""
        ...

    @property
    def channels(self) -> Mapping[str, _Channel]:
        """By name, in the order of the file."""
        ...

    @property
    def offers(self) -> Mapping[str, _Offer]:
        """Likewise."""
        ...


class Effect:
    """An effect at work in a world. A log is a log-hazard per day or log-odds; hooks return it with their term added.

    `purchase` and `drop_out` own the log that they are given and may write in it; the others may not.
    """

    spec: Section

    def by_channel(self) -> Float32 | None:
        """(c,) units that an open leaves behind, where channels differ in them; None: they do not."""
        return None

    def answering(self, send: Send) -> Answer | None:
        """What this send adds to the log-odds of opening and of clicking for these customers; None: nothing."""
        return None

    def wanting(self, horizon: int) -> Float32 | None:
        """(horizon, g, o + 1) log-hazard of buying by day, segment and offer held (last: none); None: nothing."""
        return None

    def season(self, horizon: int) -> Float32 | None:
        """(horizon,) factor on the purchase hazard of each day; None: none."""
        return None

    def felt_cut(self, cut: Float32, stocks: Stocks) -> Float32:
        """(n,) share off that moves the customer to buy, of one that the offer feels like."""
        return cut

    def purchase(self, log: Float32, stocks: Stocks, today: Contact) -> Float32:
        """(n,) log-hazard of buying."""
        return log

    def visiting(self, today: Contact) -> Float32 | None:
        """(n,) orders per day that today's contact adds to a customer's own rate, before any lift; None: none.

        Only who opened something today may be given any: no ceiling knows of it.
        """
        return None

    def purchase_ceiling(self) -> float:
        """The most that `felt_cut` and `purchase` add for who holds no offer, opened nothing, and is not `stirred`."""
        return 0.0

    def stirred(self, stocks: Stocks) -> Bool | None:
        """(n,) customers whom past days moved so much that no ceiling holds for them; None: nobody."""
        return None

    def drop_out(self, log: Float32, stocks: Stocks) -> Float32:
        """(n,) log-hazard of dropping out tonight, with tomorrow's stocks."""
        return log

    def drop_out_ceiling(self, stocks: Stocks) -> float:
        """The most that `drop_out` adds tonight for any of these customers. stocks: before the day, (n,) each."""
        return 0.0

    def opening(self, log_odds: Float32, stocks: Stocks) -> Float32:
        """(m,) log-odds of opening a delivered send."""
        return log_odds

    def unsubscribing(self, log_odds: Float32, stocks: Stocks, channel: Int) -> Float32:
        """(m,) log-odds that a delivered send on `channel` (m,) costs the permission for it."""
        return log_odds

    def live(self, stocks: Stocks, day: Day) -> None:
        """The effect's own stocks after the day, in place."""

    def live_mean(self, stocks: Stocks, day: MeanDay) -> dict[str, Float32]:
        """New arrays of the effect's own stocks after a day at its mean: what the greedy oracle knows of it."""
        if not self.spec.stocks:
            return {}
        name = type(self).__name__
        fix = f"Give {name} a `live_mean`."
        raise UsageError(Problem("greedy oracle", "effect", name, "one whose stocks it can follow", fix))


class Section(Spec):
    """Base of the sections of a world's file that are effects."""

    stocks: ClassVar[tuple[Stock, ...]] = ()

    def at_work(self, market: Market) -> Effect:
        """The effect at work in this world."""
        raise NotImplementedError


def left_after_a_day(half_life_days: float) -> float:
    """Share of a stock that is left after a day."""
    return float(0.5 ** (1.0 / half_life_days))


def fade(stock: Float32, decay: float) -> None:
    """In place, (n,): the share of a stock that is left after a day."""
    np.multiply(stock, np.float32(decay), out=stock)
