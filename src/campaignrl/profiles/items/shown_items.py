"""Items in a send list: what each content message shows, and the same by decision for the log.

A content offer is a message with items in it; which ones is the recommender's answer for that customer, or that for
strangers (customer_id `*`) where nobody knows the customer. Not here: making recommendations (recommender.py), the
decision to send (send/).
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from campaignrl.errors import DataError, Problem, nearest
from campaignrl.profiles.items.interactions import ITEM
from campaignrl.specs import World
from campaignrl.tables import ID

STRANGERS = "*"
APART = "|"  # between items in one cell
COLUMNS = (ID, "rank", ITEM)


class WithItems(NamedTuple):
    """sends: with a column `items`, "" for an offer that shows none; shown: decision_id, customer_id, rank, item_id."""

    sends: pd.DataFrame
    shown: pd.DataFrame


def with_items(sends: pd.DataFrame, recommended: pd.DataFrame, world: World) -> WithItems:
    """The send list with the items of its content messages.

    sends: of `Decisions.sends()`; recommended: customer_id, rank, item_id, as `Recommender.recommend` gives them.
    """
    missing = [name for name in COLUMNS if name not in recommended.columns]
    if missing:
        present = [str(c) for c in recommended.columns]
        fix = "Make it with `campaignrl profile recommend ... -o FILE`."
        raise DataError([Problem("--items", "column", n, "in the table", nearest(n, present) or fix) for n in missing])
    if any(APART in str(item) for item in recommended[ITEM].unique()):
        raise DataError(Problem("--items", ITEM, APART, "a sign of no item id", "It stands between ids in the list."))
    content = [name for name, offer in world.offers.items() if offer.kind == "content"]
    ranked = recommended.sort_values([ID, "rank"], kind="stable")
    ranked = ranked.assign(**{ID: ranked[ID].astype(str), ITEM: ranked[ITEM].astype(str)})
    rows = sends[sends["offer"].isin(content)]
    key = rows[ID].where(rows[ID].isin(ranked[ID]), STRANGERS)
    shown = pd.DataFrame({"decision_id": rows["decision_id"], ID: rows[ID], "of": key}).merge(
        ranked[list(COLUMNS)].rename(columns={ID: "of"}), on="of"
    )
    shown = shown[["decision_id", ID, "rank", ITEM]]
    cells = shown.groupby("decision_id", sort=False)[ITEM].agg(APART.join)
    items = sends["decision_id"].map(cells).fillna("").astype("str")
    return WithItems(sends.assign(items=items), shown.reset_index(drop=True))
