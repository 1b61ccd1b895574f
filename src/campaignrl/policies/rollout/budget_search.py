"""The same network at the prices of another budget, found by playing whole campaigns under it.

What was learned stays: what a send brings over nothing does not depend on how much money there is. A budget, or a
channel with little room, asks for prices alone: first one of money, from a grid, then of channels, offers, any send and
over time, as in the training. Not here: the search (price_search.py), what a price does (prices.py). n customers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from campaignrl.envs import Panel
from campaignrl.policies.base import Tensors
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.rollout.labelling import ids_of_block, worth_of_a_send
from campaignrl.policies.rollout.price_search import Players, improved
from campaignrl.policies.rollout.prices import Prices, repriced, unpriced
from campaignrl.specs import World

if TYPE_CHECKING:
    from campaignrl.policies.rollout.policy import RolloutPolicy

MONEY = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # that a unit of money must bring beyond itself
ASKED, TURN = 700, 701  # blocks of customers


def priced_for(policy: RolloutPolicy, world: World, players: int, turns: int) -> RolloutPolicy:
    """At the prices that bring most in `world`, on customers of whom nothing was learned."""
    catalog = world.catalog
    with one_blas_thread():
        ids = ids_of_block(ASKED, players)
        at = [policy.at_price(money) for money in MONEY]
        value = [_players(each, world, ids).values(Prices.free(catalog)).mean() for each in at]
        begun = at[int(np.argmax(value))]
        unit, prices = _unit(policy, world), Prices.free(catalog)
        for turn in range(turns):
            prices = improved(
                world, _players(begun, world, ids_of_block(TURN + turn, players)), prices, unit, turn
            ).prices
    layers = repriced(list(begun.layers), prices, catalog, policy.schema)
    tensors: Tensors = {f"weight_{i}": layer.weight for i, layer in enumerate(layers)}
    tensors |= {f"bias_{i}": layer.bias for i, layer in enumerate(layers)}
    return policy.with_network(tensors)


def _players(policy: RolloutPolicy, world: World, ids: np.ndarray) -> Players:
    return Players(world, unpriced(list(policy.layers), world.catalog), ids, policy.config.seed, policy.schema)


def _unit(policy: RolloutPolicy, world: World) -> float:
    """What a send is worth on the first day to those who are sent something, currency: the step of the search."""
    panel = Panel(world, ids_of_block(ASKED, 2_000), policy.config.seed, threads=1)
    context = panel.observe()
    gain = np.where(panel.allowed(context), np.float32(0.0), np.float32(np.nan))
    return worth_of_a_send(unpriced(list(policy.layers), world.catalog)(context.encode(policy.schema)), gain)
