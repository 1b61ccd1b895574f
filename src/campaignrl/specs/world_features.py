"""The features of a simulated customer, by name: the list a world, a log, a table and a bundle share.

Here: names, units, ranges, meanings. Not here: filling them (dynamics/observe.py, profiles/).
"""

from __future__ import annotations

from collections.abc import Mapping

from campaignrl.features import Feature, FeatureSchema

STAGES = ("prospect", "new", "active", "loyal", "at_risk", "dormant", "churned")
PRICE_LEVELS = ("low", "mid", "high")
LONGEST = 1500.0  # days; recency and tenure clip here


def feature_schema(
    segments: tuple[str, ...],
    channels: tuple[str, ...],
    attributes: Mapping[str, tuple[str, ...]],
    horizon: int,
    formats: tuple[str, ...] = (),
) -> FeatureSchema:
    """What may be seen of a customer in a world with these segments, channels, profile attributes, formats."""
    liked = [Feature(name="format_tag", levels=formats, meaning="preferred format tag; may be wrong or missing")]
    days, count = "days", "count"
    return FeatureSchema(
        (
            Feature(name="segment", levels=segments, meaning="segment tag; may be wrong or missing"),
            Feature(name="price_tag", levels=PRICE_LEVELS, meaning="price-sensitivity tag; may be wrong or missing"),
            *(liked if formats else []),
            Feature(name="stage", levels=STAGES, meaning="lifecycle stage, from the order history"),
            *(Feature(name=name, levels=levels, meaning="profile attribute") for name, levels in attributes.items()),
            Feature(name="recency_days", unit=days, high=LONGEST, log=True, meaning="since the last order, or sign-up"),
            Feature(name="tenure_days", unit=days, high=LONGEST, log=True, meaning="since sign-up"),
            Feature(name="orders", unit=count, high=500.0, log=True, meaning="orders so far"),
            Feature(
                name="basket_mean", unit="currency", high=10_000.0, log=True, meaning="mean order value, 0 before any"
            ),
            Feature(name="discount_share", unit="share", meaning="share of orders that used an offer"),
            Feature(name="contacts_7d", unit=count, high=7.0, meaning="sends in the 7 days that end today"),
            Feature(name="contacts_30d", unit=count, high=30.0, meaning="sends in the 30 days that end today"),
            Feature(name="opens_30d", unit=count, high=30.0, meaning="opens in the 30 days that end today"),
            Feature(name="clicks_30d", unit=count, high=30.0, meaning="clicks in the 30 days that end today"),
            Feature(name="offer_live", unit="yes/no", meaning="holds an offer that is still usable"),
            Feature(name="days_to_go", unit=days, high=float(horizon), meaning="days left in the campaign"),
            *(Feature(name=f"consent_{c}", unit="yes/no", meaning=f"may be contacted by {c}") for c in channels),
        )
    )
