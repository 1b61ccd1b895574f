"""A world's numbers as arrays, indexed by segment, channel, offer or action; computed once per run.

Indices: g segments, c channels, o offers, k actions. Offer -1 (the action `none`) indexes the last row of each table
of offers, which holds zeros; tables of channels have no such row, so channel -1 must be masked. An effect that is
switched off is None.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Float32
from campaignrl.specs import (
    AdStock,
    Fatigue,
    OfferSpec,
    ReferencePrice,
    Satisfaction,
    Season,
    Segment,
    Stockpile,
    World,
)


class Parameters(NamedTuple):
    """Float tables in natural units: days, currency, log-odds, log-hazards."""

    # channels, (c,)
    deliver: Float32  # probability
    open_logit: Float32  # of a delivered send, at no fatigue and no affinity
    click_logit: Float32  # of an opened send
    unsubscribe_logit: Float32  # of a delivered send, at no fatigue
    unsubscribe_fatigue: Float32  # log-odds per unit of fatigue
    fatigue_weight: Float32  # units added by one send
    adstock_weight: Float32  # units added by one open
    # offers, (o + 1,)
    discount: Float32  # share of the basket
    face_value: Float32  # currency
    price_cut: Float32  # share off that the customer feels, discount included
    appeal: Float32  # log-hazard while usable
    redeem: Float32  # probability, given an order while usable
    retention: Float32  # log of the drop-out hazard taken away while usable
    revives: Float32  # probability of return on opening
    satisfying: Float32  # log-odds of satisfaction gained on opening it
    valid_days: npt.NDArray[np.int8]
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
    # scalars
    click_lift: float
    click_today: float  # share of a click's effect on its own day
    intent_decay: float  # share of the rest still to come after a day
    open_lift: float
    dropped_open: float
    fatigue_decay: float  # share left after a day
    fatigue_open: float
    fatigue_drop_out: float
    unsubscribe_cost: float  # currency
    adstock: AdStock | None
    adstock_decay: float
    satisfaction: Satisfaction | None
    satisfaction_decay: float
    reference_price: ReferencePrice | None
    stockpile: Stockpile | None
    stockpile_decay: float
    tags_refresh: int  # days; 0: never


def parameters(world: World) -> Parameters:
    """All tables of a world."""
    catalog, channels, offers = world.catalog, list(world.channels.values()), list(world.offers.values())
    segments = list(world.segments.values())
    minor = world.money.minor_per_unit
    return Parameters(
        deliver=_f([c.reach.deliver for c in channels]),
        open_logit=_logit([c.reach.open for c in channels]),
        click_logit=_logit([c.reach.click for c in channels]),
        unsubscribe_logit=_logit([c.unsubscribe.base for c in channels]),
        unsubscribe_fatigue=_f([c.unsubscribe.per_fatigue for c in channels]),
        fatigue_weight=_f([c.fatigue for c in channels]),
        adstock_weight=_f([c.adstock for c in channels]),
        discount=_f([*(o.discount for o in offers), 0.0]),
        face_value=_f([*(o.face_value for o in offers), 0.0]),
        price_cut=_f([*(o.discount + o.feels_like for o in offers), 0.0]),
        appeal=_f([*(o.appeal for o in offers), 0.0]),
        redeem=_f([*(o.redeem for o in offers), 0.0]),
        retention=_f([*(o.retention for o in offers), 0.0]),
        revives=_f([*(o.revives for o in offers), 0.0]),
        satisfying=_f([*(_satisfying(o.kind, world.satisfaction) for o in offers), 0.0]),
        valid_days=np.array([*(o.valid_days for o in offers), 0], dtype=np.int8),
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
        season=season_factors(world.season, world.horizon),
        click_lift=world.response.click_lift,
        click_today=world.response.same_day,
        intent_decay=float(np.exp(-1.0 / world.response.delay_days)),
        open_lift=world.response.open_lift,
        dropped_open=world.response.dropped_open,
        fatigue_decay=_left_after_a_day(world.fatigue),
        fatigue_open=world.fatigue.open,
        fatigue_drop_out=world.fatigue.drop_out,
        unsubscribe_cost=world.money.unsubscribe,
        adstock=world.adstock,
        adstock_decay=_left_after_a_day(world.adstock),
        satisfaction=world.satisfaction,
        satisfaction_decay=_left_after_a_day(world.satisfaction),
        reference_price=world.reference_price,
        stockpile=world.stockpile,
        stockpile_decay=_left_after_a_day(world.stockpile),
        tags_refresh=world.tags.refresh_days or 0,
    )


def season_factors(season: Season | None, horizon: int) -> Float32:
    """(horizon,) factor on the purchase hazard of each day: weekday x harmonics of the year x events."""
    day = np.arange(horizon)
    factor = np.ones(horizon)
    if season is None:
        return _f(factor)
    factor *= np.array(season.weekday)[(season.first_weekday + day) % 7]
    year = np.ones(horizon)
    for wave in season.waves:
        phase = (season.first_day_of_year + day - wave.peak) * wave.per_year / 365.25
        year += wave.amplitude * np.cos(2.0 * np.pi * phase)
    for event in season.events:
        factor[(day >= event.day) & (day < event.day + event.days)] *= event.factor
    return _f(factor * year)


def _taste(segment: Segment, name: str, offer: OfferSpec) -> float:
    own = segment.taste.get(name, 0.0) if name != offer.kind else 0.0  # an offer may bear the name of its kind
    return segment.taste.get(offer.kind, 0.0) + own


def _satisfying(kind: str, satisfaction: Satisfaction | None) -> float:
    if satisfaction is None:
        return 0.0
    return satisfaction.perk if kind == "perk" else satisfaction.opened


def _left_after_a_day(stock: Fatigue | AdStock | Satisfaction | Stockpile | None) -> float:
    return 0.0 if stock is None else float(0.5 ** (1.0 / stock.half_life_days))


def _f(values: object) -> Float32:
    return np.array(values, dtype=np.float32)


def _logit(values: list[float]) -> Float32:
    p = np.array(values, dtype=np.float64)
    with np.errstate(divide="ignore"):  # log-odds of what never happens: -inf
        return np.log(p / (1.0 - p)).astype(np.float32)
