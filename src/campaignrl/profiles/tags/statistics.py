"""The closed list of statistics a tag may be: a phrase in words -> SQL over one customer's events, or a function.

A new one is one line in STATISTICS, and the function that it names. Nothing else has a list of them.

All sums are of whole numbers (fixed point, database.py), so a statistic is the same to the last bit for any number of
threads and any order of the events. A window of 30 days is today, of which nothing has happened yet, and the 29 days
before; what happened before events were kept (`opening` rows) counts where no window and no filter is asked for. Not
here: statistics of whole histories (history_statistics.py), the file that asks for them (tag_set.py), running the
query (values.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Literal

from campaignrl.profiles.events import UNIT, fixed, text
from campaignrl.profiles.tags.history_statistics import (
    OrderHistory,
    days_since_sign_up,
    frequency_score,
    lifecycle_stage,
    monetary_score,
    recency_score,
    rfm_cell,
)
from campaignrl.profiles.tags.process_statistics import (
    abandoned_cart,
    associated_category,
    best_hour,
    carts_since_order,
    days_since_abandoned_cart,
    visits_since_order,
)
from campaignrl.specs import STAGES

BOUGHT = ("order", "opening")
ACTIVE = ("visit", "cart", "order", "opened", "clicked", "feedback")  # what a customer does of its own
# Word for one event -> kinds it means.
EVENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": BOUGHT,
        "refund": ("refund",),
        "visit": ("visit",),
        "cart": ("cart",),
        "feedback": ("feedback",),
        "send": ("sent",),
        "delivery": ("delivered",),
        "open": ("opened",),
        "click": ("clicked",),
        "redemption": ("redeemed",),
        "unsubscription": ("unsubscribed",),
        "activity": ACTIVE,
    }
)
PLURALS = {"feedback": "feedbacks", "delivery": "deliveries", "activity": "activities"}
OfHistory = Callable[[OrderHistory], Any]  # (n,) numbers or texts
DAY_US = 86_400e6
MONTH = 365.25 / 12  # days


@dataclass(frozen=True)
class Scope:
    """Which events count: of a window that ends on `as_of`, of a channel, a category, a brand."""

    as_of: date
    days: int | None = None
    channel: str | None = None
    category: str | None = None
    brand: str | None = None
    timed: tuple[str, ...] | None = None  # sources whose events have hours; None where nobody looked

    def of(self, kinds: tuple[str, ...]) -> str:
        """SQL condition: an event of these kinds within the scope; an opening balance only where all events count."""
        whole = (self.days, self.channel, self.category, self.brand) == (None,) * 4
        wanted = [kind for kind in kinds if kind != "opening" or whole]
        parts = [f"kind in ({', '.join(text(kind) for kind in wanted)})"]
        if self.days is not None:
            parts.append(f"ts >= timestamp '{self.as_of}' - interval {self.days - 1} day")
        named = (("channel", self.channel), ("category", self.category), ("brand", self.brand))
        parts += [f"{column} = {text(value)}" for column, value in named if value is not None]
        return " and ".join(parts)


@dataclass(frozen=True)
class Statistic:
    """One phrase: its unit, the kinds of events it rests on, and its SQL as an aggregate of one customer's events."""

    unit: str
    kinds: tuple[str, ...]
    sql: Callable[[Scope], str]
    takes: tuple[str, ...] = ("days", "channel", "category", "brand")
    kind: Literal["number", "text", "truth"] = "number"
    empty: float | None = None  # of a customer without any event
    favourite: str = ""  # SQL of the level to count; then `sql` gives the events to count
    levels: tuple[str, ...] = ()  # of a text that can be nothing else
    of_history: OfHistory | None = None  # a function of whole histories, which then stands for `sql`


def count(scope: Scope, kinds: tuple[str, ...]) -> str:
    """Events; an opening balance stands for as many orders as it says."""
    events = tuple(kind for kind in kinds if kind != "opening")
    total = f"count(*) filter ({scope.of(events)})"
    if "opening" in kinds and "opening" in scope.of(kinds):
        total += " + coalesce(sum(cast(value as bigint)) filter (kind = 'opening'), 0)"
    return f"({total})"


def money(scope: Scope, column: str, kinds: tuple[str, ...]) -> str:
    """Sum of `amount`, `discount` or `value`, in currency."""
    return f"(coalesce(sum({fixed(column)}) filter ({scope.of(kinds)}), 0) / {UNIT}.0)"


def net(scope: Scope) -> str:
    """Paid less what was given back, in currency."""
    return f"({money(scope, 'amount', BOUGHT)} - {money(scope, 'amount', ('refund',))})"


