"""A cohort that gives what a face was asked for: other rewards, a ledger, prices, more to see, decisions on events.

The ledger is that of `simulate` (guard/budget.py): customers who began together are a wave, whose sends of a day are
served in an order drawn by chance until the money released so far, or the channel, is used up. What a send costs is
known when it is decided, so booking it at once keeps the spend within the released budget at every prefix. Discounts
are no part of `[guard.budget]`, there as here: they are taken from the margin of orders, and seen as `granted_so_far`.
Not here: the words of the options (options.py). m customers of the cohort, p prices, k actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.actions import NONE
from campaignrl.arrays import Bool, Float, Float32, Int
from campaignrl.dynamics import Outcome, parameters, visited
from campaignrl.envs.cohorts import Cohort
from campaignrl.envs.expected_reward import expected_reward, morning
from campaignrl.envs.known_features import Books, KnownFeatures
from campaignrl.envs.options import LONGEST_SILENCE, Options
from campaignrl.envs.panel import Panel
from campaignrl.envs.prices import charge, drawn
from campaignrl.guard import Spending
from campaignrl.rng import Purpose
from campaignrl.specs import World


class Equipment:
    """What an environment was asked for, made ready once for all its cohorts."""

    def __init__(self, world: World, options: Options) -> None:
        self.world, self.options = world, options
        self.known = KnownFeatures(world, options)
        self.parameters = parameters(world)
        twin = ("twin",) if options.reward == "incremental" else ()
        self.told = ("cost", "contribution", *twin, *(("unserved",) if options.limits != "none" else ()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Crosses to a worker process as what it was made of."""
        return Equipment, (self.world, self.options)

    def cohort(self, panel: Panel, places: Int, rates: Float | None) -> EquippedCohort:
        """Customers who begin today. rates: (p,) prices; None: drawn for each."""
        options, n = self.options, len(panel)
        ledger = None
        if options.limits != "none":
            ledger = Spending(self.world, n, capacities=options.limits == "wave")
        twin = panel.take(np.arange(n)) if options.reward == "incremental" else None
        if rates is None:
            own = drawn(options.prices, panel.traits.key, panel.seed)
        else:
            own = np.repeat(rates[:, None], n, axis=1)
        return EquippedCohort(panel, places, self, ledger, twin, own, Books.opened(n))


@dataclass(frozen=True, slots=True)
class EquippedCohort(Cohort):
    """A cohort with a ledger, a twin, prices and books, where they were asked for."""

    equipment: Equipment
    ledger: Spending | None  # of the whole wave, also of those who have left it
    twin: Panel | None  # the same customers with the same luck, who are sent nothing
    rates: Float  # (p, m) prices
    books: Books

    def live(self, action: Int, days: int) -> tuple[npt.NDArray[Any], ...]:
        """(m,) the reward, and what is told beside it, of `action` today and nothing sent on the days after it."""
        options = self.equipment.options
        today = served = self._served(action)
        told = {name: np.zeros(len(action)) for name in self.equipment.told if name != "unserved"}
        reward = np.zeros(len(action))
        for _ in range(days):
            reward += self._day(today, told)
            today = np.zeros_like(today)
            if options.on_events and self.books.due.any():
                break
        if options.prices:
            reward -= charge(self.panel.world, options.prices, self.rates, served)
        unserved = () if self.ledger is None else (served != action,)
        return (reward / options.scale, *told.values(), *unserved)

    def look(self) -> tuple[Float32, Bool]:
        """(m, D) encoded features and (m, k) what may be sent, today."""
        seen, mask = Cohort.look(self)
        if self.equipment.known.schema.features:
            more = self.equipment.known.encoded(self.panel, self.books, self.ledger, self.rates)
            seen = np.concatenate([seen, more], axis=1)
        if self.ledger is not None and not self.panel.done:
            mask &= self.ledger.room(self.panel.world.catalog, self.panel.day)
        if self.equipment.options.on_events:
            mask[:, NONE + 1 :] &= self.books.due[:, None]
        return seen, mask

    def without(self, leaving: Bool) -> Cohort | None:
        """The cohort of those who stay; None when nobody does. leaving: (n,) of the whole batch."""
        stay = ~leaving[self.places]
        if stay.all():
            return self
        if not stay.any():
            return None
        rows = np.flatnonzero(stay)
        twin = None if self.twin is None else self.twin.take(rows)
        books = Books._make(column[rows] for column in self.books)
        panel, places = self.panel.take(rows), self.places[rows]
        return EquippedCohort(panel, places, self.equipment, self.ledger, twin, self.rates[:, rows], books)

    def _served(self, action: Int) -> Int:
        """(m,) the actions for which there is money, and room on their channels."""
        if self.ledger is None:
            return action
        panel = self.panel
        u = rng.uniform(panel.traits.key, panel.seed, panel.day, Purpose.THROTTLE)
        return self.ledger.serve(panel.world.catalog, action, u, panel.day).action

    def _day(self, action: Int, told: dict[str, Float]) -> Float:
        """(m,) reward of one day, before prices and scale; adds what is told, and keeps the books."""
        panel, kind = self.panel, self.equipment.options.reward
        held, alive = panel.state.live_offer.copy(), panel.state.alive.copy()
        was = morning(panel.state) if kind == "expected" else None
        outcome = panel.step(action)
        reward = contribution = outcome.reward.astype(np.float64)
        if was is not None:
            day, tables = panel.day - 1, self.equipment.parameters
            reward = expected_reward(was, panel.traits, action, outcome, day, tables)
        if self.twin is not None:
            twin = self.twin.step(np.zeros_like(action)).reward.astype(np.float64)
            told["twin"] += twin
            reward = contribution - twin
        told["contribution"] += contribution
        told["cost"] += outcome.cost
        self.books.cost[:] += outcome.cost
        self.books.granted[:] += outcome.discount
        if self.equipment.options.on_events:
            self._note_events(outcome, held, alive)
        return reward

    def _note_events(self, outcome: Outcome, held: npt.NDArray[np.int8], alive: Bool) -> None:
        """Who is due tomorrow: something that the sender saw happened today, or nothing has for long.

        held: (m,) offers of this morning; alive: (m,) this morning.
        """
        panel, books = self.panel, self.books
        came = visited(panel.world, panel.traits, alive, outcome, panel.day - 1, panel.seed)
        news = came | outcome.opened | outcome.unsubscribed | (held != panel.state.live_offer)
        if self.equipment.parameters.arrivals:
            news |= panel.traits.arrives == panel.day
        books.quiet[:] = np.where(books.due, 1, books.quiet + 1)
        books.due[:] = news | (books.quiet >= LONGEST_SILENCE)
