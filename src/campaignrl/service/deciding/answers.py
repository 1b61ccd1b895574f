"""What is answered: decisions as JSON, and their rows for the store.

Not here: how it was decided (rounds.py), who asks (api/).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Float
from campaignrl.send import Decisions
from campaignrl.service.deciding.json_columns import Cells, Few, Texts, json_lists, json_rows, member, texts_of
from campaignrl.service.store import Form, Store

Columns = Mapping[str, Any]  # of the ledger's rows, as `record_columns` says them
ALIKE = ("policy_id", "policy_hash", "world_hash", "guard_hash", "catalog_hash", "seed")
TOLD = {  # columns of what a client reads
    "decision_id": "decision_id",
    "customer_id": "customer_id",
    "day": "told.day",
    "action": "told.action",
    "send": "told.send",
    "offer": "offer",
    "channel": "channel",
    "propensity": "propensity",
    "cost": "told.cost",
    "currency": "told.currency",
    "expected_gain": "expected_gain",
    "reason": "reason",
    "blocked": "told.blocked",
    "policy": "policy_id",
    "policy_hash": "policy_hash",
    "fallback": "told.fallback",
    "expires": "told.expires",
}
RUN = 12  # hex digits of a decision's id before the customer's, as in a ledger


def run_of(store: Store, key: str) -> str:
    """12 hex digits for one request of this store."""
    return hashlib.blake2b(f"{store.id}\x00{key}".encode(), digest_size=RUN // 2).hexdigest()


def written(found: Decisions, columns: Columns, fallback: bool, expires: str) -> Texts:
    """Everything that a record or an answer says. columns: rows of the ledger; fallback: whether it decided."""
    action, n = found.action, len(found.action)
    lists = {text: [one for one in text.split("; ") if one] for text in set(columns["blocked"])}
    own: dict[str, Cells] = {
        "told.day": [found.day.isoformat()] * n,
        "told.action": [found.catalog.names[one] for one in action.tolist()],
        "told.send": Few((action != NONE).tolist(), {True: True, False: False}),
        "told.cost": columns["cost"] / found.about["minor_per_unit"],
        "told.currency": [found.about["currency"]] * n,
        "told.blocked": Few(columns["blocked"], lists),
        "told.fallback": [fallback] * n,
        "told.expires": [expires] * n,
    }
    return texts_of({**columns, **own}, n)


def packed(columns: Columns, texts: Texts, addresses: Sequence[str] | None) -> tuple[Form, list[str]]:
    """Rows of the ledger as the store keeps them: their form, and (n,) records. addresses: the end of each, "" of none.

    Few texts are alike in most decisions of a day, and those alone stand in a form: what is of a customer never does.
    """
    same = {name: columns[name][0] for name in ALIKE if name in texts.same}
    form = Form.of(columns, same, "rule.address")
    return form, json_lists(texts, [name for name in columns if name not in same], form.id, addresses)


@lru_cache(maxsize=4)
def end_of_day(day: datetime.date) -> datetime.datetime:
    """Until when a decision of a day holds: the next midnight of the sender's clock."""
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    return midnight.astimezone()


def told(texts: Texts, rankings: Sequence[list[dict[str, Any]] | None] | None) -> list[str]:
    """(n,) each decision as a client reads it, as JSON. rankings: (n,) None where nobody asked."""
    if rankings is None:
        return json_rows(texts, TOLD)
    return json_rows(texts, TOLD, ["" if one is None else member("ranking", one) for one in rankings])


def ranking_of(found: Decisions, p: Float, row: int, many: int) -> list[dict[str, Any]]:
    """The most probable of what was allowed, with the policy's own chances. p: (k,) of one customer."""
    order = np.argsort(-p, kind="stable")
    allowed = [int(k) for k in order if found.eligible[row, k]][:many]
    return [{"action": found.catalog.names[k], "probability": float(p[k])} for k in allowed]


def decision_columns(
    columns: Columns, records: Sequence[str], keys: Sequence[str], fallback: bool, now: float
) -> dict[str, Sequence[Any]]:
    """Of the store. records: the rows as JSON; keys: of the request of each; fallback: whether it decided."""
    n = len(keys)
    return {
        "decision_id": columns["decision_id"],
        "customer_id": columns["customer_id"],
        "day": columns["day"].tolist(),
        "action": columns["action"].tolist(),
        "policy_id": columns["policy_id"],
        "at": [now] * n,
        "key": keys,
        "fallback": [fallback] * n,
        "record": records,
    }


def send_columns(columns: Columns, expires: float, addresses: Sequence[str]) -> dict[str, list[Any]]:
    """What those that send something have reserved. addresses: keyed hashes, "" of none."""
    sends = columns["action"] != NONE
    every = {
        "decision_id": columns["decision_id"],
        "customer_id": columns["customer_id"],
        "day": columns["day"].tolist(),
        "channel": columns["channel"],
        "offer": columns["offer"],
        "cost": columns["cost"].tolist(),
        "address": addresses,
    }
    kept = {name: list(compress(cells, sends)) for name, cells in every.items()}
    n = len(kept["day"])
    return {**kept, "counted": [True] * n, "expires": [expires] * n}
