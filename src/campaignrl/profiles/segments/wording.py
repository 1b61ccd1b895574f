"""What to call a segment and how to say what sets it apart: words and figures for each kind of tag.

A word is taken from the figures that are shown, so that no name speaks against them: `infrequent` is said where the gap
between orders is longer than usual, whatever the tag is called. What a tag means is its phrase in the tag set (`mean
days between orders`) or, without one, its name. Here: words, phrases, figures. Not here: which columns stand out
(describe.py).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from campaignrl.arrays import Bool, Float
from campaignrl.profiles.table import Tag

TWICE, HALF = (1.9, 2.1), (0.47, 0.53)  # ratios that are said in a word
ALIKE = 0.1  # relative difference from the usual figure below which nothing is said


class Column(NamedTuple):
    """A column to speak of: a number, or one level of a category (then 0 and 1)."""

    tag: Tag
    level: str | None
    values: Float  # (n,) missing numbers are the median
    away: Float  # (n,) standardised, logs of skewed numbers
    meaning: str = ""  # its phrase in the tag set

    @property
    def share(self) -> bool:
        """Whether values read best as per cent."""
        inside = bool(((self.values >= 0.0) & (self.values <= 1.0)).all())
        return inside and (self.level is not None or self.tag.kind == "yes_no" or self.tag.decimals != 0)


class Words(NamedTuple):
    """Of tags whose meaning or name has `about`: a name for much and for little of it, and how to say a figure."""

    about: str  # regular expression
    much: str
    little: str
    says: str = ""  # with {} for the figure; "" for the tag's name before it
    usual: str = ""  # what the usual figure is of: "the usual gap"


# The first that fits counts: a gap between orders is no count of orders, days since an order no order.
WORDS: tuple[Words, ...] = (
    Words(r"recency.?score", "recent", "lapsed"),
    Words(r"frequency.?score", "frequent", "infrequent"),
    Words(r"monetary.?score|money.?score", "high_value", "low_value"),
    Words(
        r"days.?between.?orders|order.?gap|inter.?purchase|gap",
        "infrequent", "frequent", "orders every {} days", "gap",
    ),
    Words(
        r"days.?since.?(the.?)?last.?order|last_order|recency",
        "lapsed", "recent", "last order {} days ago", "{} days",
    ),
    Words(r"days.?since.?(the.?)?last|idle|silent", "long_silent", "lately_there"),
    Words(r"days.?since.?(the.?)?first|sign.?up|tenure|customer_for", "long_standing", "newcomers"),
    Words(r"refund|money.?back|return", "often_refunded", "seldom_refunded"),
    Words(r"discount.?received", "much_discount", "little_discount"),
    Words(
        r"share.?of.?orders.?on.?discount|discount.?share|promo.?share",
        "price_sensitive", "full_price", "{} of orders on discount",
    ),
    Words(r"discount|promo|coupon|price.?sens", "price_sensitive", "full_price"),
    Words(r"churn|risk", "at_risk", "safe"),
    Words(r"alive|p_active", "still_there", "likely_gone"),
    Words(r"basket|order.?value", "large_baskets", "small_baskets", "baskets of {}"),
    Words(r"clv|spend|spent|money|monetary|revenue|amount|charge", "high_value", "low_value"),
    Words(r"orders?.?(a|per).?(month|week|year)|frequen|rate.?of.?orders", "frequent", "infrequent"),
    Words(r"order|purchase", "many_orders", "few_orders", "{} orders"),
    Words(r"visit|view|session|brows", "browsing", "seldom_there"),
    Words(r"open|click|engage|respon", "responsive", "unresponsive"),
)  # fmt: skip


def words_of(column: Column) -> Words | None:
    """The words for a number: by its meaning, else by its name."""
    for text in (column.meaning, column.tag.name):
        found = next((w for w in WORDS if text and re.search(w.about, text.lower())), None)
        if found is not None:
            return found
    return None


def here_and_usual(column: Column, inside: Bool) -> tuple[float, float]:
    """The middle value in the segment and that of all customers, as they are shown."""
    middle = np.mean if by_average(column, inside) else np.median
    return float(middle(column.values[inside])), float(middle(column.values))


def by_average(column: Column, inside: Bool) -> bool:
    """Whether means are shown: of shares, and where the medians of a mostly constant tag say nothing."""
    return column.share or bool(np.median(column.values[inside]) == np.median(column.values))


def sets_apart(column: Column, inside: Bool) -> bool:
    """Whether the shown figures differ enough to speak of, and as the standardised means do."""
    here, usual = here_and_usual(column, inside)
    apart = column.away[inside].mean() - column.away.mean()
    enough = column.share or abs(here - usual) >= ALIKE * abs(usual)
    return bool(enough and (here - usual) * apart > 0.0)


def name_word(column: Column, inside: Bool) -> str:
    """A word for the segment by this column: what its shown figure is, against the usual one."""
    here, usual = here_and_usual(column, inside)
    high = here > usual
    if column.level is not None:
        word = "_".join(f"{column.tag.name} {column.level}".split())
        return word if high else f"not_{word}"
    words = words_of(column)
    if words is not None:
        return words.much if high else words.little
    if column.tag.kind == "yes_no":
        return column.tag.name if high else f"not_{column.tag.name}"
    return f"{'high' if high else 'low'}_{column.tag.name}"


def column_words(column: Column, inside: Bool) -> str:
    """`orders every 73 days, twice the usual gap (36)`; `72 % of orders on discount (usual 20 %)`."""
    here, usual = here_and_usual(column, inside)
    words = words_of(column) if column.level is None else None
    label = column.tag.name if column.level is None else f"{column.tag.name} {column.level}"
    says = words.says if words is not None and words.says else f"{label} {{}}"
    if words is not None and "of orders" in words.says and not column.share:
        says = f"{label} {{}}"
    text = says.format(figure(here, column))
    text = text.removesuffix("s") if text == "1 orders" else text
    text += " on average" if by_average(column, inside) and not column.share else ""
    ratio = here / usual if usual > 0.0 and here > 0.0 and not column.share else float("nan")
    if np.isnan(ratio):
        return f"{text} (usual {figure(usual, column)})"
    of = (words.usual if words is not None else "") or "{}"
    known = f"the usual {of.format(figure(usual, column))}" + ("" if "{}" in of else f" ({figure(usual, column)})")
    return f"{text}, {_times(ratio)} {known}"


def figure(value: float, column: Column) -> str:
    """A value of a column as people write it."""
    if column.share:
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == np.floor(value) else f"{value:.3g}"


def _times(ratio: float) -> str:
    if TWICE[0] <= ratio <= TWICE[1]:
        return "twice"
    if HALF[0] <= ratio <= HALF[1]:
        return "half"
    return f"{ratio:.0f} times" if ratio >= 9.5 else f"{ratio:.1f} times" if ratio > 1.0 else f"{100 * ratio:.0f} % of"