def with_hours(scope: Scope) -> str:
    """SQL condition: what a customer did, of sources whose times are more than days."""
    if scope.timed is None:
        return scope.of(ACTIVE)
    sources = ", ".join(text(source) for source in scope.timed) or "null"
    return f"{scope.of(ACTIVE)} and coalesce(source, '') in ({sources})"


def ratio(above: str, below: str) -> str:
    """Null where there is nothing to divide by."""
    return f"({above} / cast(nullif({below}, 0) as double))"


def on_discount(scope: Scope) -> str:
    """Orders that used an offer or were below the list price."""
    total = f"count(*) filter ({scope.of(('order',))} and (offer is not null or discount > 0))"
    if "opening" in scope.of(BOUGHT):
        total += " + coalesce(sum(cast(discount as bigint)) filter (kind = 'opening'), 0)"
    return f"({total})"


def newest_value(scope: Scope, kind: str) -> str:
    """Value of the newest event of a kind that has one; of two at the same time the smaller."""
    where = f"{scope.of((kind,))} and value is not null"
    return f"arg_max(value, {{'ts': ts, 'less': -value}}) filter ({where})"


def list_price(scope: Scope) -> str:
    """Paid and not paid together; an opening balance is at list price."""
    return f"({money(scope, 'amount', BOUGHT)} + {money(scope, 'discount', ('order',))})"


def days_since(scope: Scope, which: str, kinds: tuple[str, ...]) -> str:
    """Days from the first (`min`) or last (`max`) event to the morning of `as_of`."""
    gap = f"epoch_us(timestamp '{scope.as_of}') - epoch_us({which}(ts) filter ({scope.of(kinds)}))"
    return f"(({gap}) / {DAY_US})"


def between_orders(scope: Scope) -> str:
    """Mean gap between one order and the next, days; null before the second."""
    where = scope.of(BOUGHT)
    span = f"epoch_us(max(ts) filter ({where})) - epoch_us(min(ts) filter ({where}))"
    return ratio(f"(({span}) / {DAY_US})", f"({count(scope, BOUGHT)} - 1)")


def a_month(scope: Scope) -> str:
    """Orders a month since the first one, a first month counting as a whole one."""
    months = f"greatest({days_since(scope, 'min', BOUGHT)} / {MONTH}, 1.0)"
    return f"({count(scope, BOUGHT)} / {months})"


def spend_a_month(scope: Scope) -> str:
    """Currency a month since the first order, at list price less refunds, a first month counting as a whole one."""
    months = f"greatest({days_since(scope, 'min', BOUGHT)} / {MONTH}, 1.0)"
    return f"(({list_price(scope)} - {money(scope, 'amount', ('refund',))}) / {months})"


def _of_events() -> dict[str, Statistic]:
    """The phrases that every kind of event has."""
    found: dict[str, Statistic] = {}
    for noun, kinds in EVENTS.items():
        plural = PLURALS.get(noun, f"{noun}s")
        found[f"number of {plural}"] = Statistic("count", kinds, lambda s, k=kinds: count(s, k), empty=0.0)  # type: ignore[misc]
        for which, sql in (("last", "max"), ("first", "min")):
            found[f"days since the {which} {noun}"] = Statistic(
                "days",
                kinds,
                lambda s, k=kinds, m=sql: days_since(s, m, k),  # type: ignore[misc]
            )
        found[f"days with {plural}"] = Statistic(
            "days",
            kinds,
            lambda s, k=kinds: f"count(distinct cast(ts as date)) filter ({s.of(k)})",  # type: ignore[misc]
            empty=0.0,
        )
    return found


ORDER, SENT = ("order",), ("sent",)
WINDOW = ("days",)
HOURS = (
    "case when hour(ts) < 6 then 'night' when hour(ts) < 12 then 'morning' "
    "when hour(ts) < 18 then 'afternoon' else 'evening' end"
)


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _favourite(level: str, kinds: tuple[str, ...], levels: tuple[str, ...] = ()) -> Statistic:
    return Statistic("", kinds, lambda s: s.of(kinds), ("days",), "text", favourite=level, levels=levels)


