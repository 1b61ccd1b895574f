"""Effects of the world, one file each: what stands in a world's file of it, and what it does to a customer's days.

A file holds the section with its checks, the stocks it keeps, its terms in the hazards and in the funnel, their
ceilings, and how a day moves its stocks. The registry stands below, so that a new effect is a file and its lines here.

ad_stock.py         impressions that are remembered
click_intent.py     opens and clicks, and the days after a click
drift.py            tastes, response and prices that move
effect.py           what an effect is: the hooks that it may override
fatigue.py          contacts that tire
formats.py          formats of content, and who prefers which
hours.py            hours of the day at which messages are looked at
reference_price.py  the price that is expected
satisfaction.py     trust in the sender
season.py           the calendar
stockpile.py        goods bought ahead
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from campaignrl.arrays import Float32
from campaignrl.effects.ad_stock import AdStock as AdStock
from campaignrl.effects.ad_stock import AdStockEffect as AdStockEffect
from campaignrl.effects.ad_stock import hill as hill
from campaignrl.effects.click_intent import FAINT as FAINT
from campaignrl.effects.click_intent import ClickIntentEffect as ClickIntentEffect
from campaignrl.effects.click_intent import Response as Response
from campaignrl.effects.click_intent import falls_tomorrow as falls_tomorrow
from campaignrl.effects.drift import Change as Change
from campaignrl.effects.drift import Drift as Drift
from campaignrl.effects.drift import DriftEffect as DriftEffect
from campaignrl.effects.effect import Answer as Answer
from campaignrl.effects.effect import Contact as Contact
from campaignrl.effects.effect import Day as Day
from campaignrl.effects.effect import Effect as Effect
from campaignrl.effects.effect import Market as Market
from campaignrl.effects.effect import MeanDay as MeanDay
from campaignrl.effects.effect import Section as Section
from campaignrl.effects.effect import Send as Send
from campaignrl.effects.effect import Stock as Stock
from campaignrl.effects.effect import Stocks as Stocks
from campaignrl.effects.fatigue import Fatigue as Fatigue
from campaignrl.effects.fatigue import FatigueEffect as FatigueEffect
from campaignrl.effects.formats import NO_FORMAT as NO_FORMAT
from campaignrl.effects.formats import Formats as Formats
from campaignrl.effects.formats import FormatsEffect as FormatsEffect
from campaignrl.effects.hours import Hours as Hours
from campaignrl.effects.hours import HoursEffect as HoursEffect
from campaignrl.effects.hours import Peak as Peak
from campaignrl.effects.reference_price import ReferencePrice as ReferencePrice
from campaignrl.effects.reference_price import ReferencePriceEffect as ReferencePriceEffect
from campaignrl.effects.reference_price import price_gain as price_gain
from campaignrl.effects.satisfaction import Satisfaction as Satisfaction
from campaignrl.effects.satisfaction import SatisfactionEffect as SatisfactionEffect
from campaignrl.effects.satisfaction import contentment as contentment
from campaignrl.effects.season import Event as Event
from campaignrl.effects.season import Season as Season
from campaignrl.effects.season import SeasonEffect as SeasonEffect
from campaignrl.effects.season import Wave as Wave
from campaignrl.effects.season import season_factors as season_factors
from campaignrl.effects.stockpile import Stockpile as Stockpile
from campaignrl.effects.stockpile import StockpileEffect as StockpileEffect
from campaignrl.toml import Spec


class EffectSections(Spec):
    """The registry: every effect that a world may have, one line each, by the name of its section in the file.

    The order is that of the terms in a hazard. An effect that every world has stands with its defaults; any other is
    switched off where its section is left out. With nothing sent and every section left out, orders are exactly
    Pareto/NBD.
    """

    response: Response = Response()
    fatigue: Fatigue | None = None
    adstock: AdStock | None = None
    satisfaction: Satisfaction | None = None
    reference_price: ReferencePrice | None = None
    stockpile: Stockpile | None = None
    season: Season | None = None
    formats: Formats | None = None
    hours: Hours | None = None
    drift: Drift | None = None

    def effects(self, market: Market) -> tuple[Effect, ...]:
        """The effects at work, in order; those switched off left out."""
        found = [getattr(self, name) for name in SECTIONS]
        return tuple(section.at_work(market) for section in found if section is not None)


def _section(annotation: Any) -> type[Section]:
    """`AdStock | None` -> AdStock."""
    found: type[Section] = next(kind for kind in (*get_args(annotation), annotation) if kind is not type(None))
    return found


SECTIONS = {name: _section(field.annotation) for name, field in EffectSections.model_fields.items()}
STOCKS: tuple[Stock, ...] = tuple(stock for section in SECTIONS.values() for stock in section.stocks)
ROW = {stock.name: row for row, stock in enumerate(STOCKS)}  # of each stock in a state


def rested(n: int) -> dict[str, Float32]:
    """The stocks of n customers whom nothing has moved yet, by name, each (n,)."""
    return {stock.name: np.full(n, stock.start, dtype=np.float32) for stock in STOCKS}
