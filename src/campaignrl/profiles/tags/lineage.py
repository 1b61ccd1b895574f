"""What a tag rests on: kinds of events, columns of events and attributes, and the rule that makes it, in words.

Columns of a statistic are read off its own SQL, so no list of them can be wrong. Not here: which data there are at all
(evidence.py), how many customers a tag is known of (store/build.py).
"""

from __future__ import annotations

import re
from datetime import date

from campaignrl.profiles.tags.learned_models import INPUTS
from campaignrl.profiles.tags.next_purchase import NEXT_PURCHASE
from campaignrl.profiles.tags.statistics import STATISTICS, Scope
from campaignrl.profiles.tags.tag_set import Tag, TagSet

LEARNED_FROM = ("order", "opening", "visit", "cart", "feedback", "sent", "opened", "clicked", "redeemed")
OF_ORDERS = ("p_alive", "p_return", "expected_orders", "clv", *NEXT_PURCHASE)  # models of the order history alone
COLUMNS = ("ts", "amount", "discount", "offer", "channel", "category", "brand", "value", "source")
TOLD = re.compile(rf"\b({'|'.join(COLUMNS)})\b")
# Of statistics that are functions of whole histories, whose SQL says nothing.
OF_HISTORY = {
    "days since sign-up": ("ts", "attributes.joined"),
    "monetary score": ("kind", "amount"),
    "frequency score": ("kind",),
    "RFM cell": ("kind", "ts", "amount"),
}
CONSENT = ("kind", "ts", "channel", "attributes.consent_*", "attributes.optout*")


def kinds_of(chosen: TagSet, name: str) -> tuple[str, ...]:
    """Kinds of events that a tag rests on, directly or through others; `attributes` stands for the attributes."""
    tag = chosen.tags[name]
    if tag.kind == "statistic":
        return STATISTICS[tag.of].kinds or ("attributes",)
    if tag.kind == "attribute":
        return ("attributes",)
    if tag.kind == "model":
        return STATISTICS["number of orders"].kinds if tag.of in OF_ORDERS else LEARNED_FROM
    return tuple(dict.fromkeys(kind for other in tag.needs for kind in kinds_of(chosen, other)))


def columns_of(chosen: TagSet, name: str) -> tuple[str, ...]:
    """Columns of the events, or `attributes.NAME`, that a tag is made from, directly or through others."""
    tag = chosen.tags[name]
    if tag.kind == "statistic":
        return of_statistic(tag.of, tag)
    if tag.kind == "attribute":
        return (f"attributes.{tag.of}",)
    if tag.kind == "model":
        if tag.of in OF_ORDERS:
            more = {"clv": ("amount", "discount"), "next_category": ("category",)}
            return ("kind", "ts", *more.get(tag.of, ()))
        return tuple(dict.fromkeys(c for phrase, _ in INPUTS.values() for c in of_statistic(phrase)))
    return tuple(dict.fromkeys(column for other in tag.needs for column in columns_of(chosen, other)))


def of_statistic(phrase: str, tag: Tag | None = None) -> tuple[str, ...]:
    """Columns that the SQL of a phrase speaks of, with the windows and filters of a tag."""
    statistic = STATISTICS[phrase]
    if phrase == "consent":
        return CONSENT
    if statistic.of_history is not None:
        return OF_HISTORY.get(phrase, ("kind", "ts"))
    scope = Scope(date.min) if tag is None else Scope(date.min, tag.days, tag.channel, tag.category, tag.brand)
    told = set(TOLD.findall(f"{statistic.sql(scope)} {statistic.favourite}"))
    # What an opening balance says in `value` and `discount` are counts of orders, not these columns of an export.
    told -= {"value"} if "order" in statistic.kinds else set()
    return ("kind", *(column for column in COLUMNS if column in told))


def rule_in_words(tag: Tag) -> str:
    """How a tag is made, as its file says it, in one line."""
    parts = {
        "attribute": f"attribute {tag.of}" + (", the value seen most often" if tag.settled else ""),
        "manual": "a list of ids",
        "score": " + ".join(f"{weight:g} x rank of {name}" for name, weight in tag.weights.items()),
        "rule": _conditions(tag),
    }
    told = parts.get(tag.kind, tag.of)
    named = (("in ", tag.category), ("of brand ", tag.brand), ("on ", tag.channel))
    told += "".join(f", {word}{value}" for word, value in named if value is not None)
    if tag.days is not None:
        told += f", {'next' if tag.kind == 'model' and tag.of != 'p_active' else 'last'} {tag.days} days"
    if tag.of == "clv":
        told += f", margin {tag.margin:g}"
    if tag.names:
        told += f"; {' | '.join(tag.names)}" + (
            f" from {', '.join(f'{cut:g}' for cut in tag.cuts)}" if tag.cuts else ""
        )
    return told


def _conditions(tag: Tag) -> str:
    if isinstance(tag.when, str):
        return tag.when
    told = "; ".join(f"{name}: {rule}" for name, rule in tag.when.items())
    told += "" if tag.otherwise is None else f"; else {tag.otherwise}"
    return told if tag.unknown is None else f"{told}; {tag.unknown} where that cannot be told"