def _of_history(
    unit: str,
    function: OfHistory,
    *,
    kinds: tuple[str, ...] = BOUGHT,
    kind: Literal["number", "text", "truth"] = "number",
    takes: tuple[str, ...] = (),
    levels: tuple[str, ...] = (),
) -> Statistic:
    return Statistic(unit, kinds, lambda s: "null", takes, kind, levels=levels, of_history=function)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        **_of_events(),
        "spend": Statistic("currency", BOUGHT, net, empty=0.0),
        "gross spend": Statistic("currency", BOUGHT, lambda s: money(s, "amount", BOUGHT), empty=0.0),
        "spend at list price": Statistic("currency", BOUGHT, list_price, empty=0.0),
        "discount received": Statistic("currency", ORDER, lambda s: money(s, "discount", ORDER), empty=0.0),
        "money back": Statistic("currency", ("refund",), lambda s: money(s, "amount", ("refund",)), empty=0.0),
        "average basket": Statistic("currency", BOUGHT, lambda s: ratio(net(s), count(s, BOUGHT))),
        "gross average basket": Statistic(
            "currency", BOUGHT, lambda s: ratio(money(s, "amount", BOUGHT), count(s, BOUGHT))
        ),
        "average basket at list price": Statistic("currency", BOUGHT, lambda s: ratio(list_price(s), count(s, BOUGHT))),
        "share of orders on discount": Statistic("share", BOUGHT, lambda s: ratio(on_discount(s), count(s, BOUGHT))),
        "discount depth": Statistic(
            "share",
            ORDER,
            lambda s: ratio(
                money(s, "discount", ORDER), f"({money(s, 'amount', ORDER)} + {money(s, 'discount', ORDER)})"
            ),
        ),
        "share of orders refunded": Statistic(
            "share", (*BOUGHT, "refund"), lambda s: ratio(count(s, ("refund",)), count(s, BOUGHT))
        ),
        "mean days between orders": Statistic("days", BOUGHT, between_orders),
        "orders a month": Statistic("orders", BOUGHT, a_month, (), empty=0.0),
        "spend a month": Statistic("currency", BOUGHT, spend_a_month, (), empty=0.0),
        "share of sends opened": Statistic(
            "share", (*SENT, "opened"), lambda s: ratio(count(s, ("opened",)), count(s, SENT))
        ),
        "share of sends clicked": Statistic(
            "share", (*SENT, "clicked"), lambda s: ratio(count(s, ("clicked",)), count(s, SENT))
        ),
        "share of sends redeemed": Statistic(
            "share", (*SENT, "redeemed"), lambda s: ratio(count(s, ("redeemed",)), count(s, SENT))
        ),
        "average feedback": Statistic(
            "score",
            ("feedback",),
            lambda s: ratio(money(s, "value", ("feedback",)), f"count(value) filter ({s.of(('feedback',))})"),
        ),
        "newest feedback": Statistic("score", ("feedback",), lambda s: newest_value(s, "feedback")),
        "lowest feedback": Statistic(
            "score", ("feedback",), lambda s: f"min(value) filter ({s.of(('feedback',))} and value is not null)"
        ),
        "minutes of visits": Statistic("minutes", ("visit",), lambda s: money(s, "value", ("visit",)), empty=0.0),
        "consent": Statistic(
            "yes/no", ("subscribed", "unsubscribed", "attributes"), lambda s: "null", ("channel",), "truth"
        ),
        "favourite category": _favourite("category", (*ORDER, "visit", "cart")),
        "favourite brand": _favourite("brand", (*ORDER, "visit", "cart")),
        "favourite channel": _favourite("channel", ("opened", "clicked")),
        "favourite offer": _favourite("offer", (*ORDER, "redeemed")),
        "active hours": Statistic(
            "",
            ACTIVE,
            with_hours,
            ("days",),
            "text",
            favourite=HOURS,
            levels=("night", "morning", "afternoon", "evening"),
        ),
        "active weekday": _favourite("dayname(ts)", ACTIVE, DAYS),
        # Made from whole histories, by a function instead of an aggregate.
        "days since sign-up": _of_history("days", days_since_sign_up, kinds=()),
        "lifecycle stage": _of_history("", lifecycle_stage, kind="text", levels=STAGES),
        "recency score": _of_history("score", recency_score),
        "frequency score": _of_history("score", frequency_score),
        "monetary score": _of_history("score", monetary_score),
        "RFM cell": _of_history("", rfm_cell, kind="text"),
        "visits since the last order": _of_history("count", visits_since_order, kinds=("visit",), takes=WINDOW),
        "carts since the last order": _of_history("count", carts_since_order, kinds=("cart",), takes=WINDOW),
        "abandoned cart": _of_history("yes/no", abandoned_cart, kinds=("cart",), kind="truth", takes=WINDOW),
        "days since the abandoned cart": _of_history("days", days_since_abandoned_cart, kinds=("cart",), takes=WINDOW),
        "best hour": _of_history("hour", best_hour, kinds=ACTIVE, takes=WINDOW),
        "associated category": _of_history("", associated_category, kinds=ORDER, kind="text", takes=WINDOW),
    }
)
DERIVED: Mapping[str, OfHistory] = MappingProxyType({p: s.of_history for p, s in STATISTICS.items() if s.of_history})
