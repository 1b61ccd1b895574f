"""What data there are at all: a tag whose data nobody exported is unknown for everybody, not zero, low or "night".

An export without a single message says nothing of how often customers were contacted; orders without a discount
anywhere, nothing of price sensitivity; dates without hours, nothing of active hours. Here: what a set of events holds,
and what a phrase needs. Not here: a customer who has none of what others have, which is a zero (statistics.py).
"""

from __future__ import annotations

from typing import NamedTuple

from campaignrl.profiles.events import Connection, text

FEW = 20  # events of a source, below which two times of the day prove nothing
ACTIVE = ("visit", "cart", "order", "opened", "clicked", "feedback")
# What a phrase needs beside one event of any of its kinds.
NEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "spend", "gross spend", "spend at list price", "average basket", "gross average basket",
            "average basket at list price", "spend a month", "monetary score", "RFM cell",
        ),
        ("amount",),
    ),
    "discount depth": ("amount", "discount"),
    **dict.fromkeys(("share of orders on discount", "discount received"), ("discount",)),
    "money back": ("refund",),
    "share of orders refunded": ("refund",),
    **{f"share of sends {word}": ("sent", word) for word in ("opened", "clicked", "redeemed")},
    "active hours": ("hours",),
    "best hour": ("hours",),
}  # fmt: skip


class Evidence(NamedTuple):
    """What the events before the day hold: kinds, and `amount`, `discount`, `hours` where any event has one."""

    holds: frozenset[str]
    timed: tuple[str, ...]  # sources whose events have hours; "" for none

    def lacks(self, phrase: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
        """What a phrase would need and nobody exported; () where it can be made."""
        events = tuple(kind for kind in kinds if kind != "attributes")
        if events != kinds:  # the attributes may tell it as well
            events = ()
        lacking = () if not events or self.holds & set(events) else (" or ".join(events),)
        return (*lacking, *(need for need in NEEDS.get(phrase, ()) if need not in self.holds))


def evidence(connection: Connection) -> Evidence:
    """Look once over the events before the day."""
    rows = connection.execute(
        "select kind, bool_or(amount is not null), bool_or(discount > 0 or offer is not null) from known group by kind"
    ).fetchall()
    holds = {str(kind) for kind, *_ in rows}
    bought = [(amount, discount) for kind, amount, discount in rows if kind in ("order", "opening")]
    holds |= {"amount"} if any(amount for amount, _ in bought) else set()
    holds |= {"discount"} if any(discount for _, discount in bought) else set()
    timed = _timed(connection)
    return Evidence(frozenset(holds | ({"hours"} if timed else set())), timed)


def _timed(connection: Connection) -> tuple[str, ...]:
    """Sources whose times are more than days; a day in a zone is one or two full hours of UTC for all its events."""
    acts = ", ".join(text(kind) for kind in ACTIVE)
    rows = connection.execute(
        "select coalesce(source, '') as source, count(*), bit_count(bit_or(1 << cast(hour(ts) as integer))), "
        "bool_or(minute(ts) <> 0 or second(ts) <> 0 or microsecond(ts) % 1000000 <> 0), bool_or(hour(ts) <> 0) "
        f"from known where kind in ({acts}) group by 1 order by 1"
    ).fetchall()
    return tuple(
        str(source)
        for source, count, hours, finer, any_hour in rows
        if finer or (any_hour and (hours > 2 or count < FEW))
    )
