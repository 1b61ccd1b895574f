"""A world's numbers as arrays, indexed by segment, channel, offer or action; computed once per run.

Indices: g segments, c channels, o offers, k actions. Offer -1 (the action `none`) indexes the last row of each table
of offers, which holds zeros; tables of channels have no such row, so channel -1 must be masked. What belongs to one
effect stands in its own file (effects/).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32
from campaignrl.effects import Effect
from campaignrl.specs import OfferSpec, Segment, World

E = TypeVar("E", bound=Effect)


class Parameters(NamedTuple):
    """Float tables in natural units: days, currency, log-odds, log-hazards."""

    # channels, (c,)
    deliver: Float32  # probability
    open_logit: Float32  # of a delivered send, with no effect and no affinity
    click_logit: Float32  # of an opened send
    unsubscribe_logit: Float32  # of a delivered send, with no effect
    # offers, (o + 1,)
    discount: Float32  # share of the basket
    face_value: Float32  # currency
    price_cut: Float32  # share off that the customer feels, discount included
    appeal: Float32  # log-hazard while usable
    brings: Float32  # orders per day, whatever the customer's own rate, while usable
    redeem: Float32  # probability, given an order while usable
    retention: Float32  # log of the drop-out hazard taken away while usable
    revives: Float32  # probability of return on opening
    valid_days: npt.NDArray[np.int8]
    counted: npt.NDArray[np.int8]  # place among the counted offers; -1: nobody counts it
    # segment x ..., (g, c) and (g, o + 1)
    affinity: Float32  # log-odds of opening
    taste: Float32  # log-odds of opening, log-hazard of buying while usable
    # segments, (g,)
    basket_shape: Float32  # of the gamma of a customer's orders; used by gamma_gamma
    gamma_basket: npt.NDArray[np.bool_]  # orders are gamma instead of lognormal
    basket_sigma: Float32  # sd of log order value within a customer
    margin: Float32  # share of the full price
    # actions, (k,)
    offer_of: npt.NDArray[np.int16]
    channel_of: npt.NDArray[np.int16]
    send_cost: Float32  # currency
    send_cost_minor: npt.NDArray[np.int64]
    # calendar, (horizon,)
    season: Float32  # factor on the purchase hazard
    wanting: Float32 | None  # (horizon, g, o + 1) log-hazard of buying that moves with the days; None: none does
    # scalars
    dropped_open: float
    unsubscribe_cost: float  # currency
    tags_refresh: int  # days; 0: never
    effects: tuple[Effect, ...]  # at work in this world, in the order of their terms
    answering: tuple[Effect, ...]  # those of them that look at what is sent
    arrivals: bool  # whether customers arrive during the campaign

    def effect(self, kind: type[E]) -> E | None:
        """The effect of this kind; None where it is switched off."""
        return next((effect for effect in self.effects if isinstance(effect, kind)), None)


def parameters(world: World) -> Parameters:
    """All tables of a world."""
    catalog, channels, offers = world.catalog, list(world.channels.values()), list(world.offers.values())
    segments = list(world.segments.values())
    minor, effects = world.money.minor_per_unit, world.effects(world)
    return Parameters(
        deliver=_f([c.reach.deliver for c in channels]),
        open_logit=_logit([c.reach.open for c in channels]),
        click_logit=_logit([c.reach.click for c in channels]),
        unsubscribe_logit=_logit([c.unsubscribe.base for c in channels]),
        discount=_f([*(o.discount for o in offers), 0.0]),
        face_value=_f([*(o.face_value for o in offers), 0.0]),
        price_cut=_f([*(o.discount + o.feels_like for o in offers), 0.0]),
        appeal=_f([*(o.appeal for o in offers), 0.0]),
        brings=_f([*(o.brings for o in offers), 0.0]),
        redeem=_f([*(o.redeem for o in offers), 0.0]),
        retention=_f([*(o.retention for o in offers), 0.0]),
        revives=_f([*(o.revives for o in offers), 0.0]),
        valid_days=np.array([*(o.valid_days for o in offers), 0], dtype=np.int8),
        counted=np.array([*(_place(n, world) for n in world.offers), -1], dtype=np.int8),
        affinity=_f([[s.affinity.get(c, 0.0) for c in world.channels] for s in segments]),
        taste=_f([[*(_taste(s, n, o) for n, o in world.offers.items()), 0.0] for s in segments]),
        basket_shape=_f([s.basket.within**-2.0 for s in segments]),
        gamma_basket=np.array([s.basket.model == "gamma_gamma" for s in segments]),
        basket_sigma=_f([np.sqrt(np.log1p(s.basket.within**2)) for s in segments]),
        margin=_f([s.basket.margin for s in segments]),
        offer_of=catalog.offer_of,
        channel_of=catalog.channel_of,
        send_cost=_f(catalog.cost_of / minor),
        send_cost_minor=catalog.cost_of,
        season=_season(effects, world.horizon),
        dropped_open=world.response.dropped_open,
        unsubscribe_cost=world.money.unsubscribe,
        tags_refresh=world.tags.refresh_days or 0,
        effects=effects,
        answering=tuple(e for e in effects if type(e).answering is not Effect.answering),
        arrivals=world.arrivals is not None,
        wanting=_wanting(effects, world.horizon),
    )


def _place(offer: str, world: World) -> int:
    return world.counted_offers.index(offer) if offer in world.counted_offers else -1


def _season(effects: tuple[Effect, ...], horizon: int) -> Float32:
    """(horizon,) factor on the purchase hazard of each day, by all effects together."""
    factor = np.ones(horizon, dtype=np.float32)
    for effect in effects:
        own = effect.season(horizon)
        if own is not None:
            factor *= own
    return factor


def _wanting(effects: tuple[Effect, ...], horizon: int) -> Float32 | None:
    """(horizon, g, o + 1) by all effects together."""
    found = [own for effect in effects if (own := effect.wanting(horizon)) is not None]
    return sum(found[1:], found[0]) if found else None


def _taste(segment: Segment, name: str, offer: OfferSpec) -> float:
    own = segment.taste.get(name, 0.0) if name != offer.kind else 0.0  # an offer may bear the name of its kind
    return segment.taste.get(offer.kind, 0.0) + own


def _f(values: object) -> Float32:
    return np.array(values, dtype=np.float32)


def _logit(values: list[float]) -> Float32:
    p = np.array(values, dtype=np.float64)
    with np.errstate(divide="ignore"):  # log-odds of what never happens: -inf
        return np.log(p / (1.0 - p)).astype(np.float32)
