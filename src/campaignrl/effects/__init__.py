"""Effects of the world, one file each: what stands in a world's file of it, and what it does to a customer's days.

A file holds the section with its checks, the stocks it keeps, its terms in the hazards and in the funnel, their
ceilings, and how a day moves its stocks.

ad_stock.py         impressions that are remembered
click_intent.py     opens and clicks, and the days after a click
effect.py           what an effect is: the hooks that it may override
fatigue.py          contacts that tire
reference_price.py  the price that is expected
registry.py         every effect that a world may have, one line each
satisfaction.py     trust in the sender
season.py           the calendar
stockpile.py        goods bought ahead
"""

from campaignrl.effects.ad_stock import AdStock as AdStock
from campaignrl.effects.ad_stock import AdStockEffect as AdStockEffect
from campaignrl.effects.ad_stock import hill as hill
from campaignrl.effects.click_intent import FAINT as FAINT
from campaignrl.effects.click_intent import ClickIntentEffect as ClickIntentEffect
from campaignrl.effects.click_intent import Response as Response
from campaignrl.effects.click_intent import falls_tomorrow as falls_tomorrow
from campaignrl.effects.effect import Contact as Contact
from campaignrl.effects.effect import Day as Day
from campaignrl.effects.effect import Effect as Effect
from campaignrl.effects.effect import MeanDay as MeanDay
from campaignrl.effects.effect import Stock as Stock
from campaignrl.effects.effect import Stocks as Stocks
from campaignrl.effects.fatigue import Fatigue as Fatigue
from campaignrl.effects.fatigue import FatigueEffect as FatigueEffect
from campaignrl.effects.reference_price import ReferencePrice as ReferencePrice
from campaignrl.effects.reference_price import ReferencePriceEffect as ReferencePriceEffect
from campaignrl.effects.reference_price import price_gain as price_gain
from campaignrl.effects.registry import ROW as ROW
from campaignrl.effects.registry import SECTIONS as SECTIONS
from campaignrl.effects.registry import STOCKS as STOCKS
from campaignrl.effects.registry import EffectSections as EffectSections
from campaignrl.effects.registry import rested as rested
from campaignrl.effects.satisfaction import Satisfaction as Satisfaction
from campaignrl.effects.satisfaction import SatisfactionEffect as SatisfactionEffect
from campaignrl.effects.satisfaction import contentment as contentment
from campaignrl.effects.season import Event as Event
from campaignrl.effects.season import Season as Season
from campaignrl.effects.season import SeasonEffect as SeasonEffect
from campaignrl.effects.season import Wave as Wave
from campaignrl.effects.stockpile import Stockpile as Stockpile
from campaignrl.effects.stockpile import StockpileEffect as StockpileEffect
