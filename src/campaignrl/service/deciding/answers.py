"""What is answered: decisions as JSON, and their rows for the store.

Not here: how it was decided (rounds.py), who asks (api/).
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np

from campaignrl.actions import NONE
from campaignrl.arrays import Float
from campaignrl.send import Decisions
from campaignrl.service.deciding.json_columns import Few, json_lists, json_rows, member
from campaignrl.service.store import Form, Store

Columns = Mapping[str, Any]  # of the ledger's rows, as `record_columns` says them
ALIKE = ("policy_id", "policy_hash", "world_hash", "guard_hash", "catalog_hash", "seed")
RUN = 12  # hex digits of a decision's id before the customer's, as in a ledger


def run_of(store: Store, key: str) -> str:
    """12 hex digits for one request of this store."""
    return hashlib.blake2b(f"{store.id}\x00{key}".encode(), digest_size=RUN // 2).hexdigest()


def packed(columns: Columns, addresses: Sequence[str] | None) -> tuple[Form, list[str]]:
    """Rows of the ledger as the store keeps them: their form, and (n,) records. addresses: the end of each, "" of none.

    Few texts are alike in most decisions of a day, and those alone stand in a form: what is of a customer never does.
    """
    same = {name: columns[name][0] for name in ALIKE if len(set(columns[name])) == 1}
    form = Form.of(columns, same, "rule.address")
    differ = {name: cells for name, cells in columns.items() if name not in same}
    return form, json_lists(form.id, differ, len(columns["decision_id"]), addresses)


def end_of_day(day: datetime.date) -> datetime.datetime:
    """Until when a decision of a day holds: the next midnight of the sender's clock."""
    midnight = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
    return midnight.astimezone()


def told(
    found: Decisions,
    columns: Columns,
    *,
    fallback: bool,
    expires: str,
    rankings: Sequence[list[dict[str, Any]] | None] | None,
) -> list[str]:
    """(n,) each decision as a client reads it, as JSON. columns: its row; rankings: (n,) None where nobody asked."""
    action, n = found.action, len(found.action)
    lists = {text: [one for one in text.split("; ") if one] for text in set(columns["blocked"])}
    answer = {
        "decision_id": columns["decision_id"],
        "customer_id": columns["customer_id"],
        "day": [found.day.isoformat()] * n,
        "action": [found.catalog.names[one] for one in action.tolist()],
        "send": Few((action != NONE).tolist(), {True: True, False: False}),
        "offer": columns["offer"],
        "channel": columns["channel"],
        "propensity": columns["propensity"],
        "cost": columns["cost"] / found.about["minor_per_unit"],
        "currency": [found.about["currency"]] * n,
        "expected_gain": columns["expected_gain"],
        "reason": columns["reason"],
        "blocked": Few(columns["blocked"], lists),
        "policy": columns["policy_id"],
        "policy_hash": columns["policy_hash"],
        "fallback": [fallback] * n,
        "expires": [expires] * n,
    }
    if rankings is None:
        return json_rows(answer, n)
    return json_rows(answer, n, ["" if one is None else member("ranking", one) for one in rankings])


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
