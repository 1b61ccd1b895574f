"""n customers side by side, day by day: the engine under every environment and every simulation.

Holds traits and state as one array per field and calls dynamics/ and guard/ in blocks of customers on threads; no
gymnasium in here. Results do not depend on the block size, the number of threads, or who else is in the panel.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from campaignrl import rng
from campaignrl.arrays import Bool, Float, Int, Rows
from campaignrl.dynamics import Outcome, State, Traits, days_with, draw_customers, live
from campaignrl.dynamics.observe import observe
from campaignrl.dynamics.parameters import parameters
from campaignrl.errors import Problem, UsageError
from campaignrl.features import Context
from campaignrl.guard import Facts, allowed, discounts_of, open_channels, rules_of
from campaignrl.specs import World

T = TypeVar("T")
Fields = TypeVar("Fields", Traits, State)

BLOCK = 65_536  # customers; fewer, and the fixed cost of a block counts; more, and its arrays leave the cache
ALL = slice(None)  # of them
Histories = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]  # (c, m) of sends by channel, (r, m) by counted offer
Part = slice | npt.NDArray[np.integer[Any]]  # some of them: a block, or the numbers of rows


class Panel:
    """Customers of one world from day 0 to its horizon.

    customers: how many (ids 0 .. n-1), or their ids (n,) as whole numbers. A customer's life depends on world,
    seed, id and what is sent to it, and on nothing else.
    """

    def __init__(
        self, world: World, customers: int | Int, seed: int = 0, threads: int | None = None, block: int = BLOCK
    ) -> None:
        ids = _ids(customers)
        self.world, self.seed, self.ids, self.day = world, seed, ids, 0
        self.rules = rules_of(world)
        self._parameters, self._discounts = parameters(world), discounts_of(world)
        self._block, self._wanted = block, threads or os.cpu_count() or 1
        keys = rng.customer_keys(ids)
        drawn = self.over_blocks(lambda part: draw_customers(world, keys[part], seed))
        self.traits = _joined(Traits, [t for t, _ in drawn])
        self.state = _joined(State, [s for _, s in drawn])

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def done(self) -> bool:
        """True when the last day of the horizon is over."""
        return self.day >= self.world.horizon

    def over_blocks(self, work: Callable[[slice], T]) -> list[T]:
        """`work` for each block of customers, in order of blocks, on this panel's threads."""
        parts = _parts(len(self), self._block, self._wanted)
        threads = min(self._wanted, len(parts))
        if threads <= 1:
            return [work(part) for part in parts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, parts))

    def take(self, rows: Int) -> Panel:
        """The customers of these rows on the same day, apart from this panel from now on."""
        part = copy.copy(self)
        part.ids = self.ids[rows]
        part.traits = Traits._make(field.take(rows, axis=-1) for field in self.traits)
        part.state = State._make(field.take(rows, axis=-1) for field in self.state)
        return part

    def __getstate__(self) -> dict[str, Any]:
        """Crosses to a worker process without what holds compiled conditions; they are made again there."""
        return {name: value for name, value in vars(self).items() if name not in ("rules", "_parameters")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.rules, self._parameters = rules_of(self.world), parameters(self.world)

    def observe(self, part: Part = ALL) -> Context:
        """What may be seen of the customers before today's decision."""
        return observe(self.world, self.traits, self.state, self.day, part)

    def reachable(self, part: slice = ALL) -> Rows:
        """(m,) rows of the customers whom any channel may reach today; to the others only `none` is allowed."""
        state = self.state
        nothing = Context(self.world.features, {})
        facts = self._facts(
            self.traits.held_out[part],
            self._absent(part),
            state.consent[:, part],
            (state.sent[:, part], state.sent_offers[:, part]),
            nothing,
        )
        return np.flatnonzero(open_channels(self.rules, facts).any(axis=0)) + (part.start or 0)

    def facts(self, context: Context, part: Part = ALL) -> Facts:
        """What the guard needs to know of the customers today, whenever it is read."""
        held_out, state = self.traits.held_out[part], self.state
        sent = (state.sent[:, part].copy(), state.sent_offers[:, part].copy())
        return self._facts(held_out.copy(), self._absent(part), state.consent[:, part].copy(), sent, context)

    def _absent(self, part: Part) -> Bool | None:
        """(m,) who has not arrived yet; None in a world without arrivals."""
        return self.traits.arrives[part] > self.day if self._parameters.arrivals else None

    def allowed(self, context: Context, part: Part = ALL, rows: Rows | None = None) -> Bool:
        """(n, k) what may be sent today; rows: (m,) of the part whom it is wanted of, (m, k), None: all."""
        held_out, state = self.traits.held_out[part], self.state
        sent = (state.sent[:, part], state.sent_offers[:, part])
        facts = self._facts(held_out, self._absent(part), state.consent[:, part], sent, context)
        return allowed(self.rules, facts, rows=rows)

    def _facts(
        self, held_out: Bool, absent: Bool | None, consent: Bool, histories: Histories, context: Context
    ) -> Facts:
        """Facts that read these very arrays. absent: (m,) who has not arrived yet, to whom nothing can be sent."""
        sent, sent_offers = histories
        place = self._parameters.counted

        def contacts(channel: int | None, days: int) -> npt.NDArray[np.uint8]:
            return days_with(np.bitwise_or.reduce(sent, axis=0) if channel is None else sent[channel], days)

        def offer_contacts(offer: int, days: int) -> npt.NDArray[np.uint8]:
            return days_with(sent_offers[place[offer]], days)

        def depth(days: int) -> npt.NDArray[np.int64]:
            total = np.zeros(len(held_out), dtype=np.int64)
            for offer, discount in self._discounts.items():
                total += discount * offer_contacts(offer, days).astype(np.int64)
            return total

        return Facts(held_out, absent, consent, context, contacts, offer_contacts, depth)

    def step(self, action: Int, attempts: Int | None = None, hour: Float | None = None) -> Outcome:
        """One day: action (n,) as the guard allows; returns what happened, and moves on to the next day.

        attempts: (n,) how often delivery is tried; None: once. hour: (n,) of the day, at which a send arrives; None: at
        an hour of its slot, or at no hour in particular.
        """
        outcome = Outcome.unwritten(len(self))
        self.over_blocks(lambda part: self._live(action, attempts, hour, part, outcome))
        self.day += 1
        return outcome

    def _live(self, action: Int, attempts: Int | None, hour: Float | None, part: slice, outcome: Outcome) -> None:
        """The day of some customers, in this panel's own arrays and in those of the outcome."""
        traits, state = self.traits, self.state
        if part.stop - part.start < len(self):
            traits, state, outcome = traits.rows(part), state.rows(part), outcome.rows(part)
            action, attempts = action[part], None if attempts is None else attempts[part]
            hour = None if hour is None else hour[part]
        live(self.world, traits, state, action, self.day, self.seed, self._parameters, attempts, outcome, hour)


def _parts(n: int, block: int, threads: int) -> list[slice]:
    """Blocks of customers, about equal in size.

    On several threads they are twice as large, so that the interpreter's lock changes hands less often, and as many
    for each thread.
    """
    count = max(-(-n // block), 1)
    if threads > 1 and count > 1:
        count = threads * -(-n // (2 * block * threads))
    size = max(-(-n // count), 1)
    return [slice(i, min(i + size, n)) for i in range(0, max(n, 1), size)]


def _ids(customers: int | Int) -> Int:
    """(n,) ids, each once: a customer that stood twice in a panel would be contacted twice."""
    if isinstance(customers, int | np.integer):
        if customers < 0:
            raise UsageError(Problem("customers", "count", customers, "at least 0"))
        return np.arange(customers)
    ids = np.asarray(customers)
    if ids.shape == (0,):
        return np.arange(0)
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        given = f"{ids.dtype} of shape {ids.shape}"
        raise UsageError(Problem("customers", "ids", given, "a list of whole numbers", "Or give how many."))
    known, count = np.unique(ids, return_counts=True)
    if len(known) < len(ids):
        raise UsageError(Problem("customers", "ids", int(known[count > 1][0]), "given once"))
    return ids


def _joined(kind: type[Fields], parts: list[Fields]) -> Fields:
    """The same fields with the customers of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return kind._make(np.concatenate(pieces, axis=-1) for pieces in zip(*parts, strict=True))
