"""What a newcomer wants to know of a world, as numbers: customers, funnels, wear-out, and a campaign of nothing.

Here: the numbers. Not here: their table (cli/world.py), their picture (world.py). c channels, T days.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Float
from campaignrl.campaign import run_campaign
from campaignrl.dynamics import Parameters, open_probability, unsubscribe_probability
from campaignrl.dynamics.parameters import parameters
from campaignrl.effects import Event, FatigueEffect, rested
from campaignrl.specs import World

MESSAGES = 7  # how far the wear-out is shown: one a day for a week
MONTH = 30.0  # days


class SegmentFacts(NamedTuple):
    """One segment's means, over customers who have not dropped out."""

    name: str
    says: str
    share: float
    orders_a_month: float
    basket: float  # currency
    margin: float  # share of the full price
    lifetime_days: float
    price_sensitivity: float  # log-hazard per 10 % off


class ChannelFacts(NamedTuple):
    """One channel, for a rested customer with no leaning to or against it; shares are of sends."""

    name: str
    title: str
    cost: float  # currency, per send
    consent: float  # share of all customers
    delivered: float
    opened: float
    clicked: float
    opens_by_messages: Float  # (MESSAGES + 1,) opened, after so many messages of the channel, one a day
    unsubscribes_by_messages: Float  # likewise


class WorldFacts(NamedTuple):
    """All of it; revenue with nothing sent is of simulated customers, those who dropped out included."""

    world: World
    segments: tuple[SegmentFacts, ...]
    channels: tuple[ChannelFacts, ...]
    customers: int  # simulated
    revenue: Float  # (T,) currency per 1,000 customers and day, nothing sent
    orders: float  # per customer over the horizon, nothing sent
    active: tuple[float, float]  # share not dropped out, first and last day, nothing sent

    @property
    def events(self) -> list[Event]:
        """Days on which everybody buys more or less."""
        return [] if self.world.season is None else self.world.season.events


def world_facts(world: World, customers: int = 5_000, seed: int = 0) -> WorldFacts:
    """The numbers of a world; `customers` are simulated for those with nothing sent."""
    quiet = run_campaign(world, "none", customers=customers, seed=seed)
    return WorldFacts(
        world=world,
        segments=tuple(_segment(world, name) for name in world.segments),
        channels=tuple(_channel(world, parameters(world), c) for c in range(len(world.channels))),
        customers=customers,
        revenue=quiet.daily["revenue"] * 1000.0 / customers,
        orders=float(quiet.totals["bought"].mean()),
        active=(float(quiet.active["start"].mean()), float(quiet.active["end"].mean())),
    )


def fatigue_after(messages: int, weight: float, decay: float) -> float:
    """The fatigue stock on the day after so many daily messages of a channel with this weight."""
    return weight * float(np.sum(decay ** np.arange(messages)))


def _segment(world: World, name: str) -> SegmentFacts:
    s = world.segments[name]
    return SegmentFacts(
        name,
        s.says,
        s.share,
        s.purchase.rate * MONTH,
        s.basket.mean,
        s.basket.margin,
        s.lifetime.days,
        s.price_sensitivity.mean,
    )


def _channel(world: World, p: Parameters, c: int) -> ChannelFacts:
    name, spec = list(world.channels.items())[c]
    tired = p.effect(FatigueEffect)
    decay = 0.0 if tired is None else tired.decay  # nobody tires: the stock, if any, moves nothing
    fatigue = [fatigue_after(m, spec.fatigue, decay) for m in range(MESSAGES + 1)]
    zero = np.zeros(MESSAGES + 1, dtype=np.float32)
    stocks = rested(MESSAGES + 1) | {"fatigue": np.array(fatigue, dtype=np.float32)}
    channel, alive = np.full(MESSAGES + 1, c), np.ones(MESSAGES + 1, dtype=bool)
    opened = spec.reach.deliver * open_probability(channel, zero, zero, stocks, alive, p).astype(np.float64)
    lost = spec.reach.deliver * unsubscribe_probability(channel, stocks, p).astype(np.float64)
    return ChannelFacts(
        name,
        spec.title or name,
        spec.cost,
        sum(s.share * s.consent[name] for s in world.segments.values()),
        spec.reach.deliver,
        spec.reach.deliver * spec.reach.open,
        spec.reach.deliver * spec.reach.open * spec.reach.click,
        opened,
        lost,
    )
