"""What an environment can be asked for beside the plain daily one, checked: rewards, limits, prices, sight, rhythm.

Here: the words and their checks. Not here: what they do (equipped_cohort.py, known_features.py, prices.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from campaignrl.envs.prices import HIGHEST, MONEY, Price
from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World

WHERE = "environment"
REWARDS = ("plain", "expected", "incremental")
LIMITS = ("wave", "money", "none")
SIGHTS = ("offer", "contacts", "calendar", "spend", "budget")
EVENT = "event"
LONGEST_SILENCE = 7  # days; who decides on events is asked at least so often
LONGEST = 3660  # days from one decision to the next
STEPS = {"day": 1, "week": 7}  # days

Prices = float | Sequence[float] | Mapping[str, float | Sequence[float]] | None


@dataclass(frozen=True)
class Options:
    """What was asked for, as it is worked with.

    reward, limits: one of REWARDS and LIMITS; scale: currency to one unit of reward; prices: of money and sends;
    sights: some of SIGHTS, in their order; every: days from one decision to the next; on_events: decide when something
    has happened, and at most `every` days apart.
    """

    reward: str = "plain"
    scale: float = 1.0
    limits: str = "none"
    prices: tuple[Price, ...] = ()
    sights: tuple[str, ...] = ()
    every: int = 1
    on_events: bool = False

    @property
    def are_plain(self) -> bool:
        """Whether a plain cohort gives all that was asked for."""
        kept = (self.reward, self.scale, self.limits, self.on_events) != ("plain", 1.0, "none", False)
        return not (kept or self.prices or self.sights)


def checked_options(
    world: World,
    *,
    reward: str,
    reward_scale: float,
    limits: str | None,
    price: Prices,
    observe: str | Sequence[str],
    step: str | int,
) -> Options:
    """The options of an environment of `world`; every mistake at once is a UsageError."""
    problems: list[Problem] = []
    if reward not in REWARDS:
        problems.append(Problem(WHERE, "reward", reward, _one_of(REWARDS)))
    kept = "none" if limits is None else limits
    if kept not in LIMITS:
        problems.append(Problem(WHERE, "limits", limits, _one_of(LIMITS)))
    if not _is_number(reward_scale) or not 0.0 < reward_scale < np.inf:
        problems.append(Problem(WHERE, "reward_scale", reward_scale, "a number above 0", "Currency to a unit."))
    sights = SIGHTS if observe == "everything" else () if observe == "features" else observe
    unknown = [name for name in ([sights] if isinstance(sights, str) else sights) if name not in SIGHTS]
    allowed = f"'features', 'everything', or a list of {', '.join(SIGHTS)}"
    problems += [Problem(WHERE, "observe", name, allowed) for name in unknown]
    every = STEPS.get(step, LONGEST_SILENCE) if isinstance(step, str) else step
    if (isinstance(step, str) and step not in (*STEPS, EVENT)) or isinstance(step, bool) or not _is_whole(every):
        problems.append(Problem(WHERE, "step", step, f"{_one_of((*STEPS, EVENT))}, or a number of days from 1"))
    made = list(_prices(world, price))
    problems += [found for found in made if isinstance(found, Problem)]
    if problems:
        raise UsageError(problems)
    if not ties_customers(world):
        kept = "none"
    seen = tuple(name for name in SIGHTS if name in sights and (name != "budget" or kept != "none"))
    return Options(
        reward,
        float(reward_scale),
        kept,
        tuple(found for found in made if isinstance(found, Price)),
        seen,
        int(every),
        step == EVENT,
    )


def ties_customers(world: World) -> bool:
    """Whether the world has a budget or a channel with a capacity."""
    return world.guard.budget is not None or any(c.capacity is not None for c in world.channels.values())


def _prices(world: World, given: Prices) -> Iterator[Price | Problem]:
    """A price for each name; a number alone, or a pair, is that of money."""
    names = (MONEY, *world.channels)
    asked = given if isinstance(given, Mapping) else {} if given is None else {MONEY: given}
    for name, value in asked.items():
        ends = _ends(value)
        if name not in names:
            yield Problem(WHERE, "price", name, f"money or a channel ({', '.join(world.channels)})")
        elif ends is None:
            yield Problem(WHERE, f"price of {name}", value, f"a number or a pair low, high from 0 to {HIGHEST:g}")
        else:
            yield Price(name, *ends)


def _ends(value: float | Sequence[float]) -> tuple[float, float] | None:
    """The lowest and the highest price; None if these are no prices."""
    ends: list[Any] = list(value) if isinstance(value, list | tuple) else [value, value]
    if len(ends) != 2 or not all(_is_number(end) for end in ends):
        return None
    low, high = (float(end) for end in ends)
    return (low, high) if 0.0 <= low <= high <= HIGHEST else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and 1 <= int(value) <= LONGEST


def _one_of(words: Sequence[str]) -> str:
    return f"one of {', '.join(repr(word) for word in words)}"
