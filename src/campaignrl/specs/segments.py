"""What a world's file says of its customers: segments and the distribution of their traits.

Not here: effects that all segments share (effects/).
"""

from __future__ import annotations

from typing import Literal

from campaignrl.quantities import LogEffect, NotNegative, Positive, Share
from campaignrl.toml import Spec


class Purchase(Spec):
    """Orders while the customer is alive: Poisson with a gamma-distributed rate (Pareto/NBD)."""

    rate: Positive  # orders per day, mean over customers
    spread: Positive  # coefficient of variation over customers


class Lifetime(Spec):
    """Silent drop-out: exponential lifetime with a gamma-distributed rate (Pareto/NBD)."""

    days: Positive  # 1 / mean drop-out rate
    spread: Positive  # coefficient of variation of the rate over customers


class Basket(Spec):
    """Order value: around a customer's own mean, which differs between customers."""

    model: Literal["lognormal", "gamma_gamma"] = "lognormal"  # of both; gamma_gamma: Fader, Hardie & Lee 2005
    mean: Positive  # currency, mean over customers
    spread: Positive  # coefficient of variation between customers
    within: Positive = 0.4  # coefficient of variation between one customer's orders
    margin: Share  # gross margin as a share of the full price


class Sensitivity(Spec):
    """Price sensitivity: log of the purchase hazard per 10 % off, lognormal over customers."""

    mean: Positive
    spread: Positive = 0.5


class Segment(Spec):
    """One archetype: its share of the customers and the distribution of their traits."""

    share: Share
    says: str = ""  # one sentence for people
    purchase: Purchase
    lifetime: Lifetime
    basket: Basket
    price_sensitivity: Sensitivity
    consent: dict[str, Share]  # share of customers who allow each channel
    affinity: dict[str, LogEffect] = {}  # log-odds of opening, by channel
    # Log-odds of opening and of clicking, and log-hazard while usable: by kind of offer, and by offer on top of it.
    taste: dict[str, LogEffect] = {}
    visits: NotNegative = 0.0  # per day while alive, beside those that follow a click; no behaviour depends on them
    profile: dict[str, dict[str, Share]] = {}  # share of each level of each attribute
