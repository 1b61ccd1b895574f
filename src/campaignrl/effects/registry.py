"""Every effect that a world may have: one line each.

The order is that of the terms in a hazard and of the sections in a world that is written out. An effect that every
world has stands with its defaults; any other is switched off where its section is left out. With nothing sent and every
section left out, orders are exactly Pareto/NBD.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from campaignrl.arrays import Float32
from campaignrl.effects.ad_stock import AdStock
from campaignrl.effects.click_intent import Response
from campaignrl.effects.effect import Effect, Market, Section, Stock
from campaignrl.effects.fatigue import Fatigue
from campaignrl.effects.reference_price import ReferencePrice
from campaignrl.effects.satisfaction import Satisfaction
from campaignrl.effects.season import Season
from campaignrl.effects.stockpile import Stockpile
from campaignrl.toml import Spec


class EffectSections(Spec):
    """The sections of a world's file that are effects, by their names in the file."""

    response: Response = Response()
    fatigue: Fatigue = Fatigue()
    adstock: AdStock | None = None
    satisfaction: Satisfaction | None = None
    reference_price: ReferencePrice | None = None
    stockpile: Stockpile | None = None
    season: Season | None = None

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
