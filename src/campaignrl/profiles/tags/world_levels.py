"""Levels of a world's categories against those of the data: what its policies would not know, told at build.

A segment, a price tag or an attribute that the world has no level for is unknown to its policies, which then decide
as if nobody had said anything. Not here: the features (world_features.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from campaignrl.specs import PRICE_LEVELS, World

Unheard = dict[str, dict[str, int]]


def level_lists(world: World) -> Mapping[str, tuple[str, ...]]:
    """Levels of every feature of a world that is a fact about a customer."""
    return {"segment": tuple(world.segments), "price_tag": PRICE_LEVELS, **world.attributes}


def unheard(about: pd.DataFrame, world: World) -> Unheard:
    """By feature, the levels of the data that the world does not know, with their customers; the most frequent first.

    about: a table with columns named as the features, such as the attributes.
    """
    found: Unheard = {}
    for name, known in level_lists(world).items():
        if name not in about.columns:
            continue
        texts = about[name].dropna().astype(str)
        counts = texts[~texts.isin(known) & (texts != "")].value_counts()
        counts = counts.sort_index(kind="stable").sort_values(ascending=False, kind="stable")
        if len(counts):
            found[name] = {str(level): int(n) for level, n in counts.items()}
    return found
