"""Which effects the reduced models follow: the far-sighted oracle and the upper bound know them one by one.

A world with any other effect is refused, because a bound that passes over an effect need not be one. The greedy oracle
and the expected reward use the effects' own hooks instead and follow them all.
"""

from __future__ import annotations

from campaignrl.dynamics import Parameters
from campaignrl.effects import (
    AdStockEffect,
    ClickIntentEffect,
    FatigueEffect,
    ReferencePriceEffect,
    SatisfactionEffect,
    SeasonEffect,
    StockpileEffect,
)
from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World

FOLLOWED = (
    ClickIntentEffect,
    FatigueEffect,
    AdStockEffect,
    SatisfactionEffect,
    ReferencePriceEffect,
    StockpileEffect,
    SeasonEffect,
)


def refuse_unfollowed(world: World, p: Parameters, who: str) -> None:
    """A UsageError that names every effect of the world that `who` cannot follow, and customers who arrive."""
    if world.arrivals is not None:  # to a reduced model, who has not arrived yet is gone for good
        fix = f"Leave [arrivals] out, or ask the greedy oracle; {who} follows those who are there on day 0."
        raise UsageError(Problem(f"world {world.name}", "arrivals", "given", "absent", fix))
    unknown = [effect for effect in p.effects if not isinstance(effect, FOLLOWED)]
    fix = f"Switch it off, or ask the greedy oracle; {who} has to be taught it (envs/truth/followed_effects.py)."
    if unknown:
        where, allowed = f"world {world.name}", f"an effect that {who} can follow"
        raise UsageError([Problem(where, "effect", type(e.spec).__name__, allowed, fix) for e in unknown])
