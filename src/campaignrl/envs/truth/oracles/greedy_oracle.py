"""The greedy oracle: the true expected gain of every action over `none`, from the true state, and the best of them.

Gains are counted over the world's outcome window, nothing else being sent in it; so this is what a perfect bandit
would know, and no bound for those who look further ahead. The few things that can happen today (opened or not,
clicked or not) are summed exactly. Not here: what follows from each of them (window_values.py). n customers, k actions,
s things that may be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from campaignrl.arrays import Bool, Float32, Int
from campaignrl.dynamics import Parameters, State, Traits, answers, response
from campaignrl.dynamics.parameters import parameters
from campaignrl.envs.panel import Panel
from campaignrl.envs.truth.oracles.window_values import NOTHING, Seen, window_values
from campaignrl.envs.truth.shadow_prices import ShadowPrices
from campaignrl.specs import World

CELLS = 150_000  # customers times things seen that are lived through side by side


class Chances(NamedTuple):
    """What may become of one action sent today; each (n,)."""

    opened: Float32  # delivered and opened
    clicked: Float32  # given opened
    unsubscribed: Float32


def chances(traits: Traits, state: State, action: int, day: int, p: Parameters) -> Chances:
    """Probabilities of the funnel of `action` today, of customers in this state."""
    c, taste = p.channel_of[action], p.taste[traits.segment, p.offer_of[action]]
    stocks, affinity, liking = state.named_stocks(), traits.affinity[c], taste
    if p.answering:
        more = answers(traits, slice(None), np.full(len(taste), action), day, p)
        affinity, liking = affinity + more.opening, taste + more.clicking
    opens = response.open_probability(c, affinity, taste, stocks, state.alive, p)
    leaves = response.unsubscribe_probability(c, stocks, p)
    return Chances(p.deliver[c] * opens, response.click_probability(c, liking, p), p.deliver[c] * leaves)


def _alike(p: Parameters) -> list[int]:
    """(c,) the first channel on which an open leaves as much behind as on each."""
    units = [found for effect in p.effects if (found := effect.by_channel()) is not None]
    left = [tuple(float(added[c]) for added in units) for c in range(len(p.deliver))]
    return [left.index(each) for each in left]


def action_gains(
    world: World,
    traits: Traits,
    state: State,
    day: int,
    p: Parameters,
    allowed: Bool | None = None,
    days: int | None = None,
) -> Float32:
    """(n, k) expected gain of each action over `none`, currency; -inf where it is not allowed.

    days: over which gains are counted, at most to the horizon; None: the world's outcome window.
    """
    last, seen = min(day + (days or world.outcome_days), world.horizon), _things_seen(p)
    each = {one: place for place, one in enumerate(seen)}
    wanted = _wanted(
        each, p, np.ones((len(traits.rate), len(world.catalog)), dtype=bool) if allowed is None else allowed
    )
    gains = np.zeros((len(traits.rate), len(world.catalog)), dtype=np.float32)
    step = max(CELLS // len(seen), 1)
    for start in range(0, len(gains), step):
        some = slice(start, start + step)
        few, now = traits.rows(some), state.rows(some)
        value = window_values(few, now, seen, wanted[:, some], day, last, p)
        gains[some, 1:] = _over_nothing(few, now, day, p, value, each)
    return gains if allowed is None else np.where(allowed, gains, -np.inf).astype(np.float32)


def _wanted(place: Mapping[Seen, int], p: Parameters, allowed: Bool) -> Bool:
    """(s, n) what may be seen by whom: nothing, and what an allowed send may lead to."""
    wanted, alike = np.zeros((len(place), len(allowed)), dtype=bool), _alike(p)
    wanted[place[NOTHING]] = True
    for action in range(1, allowed.shape[1]):
        offer, c = int(p.offer_of[action]), alike[int(p.channel_of[action])]
        for clicks in (True, False):
            wanted[place[Seen(offer, clicks, c)]] |= allowed[:, action]
    return wanted


def _things_seen(p: Parameters) -> list[Seen]:
    """Nothing, then whatever may be opened, with a click and without, once where channels leave as much behind."""
    alike = _alike(p)
    sends = zip(p.offer_of[1:], p.channel_of[1:], strict=True)
    found = [Seen(int(offer), clicks, alike[int(c)]) for offer, c in sends for clicks in (True, False)]
    return list(dict.fromkeys([NOTHING, *found]))


def _over_nothing(
    traits: Traits, state: State, day: int, p: Parameters, value: Float32, place: Mapping[Seen, int]
) -> Float32:
    """(n, k - 1) gain of each send over `none`, from the values (s, n) of what may be seen."""
    idle, alike = state.alive * value[0], _alike(p)
    gains = np.empty((len(idle), len(p.offer_of) - 1), dtype=np.float32)
    for action in range(1, len(p.offer_of)):
        offer, c = int(p.offer_of[action]), int(p.channel_of[action])
        found = chances(traits, state, action, day, p)
        clicked, unclicked = (value[place[Seen(offer, clicks, alike[c])]] for clicks in (True, False))
        open_value = np.where(state.alive, 1.0, p.revives[offer]) * (
            found.clicked * clicked + (1 - found.clicked) * unclicked
        )
        lost = found.unsubscribed * np.float32(p.unsubscribe_cost)
        gains[:, action - 1] = found.opened * (open_value - idle) - lost - p.send_cost[action]
    return gains


def greedy(panel: Panel) -> Int:
    """(n,) the allowed action with the highest expected gain today; `none` where nothing gains."""
    return _best(panel, np.zeros(len(panel.world.catalog)))


def priced(world: World, shadow_prices: ShadowPrices) -> Callable[[Panel], Int]:
    """The greedy oracle where what is scarce has a price: it is left to those who gain most from it."""
    return partial(_best, charge=shadow_prices.on(world))


def _best(panel: Panel, charge: npt.NDArray[np.float64]) -> Int:
    p = parameters(panel.world)

    def choose(part: slice) -> Int:
        may = panel.allowed(panel.observe(part), part)
        best, rows = np.zeros(len(may), dtype=np.int64), np.flatnonzero(may[:, 1:].any(axis=1))
        some = panel.take(rows + part.start)
        gains = action_gains(panel.world, some.traits, some.state, panel.day, p, may[rows])
        best[rows] = (gains - charge.astype(np.float32)).argmax(axis=1)
        return best

    return np.concatenate(panel.over_blocks(choose))
