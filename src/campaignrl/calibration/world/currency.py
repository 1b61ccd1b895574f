"""The sums that a template lends, in the currency of the data: converted by a rate that somebody states, or refused.

What a send costs, a gift's face value, a lost permission, the budget and the mean basket are money; all else of a world
has no currency. Not here: amounts of the events, which intake converts (profiles/intake/).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

from campaignrl.errors import Problem, UsageError
from campaignrl.specs import World, check

Tables = dict[str, Any]
CLOSE = 0.01  # relative error that whole minor units may bring to a cost
SMALLEST = 1_000_000  # minor units in a unit of currency, at most


def in_currency(template: World, currency: str | None, rate: float | None, *, keep_minor: bool = False) -> World:
    """The template with its sums in `currency`; rate: what one unit of the template's own is worth in it.

    keep_minor: a log counts its costs in the template's minor units, which then stay as they are; otherwise they become
    finer where costs would lose more than 1 %.

    Raises:
        UsageError: the currencies differ and no rate is given, or a rate is given and there is nothing to convert.
    """
    own = template.money.currency
    if currency is None or currency == own:
        if rate is not None:
            fix = f"Leave it out: sums of {template.name} and of the data are in {own}."
            raise UsageError(Problem("calibrate", "rate", rate, "for another currency", fix))
        return template
    if rate is None:
        fix = f"Say what 1 {own} is worth in {currency}: --rate NUMBER (rate=... in Python)."
        allowed = f"{own}, in which {template.name} lends costs, and no rate is given"
        raise UsageError(Problem("calibrate", "currency", currency, allowed, fix))
    if not (math.isfinite(rate) and rate > 0.0):
        raise UsageError(Problem("calibrate", "rate", rate, "a number above 0"))
    tables = template.model_dump(exclude_none=True, exclude_unset=True)
    return check(World, _converted(tables, currency, rate, keep_minor), f"{template.name} in {currency}")


def _converted(given: Tables, currency: str, rate: float, keep_minor: bool) -> Tables:
    tables = copy.deepcopy(given)
    costs = [channel["cost"] * rate for channel in tables["channels"].values()]
    minor = int(tables.get("money", {}).get("minor_per_unit", 100))
    while not keep_minor and minor < SMALLEST and any(abs(_whole(c, minor) - c) > CLOSE * c for c in costs):
        minor *= 10
    tables["money"] = {**tables.get("money", {}), "currency": currency, "minor_per_unit": minor}
    for table, key in _sums(tables):
        table[key] = float(f"{table[key] * rate:.6g}")
    for channel, cost in zip(tables["channels"].values(), costs, strict=True):
        channel["cost"] = _whole(cost, minor)
    return tables


def _sums(tables: Tables) -> Iterator[tuple[Tables, str]]:
    """Where money stands in a world's tables, but for the costs of channels."""
    places = [
        (tables["money"], "unsubscribe"),
        (tables.get("guard", {}).get("budget", {}), "amount_per_1000_customers"),
    ]
    places += [(offer, "face_value") for offer in tables["offers"].values()]
    places += [(segment["basket"], "mean") for segment in tables["segments"].values()]
    return ((table, key) for table, key in places if key in table)


def _whole(cost: float, minor: int) -> float:
    """In whole minor units; what costs something never becomes free."""
    return max(round(cost * minor), 1 if cost > 0.0 else 0) / minor
