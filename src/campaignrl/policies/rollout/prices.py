"""Prices that a send has to be worth beyond what the network says: of its channel, of its offer, of any send, by time.

What the rollouts leave out (that a send takes the place of a later one, tires the customer, uses a cap or the budget)
is mostly a matter of channel, offer and time, so that a handful of numbers holds it. Here: prices, deciding by them,
the same decisions as plain layers, and in words. Not here: how they are found (price_search.py). m states, k actions, D
columns of an observation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from campaignrl.actions import NONE, Catalog
from campaignrl.arrays import Float, Int
from campaignrl.envs import Panel
from campaignrl.envs.truth import Decide
from campaignrl.features import FeatureSchema
from campaignrl.policies.deep import Layer
from campaignrl.policies.rollout.value_network import ValueNetwork
from campaignrl.specs import World

TIME_LEFT = "days_to_go"  # the feature by which prices change: 1 on the first day, 0 after the last


class Prices(NamedTuple):
    """channel: (c,), offer: (o,), any send: one number, currency each; fall: share that is gone at the end."""

    channel: Float
    offer: Float
    any: float
    fall: float

    @classmethod
    def free(cls, catalog: Catalog) -> Prices:
        """Nothing costs anything."""
        return cls(np.zeros(len(catalog.channels)), np.zeros(len(catalog.offers)), 0.0, 0.0)

    def to_array(self) -> Float:
        """(c + o + 2,) channels, offers, any send, the fall."""
        return np.concatenate([self.channel, self.offer, [self.any, self.fall]])

    @classmethod
    def from_array(cls, theta: Float, catalog: Catalog) -> Prices:
        """What `to_array` gave."""
        c, o = len(catalog.channels), len(catalog.offers)
        return cls(theta[:c], theta[c : c + o], float(theta[c + o]), float(theta[c + o + 1]))

    def of_actions(self, catalog: Catalog) -> Float:
        """(k,) of every action on the first day; `none` is free."""
        each: Float = self.channel[catalog.channel_of] + self.offer[catalog.offer_of] + self.any
        each[NONE] = 0.0
        return each


def by_value(world: World, network: ValueNetwork, prices: Prices, features: FeatureSchema | None = None) -> Decide:
    """Decide by the highest value less its price, `none` where nothing is worth it.

    features: that the network reads; None: all of the world's.
    """
    seen = features or world.features
    fall = prices.fall if TIME_LEFT in seen.encoded else 0.0  # as in the layers that come of it
    each = prices.of_actions(world.catalog).astype(np.float32)

    def decide(panel: Panel) -> Int:
        action, rows = np.zeros(len(panel), dtype=np.int16), panel.reachable()
        if not len(rows):
            return action
        context = panel.observe(rows)
        may = panel.allowed(context, rows)
        asked = np.flatnonzero(may.sum(axis=1) > 1)
        worth = network(context.take(asked).encode(seen))
        worth -= each * np.float32(1.0 - fall * panel.day / world.horizon)
        action[rows[asked]] = np.where(may[asked], worth, -np.inf).argmax(axis=1)
        return action

    return decide


def priced_layers(network: ValueNetwork, prices: Prices, catalog: Catalog, schema: FeatureSchema) -> list[Layer]:
    """The layers whose outputs are values less prices, currency: the network's, with the time handed through.

    Every hidden layer is one unit wider: the share of days left, which is never negative, passes max(0, x) unchanged.
    """
    each, when = prices.of_actions(catalog), _column(schema)
    layers, last = [], network.layers[-1]
    for i, layer in enumerate(network.layers[:-1]):
        inputs, outputs = layer.weight.shape
        weight = np.zeros((inputs + (i > 0), outputs + 1), dtype=np.float32)
        weight[:inputs, :outputs] = layer.weight
        if i > 0:
            weight[-1, -1] = 1.0
        elif when is not None:
            weight[when, -1] = 1.0
        layers.append(Layer(weight, np.append(layer.bias, np.float32(0.0))))
    fall = prices.fall if when is not None else 0.0
    weight = np.concatenate([last.weight * np.float32(network.scale), -(fall * each)[None].astype(np.float32)])
    bias = last.bias.astype(np.float64) * network.scale + network.mean - each * (1.0 - fall)
    weight[:, NONE], bias[NONE] = 0.0, 0.0
    return [*layers, Layer(weight, bias.astype(np.float32))]


def repriced(layers: list[Layer], prices: Prices, catalog: Catalog, schema: FeatureSchema) -> list[Layer]:
    """Layers of `priced_layers` at further prices on top: the last one alone changes."""
    each, last = prices.of_actions(catalog), layers[-1]
    fall = prices.fall if _column(schema) is not None else 0.0
    weight, bias = last.weight.copy(), last.bias - (each * (1.0 - fall)).astype(np.float32)
    weight[-1] -= (fall * each).astype(np.float32)
    return [*layers[:-1], Layer(weight, bias)]


def unpriced(layers: list[Layer], catalog: Catalog) -> ValueNetwork:
    """Layers of `priced_layers` as a network to go on from; its values are those less prices."""
    return ValueNetwork(tuple(layers), np.zeros(len(catalog), dtype=np.float32), 1.0)


def in_words(prices: Prices, catalog: Catalog, currency: str) -> list[str]:
    """A line for each price that is not zero: "a send by sms must be worth 0.65 EUR more than the model says"."""
    named = [
        ("any send", prices.any),
        *((f"a send by {c.name}", float(p)) for c, p in zip(catalog.channels, prices.channel, strict=True)),
        *((f"an offer of {o.name}", float(p)) for o, p in zip(catalog.offers, prices.offer, strict=True)),
    ]
    lines = [
        f"{what} must be worth {price:.2f} {currency} more than the model says"
        if price > 0.0
        else f"{what} may be worth {-price:.2f} {currency} less than the model says"
        for what, price in named
        if abs(price) >= 0.005
    ]
    if lines and prices.fall:
        lines.append(f"these prices {'fall' if prices.fall > 0 else 'rise'} by {abs(prices.fall):.0%} until the end")
    return lines


def _column(schema: FeatureSchema) -> int | None:
    """Where the share of days left stands among the encoded columns."""
    return schema.encoded.index(TIME_LEFT) if TIME_LEFT in schema.encoded else None
