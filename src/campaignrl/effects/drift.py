"""Drift: tastes, response or prices that move over the campaign, or jump on a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from campaignrl import rng
from campaignrl.arrays import Float, Float32
from campaignrl.effects.effect import Answer, Effect, Market, Section, Send
from campaignrl.errors import Problem, SpecError
from campaignrl.quantities import MOST, LogEffect
from campaignrl.rng import Purpose
from campaignrl.toml import Spec


class Change(Spec):
    """One thing that changes, from a day on.

    taste: log-odds of opening and clicking, and log-hazard of buying while the offer is usable; response: log-odds of
    opening alone; price: how much dearer we are than others, as a share (0.1: 10 %), felt by each segment's mean price
    sensitivity on every day, with an offer or without.
    """

    what: Literal["taste", "response", "price"]
    day: Annotated[int, Field(ge=0, le=3660)]  # of the campaign; before it nothing has changed
    by: LogEffect  # in the unit of `what`; of a walk the standard deviation of a day's step
    how: Literal["jump", "linear", "walk"] = "jump"
    days: Annotated[int, Field(ge=1, le=3660)] | None = None  # that a linear change or a walk goes on; None: to the end
    segment: str | None = None  # None: all
    offer: str | None = None  # None: all


class Drift(Section):
    """Everything that changes in a world."""

    changes: Annotated[list[Change], Field(min_length=1, max_length=MOST)]
    salt: Annotated[int, Field(ge=0)] = 0  # change it for other walks

    @model_validator(mode="after")
    def _sound(self) -> Drift:
        problems = []
        for number, change in enumerate(self.changes):
            where = f"[drift.changes.{number}]"
            if change.how == "linear" and change.days is None:
                problems.append(Problem(where, "days", "(absent)", "given", "Say over how many days it moves."))
            if change.how == "jump" and change.days is not None:
                problems.append(
                    Problem(where, "days", change.days, "one of a jump", 'Leave it out, or how = "linear".')
                )
            if change.what == "price" and change.offer is not None:
                problems.append(Problem(where, "offer", change.offer, "one of a price, which all offers share"))
        if problems:
            raise SpecError(problems)
        return self

    def at_work(self, market: Market) -> DriftEffect:
        """The segments and offers of the market."""
        segments, offers = list(market.segments), list(market.offers)
        moves = []
        for number, change in enumerate(self.changes):
            where = np.zeros((len(segments), len(offers) + 1), dtype=np.float32)  # last: no offer
            rows = slice(None) if change.segment is None else segments.index(change.segment)
            columns = slice(0, len(offers)) if change.offer is None else offers.index(change.offer)
            where[rows, columns] = 1.0
            if change.what == "price":
                mean = [s.price_sensitivity.mean for s in market.segments.values()]
                where[rows] = (-10.0 * np.array(mean, dtype=np.float32))[rows, None]  # sensitivity is per 10 %
            moves.append(Move(change, where, path(change, market.horizon, self.salt, number)))
        return DriftEffect(self, market.catalog.offer_of, market.horizon, tuple(moves))


@dataclass(frozen=True, eq=False)
class Move:
    """One change at work."""

    change: Change
    where: Float32  # (g, o + 1) what one unit of it is for each segment and offer; last: no offer
    path: Float  # (T,) units on each day


@dataclass(frozen=True, eq=False)
class DriftEffect(Effect):
    """Drift at work."""

    spec: Drift
    offer_of: np.ndarray[tuple[int], np.dtype[np.int16]]  # (k,)
    horizon: int
    moves: Sequence[Move]

    def answering(self, send: Send) -> Answer | None:
        """Opens by taste and response, clicks by taste, as they are today."""
        offer = self.offer_of[send.action]
        opened, clicked = (self._on(send.day, kinds) for kinds in (("taste", "response"), ("taste",)))
        return Answer(opened[send.segment, offer], clicked[send.segment, offer])

    def wanting(self, horizon: int) -> Float32 | None:
        """Taste while an offer is usable, and prices with it or without."""
        kinds = ("taste", "price")
        if not any(move.change.what in kinds for move in self.moves):
            return None
        return np.array([self._on(day, kinds) for day in range(horizon)], dtype=np.float32)

    def _on(self, day: int, kinds: tuple[str, ...]) -> Float32:
        """(g, o + 1) what has moved by this day."""
        total = np.zeros_like(self.moves[0].where)
        for move in self.moves:
            if move.change.what in kinds:
                total += move.where * np.float32(move.path[min(day, self.horizon - 1)])
        return total


def path(change: Change, horizon: int, salt: int, number: int) -> Float:
    """(T,) how far a change has come on each day, in its own unit."""
    since = np.arange(horizon, dtype=np.float64) - change.day
    if change.how == "jump":
        moved = since >= 0
    elif change.how == "linear":
        moved = np.clip((since + 1.0) / float(change.days or 1), 0.0, 1.0)
    else:
        steps = rng.generator(salt, Purpose.DRIFT, number).standard_normal(horizon)
        moved = np.cumsum(np.where((since < 0) | (since >= (change.days or horizon)), 0.0, steps))
    return np.asarray(change.by * moved, dtype=np.float64)
